/*
 * The queue's file never shrinks by itself: pages that were freed are used
 * again. Compacting writes what is in use to a new file beside it, compares
 * the two, and renames; whenever it is interrupted, the old file or the new
 * one is there, whole. Nobody else may have the queue open meanwhile. Ids go
 * on where they were.
 */
#ifndef MXHOLD_STORAGE_COMPACT_H
#define MXHOLD_STORAGE_COMPACT_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/error.h"

struct compact_result {
	uint64_t before, after; /* length of data.mdb */
	uint64_t used;          /* pages in use before, in octets */
	uint64_t messages;
};

/*
 * Without a daemon. Takes the lock of state_dir: err->sys is EWOULDBLOCK when
 * a daemon has it, EBUSY when something else has the queue open, ENOENT when
 * there is none. With dry_run, looks only (after = 0). 0 or -1.
 */
int store_compact(const char *state_dir, bool dry_run,
		  struct compact_result *out, struct error *err);

enum {
	COMPACT_MIN = 64 << 20,       /* a smaller file is let alone */
	COMPACT_SHARE = 4,            /* no more than a 4th is in use ... */
	COMPACT_START_MAX = 256 << 20 /* ... and no more than this: a second */
};

/* When the daemon opens the queue, which it has locked: compacts the file if
 * it is mostly empty and the disk has room. What goes wrong is logged, and
 * the queue is as it was. */
void compact_at_start(const char *state_dir);

#endif
