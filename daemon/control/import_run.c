/*
 * queue import: one message at a time on a connection, in requests that say
 * begin, part, end or drop. What a connection leaves unfinished goes.
 */
#include <string.h>

#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/stats.h"
#include "mxhold/control/import.h"
#include "mxhold/control/inner.h"

static void give_id(struct request *r, const char *key, uint64_t id)
{
	char text[ID_TEXT_LEN + 1] = "";

	if (id)
		id_format(id, text);
	request_result(r, json_pack("{s:i,s:s}", "v", 1, key, text));
}

void import_forget(struct control_conn *conn)
{
	import_drop(conn->import, conn->control->parts.writer);
	conn->import = NULL;
}

/* begin */

/* 1 = *twin is here, 0 = not, -1 = nobody can tell. */
static int find_twin(struct control *c, const struct import *i, uint64_t *twin)
{
	struct reader *reader = reader_new(c->parts.store);
	int rc;

	if (!reader)
		return -1;
	rc = reader_imported(reader, &import_parcel(i)->past, twin);
	reader_free(reader);
	return rc < 0 ? -1 : !rc;
}

static void begin(struct request *r, const json_t *args)
{
	struct control_conn *conn = r->conn;
	struct control *c = r->control;
	struct error err = {0};
	uint64_t twin = 0;
	int rc;

	import_forget(conn);
	conn->import = import_new(json_object_get(args, "message"),
				  c->parts.config, &err);
	if (!conn->import) {
		request_end(r, EXIT_FAILED, err.text);
		return;
	}
	rc = find_twin(c, conn->import, &twin);
	if (rc == 0 && store_has_room(c->parts.store,
				      import_parcel(conn->import)->past.size)) {
		give_id(r, "twin", 0);
		return;
	}
	import_forget(conn);
	if (rc == 1)
		give_id(r, "twin", twin);
	else
		request_end(r, EXIT_FAILED,
			    rc ? "the queue cannot be read"
			       : "there is no room in the queue");
}

/* part, end */

/* On the writer's thread. The server waits for jobs_out before it goes. */
static void on_report(struct job *job)
{
	struct request *r = job->data;
	struct control *c = r->control;

	mailbox_post(c->mailbox, &job->node);
	atomic_fetch_sub(&c->jobs_out, 1);
}

static void take(struct request *r, const json_t *args, bool last)
{
	const json_t *hex = json_object_get(args, "raw");
	struct control *c = r->control;
	struct error err = {0};
	struct job *job;

	if (!r->conn->import || !json_is_string(hex)) {
		request_end(r, EXIT_USAGE, "no import is under way");
		return;
	}
	job = import_take(
		r->conn->import,
		slice_make(json_string_value(hex), json_string_length(hex)),
		last, &err);
	if (!job) {
		import_forget(r->conn);
		request_end(r, EXIT_FAILED, err.text);
		return;
	}
	/* The connection may end before the job does. */
	r->import = r->conn->import;
	r->conn->import = NULL;
	job->report = on_report;
	job->data = r;
	r->is_busy = true;
	atomic_fetch_add(&c->jobs_out, 1);
	writer_submit(c->parts.writer, job);
}

static void log_imported(const struct import *i, uint64_t id)
{
	const struct parcel *p = import_parcel(i);
	char text[ID_TEXT_LEN + 1];
	struct log_line l;

	log_begin(&l, LOG_INFO, "message.imported");
	id_format(id, text);
	log_str(&l, "qid", text);
	id_format(p->past.id, text);
	log_str(&l, "was", text);
	log_private(&l, "from", p->env.sender);
	log_private(&l, "to", p->env.rcpts[0].address);
	log_int(&l, "size", (int64_t)p->past.size);
	log_end(&l);
	counter_add(&stats.messages_kept, 1);
}

void import_on_note(struct request *r)
{
	struct control *c = r->control;
	struct import *i = r->import;
	struct error err = {0};
	uint64_t id = 0;
	enum import_end end = import_taken(i, &id, &err);

	r->import = NULL;
	if (end == IMPORT_DONE) {
		log_imported(i, id);
		if (c->parts.relay)
			relay_kick(c->parts.relay);
	}
	if (!request_is_wanted(r)) {
		import_drop(i, c->parts.writer);
		return;
	}
	r->conn->import = i;
	if (end != IMPORT_MORE)
		import_forget(r->conn);
	if (end == IMPORT_FAILED)
		request_end(r, EXIT_FAILED, err.text);
	else
		give_id(r, end == IMPORT_TWIN ? "twin" : "id", id);
}

void import_run(struct request *r, const json_t *args)
{
	const char *step = json_string_value(json_object_get(args, "step"));

	if (step && strcmp(step, "begin") == 0)
		begin(r, args);
	else if (step && strcmp(step, "part") == 0)
		take(r, args, false);
	else if (step && strcmp(step, "end") == 0)
		take(r, args, true);
	else if (step && strcmp(step, "drop") == 0) {
		import_forget(r->conn);
		request_end(r, EXIT_DONE, NULL);
	} else
		request_end(r, EXIT_USAGE, "which step of an import?");
}
