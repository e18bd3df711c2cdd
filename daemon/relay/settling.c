/*
 * What became of a message, into the queue in one transaction: recipients,
 * the next attempt, a report, the quarantine. Only after the commit is it
 * told (telling.c).
 */
#include <stdio.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/net/mailbox.h"
#include "mxhold/relay/delivery.h"
#include "mxhold/relay/retry.h"

enum {
	STORE_AGAIN_MS = 1000
};

/* --- what goes into the job --------------------------------------------- */

static bool is_left(const struct delivery_rcpt *r)
{
	return !r->settled && (!r->tried || r->judged.verdict == VERDICT_LEFT ||
			       r->judged.verdict == VERDICT_AGAIN);
}

static bool any_left(const struct delivery *d)
{
	for (size_t i = 0; i < d->n_rcpts; i++) {
		if (is_left(&d->rcpts[i]))
			return true;
	}
	return false;
}

static bool has(const struct delivery *d, enum verdict v)
{
	for (size_t i = 0; i < d->n_rcpts; i++) {
		const struct delivery_rcpt *r = &d->rcpts[i];

		if (!r->settled && r->tried && r->judged.verdict == v)
			return true;
	}
	return false;
}

/* Recipients of the message that are not at an end with this attempt. */
static bool others_wait(const struct delivery *d)
{
	if (!d->lane) /* expired as a whole */
		return false;
	for (size_t i = 0; i < d->msg.n_rcpts; i++) {
		if (d->msg.rcpts[i].state == RCPT_PENDING &&
		    d->msg.rcpts[i].dest != d->dest_number)
			return true;
	}
	return any_left(d) || has(d, VERDICT_LATER);
}

/* Left as it is, the message goes again at once. Those for another session
 * that nobody was delivered over must not make it do so for ever. */
static bool is_to_be_left(const struct delivery *d)
{
	return has(d, VERDICT_LEFT) ||
	       (any_left(d) && has(d, VERDICT_DELIVERED));
}

/* There is one due row for a destination: with some left where they were,
 * the others come along with them, unless they may be there already. */
static enum verdict put_off(const struct delivery *d, bool left)
{
	return left && !d->maybe_duplicate ? VERDICT_LEFT : VERDICT_LATER;
}

static void decide_bounces(struct delivery *d)
{
	const struct config_bounce *c = reporting_bounce(d);

	for (size_t i = 0; i < d->n_rcpts; i++) {
		struct delivery_rcpt *r = &d->rcpts[i];
		uint8_t notify = r->rcpt->rcpt.notify;

		if (r->settled || r->judged.verdict != VERDICT_FAILED)
			continue;
		r->bounce = d->msg.told
				    ? bounce_decide_told(c, &d->msg.env, notify)
				    : bounce_decide(c, &d->msg.env, notify);
	}
}

static bool is_reported(const struct delivery_rcpt *r)
{
	return !r->settled && r->judged.verdict == VERDICT_FAILED &&
	       r->bounce == BOUNCE_REPORT;
}

/* One report too many: as if senders were told nothing. An operator's word is
 * above that. */
static void keep_allowance(struct delivery *d)
{
	const struct config_bounce *c = reporting_bounce(d);
	bool any = false;

	for (size_t i = 0; i < d->n_rcpts; i++)
		any |= is_reported(&d->rcpts[i]);
	if (!any || d->msg.told || reporting_may(d))
		return;
	for (size_t i = 0; i < d->n_rcpts; i++) {
		if (is_reported(&d->rcpts[i]))
			d->rcpts[i].bounce = bounce_otherwise(c);
	}
}

/* The quarantine takes a message as a whole: what would go there waits
 * until the other recipients are settled. */
static void wait_for_others(struct delivery *d, bool left)
{
	for (size_t i = 0; i < d->n_rcpts; i++) {
		struct delivery_rcpt *r = &d->rcpts[i];

		if (!r->settled && r->judged.verdict == VERDICT_FAILED &&
		    r->bounce == BOUNCE_HOLD)
			r->judged.verdict = put_off(d, left);
	}
}

static void leave_later(struct delivery *d)
{
	for (size_t i = 0; i < d->n_rcpts; i++) {
		struct delivery_rcpt *r = &d->rcpts[i];

		if (!r->settled && r->judged.verdict == VERDICT_LATER)
			r->judged.verdict = VERDICT_LEFT;
	}
}

