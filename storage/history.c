#include "mxhold/storage/history.h"

#include <errno.h>
#include <string.h>

#include "mxhold/storage/imported.h"
#include "mxhold/storage/key.h"
#include "mxhold/storage/snapshot.h"

/* --- reading ----------------------------------------------------------- */

static int copy_row(const MDB_val *k, const MDB_val *v, struct arena *arena,
		    struct history_row *out)
{
	struct slice copy;

	if (k->mv_size != KEY_ID)
		return MDB_CORRUPTED;
	copy = arena_dup(arena, env_slice(v));
	if (!copy.p)
		return ENOMEM;
	if (record_decode_history(copy, be64_get(k->mv_data), out))
		return MDB_CORRUPTED;
	return 0;
}

/* Puts c on the newest row below `before`; 0 = the newest of all. */
static int seek_below(MDB_cursor *c, uint64_t before, MDB_val *k, MDB_val *v)
{
	uint8_t key[KEY_ID];
	int rc;

	if (before == 0)
		return mdb_cursor_get(c, k, v, MDB_LAST);
	key_id(key, before);
	*k = env_val(key, sizeof(key));
	rc = mdb_cursor_get(c, k, v, MDB_SET_RANGE);
	if (rc == MDB_NOTFOUND)
		return mdb_cursor_get(c, k, v, MDB_LAST);
	return rc ? rc : mdb_cursor_get(c, k, v, MDB_PREV);
}

static int read_page(struct reader *r, uint64_t *before, struct arena *arena,
		     struct history_row *out, size_t *n, size_t room)
{
	MDB_cursor *c;
	MDB_val k, v;
	int rc = snapshot_cursor(r, TABLE_HISTORY, &c);

	if (rc)
		return rc;
	rc = seek_below(c, *before, &k, &v);
	while (!rc && *n < room) {
		rc = copy_row(&k, &v, arena, &out[*n]);
		if (rc)
			break;
		(*n)++;
		*before = be64_get(k.mv_data);
		rc = mdb_cursor_get(c, &k, &v, MDB_PREV);
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int history_read(struct reader *r, uint64_t *before, struct arena *arena,
		 struct history_row *out, size_t *n)
{
	size_t room = *n;
	int rc;

	*n = 0;
	if (snapshot_begin(r))
		return -1;
	rc = read_page(r, before, arena, out, n, room);
	snapshot_end(r);
	if (rc)
		return -1;
	return *n ? 0 : 1;
}

/* --- trimming ---------------------------------------------------------- */

static int trim(struct history_trim *trim, MDB_cursor *c)
{
	MDB_val k, v;
	int rc = mdb_cursor_get(c, &k, &v, MDB_FIRST);

	while (!rc) {
		if (k.mv_size != KEY_ID)
			return MDB_CORRUPTED;
		/* Keys are milliseconds times 2^20 (base/id.h). */
		if (be64_get(k.mv_data) >> 20 >= key_time(trim->before_ms))
			return 0;
		if (trim->removed == HISTORY_TRIM_SLICE) {
			trim->more = true;
			return 0;
		}
		rc = mdb_cursor_del(c, 0);
		trim->removed++;
		if (!rc)
			rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static enum store_result run(struct job_call *call, void *txn, struct store *s)
{
	struct history_trim *t =
		MX_CONTAINER_OF(call, struct history_trim, call);
	uint32_t marks = 0;
	MDB_cursor *c;
	int rc = mdb_cursor_open(txn, s->dbi[TABLE_HISTORY], &c);

	t->removed = 0;
	t->more = false;
	if (!rc) {
		rc = trim(t, c);
		mdb_cursor_close(c);
	}
	if (!rc)
		rc = imported_trim(s, txn, t->before_ms, HISTORY_TRIM_SLICE,
				   &marks);
	t->more = t->more || marks == HISTORY_TRIM_SLICE;
	if (rc == MDB_MAP_FULL)
		return STORE_FULL;
	return rc ? STORE_FAILED : STORE_OK;
}

void history_trim_job(struct history_trim *t, int64_t before_ms)
{
	memset(t, 0, sizeof(*t));
	t->call.job.kind = JOB_CALL;
	t->call.call = run;
	t->before_ms = before_ms;
}
