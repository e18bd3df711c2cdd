/*
 * Drives the server machine through a transcript.
 *
 *	@config key=value key ...	fields of smtp_server_config
 *	@greet 554 text			the greeting is a refusal
 *	@answer kind code enh text	to the next question of the kind: helo
 *	@answer kind -			mail rcpt data body commit etrn xclient
 *					tls (without one: the handshake)
 *	@tls				the handshake is done
 *	@shut 421 enh text		the driver ends the session
 *	@closed				the machine has asked to close
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mxhold/base/random.h"
#include "mxhold/base/text.h"
#include "mxhold/smtp/server.h"
#include "script.h"

struct run {
	const struct script *script;
	enum cut how;
	struct trace *trace;
	struct smtp_server_config config;
	struct smtp_server *server;
	bool used[1024]; /* answers given already */
	bool in_body;
	bool tls_asked;
	bool closed;
	bool wrong;
};

static const char *const ask_names[] = {
	[SMTP_ASK_HELO] = "helo",   [SMTP_ASK_MAIL] = "mail",
	[SMTP_ASK_RCPT] = "rcpt",   [SMTP_ASK_DATA] = "data",
	[SMTP_ASK_BODY] = "body",   [SMTP_ASK_COMMIT] = "commit",
	[SMTP_ASK_ABORT] = "abort", [SMTP_ASK_TLS] = "tls",
	[SMTP_ASK_ETRN] = "etrn",   [SMTP_ASK_XCLIENT] = "xclient",
	[SMTP_ASK_CLOSE] = "close",
};

/* ---- the configuration ---- */

static uint64_t number(struct slice text, const char *key, uint64_t otherwise)
{
	struct slice v;
	uint64_t n;

	if (!directive_value(text, key, 0, &v))
		return otherwise;
	return text_parse_u64(v, &n) ? 1 : n;
}

static void configure(struct smtp_server_config *c, struct slice text)
{
	c->max_size = number(text, "max_size", c->max_size);
	c->max_rcpt = (uint32_t)number(text, "max_rcpt", c->max_rcpt);
	c->max_errors = (uint32_t)number(text, "max_errors", c->max_errors);
	c->strict_helo = number(text, "strict_helo", 0);
	c->reject_bare_newline = number(text, "reject_bare_newline", 0);
	c->offer_tls = number(text, "offer_tls", 0);
	c->offer_8bitmime = number(text, "offer_8bitmime", c->offer_8bitmime);
	c->offer_dsn = number(text, "offer_dsn", c->offer_dsn);
	c->offer_utf8 = number(text, "offer_utf8", c->offer_utf8);
	c->offer_chunking = number(text, "offer_chunking", c->offer_chunking);
	c->offer_binarymime = number(text, "offer_binarymime", 0);
	c->offer_requiretls = number(text, "offer_requiretls", 0);
	c->offer_etrn = number(text, "offer_etrn", 0);
	c->offer_xclient = number(text, "offer_xclient", 0);
}

/* "550 5.1.1 text", or "554 text" for a greeting. */
static void read_reply(struct slice text, bool enhanced, struct smtp_reply *r)
{
	char copy[600], enh[12] = "", *rest;
	int code, n = 0;

	snprintf(copy, sizeof(copy), "%.*s", (int)text.n, text.p);
	code = (int)strtol(copy, &rest, 10);
	rest += strspn(rest, " ");
	if (enhanced && sscanf(rest, "%11s%n", enh, &n) == 1)
		rest += n + (rest[n] == ' ');
	smtp_reply_set(r, code, enh, "%s", rest);
}

static void start(struct run *r)
{
	struct smtp_reply refusal;
	bool refused = false;
	struct slice rest;

	r->config = (struct smtp_server_config){
		.hostname = "mx.test",
		.max_size = 100000,
		.max_rcpt = 100,
		.max_errors = 20,
		.offer_8bitmime = true,
		.offer_dsn = true,
		.offer_utf8 = true,
		.offer_chunking = true,
	};
	for (size_t i = 0; i < r->script->n; i++) {
		if (directive_is(&r->script->steps[i], "config", &rest))
			configure(&r->config, rest);
		if (directive_is(&r->script->steps[i], "greet", &rest)) {
			read_reply(rest, false, &refusal);
			refused = true;
		}
	}
	r->server = smtp_server_new(&r->config);
	smtp_server_greet(r->server, refused ? &refusal : NULL);
}

/* ---- questions ---- */

static const struct smtp_reply *find_answer(struct run *r, enum smtp_ask ask,
					    struct smtp_reply *reply)
{
	struct slice rest, kind;

