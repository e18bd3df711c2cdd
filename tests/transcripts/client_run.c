/*
 * Drives the client machine through a transcript. S lines are fed, C lines
 * are what it must have said before the next S line, E lines what it told.
 *
 *	@body text	content of the next @send, with escapes; adds up
 *	@slice n	the content is given in pieces of n octets
 *	@hold		the content is not ended
 *	@abort		the content cannot be had
 *	@forget		the content of the last message
 *	@send key=value ...	sender rcpt notify orcpt (each for its rcpt, in
 *			order) rcpts=N size envid ret body eight_bit smtputf8
 *			requiretls rcpt_only
 *	@fits ...	the same, asked of smtp_client_fits
 *	@starttls @tls @rset @quit @xclient text @xforward text
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mxhold/base/mem.h"
#include "mxhold/base/random.h"
#include "mxhold/base/text.h"
#include "mxhold/smtp/client.h"
#include "script.h"

enum {
	RCPTS_MAX = 2000
};

struct run {
	const struct script *script;
	enum cut how;
	struct trace *trace;
	struct smtp_client *client;
	struct recipient *rcpts;
	char (*names)[32]; /* of rcpts=N */
	struct buf body;
	size_t given, slice;
	bool hold, abort_body, said_body;
};

/* ---- what the machine says ---- */

static const char *const names[] = {
	[SMTP_SAYS_GREETING] = "GREETING", [SMTP_SAYS_READY] = "READY",
	[SMTP_SAYS_REFUSED] = "REFUSED",   [SMTP_SAYS_TLS] = "TLS",
	[SMTP_SAYS_XCLIENT] = "XCLIENT",   [SMTP_SAYS_MAIL] = "MAIL",
	[SMTP_SAYS_RCPT] = "RCPT",         [SMTP_SAYS_BODY] = "BODY",
	[SMTP_SAYS_RESULT] = "RESULT",     [SMTP_SAYS_DONE] = "DONE",
	[SMTP_SAYS_RSET] = "RSET",         [SMTP_SAYS_CLOSED] = "CLOSED",
	[SMTP_SAYS_BROKEN] = "BROKEN",
};

static void log_event(struct run *r, const struct smtp_event *e)
{
	struct buf *b = &r->trace->asked;
	char text[REPLY_TEXT_MAX + 40];

	buf_append_str(b, names[e->says]);
	if (e->says == SMTP_SAYS_RCPT)
		buf_printf(b, " %zu", e->index);
	if (e->reply.code) {
		smtp_reply_format(&e->reply, text, sizeof(text));
		buf_append_str(b, " ");
		trace_text(b, slice_str(text));
	} else if (e->says == SMTP_SAYS_BROKEN) {
		buf_printf(b, " %s", e->reply.text);
	}
	buf_append_str(b, "\n");
}

static void give_body(struct run *r)
{
	struct slice rest = slice_skip(buf_slice(&r->body), r->given);
	size_t n =
		r->slice ? MX_MIN(r->slice, rest.n) : cut_next(r->how, rest.n);

	if (r->abort_body) {
		smtp_client_body(r->client, slice_head(rest, n));
		smtp_client_body_abort(r->client);
		return;
	}
	if (rest.n)
		r->given += smtp_client_body(r->client, slice_head(rest, n));
	else if (!r->hold)
		smtp_client_body_end(r->client);
}

static void drain(struct run *r)
{
	struct slice out = smtp_client_output(r->client);
	size_t n;

	while (out.n) {
		n = r->how == CUT_RANDOM ? 1 + random_below((uint32_t)out.n)
					 : out.n;
		buf_append(&r->trace->output, out.p, n);
		smtp_client_sent(r->client, n);
		out = smtp_client_output(r->client);
	}
}

static void pump(struct run *r)
{
	struct smtp_event e;

	for (;;) {
		drain(r);
		e = smtp_client_next(r->client);
		if (e.says == SMTP_SAYS_NOTHING)
			break;
		if (e.says != SMTP_SAYS_BODY || !r->said_body)
			log_event(r, &e);
		if (e.says == SMTP_SAYS_BODY) {
			r->said_body = true;
			give_body(r);
		}
	}
	drain(r);
}

static void feed(struct run *r, struct slice bytes)
{
	size_t n;

	pump(r);
	while (bytes.n) {
		n = cut_next(r->how, bytes.n);
		smtp_client_feed(r->client, slice_head(bytes, n));
		bytes = slice_skip(bytes, n);
		pump(r);
	}
}

/* ---- what the driver does ---- */

static uint64_t number(struct slice text, const char *key)
{
	struct slice v;
	uint64_t n;

	if (!directive_value(text, key, 0, &v))
		return 0;
	return text_parse_u64(v, &n) ? 1 : n;
}

static struct slice word(struct slice text, const char *key, int nth)
{
	struct slice v;

	return directive_value(text, key, nth, &v) ? v : slice_make("", 0);
}

