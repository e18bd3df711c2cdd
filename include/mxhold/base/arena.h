/*
 * Memory that is freed all at once, with a cap on the sum: one SMTP
 * transaction = one arena. One thread at a time.
 */
#ifndef MXHOLD_BASE_ARENA_H
#define MXHOLD_BASE_ARENA_H

#include <stddef.h>

#include "mxhold/base/slice.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used; /* bytes handed out since the last reset */
	size_t cap;
};

void arena_init(struct arena *a, size_t cap); /* allocates nothing yet */
void arena_reset(struct arena *a);            /* frees every block */
void arena_done(struct arena *a);
/* Aligned for any type, zeroed; NULL beyond the cap or without memory. */
void *arena_alloc(struct arena *a, size_t n);
/* A copy with a NUL behind it (not counted in n); p == NULL on failure. */
struct slice arena_dup(struct arena *a, struct slice s);

#endif
