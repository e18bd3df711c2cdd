#include "mxhold/relay/delivery.h"

#include <stdio.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/relay/retry.h"
#include "mxhold/storage/failpoint.h"

enum {
	ARENA_MAX = 16 * 1024 * 1024 /* envelope and recipients */
};

static void on_sent(void *data, const struct session_result *result);

const struct link_user delivery_user = {
	.on_body = reading_on_body,
	.on_sent = on_sent,
	.on_settled = passing_on_settled,
};

/* --- start: read it ----------------------------------------------------- */

static struct delivery *new_delivery(struct relay *r, uint64_t id)
{
	struct delivery *d = mem_alloc(sizeof(*d));

	d->relay = r;
	d->config = config_ref(r->config);
	d->id = id;
	id_format(id, d->qid);
	arena_init(&d->arena, ARENA_MAX);
	buf_init(&d->body, DELIVERY_SMALL);
	buf_init(&d->head, BOUNCE_CONTENT_MAX);
	list_init(&d->item);
	map_put(&r->in_flight, relay_id_key(&d->id), d);
	r->n_deliveries++;
	return d;
}

static bool is_before(const struct delivery *a, const struct delivery *b)
{
	return a->due_ms < b->due_ms ||
	       (a->due_ms == b->due_ms && a->id < b->id);
}

/* The oldest of a class first, also one that was under way before and is back;
 * which class goes next was decided before it was read. */
static void queue_by_age(struct lane *l, struct delivery *d)
{
	struct list *at = &l->deliveries;

	for (struct list *it = at->prev; it != &l->deliveries; it = it->prev) {
		struct delivery *o = MX_CONTAINER_OF(it, struct delivery, item);

		if (o->state > DELIVERY_WAITING)
			break;
		if (o->class != d->class)
			continue;
		if (is_before(o, d))
			break;
		at = it;
	}
	list_append(at, &d->item);
}

void delivery_start(struct lane *l, struct dest *dest, enum window_class class,
		    const struct due_row *row)
{
	struct delivery *d = new_delivery(l->relay, row->id);

	(void)failpoint_hit("drain");
	d->lane = l;
	d->dest = dest;
	d->class = class;
	d->dest_number = dest->number;
	d->due_ms = row->due_ms;
	d->era = l->pool.era;
	queue_by_age(l, d);
	reading_load(d);
}

void delivery_expire(struct relay *r, uint64_t id,
		     void (*on_done)(struct relay *r,
				     enum delivery_expired how))
{
	struct delivery *d = new_delivery(r, id);

	d->on_expired = on_done;
	reading_load(d);
}

void delivery_tell_late(struct relay *r, uint64_t id, uint32_t dest,
			void (*on_done)(struct relay *r,
					enum delivery_expired how))
{
	struct delivery *d = new_delivery(r, id);

	d->is_late = true;
	d->dest_number = dest;
	d->on_expired = on_done;
	reading_load(d);
}

/* --- read ---------------------------------------------------------------- */

static bool is_stopped(const struct queue_message *m)
{
	return m->state == QUEUE_HELD || m->state == QUEUE_QUARANTINE;
}

/* "450 4.2.0 text", as it is kept. */
static void parse_kept_reply(struct slice kept, struct smtp_reply *out)
{
	char text[REPLY_TEXT_MAX];
	int n = 0;

	snprintf(text, sizeof(text), "%.*s", (int)kept.n, kept.p);
	memset(out, 0, sizeof(*out));
	sscanf(text, "%3d %11[0-9.] %n", &out->code, out->enhanced, &n);
	if (n == 0)
		sscanf(text, "%3d %n", &out->code, &n);
	snprintf(out->text, sizeof(out->text), "%s", text + n);
	if (out->code < 400 || out->code > 599)
		smtp_reply_set(out, 451, "4.4.7",
			       "its primary could not be reached in time");
}

/* Nobody is asked: the last that was heard is what it failed for
 * (RFC 3464 2.3.3). */
static void judge_expired(struct delivery *d)
{
	for (size_t i = 0; i < d->n_rcpts; i++) {
		const struct queue_rcpt *q = d->rcpts[i].rcpt;
		struct outcome_rcpt *o = &d->rcpts[i].judged;

		o->verdict = VERDICT_FAILED;
		o->by_peer = q->remote.n > 0;
		parse_kept_reply(q->reply, &o->reply);
		outcome_status(&o->reply, o->reply.enhanced);
		d->rcpts[i].tried = true;
	}
	d->state = DELIVERY_SETTLING;
	if (!settling_begin(d))
		delivery_end(d);
}

