/*
 * What a lesson makes of what was known. Pure. Private to storage.
 *
 *	            TAKEN            REFUSED                  PIN      FORGET
 *	nothing     taken            refused                  pinned   nothing
 *	taken       taken again      doubted, then refused    pinned   nothing
 *	refused     taken            refused again            pinned   nothing
 *	pinned      pinned           pinned                   pinned   nothing
 */
#ifndef MXHOLD_STORAGE_DIRECTORY_LESSON_H
#define MXHOLD_STORAGE_DIRECTORY_LESSON_H

#include "mxhold/storage/directory_parts.h"

/* Of a primary's name, as the domain's record has it. */
uint64_t learned_primary_hash(const char *primary);
/* The domain's clock now, for who looks. */
int64_t learned_clock(const struct learned_domain *d,
		      const struct learned_terms *terms);
/* The same for who writes: goes on where it stood under another primary, or
 * when the primary's own clock was lost. */
void learned_advance(struct learned_domain *d,
		     const struct learned_terms *terms);

/* Milliseconds it lasts yet; 0 = expired; -1 = for ever. */
int64_t learned_left(const struct learned_record *r, int64_t clock_ms,
		     const struct learned_terms *terms);

/* now: in: what is known (kind LEARNED_NOTHING: nothing); out: what is known
 * from now on. False: nothing is to be written. */
bool learned_merge(struct learned_record *now, const struct lesson *lesson,
		   int64_t clock_ms);

#endif
