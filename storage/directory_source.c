/* What is remembered of the sources of lists. */
#include <string.h>

#include "mxhold/base/siphash.h"
#include "mxhold/storage/codec.h"
#include "mxhold/storage/directory_parts.h"

enum {
	DOMAIN_MAX_N = 255,
	SOURCE_KEY = DOMAIN_MAX_N + 1 + 8,
};

uint64_t directory_source_id(const char *source)
{
	static const uint64_t key[2] = {0x6d78686f6c64736f, 0x75726365};

	return siphash(key, slice_str(source));
}

/* 0 = no name of a domain. */
static size_t source_key(uint8_t k[SOURCE_KEY], const char *domain, uint64_t id)
{
	size_t n = strlen(domain);

	if (n == 0 || n > DOMAIN_MAX_N)
		return 0;
	memcpy(k, domain, n + 1);
	be64_put(k + n + 1, id);
	return n + 1 + 8;
}

static int get(struct directory *d, enum dir_table table, MDB_val k,
	       int (*decode)(struct slice raw, void *out), void *out)
{
	MDB_txn *txn;
	MDB_val v;
	int rc;

	if (k.mv_size == 0 || !dir_has_table(d, table))
		return 1;
	if (mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn))
		return -1;
	rc = mdb_get(txn, d->dbi[table], &k, &v);
	if (!rc && decode(env_slice(&v), out))
		rc = MDB_CORRUPTED;
	mdb_txn_abort(txn);
	return rc == MDB_NOTFOUND ? 1 : rc ? -1 : 0;
}

static int decode_list(struct slice raw, void *out)
{
	return dir_decode_list(raw, out);
}

static int decode_source(struct slice raw, void *out)
{
	return dir_decode_source(raw, out);
}

int directory_state_get(struct directory *d, const char *domain,
			struct list_state *out)
{
	size_t n = strlen(domain);
	MDB_val k = env_val(domain, n <= DOMAIN_MAX_N ? n : 0);
	int rc;

	memset(out, 0, sizeof(*out));
	rc = get(d, DIR_LIST, k, decode_list, out);
	if (rc)
		memset(out, 0, sizeof(*out));
	return rc;
}

int directory_source_get(struct directory *d, const char *domain,
			 const char *source, struct source_state *out)
{
	uint64_t id = directory_source_id(source);
	uint8_t key[SOURCE_KEY];
	int rc;

	memset(out, 0, sizeof(*out));
	rc = get(d, DIR_SOURCE, env_val(key, source_key(key, domain, id)),
		 decode_source, out);
	if (rc)
		memset(out, 0, sizeof(*out));
	out->id = id;
	return rc;
}

static int put_list(struct directory *d, MDB_txn *txn, const char *domain,
		    const struct list_state *state)
{
	uint8_t record[DIR_RECORD_MAX];
	MDB_val k = env_val(domain, strlen(domain));
	MDB_val v =
		env_val(record, dir_encode_list(record, sizeof(record), state));

	return mdb_put(txn, d->dbi[DIR_LIST], &k, &v, 0);
}

static int put_source(struct directory *d, MDB_txn *txn, const char *domain,
		      const struct source_state *s)
{
	uint8_t key[SOURCE_KEY], record[DIR_RECORD_MAX];
	MDB_val k = env_val(key, source_key(key, domain, s->id));
	MDB_val v =
		env_val(record, dir_encode_source(record, sizeof(record), s));

	return mdb_put(txn, d->dbi[DIR_SOURCE], &k, &v, 0);
}

/* Those that have left the configuration go. */
static int remove_sources(struct directory *d, MDB_txn *txn, const char *domain)
{
	uint8_t key[SOURCE_KEY];
	size_t n = source_key(key, domain, 0) - 8;
	MDB_val k = env_val(key, n), v;
	MDB_cursor *c;
	int rc = mdb_cursor_open(txn, d->dbi[DIR_SOURCE], &c);

	if (rc)
		return rc;
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	while (!rc && k.mv_size > n && memcmp(k.mv_data, domain, n) == 0) {
		rc = mdb_cursor_del(c, 0);
		if (!rc)
			rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int directory_state_put(struct directory *d, const char *domain,
			const struct list_state *state,
			const struct source_state *sources, size_t n,
			struct error *err)
{
	size_t length = strlen(domain);
	MDB_txn *txn;
	int rc;

	if (length == 0 || length > DOMAIN_MAX_N)
		return error_set(err, "no domain: \"%s\"", domain);
	rc = mdb_txn_begin(d->env, NULL, 0, &txn);
	if (rc)
		return env_error(err, rc, "%s", d->dir);
	rc = put_list(d, txn, domain, state);
	if (!rc)
		rc = remove_sources(d, txn, domain);
	for (size_t i = 0; i < n && !rc; i++)
		rc = put_source(d, txn, domain, &sources[i]);
	rc = dir_end(d, txn, rc);
	return rc ? env_error(err, rc, "%s: the state of a list", d->dir) : 0;
}
