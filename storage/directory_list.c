/* The list in force, page by page, and what a new one would change in it. */
#include <stdio.h>
#include <string.h>

#include "mxhold/base/mem.h"
#include "mxhold/base/text.h"
#include "mxhold/storage/codec.h"
#include "mxhold/storage/directory_parts.h"

/* --- pages ------------------------------------------------------------- */

/* The first key behind `last` in this generation. */
static int seek(MDB_cursor *c, uint32_t generation,
		const struct directory_key *last, MDB_val *k)
{
	uint8_t from[4 + DIRECTORY_KEY_MAX];
	MDB_val v;
	int rc;

	be32_put(from, generation);
	memcpy(from + 4, last->bytes, last->n);
	*k = env_val(from, 4 + (size_t)last->n);
	rc = mdb_cursor_get(c, k, &v, MDB_SET_RANGE);
	if (rc || last->n == 0 || k->mv_size != 4 + (size_t)last->n ||
	    memcmp(k->mv_data, from, k->mv_size) != 0)
		return rc;
	return mdb_cursor_get(c, k, &v, MDB_NEXT);
}

static bool is_of(uint32_t generation, const MDB_val *k)
{
	return k->mv_size > 4 && k->mv_size <= 4 + DIRECTORY_KEY_MAX &&
	       be32_get(k->mv_data) == generation;
}

static int read_page(struct directory *d, MDB_txn *txn, uint32_t generation,
		     struct directory_page *page)
{
	MDB_cursor *c;
	MDB_val k, v;
	int rc = mdb_cursor_open(txn, d->dbi[DIR_ENTRY], &c);

	if (rc)
		return rc;
	rc = seek(c, generation, &page->last, &k);
	while (!rc && is_of(generation, &k) && page->n < DIRECTORY_PAGE) {
		struct directory_key *to = &page->keys[page->n++];

		to->n = (uint16_t)(k.mv_size - 4);
		memcpy(to->bytes, (const uint8_t *)k.mv_data + 4, to->n);
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int directory_page_next(struct directory *d, const char *domain,
			struct directory_page *page)
{
	struct domain_record rec;
	MDB_txn *txn;
	int rc;

	if (page->n)
		page->last = page->keys[page->n - 1];
	page->n = 0;
	if (mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn))
		return -1;
	rc = dir_get_domain(d, txn, slice_str(domain), &rec);
	if (!rc)
		rc = read_page(d, txn, rec.generation, page);
	mdb_txn_abort(txn);
	return rc && rc != MDB_NOTFOUND ? -1 : 0;
}

void directory_key_text(const struct directory_key *k, const char *domain,
			char out[DIRECTORY_ENTRY_MAX])
{
	const char *what = (const char *)k->bytes + 1;
	int n = k->n ? k->n - 1 : 0;
	char kind = k->n ? (char)k->bytes[0] : DIR_CATCHALL;
	char hex[2 * 32 + 1];

	if (kind == DIR_CATCHALL) {
		snprintf(out, DIRECTORY_ENTRY_MAX, "@");
	} else if (kind == DIR_HASH) {
		text_hex(k->bytes + 1, MX_MIN((size_t)n, (size_t)32), hex);
		snprintf(out, DIRECTORY_ENTRY_MAX, "sha256:%s", hex);
	} else {
		snprintf(out, DIRECTORY_ENTRY_MAX, "%s%.*s@%s",
			 kind == DIR_NEVER ? "!" : "", n, what, domain);
	}
}

/* --- differences ------------------------------------------------------- */

/* Two sorted rows side by side: what is in force, and what would be. */
struct directory_diff {
	struct directory_load *load;
	struct directory *d;
	const char *domain;
	struct directory_page page;
	size_t at; /* in the page */
	struct slice next;
	bool has_next; /* of the load; false = at its end */
};

static int advance(struct directory_diff *x)
{
	int more = dir_load_next(x->load, &x->next, NULL);

	x->has_next = more == 1;
	return more < 0 ? -1 : 0;
}

struct directory_diff *directory_diff_new(struct directory_load *l,
					  struct error *err)
{
	struct directory_diff *x = mem_alloc(sizeof(*x));

	x->load = l;
	x->d = dir_load_of(l, &x->domain);
	if (dir_load_sort(l, err) == 0) {
		if (advance(x) == 0)
			return x;
		error_set(err, "a file to sort in is damaged");
	}
	directory_diff_free(x);
	return NULL;
}

void directory_diff_free(struct directory_diff *x)
{
	if (!x)
		return;
	directory_load_abort(x->load);
	mem_free(x);
}

/* The old entry that is next; NULL at the end. */
static int old_entry(struct directory_diff *x, struct directory_key **out)
{
	if (x->at == x->page.n) {
		x->at = 0;
		if (directory_page_next(x->d, x->domain, &x->page))
			return -1;
	}
	*out = x->page.n ? &x->page.keys[x->at] : NULL;
	return 0;
}

static int compare(const struct directory_diff *x,
		   const struct directory_key *old)
{
	if (!old || !x->has_next)
		return old ? -1 : 1;
	return slice_cmp(slice_make(old->bytes, old->n), x->next);
}

static int give_new(struct directory_diff *x, bool *is_new,
		    struct directory_key *key)
{
	*is_new = true;
	key->n = (uint16_t)MX_MIN(x->next.n, sizeof(key->bytes));
	memcpy(key->bytes, x->next.p, key->n);
	return advance(x) ? -1 : 1;
}

int directory_diff_next(struct directory_diff *x, bool *is_new,
			struct directory_key *key)
{
	for (;;) {
		struct directory_key *old;
		int order;

		if (old_entry(x, &old))
			return -1;
		if (!old && !x->has_next)
			return 0;
		order = compare(x, old);
		if (order > 0)
			return give_new(x, is_new, key);
		x->at++;
		if (order < 0) {
			*is_new = false;
			*key = *old;
			return 1;
		}
		if (advance(x))
			return -1;
	}
}