	for (size_t i = 0; i < r->script->n; i++) {
		if (r->used[i] ||
		    !directive_is(&r->script->steps[i], "answer", &rest))
			continue;
		kind = slice_str(ask_names[ask]);
		if (!slice_starts_nocase(rest, kind))
			continue;
		r->used[i] = true;
		rest = slice_trim(slice_skip(rest, kind.n));
		if (slice_eq(rest, SLICE("-")))
			return NULL;
		read_reply(rest, true, reply);
		return reply;
	}
	return NULL;
}

static void log_field(struct buf *b, const char *name, struct slice value)
{
	if (value.n == 0)
		return;
	buf_printf(b, " %s=", name);
	trace_text(b, value);
}

static void log_mail(struct buf *b, const struct run *r,
		     const struct smtp_question *q)
{
	static const char *const bodies[] = {NULL, "7BIT", "8BITMIME",
					     "BINARYMIME"};
	const struct smtp_transaction *t = smtp_server_transaction(r->server);

	buf_append_str(b, "MAIL <");
	trace_text(b, q->sender.text);
	buf_append_str(b, ">");
	if (!slice_eq(q->sender.text, t->sender))
		buf_append_str(b, " (the facts differ)");
	if (q->size)
		buf_printf(b, " size=%llu", (unsigned long long)q->size);
	if (t->body)
		buf_printf(b, " body=%s", bodies[t->body]);
	if (t->ret)
		buf_printf(b, " ret=%s",
			   t->ret == DSN_RET_FULL ? "FULL" : "HDRS");
	log_field(b, "envid", t->envid);
	buf_append_str(b, t->smtputf8 ? " smtputf8" : "");
	buf_append_str(b, t->requiretls ? " requiretls" : "");
}

static void log_question(struct run *r, const struct smtp_question *q)
{
	struct buf *b = &r->trace->asked;
	struct slice protocol = smtp_server_protocol(r->server);

	if (q->ask == SMTP_ASK_BODY) {
		if (!r->in_body)
			buf_append_str(b, "BODY ");
		r->in_body = true;
		trace_text(b, q->text);
		return;
	}
	if (r->in_body)
		buf_append_str(b, "\n");
	r->in_body = false;
	switch (q->ask) {
	case SMTP_ASK_HELO:
	case SMTP_ASK_ETRN:
		buf_append_str(b, q->ask == SMTP_ASK_HELO ? "HELO " : "ETRN ");
		trace_text(b, q->text);
		break;
	case SMTP_ASK_MAIL:
		log_mail(b, r, q);
		break;
	case SMTP_ASK_RCPT:
		buf_append_str(b, "RCPT <");
		trace_text(b, q->rcpt.text);
		buf_append_str(b, ">");
		if (q->rcpt_params.notify)
			buf_printf(b, " notify=%d", q->rcpt_params.notify);
		log_field(b, "orcpt", q->rcpt_params.orcpt);
		break;
	case SMTP_ASK_COMMIT:
		buf_printf(b, "COMMIT %llu %.*s",
			   (unsigned long long)q->content_size, (int)protocol.n,
			   protocol.p);
		break;
	case SMTP_ASK_XCLIENT:
		buf_append_str(b, "XCLIENT");
		log_field(b, "addr", q->xclient.addr);
		log_field(b, "name", q->xclient.name);
		log_field(b, "port", q->xclient.port);
		log_field(b, "helo", q->xclient.helo);
		log_field(b, "proto", q->xclient.proto);
		log_field(b, "login", q->xclient.login);
		break;
	case SMTP_ASK_DATA:
		buf_append_str(b, "DATA");
		break;
	case SMTP_ASK_ABORT:
		buf_append_str(b, "ABORT");
		break;
	case SMTP_ASK_TLS:
		buf_append_str(b, "TLS");
		break;
	default:
		buf_append_str(b, "?");
	}
	buf_append_str(b, "\n");
}

static void drain(struct run *r)
{
	struct slice out = smtp_server_output(r->server);
	size_t n = r->how == CUT_RANDOM && out.n
			   ? 1 + random_below((uint32_t)out.n)
			   : out.n;

	buf_append(&r->trace->output, out.p, n);
	smtp_server_sent(r->server, n);
}

/* While a question is open nothing is taken; nothing else is asked. */
static void poke(struct run *r)
{
	if (smtp_server_feed(r->server, SLICE("X")) != 0 ||
	    smtp_server_next(r->server).ask != SMTP_ASK_NOTHING)
		r->wrong = true;
}

