#include "mxhold/base/stats.h"

#include "mxhold/base/assert.h"

static const double second_bounds[HISTOGRAM_BUCKETS - 1] = {
	0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5};
static const double message_bounds[HISTOGRAM_BUCKETS - 1] = {
	1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192};
static const double probe_bounds[HISTOGRAM_BUCKETS - 1] = {
	0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30};

struct stats stats = {
	.commit_seconds.bounds = second_bounds,
	.commit_messages.bounds = message_bounds,
	.probe_seconds.bounds = probe_bounds,
};

void histogram_add(struct histogram *h, double value)
{
	int i = 0;

	while (i < HISTOGRAM_BUCKETS - 1 && value > h->bounds[i])
		i++;
	counter_add(&h->buckets[i], 1);
	if (value > 0)
		counter_add(&h->sum_micro, (uint64_t)(value * 1e6 + 0.5));
	counter_add(&h->count, 1);
}

const char *rcpt_refusal_name(enum rcpt_refusal r)
{
	static const char *const names[RCPT_REFUSED_KINDS] = {
		[RCPT_REFUSED_RELAY] = "relay",
		[RCPT_REFUSED_UNKNOWN] = "unknown",
		[RCPT_REFUSED_POLICY] = "policy",
		[RCPT_REFUSED_DEFERRED] = "deferred",
		[RCPT_REFUSED_QUOTA] = "quota",
		[RCPT_REFUSED_SYNTAX] = "syntax",
		[RCPT_REFUSED_DNSBL] = "dnsbl",
		[RCPT_REFUSED_FCRDNS] = "fcrdns",
		[RCPT_REFUSED_WHEN_UP] = "when_up",
	};

	MX_ASSERT((unsigned)r < RCPT_REFUSED_KINDS);
	return names[r];
}
