/*
 * A stored message as the writer changes it: record, recipients, rows in due,
 * age and expire, counters. Writer's thread, within a transaction; functions
 * return LMDB codes. Private to storage.
 */
#ifndef MXHOLD_STORAGE_MESSAGE_H
#define MXHOLD_STORAGE_MESSAGE_H

#include "mxhold/storage/txn.h"
#include "mxhold/storage/writer.h"

struct message {
	uint64_t id;
	struct message_record rec; /* texts and dests lie in txn.raw */
	uint8_t *dests;            /* rec.dests, to be changed in place */
};

/* MDB_NOTFOUND when there is none. One message at a time is loaded. */
int message_load(struct txn *t, uint64_t id, struct message *m);
int message_save(struct txn *t, struct message *m);
/* Entry of the destination, or -1. */
int message_find_dest(const struct message *m, uint32_t dest);
/* Moves, puts or (RECORD_NOT_DUE) removes entry i's row in `due`. */
int message_set_due(struct txn *t, struct message *m, int i, int64_t due_ms);
int message_set_due_all(struct txn *t, struct message *m, int64_t due_ms);
int message_set_expire(struct txn *t, struct message *m, int64_t expire_ms);
/* The destination has no open recipient left: rows, counters, entry go. */
int message_close_dest(struct txn *t, struct message *m, int i);
/* The whole message leaves the queue. */
int message_remove(struct txn *t, struct message *m);

int recipient_load(struct txn *t, uint64_t id, uint16_t n,
		   struct recipient_record *r);
int recipient_save(struct txn *t, uint64_t id, uint16_t n,
		   const struct recipient_record *r);
/* Encodes into txn.out and puts; EINVAL when a text is too long. */
int message_put(struct txn *t, uint64_t id, const struct message_record *m);

/* A history row of the message for one recipient. */
int message_history(struct txn *t, const struct message *m,
		    enum history_what what, struct slice rcpt, int64_t at_ms,
		    struct slice text);

/* --- jobs: each sets job.result, or returns a code to abort by --------- */

int queue_part(struct txn *t, struct job_part *j);
int queue_add(struct txn *t, struct job_add *j);
int queue_discard(struct txn *t, struct job_discard *j);
int queue_settle(struct txn *t, struct job_settle *j);
int queue_change(struct txn *t, struct job_change *j);

#endif
