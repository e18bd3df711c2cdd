#include "mxhold/storage/txn.h"

#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/clock.h"
#include "mxhold/base/id.h"
#include "mxhold/base/mem.h"
#include "mxhold/storage/failpoint.h"
#include "mxhold/storage/key.h"

static int read_state(struct txn *t, MDB_txn *mdb)
{
	struct store *s = t->store;
	uint8_t key[16];
	MDB_val k = env_val(key, key_meta(key)), v;
	MDB_stat st;
	int rc = mdb_get(mdb, s->dbi[TABLE_META], &k, &v);

	if (rc == 0 && record_decode_meta(env_slice(&v), &t->committed))
		rc = MDB_CORRUPTED;
	if (rc && rc != MDB_NOTFOUND)
		return rc;
	rc = mdb_stat(mdb, s->dbi[TABLE_SWEEP], &st);
	t->sweep_waits = rc == 0 && st.ms_entries > 0;
	return rc;
}

int txn_init(struct txn *t, struct store *s, struct error *err)
{
	MDB_txn *mdb;
	int rc;

	memset(t, 0, sizeof(*t));
	t->store = s;
	map_init(&t->by_name);
	map_init(&t->by_number);
	t->raw = mem_alloc(RECORD_MESSAGE_MAX);
	t->raw_rcpt = mem_alloc(RECORD_RCPT_MAX);
	t->out = mem_alloc(RECORD_MESSAGE_MAX);
	t->new_dests = mem_alloc(QUEUE_RCPT_MAX * RECORD_DEST_SIZE);
	rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &mdb);
	if (!rc) {
		rc = read_state(t, mdb);
		mdb_txn_abort(mdb);
	}
	return rc ? env_error(err, rc, "the queue's state record") : 0;
}

void txn_done(struct txn *t)
{
	dests_forget(t);
	map_done(&t->by_name, NULL);
	map_done(&t->by_number, NULL);
	mem_free(t->raw);
	mem_free(t->raw_rcpt);
	mem_free(t->out);
	mem_free(t->new_dests);
}

int txn_begin(struct txn *t)
{
	t->meta = t->committed;
	t->dirty = NULL;
	t->chunks_left = SWEEP_SLICE;
	t->taken = 0;
	t->wall_ms = clock_wall_ms();
	return mdb_txn_begin(t->store->env, NULL, 0, &t->mdb);
}

void txn_abort(struct txn *t)
{
	if (t->mdb)
		mdb_txn_abort(t->mdb);
	t->mdb = NULL;
	dests_forget(t);
}

static bool is_as_before(const struct meta_record *a,
			 const struct meta_record *b)
{
	return a->last_id == b->last_id && a->last_history == b->last_history &&
	       a->last_dest == b->last_dest && a->messages == b->messages &&
	       a->bytes == b->bytes;
}

static int put_state(struct txn *t)
{
	uint8_t key[16], record[RECORD_SMALL_MAX];
	size_t n;

	if (is_as_before(&t->meta, &t->committed))
		return 0;
	n = record_encode_meta(record, sizeof(record), &t->meta);
	return txn_put(t, TABLE_META, env_val(key, key_meta(key)),
		       env_val(record, n));
}

static int commit(struct txn *t)
{
	int rc = failpoint_hit("before-commit");

	if (rc) {
		mdb_txn_abort(t->mdb);
		return rc;
	}
	return mdb_txn_commit(t->mdb);
}

int txn_commit(struct txn *t, bool *at_commit)
{
	int rc = dests_flush(t);
	uint64_t used;

	if (!rc)
		rc = put_state(t);
	if (rc) {
		txn_abort(t);
		return rc;
	}
	used = tables_used(t->store, t->mdb);
	rc = commit(t);
	t->mdb = NULL;
	if (rc) {
		*at_commit = true;
		dests_forget(t);
		return rc;
	}
	t->committed = t->meta;
	atomic_store(&t->store->used, used);
	return 0;
}

int txn_put(struct txn *t, enum table table, MDB_val k, MDB_val v)
{
	MDB_dbi dbi = t->store->dbi[table];
	int rc = mdb_put(t->mdb, dbi, &k, &v, MDB_APPEND);

	if (rc != MDB_KEYEXIST)
		return rc;
	/* Some greater key is there; nothing was changed yet. */
	return mdb_put(t->mdb, dbi, &k, &v, 0);
}

int txn_put_mark(struct txn *t, enum table table, const void *k, size_t kn)
{
	static const uint8_t version = RECORD_VERSION;

	return txn_put(t, table, env_val(k, kn), env_val(&version, 1));
}

int txn_get(struct txn *t, enum table table, const void *k, size_t kn,
	    MDB_val *v)
{
	MDB_val key = env_val(k, kn);

	return mdb_get(t->mdb, t->store->dbi[table], &key, v);
}

int txn_del(struct txn *t, enum table table, const void *k, size_t kn)
{
	MDB_val key = env_val(k, kn);
	int rc = mdb_del(t->mdb, t->store->dbi[table], &key, NULL);

	return rc == MDB_NOTFOUND ? 0 : rc;
}

int history_put(struct txn *t, const struct history_row *row)
{
	uint8_t key[KEY_ID], record[RECORD_HISTORY_MAX];
	size_t n;

	t->meta.last_history = id_next(t->meta.last_history, row->at_ms);
	key_id(key, t->meta.last_history);
	n = record_encode_history(record, sizeof(record), t->meta.last_history,
				  row);
	MX_ASSERT(n > 0);
	return txn_put(t, TABLE_HISTORY, env_val(key, sizeof(key)),
		       env_val(record, n));
}
