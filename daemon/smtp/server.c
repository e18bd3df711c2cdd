#include "mxhold/smtp/server.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"
#include "mxhold/smtp/server_machine.h"

enum {
	IN_MAX = 16384,   /* unread input */
	OUT_MAX = 65536,  /* replies, at most */
	OUT_PAUSE = 4096, /* nothing is done until they are fetched */
	ARENA_MAX = 8192,
};

/* ---- life ---- */

struct smtp_server *smtp_server_new(const struct smtp_server_config *config)
{
	struct smtp_server *s = mem_alloc(sizeof(*s));

	s->config = config;
	buf_init(&s->in, IN_MAX);
	buf_init(&s->out, OUT_MAX);
	arena_init(&s->arena, ARENA_MAX);
	return s;
}

void smtp_server_free(struct smtp_server *s)
{
	if (!s)
		return;
	buf_done(&s->in);
	buf_done(&s->out);
	arena_done(&s->arena);
	mem_free(s->said);
	mem_free(s->helo);
	mem_free(s->refusal);
	mem_free(s->farewell);
	mem_free(s);
}

void smtp_server_greet(struct smtp_server *s, const struct smtp_reply *refusal)
{
	struct smtp_reply r;

	MX_ASSERT(s->mode == MODE_NEW || s->mode == MODE_CLOSED);
	if (s->mode == MODE_CLOSED)
		return;
	s->mode = MODE_COMMAND;
	if (refusal) {
		r = *refusal;
		r.enhanced[0] = '\0'; /* RFC 2034 4: none in the greeting */
		s->turned_away = true;
	} else {
		smtp_reply_set(&r, 220, "", "%s ESMTP ready",
			       s->config->hostname);
	}
	server_say(s, &r);
}

void server_close(struct smtp_server *s)
{
	server_drop(s, PHASE_NONE);
	s->mode = MODE_CLOSED;
	s->run = 0;
	buf_done(&s->in);
}

/* ---- saying ---- */

void server_say(struct smtp_server *s, const struct smtp_reply *r)
{
	/* Without memory for a reply the dialogue is out of step: end it. */
	if (smtp_reply_append(&s->out, r) || r->code == 421)
		server_close(s);
}

void server_say_text(struct smtp_server *s, int code, const char *enhanced,
		     const char *text)
{
	struct smtp_reply r;

	smtp_reply_set(&r, code, enhanced, "%s", text);
	server_say(s, &r);
}

void server_count_error(struct smtp_server *s)
{
	s->errors++;
	if (s->mode == MODE_CLOSED || s->config->max_errors == 0 ||
	    s->errors < s->config->max_errors)
		return;
	server_say_text(s, 421, "4.7.0", "too many errors, closing");
}

void server_refuse(struct smtp_server *s, int code, const char *enhanced,
		   const char *text)
{
	server_say_text(s, code, enhanced, text);
	server_count_error(s);
}

void smtp_server_shut(struct smtp_server *s, const char *enhanced,
		      const char *text)
{
	bool greeted = s->mode != MODE_NEW;
	struct smtp_reply r;

	if (s->mode == MODE_CLOSED)
		return;
	smtp_reply_set(&r, 421, greeted ? enhanced : "", "%s", text);
	if (s->open == SMTP_ASK_NOTHING) {
		server_say(s, &r);
		return;
	}
	if (!s->farewell)
		s->farewell = mem_alloc(sizeof(*s->farewell));
	*s->farewell = r;
}

/* ---- the transaction ---- */

void server_drop(struct smtp_server *s, enum server_phase phase)
{
	if (s->phase == PHASE_OPEN || s->phase == PHASE_CHUNKED)
		s->abort_due = true;
	s->phase = (uint8_t)phase;
}

void server_end_transaction(struct smtp_server *s)
{
	s->tx = (struct smtp_transaction){.sender = slice_make("", 0)};
	s->rcpts = s->rcpts_refused = 0;
	s->declared = s->content = 0;
	s->newline = (struct smtp_newline){false};
	arena_reset(&s->arena);
}

/* ---- bytes in ---- */

size_t smtp_server_feed(struct smtp_server *s, struct slice bytes)
{
	size_t n = MX_MIN(bytes.n, buf_left(&s->in));

	if (s->open == SMTP_ASK_TLS) {
		/* RFC 3207 4.2: never to be read inside TLS. */
		s->injected |= bytes.n > 0;
		return bytes.n;
	}
	if (s->open != SMTP_ASK_NOTHING)
		return 0;
	if (s->mode == MODE_CLOSED)
		return bytes.n;
	if (buf_append(&s->in, bytes.p, n)) {
		server_say_text(s, 421, "4.3.0", "out of memory, closing");
		return bytes.n;
	}
	return n;
}

static void spend(struct smtp_server *s)
{
	if (s->mode == MODE_CLOSED) {
		s->spent = 0;
		return;
	}
	buf_consume(&s->in, s->spent);
	s->spent = 0;
	if (s->in.n == 0)
		buf_done(&s->in);
}

/* ---- questions ---- */

/*
 * A plaintext port gets TLS hellos and scans of all kinds. What begins like
 * neither letter nor line end, before any EHLO, is not worth a dialogue.
 */
static bool is_foreign(const struct smtp_server *s)
{
	unsigned char c;

	if (s->hello != HELLO_NONE || s->in.n == 0 || s->line.scanned ||
	    s->line.overlong || s->line.dirty)
		return false;
	c = (unsigned char)s->in.mem[s->in.start];
	return (c < ' ' && c != '\r' && c != '\n' && c != '\t') || c >= 127;
}

/* Refused as a line. Octets that follow a BDAT nobody can read are as many as
 * nobody knows: none of them is looked at (RFC 3030 2). */
