#include "mxhold/relay/breaker.h"

#include "mxhold/base/attr.h"

enum {
	SENDERS_MIN = 2, /* that must have failed */
	WEAK_GAP_MS = 1000
};

const char *breaker_cause_name(enum breaker_cause c)
{
	switch (c) {
	case BREAKER_BY_HOST:
		return "5xx at banner or EHLO";
	case BREAKER_BY_MAIL:
		return "5xx at MAIL";
	case BREAKER_BY_SHARE:
		return "too many 5xx for known recipients";
	case BREAKER_BY_ALL:
		return "5xx for every message";
	case BREAKER_BY_OPERATOR:
		return "opened by an operator";
	}
	return "unknown";
}

void breaker_init(struct breaker *b)
{
	*b = (struct breaker){.state = BREAKER_CLOSED};
}

bool breaker_is_open(const struct breaker *b)
{
	return b->state != BREAKER_CLOSED;
}

bool breaker_may_send(struct breaker *b, int64_t mono_ms)
{
	if (b->state == BREAKER_OPEN && mono_ms >= b->retry_at_ms)
		b->state = BREAKER_TRYING;
	return b->state != BREAKER_OPEN;
}

static void keep_results(struct breaker *b)
{
	b->opened_by = b->n;
	b->opened_by_bad = 0;
	for (uint32_t i = 0; i < b->n; i++)
		b->opened_by_bad += b->samples[i].bad;
}

/* Opening again after a failed try is no news. */
static bool open_it(struct breaker *b, enum breaker_cause cause,
		    int64_t wait_ms, int64_t mono_ms)
{
	bool news = b->state == BREAKER_CLOSED;

	if (b->state == BREAKER_OPEN)
		return false;
	if (news)
		keep_results(b);
	b->state = BREAKER_OPEN;
	b->has_taken = false;
	b->cause = cause;
	b->retry_at_ms = mono_ms + wait_ms;
	b->n = b->at = 0;
	return news;
}

bool breaker_host_refused(struct breaker *b, const struct config_breaker *c,
			  int64_t mono_ms)
{
	if (!c->any_before_rcpt)
		return false;
	return open_it(b, BREAKER_BY_HOST, c->retry, mono_ms);
}

static bool is_excused(const struct breaker *b, uint64_t sender)
{
	for (uint32_t i = 0; i < b->n_excused; i++) {
		if (b->excused[i] == sender)
			return true;
	}
	return false;
}

static void excuse(struct breaker *b, uint64_t sender)
{
	if (is_excused(b, sender))
		return;
	b->excused[b->excused_at] = sender;
	b->excused_at = (b->excused_at + 1) % BREAKER_EXCUSED_MAX;
	b->n_excused = MX_MIN(b->n_excused + 1, BREAKER_EXCUSED_MAX);
}

bool breaker_mail_refused(struct breaker *b, const struct config_breaker *c,
			  uint64_t sender, int64_t mono_ms)
{
	if (!c->any_before_rcpt || is_excused(b, sender))
		return false;
	b->blamed = sender;
	return open_it(b, BREAKER_BY_MAIL, c->retry, mono_ms);
}

static void note(struct breaker *b, uint32_t window,
		 struct breaker_sample sample)
{
	if (b->n > window || b->at >= window) /* the window became smaller */
		b->n = b->at = 0;
	b->samples[b->at] = sample;
	b->at = (b->at + 1) % window;
	b->n = MX_MIN(b->n + 1, window);
}

static bool is_strong(const struct breaker_sample *s)
{
	return s->bad && !s->weak;
}

static bool failed_before(const struct breaker *b, uint32_t i)
{
	for (uint32_t k = 0; k < i; k++) {
		if (is_strong(&b->samples[k]) &&
		    b->samples[k].sender == b->samples[i].sender)
			return true;
	}
	return false;
}

/* Of what failed, all for the same one. */
static bool is_one_rcpt(const struct breaker *b)
{
	const struct breaker_sample *first = NULL;

	for (uint32_t i = 0; i < b->n; i++) {
		if (!is_strong(&b->samples[i]))
			continue;
		if (first && b->samples[i].rcpt != first->rcpt)
			return false;
		first = &b->samples[i];
	}
	return true;
}

/* A weak refusal is no word against the host: it counts on its side. */
static bool is_too_much(const struct breaker *b, uint32_t max_percent)
{
	uint32_t good = 0, senders = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		if (!is_strong(&b->samples[i]))
			good++;
		else if (!failed_before(b, i))
			senders++;
	}
	if (good && is_one_rcpt(b))
		return false;
	return senders >= SENDERS_MIN &&
	       senders * 100 > max_percent * (senders + good);
}

static bool is_all_bad(const struct breaker *b, uint32_t window, bool *weak)
{
	*weak = false;
	for (uint32_t i = 0; i < b->n; i++) {
		if (!b->samples[i].bad)
			return false;
		*weak |= b->samples[i].weak;
	}
	return b->n == window;
}

static bool judge_window(struct breaker *b, const struct config_breaker *c,
			 uint32_t window, int64_t mono_ms)
{
	bool weak;

	if (is_too_much(b, c->max_5xx))
		return open_it(b, BREAKER_BY_SHARE, c->retry, mono_ms);
	if (c->max_5xx >= 100 || !is_all_bad(b, window, &weak))
		return false;
	if (weak)
		return open_it(b, BREAKER_BY_ALL, WEAK_GAP_MS, mono_ms);
	return open_it(b, BREAKER_BY_SHARE, c->retry, mono_ms);
}

/* The try has failed; what is wrong with the primary now? */
static bool try_failed(struct breaker *b, const struct config_breaker *c,
		       bool weak, int64_t mono_ms)
{
	if (weak)
		return open_it(b, b->cause, WEAK_GAP_MS, mono_ms);
	if (b->cause == BREAKER_BY_ALL)
		b->cause = BREAKER_BY_SHARE;
	return open_it(b, b->cause, c->retry, mono_ms);
}

bool breaker_result(struct breaker *b, const struct config_breaker *c,
		    struct breaker_sample sample, int64_t mono_ms)
{
	uint32_t window = MX_MIN(MX_MAX(c->window, 1), BREAKER_WINDOW_MAX);

	if (b->state == BREAKER_TRYING && sample.bad)
		return try_failed(b, c, sample.weak, mono_ms);
	if (b->state != BREAKER_CLOSED || (sample.again && b->has_taken))
		return false;
	note(b, window, sample);
	return sample.bad && judge_window(b, c, window, mono_ms);
}

bool breaker_delivered(struct breaker *b, uint64_t sender)
{
	if (b->state != BREAKER_OPEN)
		b->has_taken = true;
	if (b->state != BREAKER_TRYING)
		return false;
	if (b->cause == BREAKER_BY_MAIL && b->blamed != sender)
		excuse(b, b->blamed);
	b->state = BREAKER_CLOSED;
	b->n = b->at = 0;
	return true;
}

void breaker_host_is_back(struct breaker *b)
{
	b->has_taken = false;
	if (b->state == BREAKER_OPEN && b->cause == BREAKER_BY_HOST)
		b->state = BREAKER_TRYING;
}

void breaker_try_now(struct breaker *b)
{
	if (b->state == BREAKER_OPEN)
		b->state = BREAKER_TRYING;
}

void breaker_force(struct breaker *b, bool open)
{
	keep_results(b);
	b->n = b->at = 0;
	b->state = open ? BREAKER_OPEN : BREAKER_CLOSED;
	b->cause = BREAKER_BY_OPERATOR;
	b->retry_at_ms = INT64_MAX;
}
