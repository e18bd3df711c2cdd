/*
 * Acting on a choice of messages: a page of them is picked on the work pool,
 * changed by a job of the writer, and so on. If the client goes away, the
 * slice under way is the last. A message whose attempt is under way is not
 * removed below it: the relay does that when the attempt has ended.
 */
#include <stdio.h>
#include <string.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/stats.h"
#include "mxhold/control/inner.h"

enum {
	ALIVE_MS = 120 * 1000, /* each slice gives the client so much more */
};

struct change_run {
	struct request *request;
	struct job_change job;
	struct query_pick picks[QUERY_PAGE];
	size_t n_picks, n_done; /* of the page */
	size_t n_slice;         /* of them in the job or left to the relay */
	size_t pick_of[CHANGE_MAX]; /* of the job's messages */
	int rc;                     /* of picking */
	enum change change;
	uint64_t chosen, changed, bytes, in_flight;
};

_Static_assert((int)QUERY_PAGE <= (int)CHANGE_MAX, "a page is one job");

static void pick_next(struct change_run *run);
static void pick_work(void *data);
static void on_picked(void *data);
static void on_report(struct job *job);

void change_free(struct change_run *run)
{
	mem_free(run);
}

void change_start(struct request *r)
{
	struct change_run *run = mem_alloc(sizeof(*run));

	run->request = r;
	r->change = run;
	if (query_acts(r->query, &run->change))
		pick_next(run);
	else
		request_end(r, EXIT_USAGE, "that command changes nothing");
}

/* The end */

static void finish(struct change_run *run, const char *trouble)
{
	struct request *r = run->request;
	json_t *result = json_pack("{s:i,s:I,s:I,s:I,s:I}", "v", 1, "messages",
				   (json_int_t)run->chosen, "changed",
				   (json_int_t)run->changed, "bytes",
				   (json_int_t)run->bytes, "in_flight",
				   (json_int_t)run->in_flight);

	relay_kick(r->control->parts.relay);
	if (run->change == CHANGE_EXPIRE || run->change == CHANGE_BOUNCE)
		relay_give_up(r->control->parts.relay);
	protocol_append_result(&r->out, result);
	json_decref(result);
	if (trouble)
		request_end(r, run->changed ? EXIT_PARTLY : EXIT_FAILED,
			    trouble);
	else if (run->chosen == 0)
		request_end(r, EXIT_NO_MATCH,
			    "no message matches that this would change");
	else if (run->changed < run->chosen)
		request_end(r, EXIT_PARTLY,
			    "some messages left the queue meanwhile");
	else
		request_end(r, EXIT_DONE, NULL);
}

/* A page */

static void pick_next(struct change_run *run)
{
	run->request->is_busy = true;
	loop_work(run->request->control->parts.loop, pick_work, on_picked,
		  run->request);
}

static void pick_work(void *data)
{
	struct request *r = data;
	struct change_run *run = r->change;

	run->n_picks = QUERY_PAGE;
	run->n_done = 0;
	run->rc = query_pick(r->query, run->picks, &run->n_picks, &r->more);
}

/* A slice: messages one after the other that need the same job. */

static const char *reason_of(enum change change)
{
	return change == CHANGE_HOLD ? "held by an operator" : "";
}

/* What leaves quarantine waits by the rules of the queue again. */
static int64_t expire_of(const struct change_run *run, int64_t now_ms)
{
	const struct config *c = run->request->control->parts.config;

	return run->change == CHANGE_RELEASE &&
			       run->picks[run->n_done].is_quarantined
		       ? now_ms + c->queue.hard_limit
		       : 0;
}

static void add_to_slice(struct change_run *run, size_t n)
{
	struct relay *relay = run->request->control->parts.relay;
	const struct query_pick *p = &run->picks[n];
	struct job_change *j = &run->job;

	run->n_slice++;
	run->in_flight += relay_in_flight(relay, p->id);
	if (j->change == CHANGE_DELETE && relay_remove(relay, p->id)) {
		run->changed++;
		run->bytes += p->size;
		return;
	}
	run->pick_of[j->n] = n;
	j->ids[j->n++] = p->id;
}

