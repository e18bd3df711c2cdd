/*
 * How many reports may leave: senders can be forged, and who names somebody
 * else in ten thousand messages that our primary refuses would have us send
 * him as many. So many at once, and then so many an hour, for the senders of
 * one domain and for all together. Pure.
 */
#ifndef MXHOLD_RELAY_ALLOWANCE_H
#define MXHOLD_RELAY_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/slice.h"

enum {
	ALLOWANCE_DOMAIN = 100, /* at once, and an hour */
	ALLOWANCE_ALL = 1000,
	ALLOWANCE_HOUR_MS = 3600 * 1000,
	/* Domains that are not back at rest: those of one hour, at most what
	 * was there at its beginning and what it brought. */
	ALLOWANCE_SLOTS = 2 * ALLOWANCE_ALL + 1
};

struct allowance_slot {
	uint64_t domain;    /* hash */
	int64_t at_rest_ms; /* mono: when nothing of it is used any more */
};

struct allowance {
	struct allowance_slot all;
	struct allowance_slot slots[ALLOWANCE_SLOTS];
	int64_t refused_ms; /* mono: the last time; 0 = never */
	uint64_t refused;
};

/* Takes one report to a sender of this domain (a keyed hash). False: it must
 * not leave. */
bool allowance_take(struct allowance *a, uint64_t domain, int64_t mono_ms);

#endif
