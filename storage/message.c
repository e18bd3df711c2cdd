#include "mxhold/storage/message.h"

#include <errno.h>

#include "mxhold/base/assert.h"
#include "mxhold/storage/key.h"

int message_load(struct txn *t, uint64_t id, struct message *m)
{
	uint8_t key[KEY_ID];
	MDB_val v;
	int rc;

	key_id(key, id);
	rc = txn_get(t, TABLE_MESSAGE, key, sizeof(key), &v);
	if (rc)
		return rc;
	if (v.mv_size > RECORD_MESSAGE_MAX)
		return MDB_CORRUPTED;
	/* LMDB's page may move with the next put. */
	memcpy(t->raw, v.mv_data, v.mv_size);
	if (record_decode_message(slice_make(t->raw, v.mv_size), &m->rec))
		return MDB_CORRUPTED;
	m->id = id;
	m->dests = t->raw + (m->rec.dests - t->raw);
	return 0;
}

int message_put(struct txn *t, uint64_t id, const struct message_record *m)
{
	uint8_t key[KEY_ID];
	size_t n = record_encode_message(t->out, RECORD_MESSAGE_MAX, m);

	if (n == 0)
		return EINVAL;
	key_id(key, id);
	return txn_put(t, TABLE_MESSAGE, env_val(key, sizeof(key)),
		       env_val(t->out, n));
}

int message_save(struct txn *t, struct message *m)
{
	return message_put(t, m->id, &m->rec);
}

int recipient_load(struct txn *t, uint64_t id, uint16_t n,
		   struct recipient_record *r)
{
	uint8_t key[KEY_RCPT];
	MDB_val v;
	int rc;

	key_rcpt(key, id, n);
	rc = txn_get(t, TABLE_RECIPIENT, key, sizeof(key), &v);
	if (rc)
		return rc;
	if (v.mv_size > RECORD_RCPT_MAX)
		return MDB_CORRUPTED;
	memcpy(t->raw_rcpt, v.mv_data, v.mv_size);
	rc = record_decode_recipient(slice_make(t->raw_rcpt, v.mv_size), r);
	return rc ? MDB_CORRUPTED : 0;
}

int recipient_save(struct txn *t, uint64_t id, uint16_t n,
		   const struct recipient_record *r)
{
	uint8_t key[KEY_RCPT];
	size_t len = record_encode_recipient(t->out, RECORD_RCPT_MAX, r);

	if (len == 0)
		return EINVAL;
	key_rcpt(key, id, n);
	return txn_put(t, TABLE_RECIPIENT, env_val(key, sizeof(key)),
		       env_val(t->out, len));
}

int message_find_dest(const struct message *m, uint32_t dest)
{
	struct record_dest d;

	for (int i = 0; i < m->rec.n_dests; i++) {
		record_dest_get(m->dests, (size_t)i, &d);
		if (d.dest == dest)
			return i;
	}
	return -1;
}

int message_set_due(struct txn *t, struct message *m, int i, int64_t due_ms)
{
	uint8_t key[KEY_DUE];
	struct record_dest d;
	int rc = 0;

	record_dest_get(m->dests, (size_t)i, &d);
	if (due_ms != RECORD_NOT_DUE)
		due_ms = (int64_t)key_time(due_ms);
	if (d.due_ms == due_ms)
		return 0;
	if (d.due_ms != RECORD_NOT_DUE) {
		key_due(key, d.dest, d.due_ms, m->id);
		rc = txn_del(t, TABLE_DUE, key, sizeof(key));
	}
	if (!rc && due_ms != RECORD_NOT_DUE) {
		key_due(key, d.dest, due_ms, m->id);
		rc = txn_put_mark(t, TABLE_DUE, key, sizeof(key));
	}
	d.due_ms = due_ms;
	record_dest_set(m->dests, (size_t)i, &d);
	return rc;
}

int message_set_due_all(struct txn *t, struct message *m, int64_t due_ms)
{
	int rc = 0;

	for (int i = 0; i < m->rec.n_dests && !rc; i++)
		rc = message_set_due(t, m, i, due_ms);
	return rc;
}

int message_set_expire(struct txn *t, struct message *m, int64_t expire_ms)
{
	uint8_t key[KEY_EXPIRE];
	int rc = 0;

	if (expire_ms == m->rec.expire_ms)
		return 0;
	if (m->rec.expire_ms) {
		key_expire(key, m->rec.expire_ms, m->id);
		rc = txn_del(t, TABLE_EXPIRE, key, sizeof(key));
	}
	if (!rc && expire_ms) {
		key_expire(key, expire_ms, m->id);
		rc = txn_put_mark(t, TABLE_EXPIRE, key, sizeof(key));
	}
	m->rec.expire_ms = expire_ms;
	return rc;
}

int message_close_dest(struct txn *t, struct message *m, int i)
{
	uint8_t key[KEY_DUE];
	struct record_dest d;
	struct dest *dest;
	uint8_t *entry = m->dests + (size_t)i * RECORD_DEST_SIZE;
	int rc = message_set_due(t, m, i, RECORD_NOT_DUE);

	record_dest_get(m->dests, (size_t)i, &d);
	key_due(key, d.dest, m->rec.env.arrived_at_ms, m->id);
	if (!rc)
		rc = txn_del(t, TABLE_AGE, key, sizeof(key));
	if (!rc)
		rc = dest_by_number(t, d.dest, &dest);
	if (!rc)
		dest_subtract(t, dest, m->rec.size);
	else if (rc != MDB_NOTFOUND)
		return rc;
	m->rec.n_dests--;
	memmove(entry, entry + RECORD_DEST_SIZE,
		(size_t)(m->rec.n_dests - i) * RECORD_DEST_SIZE);
	return 0;
}

static int remove_recipients(struct txn *t, struct message *m)
{
	uint8_t key[KEY_RCPT];
	int rc = 0;

	for (uint16_t n = 0; n < m->rec.n_rcpts && !rc; n++) {
		key_rcpt(key, m->id, n);
		rc = txn_del(t, TABLE_RECIPIENT, key, sizeof(key));
	}
	return rc;
}

int message_remove(struct txn *t, struct message *m)
{
	uint8_t key[KEY_ID];
	int rc = 0;

	while (m->rec.n_dests && !rc)
		rc = message_close_dest(t, m, m->rec.n_dests - 1);
	if (!rc)
		rc = message_set_expire(t, m, 0);
	if (!rc)
		rc = remove_recipients(t, m);
	key_id(key, m->id);
	if (!rc)
		rc = txn_del(t, TABLE_MESSAGE, key, sizeof(key));
	if (!rc)
		rc = body_remove(t, m->id, m->rec.chunks);
	t->meta.messages -= t->meta.messages ? 1 : 0;
	t->meta.bytes -= MX_MIN(t->meta.bytes, m->rec.size);
	return rc;
}

int message_history(struct txn *t, const struct message *m,
		    enum history_what what, struct slice rcpt, int64_t at_ms,
		    struct slice text)
{
	struct history_row row = {
		.at_ms = at_ms,
		.id = m->id,
		.what = what,
		.sender = m->rec.env.sender,
		.rcpt = rcpt,
		.message_id = m->rec.message_id,
		.text = text,
	};

	return history_put(t, &row);
}
