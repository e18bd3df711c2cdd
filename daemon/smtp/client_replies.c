#include "mxhold/base/mem.h"
#include "mxhold/smtp/client_machine.h"

/* ---- events ---- */

struct smtp_event client_event(enum smtp_says says,
			       const struct smtp_reply *reply)
{
	struct smtp_event e = {.says = says};

	if (reply)
		e.reply = *reply;
	return e;
}

static struct smtp_event nothing(void)
{
	return client_event(SMTP_SAYS_NOTHING, NULL);
}

/* The transaction is over, and the server knows of none. */
static void finish(struct smtp_client *c)
{
	c->done_due = true;
	c->state = CLIENT_IDLE;
	mem_free(c->skips);
	c->skips = NULL;
}

static void clean_up(struct smtp_client *c)
{
	c->state = CLIENT_CLEANUP;
	client_put(c, "RSET", slice_make("", 0));
}

/* ---- replies outside of a transaction ---- */

static struct smtp_event on_greeting(struct smtp_client *c,
				     const struct smtp_reply *r)
{
	if (smtp_reply_class(r) == 2) {
		client_say_ehlo(c);
		return nothing();
	}
	c->state = CLIENT_REFUSED;
	return client_event(SMTP_SAYS_GREETING, r);
}

/* RFC 5321 4.1.1.1: the first word of the reply is the server's name. */
static bool says_our_name(const struct smtp_client *c,
			  const struct smtp_reply *r)
{
	struct slice word = slice_make(r->text, strcspn(r->text, " \n"));

	if (word.n && word.p[word.n - 1] == '.')
		word.n--;
	return slice_eq_nocase(word, slice_str(c->helo_name));
}

static struct smtp_event on_hello(struct smtp_client *c,
				  const struct smtp_reply *r)
{
	bool was_ehlo = c->state == CLIENT_EHLO;

	if (smtp_reply_class(r) == 2) {
		c->state = CLIENT_IDLE;
		c->ehlo.is_us = says_our_name(c, r);
		return client_event(SMTP_SAYS_READY, NULL);
	}
	c->ehlo = (struct smtp_ehlo){.esmtp = false};
	if (was_ehlo && smtp_reply_class(r) == 5) { /* RFC 5321 3.2 */
		c->state = CLIENT_HELO;
		client_put(c, "HELO", slice_str(c->helo_name));
		return nothing();
	}
	c->state = CLIENT_REFUSED;
	return client_event(SMTP_SAYS_REFUSED, r);
}

static struct smtp_event on_tls(struct smtp_client *c,
				const struct smtp_reply *r)
{
	c->state = smtp_reply_class(r) == 2 ? CLIENT_HANDSHAKE : CLIENT_IDLE;
	return client_event(SMTP_SAYS_TLS, r);
}

static struct smtp_event on_client_facts(struct smtp_client *c,
					 const struct smtp_reply *r)
{
	bool anew = c->state == CLIENT_XCLIENT && smtp_reply_class(r) == 2;

	c->state = CLIENT_IDLE;
	if (anew)
		client_say_ehlo(c);
	return client_event(SMTP_SAYS_XCLIENT, r);
}

static struct smtp_event on_rset(struct smtp_client *c,
				 const struct smtp_reply *r)
{
	c->state = CLIENT_IDLE;
	return client_event(SMTP_SAYS_RSET, r);
}

/* ---- replies to the envelope ---- */

static bool is_odd(const struct smtp_reply *r)
{
	return smtp_reply_class(r) == 3;
}

/* All that was sent is answered and no more will be. */
bool client_envelope_is_over(const struct smtp_client *c)
{
	return c->state == CLIENT_ENVELOPE && c->owed == 0 &&
	       c->heard >= c->asked && !client_may_ask(c);
}

void client_leave_envelope(struct smtp_client *c)
{
	bool good = c->rcpts_good > 0 && !c->mail_refused;

	if (good && !c->send.rcpt_only && client_is_chunked(c))
		client_begin_content(c);
	else if (c->dirty)
		clean_up(c);
	else
		finish(c);
}

