/*
 * Checks every cross-reference and every content's checksum of the queue,
 * page by page in short snapshots; works beside a running daemon.
 */
#ifndef MXHOLD_STORAGE_VERIFY_H
#define MXHOLD_STORAGE_VERIFY_H

#include "mxhold/storage/reader.h"

struct verify_result {
	uint64_t messages, recipients, chunks, bytes, due_rows;
	uint64_t problems;
};

/* Calls found (may be NULL) for each problem. 0 = looked at all, -1 = the
 * store failed meanwhile. What changed under the look is looked at again
 * before it counts as a problem. */
int verify_queue(struct store *s, struct verify_result *out,
		 void (*found)(void *data, const char *what), void *data);

#endif
