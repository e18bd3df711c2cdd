/*
 * The state of one primary, decided from what probes and deliveries find.
 * Pure: no clock of its own, no sockets.
 *
 *	unknown --good--> up          unknown --bad--> down
 *	up --bad--> doubtful --bad x (down_after-1)--> down
 *	doubtful --good--> up         down --good x up_after--> up
 *	any --5xx before RCPT--> refusing --good--> as from down
 *	refusing --bad x down_after--> down
 *	held: an operator's or drain.hold's word, kept beside the state
 *
 * The up-time clock runs while the state is up: it is what a message's
 * retention is counted on, so that an outage costs no mail its time.
 */
#ifndef MXHOLD_PROBE_HEALTH_H
#define MXHOLD_PROBE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/config/config.h"
#include "mxhold/probe/uptime.h"

enum {
	HEALTH_CONFIRM_MS = 2000, /* from the first good probe to the next */
	/* A step of the wall clock beyond this is no time that has passed:
	 * the clock was set, or the machine slept. Call health_tick sooner. */
	HEALTH_STEP_MAX_MS = 5 * 60 * 1000
};

enum health_state {
	HEALTH_UNKNOWN,
	HEALTH_UP,
	HEALTH_DOUBTFUL,
	HEALTH_DOWN,
	HEALTH_REFUSING
};

enum health_event {
	HEALTH_GOOD,   /* as deep as asked, or a delivery */
	HEALTH_BAD,    /* no connection, time-out, 4xx, DNS trouble */
	HEALTH_REFUSED /* 5xx at banner, EHLO or MAIL */
};

struct health {
	enum health_state state;
	uint32_t good_row, bad_row;
	int64_t since_ms;    /* wall: of the state */
	int64_t up_total_ms; /* the up-time clock, until last_ms */
	int64_t last_ms;     /* wall: when up_total_ms was brought up to date */
	struct uptime uptime;
};

const char *health_state_name(enum health_state s);
const char *health_event_name(enum health_event e); /* good, bad, refused */
void health_init(struct health *h, int64_t wall_ms);
/* As it was before a restart. The time in between counts for nothing. */
void health_restore(struct health *h, enum health_state state, int64_t since_ms,
		    int64_t up_total_ms, const struct uptime *uptime,
		    int64_t wall_ms);
/* True when the state changed. */
bool health_note(struct health *h, enum health_event e,
		 const struct config_probe *c, int64_t wall_ms);
/* Brings the up-time clock up to date. */
void health_tick(struct health *h, int64_t wall_ms);
/* Milliseconds to wait before the next probe is started, counted from the
 * start of the last one. */
int64_t health_next_probe_ms(const struct health *h,
			     const struct config_probe *c);
/* The up-time clock now. */
int64_t health_up_ms(const struct health *h, int64_t wall_ms);
/* How much of the time since from_ms (wall) it was surely up, as far as we
 * were there to see it. */
int64_t health_up_since(const struct health *h, int64_t from_ms,
			int64_t wall_ms);

#endif
