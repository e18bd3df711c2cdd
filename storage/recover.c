/*
 * Half-received messages have chunks and a row in `incoming`, nothing else.
 * Nothing was promised about them. Their rows move to `sweep` in one small
 * transaction, as many as there were sessions; the writer removes the chunks
 * in slices when it has nothing else to do.
 */
#include <string.h>

#include "mxhold/storage/tables.h"

static int move_row(struct store *s, MDB_cursor *from, MDB_val *k, MDB_val *v)
{
	uint8_t key[64], value[64];
	MDB_val k2, v2;
	int rc;

	if (k->mv_size > sizeof(key) || v->mv_size > sizeof(value))
		return MDB_CORRUPTED;
	memcpy(key, k->mv_data, k->mv_size);
	memcpy(value, v->mv_data, v->mv_size);
	k2 = env_val(key, k->mv_size);
	v2 = env_val(value, v->mv_size);
	rc = mdb_cursor_del(from, 0);
	if (rc)
		return rc;
	return mdb_put(mdb_cursor_txn(from), s->dbi[TABLE_SWEEP], &k2, &v2, 0);
}

int recover(struct store *s, MDB_txn *txn)
{
	MDB_cursor *c;
	MDB_val k, v;
	int rc = mdb_cursor_open(txn, s->dbi[TABLE_INCOMING], &c);

	if (rc)
		return rc;
	while ((rc = mdb_cursor_get(c, &k, &v, MDB_FIRST)) == 0) {
		rc = move_row(s, c, &k, &v);
		if (rc)
			break;
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}
