/*
 * What is remembered of client networks (/32, /64): how many unknown
 * recipients they tried within policy.unknown_window and how many messages
 * they left within a minute. Pure; time is an argument (monotonic ms).
 *
 * Each receive loop has a table for what it sees itself, so that a limit is
 * exact within one loop; the main loop has one for the sum, fed by tallies
 * some milliseconds late, and tells every loop of the networks it judged.
 * At most `max` networks: the one not heard of for longest is forgotten.
 */
#ifndef MXHOLD_RECEIVE_REPUTATION_H
#define MXHOLD_RECEIVE_REPUTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mxhold/base/inet.h"
#include "mxhold/config/config.h"

struct reputation;

struct reputation *reputation_new(size_t max);
void reputation_free(struct reputation *r);
/* The limits; nothing is forgotten. 0 in unknown_budget is a budget of none,
 * 0 in max_rate no limit. */
void reputation_configure(struct reputation *r,
			  const struct config_policy *policy);

/* n more unknown recipients. True when the network has passed its budget;
 * then *until_ms is when its penalty ends. */
bool reputation_unknown(struct reputation *r, const struct inet_addr *network,
			uint32_t n, int64_t now_ms, int64_t *until_ms);
/* n more messages. True when the network has just used up its minute; then
 * *until_ms is the end of that minute. */
bool reputation_kept(struct reputation *r, const struct inet_addr *network,
		     uint32_t n, int64_t now_ms, int64_t *until_ms);
/* Another table's judgement. */
void reputation_penalise(struct reputation *r, const struct inet_addr *network,
			 int64_t until_ms);
void reputation_slow(struct reputation *r, const struct inet_addr *network,
		     int64_t until_ms);
bool reputation_is_penalised(const struct reputation *r,
			     const struct inet_addr *network, int64_t now_ms);
bool reputation_is_slowed(const struct reputation *r,
			  const struct inet_addr *network, int64_t now_ms);
size_t reputation_count(const struct reputation *r);

/* A key for maps by network: 17 octets in `room`. */
struct slice reputation_key(const struct inet_addr *network, char room[17]);

#endif