static struct smtp_event on_mail(struct smtp_client *c,
				 const struct smtp_reply *r)
{
	if (smtp_reply_class(r) == 2)
		c->dirty = true;
	else
		c->mail_refused = c->stop = true;
	return client_event(SMTP_SAYS_MAIL, r);
}

static struct smtp_event on_rcpt(struct smtp_client *c, size_t i,
				 const struct smtp_reply *r)
{
	struct smtp_event e = client_event(SMTP_SAYS_RCPT, r);

	e.index = i;
	if (smtp_reply_class(r) == 2) {
		c->dirty = true; /* even when MAIL was refused */
		c->rcpts_good++;
	}
	return c->mail_refused ? nothing() : e;
}

static void send_lone_dot(struct smtp_client *c)
{
	/* RFC 2920 3.1: 354, but nobody is there to have the message. */
	c->dirty = true;
	c->owed++;
	c->state = CLIENT_LONE_DOT;
	if (buf_append_str(&c->out, ".\r\n"))
		client_break(c, "out of memory");
}

static struct smtp_event on_data(struct smtp_client *c,
				 const struct smtp_reply *r)
{
	bool good = c->rcpts_good > 0 && !c->mail_refused;

	if (r->code == 354 && good)
		client_begin_content(c);
	else if (r->code == 354 && c->rcpts_good > 0)
		/* Who was taken would get an empty message. */
		client_break(c, "354 although MAIL was refused");
	else if (r->code == 354)
		send_lone_dot(c);
	else if (smtp_reply_class(r) < 4)
		client_break(c, "DATA was answered by neither 354 nor no");
	else if (good)
		return client_event(SMTP_SAYS_RESULT, r);
	return nothing();
}

static void on_probe_rset(struct smtp_client *c, const struct smtp_reply *r)
{
	c->dirty = false;
	finish(c);
	if (smtp_reply_class(r) != 2)
		client_end(c);
}

static struct smtp_event on_envelope(struct smtp_client *c,
				     const struct smtp_reply *r)
{
	struct smtp_event e = nothing();
	size_t i = c->heard++;

	if (i < client_last_command(c) && is_odd(r)) {
		client_break(c, "3xx to MAIL or RCPT");
		return e;
	}
	if (i == 0)
		e = on_mail(c, r);
	else if (i < client_last_command(c))
		e = on_rcpt(c, i - 1, r);
	else if (c->send.rcpt_only)
		on_probe_rset(c, r);
	else
		e = on_data(c, r);
	client_pump(c);
	return e;
}

/* A recipient whose RCPT was not sent, when its turn has come. */
bool client_next_skipped(struct smtp_client *c, struct smtp_event *e)
{
	size_t i = c->heard;

	if (c->state != CLIENT_ENVELOPE)
		return false;
	if (i == 0 && c->stop && c->asked == 0) {
		c->mail_refused = true;
		c->heard = 1;
		*e = client_event(SMTP_SAYS_MAIL, NULL);
		client_skip_reply(client_check_mail(c), &e->reply);
		return true;
	}
	if (i == 0 || i >= c->asked || i >= client_last_command(c) ||
	    c->skips[i - 1] == SKIP_NO)
		return false;
	c->heard++;
	*e = client_event(c->mail_refused ? SMTP_SAYS_NOTHING : SMTP_SAYS_RCPT,
			  NULL);
	e->index = i - 1;
	client_skip_reply((enum client_skip)c->skips[i - 1], &e->reply);
	return true;
}

/* ---- replies to the content ---- */

/* Before the content was out: the server will not hear the rest of it. */
static struct smtp_event on_early(struct smtp_client *c,
				  const struct smtp_reply *r)
{
	if (smtp_reply_class(r) < 4) {
		client_break(c, "success before the end of the content");
		return nothing();
	}
	c->done_due = true;
	client_end(c);
	return client_event(SMTP_SAYS_RESULT, r);
}

