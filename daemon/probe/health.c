#include "mxhold/probe/health.h"

#include <string.h>

#include "mxhold/base/attr.h"

static const char *const state_names[] = {
	[HEALTH_UNKNOWN] = "unknown",   [HEALTH_UP] = "up",
	[HEALTH_DOUBTFUL] = "doubtful", [HEALTH_DOWN] = "down",
	[HEALTH_REFUSING] = "refusing",
};

static const char *const event_names[] = {
	[HEALTH_GOOD] = "good",
	[HEALTH_BAD] = "bad",
	[HEALTH_REFUSED] = "refused",
};

const char *health_state_name(enum health_state s)
{
	return (size_t)s < MX_ARRAY_SIZE(state_names) ? state_names[s] : "?";
}

const char *health_event_name(enum health_event e)
{
	return (size_t)e < MX_ARRAY_SIZE(event_names) ? event_names[e] : "?";
}

void health_init(struct health *h, int64_t wall_ms)
{
	memset(h, 0, sizeof(*h));
	h->since_ms = h->last_ms = wall_ms;
	uptime_note(&h->uptime, wall_ms, 0);
}

void health_restore(struct health *h, enum health_state state, int64_t since_ms,
		    int64_t up_total_ms, const struct uptime *uptime,
		    int64_t wall_ms)
{
	health_init(h, wall_ms);
	h->state = state;
	h->since_ms = MX_MIN(since_ms, wall_ms);
	h->up_total_ms = MX_MAX(up_total_ms, 0);
	h->uptime = *uptime;
	uptime_note(&h->uptime, wall_ms, h->up_total_ms);
}

/* --- the up-time clock ------------------------------------------------- */

int64_t health_up_ms(const struct health *h, int64_t wall_ms)
{
	int64_t step = wall_ms - h->last_ms;

	if (h->state != HEALTH_UP || step <= 0)
		return h->up_total_ms;
	return h->up_total_ms + MX_MIN(step, (int64_t)HEALTH_STEP_MAX_MS);
}

void health_tick(struct health *h, int64_t wall_ms)
{
	h->up_total_ms = health_up_ms(h, wall_ms);
	h->last_ms = wall_ms;
}

int64_t health_up_since(const struct health *h, int64_t from_ms,
			int64_t wall_ms)
{
	struct uptime_mark now = {wall_ms, health_up_ms(h, wall_ms)};

	return uptime_since(&h->uptime, from_ms, now);
}

/* --- the diagram ------------------------------------------------------- */

static void count(struct health *h, enum health_event e)
{
	uint32_t good = MX_MIN(h->good_row, UINT32_MAX - 1) + 1;
	uint32_t bad = MX_MIN(h->bad_row, UINT32_MAX - 1) + 1;

	h->good_row = e == HEALTH_GOOD ? good : 0;
	h->bad_row = e == HEALTH_BAD ? bad : 0;
}

static enum health_state after_good(const struct health *h,
				    const struct config_probe *c)
{
	if (h->state != HEALTH_DOWN && h->state != HEALTH_REFUSING)
		return HEALTH_UP;
	return h->good_row >= c->up_after ? HEALTH_UP : HEALTH_DOWN;
}

static enum health_state after_bad(const struct health *h,
				   const struct config_probe *c)
{
	bool enough = h->bad_row >= c->down_after;

	switch (h->state) {
	case HEALTH_UP:
	case HEALTH_DOUBTFUL:
		return enough ? HEALTH_DOWN : HEALTH_DOUBTFUL;
	case HEALTH_REFUSING:
		return enough ? HEALTH_DOWN : HEALTH_REFUSING;
	case HEALTH_UNKNOWN:
	case HEALTH_DOWN:
		break;
	}
	return HEALTH_DOWN;
}

bool health_note(struct health *h, enum health_event e,
		 const struct config_probe *c, int64_t wall_ms)
{
	enum health_state to = HEALTH_REFUSING;

	health_tick(h, wall_ms);
	count(h, e);
	if (e == HEALTH_GOOD)
		to = after_good(h, c);
	else if (e == HEALTH_BAD)
		to = after_bad(h, c);
	if (to == h->state)
		return false;
	h->state = to;
	h->since_ms = wall_ms;
	uptime_note(&h->uptime, wall_ms, h->up_total_ms);
	return true;
}

int64_t health_next_probe_ms(const struct health *h,
			     const struct config_probe *c)
{
	if (h->state == HEALTH_UP)
		return c->interval_up;
	if (h->good_row > 0)
		return MX_MIN(c->interval_down, (int64_t)HEALTH_CONFIRM_MS);
	return c->interval_down;
}
