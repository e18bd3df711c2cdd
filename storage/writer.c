#include "mxhold/storage/writer.h"

#include <errno.h>
#include <unistd.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/clock.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/stats.h"
#include "mxhold/storage/failpoint.h"
#include "mxhold/storage/message.h"
#include "mxhold/storage/writer_parts.h"

struct writer *writer_new(struct store *store)
{
	struct writer *w = mem_alloc(sizeof(*w));
	struct error err;

	mpsc_init(&w->inbox);
	w->panic = env_panic;
	if (txn_init(&w->txn, store, &err)) {
		log_why(LOG_ERROR, "queue.failed", "%s", err.text);
		writer_free(w);
		return NULL;
	}
	return w;
}

void writer_free(struct writer *w)
{
	txn_done(&w->txn);
	mpsc_done(&w->inbox);
	mem_free(w);
}

void writer_on_panic(struct writer *w, void (*panic)(const char *why))
{
	w->panic = panic;
}

/* --- jobs in ----------------------------------------------------------- */

static size_t report_weight(const struct job *job)
{
	struct job_settle *j = MX_CONTAINER_OF(job, struct job_settle, job);

	return j->report ? j->report->body.n : 0;
}

static size_t job_weight(const struct job *job)
{
	switch (job->kind) {
	case JOB_ADD:
		return MX_CONTAINER_OF(job, struct job_add, job)->body.n;
	case JOB_PART:
		return MX_CONTAINER_OF(job, struct job_part, job)->body.n;
	case JOB_SETTLE:
		return report_weight(job);
	case JOB_DISCARD:
	case JOB_CHANGE:
	case JOB_CALL:
		break;
	}
	return 0;
}

/* How many messages the job is about. */
static size_t job_messages(const struct job *job)
{
	if (job->kind != JOB_CHANGE)
		return 1;
	return MX_MAX(MX_CONTAINER_OF(job, struct job_change, job)->n, 1);
}

static void save_upload(struct job *job)
{
	struct job_add *add = MX_CONTAINER_OF(job, struct job_add, job);
	struct job_part *part = MX_CONTAINER_OF(job, struct job_part, job);
	struct job_settle *settle =
		MX_CONTAINER_OF(job, struct job_settle, job);

	if (job->kind == JOB_ADD)
		add->was = add->up;
	else if (job->kind == JOB_PART)
		part->was = part->up;
	else if (job->kind == JOB_SETTLE && settle->report)
		settle->report->was = settle->report->up;
}

/* As it was when it came: its transaction was aborted. */
static void restore_upload(struct job *job)
{
	struct job_add *add = MX_CONTAINER_OF(job, struct job_add, job);
	struct job_part *part = MX_CONTAINER_OF(job, struct job_part, job);
	struct job_settle *settle =
		MX_CONTAINER_OF(job, struct job_settle, job);

	if (job->kind == JOB_ADD)
		add->up = add->was;
	else if (job->kind == JOB_PART)
		part->up = part->was;
	else if (job->kind == JOB_SETTLE && settle->report)
		settle->report->up = settle->report->was;
}

void writer_submit(struct writer *w, struct job *job)
{
	job->weight = job_weight(job);
	save_upload(job);
	atomic_fetch_add(&w->waiting, job->weight);
	mpsc_push(&w->inbox, &job->node);
}

uint64_t writer_waiting(const struct writer *w)
{
	return atomic_load(&w->waiting);
}

void writer_append(struct writer *w, struct mpsc_node *chain)
{
	if (!w->pending)
		w->pending_end = &w->pending;
	*w->pending_end = chain;
	while (*w->pending_end)
		w->pending_end = &(*w->pending_end)->next;
}

bool writer_has_work(const struct writer *w)
{
	return w->pending || (w->txn.sweep_waits && !atomic_load(&w->stopping));
}

