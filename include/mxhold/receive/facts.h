/*
 * What policy must know of a recipient's domain beside its list: gathered
 * alike for RCPT and for `recipients test`, so that both say the same.
 */
#ifndef MXHOLD_RECEIVE_FACTS_H
#define MXHOLD_RECEIVE_FACTS_H

#include "mxhold/receive/policy.h"
#include "mxhold/storage/reader.h"

struct facts_of {
	const struct config *config;
	struct directory *directory;
	struct reader *reader; /* NULL = the quota is not looked at */
	bool is_primary_up;
	/* What the transaction asks of the primary. */
	uint64_t size; /* SIZE=; 0 = not said */
	bool utf8_sender, binary, requiretls;
};

/* Overrules an accepted recipient when the facts are against it; leaves all
 * others alone. Sets p->lacks. */
void facts_judge(struct policy_rcpt *p, const struct address *rcpt,
		 const struct facts_of *of);

#endif
