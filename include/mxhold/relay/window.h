/*
 * How much may be under way to one primary at once, and how fast. A primary
 * that comes back first gets `drain.canary` messages one after the other;
 * when they are through, connections ramp up from one to
 * drain.max_connections, one more for each round that went well, and are
 * halved when it says 421, drops us or refuses a connection (AIMD). Beside
 * that: messages a minute, and the shares of old and fresh mail.
 * Pure: no clock, no sockets.
 */
#ifndef MXHOLD_RELAY_WINDOW_H
#define MXHOLD_RELAY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/config/config.h"

struct window {
	uint32_t max, limit;  /* connections: most, now */
	uint32_t canary_left; /* still to be delivered alone */
	uint32_t good_row;    /* since the limit was last moved */
	int64_t halved_ms;    /* when last; INT64_MIN = never */
	uint32_t rate;        /* messages a minute; 0 = no limit */
	int64_t next_us;      /* when the next may start, by rate */
	int64_t took_us;      /* when the last one did; INT64_MIN = none */
	uint32_t fresh_share; /* percent */
	uint32_t fresh_acc;
};

enum window_class {
	WINDOW_OLD, /* waited out the outage */
	WINDOW_FRESH
};

void window_init(struct window *w, const struct config_drain *drain);
/* A reload: bounds and rate change, what was learned stays. */
void window_configure(struct window *w, const struct config_drain *drain);
/* The primary came back: canary and ramp from the beginning. */
void window_restart(struct window *w, uint32_t canary);

/* Connections allowed now: at least 1. */
uint32_t window_limit(const struct window *w);
bool window_is_canary(const struct window *w);
/* A message was delivered. */
void window_good(struct window *w);
/* 421, a lost or refused connection: halve, at most once a second. */
void window_pressed(struct window *w, int64_t mono_ms);

/* Microseconds to wait before the next message may start; 0 = now. */
int64_t window_wait_us(const struct window *w, int64_t mono_us);
/* One starts. */
void window_took(struct window *w, int64_t mono_us);
void window_set_rate(struct window *w, uint32_t per_minute);

/* Which kind goes next; at least one of the two must be there. */
enum window_class window_pick(struct window *w, bool has_old, bool has_fresh);

#endif