/* Everything that is decided; while more transactions follow, only what was
 * delivered. */
static size_t choose(struct delivery *d)
{
	bool left = is_to_be_left(d);
	size_t n = 0;

	if (!d->more) {
		if (left && !d->maybe_duplicate)
			leave_later(d);
		decide_bounces(d);
		keep_allowance(d);
		if (others_wait(d))
			wait_for_others(d, left);
	}
	for (size_t i = 0; i < d->n_rcpts; i++) {
		struct delivery_rcpt *r = &d->rcpts[i];
		enum verdict v = r->judged.verdict;

		r->now = !r->settled && r->tried &&
			 (v == VERDICT_DELIVERED ||
			  (!d->more &&
			   (v == VERDICT_LATER || v == VERDICT_FAILED)));
		n += r->now;
	}
	return n;
}

/* --- the job ------------------------------------------------------------ */

bool settling_is_expired(const struct delivery_rcpt *r)
{
	return r->judged.verdict == VERDICT_FAILED &&
	       !(r->judged.bad_5xx || r->judged.reply.code >= 500);
}

static int64_t next_attempt(const struct delivery *d, int64_t now_ms)
{
	uint32_t attempts = 0;

	for (size_t i = 0; i < d->n_rcpts; i++) {
		if (d->rcpts[i].now)
			attempts = MX_MAX(attempts, d->rcpts[i].rcpt->attempts);
	}
	return now_ms +
	       retry_wait_ms(relay_drain_of(d->relay, d->dest), attempts + 1);
}

static void put_rcpt(struct delivery *d, const struct delivery_rcpt *r)
{
	static const enum settle as[] = {
		[VERDICT_DELIVERED] = SETTLE_DELIVERED,
		[VERDICT_LATER] = SETTLE_DEFERRED,
		[VERDICT_FAILED] = SETTLE_FAILED,
	};
	struct job_settle *j = &d->settle;
	struct settle_rcpt *s = &j->rcpts[j->n_rcpts++];

	s->n = r->rcpt->n;
	s->what = as[r->judged.verdict];
	smtp_reply_format(&r->judged.reply, s->reply, sizeof(s->reply));
	if (s->what == SETTLE_DELIVERED)
		return;
	snprintf(j->reason, sizeof(j->reason), "%.255s", s->reply);
	if (s->what == SETTLE_DEFERRED && !j->next_attempt_ms)
		j->next_attempt_ms = next_attempt(d, j->now_ms);
	j->expired |= settling_is_expired(r);
	j->quarantine |= s->what == SETTLE_FAILED && r->bounce == BOUNCE_HOLD;
}

static void on_reported(struct job *job) /* the writer's thread */
{
	struct delivery *d = job->data;

	mailbox_post(d->relay->mailbox, &job->node);
}

static void fill_job(struct delivery *d, size_t n)
{
	struct job_settle *j = &d->settle;

	mem_free(j->rcpts);
	memset(j, 0, sizeof(*j));
	j->job.kind = JOB_SETTLE;
	j->job.report = on_reported;
	j->job.data = d;
	j->id = d->id;
	j->dest = d->dest_number;
	j->now_ms = clock_wall_ms();
	j->count_attempt = d->lane != NULL;
	j->maybe_duplicate = d->maybe_duplicate;
	snprintf(j->primary, sizeof(j->primary), "%.127s", d->host);
	j->rcpts = mem_array(n, sizeof(*j->rcpts));
	for (size_t i = 0; i < d->n_rcpts; i++) {
		if (d->rcpts[i].now)
			put_rcpt(d, &d->rcpts[i]);
	}
	if (j->quarantine)
		j->expire_ms = j->now_ms + reporting_bounce(d)->quarantine;
}

bool settling_begin(struct delivery *d)
{
	size_t n = choose(d);

	if (!n)
		return false;
	fill_job(d, n);
	reporting_add(d);
	d->job = &d->settle.job;
	handing_submit(d->relay->handing, d->job);
	return true;
}

