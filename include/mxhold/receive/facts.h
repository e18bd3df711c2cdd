/*
 * What policy must know of a recipient's domain beside its list: gathered
 * alike for RCPT and for `recipients test`, so that both say the same.
 */
#ifndef MXHOLD_RECEIVE_FACTS_H
#define MXHOLD_RECEIVE_FACTS_H

#include "mxhold/receive/policy.h"
#include "mxhold/storage/reader.h"

/* Overrules an accepted recipient when the facts are against it; leaves all
 * others alone. reader: NULL = the quota is not looked at. */
void facts_judge(struct policy_rcpt *p, const struct address *rcpt,
		 struct directory *directory, struct reader *reader,
		 bool is_primary_up);

#endif
