/*
 * What goes wrong at a primary, or looks like it: pauses, the breaker's and the
 * probes' share of it, sessions that could not be opened.
 */
#include <stdio.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/log.h"
#include "mxhold/relay/delivery.h"

enum {
	COOL_MIN_MS = 1000,
	COOL_MAX_MS = 30000,
	COOL_BROKEN_MAX_MS = 15000
};

void lane_cool(struct lane *l, int64_t ms)
{
	l->cool_until_ms = clock_mono_ms() + ms;
	lane_mark(l);
}

void lane_log_breaker(struct lane *l, bool open, const char *why)
{
	struct log_line line;

	if (open)
		l->breaker_ms = clock_wall_ms();
	log_begin(&line, open ? LOG_WARNING : LOG_INFO,
		  open ? "breaker.open" : "breaker.close");
	log_str(&line, "primary", l->name);
	log_str(&line, "why", why);
	if (open && l->breaker_said[0])
		log_str(&line, "reply", l->breaker_said);
	log_end(&line);
}

void lane_note_pressed(struct lane *l)
{
	window_pressed(&l->window, clock_mono_ms());
}

void lane_note_bad(struct lane *l, enum health_event e, const char *why)
{
	if (!l->is_report && lane_primary(l))
		prober_tell(l->relay->parts.prober, l->name, e, why, NULL);
}

/*
 * Banner to RCPT are good, so its state says up, but what is sent breaks.
 * Without a pause all the queue would run against it, each message twice, and
 * arrive many times where it is the reply to the dot that gets lost.
 */
void lane_note_broken(struct lane *l)
{
	int64_t wait = (int64_t)COOL_MIN_MS << MX_MIN(l->broken, 5U);

	if (clock_mono_ms() < l->cool_until_ms) /* together with another */
		return;
	l->broken++;
	lane_cool(l, MX_MIN(wait, COOL_BROKEN_MAX_MS));
}

bool lane_suspect(struct lane *l, uint64_t id)
{
	for (size_t i = 0; i < SUSPECTS_MAX; i++) {
		if (l->suspects[i] != id)
			continue;
		l->suspects[i] = 0;
		return true;
	}
	l->suspects[l->suspect_at] = id;
	l->suspect_at = (l->suspect_at + 1) % SUSPECTS_MAX;
	return false;
}

static void log_not_opened(const struct lane *l,
			   const struct session_failure *f)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "session.failed");
	log_str(&line, l->is_report ? "domain" : "primary", l->name);
	log_str(&line, "stage", session_stage_name(f->stage));
	log_str(&line, "host", f->host);
	log_str(&line, "why", f->text);
	log_end(&line);
}

static void report_not_opened(struct lane *l, const struct session_failure *f)
{
	LIST_FOR_EACH_SAFE (it, &l->deliveries) {
		struct delivery *d = MX_CONTAINER_OF(it, struct delivery, item);

		if (d->state == DELIVERY_WAITING)
			delivery_not_opened(d, f);
	}
}

/*
 * No session: that is the primary's trouble, no message's. While others of
 * its sessions work it only takes too many at once.
 */
static void primary_not_opened(struct lane *l, const struct session_failure *f)
{
	enum outcome_health health = outcome_of_failure(f);

	lane_note_pressed(l);
	l->forced = false;
	snprintf(l->trouble, sizeof(l->trouble), "%.199s", f->text);
	if (health == OUTCOME_SAYS_REFUSED)
		snprintf(l->breaker_said, sizeof(l->breaker_said), "%.159s",
			 f->text);
	if (health == OUTCOME_SAYS_REFUSED &&
	    breaker_host_refused(&l->breaker, &l->relay->config->breaker,
				 clock_mono_ms()))
		lane_log_breaker(l, true, breaker_cause_name(l->breaker.cause));
	if (health == OUTCOME_SAYS_REFUSED)
		lane_note_bad(l, HEALTH_REFUSED, f->text);
	else if (pool_count_any(&l->pool) == 0)
		lane_note_bad(l, HEALTH_BAD, f->text);
}

/* Sessions that were opened together fail together. */
static void count_failure(struct lane *l)
{
	int64_t wait = (int64_t)COOL_MIN_MS << MX_MIN(l->failures, 5U);

	if (clock_mono_ms() < l->cool_until_ms)
		return;
	l->failures++;
	lane_cool(l, MX_MIN(wait, COOL_MAX_MS));
}

void lane_on_failed(void *data, const struct session_failure *failure)
{
	struct lane *l = data;

	log_not_opened(l, failure);
	if (l->is_report)
		report_not_opened(l, failure);
	else
		primary_not_opened(l, failure);
	count_failure(l);
	lane_mark(l);
	relay_check_idle(l->relay);
}
