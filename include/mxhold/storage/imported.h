/*
 * Which messages of other queues are here, or were: so that what is imported
 * twice does not come twice. A message is known by its id there and the
 * checksum of its content. The marks lie in `meta` and are trimmed with the
 * history. Private to storage.
 *
 *	"i" id(8) crc(4)          version, time(8), id here(8)
 *	"j" time(8) id(8) crc(4)  version: the same, in the order of time
 */
#ifndef MXHOLD_STORAGE_IMPORTED_H
#define MXHOLD_STORAGE_IMPORTED_H

#include "mxhold/storage/txn.h"

/* The id of the copy that is or was here: the mark's, or its own when it
 * never left this queue. MDB_NOTFOUND: none. */
int imported_find(struct store *s, MDB_txn *txn, const struct queue_past *p,
		  uint64_t *id);
int imported_put(struct txn *t, const struct queue_past *p, uint64_t id);
/* Removes marks older than before_ms, at most max; an LMDB code. */
int imported_trim(struct store *s, MDB_txn *txn, int64_t before_ms,
		  uint32_t max, uint32_t *removed);

#endif
