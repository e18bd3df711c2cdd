/*
 * What policy must know of a recipient: lists, what was learned, the state of
 * its domain. Gathered alike for RCPT and for `recipients test`, so that both
 * say the same.
 */
#ifndef MXHOLD_RECEIVE_FACTS_H
#define MXHOLD_RECEIVE_FACTS_H

#include "mxhold/receive/policy.h"
#include "mxhold/storage/reader.h"

struct facts_of {
	const struct config *config;
	struct directory *directory;
	struct reader *reader; /* NULL = the quota is not looked at */
	bool is_primary_up;    /* as `when_up` is to see it */
	/* What the transaction asks of the primary. */
	uint64_t size; /* SIZE=; 0 = not said */
	bool utf8_sender, binary, requiretls;
};

struct facts_primary { /* as the caller sees it */
	bool is_up;
	int64_t up_ms; /* its up-time clock */
	bool can_ask;  /* somebody can ask it for a recipient */
};

/* After policy_rcpt_prepare. True: nobody knows, and the primary is up and to
 * be asked; then the verdict is policy_rcpt_told's. */
bool facts_look_up(struct policy_rcpt *p, const struct address *rcpt,
		   struct directory_reader *listed, const struct facts_of *of,
		   const struct facts_primary *primary);
/* What holds for what the domain has learned. */
void facts_terms(const struct config *config, const struct config_domain *d,
		 int64_t up_ms, struct learned_terms *out);

/* Overrules an accepted recipient when the facts are against it; leaves all
 * others alone. Sets p->lacks. */
void facts_judge(struct policy_rcpt *p, const struct address *rcpt,
		 const struct facts_of *of);

#endif
