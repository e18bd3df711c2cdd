/*
 * Sorting more than memory should hold: byte strings are gathered, spilled
 * as sorted runs to nameless files once there are many, and merged. One
 * thread at a time.
 */
#ifndef MXHOLD_STORAGE_RUNS_H
#define MXHOLD_STORAGE_RUNS_H

#include <stddef.h>
#include <stdint.h>

#include "mxhold/base/error.h"
#include "mxhold/base/slice.h"

enum {
	RUNS_STRING_MAX = 511, /* what LMDB takes as a key */
	RUNS_MAX = 256,
};

struct runs;

/* Files go to `dir`; about `limit` octets are kept in memory. */
struct runs *runs_new(const char *dir, size_t limit);
void runs_free(struct runs *r);
/* 0, or -1: no memory, no room for files, too many of them. */
int runs_add(struct runs *r, struct slice s, struct error *err);
/* No more will be added. 0 or -1. */
int runs_sort(struct runs *r, struct error *err);
/* The next one in order, duplicates included: 1; 0 = the end; -1 = a file
 * cannot be read. *out is valid until the next call. */
int runs_next(struct runs *r, struct slice *out, struct error *err);

#endif
