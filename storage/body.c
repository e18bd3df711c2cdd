/*
 * Content in numbered chunks of one page each, the last one shorter. Chunks
 * of a large message are removed in slices: its id stands in `sweep` until
 * the last is gone, so that a crash between two slices loses nothing.
 */
#include "mxhold/storage/failpoint.h"
#include "mxhold/storage/key.h"
#include "mxhold/storage/txn.h"

int body_put(struct txn *t, uint64_t id, uint32_t *chunk, struct slice body)
{
	uint8_t key[KEY_BODY];
	int rc = 0;

	t->taken += body.n;
	while (body.n && !rc) {
		struct slice part = slice_head(body, CHUNK_SIZE);

		rc = failpoint_hit("chunk-put");
		if (rc)
			break;
		key_body(key, id, (*chunk)++);
		rc = txn_put(t, TABLE_BODY, env_val(key, sizeof(key)),
			     env_val(part.p, part.n));
		body = slice_skip(body, CHUNK_SIZE);
	}
	return rc;
}

/* Deletes what cursor c meets of id, up to the slice's rest. */
static int remove_with(struct txn *t, MDB_cursor *c, uint64_t id, bool *all)
{
	uint8_t key[KEY_BODY];
	MDB_val k, v;
	int rc;

	key_body(key, id, 0);
	k = env_val(key, sizeof(key));
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	while (!rc && k.mv_size == KEY_BODY && be64_get(k.mv_data) == id) {
		if (t->chunks_left == 0) {
			*all = false;
			return 0;
		}
		t->chunks_left--;
		rc = mdb_cursor_del(c, 0);
		if (!rc)
			rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* *all is false when chunks of it are left for another transaction. */
static int remove_some(struct txn *t, uint64_t id, bool *all)
{
	MDB_cursor *c;
	int rc = mdb_cursor_open(t->mdb, t->store->dbi[TABLE_BODY], &c);

	*all = true;
	if (rc)
		return rc;
	rc = remove_with(t, c, id, all);
	mdb_cursor_close(c);
	return rc;
}

static int put_in_sweep(struct txn *t, uint64_t id, uint32_t chunks)
{
	uint8_t key[KEY_ID], record[RECORD_SMALL_MAX];
	size_t n = record_encode_chunks(record, sizeof(record), chunks);

	key_id(key, id);
	t->sweep_waits = true;
	return txn_put(t, TABLE_SWEEP, env_val(key, sizeof(key)),
		       env_val(record, n));
}

int body_remove(struct txn *t, uint64_t id, uint32_t chunks)
{
	bool all;

	if (chunks > t->chunks_left)
		return put_in_sweep(t, id, chunks);
	return remove_some(t, id, &all);
}

/* The first id that waits; MDB_NOTFOUND when none does. */
static int first_in_sweep(struct txn *t, uint64_t *id)
{
	MDB_cursor *c;
	MDB_val k, v;
	int rc = mdb_cursor_open(t->mdb, t->store->dbi[TABLE_SWEEP], &c);

	if (rc)
		return rc;
	rc = mdb_cursor_get(c, &k, &v, MDB_FIRST);
	if (!rc && k.mv_size != KEY_ID)
		rc = MDB_CORRUPTED;
	if (!rc)
		*id = be64_get(k.mv_data);
	mdb_cursor_close(c);
	return rc;
}

int body_sweep(struct txn *t)
{
	uint8_t key[KEY_ID];
	uint64_t id;
	bool all;
	int rc = 0;

	while (t->chunks_left) {
		rc = first_in_sweep(t, &id);
		if (rc)
			break;
		rc = remove_some(t, id, &all);
		if (rc || !all)
			break;
		key_id(key, id);
		rc = txn_del(t, TABLE_SWEEP, key, sizeof(key));
		if (rc)
			break;
		if (t->chunks_left)
			t->chunks_left--; /* the row counts as one */
	}
	if (rc != MDB_NOTFOUND)
		return rc;
	t->sweep_waits = false;
	return 0;
}
