#include "mxhold/storage/directory_learned.h"

#include <string.h>

#include "mxhold/storage/codec.h"
#include "mxhold/storage/directory_lesson.h"

enum {
	AGE_HEAD = 13,   /* octets before the local part: number, kind, clock */
	EXPIRE_MAX = 16, /* of a kind, with each entry that is written */
	EVICT_MAX = 1000,
};

/* --- rows -------------------------------------------------------------- */

static size_t key_of(uint8_t k[DIR_KEY_MAX], uint32_t number,
		     struct slice local)
{
	be32_put(k, number);
	if (local.n)
		memcpy(k + 4, local.p, local.n);
	return 4 + local.n;
}

static size_t age_key(uint8_t k[AGE_HEAD + DIR_LOCAL_MAX], uint32_t number,
		      const struct learned_record *r, struct slice local)
{
	be32_put(k, number);
	k[4] = (uint8_t)r->kind;
	be64_put(k + 5, (uint64_t)MX_MAX(r->at_ms, (int64_t)0));
	if (local.n)
		memcpy(k + AGE_HEAD, local.p, local.n);
	return AGE_HEAD + local.n;
}

static int get_domain(struct directory *d, MDB_txn *txn, struct slice domain,
		      struct learned_domain *out)
{
	MDB_val k = env_val(domain.p, domain.n), v;
	int rc;

	if (domain.n == 0 || domain.n > 255 || d->dbi[DIR_LEARNED_AGE] == 0)
		return MDB_NOTFOUND;
	rc = mdb_get(txn, d->dbi[DIR_LEARNED_DOMAIN], &k, &v);
	if (!rc && dir_decode_learned_domain(env_slice(&v), out))
		rc = MDB_CORRUPTED;
	return rc;
}

/* A record that cannot be read counts as none. */
static int get_record(struct directory *d, MDB_txn *txn, uint32_t number,
		      struct slice local, struct learned_record *out)
{
	uint8_t key[DIR_KEY_MAX];
	MDB_val k = env_val(key, key_of(key, number, local)), v;
	int rc = mdb_get(txn, d->dbi[DIR_LEARNED], &k, &v);

	if (rc || dir_decode_learned(env_slice(&v), out))
		*out = (struct learned_record){.kind = LEARNED_NOTHING};
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* --- looking up -------------------------------------------------------- */

struct looking {
	struct directory *d;
	MDB_txn *txn;
	struct learned_domain dom;
	int rc;
};

static void look(struct looking *l, struct slice domain, const char *address,
		 struct learned_record *out)
{
	struct slice local;

