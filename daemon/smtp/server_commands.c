#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"
#include "mxhold/smtp/command.h"
#include "mxhold/smtp/server_machine.h"
#include "mxhold/smtp/xclient.h"

static server_verb do_ehlo, do_helo, do_starttls, do_rset, do_noop, do_quit,
	do_vrfy, do_help, do_etrn, do_xclient, do_unsupported, do_foreign;

enum {
	NO_ARG = 1,    /* RFC 5321 4.3.2: an argument is an error */
	HELO_FIRST = 2 /* RFC 5321 4.1.4 */
};

struct verb {
	struct slice name;
	server_verb *run;
	unsigned rules;
};

/* In the order in which a dialogue uses them. */
static const struct verb verbs[] = {
	{SLICE("MAIL"), server_mail, HELO_FIRST},
	{SLICE("RCPT"), server_rcpt, HELO_FIRST},
	{SLICE("DATA"), server_data, NO_ARG | HELO_FIRST},
	{SLICE("BDAT"), server_bdat, 0},
	{SLICE("EHLO"), do_ehlo, 0},
	{SLICE("HELO"), do_helo, 0},
	{SLICE("STARTTLS"), do_starttls, NO_ARG},
	{SLICE("QUIT"), do_quit, NO_ARG},
	{SLICE("RSET"), do_rset, NO_ARG},
	{SLICE("NOOP"), do_noop, 0},
	{SLICE("VRFY"), do_vrfy, 0},
	{SLICE("HELP"), do_help, 0},
	{SLICE("ETRN"), do_etrn, HELO_FIRST},
	{SLICE("XCLIENT"), do_xclient, 0},
	{SLICE("EXPN"), do_unsupported, 0},
	{SLICE("AUTH"), do_unsupported, 0},
	{SLICE("ATRN"), do_unsupported, 0},
	{SLICE("TURN"), do_unsupported, 0},
	{SLICE("SEND"), do_unsupported, 0},
	{SLICE("SOML"), do_unsupported, 0},
	{SLICE("SAML"), do_unsupported, 0},
	{SLICE("XFORWARD"), do_unsupported, 0},
	/* A browser made to speak to us; its body may hold commands. */
	{SLICE("GET"), do_foreign, 0},
	{SLICE("POST"), do_foreign, 0},
	{SLICE("PUT"), do_foreign, 0},
	{SLICE("HEAD"), do_foreign, 0},
	{SLICE("OPTIONS"), do_foreign, 0},
	{SLICE("CONNECT"), do_foreign, 0},
	{SLICE("DELETE"), do_foreign, 0},
	{SLICE("PATCH"), do_foreign, 0},
	{SLICE("TRACE"), do_foreign, 0},
	{SLICE("PRI"), do_foreign, 0},
	{SLICE("Host:"), do_foreign, 0},
};

static const struct verb *find_verb(struct slice name)
{
	size_t i;

	for (i = 0; i < MX_ARRAY_SIZE(verbs); i++) {
		if (slice_eq_nocase(name, verbs[i].name))
			return &verbs[i];
	}
	return NULL;
}

static void refuse_after_greeting(struct smtp_server *s, struct slice verb)
{
	/* RFC 5321 3.1: behind a 554 greeting only QUIT is of use. */
	if (slice_eq_nocase(verb, SLICE("QUIT")))
		do_quit(s, verb, NULL);
	else
		server_refuse(s, 503, "5.5.1", "no mail from you here");
}

void server_command(struct smtp_server *s, struct slice line,
		    struct smtp_question *q)
{
	struct smtp_command c;
	const struct verb *v;

	smtp_command_split(line, &c);
	v = find_verb(c.verb);
	if (s->turned_away)
		refuse_after_greeting(s, c.verb);
	else if (!v)
		server_refuse(s, 500, "5.5.2", "not a command");
	else if (v->rules & NO_ARG && c.arg.n)
		server_refuse(s, 501, "5.5.4", "no argument is allowed");
	else if (v->rules & HELO_FIRST && s->hello == HELLO_NONE)
		server_refuse(s, 503, "5.5.1", "say EHLO first");
	else
		v->run(s, c.arg, q);
}

/* ---- EHLO, HELO ---- */

static void ask_helo(struct smtp_server *s, struct slice arg,
		     enum server_hello hello, struct smtp_question *q)
{
	struct slice name;

