/*
 * Pages of a listing: what is due, what expires, ids in order.
 */
#include "mxhold/storage/key.h"
#include "mxhold/storage/snapshot.h"

enum {
	STOP = 1 /* the page is full or the rows wanted have ended */
};

static int page_result(int rc, size_t n)
{
	if (rc && rc != STOP)
		return -1;
	return n ? 0 : 1;
}

/* --- due --------------------------------------------------------------- */

struct due_page {
	uint32_t dest;
	uint64_t after_ms, after_id, until_ms;
	struct due_row *out;
	size_t n, room;
};

static int take_due(void *data, const MDB_val *k, const MDB_val *v)
{
	struct due_page *page = data;
	const uint8_t *key = k->mv_data;
	uint64_t ms, id;

	(void)v;
	if (k->mv_size != KEY_DUE)
		return MDB_CORRUPTED;
	ms = be64_get(key + 4);
	id = be64_get(key + 12);
	if (be32_get(key) != page->dest || ms > page->until_ms ||
	    page->n == page->room)
		return STOP;
	if (ms == page->after_ms && id == page->after_id)
		return 0; /* the last row of the page before */
	page->out[page->n++] = (struct due_row){id, (int64_t)ms};
	return 0;
}

int reader_due(struct reader *r, uint32_t dest, int64_t after_ms,
	       uint64_t after_id, int64_t until_ms, struct due_row *out,
	       size_t *n)
{
	struct due_page page = {
		dest, key_time(after_ms), after_id, key_time(until_ms), out, 0,
		*n};
	uint8_t key[KEY_DUE];
	int rc;

	*n = 0;
	if (until_ms < 0)
		return 1;
	if (snapshot_begin(r))
		return -1;
	key_due(key, dest, after_ms, after_id);
	rc = snapshot_walk(r, TABLE_DUE, env_val(key, sizeof(key)), take_due,
			   &page);
	snapshot_end(r);
	*n = page.n;
	return page_result(rc, page.n);
}

int reader_next_due(struct reader *r, uint32_t dest, int64_t *due_ms)
{
	struct due_row row;
	size_t n = 1;
	int rc = reader_due(r, dest, 0, 0, INT64_MAX, &row, &n);

	if (rc == 0)
		*due_ms = row.due_ms;
	return rc;
}

/* --- expire ------------------------------------------------------------ */

static int take_expired(void *data, const MDB_val *k, const MDB_val *v)
{
	struct due_page *page = data;
	const uint8_t *key = k->mv_data;

	(void)v;
	if (k->mv_size != KEY_EXPIRE)
		return MDB_CORRUPTED;
	if (be64_get(key) > page->until_ms || page->n == page->room)
		return STOP;
	page->out[page->n++] = (struct due_row){
		.id = be64_get(key + 8), .due_ms = (int64_t)be64_get(key)};
	return 0;
}

int reader_expired(struct reader *r, int64_t until_ms, struct due_row *out,
		   size_t *n)
{
	struct due_page page = {
		.until_ms = key_time(until_ms), .out = out, .room = *n};
	uint8_t key[KEY_EXPIRE] = {0};
	int rc;

	*n = 0;
	if (until_ms < 0)
		return 1;
	if (snapshot_begin(r))
		return -1;
	rc = snapshot_walk(r, TABLE_EXPIRE, env_val(key, sizeof(key)),
			   take_expired, &page);
	snapshot_end(r);
	*n = page.n;
	return page_result(rc, page.n);
}

/* --- ids --------------------------------------------------------------- */

struct id_page {
	uint64_t *ids;
	size_t n, room;
};

static int take_id(void *data, const MDB_val *k, const MDB_val *v)
{
	struct id_page *page = data;

	(void)v;
	if (k->mv_size != KEY_ID)
		return MDB_CORRUPTED;
	if (page->n == page->room)
		return STOP;
	page->ids[page->n++] = be64_get(k->mv_data);
	return 0;
}

int reader_ids(struct reader *r, uint64_t after, uint64_t *ids, size_t *n)
{
	struct id_page page = {ids, 0, *n};
	uint8_t key[KEY_ID];
	int rc;

	*n = 0;
	if (after == UINT64_MAX)
		return 1;
	if (snapshot_begin(r))
		return -1;
	key_id(key, after + 1);
	rc = snapshot_walk(r, TABLE_MESSAGE, env_val(key, sizeof(key)), take_id,
			   &page);
	snapshot_end(r);
	*n = page.n;
	return page_result(rc, page.n);
}