static void tell_late(struct delivery *d)
{
	d->state = DELIVERY_SETTLING;
	if (is_stopped(&d->msg) || !settling_late(d))
		delivery_end(d);
}

/* The limit may have been raised since it came. */
static int64_t limit_ms(const struct delivery *d)
{
	const struct config_domain *domain = reporting_domain(d);
	const struct config_queue *q =
		domain ? &domain->queue : &d->config->queue;

	if (d->msg.given_up || d->msg.env.is_report ||
	    d->msg.state == QUEUE_QUARANTINE)
		return 0;
	return d->msg.env.arrived_at_ms + retry_limit_ms(q);
}

static void on_expired_loaded(struct delivery *d)
{
	int64_t until_ms = limit_ms(d);

	if (d->is_late)
		tell_late(d);
	else if (d->n_rcpts == 0 || d->msg.state == QUEUE_QUARANTINE)
		delivery_end(d);
	else if (until_ms > clock_wall_ms())
		settling_extend(d, until_ms);
	else
		judge_expired(d);
}

void delivery_loaded(struct delivery *d)
{
	if (d->doomed || d->load == LOAD_ABSENT || d->load == LOAD_UNREADABLE) {
		delivery_end(d);
	} else if (!d->lane) {
		on_expired_loaded(d);
	} else if (is_stopped(&d->msg)) {
		delivery_end(d);
	} else if (d->load == LOAD_FAILED) {
		settling_unread(d);
	} else if (d->load == LOAD_DAMAGED) {
		settling_damaged(d);
	} else {
		d->state = DELIVERY_WAITING;
		lane_loaded(d->lane);
	}
}

/* --- hand it over -------------------------------------------------------- */

void delivery_send(struct delivery *d, struct link *link)
{
	const struct smtp_ehlo *ehlo = session_ehlo(link->session);

	d->link = link;
	d->era = link->era; /* an outage may have ended since it was read */
	d->sent_ms = clock_mono_ms();
	d->state = DELIVERY_SENDING;
	d->more = d->end_given = d->body_wanted = false;
	d->peer_has_dsn = ehlo->ext & EXT_DSN;
	snprintf(d->host, sizeof(d->host), "%s", session_host(link->session));
	session_protection(link->session, &d->protection);
	wording_fill(d, ehlo);
	link->used++;
	d->sends++;
	session_send(link->session, &d->send, &d->msg.env);
}

/* --- what the primary said ----------------------------------------------- */

static bool any_next(const struct delivery *d)
{
	for (size_t i = 0; i < d->n_rcpts; i++) {
		if (wording_is_next(&d->rcpts[i]))
			return true;
	}
	return false;
}

static void settle_or_go_on(struct delivery *d)
{
	d->state = DELIVERY_SETTLING;
	if (settling_begin(d))
		passing_on(d);
	else
		delivery_go_on(d);
}

/* The end of its content could not be given out, nor may the session be used
 * again. What was deleted under way is simply gone. */
static void not_read(struct delivery *d)
{
	pool_drop(d->link);
	d->link = NULL;
	if (d->load == LOAD_DAMAGED)
		settling_damaged(d);
	else if (d->load == LOAD_FAILED)
		settling_unread(d);
	else
		delivery_end(d);
}

/* Another host may have it: the link is not used again. */
static void note_lack(struct delivery *d, const struct session_result *result)
{
	char text[REPLY_TEXT_MAX];

	smtp_reply_format(&result->mail, text, sizeof(text));
	lane_note_lack(d->lane, wording_needs(&d->send), text);
	d->link->used = UINT32_MAX / 2;
}

static void on_sent(void *data, const struct session_result *result)
{
	struct delivery *d = data;
	struct outcome out;

	if (d->load != LOAD_OK) {
		not_read(d);
		return;
	}
	judging_hear(d, result, &out);
	teaching_tell(d, result);
	if (result->is_ours)
		note_lack(d, result);
	if (!out.reuse) {
		pool_drop(d->link);
		d->link = NULL;
	}
	d->more = d->link && any_next(d) &&
		  !pool_is_spent(d->link, passing_uses_max(d));
	settle_or_go_on(d);
}