static size_t read_rcpts(struct run *r, struct slice text)
{
	size_t n = (size_t)number(text, "rcpts"), i;
	struct slice v;

	for (i = 0; i < n && i < RCPTS_MAX; i++) {
		snprintf(r->names[i], sizeof(r->names[i]), "r%zu@d.test", i);
		r->rcpts[i] =
			(struct recipient){.address = slice_str(r->names[i])};
	}
	for (n = 0; directive_value(text, "rcpt", (int)n, &v); n++, i++) {
		uint64_t notify = 0;

		text_parse_u64(word(text, "notify", (int)n), &notify);
		r->rcpts[i] = (struct recipient){
			.address = v,
			.orcpt = word(text, "orcpt", (int)n),
			.notify = (uint8_t)notify,
		};
	}
	return i;
}

static void read_send(struct run *r, struct slice text, struct smtp_send *m)
{
	struct slice ret = word(text, "ret", 0), body = word(text, "body", 0);

	*m = (struct smtp_send){
		.sender = word(text, "sender", 0),
		.rcpts = r->rcpts,
		.n_rcpts = read_rcpts(r, text),
		.size = number(text, "size"),
		.envid = word(text, "envid", 0),
		.eight_bit = number(text, "eight_bit"),
		.smtputf8 = number(text, "smtputf8"),
		.requiretls = number(text, "requiretls"),
		.rcpt_only = number(text, "rcpt_only"),
	};
	if (ret.n)
		m->ret = slice_eq(ret, SLICE("FULL")) ? DSN_RET_FULL
						      : DSN_RET_HDRS;
	if (slice_eq(body, SLICE("8BITMIME")))
		m->body = BODY_8BITMIME;
	else if (slice_eq(body, SLICE("BINARYMIME")))
		m->body = BODY_BINARYMIME;
}

static void ask_fits(struct run *r, struct slice text)
{
	struct smtp_reply why;
	struct smtp_send m;
	char line[REPLY_TEXT_MAX + 40] = "yes";

	read_send(r, text, &m);
	why = smtp_client_fits(r->client, &m);
	if (why.code)
		smtp_reply_format(&why, line, sizeof(line));
	buf_printf(&r->trace->asked, "FITS %s\n", line);
}

static void do_step(struct run *r, const struct step *step)
{
	struct smtp_send m;
	struct slice rest;

	if (directive_is(step, "body", &rest)) {
		script_octets(&r->body, rest);
	} else if (directive_is(step, "slice", &rest)) {
		r->slice = (size_t)strtoul(rest.p, NULL, 10);
	} else if (directive_is(step, "hold", &rest)) {
		r->hold = true;
	} else if (directive_is(step, "abort", &rest)) {
		r->abort_body = true;
	} else if (directive_is(step, "send", &rest)) {
		r->given = 0;
		r->said_body = false;
		read_send(r, rest, &m);
		smtp_client_send(r->client, &m);
	} else if (directive_is(step, "fits", &rest)) {
		ask_fits(r, rest);
	} else if (directive_is(step, "starttls", &rest)) {
		smtp_client_start_tls(r->client);
	} else if (directive_is(step, "tls", &rest)) {
		smtp_client_tls_started(r->client);
	} else if (directive_is(step, "rset", &rest)) {
		smtp_client_rset(r->client);
	} else if (directive_is(step, "quit", &rest)) {
		smtp_client_quit(r->client);
	} else if (directive_is(step, "xclient", &rest)) {
		smtp_client_xclient(r->client, rest);
	} else if (directive_is(step, "xforward", &rest)) {
		smtp_client_xforward(r->client, rest);
	} else if (directive_is(step, "forget", &rest)) {
		buf_clear(&r->body);
	}
	pump(r);
}

static int run_steps(struct run *r)
{
	const struct script *s = r->script;
	struct buf block;
	size_t i = 0;
	int ret = 0;

	buf_init(&block, 16 << 20);
	while (i < s->n && ret == 0) {
		if (s->steps[i].kind != 'S') {
			if (s->steps[i].kind == '@')
				do_step(r, &s->steps[i]);
			i++;
			continue;
		}
		ret = trace_compare(s, 'C', i, buf_slice(&r->trace->output));
		buf_clear(&block);
		while (i < s->n && s->steps[i].kind == 'S')
			buf_append_slice(&block,
					 buf_slice(&s->steps[i++].text));
		feed(r, buf_slice(&block));
	}
	buf_done(&block);
	return ret;
}

int run_client(const struct script *s, enum cut how, struct trace *t)
{
	struct run r = {.script = s, .how = how, .trace = t};
	int ret;

	r.client = smtp_client_new("relay.test");
	r.rcpts = mem_array(RCPTS_MAX, sizeof(*r.rcpts));
	r.names = mem_array(RCPTS_MAX, sizeof(*r.names));
	buf_init(&r.body, 16 << 20);
	ret = run_steps(&r);
	if (ret == 0)
		ret = trace_compare(s, 'C', s->n, buf_slice(&t->output));
	if (ret == 0)
		ret = trace_compare(s, 'E', s->n, buf_slice(&t->asked));
	smtp_client_free(r.client);
	buf_done(&r.body);
	mem_free(r.rcpts);
	mem_free(r.names);
	return ret;
}