/* The oldest jobs, as many as one batch holds; always one if any waits. */
static size_t pick(struct writer *w)
{
	size_t n = 0, messages = 0, bytes = 0;

	while (w->pending) {
		struct job *job = MX_CONTAINER_OF(w->pending, struct job, node);

		messages += job_messages(job);
		bytes += job->weight;
		if (n > 0 && (messages > BATCH_MESSAGES || bytes > BATCH_BYTES))
			break;
		w->batch[n++] = job;
		w->pending = w->pending->next;
	}
	return n;
}

/* --- one transaction --------------------------------------------------- */

static int call(struct txn *t, struct job_call *c)
{
	c->job.result = c->call(c, t->mdb, t->store);
	if (c->job.result == STORE_FULL)
		return MDB_MAP_FULL;
	return c->job.result == STORE_FAILED ? EIO : 0;
}

static int run_job(struct txn *t, struct job *job)
{
	job->result = STORE_OK;
	switch (job->kind) {
	case JOB_ADD:
		return queue_add(t, MX_CONTAINER_OF(job, struct job_add, job));
	case JOB_PART:
		return queue_part(t,
				  MX_CONTAINER_OF(job, struct job_part, job));
	case JOB_DISCARD:
		return queue_discard(
			t, MX_CONTAINER_OF(job, struct job_discard, job));
	case JOB_SETTLE:
		return queue_settle(
			t, MX_CONTAINER_OF(job, struct job_settle, job));
	case JOB_CHANGE:
		return queue_change(
			t, MX_CONTAINER_OF(job, struct job_change, job));
	case JOB_CALL:
		return call(t, MX_CONTAINER_OF(job, struct job_call, job));
	}
	MX_ASSERT(!"a kind of job");
	return EINVAL;
}

static bool has_part(struct job **jobs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (jobs[i]->kind == JOB_PART)
			return true;
	}
	return false;
}

static int run_jobs(struct txn *t, struct job **jobs, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++)
		rc = run_job(t, jobs[i]);
	if (!rc && has_part(jobs, n))
		rc = failpoint_hit("chunk-commit");
	return rc;
}

static void report(struct writer *w, struct job **jobs, size_t n)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		bytes += jobs[i]->weight;
		jobs[i]->report(jobs[i]); /* and it is gone */
	}
	atomic_fetch_sub(&w->waiting, bytes);
}

/* What must never be: the proof that the crash tests see a loss. */
static void report_early(struct writer *w, struct job **jobs, size_t n)
{
	report(w, jobs, n);
	w->reported = true;
	usleep(50000);
}

/* All of jobs, or none and why; *at_commit as in txn_commit. */
static int transact(struct writer *w, struct job **jobs, size_t n,
		    bool *at_commit)
{
	int64_t from = clock_mono_us();
	int rc = txn_begin(&w->txn);

	*at_commit = false;
	if (rc)
		return rc;
	rc = run_jobs(&w->txn, jobs, n);
	if (!rc && failpoint_is("ack-early"))
		report_early(w, jobs, n);
	if (rc)
		txn_abort(&w->txn);
	else
		rc = txn_commit(&w->txn, at_commit);
	MX_ASSERT(!rc || !w->reported); /* they are gone */
	for (size_t i = 0; rc && i < n; i++)
		restore_upload(jobs[i]);
	if (rc)
		return rc;
	atomic_store(&w->txn.store->failing, false);
	histogram_add(&stats.commit_seconds,
		      (double)(clock_mono_us() - from) / 1e6);
	return 0;
}

/* --- when it fails ----------------------------------------------------- */

/* A full file system shows as a short write: EIO, where little is free. */
static bool is_no_room(struct writer *w, int rc)
{
	if (rc == MDB_MAP_FULL || rc == ENOSPC || rc == EDQUOT)
		return true;
	return rc == EIO && store_disk_is_full(w->txn.store);
}

