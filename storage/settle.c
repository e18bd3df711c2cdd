/*
 * What became of an attempt (Q2 -> Q2, Q3 or Q0), in one transaction: see
 * docs/queue.md.
 */
#include <stdio.h>

#include "mxhold/base/id.h"
#include "mxhold/storage/failpoint.h"
#include "mxhold/storage/message.h"

struct settling {
	struct txn *t;
	struct job_settle *job;
	struct message m;
	struct record_dest entry; /* of the destination asked */
	int i;                    /* its place in m */
};

static enum history_what settled_as(const struct job_settle *j,
				    enum settle what)
{
	if (what == SETTLE_DELIVERED)
		return HISTORY_FORWARDED;
	if (what == SETTLE_DEFERRED)
		return HISTORY_DEFERRED;
	if (j->quarantine)
		return HISTORY_HELD;
	return j->expired ? HISTORY_EXPIRED : HISTORY_FAILED;
}

static int put_history(struct settling *s, const struct recipient_record *r,
		       enum settle what)
{
	const struct job_settle *j = s->job;
	char text[HISTORY_TEXT_MAX];
	int n = snprintf(text, sizeof(text), "%s%s%.*s", j->primary,
			 j->primary[0] ? ": " : "", (int)r->reply.n,
			 r->reply.p);

	if (n >= (int)sizeof(text))
		n = (int)sizeof(text) - 1;
	return message_history(s->t, &s->m, settled_as(j, what),
			       r->rcpt.address, j->now_ms,
			       slice_make(text, n > 0 ? (size_t)n : 0));
}

static void mark_attempt(const struct job_settle *j,
			 const struct settle_rcpt *what,
			 struct recipient_record *r)
{
	if (!j->count_attempt)
		return;
	r->attempts++;
	r->last_attempt_ms = j->now_ms;
	if (what->reply[0] == '5' && r->first_5xx_ms == 0)
		r->first_5xx_ms = j->now_ms;
}

static void mark_state(struct settling *s, enum settle what,
		       struct recipient_record *r)
{
	if (what == SETTLE_DEFERRED)
		return;
	r->state = what == SETTLE_DELIVERED ? RCPT_DELIVERED : RCPT_FAILED;
	r->kept = what == SETTLE_FAILED && s->job->quarantine;
	if (!r->kept)
		s->entry.open--;
}

static int settle_one(struct settling *s, const struct settle_rcpt *what)
{
	struct recipient_record r;
	bool news;
	int rc = recipient_load(s->t, s->m.id, what->n, &r);

	if (!rc && what->what == SETTLE_DELIVERED)
		rc = failpoint_hit("after-primary-250-before-commit");
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : rc;
	if (r.dest != s->job->dest || r.state != RCPT_PENDING ||
	    s->entry.open == 0)
		return 0;
	mark_attempt(s->job, what, &r);
	mark_state(s, what->what, &r);
	/* The same deferral again and again is told once. */
	news = what->what != SETTLE_DEFERRED ||
	       !slice_eq(r.reply, slice_str(what->reply));
	r.reply = slice_str(what->reply);
	r.remote = slice_str(s->job->primary);
	rc = recipient_save(s->t, s->m.id, what->n, &r);
	if (rc || !news)
		return rc;
	return put_history(s, &r, what->what);
}

static int add_report(struct settling *s)
{
	struct job_add *report = s->job->report;
	char id[ID_TEXT_LEN + 1];
	int rc = failpoint_hit("dsn-put");

	report->job.result = STORE_OK;
	if (!rc)
		rc = queue_add(s->t, report);
	if (rc || report->job.result != STORE_OK)
		return rc ? rc : MDB_MAP_FULL;
	id_format(report->up.id, id);
	return message_history(s->t, &s->m, HISTORY_REPORTED,
			       report->env->rcpts[0].address, s->job->now_ms,
			       slice_str(id));
}

/* When the destination is to be asked again. */
static int set_next(struct settling *s)
{
	const struct job_settle *j = s->job;
	int64_t due = s->entry.due_ms;

	if (s->m.rec.held || s->m.rec.quarantined)
		return message_set_due_all(s->t, &s->m, RECORD_NOT_DUE);
	if (j->next_attempt_ms)
		due = j->next_attempt_ms;
	else if (due == RECORD_NOT_DUE)
		due = j->now_ms;
	return message_set_due(s->t, &s->m, s->i, due);
}

static int finish(struct settling *s)
{
	struct job_settle *j = s->job;
	int rc;

	record_dest_set(s->m.dests, (size_t)s->i, &s->entry);
	if (s->entry.open == 0)
		rc = message_close_dest(s->t, &s->m, s->i);
	else
		rc = set_next(s);
	if (rc)
		return rc;
	j->gone = s->m.rec.n_dests == 0;
	if (j->gone)
		return message_remove(s->t, &s->m);
	if (j->expire_ms)
		rc = message_set_expire(s->t, &s->m, j->expire_ms);
	return rc ? rc : message_save(s->t, &s->m);
}

static int settle(struct settling *s)
{
	struct job_settle *j = s->job;
	int rc = 0;

	for (size_t k = 0; k < j->n_rcpts && !rc; k++)
		rc = settle_one(s, &j->rcpts[k]);
	if (j->count_attempt)
		s->m.rec.attempts++;
	if (j->maybe_duplicate)
		s->m.rec.maybe_duplicate = true;
	if (j->quarantine)
		s->m.rec.quarantined = true;
	if (j->reason[0])
		s->m.rec.reason = slice_str(j->reason);
	if (!rc && j->report)
		rc = add_report(s);
	return rc ? rc : finish(s);
}

int queue_settle(struct txn *t, struct job_settle *j)
{
	struct settling s = {.t = t, .job = j};
	int rc = message_load(t, j->id, &s.m);

	j->gone = rc == MDB_NOTFOUND;
	if (!rc)
		s.i = message_find_dest(&s.m, j->dest);
	if (rc == MDB_NOTFOUND || (!rc && s.i < 0)) {
		j->job.result = STORE_ABSENT;
		return 0;
	}
	if (rc)
		return rc;
	record_dest_get(s.m.dests, (size_t)s.i, &s.entry);
	return settle(&s);
}
