/*
 * What has waited too long: rows of `expire` that are over. A message in the
 * queue fails for its last known reason (hard limit, or retention by the
 * wall clock); one in quarantine is removed. One page after the other, one
 * message at a time. Retention by a primary's up-time is looked at after
 * each attempt (retry.h): there are none while it is down.
 */
#include <stdio.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/stats.h"
#include "mxhold/net/mailbox.h"
#include "mxhold/relay/delivery.h"

enum {
	EXPIRY_PAGE = 64,
	EXPIRY_FIRST_MS = 1000,
	EXPIRY_EVERY_MS = 60000
};

struct expiry {
	struct relay *relay;
	struct timer *timer;
	struct mailbox *mailbox;
	struct due_row rows[EXPIRY_PAGE];
	size_t n, at;
	uint64_t over[EXPIRY_PAGE]; /* their quarantine has ended */
	size_t n_over;
	bool busy, progress, stopped;
	struct job_change change;
};

static void on_timer(void *data);
static void on_note(void *data, struct mpsc_node *note);
static void go_on(struct expiry *x);

struct expiry *expiry_new(struct relay *r)
{
	struct expiry *x = mem_alloc(sizeof(*x));

	x->relay = r;
	x->timer = timer_new(r->parts.loop, on_timer, x);
	x->mailbox = mailbox_new(r->parts.loop, on_note, x);
	timer_start(x->timer, EXPIRY_FIRST_MS);
	return x;
}

static void on_timer(void *data)
{
	struct expiry *x = data;

	if (x->busy) { /* a store that fails keeps one for long */
		timer_start(x->timer, EXPIRY_FIRST_MS);
		return;
	}
	relay_sweep(x->relay);
	x->n = x->at = 0;
	x->progress = true;
	go_on(x);
}

void expiry_look(struct expiry *x)
{
	if (!x->stopped)
		timer_start(x->timer, 0);
}

/* --- one message after the other ---------------------------------------- */

static void on_expired(struct relay *r, enum delivery_expired how)
{
	struct expiry *x = r->expiry;

	x->busy = false;
	if (how == EXPIRED_SETTLED)
		x->progress = true;
	else if (how == EXPIRED_QUARANTINED)
		x->over[x->n_over++] = x->rows[x->at].id;
	x->at++;
	timer_start(x->timer, EXPIRY_EVERY_MS);
	go_on(x);
}

static void start(struct expiry *x)
{
	uint64_t id = x->rows[x->at].id;

	if (map_get(&x->relay->in_flight, relay_id_key(&id))) {
		x->at++;
		return;
	}
	x->busy = true;
	delivery_expire(x->relay, id, on_expired);
}

/* --- the end of the quarantine ------------------------------------------ */

static void on_removed(struct job *job) /* the writer's thread */
{
	struct expiry *x = job->data;

	mailbox_post(x->mailbox, &job->node);
}

/* One that went to quarantine a moment ago has a new row, and stays. */
static bool is_still_over(const struct expiry *x, uint64_t id)
{
	for (size_t i = 0; i < x->n; i++) {
		if (x->rows[i].id == id)
			return true;
	}
	return false;
}

static void read_page(struct expiry *x)
{
	x->n = EXPIRY_PAGE;
	x->at = 0;
	if (reader_expired(x->relay->reader, clock_wall_ms(), x->rows, &x->n))
		x->n = 0;
}

static bool remove_over(struct expiry *x)
{
	struct job_change *c = &x->change;

	read_page(x);
	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < x->n_over; i++) {
		if (is_still_over(x, x->over[i]))
			c->ids[c->n++] = x->over[i];
	}
	x->n = x->n_over = 0;
	if (!c->n)
		return false;
	c->job.kind = JOB_CHANGE;
	c->job.report = on_removed;
	c->job.data = x;
	c->change = CHANGE_DELETE;
	c->now_ms = clock_wall_ms();
	snprintf(c->reason, sizeof(c->reason), "its quarantine has ended");
	x->busy = true;
	writer_submit(x->relay->parts.writer, &c->job);
	return true;
}

static void log_removed(uint64_t id)
{
	char qid[ID_TEXT_LEN + 1];
	struct log_line l;

	id_format(id, qid);
	log_begin(&l, LOG_INFO, "message.removed");
	log_str(&l, "qid", qid);
	log_str(&l, "why", "its quarantine has ended");
	log_end(&l);
}

static void on_note(void *data, struct mpsc_node *note)
{
	struct expiry *x = data;
	struct job_change *c = &x->change;

	(void)note;
	x->busy = false;
	if (c->job.result == STORE_OK) {
		x->progress = c->changed > 0;
		counter_add(&stats.messages_removed, c->changed);
		for (size_t i = 0; i < c->n; i++) {
			if (c->done[i])
				log_removed(c->ids[i]);
		}
	}
	go_on(x);
}

/* --- the whole ---------------------------------------------------------- */

/* A page without any progress is left for later. */
static void go_on(struct expiry *x)
{
	while (!x->busy && !x->stopped) {
		if (x->at < x->n) {
			start(x);
		} else if (x->n_over) {
			if (!remove_over(x))
				break;
		} else if (x->progress) {
			x->progress = false;
			read_page(x);
			if (!x->n)
				break;
		} else {
			break;
		}
	}
	if (!x->busy && !x->stopped)
		timer_start(x->timer, EXPIRY_EVERY_MS);
	relay_check_idle(x->relay);
}

void expiry_stop(struct expiry *x)
{
	x->stopped = true;
	timer_stop(x->timer);
}

bool expiry_is_idle(const struct expiry *x)
{
	return !x->busy;
}

void expiry_free(struct expiry *x)
{
	timer_free(x->timer);
	mailbox_free(x->mailbox);
	mem_free(x);
}