	if (!smtp_command_helo(arg, s->config->strict_helo, &name)) {
		server_say_text(s, 501, "", "a domain or address literal");
		server_count_error(s);
		return;
	}
	s->said = mem_strndup(name.p, name.n);
	s->said_hello = (uint8_t)hello;
	s->open = SMTP_ASK_HELO;
	q->text = name;
}

static void do_ehlo(struct smtp_server *s, struct slice arg,
		    struct smtp_question *q)
{
	ask_helo(s, arg, HELLO_EHLO, q);
}

static void do_helo(struct smtp_server *s, struct slice arg,
		    struct smtp_question *q)
{
	ask_helo(s, arg, HELLO_HELO, q);
}

/* Every extension offered and no other; the order has no meaning. */
static int append_keywords(struct buf *b, const struct smtp_server *s)
{
	const struct smtp_server_config *c = s->config;

	return buf_append_str(b, "250-PIPELINING\r\n") ||
	       buf_printf(b, "250-SIZE %llu\r\n",
			  (unsigned long long)c->max_size) ||
	       (c->offer_8bitmime && buf_append_str(b, "250-8BITMIME\r\n")) ||
	       (c->offer_dsn && buf_append_str(b, "250-DSN\r\n")) ||
	       (c->offer_utf8 && buf_append_str(b, "250-SMTPUTF8\r\n")) ||
	       (c->offer_chunking && buf_append_str(b, "250-CHUNKING\r\n")) ||
	       (c->offer_chunking && c->offer_binarymime &&
		buf_append_str(b, "250-BINARYMIME\r\n")) ||
	       (c->offer_tls && !s->tls &&
		buf_append_str(b, "250-STARTTLS\r\n")) ||
	       (c->offer_requiretls && s->tls &&
		buf_append_str(b, "250-REQUIRETLS\r\n")) ||
	       (c->offer_etrn && buf_append_str(b, "250-ETRN\r\n")) ||
	       (c->offer_xclient &&
		buf_append_str(b, "250-XCLIENT NAME ADDR PORT PROTO HELO "
				  "LOGIN DESTADDR DESTPORT\r\n")) ||
	       (c->max_rcpt && buf_printf(b, "250-LIMITS RCPTMAX=%lu\r\n",
					  (unsigned long)c->max_rcpt)) ||
	       buf_append_str(b, "250 ENHANCEDSTATUSCODES\r\n");
}

static void say_hello(struct smtp_server *s)
{
	if (buf_printf(&s->out, "250%c%s\r\n",
		       s->hello == HELLO_EHLO ? '-' : ' ',
		       s->config->hostname) ||
	    (s->hello == HELLO_EHLO && append_keywords(&s->out, s)))
		server_close(s);
}

static void answered_helo(struct smtp_server *s, const struct smtp_reply *reply)
{
	struct smtp_reply r;

	if (reply) {
		mem_free(s->said);
		s->said = NULL;
		r = *reply;
		r.enhanced[0] = '\0'; /* RFC 2034 4 */
		server_say(s, &r);
		if (r.code >= 500)
			server_count_error(s);
		return;
	}
	server_drop(s, PHASE_NONE); /* RFC 5321 4.1.4: like RSET */
	mem_free(s->helo);
	s->helo = s->said;
	s->said = NULL;
	s->hello = s->said_hello;
	say_hello(s);
}

/* ---- STARTTLS ---- */

static void do_starttls(struct smtp_server *s, struct slice arg,
			struct smtp_question *q)
{
	size_t before = s->out.n;

	(void)arg;
	(void)q;
	if (s->tls) {
		server_refuse(s, 503, "5.5.1", "TLS is on already");
	} else if (!s->config->offer_tls) {
		server_refuse(s, 502, "5.5.1", "no TLS here");
	} else if (s->hello != HELLO_EHLO) {
		server_refuse(s, 503, "5.5.1", "say EHLO first");
	} else if (s->phase != PHASE_NONE) {
		server_refuse(s, 503, "5.5.1", "not within a transaction");
	} else {
		server_say_text(s, 220, "2.0.0", "go ahead");
		s->go_ahead = s->out.n - before;
		if (s->mode != MODE_CLOSED)
			s->open = SMTP_ASK_TLS;
	}
}

/* ---- the small ones ---- */

static void do_rset(struct smtp_server *s, struct slice arg,
		    struct smtp_question *q)
{
	(void)arg;
	(void)q;
	server_drop(s, PHASE_NONE);
	server_say_text(s, 250, "2.0.0", "ok");
}

static void do_noop(struct smtp_server *s, struct slice arg,
		    struct smtp_question *q)
{
	(void)arg;
	(void)q;
	server_say_text(s, 250, "2.0.0", "ok");
}

