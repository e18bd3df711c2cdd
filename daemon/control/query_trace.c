/*
 * trace: rows of the history about an address, a message id or a queue id,
 * newest first, a page a step.
 */
#include <string.h>

#include "mxhold/base/text.h"
#include "mxhold/control/query_inner.h"

enum {
	TRACE_PAGE = 200, /* rows looked at in a step */
};

struct wanted {
	const char *text; /* as typed */
	struct slice message_id;
	bool is_id; /* it may also be a queue id */
	uint64_t id;
	char id_text[ID_TEXT_LEN + 1];
	int64_t since_ms; /* wall; 0 = all there is */
};

static struct slice without_brackets(struct slice s)
{
	if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
		return slice_make(s.p + 1, s.n - 2);
	return s;
}

/* 0, or -1 with the end written. */
static int parse(const struct query *q, struct buf *out, struct wanted *w)
{
	const json_t *since = json_object_get(q->args, "since");
	int64_t age_ms;

	*w = (struct wanted){
		.text = json_string_value(json_object_get(q->args, "what"))};
	if (!w->text || !*w->text) {
		query_end(out, EXIT_USAGE, "what shall be traced?");
		return -1;
	}
	w->message_id = without_brackets(slice_str(w->text));
	w->is_id = id_parse(slice_str(w->text), &w->id) == 0;
	if (w->is_id)
		id_format(w->id, w->id_text);
	if (!since)
		return 0;
	if (!json_is_string(since) ||
	    text_parse_duration(slice_str(json_string_value(since)), &age_ms) <
		    0) {
		query_end(out, EXIT_USAGE,
			  "--since wants a duration, such as 3d");
		return -1;
	}
	w->since_ms = MX_MAX(q->now_ms - MX_MIN(age_ms, q->now_ms), 1);
	return 0;
}

/* Texts of the history are cut; so is what they are compared with. */
static bool is_message_id(struct slice stored, struct slice wanted)
{
	struct slice s = without_brackets(stored);

	if (s.n == 0)
		return false;
	if (stored.n == HISTORY_TEXT_MAX && s.n == stored.n)
		s = slice_skip(s, s.p[0] == '<');
	else if (s.n != wanted.n)
		return false;
	return slice_eq(s, slice_head(wanted, s.n));
}

/* A report's id, or the id before an import, stands in the text. */
static bool is_id(const struct wanted *w, const struct history_row *row)
{
	bool named =
		row->what == HISTORY_REPORTED || row->what == HISTORY_IMPORTED;

	return row->id == w->id ||
	       (named && slice_eq(row->text, slice_str(w->id_text)));
}

static bool matches(const struct wanted *w, const struct history_row *row)
{
	const char *address = strcmp(w->text, "<>") == 0 ? "" : w->text;

	return (w->is_id && is_id(w, row)) ||
	       filter_address_is(row->sender, address) ||
	       filter_address_is(row->rcpt, address) ||
	       is_message_id(row->message_id, w->message_id);
}

static enum query_more end(struct query *q, struct buf *out)
{
	if (q->matched == 0)
		return query_end(out, EXIT_NO_MATCH,
				 "the history knows nothing of it (any more)");
	return query_end(out, EXIT_DONE, NULL);
}

enum query_more query_step_trace(struct query *q, struct buf *out)
{
	struct history_row rows[TRACE_PAGE];
	size_t n = TRACE_PAGE;
	struct wanted w;
	int rc;

	if (parse(q, out, &w) < 0)
		return QUERY_DONE;
	arena_reset(&q->arena);
	rc = history_read(q->reader, &q->before, &q->arena, rows, &n);
	if (rc < 0)
		return query_failed(out);
	for (size_t i = 0; i < n; i++) {
		json_t *row;

		if (rows[i].at_ms < w.since_ms || !matches(&w, &rows[i]))
			continue;
		row = present_history(&rows[i]);
		rc = protocol_append_row(out, row);
		json_decref(row);
		if (rc < 0)
			return query_failed(out);
		q->matched++;
	}
	/* Rows stand in the order of the clock (base/id.h). */
	if (n == 0 || (int64_t)(q->before >> 20) < w.since_ms)
		return end(q, out);
	return QUERY_MORE;
}
