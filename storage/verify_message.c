/*
 * One message: its record, recipients, rows and content, in one snapshot.
 */
#include "mxhold/base/text.h"
#include "mxhold/storage/key.h"
#include "mxhold/storage/verify_parts.h"

struct look {
	struct verify *v;
	uint64_t id;
	struct message_record rec;
	unsigned open; /* recipients of the destination looked at */
};

static bool is_there(struct verify *v, enum table table, const void *k,
		     size_t kn)
{
	MDB_val value;

	return snapshot_get(v->r, table, k, kn, &value) == 0;
}

/* --- recipients -------------------------------------------------------- */

/* Open recipients of one destination; -1 = a row is missing or damaged,
 * which is told once, by the first look. */
static int count_open(struct look *l, uint32_t dest, bool tell)
{
	struct recipient_record r;
	uint8_t key[KEY_RCPT];
	MDB_val val;
	int open = 0;

	for (uint16_t n = 0; n < l->rec.n_rcpts; n++) {
		key_rcpt(key, l->id, n);
		if (snapshot_get(l->v->r, TABLE_RECIPIENT, key, sizeof(key),
				 &val)) {
			if (tell)
				verify_message_problem(
					l->v, l->id, "recipient %u is missing",
					n);
			continue;
		}
		if (record_decode_recipient(env_slice(&val), &r)) {
			if (tell)
				verify_message_problem(
					l->v, l->id, "recipient %u is damaged",
					n);
			continue;
		}
		if (tell)
			l->v->out->recipients++;
		open += (tell || r.dest == dest) && recipient_is_open(&r);
	}
	return open;
}

/* --- rows of a destination --------------------------------------------- */

static void check_due(struct look *l, const struct record_dest *d)
{
	bool stopped = l->rec.held || l->rec.quarantined;
	uint8_t key[KEY_DUE];

	if (stopped != (d->due_ms == RECORD_NOT_DUE))
		verify_message_problem(l->v, l->id,
				       "destination %u should %sbe due",
				       d->dest, stopped ? "not " : "");
	if (d->due_ms == RECORD_NOT_DUE)
		return;
	key_due(key, d->dest, d->due_ms, l->id);
	if (!is_there(l->v, TABLE_DUE, key, sizeof(key)))
		verify_message_problem(l->v, l->id,
				       "destination %u has no row in due",
				       d->dest);
}

/* A destination means the domain of all its recipients. */
static void check_domain(struct look *l, uint32_t dest)
{
	uint8_t key[KEY_DEST_MAX];
	struct recipient_record r;
	struct dest_record rec;
	MDB_val val;

	if (snapshot_get(l->v->r, TABLE_DEST, key, key_dest_number(key, dest),
			 &val)) {
		verify_message_problem(l->v, l->id, "destination %u is unknown",
				       dest);
		return;
	}
	if (record_decode_dest(env_slice(&val), &rec))
		return; /* told with the counters */
	for (uint16_t n = 0; n < l->rec.n_rcpts; n++) {
		key_rcpt(key, l->id, n);
		if (snapshot_get(l->v->r, TABLE_RECIPIENT, key, KEY_RCPT,
				 &val) == 0 &&
		    record_decode_recipient(env_slice(&val), &r) == 0 &&
		    r.dest == dest && recipient_is_open(&r) &&
		    !slice_eq(r.rcpt.domain, rec.domain))
			verify_message_problem(l->v, l->id,
					       "destination %u is not for the "
					       "domain of recipient %u",
					       dest, n);
	}
}

static void check_dest(struct look *l, const struct record_dest *d)
{
	uint8_t key[KEY_DUE];
	int open = count_open(l, d->dest, false);

	if (open != d->open)
		verify_message_problem(l->v, l->id,
				       "destination %u has %d open recipients, "
				       "not %u",
				       d->dest, open, d->open);
	check_domain(l, d->dest);
	key_due(key, d->dest, l->rec.env.arrived_at_ms, l->id);
	if (!is_there(l->v, TABLE_AGE, key, KEY_DUE))
		verify_message_problem(l->v, l->id,
				       "destination %u has no row in age",
				       d->dest);
	check_due(l, d);
}

static void check_dests(struct look *l)
{
	struct record_dest d;
	int sum = 0, open = count_open(l, 0, true);

	for (size_t i = 0; i < l->rec.n_dests; i++) {
		record_dest_get(l->rec.dests, i, &d);
		check_dest(l, &d);
		sum += d.open;
	}
	if (sum != open)
		verify_message_problem(l->v, l->id,
				       "%d open recipients, %d of them counted",
				       open, sum);
	if (l->rec.n_dests == 0)
		verify_message_problem(l->v, l->id, "no destination is open");
}

static void check_expire(struct look *l)
{
	uint8_t key[KEY_EXPIRE];

	if (!l->rec.expire_ms)
		return;
	key_expire(key, l->rec.expire_ms, l->id);
	if (!is_there(l->v, TABLE_EXPIRE, key, sizeof(key)))
		verify_message_problem(l->v, l->id, "no row in expire");
}

/* --- content ----------------------------------------------------------- */

struct content {
	struct look *l;
	uint32_t chunk;
	uint64_t bytes;
	uint32_t crc;
};

static int take_chunk(void *data, const MDB_val *k, const MDB_val *v)
{
	struct content *c = data;
	const uint8_t *key = k->mv_data;

	if (k->mv_size != KEY_BODY || be64_get(key) != c->l->id)
		return 1;
	if (be32_get(key + 8) != c->chunk) {
		verify_message_problem(c->l->v, c->l->id, "chunk %u is missing",
				       c->chunk);
		return 1;
	}
	c->chunk++;
	c->bytes += v->mv_size;
	c->crc = crc32c(c->crc, v->mv_data, v->mv_size);
	c->l->v->out->chunks++;
	return 0;
}

static void check_content(struct look *l)
{
	struct content c = {.l = l};
	uint8_t key[KEY_BODY];

	key_body(key, l->id, 0);
	snapshot_walk(l->v->r, TABLE_BODY, env_val(key, sizeof(key)),
		      take_chunk, &c);
	l->v->out->bytes += c.bytes;
	if (c.chunk != l->rec.chunks || c.bytes != l->rec.size)
		verify_message_problem(l->v, l->id,
				       "content has %llu octets in %u chunks, "
				       "not %llu in %u",
				       (unsigned long long)c.bytes, c.chunk,
				       (unsigned long long)l->rec.size,
				       l->rec.chunks);
	else if (c.crc != l->rec.crc)
		verify_message_problem(l->v, l->id,
				       "the checksum of the content is wrong");
}

void verify_message(struct verify *v, uint64_t id)
{
	struct look l = {.v = v, .id = id};
	uint8_t key[KEY_ID];
	MDB_val val;

	key_id(key, id);
	if (snapshot_get(v->r, TABLE_MESSAGE, key, sizeof(key), &val))
		return; /* gone since its id was listed */
	v->out->messages++;
	if (record_decode_message(env_slice(&val), &l.rec)) {
		verify_message_problem(v, id, "the record is damaged");
		return;
	}
	check_dests(&l);
	check_expire(&l);
	check_content(&l);
}
