/*
 * A list comes in: sorted outside of the database, written in batches as a
 * new generation that nobody looks at, switched to by one small transaction.
 * A load that dies leaves a generation that the next sweep removes.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "mxhold/base/mem.h"
#include "mxhold/base/siphash.h"
#include "mxhold/base/text.h"
#include "mxhold/storage/codec.h"
#include "mxhold/storage/directory_parts.h"
#include "mxhold/storage/failpoint.h"
#include "mxhold/storage/runs.h"

enum {
	IN_MEMORY = 64 << 20
};

struct directory_load {
	struct directory *d;
	char *domain;
	struct runs *runs;
	struct domain_record rec; /* of the new list */
	uint64_t added;
	uint64_t sum; /* of the entries */
	bool is_written;
	char salt[DIR_SALT_MAX];
	struct error err; /* the first failure, kept for the end */
	bool failed;
	/* the last one put: duplicates are skipped */
	uint8_t last[RUNS_STRING_MAX];
	size_t last_n;
};

struct directory_load *directory_load_begin(struct directory *d,
					    const char *domain)
{
	struct directory_load *l = mem_alloc(sizeof(*l));

	l->d = d;
	l->domain = mem_strdup(domain);
	l->runs = runs_new(d->dir, IN_MEMORY);
	return l;
}

static void load_free(struct directory_load *l)
{
	runs_free(l->runs);
	mem_free(l->domain);
	mem_free(l);
}

uint64_t directory_load_count(const struct directory_load *l)
{
	return l->is_written ? l->rec.count : l->added;
}

struct directory *dir_load_of(const struct directory_load *l,
			      const char **domain)
{
	*domain = l->domain;
	return l->d;
}

static uint64_t sum_of(struct slice s)
{
	static const uint64_t key[2] = {0x6d78686f6c646c69, 0x7374};

	return siphash(key, s);
}

uint64_t directory_load_sum(const struct directory_load *l)
{
	return l->sum + (l->rec.salt.n ? sum_of(l->rec.salt) : 0);
}

int directory_load_salt(struct directory_load *l, struct slice salt)
{
	if (salt.n > sizeof(l->salt))
		return -1;
	if (salt.n)
		memcpy(l->salt, salt.p, salt.n);
	l->rec.salt = slice_make(l->salt, salt.n);
	return 0;
}

/* --- entries ----------------------------------------------------------- */

/* Kind and octets as they will stand in the key, behind the generation. */
static int add(struct directory_load *l, enum dir_kind kind, struct slice what)
{
	char text[RUNS_STRING_MAX];

	text[0] = (char)kind;
	if (what.n)
		memcpy(text + 1, what.p, what.n);
	if (runs_add(l->runs, slice_make(text, what.n + 1),
		     l->failed ? NULL : &l->err)) {
		l->failed = true;
		return -1;
	}
	l->added++;
	l->sum += sum_of(slice_make(text, what.n + 1));
	return 0;
}

static int add_hash(struct directory_load *l, struct slice hex)
{
	uint8_t sum[32];

	if (text_unhex(hex, sum, sizeof(sum)))
		return -1;
	l->rec.has_hash = true;
	return add(l, DIR_HASH, slice_make(sum, sizeof(sum)));
}

int directory_load_add(struct directory_load *l, struct slice entry)
{
	struct slice domain = slice_str(l->domain), local;
	bool never = entry.n > 0 && entry.p[0] == '!';
	bool marked = never || slice_eq(slice_head(entry, 2), SLICE("\\!"));

	if (slice_eq(entry, SLICE("@"))) {
		l->rec.has_catchall = true;
		return add(l, DIR_CATCHALL, slice_make("", 0));
	}
	if (slice_starts_nocase(entry, SLICE("sha256:")))
		return add_hash(l, slice_skip(entry, 7));
	if (!dir_local_part(slice_skip(entry, marked), domain, &local))
		return -1;
	l->rec.has_never |= never;
	return add(l, never ? DIR_NEVER : DIR_ADDRESS, local);
}

/* --- generations ------------------------------------------------------- */

static int put_generation(struct directory *d, MDB_txn *txn, uint32_t number,
			  bool old)
{
	struct generation_record rec = {
		.old = old, .pid = (uint32_t)getpid(), .token = d->token};
	uint8_t key[4], value[DIR_RECORD_MAX];
	MDB_val k = env_val(key, sizeof(key)), v;

	be32_put(key, number);
	v = env_val(value, dir_encode_generation(value, sizeof(value), &rec));
	return mdb_put(txn, d->dbi[DIR_GENERATION], &k, &v, 0);
}

