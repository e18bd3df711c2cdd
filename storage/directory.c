#include "mxhold/storage/directory.h"

#include <errno.h>
#include <string.h>

#include "mxhold/base/mem.h"
#include "mxhold/base/random.h"
#include "mxhold/storage/codec.h"
#include "mxhold/storage/directory_parts.h"

/* Address space only; 10 million recipients take less than 1 GiB. */
static const uint64_t map_size = UINT64_C(16) << 30;

static const char *const names[DIR_COUNT] = {
	[DIR_META] = "meta",
	[DIR_DOMAIN] = "domain",
	[DIR_GENERATION] = "generation",
	[DIR_ENTRY] = "entry",
	[DIR_PEER] = "peer",
	[DIR_LIST] = "list",
	[DIR_SOURCE] = "source",
	[DIR_LEARNED_DOMAIN] = "learned-domain",
	[DIR_LEARNED] = "learned",
	[DIR_LEARNED_AGE] = "learned-age",
};

/* --- opening ----------------------------------------------------------- */

static int check_format(struct directory *d, MDB_txn *txn, bool read_only,
			struct error *err)
{
	uint8_t value[5] = {DIR_VERSION};
	MDB_val k = env_val("format", 6), v;
	int rc = mdb_get(txn, d->dbi[DIR_META], &k, &v);

	if (rc == MDB_NOTFOUND && !read_only) {
		be32_put(value + 1, DIR_FORMAT);
		v = env_val(value, sizeof(value));
		rc = mdb_put(txn, d->dbi[DIR_META], &k, &v, 0);
	}
	if (rc)
		return env_error(err, rc, "%s: the format record", d->dir);
	if (v.mv_size != sizeof(value))
		return error_set(err, "%s: the format record is damaged",
				 d->dir);
	memcpy(value, v.mv_data, sizeof(value));
	if (be32_get(value + 1) > DIR_FORMAT)
		return error_set(err,
				 "%s was written by a newer version of this "
				 "program",
				 d->dir);
	return 0;
}

/* Those behind DIR_PEER came later: who only reads may not find them. */
static int open_table(struct directory *d, MDB_txn *txn, enum dir_table t,
		      bool read_only)
{
	int rc = mdb_dbi_open(txn, names[t], read_only ? 0 : MDB_CREATE,
			      &d->dbi[t]);

	if (rc == MDB_NOTFOUND && read_only && t > DIR_PEER) {
		d->dbi[t] = 0;
		rc = 0;
	}
	return rc;
}

static int open_tables(struct directory *d, bool read_only, struct error *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(d->env, NULL, read_only ? MDB_RDONLY : 0, &txn);

	if (rc)
		return env_error(err, rc, "%s", d->dir);
	for (int t = 0; t < DIR_COUNT && !rc; t++)
		rc = open_table(d, txn, (enum dir_table)t, read_only);
	if (rc)
		env_error(err, rc, "%s: its tables", d->dir);
	else
		rc = check_format(d, txn, read_only, err);
	if (rc) {
		mdb_txn_abort(txn);
		return -1;
	}
	rc = mdb_txn_commit(txn);
	return rc ? env_error(err, rc, "%s: commit", d->dir) : 0;
}

static int open_all(struct directory *d, const char *state_dir, bool read_only,
		    struct error *err)
{
	char dir[ENV_PATH_MAX];
	struct env_options o = {.dir = dir,
				.map_size = map_size,
				.max_dbs = DIR_COUNT,
				.read_only = read_only};

	if (env_join(dir, state_dir, "directory", err))
		return -1;
	d->dir = mem_strdup(dir);
	if (!read_only &&
	    (env_make_dir(state_dir, err) || env_make_dir(dir, err)))
		return -1;
	if (env_open(&d->env, &o, err))
		return -1;
	return open_tables(d, read_only, err);
}

int directory_open(struct directory **out, const char *state_dir,
		   bool read_only, struct error *err)
{
	struct directory *d = mem_alloc(sizeof(*d));

	d->token = random_u64();
	d->panic = env_panic;
	d->learned_max[LEARNED_TAKEN] = LEARNED_TAKEN_MAX;
	d->learned_max[LEARNED_REFUSED] = LEARNED_REFUSED_MAX;
	d->learned_max[LEARNED_PINNED] = UINT64_MAX; /* by hand */
	if (open_all(d, state_dir, read_only, err)) {
		directory_close(d);
		return -1;
	}
	*out = d;
	return 0;
}

void directory_close(struct directory *d)
{
	if (!d)
		return;
	if (d->env)
		mdb_env_close(d->env);
	mem_free(d->dir);
	mem_free(d);
}

