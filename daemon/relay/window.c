#include "mxhold/relay/window.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/attr.h"

enum {
	HALVE_AGAIN_MS = 1000, /* eight drops at once are one sign */
	CATCH_UP_US = 100000,  /* of a fast rate, after a late timer */
	MINUTE_US = 60000000
};

void window_init(struct window *w, const struct config_drain *drain)
{
	*w = (struct window){
		.limit = 1,
		.halved_ms = INT64_MIN,
		.took_us = INT64_MIN,
	};
	window_configure(w, drain);
	w->canary_left = drain->canary;
}

void window_configure(struct window *w, const struct config_drain *drain)
{
	w->max = MX_MAX(drain->max_connections, 1);
	w->limit = MX_MIN(w->limit, w->max);
	w->fresh_share = drain->fresh_share;
	w->canary_left = MX_MIN(w->canary_left, drain->canary);
	window_set_rate(w, drain->rate);
}

void window_restart(struct window *w, uint32_t canary)
{
	w->limit = 1;
	w->good_row = 0;
	w->canary_left = canary;
	w->halved_ms = INT64_MIN;
	w->fresh_acc = 0;
}

uint32_t window_limit(const struct window *w)
{
	return w->canary_left ? 1 : w->limit;
}

bool window_is_canary(const struct window *w)
{
	return w->canary_left > 0;
}

void window_good(struct window *w)
{
	if (w->canary_left) {
		w->canary_left--;
		return;
	}
	if (++w->good_row < w->limit)
		return;
	w->good_row = 0;
	w->limit = MX_MIN(w->limit + 1, w->max);
}

void window_pressed(struct window *w, int64_t mono_ms)
{
	w->good_row = 0;
	if (w->halved_ms != INT64_MIN &&
	    mono_ms - w->halved_ms < HALVE_AGAIN_MS)
		return;
	w->halved_ms = mono_ms;
	w->limit = MX_MAX(w->limit / 2, 1);
}

int64_t window_wait_us(const struct window *w, int64_t mono_us)
{
	if (!w->rate || mono_us >= w->next_us)
		return 0;
	return w->next_us - mono_us;
}

/* A slow rate never catches up: two messages are one interval apart. A fast
 * one may, or the grain of timers would lower it. */
void window_took(struct window *w, int64_t mono_us)
{
	int64_t interval, slack;

	w->took_us = mono_us;
	if (!w->rate)
		return;
	interval = MINUTE_US / w->rate;
	slack = interval < CATCH_UP_US ? CATCH_UP_US : 0;
	w->next_us = MX_MAX(w->next_us, mono_us - slack) + interval;
}

/* A reload brings the same one again: nothing begins anew. */
void window_set_rate(struct window *w, uint32_t per_minute)
{
	if (per_minute == w->rate)
		return;
	w->rate = per_minute;
	w->next_us = 0;
	if (per_minute && w->took_us != INT64_MIN)
		w->next_us = w->took_us + MINUTE_US / per_minute;
}

enum window_class window_pick(struct window *w, bool has_old, bool has_fresh)
{
	MX_ASSERT(has_old || has_fresh);
	if (!has_old || !has_fresh)
		return has_old ? WINDOW_OLD : WINDOW_FRESH;
	w->fresh_acc += w->fresh_share;
	if (w->fresh_acc < 100)
		return WINDOW_OLD;
	w->fresh_acc -= 100;
	return WINDOW_FRESH;
}