static void do_quit(struct smtp_server *s, struct slice arg,
		    struct smtp_question *q)
{
	(void)arg;
	(void)q;
	server_say_text(s, 221, "2.0.0", "bye");
	server_close(s);
}

/* RFC 5321 3.5.3, 7.3: nothing is verified and nothing is given away. */
static void do_vrfy(struct smtp_server *s, struct slice arg,
		    struct smtp_question *q)
{
	size_t i;

	(void)q;
	if (arg.n == 0) {
		server_refuse(s, 501, "5.5.4", "VRFY address");
		return;
	}
	for (i = 0; i < arg.n && (unsigned char)arg.p[i] < 128; i++)
		;
	server_say_text(s, 252, i == arg.n ? "2.0.0" : "2.6.8",
			"not verified; try RCPT");
}

static void do_help(struct smtp_server *s, struct slice arg,
		    struct smtp_question *q)
{
	(void)arg;
	(void)q;
	server_say_text(s, 214, "2.0.0",
			"EHLO HELO MAIL RCPT DATA BDAT STARTTLS\n"
			"RSET NOOP VRFY HELP ETRN QUIT");
}

static void do_unsupported(struct smtp_server *s, struct slice arg,
			   struct smtp_question *q)
{
	(void)arg;
	(void)q;
	server_refuse(s, 502, "5.5.1", "not implemented");
}

static void do_foreign(struct smtp_server *s, struct slice arg,
		       struct smtp_question *q)
{
	(void)arg;
	(void)q;
	server_say_text(s, 421, "4.7.0", "this is SMTP, closing");
}

/* ---- ETRN, XCLIENT ---- */

static void do_etrn(struct smtp_server *s, struct slice arg,
		    struct smtp_question *q)
{
	if (!s->config->offer_etrn) {
		server_refuse(s, 459, "4.7.1", "not for you");
	} else if (s->phase != PHASE_NONE) {
		server_refuse(s, 503, "5.5.1", "not within a transaction");
	} else if (arg.n == 0 || slice_index(arg, ' ') >= 0) {
		server_refuse(s, 501, "5.5.4", "ETRN domain");
	} else {
		s->open = SMTP_ASK_ETRN;
		q->text = arg;
	}
}

static void answered_etrn(struct smtp_server *s, const struct smtp_reply *reply)
{
	if (reply)
		server_say(s, reply);
	else
		server_say_text(s, 250, "2.0.0", "queue run started");
}

static void do_xclient(struct smtp_server *s, struct slice arg,
		       struct smtp_question *q)
{
	struct smtp_xclient x;

	if (!s->config->offer_xclient) {
		server_refuse(s, 550, "5.7.0", "not for you");
	} else if (s->phase != PHASE_NONE) {
		server_refuse(s, 503, "5.5.1", "not within a transaction");
	} else if (smtp_xclient_parse(arg, &s->arena, &x)) {
		arena_reset(&s->arena);
		server_refuse(s, 501, "5.5.4", "bad attribute");
	} else {
		s->open = SMTP_ASK_XCLIENT;
		q->xclient = x;
	}
}

/* Taken: as right after the greeting, but TLS stays. */
static void answered_xclient(struct smtp_server *s,
			     const struct smtp_reply *reply)
{
	struct smtp_reply r;

	arena_reset(&s->arena);
	if (reply) {
		server_say(s, reply);
		return;
	}
	s->hello = HELLO_NONE;
	mem_free(s->helo);
	s->helo = NULL;
	smtp_reply_set(&r, 220, "", "%s ESMTP ready", s->config->hostname);
	server_say(s, &r);
}

/* ---- answers ---- */

void server_answered_command(struct smtp_server *s, enum smtp_ask ask,
			     const struct smtp_reply *reply)
{
	switch (ask) {
	case SMTP_ASK_HELO:
		answered_helo(s, reply);
		break;
	case SMTP_ASK_MAIL:
		server_answered_mail(s, reply);
		break;
	case SMTP_ASK_RCPT:
		server_answered_rcpt(s, reply);
		break;
	case SMTP_ASK_DATA:
		server_answered_data(s, reply);
		break;
	case SMTP_ASK_TLS:
		server_say(s, reply);
		break;
	case SMTP_ASK_ETRN:
		answered_etrn(s, reply);
		break;
	case SMTP_ASK_XCLIENT:
		answered_xclient(s, reply);
		break;
	default:
		MX_ASSERT(!"a question that commands do not ask");
	}
}
