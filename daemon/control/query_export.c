/*
 * queue export: for each message that matches a row, the parcel, then its
 * content in raw lines. One that leaves the queue meanwhile is told so.
 */
#include "mxhold/control/parcel.h"
#include "mxhold/control/query_inner.h"

enum {
	CHUNKS = 16, /* of content in a step: 64 KiB */
};

/* Within a page; their envelopes are read when it is their turn. */
static void pick(struct query *q, const struct queue_message *m, void *data)
{
	(void)data;
	q->picked[q->n_picked++] = m->id;
}

static enum query_more end(struct query *q, struct buf *out)
{
	if (q->matched == 0 && filter_chooses(&q->filter) && !q->filter.all)
		return query_end(out, EXIT_NO_MATCH, "no message matches");
	return query_end(out, EXIT_DONE, NULL);
}

static enum query_more next_page(struct query *q, struct buf *out)
{
	bool failed;

	if (q->page_was_last)
		return end(q, out);
	q->n_picked = q->at_picked = 0;
	q->page_was_last = query_page(q, pick, NULL, &failed) == QUERY_DONE;
	return failed ? query_failed(out) : QUERY_MORE;
}

static enum query_more begin_message(struct query *q, struct buf *out)
{
	uint64_t id = q->picked[q->at_picked++];
	struct queue_message m;
	json_t *row;
	int rc;

	arena_reset(&q->arena);
	rc = reader_message(q->reader, id, &q->arena, &m);
	if (rc == 1)
		return QUERY_MORE; /* it left a moment ago */
	if (rc < 0)
		return query_failed(out);
	row = parcel_format(&m);
	rc = protocol_append_row(out, row);
	json_decref(row);
	if (rc < 0)
		return query_failed(out);
	q->exporting = id;
	q->chunk = 0;
	return QUERY_MORE;
}

static enum query_more tell_gone(struct query *q, struct buf *out)
{
	char id[ID_TEXT_LEN + 1];
	json_t *row;

	id_format(q->exporting, id);
	row = json_pack("{s:s,s:b}", "id", id, "gone", 1);
	protocol_append_row(out, row);
	json_decref(row);
	q->exporting = 0;
	return QUERY_MORE;
}

static enum query_more give_piece(struct query *q, struct buf *out)
{
	struct buf piece;
	int rc;

	buf_init(&piece, CHUNKS * CHUNK_SIZE);
	rc = reader_body(q->reader, q->exporting, q->chunk, CHUNKS, &piece,
			 &q->chunk);
	if (rc == 0 && piece.n)
		rc = protocol_append_raw(out, buf_slice(&piece));
	buf_done(&piece);
	if (rc < 0)
		return query_failed(out);
	if (rc == 1)
		return tell_gone(q, out);
	if (q->chunk == 0)
		q->exporting = 0;
	return QUERY_MORE;
}

enum query_more query_step_export(struct query *q, struct buf *out)
{
	if (q->exporting)
		return give_piece(q, out);
	if (q->at_picked == q->n_picked)
		return next_page(q, out);
	return begin_message(q, out);
}