bool settling_late(struct delivery *d)
{
	fill_job(d, 1);
	reporting_add(d);
	if (!d->settle.report)
		return false;
	d->job = &d->settle.job;
	handing_submit(d->relay->handing, d->job);
	return true;
}

/* --- after the commit --------------------------------------------------- */

static void on_again(void *data)
{
	struct delivery *d = data;

	handing_submit(d->relay->handing, d->job);
}

/*
 * The store could not keep it. Until it can, the message counts as under way,
 * lest what was delivered be sent again; the session ends, so that no more
 * than one copy can come of it.
 */
static void try_again(struct delivery *d)
{
	if (d->link)
		pool_drop(d->link);
	d->link = NULL;
	d->more = false;
	passing_failed(d);
	if (d->relay->grace_over) {
		delivery_end(d);
		return;
	}
	log_why(LOG_ERROR, "settle.failed",
		"what became of %s could not be written; trying again", d->qid);
	if (!d->again)
		d->again = timer_new(d->relay->parts.loop, on_again, d);
	timer_start(d->again, STORE_AGAIN_MS);
}

/* What was never sent may be being read now. */
bool settling_leaves(const struct delivery *d)
{
	for (size_t i = 0; i < d->send.n_rcpts; i++) {
		const struct delivery_rcpt *r = &d->rcpts[d->batch_rcpt[i]];

		if (r->tried && is_left(r))
			return true;
	}
	return false;
}

void settling_done(struct delivery *d)
{
	enum store_result result = d->job->result;

	if (result == STORE_FAILED || result == STORE_FULL) {
		try_again(d);
		return;
	}
	if (d->change) {
		if (d->change->change == CHANGE_DELETE && d->change->changed)
			telling_removed(d);
		delivery_end(d);
		return;
	}
	telling_settled(d);
	telling_report(d);
	delivery_go_on(d);
}

/* --- damage, an operator's word ----------------------------------------- */

static void submit_change(struct delivery *d, enum change change,
			  const char *reason, int64_t expire_ms)
{
	struct job_change *c = mem_alloc(sizeof(*c));

	c->job.kind = JOB_CHANGE;
	c->job.report = on_reported;
	c->job.data = d;
	c->change = change;
	c->ids[0] = d->id;
	c->n = 1;
	c->now_ms = clock_wall_ms();
	c->expire_ms = expire_ms;
	snprintf(c->reason, sizeof(c->reason), "%s", reason);
	d->state = DELIVERY_SETTLING;
	mem_free(d->change);
	d->change = c;
	d->job = &c->job;
	handing_submit(d->relay->handing, d->job);
}

void settling_remove(struct delivery *d)
{
	submit_change(d, CHANGE_DELETE, "", 0);
}

void settling_extend(struct delivery *d, int64_t until_ms)
{
	submit_change(d, CHANGE_EXTEND, "", until_ms);
}

void settling_unread(struct delivery *d)
{
	struct log_line l;

	d->relay->unread_ms = clock_mono_ms();
	log_begin(&l, LOG_ERROR, "message.unreadable");
	log_str(&l, "qid", d->qid);
	log_str(&l, "why", "the store could not give its content; later again");
	log_end(&l);
	for (size_t i = 0; i < d->n_rcpts; i++) {
		struct outcome_rcpt *o = &d->rcpts[i].judged;

		if (d->rcpts[i].settled)
			continue;
		o->verdict = VERDICT_LATER;
		smtp_reply_set(&o->reply, 451, "4.3.0",
			       "its content could not be read from the queue");
		d->rcpts[i].tried = true;
	}
	d->more = false;
	d->state = DELIVERY_SETTLING;
	if (!settling_begin(d))
		delivery_end(d);
}

void settling_damaged(struct delivery *d)
{
	struct log_line l;

	d->relay->n_damaged++;
	log_begin(&l, LOG_ERROR, "message.damaged");
	log_str(&l, "qid", d->qid);
	log_str(&l, "why", "its checksum is wrong; it goes to quarantine");
	log_end(&l);
	submit_change(d, CHANGE_QUARANTINE,
		      "the content is damaged: its checksum is wrong", 0);
}

void settling_free(struct delivery *d)
{
	timer_free(d->again);
	bounce_free(d->settle.report);
	mem_free(d->settle.rcpts);
	mem_free(d->change);
}