static void serve(struct run *r)
{
	const struct smtp_reply *answer;
	struct smtp_question q;
	struct smtp_reply reply;

	while (!r->tls_asked && !r->closed) {
		q = smtp_server_next(r->server);
		if (q.ask == SMTP_ASK_NOTHING &&
		    smtp_server_output(r->server).n == 0)
			break;
		if (q.ask == SMTP_ASK_NOTHING) {
			drain(r);
			continue;
		}
		if (q.ask == SMTP_ASK_CLOSE) {
			r->closed = true;
			break;
		}
		if (q.ask != SMTP_ASK_TLS)
			poke(r);
		log_question(r, &q);
		answer = find_answer(r, q.ask, &reply);
		if (q.ask == SMTP_ASK_TLS && !answer)
			r->tls_asked = true;
		else
			smtp_server_answer(r->server, answer);
	}
	while (smtp_server_output(r->server).n)
		drain(r);
}

static void feed(struct run *r, struct slice bytes)
{
	size_t n, taken;

	serve(r);
	while (bytes.n) {
		n = cut_next(r->how, bytes.n);
		taken = smtp_server_feed(r->server, slice_head(bytes, n));
		bytes = slice_skip(bytes, taken);
		serve(r);
		if (taken == 0 && !r->closed) {
			r->wrong = true;
			return;
		}
	}
}

/* ---- the steps ---- */

static bool is_event(const struct step *step)
{
	struct slice rest;

	return directive_is(step, "tls", &rest) ||
	       directive_is(step, "shut", &rest);
}

/* Input from `i` on that may come in one piece; *next is behind it. */
static void gather(const struct run *r, size_t i, size_t *next, struct buf *b)
{
	const struct step *steps = r->script->steps;

	for (; i < r->script->n && !is_event(&steps[i]); i++) {
		if (steps[i].kind == 'C')
			buf_append_slice(b, buf_slice(&steps[i].text));
		else if (r->how == CUT_BLOCKS && steps[i].kind == 'S')
			break;
	}
	*next = i;
}

static int do_event(struct run *r, const struct step *step)
{
	struct slice rest;
	struct smtp_reply r421;

	serve(r);
	if (directive_is(step, "tls", &rest)) {
		if (!r->tls_asked)
			return -1;
		r->tls_asked = false;
		smtp_server_tls_started(r->server);
	} else if (directive_is(step, "shut", &rest)) {
		read_reply(rest, true, &r421);
		smtp_server_shut(r->server, r421.enhanced, r421.text);
	}
	serve(r);
	return 0;
}

static int check_so_far(const struct run *r, size_t upto)
{
	/* In blocks, every reply must be there before the next input. */
	while (upto < r->script->n && r->script->steps[upto].kind == 'S')
		upto++;
	return trace_compare(r->script, 'S', upto,
			     buf_slice(&r->trace->output));
}

static int run_steps(struct run *r)
{
	size_t i = 0, next;
	struct buf b;

	buf_init(&b, 16 << 20);
	while (i < r->script->n && !r->wrong) {
		buf_clear(&b);
		if (is_event(&r->script->steps[i])) {
			if (do_event(r, &r->script->steps[i++]))
				r->wrong = true;
			continue;
		}
		gather(r, i, &next, &b);
		feed(r, buf_slice(&b));
		i = next;
		if (r->how == CUT_BLOCKS && check_so_far(r, i))
			r->wrong = true;
		while (i < r->script->n && r->script->steps[i].kind == 'S')
			i++;
	}
	buf_done(&b);
	return r->wrong ? -1 : 0;
}

static bool has(const struct script *s, const char *word)
{
	struct slice rest;

	for (size_t i = 0; i < s->n; i++) {
		if (directive_is(&s->steps[i], word, &rest))
			return true;
	}
	return false;
}

static bool has_kind(const struct script *s, char kind)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->steps[i].kind == kind)
			return true;
	}
	return false;
}

int run_server(const struct script *s, enum cut how, struct trace *t)
{
	struct run r = {.script = s, .how = how, .trace = t};
	int ret;

	start(&r);
	ret = run_steps(&r);
	if (ret)
		fprintf(stderr,
			"%s: the machine broke its own rules, or a "
			"directive came out of turn\n",
			s->path);
	if (r.in_body)
		buf_append_str(&t->asked, "\n");
	if (ret == 0)
		ret = trace_compare(s, 'S', s->n, buf_slice(&t->output));
	if (ret == 0)
		ret = check_replies(s, buf_slice(&t->output));
	if (ret == 0 && has_kind(s, 'Q'))
		ret = trace_compare(s, 'Q', s->n, buf_slice(&t->asked));
	if (ret == 0 && r.closed != has(s, "closed")) {
		fprintf(stderr, "%s: %s\n", s->path,
			r.closed ? "closed" : "not closed");
		ret = -1;
	}
	smtp_server_free(r.server);
	return ret;
}
