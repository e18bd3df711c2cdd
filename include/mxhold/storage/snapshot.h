/*
 * The inside of a reader: one read transaction that is renewed for each call
 * and reset at its end, so that a reader keeps its slot but holds no page.
 * Private to storage.
 */
#ifndef MXHOLD_STORAGE_SNAPSHOT_H
#define MXHOLD_STORAGE_SNAPSHOT_H

#include "mxhold/storage/reader.h"
#include "mxhold/storage/record.h"
#include "mxhold/storage/tables.h"

struct reader {
	struct store *store;
	MDB_txn *txn; /* reset between calls */
};

/* 0, or -1 and nothing is to be ended. */
int snapshot_begin(struct reader *r);
void snapshot_end(struct reader *r);

/* Within a snapshot; LMDB codes. */
int snapshot_get(struct reader *r, enum table table, const void *k, size_t kn,
		 MDB_val *v);
int snapshot_meta(struct reader *r, struct meta_record *out);
int snapshot_cursor(struct reader *r, enum table table, MDB_cursor **c);

/* A walk over one table: rows from key k on while fn returns 0. Returns 0 at
 * the end of the table, fn's answer, or an LMDB code. */
int snapshot_walk(struct reader *r, enum table table, MDB_val from,
		  int (*fn)(void *data, const MDB_val *k, const MDB_val *v),
		  void *data);

/* 1 when rc says absent, -1 for other failures, 0 for 0. */
static inline int snapshot_result(int rc)
{
	return rc == MDB_NOTFOUND ? 1 : rc ? -1 : 0;
}

/* reader_message within a snapshot that is open. */
int snapshot_message(struct reader *r, uint64_t id, struct arena *arena,
		     struct queue_message *out);

#endif
