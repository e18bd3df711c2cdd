#include "mxhold/storage/upgrade.h"

#include "mxhold/storage/record.h"

/* Version 1 is the first: nothing leads to it. */
const struct upgrade_path upgrade_path = {NULL, 0};

_Static_assert(FORMAT_VERSION == 1, "a new format wants a step to it");

static uint32_t newest(const struct upgrade_path *path)
{
	return (uint32_t)path->n + 1;
}

static int is_newer(const char *what, uint32_t found, uint32_t known,
		    struct error *err)
{
	return error_set(err,
			 "the queue was written by a newer version of this "
			 "program (%s %u, this one knows %u)",
			 what, found, known);
}

/* Every record of `meta` begins with its version. */
static int check_version(const MDB_val *v, const char *what, struct error *err)
{
	const uint8_t *p = v->mv_data;

	if (v->mv_size == 0)
		return error_set(err, "the %s record is damaged", what);
	if (*p > RECORD_VERSION)
		return is_newer("record version", *p, RECORD_VERSION, err);
	return 0;
}

static int check_state(struct store *s, MDB_txn *txn, struct error *err)
{
	uint8_t key[16];
	MDB_val k = env_val(key, key_meta(key)), v;
	int rc = mdb_get(txn, s->dbi[TABLE_META], &k, &v);

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return env_error(err, rc, "the state record");
	return check_version(&v, "state", err);
}

static int put_format(struct store *s, MDB_txn *txn, uint32_t version,
		      struct error *err)
{
	uint8_t record[RECORD_SMALL_MAX];
	MDB_val k = env_val("format", 6);
	MDB_val v = env_val(
		record, record_encode_chunks(record, sizeof(record), version));
	int rc = mdb_put(txn, s->dbi[TABLE_META], &k, &v, 0);

	return rc ? env_error(err, rc, "the format record") : 0;
}

static int upgrade(struct store *s, MDB_txn *txn,
		   const struct upgrade_path *path, uint32_t from,
		   struct error *err)
{
	int rc = 0;

	if (from == 0)
		return error_set(err, "the format record is damaged");
	if (s->read_only)
		return error_set(err,
				 "the queue has format %u, which the daemon "
				 "brings up to %u when it starts",
				 from, newest(path));
	for (uint32_t v = from; v < newest(path) && !rc; v++)
		rc = path->steps[v - 1](s, txn);
	if (rc)
		return env_error(err, rc,
				 "the queue cannot be brought from format %u "
				 "to %u; it is as it was",
				 from, newest(path));
	return put_format(s, txn, newest(path), err);
}

int upgrade_check(struct store *s, MDB_txn *txn,
		  const struct upgrade_path *path, struct error *err)
{
	MDB_val k = env_val("format", 6), v;
	uint32_t version;
	int rc = mdb_get(txn, s->dbi[TABLE_META], &k, &v);

	if (rc == MDB_NOTFOUND && !s->read_only)
		return put_format(s, txn, newest(path), err);
	if (rc == MDB_NOTFOUND)
		return error_set(err, "the queue has no format record");
	if (rc)
		return env_error(err, rc, "the format record");
	if (check_version(&v, "format", err))
		return -1;
	if (record_decode_chunks(env_slice(&v), &version))
		return error_set(err, "the format record is damaged");
	if (version > newest(path))
		return is_newer("format", version, newest(path), err);
	if (version < newest(path) && upgrade(s, txn, path, version, err))
		return -1;
	return check_state(s, txn, err);
}