static int next_number(struct directory *d, MDB_txn *txn, uint32_t *number)
{
	uint8_t value[5] = {DIR_VERSION};
	MDB_val k = env_val("generation", 10), v;
	int rc = mdb_get(txn, d->dbi[DIR_META], &k, &v);

	*number = 1;
	if (!rc && v.mv_size != sizeof(value))
		return MDB_CORRUPTED;
	if (!rc)
		*number = be32_get((const uint8_t *)v.mv_data + 1) + 1;
	else if (rc != MDB_NOTFOUND)
		return rc;
	be32_put(value + 1, *number);
	v = env_val(value, sizeof(value));
	return mdb_put(txn, d->dbi[DIR_META], &k, &v, 0);
}

static int begin_generation(struct directory_load *l)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(l->d->env, NULL, 0, &txn);

	if (rc)
		return rc;
	rc = next_number(l->d, txn, &l->rec.generation);
	if (!rc)
		rc = put_generation(l->d, txn, l->rec.generation, false);
	return dir_end(l->d, txn, rc);
}

/* --- writing ----------------------------------------------------------- */

static int put_entry(struct directory_load *l, MDB_txn *txn, struct slice s)
{
	static const uint8_t version = DIR_VERSION;
	uint8_t key[DIR_KEY_MAX];
	MDB_dbi dbi = l->d->dbi[DIR_ENTRY];
	MDB_val v = env_val(&version, 1), k;
	int rc;

	k = env_val(key,
		    dir_key_entry(key, l->rec.generation, (enum dir_kind)s.p[0],
				  slice_skip(s, 1)));
	rc = mdb_put(txn, dbi, &k, &v, MDB_APPEND);
	if (rc == MDB_KEYEXIST) /* a newer generation grows beside us */
		rc = mdb_put(txn, dbi, &k, &v, 0);
	return rc;
}

static bool is_duplicate(struct directory_load *l, struct slice s)
{
	if (slice_eq(s, slice_make(l->last, l->last_n)))
		return true;
	memcpy(l->last, s.p, s.n);
	l->last_n = s.n;
	return false;
}

int dir_load_sort(struct directory_load *l, struct error *err)
{
	if (l->failed) {
		if (err)
			*err = l->err;
		return -1;
	}
	return runs_sort(l->runs, err);
}

int dir_load_next(struct directory_load *l, struct slice *out,
		  struct error *err)
{
	int more;

	do
		more = runs_next(l->runs, out, err);
	while (more == 1 && is_duplicate(l, *out));
	return more;
}

/* Up to DIR_BATCH entries in one transaction; 1 = there may be more. */
static int put_batch(struct directory_load *l, struct error *err)
{
	MDB_txn *txn;
	struct slice s;
	int more = 1, rc = mdb_txn_begin(l->d->env, NULL, 0, &txn);

	if (rc)
		return env_error(err, rc, "%s", l->d->dir);
	for (unsigned n = 0; n < DIR_BATCH && !rc; n++) {
		more = dir_load_next(l, &s, err);
		if (more != 1)
			break;
		rc = put_entry(l, txn, s);
		l->rec.count++;
	}
	if (more < 0) {
		mdb_txn_abort(txn);
		return -1;
	}
	rc = dir_end(l->d, txn, rc);
	return rc ? env_error(err, rc, "%s", l->d->dir) : more;
}

static int write_generation(struct directory_load *l, struct error *err)
{
	int rc;

	if (dir_load_sort(l, err))
		return -1;
	rc = begin_generation(l);
	if (!rc)
		rc = failpoint_hit("reload");
	if (rc)
		return env_error(err, rc, "%s", l->d->dir);
	do
		rc = put_batch(l, err);
	while (rc == 1);
	return rc;
}

/* --- the switch -------------------------------------------------------- */

static int forget_generation(struct directory *d, MDB_txn *txn, uint32_t number)
{
	uint8_t key[4];
	MDB_val k;

	be32_put(key, number);
	k = env_val(key, sizeof(key));
	return mdb_del(txn, d->dbi[DIR_GENERATION], &k, NULL);
}

static int switch_within(struct directory_load *l, MDB_txn *txn)
{
	struct slice domain = slice_str(l->domain);
	struct domain_record before;
	uint8_t value[DIR_RECORD_MAX];
	MDB_val k = env_val(domain.p, domain.n), v;
	int rc = dir_get_domain(l->d, txn, domain, &before);

	if (rc && rc != MDB_NOTFOUND && rc != MDB_CORRUPTED)
		return rc;
	if (!rc)
		rc = put_generation(l->d, txn, before.generation, true);
	else
		rc = 0;
	if (!rc)
		rc = forget_generation(l->d, txn, l->rec.generation);
	if (rc)
		return rc;
	v = env_val(value, dir_encode_domain(value, sizeof(value), &l->rec));
	return mdb_put(txn, l->d->dbi[DIR_DOMAIN], &k, &v, 0);
}

