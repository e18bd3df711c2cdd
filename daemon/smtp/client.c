#include "mxhold/smtp/client.h"

#include <stdio.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"
#include "mxhold/smtp/client_machine.h"

enum {
	IN_MAX = 262144, /* unread replies: a reply of 64 KiB and a read */
	/* Full, and what one more piece of content can become: bare LFs and
	 * leading dots double. */
	OUT_MAX = 4 * CLIENT_OUT_FULL,
};

/* ---- life ---- */

struct smtp_client *smtp_client_new(const char *helo_name)
{
	struct smtp_client *c = mem_alloc(sizeof(*c));

	c->helo_name = mem_strdup(helo_name);
	buf_init(&c->in, IN_MAX);
	buf_init(&c->out, OUT_MAX);
	c->owed = 1; /* the greeting */
	return c;
}

void smtp_client_free(struct smtp_client *c)
{
	if (!c)
		return;
	mem_free(c->helo_name);
	mem_free(c->skips);
	mem_free(c->domains);
	buf_done(&c->in);
	buf_done(&c->out);
	mem_free(c);
}

void client_break(struct smtp_client *c, const char *why)
{
	if (c->state == CLIENT_OVER)
		return;
	c->state = CLIENT_OVER;
	c->done_due = c->closed_due = false;
	c->broken_due = true;
	c->parser.reply = (struct smtp_reply){.code = 0};
	snprintf(c->parser.reply.text, sizeof(c->parser.reply.text), "%s", why);
	buf_done(&c->in);
	buf_done(&c->out);
}

/* Hang up: 421 was heard, or the dialogue cannot go on. */
void client_end(struct smtp_client *c)
{
	c->state = CLIENT_OVER;
	c->closed_due = true;
	buf_done(&c->in);
	buf_done(&c->out);
}

/* ---- bytes ---- */

void smtp_client_feed(struct smtp_client *c, struct slice bytes)
{
	if (c->state == CLIENT_OVER)
		return;
	if (buf_append_slice(&c->in, bytes))
		client_break(c, "more unread replies than can be kept");
}

struct slice smtp_client_output(const struct smtp_client *c)
{
	return buf_slice(&c->out);
}

void smtp_client_sent(struct smtp_client *c, size_t n)
{
	buf_consume(&c->out, n);
	if (c->out.n == 0)
		buf_done(&c->out);
	if (c->state == CLIENT_ENVELOPE)
		client_pump(c);
}

void client_put(struct smtp_client *c, const char *verb, struct slice arg)
{
	c->owed++;
	if (buf_append_str(&c->out, verb) ||
	    (arg.n && buf_append_str(&c->out, " ")) ||
	    buf_append_slice(&c->out, arg) || buf_append_str(&c->out, "\r\n"))
		client_break(c, "out of memory");
}

/* ---- what the driver starts ---- */

void client_say_ehlo(struct smtp_client *c)
{
	c->ehlo = (struct smtp_ehlo){.esmtp = true};
	c->state = CLIENT_EHLO;
	client_put(c, "EHLO", slice_str(c->helo_name));
}

static void start(struct smtp_client *c, enum client_state state,
		  const char *verb, struct slice arg)
{
	if (c->state == CLIENT_OVER)
		return;
	MX_ASSERT(c->state == CLIENT_IDLE);
	c->state = state;
	client_put(c, verb, arg);
}

void smtp_client_start_tls(struct smtp_client *c)
{
	start(c, CLIENT_TLS, "STARTTLS", slice_make("", 0));
}

void smtp_client_tls_started(struct smtp_client *c)
{
	if (c->state == CLIENT_OVER)
		return;
	MX_ASSERT(c->state == CLIENT_HANDSHAKE);
	if (c->in.n)
		client_break(c, "octets came in plaintext behind STARTTLS");
	else
		client_say_ehlo(c);
}

void smtp_client_xclient(struct smtp_client *c, struct slice attributes)
{
	start(c, CLIENT_XCLIENT, "XCLIENT", attributes);
}

void smtp_client_xforward(struct smtp_client *c, struct slice attributes)
{
	start(c, CLIENT_XFORWARD, "XFORWARD", attributes);
}

void smtp_client_rset(struct smtp_client *c)
{
	start(c, CLIENT_RSET, "RSET", slice_make("", 0));
}

void smtp_client_quit(struct smtp_client *c)
{
	if (c->state == CLIENT_REFUSED)
		c->state = CLIENT_IDLE;
	start(c, CLIENT_QUIT, "QUIT", slice_make("", 0));
}

void smtp_client_send(struct smtp_client *c, const struct smtp_send *m)
{
	if (c->state == CLIENT_OVER)
		return;
	MX_ASSERT(c->state == CLIENT_IDLE && m->n_rcpts > 0);
	c->send = *m;
	mem_free(c->skips);
	c->skips = mem_array(m->n_rcpts, 1);
	c->asked = c->heard = 0;
	c->rcpts_sent = c->rcpts_good = 0;
	c->mail_refused = c->stop = c->dirty = false;
	c->wants_body = c->dot_sent = false;
	c->transactions++;
	c->state = CLIENT_ENVELOPE;
	client_pump(c);
}

/* ---- the envelope, going out ---- */

