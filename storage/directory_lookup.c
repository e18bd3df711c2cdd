#include <string.h>

#include "mxhold/base/mem.h"
#include "mxhold/storage/directory_parts.h"

struct directory_reader {
	struct directory *d;
	MDB_txn *txn; /* reset between look-ups: holds a slot, no pages */
	sha256_fn sha256;
};

struct directory_reader *directory_reader_new(struct directory *d,
					      sha256_fn sha256)
{
	struct directory_reader *r = mem_alloc(sizeof(*r));

	r->d = d;
	r->sha256 = sha256;
	if (mdb_txn_begin(d->env, NULL, MDB_RDONLY, &r->txn)) {
		mem_free(r);
		return NULL;
	}
	mdb_txn_reset(r->txn);
	return r;
}

void directory_reader_free(struct directory_reader *r)
{
	if (!r)
		return;
	mdb_txn_abort(r->txn);
	mem_free(r);
}

MDB_txn *dir_reader_renew(struct directory_reader *r)
{
	return mdb_txn_renew(r->txn) ? NULL : r->txn;
}

struct directory *dir_reader_directory(struct directory_reader *r)
{
	return r->d;
}

struct looking {
	struct directory_reader *r;
	struct domain_record rec;
	struct slice domain;
	int rc; /* the first LMDB code that was neither 0 nor "absent" */
};

static bool has(struct looking *l, enum dir_kind kind, struct slice what)
{
	uint8_t key[DIR_KEY_MAX];
	MDB_val k =
		env_val(key, dir_key_entry(key, l->rec.generation, kind, what));
	MDB_val v;
	int rc = mdb_get(l->r->txn, l->r->d->dbi[DIR_ENTRY], &k, &v);

	if (rc && rc != MDB_NOTFOUND)
		l->rc = rc;
	return rc == 0;
}

static bool has_local(struct looking *l, enum dir_kind kind,
		      struct slice address)
{
	struct slice local;

	return dir_local_part(address, l->domain, &local) &&
	       has(l, kind, local);
}

static bool has_hash(struct looking *l, struct slice address)
{
	char text[DIR_SALT_MAX + 1024];
	uint8_t sum[32];
	size_t n = l->rec.salt.n;

	if (!l->rec.has_hash || !l->r->sha256 || n + address.n > sizeof(text))
		return false;
	memcpy(text, l->rec.salt.p, n);
	memcpy(text + n, address.p, address.n);
	l->r->sha256(text, n + address.n, sum);
	return has(l, DIR_HASH, slice_make(sum, sizeof(sum)));
}

static enum listed decide(struct looking *l, struct slice canonical,
			  struct slice base)
{
	bool two = !slice_eq(canonical, base);

	if (l->rec.has_never && (has_local(l, DIR_NEVER, canonical) ||
				 (two && has_local(l, DIR_NEVER, base))))
		return LISTED_NEVER;
	if (has_local(l, DIR_ADDRESS, canonical) || has_hash(l, canonical))
		return LISTED_YES;
	if (two && (has_local(l, DIR_ADDRESS, base) || has_hash(l, base)))
		return LISTED_YES;
	return l->rec.has_catchall ? LISTED_CATCHALL : LISTED_NO;
}

enum listed directory_lookup(struct directory_reader *r, const char *domain,
			     const char *canonical, const char *base)
{
	struct looking l = {.r = r, .domain = slice_str(domain)};
	enum listed listed = LISTED_ERROR;
	int rc;

	if (mdb_txn_renew(r->txn))
		return LISTED_ERROR;
	rc = dir_get_domain(r->d, r->txn, l.domain, &l.rec);
	if (rc == MDB_NOTFOUND)
		listed = LISTED_NO_LIST;
	else if (rc == 0)
		listed = decide(&l, slice_str(canonical), slice_str(base));
	mdb_txn_reset(r->txn);
	return l.rc ? LISTED_ERROR : listed;
}
