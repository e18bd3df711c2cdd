/*
 * What lies beside the messages: names and numbers of destinations, the last
 * numbers given, uploads, what is to be swept, history, marks of imports.
 */
#include <string.h>

#include "mxhold/storage/key.h"
#include "mxhold/storage/verify_parts.h"

enum {
	NAME_AT = 2,              /* in a key of `dest`: "n", kind, domain */
	NUMBER_KEY = 1 + 4,       /* "d", number */
	MARK_KEY = 1 + 8 + 4,     /* of `meta`: see imported.h */
	TIME_KEY = 1 + 8 + 8 + 4, /* the same in the order of time */
	MARK_SIZE = 1 + 8 + 8
};

static int get(struct verify_walk *w, enum table table, const void *k,
	       size_t kn, MDB_val *v)
{
	return snapshot_get(w->v->r, table, k, kn, v);
}

/* --- destinations ------------------------------------------------------ */

static bool leads_to(struct verify_walk *w, uint64_t number, int kind,
		     struct slice domain)
{
	uint8_t key[KEY_DEST_MAX];
	struct dest_record rec;
	MDB_val v;

	return number <= UINT32_MAX &&
	       get(w, TABLE_DEST, key, key_dest_number(key, (uint32_t)number),
		   &v) == 0 &&
	       record_decode_dest(env_slice(&v), &rec) == 0 &&
	       (int)rec.kind == kind && slice_eq(rec.domain, domain);
}

static void check_name(struct verify_walk *w, const uint8_t *key)
{
	struct slice domain =
		slice_make((const char *)key + NAME_AT, w->kn - NAME_AT);

	if (w->kn < NAME_AT || w->value->mv_size != KEY_ID ||
	    !leads_to(w, be64_get(w->value->mv_data), key[1], domain))
		verify_problem(w->v,
			       "destinations: the name %.*s leads "
			       "elsewhere",
			       w->kn < NAME_AT ? 0 : (int)domain.n, domain.p);
}

/* A record that is damaged is told by the look at the counters. */
static void check_number(struct verify_walk *w, const uint8_t *key)
{
	uint32_t number = be32_get(key + 1);
	uint8_t name[KEY_DEST_MAX];
	struct dest_record rec;
	MDB_val v;

	if (record_decode_dest(env_slice(w->value), &rec))
		return;
	if (get(w, TABLE_DEST, name,
		key_dest_name(name, (int)rec.kind, rec.domain), &v) ||
	    v.mv_size != KEY_ID || be64_get(v.mv_data) != number)
		verify_problem(w->v,
			       "destination %u has a name that does not lead "
			       "to it",
			       number);
}

/* --- uploads, and what is to be swept ---------------------------------- */

static bool has_chunk(struct verify_walk *w, uint64_t id, uint32_t chunk)
{
	uint8_t key[KEY_BODY];
	MDB_val v;

	key_body(key, id, chunk);
	return get(w, TABLE_BODY, key, sizeof(key), &v) == 0;
}

static bool has_chunks(struct verify_walk *w, uint64_t id, uint32_t n)
{
	return (n == 0 || has_chunk(w, id, n - 1)) && !has_chunk(w, id, n);
}

static void check_leaving(struct verify_walk *w, const uint8_t *key)
{
	MDB_val v;

	if (get(w, TABLE_MESSAGE, key, KEY_ID, &v) == 0)
		verify_message_problem(w->v, be64_get(key),
				       "it stands in %s, but the message is "
				       "there",
				       table_name(w->table));
}

static void check_incoming(struct verify_walk *w, const uint8_t *key)
{
	uint64_t id = be64_get(key);
	uint32_t chunks;

	if (record_decode_chunks(env_slice(w->value), &chunks) ||
	    !has_chunks(w, id, chunks))
		verify_message_problem(w->v, id,
				       "a row in incoming that its chunks do "
				       "not bear out");
	check_leaving(w, key);
}

/* --- history, marks of imports ----------------------------------------- */

static void check_history(struct verify_walk *w, const uint8_t *key)
{
	struct history_row row;

	if (record_decode_history(env_slice(w->value), be64_get(key), &row))
		verify_problem(w->v, "a row of history that cannot be read");
}

static void half_a_mark(struct verify_walk *w)
{
	verify_problem(w->v, "a mark of an import without its other half");
}

/* "i" id sum -> version, time, id here; "j" time id sum. */
static void check_mark(struct verify_walk *w, const uint8_t *key)
{
	const uint8_t *mark = w->value->mv_data;
	uint8_t other[TIME_KEY] = {'j'};
	MDB_val v;

	if (w->value->mv_size != MARK_SIZE) {
		half_a_mark(w);
		return;
	}
	memcpy(other + 1, mark + 1, 8);
	memcpy(other + 9, key + 1, MARK_KEY - 1);
	if (get(w, TABLE_META, other, sizeof(other), &v))
		half_a_mark(w);
}

static void check_mark_time(struct verify_walk *w, const uint8_t *key)
{
	uint8_t other[MARK_KEY] = {'i'};
	MDB_val v;

	memcpy(other + 1, key + 9, MARK_KEY - 1);
	if (get(w, TABLE_META, other, sizeof(other), &v))
		half_a_mark(w);
}

/* --- the last numbers given -------------------------------------------- */

static uint64_t last_key(struct verify *v, enum table table)
{
	MDB_cursor *c;
	MDB_val k, value;
	uint64_t last = 0;

	if (snapshot_cursor(v->r, table, &c))
		return 0;
	if (mdb_cursor_get(c, &k, &value, MDB_LAST) == 0 && k.mv_size == KEY_ID)
		last = be64_get(k.mv_data);
	mdb_cursor_close(c);
	return last;
}

static void check_last(struct verify *v, enum table table, uint64_t given)
{
	if (last_key(v, table) > given)
		verify_problem(v, "%s: the last id given is passed",
			       table_name(table));
}

static int check_last_numbers(struct verify *v)
{
	struct meta_record meta;
	int rc;

	if (snapshot_begin(v->r))
		return -1;
	rc = snapshot_meta(v->r, &meta);
	if (!rc) {
		check_last(v, TABLE_MESSAGE, meta.last_id);
		check_last(v, TABLE_INCOMING, meta.last_id);
		check_last(v, TABLE_SWEEP, meta.last_id);
		check_last(v, TABLE_HISTORY, meta.last_history);
	}
	snapshot_end(v->r);
	return rc ? -1 : 0;
}

/* --- all of it --------------------------------------------------------- */

int verify_refs(struct verify *v)
{
	struct verify_walk walks[] = {
		{.table = TABLE_DEST, .first = 'n', .check = check_name},
		{.table = TABLE_DEST,
		 .first = 'd',
		 .key_size = NUMBER_KEY,
		 .check = check_number},
		{.table = TABLE_INCOMING,
		 .key_size = KEY_ID,
		 .check = check_incoming},
		{.table = TABLE_SWEEP,
		 .key_size = KEY_ID,
		 .check = check_leaving},
		{.table = TABLE_HISTORY,
		 .key_size = KEY_ID,
		 .check = check_history},
		{.table = TABLE_META,
		 .first = 'i',
		 .key_size = MARK_KEY,
		 .check = check_mark},
		{.table = TABLE_META,
		 .first = 'j',
		 .key_size = TIME_KEY,
		 .check = check_mark_time},
	};

	for (size_t i = 0; i < MX_ARRAY_SIZE(walks); i++) {
		walks[i].v = v;
		if (verify_walk(&walks[i]))
			return -1;
	}
	return check_last_numbers(v);
}
