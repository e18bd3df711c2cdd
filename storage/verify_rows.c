/*
 * The other way round: every row must belong to a message that names it.
 */
#include <string.h>

#include "mxhold/storage/key.h"
#include "mxhold/storage/verify_parts.h"

enum {
	ROWS_A_PAGE = 2000,
	MORE = 1,
	ENOUGH = 2
};

/* The message's record; false when there is none that can be read. */
static bool get_message(struct verify_walk *w, uint64_t id,
			struct message_record *rec)
{
	uint8_t key[KEY_ID];
	MDB_val v;

	key_id(key, id);
	return snapshot_get(w->v->r, TABLE_MESSAGE, key, sizeof(key), &v) ==
		       0 &&
	       record_decode_message(env_slice(&v), rec) == 0;
}

static bool get_entry(struct verify_walk *w, uint64_t id, uint32_t dest,
		      struct message_record *rec, struct record_dest *d)
{
	if (!get_message(w, id, rec))
		return false;
	for (size_t i = 0; i < rec->n_dests; i++) {
		record_dest_get(rec->dests, i, d);
		if (d->dest == dest)
			return true;
	}
	return false;
}

static void orphan(struct verify_walk *w, uint64_t id)
{
	verify_message_problem(w->v, id, "a row in %s that nothing names",
			       table_name(w->table));
}

static void check_due(struct verify_walk *w, const uint8_t *key)
{
	struct message_record rec;
	struct record_dest d;
	uint64_t id = be64_get(key + 12);

	w->v->out->due_rows++;
	if (!get_entry(w, id, be32_get(key), &rec, &d) ||
	    d.due_ms == RECORD_NOT_DUE ||
	    (uint64_t)d.due_ms != be64_get(key + 4))
		orphan(w, id);
}

static void check_age(struct verify_walk *w, const uint8_t *key)
{
	struct message_record rec;
	struct record_dest d;
	uint64_t id = be64_get(key + 12);

	if (!get_entry(w, id, be32_get(key), &rec, &d) ||
	    key_time(rec.env.arrived_at_ms) != be64_get(key + 4))
		orphan(w, id);
}

static void check_expire(struct verify_walk *w, const uint8_t *key)
{
	struct message_record rec;
	uint64_t id = be64_get(key + 8);

	if (!get_message(w, id, &rec) || rec.expire_ms == 0 ||
	    key_time(rec.expire_ms) != be64_get(key))
		orphan(w, id);
}

static void check_recipient(struct verify_walk *w, const uint8_t *key)
{
	struct message_record rec;
	uint64_t id = be64_get(key);

	if (!get_message(w, id, &rec) || be16_get(key + 8) >= rec.n_rcpts)
		orphan(w, id);
}

/* Content belongs to a message, or is coming in, or waits for the sweeper.
 * One look an id: how many chunks there are, the message's look knows. */
static void check_body(struct verify_walk *w, const uint8_t *key)
{
	uint64_t id = be64_get(key);
	MDB_val v;

	if (snapshot_get(w->v->r, TABLE_MESSAGE, key, KEY_ID, &v) &&
	    snapshot_get(w->v->r, TABLE_INCOMING, key, KEY_ID, &v) &&
	    snapshot_get(w->v->r, TABLE_SWEEP, key, KEY_ID, &v))
		orphan(w, id);
	key_body(w->key, id, UINT32_MAX);
	w->kn = KEY_BODY;
}

static int take_row(void *data, const MDB_val *k, const MDB_val *v)
{
	struct verify_walk *w = data;
	const uint8_t *key = k->mv_data;

	if (w->first && key[0] != w->first)
		return ENOUGH;
	if (k->mv_size > KEY_DEST_MAX ||
	    (w->key_size && k->mv_size != w->key_size)) {
		verify_problem(w->v, "a key of %zu octets in %s", k->mv_size,
			       table_name(w->table));
		return MDB_CORRUPTED;
	}
	memcpy(w->key, key, k->mv_size);
	w->kn = k->mv_size;
	w->value = v;
	w->check(w, key);
	w->rows++;
	return w->rows >= ROWS_A_PAGE || w->table == TABLE_BODY ? MORE : 0;
}

/* The key just after this one: the same, with a NUL behind it. */
static void step(struct verify_walk *w)
{
	w->key[w->kn++] = 0;
}

int verify_walk(struct verify_walk *w)
{
	struct reader *r = w->v->r;
	int rc = MORE;

	w->key[0] = w->first; /* one octet: before every row */
	w->kn = 1;
	while (rc == MORE) {
		if (w->rows >= ROWS_A_PAGE || w->rows == 0) {
			w->rows = 0;
			if (snapshot_begin(r))
				return -1;
		}
		rc = snapshot_walk(r, w->table, env_val(w->key, w->kn),
				   take_row, w);
		step(w);
		if (rc != MORE || w->rows >= ROWS_A_PAGE)
			snapshot_end(r);
	}
	return rc == 0 || rc == ENOUGH || rc == MDB_CORRUPTED ? 0 : -1;
}

static int walk(struct verify *v, enum table table, size_t key_size,
		void (*check)(struct verify_walk *w, const uint8_t *key))
{
	struct verify_walk w = {
		.v = v, .check = check, .key_size = key_size, .table = table};

	return verify_walk(&w);
}

int verify_rows(struct verify *v)
{
	if (walk(v, TABLE_RECIPIENT, KEY_RCPT, check_recipient) ||
	    walk(v, TABLE_BODY, KEY_BODY, check_body) ||
	    walk(v, TABLE_DUE, KEY_DUE, check_due) ||
	    walk(v, TABLE_AGE, KEY_DUE, check_age) ||
	    walk(v, TABLE_EXPIRE, KEY_EXPIRE, check_expire))
		return -1;
	return 0;
}
