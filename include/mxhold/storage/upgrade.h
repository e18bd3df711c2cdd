/*
 * The format of the queue as a whole. A number in `meta` says which one it
 * is; what is newer than this program is refused, what is older is brought
 * up step by step in the transaction that opens the queue: all of it, or
 * nothing. Private to storage.
 */
#ifndef MXHOLD_STORAGE_UPGRADE_H
#define MXHOLD_STORAGE_UPGRADE_H

#include "mxhold/storage/tables.h"

/* From one format to the next; an LMDB code. */
typedef int (*upgrade_step)(struct store *s, MDB_txn *txn);

/* Formats count from 1; steps[i] leads from i + 1 to i + 2. */
struct upgrade_path {
	const upgrade_step *steps;
	size_t n;
};

/* What this program knows; ends with FORMAT_VERSION. */
extern const struct upgrade_path upgrade_path;

/*
 * Writes the format record when there is none, runs the steps of `path` that
 * are missing, refuses what is newer, also a newer version of the records in
 * `meta`. Read-only: an older format is refused too. 0, or -1 with a
 * sentence, after which the transaction is to be aborted.
 */
int upgrade_check(struct store *s, MDB_txn *txn,
		  const struct upgrade_path *path, struct error *err);

#endif
