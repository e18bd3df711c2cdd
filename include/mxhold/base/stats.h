/*
 * Counters that any thread may raise and the metrics page reads: relaxed
 * atomics, one global instance, no locks. Names follow the metrics.
 */
#ifndef MXHOLD_BASE_STATS_H
#define MXHOLD_BASE_STATS_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t counter;

/* Upper bounds of the buckets are given with the histogram; the last bucket
 * is +Inf. Each bucket counts its own values alone: whoever prints sums them
 * up. Values are in the unit the name says. */
enum {
	HISTOGRAM_BUCKETS = 12
};
struct histogram {
	const double *bounds; /* HISTOGRAM_BUCKETS - 1 of them, rising */
	counter buckets[HISTOGRAM_BUCKETS];
	counter sum_micro; /* sum of values times 10^6 */
	counter count;
};

enum rcpt_refusal {
	RCPT_REFUSED_RELAY,
	RCPT_REFUSED_UNKNOWN,
	RCPT_REFUSED_POLICY,
	RCPT_REFUSED_DEFERRED,
	RCPT_REFUSED_QUOTA,
	RCPT_REFUSED_SYNTAX,
	RCPT_REFUSED_DNSBL,
	RCPT_REFUSED_FCRDNS,
	RCPT_REFUSED_WHEN_UP,
	RCPT_REFUSED_KINDS
};

struct stats {
	counter messages_kept, messages_forwarded, messages_failed,
		messages_expired, messages_removed, messages_passed;
	counter sessions_accepted, sessions_refused, sessions_failed;
	_Atomic int64_t sessions_open;
	counter rcpt_refused[RCPT_REFUSED_KINDS];
	counter maybe_duplicate;
	struct histogram commit_seconds, commit_messages, probe_seconds;
};

extern struct stats stats;

static inline void counter_add(counter *c, uint64_t n)
{
	atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static inline uint64_t counter_get(counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

void histogram_add(struct histogram *h, double value);
const char *rcpt_refusal_name(enum rcpt_refusal r);

#endif
