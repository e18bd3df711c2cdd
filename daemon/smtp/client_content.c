#include "mxhold/base/assert.h"
#include "mxhold/smtp/client_machine.h"

enum {
	CHUNK_MAX = 32768
};

void client_begin_content(struct smtp_client *c)
{
	c->state = CLIENT_CONTENT;
	c->newline = (struct smtp_newline){false};
	c->stuff = (struct smtp_stuff){false};
	c->wants_body = true;
	c->end_due = false;
}

/* Room in the output; and chunk by chunk where there is no pipelining. */
bool client_has_room(const struct smtp_client *c)
{
	bool in_step = !client_is_chunked(c) || c->owed == 0 ||
		       c->ehlo.ext & EXT_PIPELINING;

	return c->state == CLIENT_CONTENT && c->out.n < CLIENT_OUT_FULL &&
	       in_step && !c->end_due;
}

/* ---- DATA: newlines made CRLF once more, then dots (RFC 5321 4.5.2) ---- */

static int append_lines(struct smtp_client *c, struct slice in)
{
	struct smtp_newline_piece piece;

	while (in.n) {
		piece = smtp_newline_take(&c->newline, in);
		in = slice_skip(in, piece.used);
		if (smtp_stuff_append(&c->stuff, &c->out, piece.text))
			return -1;
	}
	return 0;
}

static int append_dot(struct smtp_client *c)
{
	struct smtp_newline_piece last = smtp_newline_end(&c->newline);

	c->owed++;
	return smtp_stuff_append(&c->stuff, &c->out, last.text) ||
			       smtp_stuff_end(&c->stuff, &c->out)
		       ? -1
		       : 0;
}

/* ---- BDAT: what it is, counted (RFC 3030 2) ---- */

static int append_chunk(struct smtp_client *c, struct slice in)
{
	c->owed++;
	return buf_printf(&c->out, "BDAT %zu\r\n", in.n) ||
			       buf_append_slice(&c->out, in)
		       ? -1
		       : 0;
}

static int append_last_chunk(struct smtp_client *c)
{
	c->owed++;
	c->end_due = false;
	return buf_append_str(&c->out, "BDAT 0 LAST\r\n");
}

/* ---- for the driver ---- */

size_t smtp_client_body(struct smtp_client *c, struct slice bytes)
{
	size_t n = MX_MIN(bytes.n,
			  CLIENT_OUT_FULL - MX_MIN(c->out.n, CLIENT_OUT_FULL));
	int ret;

	if (c->state != CLIENT_CONTENT)
		return bytes.n;
	c->wants_body = true;
	if (!client_has_room(c) || n == 0)
		return 0;
	if (client_is_chunked(c)) {
		n = MX_MIN(n, (size_t)CHUNK_MAX);
		ret = append_chunk(c, slice_head(bytes, n));
	} else {
		ret = append_lines(c, slice_head(bytes, n));
	}
	if (ret)
		client_break(c, "out of memory");
	return n;
}

static void end_content(struct smtp_client *c)
{
	int ret = client_is_chunked(c) ? append_last_chunk(c) : append_dot(c);

	c->dot_sent = true;
	c->state = CLIENT_DOT;
	if (ret)
		client_break(c, "out of memory");
}

void client_go_on(struct smtp_client *c)
{
	if (c->end_due && c->owed == 0)
		end_content(c);
}

void smtp_client_body_end(struct smtp_client *c)
{
	if (c->state != CLIENT_CONTENT)
		return;
	c->wants_body = false;
	c->end_due = client_is_chunked(c) && c->owed > 0 &&
		     !(c->ehlo.ext & EXT_PIPELINING);
	if (!c->end_due)
		end_content(c);
}

void smtp_client_body_abort(struct smtp_client *c)
{
	if (c->state == CLIENT_OVER)
		return;
	MX_ASSERT(!c->dot_sent);
	c->state = CLIENT_OVER;
	c->closed_due = true;
	c->parser.reply = (struct smtp_reply){.code = 0};
	buf_done(&c->out);
}

bool smtp_client_dot_sent(const struct smtp_client *c)
{
	return c->dot_sent;
}
