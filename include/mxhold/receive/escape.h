/*
 * The way round `when_up = defer`: a sender whose own path to the primary is
 * broken tries again here, patiently. Tries are counted for each client
 * network, sender and recipient; from the third on, once they are spread
 * over ten minutes, mail is taken.
 *
 * At most `max` of them: the one not heard of for longest is forgotten, and
 * any that was silent for two days. Keys are keyed hashes, so that nobody can
 * choose collisions and nothing of the addresses is kept. Pure; time is an
 * argument (monotonic ms). Main loop.
 */
#ifndef MXHOLD_RECEIVE_ESCAPE_H
#define MXHOLD_RECEIVE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mxhold/base/inet.h"
#include "mxhold/base/slice.h"

/* For tests, which cannot wait. */
extern struct escape_rules {
	uint32_t tries;
	int64_t spread_ms, memory_ms;
} escape_rules;

struct escape;

struct escape *escape_new(size_t max);
void escape_free(struct escape *e); /* NULL is fine */

struct escape_try {
	struct inet_addr network;
	struct slice sender, rcpt; /* rcpt: canonical */
};

/* One more try. True: it is let in. */
bool escape_count(struct escape *e, const struct escape_try *t, int64_t now_ms);
/* How many tries there were, and since when; 0 = none. */
uint32_t escape_tries(const struct escape *e, const struct escape_try *t,
		      int64_t now_ms, int64_t *since_ms);
size_t escape_size(const struct escape *e);

#endif