/* A failed meta page leaves LMDB refusing every later transaction. */
static void check_panic(struct writer *w, int rc)
{
	if (rc != MDB_PANIC) {
		rc = txn_begin(&w->txn);
		txn_abort(&w->txn);
	}
	if (rc == MDB_PANIC)
		w->panic(mdb_strerror(rc));
}

static void fail(struct writer *w, struct job **jobs, size_t n, int rc)
{
	bool full = is_no_room(w, rc);
	enum store_result result = full ? STORE_FULL : STORE_FAILED;

	log_why(LOG_ERROR, full ? "queue.full" : "queue.failed", "%s",
		mdb_strerror(rc));
	for (size_t i = 0; i < n; i++)
		jobs[i]->result = result;
}

static void note_failure(struct writer *w, int rc, bool at_commit)
{
	if (!at_commit && rc != MDB_PANIC)
		return;
	atomic_store(&w->txn.store->failing, true);
	check_panic(w, rc);
}

/*
 * Each job alone, in a transaction of its own, so that only the culprit
 * fails. When the disk itself errs at a commit, the rest is not tried on it:
 * the next batch will see.
 */
static void replay(struct writer *w, struct job **jobs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool at_commit;
		int rc = transact(w, &jobs[i], 1, &at_commit);

		if (!rc)
			continue;
		note_failure(w, rc, at_commit);
		if (at_commit && !is_no_room(w, rc)) {
			fail(w, jobs + i, n - i, rc);
			return;
		}
		fail(w, jobs + i, 1, rc);
	}
}

static void process(struct writer *w, struct job **jobs, size_t n)
{
	bool at_commit;
	int rc = transact(w, jobs, n, &at_commit);

	if (!rc)
		return;
	note_failure(w, rc, at_commit);
	if (n == 1 || rc == MDB_PANIC || (at_commit && !is_no_room(w, rc))) {
		fail(w, jobs, n, rc);
		return;
	}
	log_why(LOG_WARNING, "queue.replay", "%s", mdb_strerror(rc));
	replay(w, jobs, n);
}

/* --- a batch ----------------------------------------------------------- */

static void sweep(struct writer *w)
{
	bool at_commit = false;
	int rc;

	w->since_sweep = 0;
	if (!w->txn.sweep_waits || atomic_load(&w->stopping))
		return;
	rc = txn_begin(&w->txn);
	if (!rc) {
		rc = body_sweep(&w->txn);
		if (rc)
			txn_abort(&w->txn);
		else
			rc = txn_commit(&w->txn, &at_commit);
	}
	if (!rc)
		return;
	note_failure(w, rc, at_commit);
	log_why(LOG_ERROR, "queue.failed", "sweep: %s", mdb_strerror(rc));
	w->txn.sweep_waits = false; /* until the next large removal */
}

static void hit_after_commit(struct job **jobs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (jobs[i]->result != STORE_OK)
			continue;
		if (jobs[i]->kind == JOB_ADD)
			(void)failpoint_hit("after-commit-before-250");
		if (jobs[i]->kind == JOB_SETTLE)
			(void)failpoint_hit("after-delivered-commit");
	}
}

static size_t count_messages(struct job **jobs, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += job_messages(jobs[i]);
	return sum;
}

size_t writer_run_batch(struct writer *w)
{
	size_t n;

	writer_append(w, mpsc_take(&w->inbox));
	n = pick(w);
	if (n == 0 || (w->txn.sweep_waits && ++w->since_sweep >= SWEEP_EVERY)) {
		if (w->txn.sweep_waits)
			sweep(w);
		if (n == 0)
			return 0;
	}
	histogram_add(&stats.commit_messages,
		      (double)count_messages(w->batch, n));
	w->reported = false;
	process(w, w->batch, n);
	if (w->reported)
		return n;
	hit_after_commit(w->batch, n);
	report(w, w->batch, n);
	slack_keep(w->txn.store);
	store_forget_readers(w->txn.store);
	return n;
}
