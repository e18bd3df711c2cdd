#include "mxhold/storage/reader.h"

#include <errno.h>
#include <string.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/storage/key.h"
#include "mxhold/storage/snapshot.h"

/* --- snapshots --------------------------------------------------------- */

struct reader *reader_new(struct store *store)
{
	struct reader *r = mem_alloc(sizeof(*r));

	r->store = store;
	if (mdb_txn_begin(store->env, NULL, MDB_RDONLY, &r->txn)) {
		mem_free(r);
		return NULL;
	}
	mdb_txn_reset(r->txn);
	return r;
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	mdb_txn_abort(r->txn);
	mem_free(r);
}

int snapshot_begin(struct reader *r)
{
	return mdb_txn_renew(r->txn) ? -1 : 0;
}

void snapshot_end(struct reader *r)
{
	mdb_txn_reset(r->txn);
}

int snapshot_get(struct reader *r, enum table table, const void *k, size_t kn,
		 MDB_val *v)
{
	MDB_val key = env_val(k, kn);

	return mdb_get(r->txn, r->store->dbi[table], &key, v);
}

int snapshot_cursor(struct reader *r, enum table table, MDB_cursor **c)
{
	return mdb_cursor_open(r->txn, r->store->dbi[table], c);
}

int snapshot_walk(struct reader *r, enum table table, MDB_val from,
		  int (*fn)(void *data, const MDB_val *k, const MDB_val *v),
		  void *data)
{
	MDB_cursor *c;
	MDB_val k = from, v;
	int rc = snapshot_cursor(r, table, &c);

	if (rc)
		return rc;
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	while (!rc) {
		rc = fn(data, &k, &v);
		if (!rc)
			rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int snapshot_meta(struct reader *r, struct meta_record *out)
{
	uint8_t key[16];
	MDB_val v;
	int rc = snapshot_get(r, TABLE_META, key, key_meta(key), &v);

	if (rc == MDB_NOTFOUND) {
		memset(out, 0, sizeof(*out));
		return 0;
	}
	if (!rc && record_decode_meta(env_slice(&v), out))
		rc = MDB_CORRUPTED;
	return rc;
}

/* --- counts and destinations ------------------------------------------- */

/* First row of `age` at or after destination `from`; its number and time. */
static int oldest_from(struct reader *r, uint32_t from, uint32_t *dest,
		       int64_t *ms)
{
	uint8_t key[KEY_DUE];
	MDB_cursor *c;
	MDB_val k, v;
	int rc = snapshot_cursor(r, TABLE_AGE, &c);

	if (rc)
		return rc;
	key_due(key, from, 0, 0);
	k = env_val(key, sizeof(key));
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	if (!rc && k.mv_size != KEY_DUE)
		rc = MDB_CORRUPTED;
	if (!rc) {
		*dest = be32_get(k.mv_data);
		*ms = (int64_t)be64_get((const uint8_t *)k.mv_data + 4);
	}
	mdb_cursor_close(c);
	return rc;
}

/* One look-up for each destination that has mail. */
static int oldest_of_all(struct reader *r, int64_t *oldest)
{
	uint32_t dest = 0;
	int64_t ms;
	int rc = 0;

	*oldest = 0;
	while ((rc = oldest_from(r, dest, &dest, &ms)) == 0) {
		if (*oldest == 0 || ms < *oldest)
			*oldest = ms;
		if (dest++ == UINT32_MAX)
			break;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int reader_counts(struct reader *r, struct queue_counts *all)
{
	struct meta_record meta;
	int rc;

	memset(all, 0, sizeof(*all));
	if (snapshot_begin(r))
		return -1;
	rc = snapshot_meta(r, &meta);
	if (!rc) {
		all->messages = meta.messages;
		all->bytes = meta.bytes;
		rc = oldest_of_all(r, &all->oldest_ms);
	}
	snapshot_end(r);
	return rc ? -1 : 0;
}

static int get_dest(struct reader *r, uint32_t dest, struct dest_record *out)
{
	uint8_t key[KEY_DEST_MAX];
	MDB_val v;
	int rc = snapshot_get(r, TABLE_DEST, key, key_dest_number(key, dest),
			      &v);

	if (!rc && record_decode_dest(env_slice(&v), out))
		rc = MDB_CORRUPTED;
	return rc;
}

int reader_dest_counts(struct reader *r, uint32_t dest,
		       struct queue_counts *out)
{
	struct dest_record rec;
	uint32_t found;
	int64_t ms;
	int rc;

	memset(out, 0, sizeof(*out));
	if (snapshot_begin(r))
		return -1;
	rc = get_dest(r, dest, &rec);
	if (!rc) {
		out->messages = rec.messages;
		out->bytes = rec.bytes;
		if (oldest_from(r, dest, &found, &ms) == 0 && found == dest)
			out->oldest_ms = ms;
	}
	snapshot_end(r);
	return snapshot_result(rc);
}

static void fill_dest(struct dest_info *out, uint32_t dest,
		      const struct dest_record *rec)
{
	out->dest = dest;
	out->kind = rec->kind;
	memcpy(out->domain, rec->domain.p, rec->domain.n);
	out->domain[rec->domain.n] = '\0';
}

int reader_dest(struct reader *r, uint32_t dest, struct dest_info *out)
{
	struct dest_record rec;
	int rc;

	if (snapshot_begin(r))
		return -1;
	rc = get_dest(r, dest, &rec);
	if (!rc)
		fill_dest(out, dest, &rec);
	snapshot_end(r);
	return snapshot_result(rc);
}

int reader_dest_find(struct reader *r, enum dest_kind kind, const char *domain,
		     uint32_t *dest)
{
	uint8_t key[KEY_DEST_MAX];
	MDB_val v;
	int rc;

	if (strlen(domain) > 255)
		return 1;
	if (snapshot_begin(r))
		return -1;
	rc = snapshot_get(r, TABLE_DEST, key,
			  key_dest_name(key, (int)kind, slice_str(domain)), &v);
	if (!rc && v.mv_size != KEY_ID)
		rc = MDB_CORRUPTED;
	if (!rc)
		*dest = (uint32_t)be64_get(v.mv_data);
	snapshot_end(r);
	return snapshot_result(rc);
}

struct dest_page {
	struct dest_info *out;
	size_t n, room;
};

static int take_dest(void *data, const MDB_val *k, const MDB_val *v)
{
	struct dest_page *page = data;
	const uint8_t *key = k->mv_data;
	struct dest_record rec;

	if (k->mv_size != 5 || key[0] != 'd' || page->n == page->room)
		return 1;
	if (record_decode_dest(env_slice(v), &rec))
		return MDB_CORRUPTED;
	fill_dest(&page->out[page->n++], be32_get(key + 1), &rec);
	return 0;
}

int reader_dests(struct reader *r, uint32_t from, struct dest_info *out,
		 size_t *n)
{
	struct dest_page page = {out, 0, *n};
	uint8_t key[KEY_DEST_MAX];
	int rc;

	*n = 0;
	if (snapshot_begin(r))
		return -1;
	rc = snapshot_walk(r, TABLE_DEST,
			   env_val(key, key_dest_number(key, from)), take_dest,
			   &page);
	snapshot_end(r);
	if (rc && rc != 1)
		return -1;
	*n = page.n;
	return page.n ? 0 : 1;
}

/* --- messages ---------------------------------------------------------- */

static int get_record(struct reader *r, uint64_t id, MDB_val *v,
		      struct message_record *rec)
{
	uint8_t key[KEY_ID];
	int rc;

	key_id(key, id);
	rc = snapshot_get(r, TABLE_MESSAGE, key, sizeof(key), v);
	if (!rc && record_decode_message(env_slice(v), rec))
		rc = MDB_CORRUPTED;
	return rc;
}

static enum queue_state state_of(const struct message_record *rec,
				 int64_t now_ms)
{
	if (rec->quarantined)
		return QUEUE_QUARANTINE;
	if (rec->held)
		return QUEUE_HELD;
	return record_next_due(rec) > now_ms ? QUEUE_RETRY : QUEUE_READY;
}

static int copy_recipient(struct reader *r, uint64_t id, uint16_t n,
			  struct arena *arena, struct queue_rcpt *out)
{
	struct recipient_record rec;
	uint8_t key[KEY_RCPT];
	struct slice copy;
	MDB_val v;
	int rc;

	key_rcpt(key, id, n);
	rc = snapshot_get(r, TABLE_RECIPIENT, key, sizeof(key), &v);
	if (rc)
		return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
	copy = arena_dup(arena, env_slice(&v));
	if (!copy.p)
		return ENOMEM;
	if (record_decode_recipient(copy, &rec))
		return MDB_CORRUPTED;
	*out = (struct queue_rcpt){
		.n = n,
		.dest = rec.dest,
		.state = rec.state,
		.kept = rec.kept,
		.rcpt = rec.rcpt,
		.attempts = rec.attempts,
		.last_attempt_ms = rec.last_attempt_ms,
		.first_5xx_ms = rec.first_5xx_ms,
		.reply = rec.reply,
		.remote = rec.remote,
	};
	return 0;
}

static int copy_recipients(struct reader *r, struct arena *arena,
			   struct queue_message *out, uint16_t n)
{
	int rc = 0;

	out->rcpts = arena_alloc(arena, n * sizeof(*out->rcpts));
	if (n && !out->rcpts)
		return ENOMEM;
	out->n_rcpts = n;
	for (uint16_t i = 0; i < n && !rc; i++)
		rc = copy_recipient(r, out->id, i, arena, &out->rcpts[i]);
	return rc;
}

static void fill_message(struct queue_message *out, uint64_t id,
			 const struct message_record *rec)
{
	int64_t next = record_next_due(rec);

	*out = (struct queue_message){
		.id = id,
		.state = state_of(rec, clock_wall_ms()),
		.env = rec->env,
		.size = rec->size,
		.chunks = rec->chunks,
		.crc = rec->crc,
		.attempts = rec->attempts,
		.next_attempt_ms = next == RECORD_NOT_DUE ? 0 : next,
		.maybe_duplicate = rec->maybe_duplicate,
		.quarantined = rec->quarantined,
		.given_up = rec->given_up,
		.told = rec->told,
		.message_id = rec->message_id,
		.reason = rec->reason,
	};
}

int snapshot_message(struct reader *r, uint64_t id, struct arena *arena,
		     struct queue_message *out)
{
	struct message_record rec;
	struct slice copy;
	MDB_val v;
	int rc = get_record(r, id, &v, &rec);

	if (rc)
		return rc;
	copy = arena_dup(arena, env_slice(&v));
	if (!copy.p)
		return ENOMEM;
	if (record_decode_message(copy, &rec))
		return MDB_CORRUPTED;
	fill_message(out, id, &rec);
	return copy_recipients(r, arena, out, rec.n_rcpts);
}

int reader_message(struct reader *r, uint64_t id, struct arena *arena,
		   struct queue_message *out)
{
	int rc;

	if (snapshot_begin(r))
		return -1;
	rc = snapshot_message(r, id, arena, out);
	snapshot_end(r);
	return snapshot_result(rc);
}

/* --- content ----------------------------------------------------------- */

static size_t chunk_length(const struct message_record *rec, uint32_t chunk)
{
	uint64_t at = (uint64_t)chunk * CHUNK_SIZE;

	return (size_t)MX_MIN(rec->size - at, (uint64_t)CHUNK_SIZE);
}

static int append_chunks(struct reader *r, uint64_t id,
			 const struct message_record *rec, uint32_t *chunk,
			 uint32_t end, struct buf *out)
{
	uint64_t at = (uint64_t)*chunk * CHUNK_SIZE;
	uint8_t key[KEY_BODY];
	MDB_val v;
	int rc = 0;

	if (buf_reserve(out,
			(size_t)MX_MIN(rec->size - at,
				       (uint64_t)(end - *chunk) * CHUNK_SIZE)))
		return ENOMEM;
	for (; *chunk < end && !rc; (*chunk)++) {
		key_body(key, id, *chunk);
		rc = snapshot_get(r, TABLE_BODY, key, sizeof(key), &v);
		if (rc)
			break;
		if (v.mv_size != chunk_length(rec, *chunk))
			rc = MDB_CORRUPTED;
		else if (buf_append(out, v.mv_data, v.mv_size))
			rc = ENOMEM;
	}
	return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
}

int reader_body(struct reader *r, uint64_t id, uint32_t from,
		uint32_t max_chunks, struct buf *out, uint32_t *next)
{
	struct message_record rec;
	MDB_val v;
	uint32_t end;
	int rc;

	*next = 0;
	max_chunks = MX_MIN(max_chunks, (uint32_t)64);
	if (snapshot_begin(r))
		return -1;
	rc = get_record(r, id, &v, &rec);
	if (!rc && from < rec.chunks) {
		end = from + MX_MIN(max_chunks, rec.chunks - from);
		rc = append_chunks(r, id, &rec, &from, end, out);
		if (!rc && from < rec.chunks)
			*next = from;
	}
	snapshot_end(r);
	return snapshot_result(rc);
}