	*out = (struct learned_record){.kind = LEARNED_NOTHING};
	if (!l->rc && dir_local_part(slice_str(address), domain, &local))
		l->rc = get_record(l->d, l->txn, l->dom.number, local, out);
}

static enum learned in_force(const struct looking *l,
			     const struct learned_record *r,
			     const struct learned_terms *terms)
{
	int64_t clock_ms = learned_clock(&l->dom, terms);

	return learned_left(r, clock_ms, terms) ? r->kind : LEARNED_NOTHING;
}

/* False: nothing was ever learned, or (*l.rc) the look-up failed. */
static bool begin(struct looking *l, struct directory_reader *r,
		  struct slice domain)
{
	*l = (struct looking){.d = dir_reader_directory(r)};
	l->txn = dir_reader_renew(r);
	if (!l->txn) {
		l->rc = MDB_BAD_TXN;
		return false;
	}
	l->rc = get_domain(l->d, l->txn, domain, &l->dom);
	if (!l->rc)
		return true;
	if (l->rc == MDB_NOTFOUND)
		l->rc = 0;
	mdb_txn_reset(l->txn);
	return false;
}

enum learned directory_learned(struct directory_reader *r, const char *domain,
			       const char *canonical, const char *base,
			       const struct learned_terms *terms)
{
	struct slice name = slice_str(domain);
	struct learned_record rec;
	enum learned learned;
	struct looking l;

	if (!begin(&l, r, name))
		return l.rc ? LEARNED_ERROR : LEARNED_NOTHING;
	look(&l, name, canonical, &rec);
	learned = in_force(&l, &rec, terms);
	if (learned == LEARNED_NOTHING && strcmp(canonical, base) != 0) {
		look(&l, name, base, &rec);
		learned = in_force(&l, &rec, terms);
		if (learned == LEARNED_REFUSED)
			learned = LEARNED_NOTHING;
	}
	mdb_txn_reset(l.txn);
	return l.rc ? LEARNED_ERROR : learned;
}

bool directory_learned_known(struct directory_reader *r, const char *domain,
			     const char *canonical, const char *base)
{
	struct slice name = slice_str(domain);
	struct learned_record exact, whole;
	struct looking l;

	if (!begin(&l, r, name))
		return l.rc != 0;
	look(&l, name, canonical, &exact);
	look(&l, name, base, &whole);
	mdb_txn_reset(l.txn);
	if (exact.kind == LEARNED_REFUSED)
		return false;
	return l.rc || exact.kind != LEARNED_NOTHING ||
	       whole.kind == LEARNED_TAKEN || whole.kind == LEARNED_PINNED;
}

/* --- writing ----------------------------------------------------------- */

struct writing {
	struct directory *d;
	MDB_txn *txn;
	struct learned_domain dom;
};

static int find_domain(struct writing *w, struct slice domain)
{
	int rc = get_domain(w->d, w->txn, domain, &w->dom);
	MDB_stat st;

	if (rc != MDB_NOTFOUND)
		return rc;
	rc = mdb_stat(w->txn, w->d->dbi[DIR_LEARNED_DOMAIN], &st);
	/* None is ever removed: the next number is free. */
	w->dom = (struct learned_domain){.number = (uint32_t)st.ms_entries + 1};
	return rc;
}

static int put_domain(struct writing *w, struct slice domain)
{
	uint8_t value[DIR_RECORD_MAX];
	MDB_val k = env_val(domain.p, domain.n), v;

	v = env_val(value,
		    dir_encode_learned_domain(value, sizeof(value), &w->dom));
	return mdb_put(w->txn, w->d->dbi[DIR_LEARNED_DOMAIN], &k, &v, 0);
}

static int ignore_absent(int rc)
{
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int remove_entry(struct writing *w, const struct learned_record *r,
			struct slice local)
{
	uint8_t key[DIR_KEY_MAX], age[AGE_HEAD + DIR_LOCAL_MAX];
	MDB_val k = env_val(key, key_of(key, w->dom.number, local));
	MDB_val a = env_val(age, age_key(age, w->dom.number, r, local));
	int rc;

	if (r->kind == LEARNED_NOTHING)
		return 0;
	if (w->dom.n[r->kind])
		w->dom.n[r->kind]--;
	rc = mdb_del(w->txn, w->d->dbi[DIR_LEARNED], &k, NULL);
	if (!ignore_absent(rc) && r->kind != LEARNED_PINNED)
		rc = mdb_del(w->txn, w->d->dbi[DIR_LEARNED_AGE], &a, NULL);
	return ignore_absent(rc);
}

static int put_entry(struct writing *w, const struct learned_record *r,
		     struct slice local)
{
	static const uint8_t version = DIR_VERSION;
	uint8_t key[DIR_KEY_MAX], age[AGE_HEAD + DIR_LOCAL_MAX];
	uint8_t value[DIR_RECORD_MAX];
	MDB_val k = env_val(key, key_of(key, w->dom.number, local)), v;
	MDB_val a = env_val(age, age_key(age, w->dom.number, r, local));
	MDB_val none = env_val(&version, 1);
	int rc;

	if (r->kind == LEARNED_NOTHING)
		return 0;
	w->dom.n[r->kind]++;
	v = env_val(value, dir_encode_learned(value, sizeof(value), r));
	rc = mdb_put(w->txn, w->d->dbi[DIR_LEARNED], &k, &v, 0);
	if (!rc && r->kind != LEARNED_PINNED)
		rc = mdb_put(w->txn, w->d->dbi[DIR_LEARNED_AGE], &a, &none, 0);
	return rc;
}

/* The entry of that kind that was not confirmed for longest; MDB_NOTFOUND =
 * there is none. The slice points into LMDB's page. */
static int find_oldest(struct writing *w, enum learned kind,
		       struct learned_record *r, struct slice *local)
{
	uint8_t key[5];
	const uint8_t *p;
	MDB_val k = env_val(key, sizeof(key)), v;
	MDB_cursor *c;
	int rc = mdb_cursor_open(w->txn, w->d->dbi[DIR_LEARNED_AGE], &c);

	if (rc)
		return rc;
	be32_put(key, w->dom.number);
	key[4] = (uint8_t)kind;
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	mdb_cursor_close(c);
	if (rc)
		return rc;
	p = k.mv_data;
	if (k.mv_size < AGE_HEAD || memcmp(p, key, sizeof(key)) != 0)
		return MDB_NOTFOUND;
	r->kind = kind;
	r->at_ms = (int64_t)be64_get(p + 5);
	*local = slice_make((const char *)p + AGE_HEAD, k.mv_size - AGE_HEAD);
	return 0;
}

static int remove_oldest(struct writing *w, const struct learned_record *r,
			 struct slice local)
{
	char copy[DIR_LOCAL_MAX];

	if (local.n > sizeof(copy))
		return MDB_CORRUPTED;
	memcpy(copy, local.p, local.n); /* the page is about to change */
	return remove_entry(w, r, slice_make(copy, local.n));
}

/* What is too much, and some of what has expired. */
static int make_room(struct writing *w, enum learned kind,
		     const struct learned_terms *terms)
{
	struct learned_record r = {.kind = kind};
	struct slice local;
	int rc = 0;

	for (int i = 0; !rc && i < EVICT_MAX; i++) {
		rc = find_oldest(w, kind, &r, &local);
		if (rc)
			break;
		if (w->dom.n[kind] <= w->d->learned_max[kind] &&
		    (i >= EXPIRE_MAX ||
		     learned_left(&r, w->dom.clock_ms, terms) > 0))
			break;
		rc = remove_oldest(w, &r, local);
	}
	return ignore_absent(rc);
}

/* A detail of a recipient that is known already is not worth an entry. */
static int choose_entry(struct writing *w, const struct lesson *lesson,
			struct slice domain, struct slice *local,
			struct learned_record *now)
{
	struct learned_record whole;
	struct slice base;
	int rc = get_record(w->d, w->txn, w->dom.number, *local, now);

	if (rc || lesson->what != LESSON_TAKEN || now->kind ||
	    !dir_local_part(slice_str(lesson->base), domain, &base) ||
	    slice_eq(base, *local))
		return rc;
	rc = get_record(w->d, w->txn, w->dom.number, base, &whole);
	if (rc || (whole.kind != LEARNED_TAKEN && whole.kind != LEARNED_PINNED))
		return rc;
	*local = base;
	*now = whole;
	return 0;
}

static int replace(struct writing *w, const struct lesson *lesson,
		   const struct learned_record *before,
		   const struct learned_record *now, struct slice local)
{
	struct slice domain = slice_str(lesson->domain);
	int rc = remove_entry(w, before, local);

	if (!rc)
		rc = put_entry(w, now, local);
	if (!rc)
		rc = make_room(w, LEARNED_TAKEN, &lesson->terms);
	if (!rc)
		rc = make_room(w, LEARNED_REFUSED, &lesson->terms);
	return rc ? rc : put_domain(w, domain);
}

/* Another clock is looked at from now on, else the domain's would stand. */
static int put_clock(struct writing *w, struct slice domain, bool *any)
{
	*any = true;
	return put_domain(w, domain);
}

static int learn(struct directory *d, MDB_txn *txn, struct lesson *lesson,
		 bool *any)
{
	struct slice domain = slice_str(lesson->domain), local;
	struct writing w = {.d = d, .txn = txn};
	struct learned_record before, now;
	int64_t shift;
	int rc;

	lesson->changed = false;
	lesson->terms.primary = lesson->primary;
	if (!dir_local_part(slice_str(lesson->canonical), domain, &local))
		return 0;
	rc = find_domain(&w, domain);
	if (rc)
		return rc;
	shift = w.dom.shift;
	learned_advance(&w.dom, &lesson->terms);
	rc = choose_entry(&w, lesson, domain, &local, &before);
	now = before;
	if (rc)
		return rc;
	if (!learned_merge(&now, lesson, w.dom.clock_ms))
		return shift == w.dom.shift ? 0 : put_clock(&w, domain, any);
	*any = true;
	lesson->changed = now.kind != before.kind;
	return replace(&w, lesson, &before, &now, local);
}

int directory_learn(struct directory *d, struct lesson *lessons, size_t n,
		    struct error *err)
{
	bool any = false;
	MDB_txn *txn;
	int rc = mdb_txn_begin(d->env, NULL, 0, &txn);

	if (rc)
		return env_error(err, rc, "%s", d->dir);
	for (size_t i = 0; i < n && !rc; i++)
		rc = learn(d, txn, &lessons[i], &any);
	if (!rc && !any) {
		mdb_txn_abort(txn);
		return 0;
	}
	rc = dir_end(d, txn, rc);
	return rc ? env_error(err, rc, "%s: what was learned", d->dir) : 0;
}

/* --- listing ----------------------------------------------------------- */

static bool fill_row(struct learned_row *row, struct slice local,
		     const struct learned_record *r, int64_t left_ms)
{
	if (left_ms == 0)
		return false;
	memcpy(row->local, local.p, local.n);
	row->local[local.n] = '\0';
	row->kind = r->kind;
	row->by = r->by;
	row->wall_ms = r->wall_ms;
	row->left_ms = left_ms;
	row->is_doubted = r->doubt_ms != 0;
	return true;
}

struct paging {
	const struct learned_domain *dom;
	const struct learned_terms *terms;
	char *after;
	struct learned_row *rows;
	size_t *n;
};

/* False: it is none of this domain. */
static bool take_row(struct paging *p, const MDB_val *k, const MDB_val *v)
{
	struct slice local = slice_skip(env_slice(k), 4);
	int64_t clock_ms = learned_clock(p->dom, p->terms);
	struct learned_record r;

	if (k->mv_size < 4 || be32_get(k->mv_data) != p->dom->number)
		return false;
	if (local.n == 0 || local.n > ADDRESS_MAX)
		return true;
	memcpy(p->after, local.p, local.n);
	p->after[local.n] = '\0';
	if (dir_decode_learned(env_slice(v), &r))
		return true;
	*p->n += fill_row(&p->rows[*p->n], local, &r,
			  learned_left(&r, clock_ms, p->terms));
	return true;
}

static int page(struct directory *d, MDB_txn *txn, struct paging *p)
{
	uint8_t key[DIR_KEY_MAX];
	struct slice after = slice_str(p->after);
	MDB_val k = env_val(key, key_of(key, p->dom->number, after)), v;
	MDB_cursor *c;
	int rc = mdb_cursor_open(txn, d->dbi[DIR_LEARNED], &c), seen = 0;

	if (rc)
		return -1;
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	if (!rc && after.n && slice_eq(slice_skip(env_slice(&k), 4), after))
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	while (!rc && seen < LEARNED_PAGE && take_row(p, &k, &v)) {
		seen++;
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	if (rc && rc != MDB_NOTFOUND)
		return -1;
	return seen == LEARNED_PAGE;
}

int directory_learned_page(struct directory *d, const char *domain,
			   const struct learned_terms *terms,
			   char after[ADDRESS_MAX + 1],
			   struct learned_row rows[LEARNED_PAGE], size_t *n)
{
	struct learned_domain dom;
	struct paging p = {&dom, terms, after, rows, n};
	MDB_txn *txn;
	int rc;

	*n = 0;
	if (mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn))
		return -1;
	rc = get_domain(d, txn, slice_str(domain), &dom);
	if (rc)
		rc = rc == MDB_NOTFOUND ? 0 : -1;
	else
		rc = page(d, txn, &p);
	mdb_txn_abort(txn);
	return rc;
}
