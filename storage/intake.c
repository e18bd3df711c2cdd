/*
 * Messages come in: whole, or in parts of which the last makes the message
 * (Q0 -> Q2, or Q0 -> Q1 -> Q2 in docs/queue.md), or never comes.
 */
#include <errno.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/id.h"
#include "mxhold/base/text.h"
#include "mxhold/storage/failpoint.h"
#include "mxhold/storage/imported.h"
#include "mxhold/storage/key.h"
#include "mxhold/storage/message.h"

static uint64_t new_id(struct txn *t)
{
	t->meta.last_id = id_next(t->meta.last_id, t->wall_ms);
	return t->meta.last_id;
}

/* The id goes into our trace line before content is summed and cut. */
static void fill_id(struct buf *body, size_t id_at, uint64_t id)
{
	char text[ID_TEXT_LEN + 1];

	if (id_at == SIZE_MAX)
		return;
	MX_ASSERT(id_at <= body->n && body->n - id_at >= ID_TEXT_LEN);
	id_format(id, text);
	memcpy(body->mem + body->start + id_at, text, ID_TEXT_LEN);
}

/* Content of one job: id, sum, chunks. up goes on. */
static int put_content(struct txn *t, struct upload *up, struct buf *body,
		       size_t id_at)
{
	struct slice content;

	if (!up->id)
		up->id = new_id(t);
	fill_id(body, id_at, up->id);
	content = buf_slice(body);
	up->crc = crc32c(up->crc, content.p, content.n);
	up->bytes += content.n;
	return body_put(t, up->id, &up->chunks, content);
}

/* Refused before anything is written: a full queue must still drain. */
static bool has_room(struct txn *t, const struct buf *body)
{
	struct store *s = t->store;
	uint64_t more = t->taken + body->n;

	return atomic_load(&s->used) + more <= s->max_bytes &&
	       store_map_has_room(s, more);
}

/* An upload that is under way has its row; else it was swept. */
static int check_incoming(struct txn *t, const struct upload *up)
{
	uint8_t key[KEY_ID];
	MDB_val v;

	key_id(key, up->id);
	return txn_get(t, TABLE_INCOMING, key, sizeof(key), &v);
}

int queue_part(struct txn *t, struct job_part *j)
{
	uint8_t key[KEY_ID], record[RECORD_SMALL_MAX];
	size_t n;
	int rc;

	MX_ASSERT(j->body.n % CHUNK_SIZE == 0);
	if (!has_room(t, &j->body)) {
		j->job.result = STORE_FULL;
		return 0;
	}
	rc = j->up.id ? check_incoming(t, &j->up) : 0;
	if (rc == MDB_NOTFOUND) {
		j->job.result = STORE_ABSENT;
		return 0;
	}
	if (!rc)
		rc = put_content(t, &j->up, &j->body, j->id_at);
	if (rc)
		return rc;
	key_id(key, j->up.id);
	n = record_encode_chunks(record, sizeof(record), j->up.chunks);
	return txn_put(t, TABLE_INCOMING, env_val(key, sizeof(key)),
		       env_val(record, n));
}

int queue_discard(struct txn *t, struct job_discard *j)
{
	struct upload up = {.id = j->id, .chunks = j->chunks};
	uint8_t key[KEY_ID];
	int rc = check_incoming(t, &up);

	if (rc == MDB_NOTFOUND) {
		j->job.result = STORE_ABSENT;
		return 0;
	}
	key_id(key, j->id);
	if (!rc)
		rc = txn_del(t, TABLE_INCOMING, key, sizeof(key));
	return rc ? rc : body_remove(t, j->id, j->chunks);
}

/* --- the envelope ------------------------------------------------------ */

static int64_t first_due(const struct job_add *j)
{
	return j->hold || j->quarantine
		       ? RECORD_NOT_DUE
		       : (int64_t)key_time(j->env->arrived_at_ms);
}

/* Entry of the recipient's destination, made when it is the first there. */
static int count_dest(struct txn *t, const struct job_add *j,
		      struct recipient_record *rec, struct message *m)
{
	struct record_dest entry = {.due_ms = first_due(j)};
	struct dest *dest;
	int rc = dest_by_name(t, j->report_dest ? DEST_REPORT : DEST_DOMAIN,
			      rec->rcpt.domain, &dest);

	if (rc)
		return rc;
	if (dest->mark != t->serial) {
		dest->mark = t->serial;
		dest->index = m->rec.n_dests++;
		entry.dest = dest->number;
		dest_add(t, dest, m->rec.size);
	} else {
		record_dest_get(m->dests, dest->index, &entry);
	}
	entry.open++;
	record_dest_set(m->dests, dest->index, &entry);
	rec->dest = dest->number;
	return 0;
}

/* Of one that was in a queue before: how far it had come. */
static struct recipient_record recipient_of(const struct job_add *j, size_t i)
{
	struct recipient_record rec = {.rcpt = j->env->rcpts[i]};
	const struct queue_rcpt *was;

	if (!j->past)
		return rec;
	was = &j->past->rcpts[i];
	rec.state = was->state;
	rec.kept = was->kept;
	rec.attempts = was->attempts;
	rec.last_attempt_ms = was->last_attempt_ms;
	rec.first_5xx_ms = was->first_5xx_ms;
	rec.reply = was->reply;
	rec.remote = was->remote;
	return rec;
}

