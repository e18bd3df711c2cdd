/*
 * What the end of a transaction means: for its recipients, for the breaker, for
 * the lane and for the health of its primary. outcome.c has the rules; here is
 * what they need to know, and who is told.
 */
#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/random.h"
#include "mxhold/base/siphash.h"
#include "mxhold/relay/delivery.h"
#include "mxhold/relay/retry.h"

static int64_t up_since(const struct delivery *d, int64_t from_ms,
			int64_t now_ms)
{
	struct primary_view view;

	if (!prober_view(d->relay->parts.prober, d->lane->name, &view))
		return 0;
	return health_up_since(&view.health, from_ms, now_ms);
}

static bool is_over(const struct delivery *d, int64_t now_ms)
{
	const struct config_domain *domain = relay_domain(d->relay, d->dest);
	struct retry_age age = {
		.now_ms = now_ms,
		.arrived_ms = d->msg.env.arrived_at_ms,
	};

	if (d->msg.env.is_report)
		return retry_report_is_over(&age);
	age.up_ms = up_since(d, age.arrived_ms, now_ms);
	return retry_is_over(domain ? &domain->queue : &d->config->queue, &age);
}

static uint64_t hash_of(struct slice address)
{
	uint64_t key[2];

	random_key(key);
	return siphash(key, address) | 1;
}

uint64_t judging_sender(const struct delivery *d)
{
	return hash_of(d->msg.env.sender);
}

/* What the breaker makes of the replies, before the verdicts count. */
static void tell_breaker(struct delivery *d, const struct outcome *out)
{
	const struct config_breaker *c = &d->relay->config->breaker;
	struct breaker *b = &d->lane->breaker;
	int64_t mono_ms = clock_mono_ms();
	struct breaker_sample sample = {.sender = judging_sender(d)};
	const struct smtp_reply *bad = NULL;
	bool opened = false;

	if (out->mail_refused)
		opened = breaker_mail_refused(b, c, sample.sender, mono_ms);
	for (size_t i = 0; i < d->send.n_rcpts; i++) {
		const struct outcome_rcpt *r =
			&d->rcpts[d->batch_rcpt[i]].judged;

		sample.rcpt = hash_of(d->batch[i].address);
		sample.bad = r->bad_5xx;
		sample.again = r->bad_5xx && r->refused_ms >= 0;
		sample.weak =
			r->bad_5xx && (r->about_message || !r->known_good);
		if (r->bad_5xx || r->verdict == VERDICT_DELIVERED)
			opened |= breaker_result(b, c, sample, mono_ms);
		if (r->bad_5xx)
			bad = &r->reply;
	}
	if (breaker_is_open(b) && bad)
		smtp_reply_format(bad, d->lane->breaker_said,
				  sizeof(d->lane->breaker_said));
	if (opened)
		lane_log_breaker(d->lane, true,
				 breaker_cause_name(d->lane->breaker.cause));
}

/* Not by the wall: one that was refused, and then away for a day, has had no
 * day to be mended. */
static int64_t refused_ms(const struct delivery *d,
			  const struct delivery_rcpt *r, int64_t now_ms)
{
	if (!r->rcpt->first_5xx_ms)
		return REFUSED_NEVER;
	return up_since(d, r->rcpt->first_5xx_ms, now_ms);
}

void judging_judge(struct delivery *d, const struct session_result *result,
		   bool insist, struct outcome *out)
{
	struct outcome_rcpt *rcpts = mem_array(d->send.n_rcpts, sizeof(*rcpts));
	int64_t now_ms = clock_wall_ms();
	struct outcome_rules rules = {
		.first_5xx = d->relay->config->breaker.first_5xx,
		.breaker_open = breaker_is_open(&d->lane->breaker),
		.unproven = window_is_canary(&d->lane->window),
		.is_report = d->msg.env.is_report,
		.is_over = is_over(d, now_ms),
		.insist = insist,
		.sent_before = d->link ? d->link->used - 1 : 0,
	};

	for (size_t i = 0; i < d->send.n_rcpts; i++) {
		const struct delivery_rcpt *r = &d->rcpts[d->batch_rcpt[i]];

		rcpts[i] = r->judged;
		rcpts[i].refused_ms = refused_ms(d, r, now_ms);
	}
	outcome_judge(result, &rules, rcpts, out);
	for (size_t i = 0; i < d->send.n_rcpts; i++) {
		d->rcpts[d->batch_rcpt[i]].judged = rcpts[i];
		d->rcpts[d->batch_rcpt[i]].tried = true;
	}
	mem_free(rcpts);
}

static bool has_delivered(const struct delivery *d)
{
	for (size_t i = 0; i < d->n_rcpts; i++) {
		if (d->rcpts[i].judged.verdict == VERDICT_DELIVERED)
			return true;
	}
	return false;
}

/* A message that was under way when a connection broke may be the reason:
 * the second time it gets a timer of its own. A session that ends between
 * two messages, or with 421 to the MAIL of another one, has reached a limit
 * of the server's: no penalty for the one that happens to be next, unless all
 * that went before it there was its own, and brought nothing. */
static bool is_suspect(struct delivery *d, const struct session_result *result,
		       const struct outcome *out)
{
	bool between = d->link->used > 1 &&
		       (!result->mail.code || result->mail.code == 421);

	if (!out->left || d->relay->stopping)
		return false;
	if (between && (d->sends == 1 || has_delivered(d)))
		return false;
	return lane_suspect(d->lane, d->id) || d->lane->is_report;
}

/* A server that takes so many messages a session says so with 421 to the next
 * MAIL: it is not asked for more until it was away. */
static void note_limit(struct delivery *d, const struct session_result *result)
{
	if (result->mail.code == 421 && d->link->used > 1)
		d->lane->carries = d->link->used - 1;
}

static void tell_lane(struct delivery *d, const struct session_result *result,
		      const struct outcome *out)
{
	note_limit(d, result);
	d->good = out->health == OUTCOME_SAYS_GOOD;
	d->lane->refused_row += out->delivered == 0;
	d->maybe_duplicate |= out->maybe_duplicate;
	if (out->pressed)
		lane_note_pressed(d->lane);
	if (out->health == OUTCOME_SAYS_BAD) {
		lane_note_broken(d->lane);
		lane_note_bad(d->lane, HEALTH_BAD,
			      result->failure.text[0] ? result->failure.text
						      : result->mail.text);
	}
	if (!d->lane->is_report)
		tell_breaker(d, out);
}

void judging_hear(struct delivery *d, const struct session_result *result,
		  struct outcome *out)
{
	bool was_open = breaker_is_open(&d->lane->breaker);
	bool insist;

	judging_judge(d, result, false, out);
	insist = is_suspect(d, result, out);
	if (insist)
		judging_judge(d, result, true, out);
	tell_lane(d, result, out);
	/* The 5xx that opened the breaker is not to be believed either. */
	if (!was_open && breaker_is_open(&d->lane->breaker))
		judging_judge(d, result, insist, out);
}
