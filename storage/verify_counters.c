/*
 * Counters against a recount of the message records. It takes one snapshot,
 * as counters and records must be of one moment: half a second for a million
 * messages, for which the pages that a running daemon frees have to wait.
 */
#include "mxhold/base/map.h"
#include "mxhold/base/mem.h"
#include "mxhold/storage/key.h"
#include "mxhold/storage/verify_parts.h"

struct tally {
	uint32_t dest;
	uint64_t messages, bytes;
};

struct recount {
	struct map dests; /* number -> struct tally */
	uint64_t messages, bytes;
	uint32_t last_dest;
};

static struct tally *tally_of(struct recount *r, uint32_t dest)
{
	struct slice key = slice_make(&dest, sizeof(dest));
	struct tally *t = map_get(&r->dests, key);

	if (!t) {
		t = mem_alloc(sizeof(*t));
		t->dest = dest;
		map_put(&r->dests, key, t);
	}
	return t;
}

static int add_message(void *data, const MDB_val *k, const MDB_val *v)
{
	struct recount *r = data;
	struct message_record rec;
	struct record_dest d;

	(void)k;
	r->messages++;
	if (record_decode_message(env_slice(v), &rec))
		return 0; /* told by the message's own look */
	r->bytes += rec.size;
	for (size_t i = 0; i < rec.n_dests; i++) {
		struct tally *t;

		record_dest_get(rec.dests, i, &d);
		t = tally_of(r, d.dest);
		t->messages++;
		t->bytes += rec.size;
	}
	return 0;
}

static void compare(struct verify *v, const char *what, uint64_t kept,
		    uint64_t counted)
{
	if (kept != counted)
		verify_problem(v, "%s: the counter says %llu, there are %llu",
			       what, (unsigned long long)kept,
			       (unsigned long long)counted);
}

struct comparing {
	struct verify *v;
	struct recount *r;
};

static int compare_dest(void *data, const MDB_val *k, const MDB_val *v)
{
	struct comparing *c = data;
	const uint8_t *key = k->mv_data;
	static const struct tally none;
	const struct tally *t;
	struct dest_record rec;
	uint32_t number;

	if (k->mv_size != 5 || key[0] != 'd')
		return 1;
	number = be32_get(key + 1);
	if (record_decode_dest(env_slice(v), &rec)) {
		verify_problem(c->v, "destination %u: the record is damaged",
			       number);
		return 0;
	}
	if (number > c->r->last_dest)
		verify_problem(c->v,
			       "destination %u is beyond the last number given",
			       number);
	t = map_get(&c->r->dests, slice_make(&number, sizeof(number)));
	if (!t)
		t = &none;
	compare(c->v, "messages of a destination", rec.messages, t->messages);
	compare(c->v, "octets of a destination", rec.bytes, t->bytes);
	return 0;
}

/* Within the snapshot. LMDB code. */
static int recount(struct verify *v, struct recount *r)
{
	struct comparing c = {v, r};
	struct meta_record meta;
	uint8_t key[KEY_DEST_MAX] = {0};
	int rc = snapshot_meta(v->r, &meta);

	if (!rc)
		rc = snapshot_walk(v->r, TABLE_MESSAGE, env_val(key, 1),
				   add_message, r);
	if (rc)
		return rc;
	r->last_dest = meta.last_dest;
	compare(v, "messages", meta.messages, r->messages);
	compare(v, "octets", meta.bytes, r->bytes);
	rc = snapshot_walk(v->r, TABLE_DEST,
			   env_val(key, key_dest_number(key, 0)), compare_dest,
			   &c);
	return rc == 1 ? 0 : rc;
}

int verify_counters(struct verify *v)
{
	struct recount r = {0};
	int rc = 0;

	map_init(&r.dests);
	if (snapshot_begin(v->r))
		rc = -1;
	else
		rc = recount(v, &r);
	if (rc != -1)
		snapshot_end(v->r);
	map_done(&r.dests, mem_free);
	return rc ? -1 : 0;
}
