/*
 * Who is told what of a message: its report, as part of the job that settles
 * it. bounce.c builds it; here is chosen what it says.
 */
#include <stdio.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/random.h"
#include "mxhold/base/siphash.h"
#include "mxhold/relay/delivery.h"

enum {
	WITHHELD_AGAIN_MS = 60 * 1000 /* told once in a wave */
};

const struct config_domain *reporting_domain(const struct delivery *d)
{
	char name[256];
	struct slice s =
		d->n_rcpts ? d->rcpts[0].rcpt->rcpt.domain : slice_make("", 0);

	snprintf(name, sizeof(name), "%.*s", (int)s.n, s.p);
	return config_domain(d->relay->config, name);
}

const struct config_bounce *reporting_bounce(const struct delivery *d)
{
	const struct config_domain *domain = reporting_domain(d);

	return domain ? &domain->bounce : &d->relay->config->bounce;
}

/* The first attempt beyond bounce.delay_dsn; what nobody has tried yet is
 * found in the queue (delay.c). */
static bool has_become_late(const struct delivery *d,
			    const struct queue_rcpt *q)
{
	const struct config_bounce *c = reporting_bounce(d);
	int64_t edge_ms = d->msg.env.arrived_at_ms + c->delay_dsn;

	if (!bounce_wants_delayed(c) || d->settle.now_ms < edge_ms)
		return false;
	return d->is_late ? q->last_attempt_ms == 0
			  : q->last_attempt_ms && q->last_attempt_ms < edge_ms;
}

static bool is_reported(const struct delivery *d, const struct delivery_rcpt *r,
			enum dsn_action *action)
{
	const struct queue_rcpt *q = r->rcpt;

	if (!d->is_late && r->judged.verdict == VERDICT_FAILED) {
		*action = DSN_FAILED;
		return r->bounce == BOUNCE_REPORT;
	}
	if (!d->is_late && r->judged.verdict == VERDICT_DELIVERED) {
		*action = DSN_RELAYED;
		return !d->peer_has_dsn &&
		       bounce_wants_relayed(reporting_bounce(d), &d->msg.env,
					    q->rcpt.notify);
	}
	*action = DSN_DELAYED;
	return has_become_late(d, q) &&
	       dsn_is_wanted(&d->msg.env, q->rcpt.notify, DSN_DELAYED);
}

/* The reply of recipient r, as the job has it. */
struct slice reporting_reply(const struct delivery *d,
			     const struct delivery_rcpt *r)
{
	for (size_t i = 0; i < d->settle.n_rcpts; i++) {
		if (d->settle.rcpts[i].n == r->rcpt->n)
			return slice_str(d->settle.rcpts[i].reply);
	}
	return slice_make("", 0);
}

static int64_t retry_until(const struct delivery *d)
{
	const struct config_domain *domain = reporting_domain(d);
	const struct config_queue *queue =
		domain ? &domain->queue : &d->relay->config->queue;

	return d->msg.env.arrived_at_ms + queue->hard_limit;
}

static void fill_report(const struct delivery *d, const struct delivery_rcpt *r,
			struct bounce_rcpt *out)
{
	const struct queue_rcpt *q = r->rcpt;

	out->rcpt = q;
	out->status = d->is_late ? "4.4.1" : r->judged.reply.enhanced;
	if (out->action == DSN_RELAYED)
		out->status = "2.0.0";
	if (out->action == DSN_DELAYED)
		out->retry_until_ms = retry_until(d);
	if (r->judged.by_peer)
		out->diagnostic = reporting_reply(d, r);
	out->remote = d->lane ? slice_str(r->judged.by_peer ? d->host : "")
			      : q->remote;
}

/* --- how many ------------------------------------------------------------ */

static void log_withheld(const struct delivery *d)
{
	struct log_line l;

	log_begin(&l, LOG_WARNING, "bounce.withheld");
	log_str(&l, "qid", d->qid);
	log_private(&l, "to", d->msg.env.sender);
	log_str(&l, "why", "too many reports within an hour");
	log_end(&l);
}

bool reporting_may(struct delivery *d)
{
	struct allowance *a = &d->relay->allowance;
	int64_t last_ms = a->refused_ms, mono_ms = clock_mono_ms();
	char domain[DOMAIN_MAX];
	uint64_t key[2];

	if (bounce_domain(d->msg.env.sender, domain))
		return false;
	random_key(key);
	if (allowance_take(a, siphash(key, slice_str(domain)), mono_ms))
		return true;
	if (last_ms == 0 || mono_ms - last_ms > WITHHELD_AGAIN_MS)
		log_withheld(d);
	return false;
}

/* What failed was counted when that was decided. */
static bool is_allowed(struct delivery *d, const struct bounce_of *of)
{
	for (size_t i = 0; i < of->n_rcpts; i++) {
		if (of->rcpts[i].action == DSN_FAILED)
			return true;
	}
	return reporting_may(d);
}

/* --- the report ---------------------------------------------------------- */

void reporting_add(struct delivery *d)
{
	struct bounce_rcpt *rcpts =
		mem_array(MX_MAX(d->n_rcpts, 1), sizeof(*rcpts));
	struct bounce_of of = {
		.config = d->relay->config,
		.message = &d->msg,
		.rcpts = rcpts,
		.head = buf_slice(d->whole ? &d->body : &d->head),
		.whole = d->whole,
		.now_ms = d->settle.now_ms,
	};

	for (size_t i = 0; i < d->n_rcpts; i++) {
		const struct delivery_rcpt *r = &d->rcpts[i];
		struct bounce_rcpt *out = &rcpts[of.n_rcpts];

		if (!(r->now || d->is_late) || !is_reported(d, r, &out->action))
			continue;
		fill_report(d, r, out);
		of.n_rcpts++;
	}
	if (of.n_rcpts && is_allowed(d, &of))
		d->settle.report = bounce_new(&of);
	mem_free(rcpts);
}
