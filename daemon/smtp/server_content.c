#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"
#include "mxhold/smtp/server_machine.h"

/*
 * The way of an octet: `in` -> framing (dots of DATA, count of BDAT) marks a
 * run of content at the front of `in` -> newlines are made CRLF -> the size
 * limit -> the driver, as a slice of `in`. Nothing is copied on the way.
 */

void server_begin_data(struct smtp_server *s)
{
	s->mode = MODE_DATA;
	s->dot = (struct smtp_dot){.state = SMTP_DOT_LINE};
	s->run = 0;
	s->over = false;
}

void server_begin_chunk(struct smtp_server *s)
{
	s->mode = MODE_CHUNK;
	s->chunk_left = s->chunk_size;
	s->run = 0;
	s->over = false;
}

static void set_refusal(struct smtp_server *s, const struct smtp_reply *r)
{
	if (!s->refusal)
		s->refusal = mem_alloc(sizeof(*s->refusal));
	*s->refusal = *r;
}

void server_discard_chunk(struct smtp_server *s, const struct smtp_reply *r)
{
	set_refusal(s, r);
	if (s->phase != PHASE_NONE)
		server_drop(s, PHASE_SPOILT);
	server_begin_chunk(s);
}

/* From here on the content is read and dropped; the driver may forget it. */
static void refuse_content(struct smtp_server *s, const struct smtp_reply *r)
{
	bool more_to_come = s->mode == MODE_CHUNK && !s->chunk_last;

	set_refusal(s, r);
	server_drop(s, more_to_come ? PHASE_SPOILT : PHASE_NONE);
}

static void refuse_content_text(struct smtp_server *s, int code,
				const char *enhanced, const char *text)
{
	struct smtp_reply r;

	smtp_reply_set(&r, code, enhanced, "%s", text);
	refuse_content(s, &r);
}

/* ---- the end ---- */

static void say_refusal(struct smtp_server *s)
{
	struct smtp_reply *r = s->refusal;

	s->refusal = NULL;
	server_say(s, r);
	if (r->code >= 500)
		server_count_error(s);
	mem_free(r);
}

static void ask_commit(struct smtp_server *s, struct smtp_question *q)
{
	s->open = SMTP_ASK_COMMIT;
	q->content_size = s->content;
}

static void chunk_taken(struct smtp_server *s)
{
	struct smtp_reply r;

	smtp_reply_set(&r, 250, "2.0.0", "%llu octets received",
		       (unsigned long long)s->chunk_size);
	server_say(s, &r);
}

static void content_ended(struct smtp_server *s, struct smtp_question *q)
{
	bool whole = s->mode == MODE_DATA || s->chunk_last;

	s->mode = MODE_COMMAND;
	if (s->refusal)
		say_refusal(s);
	else if (whole)
		ask_commit(s, q);
	else
		chunk_taken(s);
}

void server_answered_commit(struct smtp_server *s, const struct smtp_reply *r)
{
	s->phase = PHASE_NONE;
	server_end_transaction(s);
	if (r)
		server_say(s, r);
	else
		server_say_text(s, 250, "2.0.0", "kept");
	if (r && r->code >= 500)
		server_count_error(s);
}

/* ---- framing: how much of the front of `in` is content ---- */

static bool frame_data(struct smtp_server *s)
{
	struct smtp_dot_run run = smtp_dot_take(&s->dot, buf_slice(&s->in));

	buf_consume(&s->in, run.skip);
	s->run = run.n;
	return run.skip || run.n;
}

static bool frame_chunk(struct smtp_server *s)
{
	s->run = (size_t)MX_MIN(s->chunk_left, (uint64_t)s->in.n);
	s->chunk_left -= s->run;
	return s->run > 0;
}

static bool is_at_end(const struct smtp_server *s)
{
	return s->mode == MODE_DATA ? smtp_dot_ended(&s->dot)
				    : s->chunk_left == 0;
}

/* ---- newlines and the limit ---- */

static struct smtp_newline_piece take_piece(struct smtp_server *s)
{
	struct slice run = slice_head(buf_slice(&s->in), s->run);

	if (s->tx.body == BODY_BINARYMIME)
		return (struct smtp_newline_piece){run, run.n, false};
	return smtp_newline_take(&s->newline, run);
}

/* What is beyond the limit is cut off, wherever the input was cut. */
static struct slice within_limit(struct smtp_server *s, struct slice text)
{
	uint64_t max = s->config->max_size;

	if (max == 0 || text.n <= max - s->content)
		return text;
	s->over = true;
	return slice_head(text, (size_t)(max - s->content));
}

static void refuse_size(struct smtp_server *s)
{
	refuse_content_text(s, 552, "5.3.4", "message too big");
}

/* A piece of content: asked about (true), or nothing, or refused. */
static bool hand_over(struct smtp_server *s, struct smtp_newline_piece piece,
		      struct smtp_question *q)
{
	struct slice text;

	s->run -= piece.used;
	s->spent = piece.used;
	if (piece.bare && s->config->reject_bare_newline) {
		refuse_content_text(s, 550, "5.5.2",
				    "bare CR or LF in the content");
		return false;
	}
	text = within_limit(s, piece.text);
	if (text.n == 0) {
		if (s->over)
			refuse_size(s);
		return false;
	}
	s->content += text.n;
	s->open = SMTP_ASK_BODY;
	q->text = text;
	return true;
}

void server_answered_body(struct smtp_server *s, const struct smtp_reply *r)
{
	if (r)
		refuse_content(s, r);
	else if (s->over)
		refuse_size(s);
}

static void drop_spent(struct smtp_server *s)
{
	buf_consume(&s->in, s->spent);
	s->spent = 0;
}

/* A CR at the very end of the last chunk was a bare one. */
static bool ask_last_piece(struct smtp_server *s, struct smtp_question *q)
{
	if (s->refusal || s->tx.body == BODY_BINARYMIME ||
	    (s->mode == MODE_CHUNK && !s->chunk_last))
		return false;
	return hand_over(s, smtp_newline_end(&s->newline), q);
}

/* One step; true when there is a question or something else has changed. */
bool server_content(struct smtp_server *s, struct smtp_question *q)
{
	if (s->refusal) {
		buf_consume(&s->in, s->run);
		s->run = 0;
	}
	if (s->run) {
		if (!hand_over(s, take_piece(s), q))
			drop_spent(s);
		return true;
	}
	if (is_at_end(s)) {
		if (!ask_last_piece(s, q) && s->abort_due)
			return true;
		if (s->open == SMTP_ASK_NOTHING)
			content_ended(s, q);
		return true;
	}
	if (s->mode == MODE_DATA ? frame_data(s) : frame_chunk(s))
		return true;
	if (s->in.n == 0)
		buf_done(&s->in);
	return false;
}
