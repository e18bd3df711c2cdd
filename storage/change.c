/*
 * An operator's word on messages: hold, release, retry, delete, quarantine,
 * give up.
 */
#include "mxhold/storage/failpoint.h"
#include "mxhold/storage/message.h"

/* A history row for every recipient that is still open; damaged ones do not
 * keep the message from leaving. */
static int tell(struct txn *t, const struct message *m,
		const struct job_change *j, enum history_what what)
{
	struct recipient_record r;
	int rc = 0;

	for (uint16_t n = 0; n < m->rec.n_rcpts && !rc; n++) {
		rc = recipient_load(t, m->id, n, &r);
		if (rc == MDB_NOTFOUND || rc == MDB_CORRUPTED) {
			rc = 0;
			continue;
		}
		if (!rc && recipient_is_open(&r))
			rc = message_history(t, m, what, r.rcpt.address,
					     j->now_ms, slice_str(j->reason));
	}
	return rc;
}

static int save(struct txn *t, struct message *m, const struct job_change *j)
{
	int rc = 0;

	m->rec.reason = slice_str(j->reason);
	if (j->expire_ms)
		rc = message_set_expire(t, m, j->expire_ms);
	return rc ? rc : message_save(t, m);
}

static int stop(struct txn *t, struct message *m, const struct job_change *j)
{
	int rc;

	if (j->change == CHANGE_HOLD)
		m->rec.held = true;
	else
		m->rec.quarantined = true;
	rc = message_set_due_all(t, m, RECORD_NOT_DUE);
	if (!rc)
		rc = tell(t, m, j, HISTORY_HELD);
	return rc ? rc : save(t, m, j);
}

/* What failed but was kept is to be tried again. */
static int revive(struct txn *t, const struct message *m)
{
	struct recipient_record r;
	int rc = 0;

	for (uint16_t n = 0; n < m->rec.n_rcpts && !rc; n++) {
		rc = recipient_load(t, m->id, n, &r);
		if (rc || !r.kept)
			continue;
		r.kept = false;
		r.state = RCPT_PENDING;
		rc = recipient_save(t, m->id, n, &r);
	}
	return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
}

static int release(struct txn *t, struct message *m, const struct job_change *j)
{
	int rc = m->rec.quarantined ? revive(t, m) : 0;

	m->rec.held = m->rec.quarantined = false;
	m->rec.given_up = m->rec.told = false;
	if (!rc)
		rc = message_set_due_all(t, m, j->now_ms);
	if (!rc)
		rc = tell(t, m, j, HISTORY_RELEASED);
	return rc ? rc : save(t, m, j);
}

/* No attempt comes between: it is held until its row in `expire`, which is due
 * at once, is met. */
static int give_up(struct txn *t, struct message *m, const struct job_change *j)
{
	int rc = m->rec.quarantined ? revive(t, m) : 0;

	m->rec.quarantined = false;
	m->rec.held = m->rec.given_up = true;
	m->rec.told = j->change == CHANGE_BOUNCE;
	if (!rc)
		rc = message_set_due_all(t, m, RECORD_NOT_DUE);
	if (!rc)
		rc = message_set_expire(t, m, j->now_ms);
	return rc ? rc : message_save(t, m);
}

static int extend(struct txn *t, struct message *m, const struct job_change *j)
{
	int rc = message_set_expire(t, m, j->expire_ms);

	return rc ? rc : message_save(t, m);
}

static int retry(struct txn *t, struct message *m, const struct job_change *j)
{
	int rc = message_set_due_all(t, m, j->now_ms);

	return rc ? rc : message_save(t, m);
}

static int remove_message(struct txn *t, struct message *m,
			  const struct job_change *j)
{
	int rc = tell(t, m, j, HISTORY_REMOVED);

	if (!rc)
		rc = failpoint_hit("delete-batch");
	return rc ? rc : message_remove(t, m);
}

/* Is the message in a state that the change would leave? */
static bool applies(const struct message *m, enum change change)
{
	bool stopped = m->rec.held || m->rec.quarantined;

	switch (change) {
	case CHANGE_HOLD:
		return !m->rec.held;
	case CHANGE_RELEASE:
		return stopped;
	case CHANGE_RETRY:
		return !stopped;
	case CHANGE_QUARANTINE:
		return !m->rec.quarantined;
	case CHANGE_EXTEND:
		return !stopped;
	case CHANGE_DELETE:
	case CHANGE_EXPIRE:
	case CHANGE_BOUNCE:
		break;
	}
	return true;
}

static int change_one(struct txn *t, struct message *m,
		      const struct job_change *j)
{
	switch (j->change) {
	case CHANGE_RELEASE:
		return release(t, m, j);
	case CHANGE_RETRY:
		return retry(t, m, j);
	case CHANGE_DELETE:
		return remove_message(t, m, j);
	case CHANGE_EXPIRE:
	case CHANGE_BOUNCE:
		return give_up(t, m, j);
	case CHANGE_EXTEND:
		return extend(t, m, j);
	case CHANGE_HOLD:
	case CHANGE_QUARANTINE:
		break;
	}
	return stop(t, m, j);
}

int queue_change(struct txn *t, struct job_change *j)
{
	struct message m;
	int rc = 0;

	j->changed = j->bytes = 0;
	for (size_t i = 0; i < j->n; i++) {
		j->done[i] = false;
		rc = message_load(t, j->ids[i], &m);
		if (rc == MDB_NOTFOUND || (!rc && !applies(&m, j->change)))
			continue;
		if (!rc)
			rc = change_one(t, &m, j);
		if (rc)
			return rc;
		j->done[i] = true;
		j->changed++;
		j->bytes += m.rec.size;
	}
	return 0;
}
