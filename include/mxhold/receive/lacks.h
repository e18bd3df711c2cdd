/*
 * What a primary is known not to take, by its last EHLO, which probes and
 * deliveries keep in the directory over restarts. So a sender hears now what
 * would come back as a report in a week. What nobody knows is not lacking,
 * but for BINARYMIME, which cannot be turned into anything else on the way.
 *
 * Looked at are those extensions a message needs from hop to hop. PIPELINING,
 * CHUNKING, ENHANCEDSTATUSCODES, STARTTLS, LIMITS and ETRN are between a
 * client and us alone. Any loop.
 */
#ifndef MXHOLD_RECEIVE_LACKS_H
#define MXHOLD_RECEIVE_LACKS_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/config/config.h"
#include "mxhold/smtp/ehlo.h"
#include "mxhold/storage/directory.h"

enum {
	/* What our trace line may add to a message. */
	LACKS_TRACE_MAX = 1536
};

struct lacks {         /* zeros: nothing is lacking */
	uint32_t ext;  /* enum smtp_ext: those that are missing */
	uint64_t size; /* octets of a message at most, trace line included;
			* 0 = any */
};

/* By the record of `p`; rec NULL: none. True: its EHLO is known. */
bool lacks_by_record(const struct peer_record *rec, const struct config *config,
		     const struct config_primary *p, struct lacks *out);
bool lacks_look_up(struct directory *d, const struct config *config,
		   const struct config_primary *p, struct lacks *out);
/* What both of them lack. */
void lacks_meet(struct lacks *all, const struct lacks *one);
/* The most content that may come when `max` (0 = any) is our own limit. */
uint64_t lacks_content_max(const struct lacks *l, uint64_t max);

#endif
