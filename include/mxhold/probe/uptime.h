/*
 * How long a primary has been up since some moment, from marks of its up-time
 * clock: one for each time it came or went, and each time we did. Few are
 * kept, those far apart; between two of them as little is counted as is
 * certain, so that no message is given up too soon. Pure.
 */
#ifndef MXHOLD_PROBE_UPTIME_H
#define MXHOLD_PROBE_UPTIME_H

#include <stddef.h>
#include <stdint.h>

enum {
	UPTIME_MARKS = 24
};

struct uptime_mark {
	int64_t wall_ms, up_ms; /* then; the up-time clock, then */
};

struct uptime {
	struct uptime_mark marks[UPTIME_MARKS]; /* oldest first */
	size_t n;
};

/* The clock stands at up_ms now, and begins to run or to stand still. */
void uptime_note(struct uptime *u, int64_t wall_ms, int64_t up_ms);
/* Of the time from from_ms (wall) until now: what it was surely up. */
int64_t uptime_since(const struct uptime *u, int64_t from_ms,
		     struct uptime_mark now);

#endif