size_t client_last_command(const struct smtp_client *c)
{
	return c->send.n_rcpts + 1;
}

static bool has_last_command(const struct smtp_client *c)
{
	return c->send.rcpt_only || !client_is_chunked(c);
}

static void ask_mail(struct smtp_client *c)
{
	if (client_check_mail(c) != SKIP_NO) {
		c->stop = true;
		return;
	}
	c->owed++;
	if (client_append_mail(c))
		client_break(c, "out of memory");
}

static void ask_rcpt(struct smtp_client *c, size_t i)
{
	c->skips[i] = (uint8_t)client_check_rcpt(c, &c->send.rcpts[i]);
	if (c->skips[i] != SKIP_NO)
		return;
	c->owed++;
	c->rcpts_sent++;
	if (client_append_rcpt(c, &c->send.rcpts[i]))
		client_break(c, "out of memory");
}

/* DATA without a recipient is of no use; RSET always is. */
static void ask_last(struct smtp_client *c)
{
	if (c->send.rcpt_only) {
		client_put(c, "RSET", slice_make("", 0));
	} else if (c->rcpts_sent == 0 ||
		   (!(c->ehlo.ext & EXT_PIPELINING) && c->rcpts_good == 0)) {
		c->stop = true;
	} else {
		client_put(c, "DATA", slice_make("", 0));
	}
}

bool client_may_ask(const struct smtp_client *c)
{
	if (c->state != CLIENT_ENVELOPE || c->stop ||
	    c->asked > client_last_command(c) ||
	    (c->asked == client_last_command(c) && !has_last_command(c)))
		return false;
	/* RFC 2920 3.1: a group of MAIL, RCPTs and DATA, else one by one. */
	return c->ehlo.ext & EXT_PIPELINING ? c->out.n < CLIENT_OUT_FULL
					    : c->owed == 0;
}

void client_pump(struct smtp_client *c)
{
	size_t i;

	while (client_may_ask(c)) {
		i = c->asked;
		if (i == 0)
			ask_mail(c);
		else if (i < client_last_command(c))
			ask_rcpt(c, i - 1);
		else
			ask_last(c);
		if (!c->stop)
			c->asked++;
	}
}

/* ---- what the driver hears ---- */

/* Reads one line; true when it was the last of a reply, or a bad one. */
static bool take_reply(struct smtp_client *c)
{
	struct smtp_reply_parser *p = &c->parser;
	enum smtp_reply_result result;
	struct slice line = {NULL, 0};
	size_t used;

	if (!c->in_reply) {
		*p = (struct smtp_reply_parser){.lines = 0};
		c->in_reply = true;
	}
	do {
		result = smtp_reply_take(p, buf_slice(&c->in), &line, &used);
		if (c->state == CLIENT_EHLO && p->lines > 1 && used)
			smtp_ehlo_line(&c->ehlo, line);
		buf_consume(&c->in, used);
	} while (result == SMTP_REPLY_LINE);
	if (result == SMTP_REPLY_MORE)
		return false;
	c->in_reply = false;
	if (result == SMTP_REPLY_BAD) {
		struct smtp_reply why = p->reply;

		client_break(c, why.text);
	}
	return true;
}

static bool take_due(struct smtp_client *c, struct smtp_event *e)
{
	if (c->done_due) {
		c->done_due = false;
		*e = client_event(SMTP_SAYS_DONE, NULL);
	} else if (c->closed_due) {
		c->closed_due = false;
		*e = client_event(SMTP_SAYS_CLOSED, &c->parser.reply);
	} else if (c->broken_due) {
		c->broken_due = false;
		*e = client_event(SMTP_SAYS_BROKEN, &c->parser.reply);
	} else {
		return false;
	}
	return true;
}

/* One thing that happens by itself; *e may stay NOTHING. */
static bool step(struct smtp_client *c, struct smtp_event *e)
{
	*e = client_event(SMTP_SAYS_NOTHING, NULL);
	if (c->state == CLIENT_OVER)
		return false;
	if (client_next_skipped(c, e))
		return true;
	if (client_envelope_is_over(c)) {
		client_leave_envelope(c);
		return true;
	}
	if (c->in.n == 0)
		return false;
	if (c->state == CLIENT_HANDSHAKE) {
		client_break(c, "octets came in plaintext behind STARTTLS");
		return true;
	}
	if (!take_reply(c))
		return false;
	if (c->state != CLIENT_OVER)
		*e = client_on_reply(c, &c->parser.reply);
	if (c->in.n == 0)
		buf_done(&c->in);
	return true;
}

struct smtp_event smtp_client_next(struct smtp_client *c)
{
	struct smtp_event e;

	while (!take_due(c, &e)) {
		if (!step(c, &e))
			break;
		if (e.says != SMTP_SAYS_NOTHING)
			break;
	}
	if (e.says == SMTP_SAYS_NOTHING && c->wants_body &&
	    client_has_room(c)) {
		c->wants_body = false;
		e.says = SMTP_SAYS_BODY;
	}
	return e;
}

const struct smtp_ehlo *smtp_client_ehlo(const struct smtp_client *c)
{
	return &c->ehlo;
}

bool smtp_client_is_spent(const struct smtp_client *c)
{
	return c->ehlo.mail_max && c->transactions >= c->ehlo.mail_max;
}