void delivery_not_opened(struct delivery *d,
			 const struct session_failure *failure)
{
	struct session_result result = {.broken = true, .failure = *failure};
	struct outcome out;

	snprintf(d->host, sizeof(d->host), "%s", failure->host);
	wording_batch(d, DELIVERY_RCPTS_MAX);
	result.n_rcpts = d->send.n_rcpts;
	result.rcpts = mem_array(result.n_rcpts, sizeof(*result.rcpts));
	if (failure->fault == FAULT_NO_ROUTE || failure->fault == FAULT_LOOP)
		outcome_diagnose(failure, &result.mail); /* definite */
	judging_judge(d, &result, true, &out);
	mem_free((void *)result.rcpts);
	settle_or_go_on(d);
}

/* --- after the commit ---------------------------------------------------- */

static bool may_send_again(const struct delivery *d)
{
	return d->more && d->link && !d->link->ended && !d->reading &&
	       !d->relay->stopping;
}

void delivery_go_on(struct delivery *d)
{
	if (d->good && d->lane && !d->lane->is_report)
		prober_tell(d->relay->parts.prober, d->lane->name, HEALTH_GOOD,
			    "delivered", passing_session(d));
	d->good = false;
	passing_settled(d);
	if (!may_send_again(d)) {
		delivery_end(d);
		return;
	}
	reading_restart(d);
	delivery_send(d, d->link);
}

/* --- end ----------------------------------------------------------------- */

void delivery_drop(struct delivery *d)
{
	MX_ASSERT(d->state <= DELIVERY_WAITING);
	delivery_end(d);
}

void delivery_break_off(struct delivery *d, bool wherever)
{
	struct session_result result = {.broken = true};
	struct outcome out;

	if (d->state != DELIVERY_SENDING || (d->end_given && !wherever))
		return;
	result.sent_dot = d->end_given;
	result.n_rcpts = d->send.n_rcpts;
	result.mail.code = result.final.code = 0;
	pool_drop(d->link);
	d->link = NULL;
	if (!d->end_given) {
		delivery_end(d);
		return;
	}
	/* Perhaps it has arrived: say so, as when the line breaks there. */
	result.mail = (struct smtp_reply){.code = 250};
	snprintf(result.failure.text, sizeof(result.failure.text),
		 "stopped while waiting for the reply");
	result.rcpts = mem_array(result.n_rcpts, sizeof(*result.rcpts));
	for (size_t i = 0; i < result.n_rcpts; i++)
		((struct smtp_reply *)result.rcpts)[i].code = 250;
	judging_judge(d, &result, false, &out);
	mem_free((void *)result.rcpts);
	d->maybe_duplicate = true;
	settle_or_go_on(d);
}

static enum delivery_expired how_expired(const struct delivery *d)
{
	if (d->job)
		return EXPIRED_SETTLED;
	if (d->load != LOAD_OK && d->load < LOAD_FAILED)
		return EXPIRED_NOTHING;
	return d->msg.state == QUEUE_QUARANTINE ? EXPIRED_QUARANTINED
						: EXPIRED_NOTHING;
}

static bool is_to_be_removed(const struct delivery *d)
{
	return d->doomed && !d->settle.gone &&
	       !(d->change && d->change->change == CHANGE_DELETE);
}

/* Out of everybody's sight; freed when nothing reads into it any more. */
void delivery_end(struct delivery *d)
{
	struct relay *r = d->relay;
	struct link *link = d->link;

	MX_ASSERT(d->state != DELIVERY_ENDED && !d->passed);
	if (is_to_be_removed(d)) {
		settling_remove(d);
		return;
	}
	map_remove(&r->in_flight, relay_id_key(&d->id));
	list_remove(&d->item);
	d->link = NULL;
	d->state = DELIVERY_ENDED;
	if (d->lane) {
		if (link)
			pool_give_back(link, passing_uses_max(d));
		if (settling_leaves(d)) /* the oldest still: go before others */
			dest_drop_pages(d->dest);
		dest_wake(d->dest);
		lane_mark(d->lane);
	} else {
		d->on_expired(r, how_expired(d));
	}
	d->lane = NULL;
	if (!d->reading)
		delivery_forget(d);
}

void delivery_forget(struct delivery *d)
{
	struct relay *r = d->relay;

	settling_free(d);
	arena_done(&d->arena);
	buf_done(&d->body);
	buf_done(&d->head);
	mem_free(d->rcpts);
	config_unref(d->config);
	mem_free(d);
	r->n_deliveries--;
	relay_check_idle(r);
}