static void refuse_line(struct smtp_server *s, const char *text)
{
	server_refuse(s, 500, "5.5.2", text);
	if (s->begins_chunk && s->mode != MODE_CLOSED)
		server_say_text(s, 421, "4.7.0", "out of step, closing");
}

/* One line, if there is one. True when something has happened. */
static bool next_line(struct smtp_server *s, struct smtp_question *q)
{
	struct slice in = buf_slice(&s->in), line = {NULL, 0};
	enum smtp_line_result result;

	if (is_foreign(s)) {
		server_say_text(s, 421, "4.7.0", "this is SMTP, closing");
		return true;
	}
	if (!s->line.overlong)
		s->begins_chunk = slice_starts_nocase(in, SLICE("BDAT"));
	result = smtp_line_take(&s->line, in, &line, &s->spent);
	switch (result) {
	case SMTP_LINE_MORE:
		break;
	case SMTP_LINE_OK:
		server_command(s, line, q);
		break;
	case SMTP_LINE_TOO_LONG:
		refuse_line(s, "line too long");
		break;
	case SMTP_LINE_BAD:
		refuse_line(s, "lines end in CRLF only");
		break;
	}
	if (s->open == SMTP_ASK_NOTHING)
		spend(s);
	return result != SMTP_LINE_MORE;
}

static bool step(struct smtp_server *s, struct smtp_question *q)
{
	switch ((enum server_mode)s->mode) {
	case MODE_NEW:
	case MODE_CLOSED:
		return false;
	case MODE_COMMAND:
		return next_line(s, q);
	case MODE_DATA:
	case MODE_CHUNK:
		return server_content(s, q);
	}
	return false;
}

struct smtp_question smtp_server_next(struct smtp_server *s)
{
	struct smtp_question q = {.ask = SMTP_ASK_NOTHING};

	if (s->open != SMTP_ASK_NOTHING)
		return q;
	while (!s->abort_due && s->mode != MODE_CLOSED &&
	       s->out.n < OUT_PAUSE) {
		if (!step(s, &q))
			break;
		if (s->open != SMTP_ASK_NOTHING) {
			q.ask = s->open;
			return q;
		}
	}
	if (s->abort_due)
		q.ask = s->open = SMTP_ASK_ABORT;
	else if (s->mode == MODE_CLOSED)
		q.ask = SMTP_ASK_CLOSE;
	return q;
}

/* ---- answers ---- */

static void answered_abort(struct smtp_server *s)
{
	s->abort_due = false;
	server_end_transaction(s);
}

/* The 220 to STARTTLS, which has not gone out yet. */
static void take_go_ahead_back(struct smtp_server *s)
{
	MX_ASSERT(s->open == SMTP_ASK_TLS && s->out.n >= s->go_ahead);
	buf_truncate(&s->out, s->out.n - s->go_ahead);
}

void smtp_server_answer(struct smtp_server *s, const struct smtp_reply *reply)
{
	enum smtp_ask ask = s->open;

	MX_ASSERT(ask != SMTP_ASK_NOTHING && (ask != SMTP_ASK_TLS || reply));
	if (ask == SMTP_ASK_TLS)
		take_go_ahead_back(s);
	s->open = SMTP_ASK_NOTHING;
	if (ask == SMTP_ASK_ABORT)
		answered_abort(s);
	else if (ask == SMTP_ASK_BODY)
		server_answered_body(s, reply);
	else if (ask == SMTP_ASK_COMMIT)
		server_answered_commit(s, reply);
	else
		server_answered_command(s, ask, reply);
	spend(s);
	if (s->farewell && s->mode != MODE_CLOSED)
		server_say(s, s->farewell);
}

bool smtp_server_was_injected(const struct smtp_server *s)
{
	return s->injected || (s->open == SMTP_ASK_TLS && s->in.n > s->spent);
}

void smtp_server_refuse_tls(struct smtp_server *s)
{
	take_go_ahead_back(s);
	s->open = SMTP_ASK_NOTHING;
	server_say_text(s, 554, "5.5.1", "nothing may follow STARTTLS");
	server_close(s);
}

void smtp_server_tls_started(struct smtp_server *s)
{
	MX_ASSERT(s->open == SMTP_ASK_TLS);
	s->injected = smtp_server_was_injected(s);
	s->open = SMTP_ASK_NOTHING;
	spend(s);
	s->tls = true;
	s->hello = HELLO_NONE;
	mem_free(s->helo);
	s->helo = NULL;
	if (s->injected)
		server_close(s);
	else if (s->farewell)
		server_say(s, s->farewell);
}

/* ---- bytes out ---- */

struct slice smtp_server_output(const struct smtp_server *s)
{
	return buf_slice(&s->out);
}

void smtp_server_sent(struct smtp_server *s, size_t n)
{
	buf_consume(&s->out, n);
	if (s->out.n == 0)
		buf_done(&s->out);
}

/* ---- what is known ---- */

const struct smtp_transaction *
smtp_server_transaction(const struct smtp_server *s)
{
	return &s->tx;
}

struct slice smtp_server_protocol(const struct smtp_server *s)
{
	if (s->hello != HELLO_EHLO)
		return SLICE("SMTP");
	if (s->tx.smtputf8)
		return s->tls ? SLICE("UTF8SMTPS") : SLICE("UTF8SMTP");
	return s->tls ? SLICE("ESMTPS") : SLICE("ESMTP");
}

struct slice smtp_server_helo(const struct smtp_server *s)
{
	return slice_str(s->helo ? s->helo : "");
}

bool smtp_server_in_data(const struct smtp_server *s)
{
	return s->mode == MODE_DATA || s->mode == MODE_CHUNK;
}

uint32_t smtp_server_errors(const struct smtp_server *s)
{
	return s->errors;
}
