/* What the tests of the relay as a whole wait for. */
#ifndef MXHOLD_TESTS_RELAY_STEPS_H
#define MXHOLD_TESTS_RELAY_STEPS_H

#include "mxhold/base/stats.h"
#include "mxhold/relay/inner.h"
#include "unit/relay/rig.h"

#define QUICK "drain { retry_message = {\"200ms\"} }\n"
#define NEVER "drain { retry_message = {\"1d\"} }\n"
/* A 5xx for who is not listed is believed from the first on. */
#define SURE "drain { canary = 0  retry_message = {\"1d\"} }\n"

static struct arena steps_arena;

static inline bool look(struct rig *r, uint64_t id, struct queue_message *m)
{
	arena_done(&steps_arena);
	arena_init(&steps_arena, 1 << 20);
	return rig_look(r, id, &steps_arena, m);
}

/* Waits until the first message has been tried so many times. */
static uint64_t watched MX_UNUSED;

static inline bool was_tried(struct rig *r)
{
	struct queue_message m;

	return look(r, watched, &m) && m.attempts >= r->wanted;
}

static inline void until_tried(struct rig *r, uint64_t id, unsigned times)
{
	watched = id;
	r->wanted = times;
	rig_until(r, was_tried);
}

static inline bool is_quarantined(struct rig *r)
{
	struct queue_message m;

	return look(r, watched, &m) && m.quarantined;
}

static inline bool is_gone(struct rig *r)
{
	struct queue_message m;

	return !look(r, watched, &m);
}

static inline bool is_up(struct rig *r)
{
	struct primary_view v;

	return prober_view_at(r->prober, 0, &v) && v.health.state == HEALTH_UP;
}

static inline bool is_down(struct rig *r)
{
	struct primary_view v;

	return prober_view_at(r->prober, 0, &v) &&
	       v.health.state == HEALTH_DOWN;
}

static inline bool is_breaker_open(struct rig *r)
{
	struct relay_view v;

	return relay_view(r->relay, r->config->primaries[0]->name, &v) &&
	       v.breaker_open;
}

static inline bool is_breaker_shut(struct rig *r)
{
	return !is_breaker_open(r);
}

static inline bool is_half(struct rig *r)
{
	return sink_count(&r->sink) >= 100;
}

static inline bool is_long_up(struct rig *r)
{
	struct primary_view v;

	return prober_view_at(r->prober, 0, &v) &&
	       v.health.state == HEALTH_UP &&
	       clock_wall_ms() - v.health.since_ms > 300;
}

static inline bool is_held(struct rig *r)
{
	return sink_held(&r->sink) >= 1;
}

static int64_t pass_until_ms MX_UNUSED;

static inline bool is_later(struct rig *r)
{
	(void)r;
	return clock_mono_ms() >= pass_until_ms;
}

static inline void pass_time(struct rig *r, int64_t ms)
{
	pass_until_ms = clock_mono_ms() + ms;
	rig_until(r, is_later);
}

static inline bool are_held(struct rig *r)
{
	return sink_held(&r->sink) >= r->wanted;
}

#endif
