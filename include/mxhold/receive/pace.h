/*
 * Is a body coming in fast enough (smtp.min_rate)? Looked at once a minute,
 * over that minute. Pure; time is an argument (monotonic ms).
 */
#ifndef MXHOLD_RECEIVE_PACE_H
#define MXHOLD_RECEIVE_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PACE_MS = 60000
};

struct pace {
	int64_t since_ms; /* 0 = nothing is under way */
	uint64_t bytes;
};

void pace_begin(struct pace *p, int64_t now_ms); /* and begin again */
void pace_end(struct pace *p);
bool pace_is_on(const struct pace *p);
void pace_count(struct pace *p, uint64_t bytes);
/* When to look next; 0 = not at all. */
int64_t pace_look_ms(const struct pace *p);
/* Once a minute has passed: were there fewer than min_rate bytes a second?
 * If not, the next minute begins. */
bool pace_is_slow(struct pace *p, uint64_t min_rate, int64_t now_ms);

#endif
