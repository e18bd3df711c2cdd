/*
 * What became of a message, once that is on disk: for the log, the counters and
 * the lane.
 */
#include <stdio.h>

#include "mxhold/base/log.h"
#include "mxhold/base/stats.h"
#include "mxhold/relay/delivery.h"

static const char *event_of(const struct delivery_rcpt *r)
{
	if (r->judged.verdict == VERDICT_DELIVERED)
		return "message.forwarded";
	if (r->judged.verdict == VERDICT_LATER)
		return "message.deferred";
	return settling_is_expired(r) ? "message.expired" : "message.failed";
}

/* TLS-16: how it went there. */
static void log_protection(struct log_line *l,
			   const struct session_protection *p)
{
	log_str(l, "tls", p->version[0] ? p->version : "no");
	if (!p->version[0])
		return;
	log_str(l, "cipher", p->cipher);
	log_str(l, "proof", p->proof);
	if (p->unsigned_mx)
		log_str(l, "mx", "unsigned");
}

static void log_rcpt(const struct delivery *d, const struct delivery_rcpt *r)
{
	const struct job_settle *j = &d->settle;
	struct slice reply = reporting_reply(d, r);
	struct log_line l;

	log_begin(&l, LOG_INFO, event_of(r));
	log_str(&l, "qid", d->qid);
	log_private(&l, "from", d->msg.env.sender);
	log_private(&l, "to", r->rcpt->rcpt.address);
	log_int(&l, "size", (int64_t)d->msg.size);
	log_str(&l, "primary", d->lane ? d->lane->name : "");
	log_str(&l, "host", j->primary);
	log_slice(&l, "reply", reply);
	if (r->judged.verdict == VERDICT_DELIVERED)
		log_protection(&l, &d->protection);
	log_int(&l, "held_s", (j->now_ms - d->msg.env.arrived_at_ms) / 1000);
	if (r->judged.verdict == VERDICT_LATER)
		log_int(&l, "next_s", (j->next_attempt_ms - j->now_ms) / 1000);
	if (r->judged.verdict == VERDICT_FAILED)
		log_str(&l, "bounce", bounce_action_name(r->bounce));
	if (d->maybe_duplicate)
		log_str(&l, "note", "unknown after data");
	log_end(&l);
}

static void log_report(const struct delivery *d)
{
	const struct job_add *report = d->settle.report;
	char qid[ID_TEXT_LEN + 1];
	struct log_line l;

	id_format(report->up.id, qid);
	log_begin(&l, LOG_INFO, "bounce.made");
	log_str(&l, "qid", d->qid);
	log_str(&l, "report", qid);
	log_private(&l, "to", report->env->rcpts[0].address);
	log_end(&l);
}

/* A message is counted once: when it leaves the queue. */
static void count(const struct delivery *d)
{
	bool failed = false;

	if (d->maybe_duplicate)
		counter_add(&stats.maybe_duplicate, 1);
	if (!d->settle.gone || d->msg.env.is_report)
		return;
	for (size_t i = 0; i < d->settle.n_rcpts; i++)
		failed |= d->settle.rcpts[i].what == SETTLE_FAILED;
	if (d->settle.expired)
		counter_add(&stats.messages_expired, 1);
	else if (failed)
		counter_add(&stats.messages_failed, 1);
	else
		counter_add(&stats.messages_forwarded, 1);
}

static void tell_lane(struct delivery *d)
{
	if (!d->lane || d->lane->is_report)
		return;
	d->lane->sent++;
	d->lane->broken = 0;
	d->lane->refused_row = 0;
	window_good(&d->lane->window);
	if (breaker_delivered(&d->lane->breaker, judging_sender(d))) {
		lane_log_breaker(d->lane, false, "it has taken a message");
		lane_breaker_shut(d->lane);
	}
}

void telling_settled(struct delivery *d)
{
	bool absent = d->settle.job.result == STORE_ABSENT, delivered = false;

	for (size_t i = 0; i < d->n_rcpts; i++) {
		struct delivery_rcpt *r = &d->rcpts[i];
		bool good = r->judged.verdict == VERDICT_DELIVERED;

		if (!r->now)
			continue;
		if (good || !absent) /* deleted meanwhile: only what is true */
			log_rcpt(d, r);
		delivered |= good;
		r->now = false;
		r->settled = true;
	}
	if (!absent)
		count(d);
	if (delivered)
		tell_lane(d);
	d->maybe_duplicate = false;
}

void telling_report(struct delivery *d)
{
	struct job_add *report = d->settle.report;
	char domain[256];
	struct slice s;

	if (!report)
		return;
	if (d->settle.job.result == STORE_OK) {
		s = report->env->rcpts[0].domain;
		snprintf(domain, sizeof(domain), "%.*s", (int)s.n, s.p);
		log_report(d);
		dest_report_added(d->relay, domain);
	}
	bounce_free(report);
	d->settle.report = NULL;
}

void telling_removed(const struct delivery *d)
{
	struct log_line l;

	counter_add(&stats.messages_removed, 1);
	log_begin(&l, LOG_INFO, "message.removed");
	log_str(&l, "qid", d->qid);
	if (!d->reading) {
		log_private(&l, "from", d->msg.env.sender);
		log_int(&l, "size", (int64_t)d->msg.size);
	}
	log_str(&l, "why", "an operator's word");
	log_end(&l);
}
