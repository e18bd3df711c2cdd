/*
 * Which messages a command is about: FILTER of mxholdctl(8). Parsed from the
 * arguments as they were typed, on both sides of the socket; pure.
 */
#ifndef MXHOLD_CONTROL_FILTER_H
#define MXHOLD_CONTROL_FILTER_H

#include <jansson.h>
#include <stdbool.h>

#include "mxhold/base/error.h"
#include "mxhold/base/inet.h"
#include "mxhold/storage/queue.h"

struct filter {
	uint64_t *ids; /* in rising order, no twins */
	size_t n_ids;
	bool all;
	char *domain; /* canonical; NULL = any */
	char *from, *to, *reason;
	bool has_client;
	struct cidr client;
	int64_t older_ms, newer_ms; /* age; -1 = any */
	uint64_t size_min, size_max;
	unsigned states; /* bits of 1 << enum queue_state; 0 = any */
	uint64_t limit;  /* 0 = none */
	uint64_t until;  /* no id beyond this; 0 = none */
};

/* 0, or -1 with a sentence that names the option. */
int filter_parse(struct filter *f, const json_t *args, struct error *err);
void filter_done(struct filter *f);
/* Something was chosen: what an acting command wants. */
bool filter_chooses(const struct filter *f);
/* Only a domain, or nothing: then counters answer. */
bool filter_is_counted(const struct filter *f);
/* "a@b", "@b" or "b": the whole address, or its domain; caseless. */
bool filter_address_is(struct slice address, const char *wanted);
/* ids, until and limit are the caller's to mind. */
bool filter_matches(const struct filter *f, const struct queue_message *m,
		    int64_t now_ms);

#endif