static int switch_over(struct directory_load *l, struct error *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(l->d->env, NULL, 0, &txn);

	if (!rc)
		rc = dir_end(l->d, txn, switch_within(l, txn));
	return rc ? env_error(err, rc, "%s", l->d->dir) : 0;
}

/* What was written of a failed load is to be swept. */
static void give_up(struct directory_load *l)
{
	MDB_txn *txn;

	if (!l->rec.generation || mdb_txn_begin(l->d->env, NULL, 0, &txn))
		return;
	dir_end(l->d, txn, put_generation(l->d, txn, l->rec.generation, true));
}

static void sweep_all(struct directory *d)
{
	bool more = true;

	while (more && directory_sweep(d, &more) == 0)
		continue;
}

void directory_load_abort(struct directory_load *l)
{
	struct directory *d;
	bool began;

	if (!l)
		return;
	d = l->d;
	began = l->rec.generation != 0;
	give_up(l);
	load_free(l);
	if (began)
		sweep_all(d);
}

int directory_load_write(struct directory_load *l, struct error *err)
{
	size_t n = strlen(l->domain);

	if (n == 0 || n > 255)
		return error_sys(err, EINVAL, "a list for \"%s\"", l->domain);
	if (write_generation(l, err))
		return -1;
	l->is_written = true;
	return 0;
}

int directory_load_finish(struct directory_load *l, int64_t wall_ms,
			  struct error *err)
{
	struct directory *d = l->d;
	int rc = 0;

	l->rec.loaded_ms = wall_ms;
	l->rec.sum = directory_load_sum(l);
	if (!l->is_written)
		rc = directory_load_write(l, err);
	if (!rc)
		rc = switch_over(l, err);
	if (rc)
		give_up(l);
	load_free(l);
	sweep_all(d);
	return rc;
}

/* --- sweeping ---------------------------------------------------------- */

static bool is_dead(struct directory *d, const struct generation_record *g)
{
	if (g->old)
		return true;
	if (g->pid == (uint32_t)getpid())
		return g->token != d->token;
	return kill((pid_t)g->pid, 0) && errno == ESRCH;
}

/* The first generation to be swept; MDB_NOTFOUND = none. */
static int find_dead(struct directory *d, MDB_txn *txn, uint32_t *number)
{
	struct generation_record rec;
	MDB_cursor *c;
	MDB_val k, v;
	int rc = mdb_cursor_open(txn, d->dbi[DIR_GENERATION], &c);

	if (rc)
		return rc;
	while ((rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
		if (k.mv_size != 4 ||
		    dir_decode_generation(env_slice(&v), &rec))
			continue;
		*number = be32_get(k.mv_data);
		if (is_dead(d, &rec))
			break;
	}
	mdb_cursor_close(c);
	return rc;
}

/* Up to DIR_BATCH entries of it; *all when none is left. */
static int remove_entries(struct directory *d, MDB_txn *txn, uint32_t number,
			  bool *all)
{
	uint8_t key[4];
	MDB_val k, v;
	MDB_cursor *c;
	unsigned n = 0;
	int rc = mdb_cursor_open(txn, d->dbi[DIR_ENTRY], &c);

	if (rc)
		return rc;
	be32_put(key, number);
	k = env_val(key, sizeof(key));
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	*all = true;
	while (!rc && k.mv_size > 4 && be32_get(k.mv_data) == number) {
		if (n++ == DIR_BATCH) {
			*all = false;
			break;
		}
		rc = mdb_cursor_del(c, 0);
		if (!rc)
			rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int directory_sweep(struct directory *d, bool *more)
{
	MDB_txn *txn;
	uint32_t number;
	bool all;
	int rc = mdb_txn_begin(d->env, NULL, 0, &txn);

	*more = false;
	if (rc)
		return -1;
	rc = find_dead(d, txn, &number);
	if (rc == MDB_NOTFOUND) {
		mdb_txn_abort(txn);
		return 0;
	}
	if (!rc)
		rc = remove_entries(d, txn, number, &all);
	if (!rc && all)
		rc = forget_generation(d, txn, number);
	rc = dir_end(d, txn, rc);
	*more = rc == 0;
	return rc ? -1 : 0;
}
