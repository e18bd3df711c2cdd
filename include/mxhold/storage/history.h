/*
 * What became of each message: rows written in the transactions that change
 * the queue, trimmed after queue.history. Reading goes in pages, newest
 * first.
 */
#ifndef MXHOLD_STORAGE_HISTORY_H
#define MXHOLD_STORAGE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/arena.h"
#include "mxhold/storage/reader.h"
#include "mxhold/storage/writer.h"

enum {
	HISTORY_TEXT_MAX = 512, /* octets of each text; longer ones are cut */
};

enum history_what {
	HISTORY_KEPT,
	HISTORY_FORWARDED,
	HISTORY_DEFERRED,
	HISTORY_FAILED,
	HISTORY_EXPIRED,
	HISTORY_REMOVED,
	HISTORY_HELD,
	HISTORY_RELEASED,
	HISTORY_REPORTED,
	HISTORY_IMPORTED /* text: its id in the other queue */
};

struct history_row {
	int64_t at_ms;
	uint64_t id;
	enum history_what what;
	struct slice sender, rcpt, message_id, text;
};

const char *history_what_name(enum history_what w);
/* Rows older than *before (0 = from the newest), newest first; *before is
 * set for the next page. *n in: room, out: found. 0, 1 = none, or -1. */
int history_read(struct reader *r, uint64_t *before, struct arena *arena,
		 struct history_row *out, size_t *n);

/*
 * Housekeeping: one slice of rows older than before_ms is removed by a job.
 * The submitter sets call.job.report, submits &call.job, and submits again
 * while `more` is set.
 */
enum {
	HISTORY_TRIM_SLICE = 1000
};
struct history_trim {
	struct job_call call;
	int64_t before_ms;
	/* out */
	uint32_t removed;
	bool more;
};

void history_trim_job(struct history_trim *t, int64_t before_ms);

#endif
