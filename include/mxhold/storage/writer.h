/*
 * The one thread that changes the queue. Callers submit jobs (the pointer is
 * gone until report); the writer takes everything that waits, at most 256
 * messages and 16 MiB, and commits it in one LMDB transaction. When the
 * batch fails, it is aborted and its jobs are replayed one by one, so that
 * only the culprit fails. A job's report runs on the writer's thread after
 * the commit is on disk (or has failed): it should only post the job back to
 * a loop. Nothing is promised before, nothing is lost after.
 *
 * writer_run_batch is the whole of it, without a thread, for tests and the
 * simulator; writer_start puts a thread around it.
 */
#ifndef MXHOLD_STORAGE_WRITER_H
#define MXHOLD_STORAGE_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/buf.h"
#include "mxhold/base/error.h"
#include "mxhold/base/mpsc.h"
#include "mxhold/mail/envelope.h"
#include "mxhold/storage/queue.h"
#include "mxhold/storage/store.h"

enum store_result {
	STORE_OK,
	STORE_FULL,   /* no room: 452 4.3.1 */
	STORE_FAILED, /* an I/O error: 451 4.3.0 */
	STORE_ABSENT, /* no such message */
};

enum job_kind {
	JOB_ADD,
	JOB_PART,
	JOB_DISCARD,
	JOB_SETTLE,
	JOB_CHANGE,
	JOB_CALL
};

struct job {
	struct mpsc_node node; /* the writer's while submitted; then free for
				* the reporter's own mailbox */
	enum job_kind kind;
	void (*report)(struct job *job);
	enum store_result result;
	void *data;    /* the submitter's */
	size_t weight; /* octets it carries; writer_submit sets it */
};

/* State of a message that comes in parts; zeroed at first, carried by the
 * submitter from job to job, changed only by the writer. */
struct upload {
	uint64_t id; /* 0 until the first part is stored */
	uint32_t chunks;
	uint64_t bytes;
	uint32_t crc;
};

/* Part of a large message: octets are a multiple of CHUNK_SIZE. In the state
 * table: Q1, `incoming` row with the first part. */
struct job_part {
	struct job job;
	struct upload up;
	struct upload was; /* the writer's: up before this job */
	struct buf body;
	size_t id_at; /* where the id goes in this body, or SIZE_MAX */
};

/* The whole message, or its last part: to Q2. On STORE_OK up.id is its id. */
struct job_add {
	struct job job;
	struct upload up;
	struct upload was; /* the writer's: up before this job */
	struct buf body;
	size_t id_at;
	const struct envelope *env; /* alive until report; rcpts[].domain set */
	struct slice message_id;
	bool report_dest; /* a report: destination is its sender domain kind */
	bool hold, quarantine;         /* to Q3 at once */
	const char *reason;            /* of hold or quarantine, or NULL */
	int64_t expire_ms;             /* wall: hard limit; 0 = none */
	const struct queue_past *past; /* imported, alive until report */
	/* out: the id of a copy that is or was here; then nothing was added,
	 * and the parts are gone. */
	uint64_t twin;
};

/* The parts of a message that will not be finished (client went away). */
struct job_discard {
	struct job job;
	uint64_t id;
	uint32_t chunks;
};

enum settle {
	SETTLE_DELIVERED,
	SETTLE_FAILED,
	SETTLE_DEFERRED
};

struct settle_rcpt {
	uint16_t n;
	enum settle what;
	char reply[512]; /* "450 4.2.0 text" */
};

/*
 * What became of one attempt at one destination of a message: recipients
 * settled, the `due` row moved or removed, counters and history changed, a
 * report added, and with the last recipient the message removed, all in one
 * transaction. A message deleted meanwhile gives STORE_ABSENT (gone is set,
 * the report is not added). Recipients settled before are left alone.
 *
 * With next_attempt_ms = 0 a due row stays where it is. A message held or
 * quarantined meanwhile keeps that state and gets no due row. With
 * `quarantine`, failed recipients are marked so but stay open: the message
 * goes to quarantine as a whole, and a release makes them pending again.
 */
struct job_settle {
	struct job job;
	uint64_t id;
	uint32_t dest;
	struct settle_rcpt *rcpts; /* the submitter's, alive until report */
	size_t n_rcpts;
	int64_t now_ms;          /* wall */
	int64_t next_attempt_ms; /* wall: when any recipient is deferred */
	bool count_attempt;      /* false: the connection failed, no mark */
	bool maybe_duplicate;
	bool expired;           /* for history: given up by time */
	char primary[128];      /* who was asked */
	struct job_add *report; /* a DSN to put in the same transaction */
	bool quarantine;        /* failed: keep the whole in quarantine */
	char reason[256];       /* for quarantine/held/retry */
	int64_t expire_ms;      /* new row in `expire`; 0 = as it is */
	/* out */
	bool gone; /* the message left the queue */
};

enum change {
	CHANGE_HOLD,
	CHANGE_RELEASE, /* held or quarantined -> due now */
	CHANGE_RETRY,   /* due now; not what is held or in quarantine */
	CHANGE_DELETE,
	CHANGE_QUARANTINE,
	CHANGE_EXPIRE, /* no attempt any more: fails as if its time were over */
	CHANGE_BOUNCE, /* the same, and its sender is told */
	CHANGE_EXTEND  /* nothing but expire_ms */
};

/* An operator's word on up to CHANGE_MAX messages at once. */
enum {
	CHANGE_MAX = 200
};
struct job_change {
	struct job job;
	enum change change;
	uint64_t ids[CHANGE_MAX];
	bool done[CHANGE_MAX]; /* out: it was there, not so yet, and is now */
	size_t n;
	int64_t now_ms;
	char reason[256];
	int64_t expire_ms; /* new row in `expire`; 0 = as it is */
	/* out */
	uint64_t changed, bytes;
};

/* Anything else in a write transaction of its own place in the order:
 * housekeeping (history trimming, expiry sweep, settings). `txn` is LMDB's,
 * for storage's own modules only. */
struct job_call {
	struct job job;
	enum store_result (*call)(struct job_call *c, void *txn,
				  struct store *s);
	void *arg;
};

struct writer;

struct writer *writer_new(struct store *store);
int writer_start(struct writer *w, struct error *err); /* the thread */
/* Any thread. */
void writer_submit(struct writer *w, struct job *job);
/* Octets that wait: reception stops reading above 16 MiB. Any thread. */
uint64_t writer_waiting(const struct writer *w);
/* Takes what waits now, one batch; returns the number of jobs reported. When
 * nothing waits, one slice of removed bodies is swept (and 0 returned). */
size_t writer_run_batch(struct writer *w);
/* Finishes what was submitted, ends the thread, frees. */
void writer_stop(struct writer *w);
/* LMDB panicked (a failed meta page): called on the writer's thread; the
 * default is env_panic. */
void writer_on_panic(struct writer *w, void (*panic)(const char *why));

#endif
