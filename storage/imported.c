#include "mxhold/storage/imported.h"

#include <string.h>

#include "mxhold/storage/key.h"
#include "mxhold/storage/snapshot.h"

enum {
	MARK_KEY = 1 + 8 + 4,
	TIME_KEY = 1 + 8 + 8 + 4,
	MARK_SIZE = 1 + 8 + 8,
};

static void mark_key(uint8_t k[MARK_KEY], uint64_t id, uint32_t crc)
{
	k[0] = 'i';
	be64_put(k + 1, id);
	be32_put(k + 9, crc);
}

static void time_key(uint8_t k[TIME_KEY], int64_t ms, uint64_t id, uint32_t crc)
{
	k[0] = 'j';
	be64_put(k + 1, key_time(ms));
	be64_put(k + 9, id);
	be32_put(k + 17, crc);
}

/* The message itself, under the id it always had. */
static bool is_here(struct store *s, MDB_txn *txn, const struct queue_past *p)
{
	struct message_record rec;
	uint8_t key[KEY_ID];
	MDB_val k = env_val(key, sizeof(key)), v;

	key_id(key, p->id);
	return mdb_get(txn, s->dbi[TABLE_MESSAGE], &k, &v) == 0 &&
	       record_decode_message(env_slice(&v), &rec) == 0 &&
	       rec.crc == p->crc && rec.size == p->size;
}

int imported_find(struct store *s, MDB_txn *txn, const struct queue_past *p,
		  uint64_t *id)
{
	uint8_t key[MARK_KEY];
	MDB_val k = env_val(key, sizeof(key)), v;
	int rc;

	*id = p->id;
	if (is_here(s, txn, p))
		return 0;
	*id = 0;
	mark_key(key, p->id, p->crc);
	rc = mdb_get(txn, s->dbi[TABLE_META], &k, &v);
	if (rc)
		return rc;
	if (v.mv_size != MARK_SIZE)
		return MDB_CORRUPTED;
	*id = be64_get((const uint8_t *)v.mv_data + 9);
	return 0;
}

int imported_put(struct txn *t, const struct queue_past *p, uint64_t id)
{
	uint8_t key[TIME_KEY], mark[MARK_SIZE] = {RECORD_VERSION};
	int rc;

	be64_put(mark + 1, key_time(t->wall_ms));
	be64_put(mark + 9, id);
	mark_key(key, p->id, p->crc);
	rc = txn_put(t, TABLE_META, env_val(key, MARK_KEY),
		     env_val(mark, sizeof(mark)));
	time_key(key, t->wall_ms, p->id, p->crc);
	return rc ? rc : txn_put_mark(t, TABLE_META, key, TIME_KEY);
}

/* The oldest mark: its key is copied, because what it lies on may move. */
static int oldest(struct store *s, MDB_txn *txn, uint8_t key[TIME_KEY])
{
	MDB_cursor *c;
	MDB_val k = env_val(key, TIME_KEY), v;
	int rc = mdb_cursor_open(txn, s->dbi[TABLE_META], &c);

	if (rc)
		return rc;
	time_key(key, 0, 0, 0);
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	if (!rc && (k.mv_size != TIME_KEY || *(uint8_t *)k.mv_data != 'j'))
		rc = MDB_NOTFOUND;
	if (!rc)
		memcpy(key, k.mv_data, TIME_KEY);
	mdb_cursor_close(c);
	return rc;
}

static int remove_row(struct store *s, MDB_txn *txn, const void *key, size_t n)
{
	MDB_val k = env_val(key, n);
	int rc = mdb_del(txn, s->dbi[TABLE_META], &k, NULL);

	return rc == MDB_NOTFOUND ? 0 : rc;
}

int imported_trim(struct store *s, MDB_txn *txn, int64_t before_ms,
		  uint32_t max, uint32_t *removed)
{
	uint8_t at[TIME_KEY], mark[MARK_KEY];
	int rc = 0;

	for (*removed = 0; *removed < max && !rc; (*removed)++) {
		rc = oldest(s, txn, at);
		if (rc || be64_get(at + 1) >= key_time(before_ms))
			break;
		mark_key(mark, be64_get(at + 9), be32_get(at + 17));
		rc = remove_row(s, txn, mark, sizeof(mark));
		if (!rc)
			rc = remove_row(s, txn, at, sizeof(at));
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int reader_imported(struct reader *r, const struct queue_past *p, uint64_t *id)
{
	int rc;

	if (snapshot_begin(r))
		return -1;
	rc = imported_find(r->store, r->txn, p, id);
	snapshot_end(r);
	return snapshot_result(rc);
}