/* Submitted even if the relay has them all: what it submitted at once is
 * then committed before the client hears of it. */
static void submit_slice(struct change_run *run)
{
	struct request *r = run->request;
	struct control *c = r->control;
	bool quarantined = run->picks[run->n_done].is_quarantined;
	struct job_change *j = &run->job;

	*j = (struct job_change){
		.job = {.kind = JOB_CHANGE, .report = on_report, .data = r},
		.change = run->change,
		.now_ms = clock_wall_ms(),
	};
	snprintf(j->reason, sizeof(j->reason), "%s", reason_of(run->change));
	j->expire_ms = expire_of(run, j->now_ms);
	run->n_slice = 0;
	for (size_t i = run->n_done; i < run->n_picks; i++) {
		if (run->picks[i].is_quarantined != quarantined)
			break;
		add_to_slice(run, i);
	}
	r->is_busy = true;
	atomic_fetch_add(&c->jobs_out, 1);
	writer_submit(c->parts.writer, &j->job);
}

/* On the writer's thread. The server waits for jobs_out before it goes. */
static void on_report(struct job *job)
{
	struct request *r = job->data;
	struct control *c = r->control;

	mailbox_post(c->mailbox, &job->node);
	atomic_fetch_sub(&c->jobs_out, 1);
}

static void on_picked(void *data)
{
	struct request *r = data;
	struct change_run *run = r->change;

	if (!request_is_wanted(r))
		return;
	run->chosen += run->rc < 0 ? 0 : run->n_picks;
	if (run->rc < 0)
		finish(run, "the queue cannot be read");
	else if (run->n_picks)
		submit_slice(run);
	else if (r->more == QUERY_MORE)
		pick_next(run);
	else
		finish(run, NULL);
}

/* What became of it */

static const char *event_of(enum change change)
{
	switch (change) {
	case CHANGE_HOLD:
	case CHANGE_QUARANTINE:
		return "message.held";
	case CHANGE_RELEASE:
		return "message.released";
	case CHANGE_RETRY:
		return "message.retried";
	case CHANGE_EXPIRE:
	case CHANGE_BOUNCE:
		return "message.given_up";
	case CHANGE_DELETE:
	case CHANGE_EXTEND:
		break;
	}
	return "message.removed";
}

static void log_change(enum change change, const struct query_pick *p)
{
	char id[ID_TEXT_LEN + 1];
	struct log_line l;

	id_format(p->id, id);
	log_begin(&l, LOG_INFO, event_of(change));
	log_str(&l, "qid", id);
	log_private(&l, "from", slice_str(p->sender));
	log_private(&l, "to", slice_str(p->to));
	log_int(&l, "size", (int64_t)p->size);
	log_str(&l, "why", "an operator's word");
	log_end(&l);
}

static void tally(struct change_run *run)
{
	struct job_change *j = &run->job;

	run->changed += j->changed;
	run->bytes += j->bytes;
	for (size_t i = 0; i < j->n; i++)
		if (j->done[i])
			log_change(j->change, &run->picks[run->pick_of[i]]);
	if (j->change == CHANGE_DELETE)
		counter_add(&stats.messages_removed, j->changed);
	run->n_done += run->n_slice;
}

void change_on_note(struct control *c, struct mpsc_node *note)
{
	struct job *job = MX_CONTAINER_OF(note, struct job, node);
	struct request *r = job->data;
	struct change_run *run = r->change;

	(void)c;
	if (job->result == STORE_OK)
		tally(run);
	if (!request_is_wanted(r))
		return;
	stream_deadline(r->conn->stream, ALIVE_MS);
	if (job->result != STORE_OK)
		finish(run, job->result == STORE_FULL
				    ? "the disk is full"
				    : "the queue cannot be written");
	else if (run->n_done < run->n_picks)
		submit_slice(run);
	else if (r->more == QUERY_MORE)
		pick_next(run);
	else
		finish(run, NULL);
}
