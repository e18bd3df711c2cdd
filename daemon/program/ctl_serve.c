/*
 * Without a daemon, export and import speak to a child of ours that does what
 * the daemon would. It becomes the queue's owner; we stay who we are, and so
 * may read and write the files that were named.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl.h"
#include "ctl_session.h"

#include "mxhold/control/import.h"
#include "mxhold/control/query.h"
#include "mxhold/storage/store.h"

struct serving {
	struct ctl *c;
	int fd;
	struct ctl_offline_parts parts;
	struct writer *writer; /* when it is for writing */
	struct import *import;
	struct buf in, out;
};

/* --- opening ----------------------------------------------------------- */

/* Never makes a queue: it would be the wrong user's. */
static enum exit_code open_for_writing(struct serving *s)
{
	const struct config *config = s->c->config;
	struct store_options options = {
		.state_dir = config->state_dir,
		.map_size = config->queue.map_size,
		.max_bytes = config->queue.max_bytes,
		.reserve = config->queue.reserve,
	};
	struct error err = {0};

	if (store_become_owner(options.state_dir, &err) < 0 ||
	    store_exists(options.state_dir, &err) < 0 ||
	    store_open(&s->parts.store, &options, &err) < 0)
		return ctl_refused(s->c, &err);
	s->writer = writer_new(s->parts.store);
	return s->writer ? EXIT_DONE : EXIT_FAILED;
}

static void close_all(struct serving *s)
{
	if (s->writer) {
		import_drop(s->import, s->writer);
		writer_stop(s->writer);
	}
	ctl_offline_close(&s->parts);
	buf_done(&s->in);
	buf_done(&s->out);
}

/* --- answers ----------------------------------------------------------- */

static int flush(struct serving *s)
{
	int rc = ctl_send_all(s->fd, buf_slice(&s->out));

	buf_clear(&s->out);
	return rc;
}

static void fail(struct serving *s, const char *why)
{
	protocol_append_end(&s->out, EXIT_FAILED, why);
}

static void give_id(struct serving *s, const char *key, uint64_t id)
{
	char text[ID_TEXT_LEN + 1] = "";
	json_t *j;

	if (id)
		id_format(id, text);
	j = json_pack("{s:i,s:s}", "v", 1, key, text);
	protocol_append_result(&s->out, j);
	json_decref(j);
	protocol_append_end(&s->out, EXIT_DONE, NULL);
}

static void answer_export(struct serving *s, const json_t *args)
{
	struct query_live live = {0};
	struct error err = {0};
	enum exit_code exit;
	struct query *q = query_new(s->parts.store, s->c->config, &live,
				    "queue export", args, &err, &exit);

	if (!q) {
		protocol_append_end(&s->out, exit, err.text);
		return;
	}
	while (query_step(q, &s->out) == QUERY_MORE)
		if (flush(s) < 0)
			break;
	query_free(q);
}

/* --- import ------------------------------------------------------------ */

static void forget(struct serving *s)
{
	import_drop(s->import, s->writer);
	s->import = NULL;
	while (writer_run_batch(s->writer) > 0)
		continue;
}

/* As the daemon would say of it. */
static bool has_room(const struct serving *s)
{
	return store_has_room(s->parts.store,
			      import_parcel(s->import)->past.size);
}

static void begin(struct serving *s, const json_t *args)
{
	struct reader *reader = reader_new(s->parts.store);
	struct error err = {0};
	uint64_t twin = 0;
	bool wanted;
	int rc = -1;

	forget(s);
	s->import = import_new(json_object_get(args, "message"), s->c->config,
			       &err);
	if (s->import && reader)
		rc = reader_imported(reader, &import_parcel(s->import)->past,
				     &twin);
	reader_free(reader);
	wanted = rc == 1 && has_room(s);
	if (rc < 0)
		fail(s, s->import ? "the queue cannot be read" : err.text);
	else if (rc == 1 && !wanted)
		fail(s, "there is no room in the queue");
	else
		give_id(s, "twin", rc == 0 ? twin : 0);
	if (!wanted)
		forget(s);
}

static void on_report(struct job *job)
{
	(void)job;
}

static void take(struct serving *s, const json_t *args, bool last)
{
	const json_t *hex = json_object_get(args, "raw");
	struct error err = {0};
	uint64_t id = 0;
	struct job *job;
	enum import_end end;

	if (!s->import) {
		fail(s, "no import is under way");
		return;
	}
	job = import_take(
		s->import,
		slice_make(json_string_value(hex), json_string_length(hex)),
		last, &err);
	end = IMPORT_FAILED;
	if (job) {
		job->report = on_report;
		writer_submit(s->writer, job);
		while (writer_run_batch(s->writer) > 0)
			continue;
		end = import_taken(s->import, &id, &err);
	}
	if (end == IMPORT_FAILED)
		fail(s, err.text);
	else
		give_id(s, end == IMPORT_TWIN ? "twin" : "id", id);
	if (end != IMPORT_MORE)
		forget(s);
}

static void answer_import(struct serving *s, const json_t *args)
{
	const char *step = json_string_value(json_object_get(args, "step"));

	step = step ? step : "";
	if (strcmp(step, "begin") == 0) {
		begin(s, args);
	} else if (strcmp(step, "drop") == 0) {
		forget(s);
		protocol_append_end(&s->out, EXIT_DONE, NULL);
	} else {
		take(s, args, strcmp(step, "end") == 0);
	}
}

/* --- requests ---------------------------------------------------------- */

static void answer(struct serving *s, struct slice line, enum exit_code opened)
{
	struct protocol_request r;
	struct error err = {0};

	if (opened != EXIT_DONE)
		protocol_append_end(&s->out, opened, NULL); /* said already */
	else if (protocol_parse_request(line, &r, &err) < 0)
		fail(s, err.text);
	else if (s->writer)
		answer_import(s, r.args);
	else
		answer_export(s, r.args);
	if (opened == EXIT_DONE && !err.text[0])
		protocol_request_done(&r);
}

/* 0 when the client has gone. */
static int next_line(struct serving *s, size_t *n)
{
	char bytes[65536];
	size_t seen = 0;

	for (;;) {
		struct slice all = buf_slice(&s->in);
		ptrdiff_t lf = slice_index(slice_skip(all, seen), '\n');
		ssize_t got;

		if (lf >= 0) {
			*n = seen + (size_t)lf;
			return 1;
		}
		seen = all.n;
		got = recv(s->fd, bytes, sizeof(bytes), 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 || buf_append(&s->in, bytes, (size_t)got) < 0)
			return 0;
	}
}

static void serve(struct ctl *c, int fd, bool writing)
{
	struct serving s = {.c = c, .fd = fd};
	enum exit_code opened;
	size_t n;

	buf_init(&s.in, PROTOCOL_REQUEST_MAX + 1);
	buf_init(&s.out, PROTOCOL_RESPONSE_MAX);
	opened = writing ? open_for_writing(&s) : ctl_offline_open(c, &s.parts);
	while (next_line(&s, &n)) {
		answer(&s, slice_head(buf_slice(&s.in), n), opened);
		buf_consume(&s.in, n + 1);
		if (flush(&s) < 0)
			break;
	}
	close_all(&s);
}

int ctl_serve(struct ctl *c, bool writing, pid_t *child)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	fflush(NULL);
	*child = fork();
	if (*child == 0) {
		close(ends[0]);
		serve(c, ends[1], writing);
		_exit(0);
	}
	close(ends[1]);
	if (*child > 0)
		return ends[0];
	close(ends[0]);
	return -1;
}
