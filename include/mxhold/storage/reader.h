/*
 * Short snapshots of the queue. Every call begins and ends its own read
 * transaction and copies what it returns, so that none lives longer than
 * the call: bounded work each (a page, a slice, one message). One reader
 * belongs to one thread at a time.
 */
#ifndef MXHOLD_STORAGE_READER_H
#define MXHOLD_STORAGE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/arena.h"
#include "mxhold/base/buf.h"
#include "mxhold/storage/queue.h"
#include "mxhold/storage/store.h"

struct reader;

struct reader *reader_new(struct store *store); /* NULL: readers full */
void reader_free(struct reader *r);

/* All return 0, 1 = nothing there, or -1 = the store failed. */
int reader_counts(struct reader *r, struct queue_counts *all);
int reader_dest_counts(struct reader *r, uint32_t dest,
		       struct queue_counts *out);

struct dest_info {
	uint32_t dest;
	enum dest_kind kind;
	char domain[256];
};

int reader_dest(struct reader *r, uint32_t dest, struct dest_info *out);
int reader_dest_find(struct reader *r, enum dest_kind kind, const char *domain,
		     uint32_t *dest);
/* Destinations from number `from` on; *n in: room, out: found. */
int reader_dests(struct reader *r, uint32_t from, struct dest_info *out,
		 size_t *n);

struct due_row {
	uint64_t id;
	int64_t due_ms; /* wall */
};

/* Rows of one destination after (after_ms, after_id), due by until_ms, in
 * order of time and id. *n in: room, out: found. */
int reader_due(struct reader *r, uint32_t dest, int64_t after_ms,
	       uint64_t after_id, int64_t until_ms, struct due_row *out,
	       size_t *n);
/* When the next row of the destination is due; 1 = none waits. */
int reader_next_due(struct reader *r, uint32_t dest, int64_t *due_ms);

/* Envelope and all recipients, copied into the arena. */
int reader_message(struct reader *r, uint64_t id, struct arena *arena,
		   struct queue_message *out);
/* Appends up to max_chunks chunks of the content from chunk number `from`;
 * *next = the number to go on with, 0 at the end. At most 64 chunks. */
int reader_body(struct reader *r, uint64_t id, uint32_t from,
		uint32_t max_chunks, struct buf *out, uint32_t *next);

/* Is this message here, or was it imported? *id = what it is called here. */
int reader_imported(struct reader *r, const struct queue_past *p, uint64_t *id);

/* Ids after `after` in order, up to *n; a page of a listing. */
int reader_ids(struct reader *r, uint64_t after, uint64_t *ids, size_t *n);
/* Rows of `expire` up to until_ms: hard limit and quarantine's end. */
int reader_expired(struct reader *r, int64_t until_ms, struct due_row *out,
		   size_t *n);

#endif
