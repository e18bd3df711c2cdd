/*
 * One write transaction of the queue, with what it carries along: the meta
 * record, the destinations it touched, scratch memory for records. Writer's
 * thread only. Functions return LMDB codes: 0, or anything else, after which
 * the transaction can only be aborted. Private to storage.
 */
#ifndef MXHOLD_STORAGE_TXN_H
#define MXHOLD_STORAGE_TXN_H

#include <lmdb.h>

#include "mxhold/base/map.h"
#include "mxhold/storage/record.h"
#include "mxhold/storage/tables.h"

enum {
	SWEEP_SLICE = 2000, /* chunks removed in one transaction */
};

/* A destination in memory; counts as of this transaction. */
struct dest {
	uint32_t number;
	enum dest_kind kind;
	uint64_t messages, bytes;
	struct dest *next_dirty;
	bool dirty;
	uint64_t mark;  /* serial of the last intake that met it ... */
	uint16_t index; /* ... and its entry there */
	uint16_t domain_n;
	char domain[256];
};

struct txn {
	/* lives as long as the writer */
	struct store *store;
	struct meta_record committed;
	struct map by_name, by_number; /* cache of destinations */
	uint64_t serial;
	uint8_t *raw;       /* RECORD_MESSAGE_MAX: the message loaded */
	uint8_t *raw_rcpt;  /* RECORD_RCPT_MAX: the recipient loaded */
	uint8_t *out;       /* RECORD_MESSAGE_MAX: being encoded */
	uint8_t *new_dests; /* destinations of a message being added */
	bool sweep_waits;   /* `sweep` may have rows */
	/* of the transaction under way */
	MDB_txn *mdb;
	struct meta_record meta;
	struct dest *dirty;
	int64_t wall_ms;
	uint32_t chunks_left; /* that may still be removed */
	uint64_t taken;       /* octets of content put */
};

int txn_init(struct txn *t, struct store *s, struct error *err);
void txn_done(struct txn *t);
int txn_begin(struct txn *t);
/* Writes counters, then commits. On failure all is as before txn_begin; the
 * step that failed was the commit itself when *at_commit is set. */
int txn_commit(struct txn *t, bool *at_commit);
void txn_abort(struct txn *t);

/* Appends when the key is the greatest, which leaves full pages behind. */
int txn_put(struct txn *t, enum table table, MDB_val k, MDB_val v);
/* A row whose value says nothing but its version. */
int txn_put_mark(struct txn *t, enum table table, const void *k, size_t kn);
int txn_get(struct txn *t, enum table table, const void *k, size_t kn,
	    MDB_val *v);
/* A row that is not there is no failure: a damaged message must still be
 * able to leave. The check (verify.h) finds what is missing. */
int txn_del(struct txn *t, enum table table, const void *k, size_t kn);

/* --- destinations ------------------------------------------------------ */

int dest_by_number(struct txn *t, uint32_t number, struct dest **out);
/* Made when it is not there yet. */
int dest_by_name(struct txn *t, enum dest_kind kind, struct slice domain,
		 struct dest **out);
void dest_add(struct txn *t, struct dest *d, uint64_t bytes);
void dest_subtract(struct txn *t, struct dest *d, uint64_t bytes);
int dests_flush(struct txn *t);
void dests_forget(struct txn *t);

/* --- bodies ------------------------------------------------------------ */

/* Cuts content into chunks numbered from *chunk, which goes on. */
int body_put(struct txn *t, uint64_t id, uint32_t *chunk, struct slice body);
/* Removes them here, or leaves them to the sweeper when they are many. */
int body_remove(struct txn *t, uint64_t id, uint32_t chunks);
/* One slice of what waits in `sweep`. */
int body_sweep(struct txn *t);

/* --- history ----------------------------------------------------------- */

int history_put(struct txn *t, const struct history_row *row);

#endif
