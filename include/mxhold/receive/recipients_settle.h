/*
 * When files of recipients have changed, and when one is being written: who is
 * not in it yet must not be refused. Any thread.
 */
#ifndef MXHOLD_RECEIVE_RECIPIENTS_SETTLE_H
#define MXHOLD_RECEIVE_RECIPIENTS_SETTLE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "mxhold/config/config.h"

/*
 * Changes when a file does (names, sizes, times, inodes) or when other
 * sources are named; a file that cannot be looked at changes it too. Not
 * settled: a file is so young that it may change again without being seen to.
 */
uint64_t recipients_fingerprint(const struct config_domain *domain,
				bool *is_settled);
/* No file was written to in the last second. */
bool recipients_are_at_rest(const struct config_domain *domain);
/* Until then, but for 10 s at the most. Blocks: for the work pool. */
void recipients_wait_for_rest(const struct config_domain *domain,
			      const atomic_bool *cancelled);

#endif
