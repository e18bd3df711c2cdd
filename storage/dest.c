/*
 * Destinations: a number for each domain, and its counters. What a
 * transaction touches is changed in memory and written once, before commit;
 * after an abort all is forgotten and read anew.
 */
#include <errno.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"
#include "mxhold/storage/key.h"
#include "mxhold/storage/txn.h"

enum {
	CACHED_MAX = 10000, /* forgotten all at once beyond */
};

static struct slice number_key(const struct dest *d)
{
	return slice_make(&d->number, sizeof(d->number));
}

/* Kind and domain as they stand in the key of `dest`. */
static struct slice name_key(uint8_t k[KEY_DEST_MAX], const struct dest *d)
{
	struct slice domain = slice_make(d->domain, d->domain_n);

	return slice_make(k, key_dest_name(k, (int)d->kind, domain));
}

static struct dest *remember(struct txn *t, uint32_t number,
			     enum dest_kind kind, struct slice domain)
{
	struct dest *d = mem_alloc(sizeof(*d));
	uint8_t k[KEY_DEST_MAX];

	d->number = number;
	d->kind = kind;
	d->domain_n = (uint16_t)domain.n;
	if (domain.n)
		memcpy(d->domain, domain.p, domain.n);
	map_put(&t->by_number, number_key(d), d);
	map_put(&t->by_name, name_key(k, d), d);
	return d;
}

static void forget(struct txn *t, struct dest *d)
{
	uint8_t k[KEY_DEST_MAX];

	map_remove(&t->by_number, number_key(d));
	map_remove(&t->by_name, name_key(k, d));
	mem_free(d);
}

void dests_forget(struct txn *t)
{
	map_done(&t->by_name, NULL);
	map_done(&t->by_number, mem_free);
	map_init(&t->by_name);
	map_init(&t->by_number);
	t->dirty = NULL;
}

int dest_by_number(struct txn *t, uint32_t number, struct dest **out)
{
	uint8_t k[KEY_DEST_MAX];
	struct dest_record rec;
	MDB_val v;
	int rc;

	*out = map_get(&t->by_number, slice_make(&number, sizeof(number)));
	if (*out)
		return 0;
	rc = txn_get(t, TABLE_DEST, k, key_dest_number(k, number), &v);
	if (rc)
		return rc;
	if (record_decode_dest(env_slice(&v), &rec))
		return MDB_CORRUPTED;
	*out = remember(t, number, rec.kind, rec.domain);
	(*out)->messages = rec.messages;
	(*out)->bytes = rec.bytes;
	return 0;
}

static void mark_dirty(struct txn *t, struct dest *d)
{
	if (d->dirty)
		return;
	d->dirty = true;
	d->next_dirty = t->dirty;
	t->dirty = d;
}

static int make(struct txn *t, enum dest_kind kind, struct slice domain,
		struct dest **out)
{
	uint8_t k[KEY_DEST_MAX], number[KEY_ID];
	size_t n = key_dest_name(k, (int)kind, domain);

	key_id(number, ++t->meta.last_dest);
	*out = remember(t, t->meta.last_dest, kind, domain);
	mark_dirty(t, *out);
	return txn_put(t, TABLE_DEST, env_val(k, n),
		       env_val(number, sizeof(number)));
}

int dest_by_name(struct txn *t, enum dest_kind kind, struct slice domain,
		 struct dest **out)
{
	uint8_t k[KEY_DEST_MAX];
	size_t n;
	MDB_val v;
	int rc;

	if (domain.n > 255)
		return EINVAL;
	n = key_dest_name(k, (int)kind, domain);
	*out = map_get(&t->by_name, slice_make(k, n));
	if (*out)
		return 0;
	rc = txn_get(t, TABLE_DEST, k, n, &v);
	if (rc == MDB_NOTFOUND)
		return make(t, kind, domain, out);
	if (rc)
		return rc;
	if (v.mv_size != KEY_ID)
		return MDB_CORRUPTED;
	rc = dest_by_number(t, (uint32_t)be64_get(v.mv_data), out);
	return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
}

void dest_add(struct txn *t, struct dest *d, uint64_t bytes)
{
	d->messages++;
	d->bytes += bytes;
	mark_dirty(t, d);
}

void dest_subtract(struct txn *t, struct dest *d, uint64_t bytes)
{
	d->messages -= d->messages ? 1 : 0;
	d->bytes -= MX_MIN(d->bytes, bytes);
	mark_dirty(t, d);
}

/* Senders' domains come and go: an empty one leaves no row behind. */
static int drop(struct txn *t, struct dest *d)
{
	uint8_t k[KEY_DEST_MAX];
	MDB_val name;
	MDB_val number = env_val(k, key_dest_number(k, d->number));
	MDB_dbi dbi = t->store->dbi[TABLE_DEST];
	struct slice key;
	int rc = mdb_del(t->mdb, dbi, &number, NULL);

	if (rc && rc != MDB_NOTFOUND)
		return rc;
	key = name_key(k, d);
	name = env_val(key.p, key.n);
	rc = mdb_del(t->mdb, dbi, &name, NULL);
	forget(t, d);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int flush(struct txn *t, struct dest *d)
{
	uint8_t k[KEY_DEST_MAX], record[RECORD_SMALL_MAX];
	struct dest_record rec = {
		.kind = d->kind,
		.domain = slice_make(d->domain, d->domain_n),
		.messages = d->messages,
		.bytes = d->bytes,
	};
	size_t n;

	d->dirty = false;
	if (d->kind == DEST_REPORT && d->messages == 0)
		return drop(t, d);
	n = record_encode_dest(record, sizeof(record), &rec);
	MX_ASSERT(n > 0);
	return txn_put(t, TABLE_DEST, env_val(k, key_dest_number(k, d->number)),
		       env_val(record, n));
}

int dests_flush(struct txn *t)
{
	int rc = 0;

	while (t->dirty && !rc) {
		struct dest *d = t->dirty;

		t->dirty = d->next_dirty;
		rc = flush(t, d);
	}
	if (!rc && t->by_number.n > CACHED_MAX)
		dests_forget(t);
	return rc;
}
