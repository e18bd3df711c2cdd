/*
 * The JSON shapes of mxholdctl(8): fields are only ever added. Pure; every
 * function gives a new reference.
 */
#ifndef MXHOLD_CONTROL_PRESENT_H
#define MXHOLD_CONTROL_PRESENT_H

#include <jansson.h>

#include "mxhold/config/config.h"
#include "mxhold/probe/prober.h"
#include "mxhold/relay/relay.h"
#include "mxhold/storage/history.h"
#include "mxhold/storage/queue.h"

/* The domain a message waits for: of its first open recipient. */
struct slice present_domain(const struct queue_message *m);
/* An element of `queue list`. */
json_t *present_message(const struct queue_message *m,
			const struct config *config);
/* The same with everything else that is known: `msg show`. */
json_t *present_message_whole(const struct queue_message *m,
			      const struct config *config);
/* What an acting command shows before it asks. */
json_t *present_sample(const struct queue_message *m);
json_t *present_history(const struct history_row *row);

struct present_primary {
	const struct primary_view *view;
	const struct relay_view *relay; /* NULL without a daemon */
	struct queue_counts counts;
	int64_t next_due_ms; /* of what it waits for; 0 = nothing is due */
	int64_t now_ms;
};
json_t *present_primary(const struct present_primary *p);
/* An element of `breaker show`; p->relay is there. */
json_t *present_breaker(const struct present_primary *p);
/* The same with hosts, settings and domains: `primary show`. */
json_t *present_primary_whole(const struct present_primary *p,
			      const struct config *config);
json_t *present_counts(const struct queue_counts *c, int64_t now_ms);
json_t *present_rcpt_test(const char *address, const char *verdict,
			  const char *why, const char *reply);

#endif