static struct smtp_event on_result(struct smtp_client *c,
				   const struct smtp_reply *r)
{
	if (is_odd(r)) {
		client_break(c, "3xx to the content");
		return nothing();
	}
	/* RFC 3030 2: a failed BDAT wants RSET; a failed dot does not. */
	if (client_is_chunked(c) && smtp_reply_class(r) != 2)
		clean_up(c);
	else
		finish(c);
	return client_event(SMTP_SAYS_RESULT, r);
}

/* A reply to one of the chunks before the last. */
static struct smtp_event on_chunk(struct smtp_client *c,
				  const struct smtp_reply *r)
{
	if (smtp_reply_class(r) == 2) {
		client_go_on(c);
		return nothing();
	}
	if (is_odd(r)) {
		client_break(c, "3xx to BDAT");
		return nothing();
	}
	c->wants_body = false;
	c->state = CLIENT_FAILED;
	if (c->owed == 0)
		clean_up(c);
	return client_event(SMTP_SAYS_RESULT, r);
}

static struct smtp_event on_content(struct smtp_client *c,
				    const struct smtp_reply *r)
{
	if (!client_is_chunked(c))
		return c->out.n ? on_early(c, r) : on_result(c, r);
	if (c->state == CLIENT_CONTENT || c->owed > 0)
		return on_chunk(c, r);
	return on_result(c, r);
}

static void on_cleanup(struct smtp_client *c, const struct smtp_reply *r)
{
	finish(c);
	if (smtp_reply_class(r) != 2)
		client_end(c);
}

/* ---- one whole reply ---- */

static bool is_in_transaction(const struct smtp_client *c)
{
	return c->state >= CLIENT_ENVELOPE && c->state <= CLIENT_CLEANUP;
}

/* Nobody asked: 421 may come at any time, a no may come early, all else is
 * out of step. */
static struct smtp_event on_unasked(struct smtp_client *c,
				    const struct smtp_reply *r)
{
	if (c->state == CLIENT_CONTENT)
		return on_early(c, r);
	if (r->code != 421)
		client_break(c, "a reply that nobody asked for");
	return nothing();
}

static struct smtp_event on_asked(struct smtp_client *c,
				  const struct smtp_reply *r)
{
	switch (c->state) {
	case CLIENT_GREETING:
		return on_greeting(c, r);
	case CLIENT_EHLO:
	case CLIENT_HELO:
		return on_hello(c, r);
	case CLIENT_TLS:
		return on_tls(c, r);
	case CLIENT_XCLIENT:
	case CLIENT_XFORWARD:
		return on_client_facts(c, r);
	case CLIENT_RSET:
		return on_rset(c, r);
	case CLIENT_ENVELOPE:
		return on_envelope(c, r);
	case CLIENT_CONTENT:
	case CLIENT_DOT:
		return on_content(c, r);
	case CLIENT_FAILED:
		if (c->owed == 0)
			clean_up(c);
		break;
	case CLIENT_LONE_DOT:
		clean_up(c);
		break;
	case CLIENT_CLEANUP:
		on_cleanup(c, r);
		break;
	case CLIENT_QUIT:
		client_end(c);
		break;
	case CLIENT_REFUSED:
	case CLIENT_IDLE:
	case CLIENT_HANDSHAKE:
	case CLIENT_OVER:
		break;
	}
	return nothing();
}

struct smtp_event client_on_reply(struct smtp_client *c,
				  const struct smtp_reply *r)
{
	bool within = is_in_transaction(c);
	struct smtp_event e;

	if (c->owed == 0) {
		e = on_unasked(c, r);
	} else {
		c->owed--;
		e = on_asked(c, r);
	}
	if (r->code == 421 && c->state != CLIENT_OVER) {
		c->done_due |= within;
		client_end(c);
	}
	return e;
}
