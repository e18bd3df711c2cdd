#include <string.h>

#include "mxhold/base/mem.h"
#include "mxhold/control/query_inner.h"

enum {
	CHUNKS = 16, /* of content in a step: 64 KiB */
	HEADERS_MAX = 4 << 20,
	LOG_PAGE = 200,
};

enum query_more query_step_show(struct query *q, struct buf *out)
{
	struct queue_message m;
	json_t *r;

	if (query_message(q, out, &m) < 0)
		return QUERY_DONE;
	if (query_is_quarantine(q) && m.state != QUEUE_QUARANTINE)
		return query_end(out, EXIT_NO_MATCH,
				 "it is not in quarantine; `msg show` tells "
				 "how it stands");
	r = present_message_whole(&m, q->config);
	protocol_append_result(out, r);
	json_decref(r);
	return query_end(out, EXIT_DONE, NULL);
}

/* The next piece of content; *last when there is no more. 0, or -1 with the
 * end written. */
static int next_piece(struct query *q, struct buf *out, struct buf *piece,
		      bool *last)
{
	struct queue_message m;
	int rc;

	/* Looked up each time: it may be delivered while we read. */
	if (query_message(q, out, &m) < 0)
		return -1;
	rc = reader_body(q->reader, m.id, q->chunk, CHUNKS, piece, &q->chunk);
	if (rc == 0) {
		q->sent += piece->n;
		*last = q->chunk == 0;
		return 0;
	}
	if (rc < 0)
		query_failed(out);
	else
		query_end(out, EXIT_FAILED,
			  "the message left the queue meanwhile");
	return -1;
}

static enum query_more give(struct query *q, struct buf *out,
			    struct slice bytes, bool last)
{
	(void)q;
	if (bytes.n && protocol_append_raw(out, bytes) < 0)
		return query_failed(out);
	return last ? query_end(out, EXIT_DONE, NULL) : QUERY_MORE;
}

enum query_more query_step_raw(struct query *q, struct buf *out)
{
	enum query_more more = QUERY_DONE;
	struct buf piece;
	bool last = false;

	buf_init(&piece, CHUNKS * CHUNK_SIZE);
	if (next_piece(q, out, &piece, &last) == 0)
		more = give(q, out, buf_slice(&piece), last);
	buf_done(&piece);
	return more;
}

/* Octets up to the empty line that ends the header (all of them if none). */
static bool header_end(struct slice s, size_t *n)
{
	const char *at = s.n ? memmem(s.p, s.n, "\r\n\r\n", 4) : NULL;

	if (at)
		*n = (size_t)(at - s.p) + 2;
	return at != NULL;
}

/* The header whole, up to a bound: the empty line may lie across pieces. */
static int read_header(struct query *q, struct buf *out, struct buf *header)
{
	struct buf piece;
	bool last = false;
	size_t n = 0;
	int rc = 0;

	buf_init(&piece, CHUNKS * CHUNK_SIZE);
	while (rc == 0 && !last) {
		buf_clear(&piece);
		rc = next_piece(q, out, &piece, &last);
		if (rc == 0 && buf_append_slice(header, buf_slice(&piece)) < 0)
			last = true;
		if (header_end(buf_slice(header), &n)) {
			buf_truncate(header, n);
			last = true;
		}
	}
	buf_done(&piece);
	return rc;
}

enum query_more query_step_headers(struct query *q, struct buf *out)
{
	struct buf header;
	struct slice rest;

	buf_init(&header, HEADERS_MAX);
	if (read_header(q, out, &header) == 0) {
		rest = buf_slice(&header);
		while (rest.n) {
			struct slice piece = slice_head(rest, PROTOCOL_RAW_MAX);

			protocol_append_raw(out, piece);
			rest = slice_skip(rest, piece.n);
		}
		query_end(out, EXIT_DONE, NULL);
	}
	buf_done(&header);
	return QUERY_DONE;
}

/* msg log: newest first in the store, told oldest first. */

static enum query_more end_log(struct query *q, struct buf *out)
{
	size_t n = json_array_size(q->sample);

	for (size_t i = n; i-- > 0;)
		protocol_append_row(out, json_array_get(q->sample, i));
	if (n == 0)
		return query_end(out, EXIT_NO_MATCH,
				 "nothing is known of that id (any more)");
	return query_end(out, EXIT_DONE, NULL);
}

enum query_more query_step_log(struct query *q, struct buf *out)
{
	const char *text = json_string_value(json_object_get(q->args, "id"));
	struct history_row rows[LOG_PAGE];
	size_t n = LOG_PAGE;
	uint64_t id;
	int rc;

	if (!text || id_parse(slice_str(text), &id) < 0)
		return query_end(out, EXIT_USAGE, "that is no queue id");
	arena_reset(&q->arena);
	rc = history_read(q->reader, &q->before, &q->arena, rows, &n);
	if (rc < 0)
		return query_failed(out);
	if (rc == 1 || n == 0)
		return end_log(q, out);
	for (size_t i = 0; i < n; i++)
		if (rows[i].id == id)
			json_array_append_new(q->sample,
					      present_history(&rows[i]));
	return QUERY_MORE;
}