/* What the history tells: where it comes from. */
static void describe_origin(const struct job_add *j, char out[INET_TEXT_MAX])
{
	out[0] = '\0';
	if (j->past)
		id_format(j->past->id, out);
	else if (j->env->client.addr.family)
		inet_format(&j->env->client.addr, out);
}

static int put_recipients(struct txn *t, const struct job_add *j,
			  struct message *m)
{
	enum history_what what = j->past ? HISTORY_IMPORTED : HISTORY_KEPT;
	char from[INET_TEXT_MAX];
	int rc = 0;

	t->serial++;
	describe_origin(j, from);
	for (size_t i = 0; i < j->env->n_rcpts && !rc; i++) {
		struct recipient_record rec = recipient_of(j, i);
		bool open = recipient_is_open(&rec);

		if (open)
			rc = count_dest(t, j, &rec, m);
		if (!rc)
			rc = recipient_save(t, m->id, (uint16_t)i, &rec);
		if (!rc && open)
			rc = message_history(t, m, what, rec.rcpt.address,
					     t->wall_ms, slice_str(from));
	}
	return rc;
}

/* Rows of due, age and expire. */
static int put_rows(struct txn *t, const struct message *m)
{
	uint8_t key[KEY_DUE];
	struct record_dest d;
	int rc = 0;

	for (size_t i = 0; i < m->rec.n_dests && !rc; i++) {
		record_dest_get(m->dests, i, &d);
		key_due(key, d.dest, m->rec.env.arrived_at_ms, m->id);
		rc = txn_put_mark(t, TABLE_AGE, key, sizeof(key));
		if (rc || d.due_ms == RECORD_NOT_DUE)
			continue;
		key_due(key, d.dest, d.due_ms, m->id);
		rc = txn_put_mark(t, TABLE_DUE, key, sizeof(key));
	}
	if (rc || !m->rec.expire_ms)
		return rc;
	key_expire(key, m->rec.expire_ms, m->id);
	return txn_put_mark(t, TABLE_EXPIRE, key, KEY_EXPIRE);
}

static int put_envelope(struct txn *t, const struct job_add *j)
{
	struct message m = {
		.id = j->up.id,
		.rec = {.env = *j->env,
			.size = j->up.bytes,
			.chunks = j->up.chunks,
			.crc = j->up.crc,
			.expire_ms = j->expire_ms,
			.held = j->hold,
			.quarantined = j->quarantine,
			.message_id = j->message_id,
			.reason = slice_str(j->reason ? j->reason : ""),
			.n_rcpts = (uint16_t)j->env->n_rcpts},
	};
	int rc;

	if (j->past) {
		m.rec.attempts = j->past->attempts;
		m.rec.maybe_duplicate = j->past->maybe_duplicate;
	}
	m.dests = t->new_dests;
	m.rec.dests = m.dests;
	rc = put_recipients(t, j, &m);
	if (!rc)
		rc = put_rows(t, &m);
	if (!rc)
		rc = failpoint_hit("envelope-put");
	if (!rc)
		rc = message_save(t, &m);
	if (!rc && j->past)
		rc = imported_put(t, j->past, j->up.id);
	t->meta.messages++;
	t->meta.bytes += m.rec.size;
	return rc;
}

static bool is_sound(const struct job_add *j)
{
	size_t open = j->env->n_rcpts;

	if (j->env->n_rcpts > QUEUE_RCPT_MAX)
		return false;
	for (size_t i = 0; j->past && i < j->env->n_rcpts; i++) {
		const struct queue_rcpt *r = &j->past->rcpts[i];

		open -= r->state != RCPT_PENDING && !r->kept;
	}
	return open > 0;
}

static int drop_parts(struct txn *t, const struct upload *up)
{
	uint8_t key[KEY_ID];
	int rc;

	if (!up->id)
		return 0;
	key_id(key, up->id);
	rc = txn_del(t, TABLE_INCOMING, key, sizeof(key));
	return rc ? rc : body_remove(t, up->id, up->chunks);
}

/* MDB_NOTFOUND: it is new here. */
static int find_twin(struct txn *t, struct job_add *j)
{
	int rc;

	if (!j->past)
		return MDB_NOTFOUND;
	rc = imported_find(t->store, t->mdb, j->past, &j->twin);
	return rc ? rc : drop_parts(t, &j->up);
}

int queue_add(struct txn *t, struct job_add *j)
{
	uint8_t key[KEY_ID];
	bool parts = j->up.id != 0;
	int rc;

	j->twin = 0;
	if ((!j->report_dest || j->past) && !has_room(t, &j->body)) {
		j->job.result = STORE_FULL;
		return 0;
	}
	if (!is_sound(j)) {
		j->job.result = STORE_FAILED;
		return 0;
	}
	rc = parts ? check_incoming(t, &j->up) : 0;
	if (rc == MDB_NOTFOUND) {
		j->job.result = STORE_ABSENT;
		return 0;
	}
	if (!rc) {
		rc = find_twin(t, j);
		if (rc != MDB_NOTFOUND)
			return rc;
		rc = put_content(t, &j->up, &j->body, j->id_at);
	}
	if (!rc)
		rc = put_envelope(t, j);
	if (rc || !parts)
		return rc;
	key_id(key, j->up.id);
	return txn_del(t, TABLE_INCOMING, key, sizeof(key));
}