/* --- the end of a transaction ------------------------------------------ */

void directory_on_panic(struct directory *d, void (*panic)(const char *why))
{
	d->panic = panic;
}

/* A failed meta page leaves LMDB refusing whatever comes after, look-ups of
 * recipients too: nobody would be known any more until a restart. */
static void check_panic(struct directory *d)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn);

	if (!rc)
		mdb_txn_abort(txn);
	if (rc == MDB_PANIC)
		d->panic(mdb_strerror(rc));
}

int dir_end(struct directory *d, MDB_txn *txn, int rc)
{
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	rc = mdb_txn_commit(txn);
	if (rc)
		check_panic(d);
	return rc;
}

/* --- keys and domains -------------------------------------------------- */

size_t dir_key_entry(uint8_t k[DIR_KEY_MAX], uint32_t generation,
		     enum dir_kind kind, struct slice what)
{
	what = slice_head(what, DIR_LOCAL_MAX);
	be32_put(k, generation);
	k[4] = (uint8_t)kind;
	if (what.n)
		memcpy(k + 5, what.p, what.n);
	return 5 + what.n;
}

bool dir_local_part(struct slice address, struct slice domain,
		    struct slice *local)
{
	size_t n;

	if (address.n < domain.n + 2)
		return false;
	n = address.n - domain.n - 1;
	if (address.p[n] != '@' ||
	    !slice_eq(slice_skip(address, n + 1), domain))
		return false;
	*local = slice_head(address, n);
	return n <= DIR_LOCAL_MAX;
}

int dir_get_domain(struct directory *d, MDB_txn *txn, struct slice domain,
		   struct domain_record *out)
{
	MDB_val k = env_val(domain.p, domain.n), v;
	int rc;

	if (domain.n == 0 || domain.n > 255)
		return MDB_NOTFOUND;
	rc = mdb_get(txn, d->dbi[DIR_DOMAIN], &k, &v);
	if (!rc && dir_decode_domain(env_slice(&v), out))
		rc = MDB_CORRUPTED;
	return rc;
}

uint64_t directory_count(struct directory *d, const char *domain)
{
	struct domain_record rec;
	MDB_txn *txn;
	uint64_t n = 0;

	if (mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn))
		return 0;
	if (dir_get_domain(d, txn, slice_str(domain), &rec) == 0)
		n = rec.count;
	mdb_txn_abort(txn);
	return n;
}

int directory_list_get(struct directory *d, const char *domain,
		       struct directory_list *out)
{
	struct domain_record rec;
	MDB_txn *txn;
	int rc;

	*out = (struct directory_list){0};
	if (mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn))
		return -1;
	rc = dir_get_domain(d, txn, slice_str(domain), &rec);
	if (!rc)
		*out = (struct directory_list){rec.count, rec.loaded_ms,
					       rec.has_sum, rec.sum};
	mdb_txn_abort(txn);
	return rc == MDB_NOTFOUND ? 1 : rc ? -1 : 0;
}

/* --- primaries --------------------------------------------------------- */

static bool is_peer_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= PEER_NAME_MAX;
}

int directory_peer_get(struct directory *d, const char *name,
		       struct peer_record *out)
{
	MDB_val k = env_val(name, strlen(name)), v;
	MDB_txn *txn;
	int rc;

	if (!is_peer_name(name))
		return 1;
	if (mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn))
		return -1;
	rc = mdb_get(txn, d->dbi[DIR_PEER], &k, &v);
	if (!rc && dir_decode_peer(env_slice(&v), out))
		rc = MDB_CORRUPTED;
	mdb_txn_abort(txn);
	return rc == MDB_NOTFOUND ? 1 : rc ? -1 : 0;
}

int directory_peer_put(struct directory *d, const char *name,
		       const struct peer_record *rec, struct error *err)
{
	uint8_t record[DIR_RECORD_MAX];
	size_t n = dir_encode_peer(record, sizeof(record), rec);
	MDB_val k = env_val(name, strlen(name)), v = env_val(record, n);
	MDB_txn *txn;
	int rc;

	if (!is_peer_name(name) || n == 0)
		return error_sys(err, EINVAL, "what is known of %s", name);
	rc = mdb_txn_begin(d->env, NULL, 0, &txn);
	if (!rc)
		rc = dir_end(d, txn, mdb_put(txn, d->dbi[DIR_PEER], &k, &v, 0));
	return rc ? env_error(err, rc, "%s: what is known of %s", d->dir, name)
		  : 0;
}
