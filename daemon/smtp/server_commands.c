#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"
#include "mxhold/smtp/bdat.h"
#include "mxhold/smtp/command.h"
#include "mxhold/smtp/params.h"
#include "mxhold/smtp/server_machine.h"
#include "mxhold/smtp/xclient.h"

/* One function a verb: `arg` is what follows it. */
typedef void verb_fn(struct smtp_server *s, struct slice arg,
		     struct smtp_question *q);

static verb_fn do_ehlo, do_helo, do_starttls, do_mail, do_rcpt, do_data,
	do_bdat, do_rset, do_noop, do_quit, do_vrfy, do_help, do_etrn,
	do_xclient, do_unsupported, do_foreign;

enum {
	NO_ARG = 1,    /* RFC 5321 4.3.2: an argument is an error */
	HELO_FIRST = 2 /* RFC 5321 4.1.4 */
};

struct verb {
	struct slice name;
	verb_fn *run;
	unsigned rules;
};

/* In the order in which a dialogue uses them. */
static const struct verb verbs[] = {
	{SLICE("MAIL"), do_mail, HELO_FIRST},
	{SLICE("RCPT"), do_rcpt, HELO_FIRST},
	{SLICE("DATA"), do_data, NO_ARG | HELO_FIRST},
	{SLICE("BDAT"), do_bdat, 0},
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
	       buf_append_str(b, "250-8BITMIME\r\n250-DSN\r\n") ||
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
		if (s->mode != MODE_CLOSED)
			s->open = SMTP_ASK_TLS;
	}
}

/* ---- MAIL ---- */

static void refuse_params(struct smtp_server *s, enum smtp_params_result why)
{
	if (why == SMTP_PARAMS_UNKNOWN)
		server_refuse(s, 555, "5.5.4", "parameter not offered here");
	else
		server_refuse(s, 501, "5.5.4", "bad parameter");
}

/* A path and nothing or a blank behind it; true when *rest may be read. */
static bool take_path(struct smtp_server *s, struct slice path,
		      const char *bad_address, struct address *a,
		      struct slice *rest)
{
	enum address_error error;
	size_t used = 0;

	error = address_parse_path(path, a, &used);
	*rest = slice_skip(path, used);
	if (error == ADDRESS_SYNTAX && (path.n == 0 || path.p[0] != '<')) {
		server_refuse(s, 501, "5.5.4", "an address stands in <>");
		return false;
	}
	if (error != ADDRESS_OK) {
		server_refuse(s, 501, bad_address, "bad address");
		return false;
	}
	if (rest->n && rest->p[0] != ' ') {
		server_refuse(s, 501, "5.5.4", "junk behind the address");
		return false;
	}
	return true;
}

static struct smtp_params_offer offer(const struct smtp_server *s)
{
	const struct smtp_server_config *c = s->config;

	return (struct smtp_params_offer){
		.esmtp = s->hello == HELLO_EHLO,
		.binarymime = c->offer_chunking && c->offer_binarymime,
		.smtputf8 = c->offer_utf8,
		.requiretls = c->offer_requiretls && s->tls,
	};
}

static bool keep_facts(struct smtp_server *s, const struct address *sender,
		       const struct smtp_mail_params *p)
{
	s->tx = (struct smtp_transaction){
		.sender = arena_dup(&s->arena, sender->text),
		.envid = arena_dup(&s->arena, p->envid),
		.ret = p->ret,
		.body = p->body,
		.smtputf8 = p->smtputf8,
		.requiretls = p->requiretls,
	};
	return s->tx.sender.p && s->tx.envid.p;
}

static void ask_mail(struct smtp_server *s, const struct address *sender,
		     const struct smtp_mail_params *p, struct smtp_question *q)
{
	uint64_t max = s->config->max_size;

	if (sender->utf8 && !p->smtputf8) {
		server_refuse(s, 550, "5.6.7", "say SMTPUTF8 for this address");
	} else if (p->has_size &&
		   (p->size == UINT64_MAX || (max && p->size > max))) {
		server_refuse(s, 552, "5.3.4", "message too big");
	} else if (!keep_facts(s, sender, p)) {
		server_end_transaction(s);
		server_say_text(s, 452, "4.3.1", "out of memory");
	} else {
		s->open = SMTP_ASK_MAIL;
		q->sender = *sender;
		q->size = p->size;
	}
}

static void do_mail(struct smtp_server *s, struct slice arg,
		    struct smtp_question *q)
{
	struct smtp_params_offer may = offer(s);
	enum smtp_params_result result;
	struct smtp_mail_params p;
	struct slice path, rest;
	struct address sender;

	if (s->phase != PHASE_NONE) {
		server_refuse(s, 503, "5.5.1", "a transaction is open: RSET");
		return;
	}
	if (!smtp_command_path(arg, SLICE("FROM:"), &path)) {
		server_refuse(s, 501, "5.5.4", "MAIL FROM:<address>");
		return;
	}
	if (!take_path(s, path, "5.1.7", &sender, &rest))
		return;
	if (sender.text.n && sender.domain.n == 0) {
		server_refuse(s, 501, "5.1.7", "the sender needs a domain");
		return;
	}
	result = smtp_params_mail(rest, &may, &p);
	if (result != SMTP_PARAMS_OK)
		refuse_params(s, result);
	else
		ask_mail(s, &sender, &p, q);
}

static void answered_mail(struct smtp_server *s, const struct smtp_reply *reply)
{
	if (reply && reply->code >= 300) {
		server_end_transaction(s);
		server_say(s, reply);
		if (reply->code >= 500)
			server_count_error(s);
		return;
	}
	s->phase = PHASE_OPEN;
	if (reply)
		server_say(s, reply);
	else
		server_say_text(s, 250, "2.1.0", "sender ok");
}

/* ---- RCPT ---- */

static void ask_rcpt(struct smtp_server *s, const struct address *rcpt,
		     const struct smtp_rcpt_params *p, struct smtp_question *q)
{
	if (rcpt->utf8 && !s->tx.smtputf8) {
		server_refuse(s, 553, "5.6.7", "say SMTPUTF8 for this address");
		return;
	}
	if (s->config->max_rcpt && s->rcpts >= s->config->max_rcpt) {
		/* RFC 5321 4.5.3.1.10: the others stay good, no error. */
		server_say_text(s, 452, "4.5.3", "too many recipients");
		return;
	}
	s->open = SMTP_ASK_RCPT;
	q->rcpt = *rcpt;
	q->rcpt_params.address = rcpt->text;
	q->rcpt_params.orcpt = p->orcpt;
	q->rcpt_params.notify = p->notify;
}

static void do_rcpt(struct smtp_server *s, struct slice arg,
		    struct smtp_question *q)
{
	struct smtp_params_offer may = offer(s);
	enum smtp_params_result result;
	struct smtp_rcpt_params p;
	struct slice path, rest;
	struct address rcpt;

	may.smtputf8 = s->tx.smtputf8;
	if (s->phase != PHASE_OPEN) {
		server_refuse(s, 503, "5.5.1",
			      s->phase == PHASE_NONE ? "MAIL comes first"
						     : "BDAT has begun");
		return;
	}
	if (!smtp_command_path(arg, SLICE("TO:"), &path)) {
		server_refuse(s, 501, "5.5.4", "RCPT TO:<address>");
		return;
	}
	if (!take_path(s, path, "5.1.3", &rcpt, &rest))
		return;
	/* Without a domain only <postmaster> is known (RFC 5321 4.1.1.3). */
	if (rcpt.text.n == 0 ||
	    (rcpt.domain.n == 0 && !address_is_postmaster(&rcpt))) {
		server_refuse(s, 501, "5.1.3", "bad recipient address");
		return;
	}
	result = smtp_params_rcpt(rest, &may, &p);
	if (result != SMTP_PARAMS_OK)
		refuse_params(s, result);
	else
		ask_rcpt(s, &rcpt, &p, q);
}

static void answered_rcpt(struct smtp_server *s, const struct smtp_reply *reply)
{
	if (!reply || reply->code < 300) {
		s->rcpts++;
		if (reply)
			server_say(s, reply);
		else
			server_say_text(s, 250, "2.1.5", "recipient ok");
		return;
	}
	s->rcpts_refused++;
	server_say(s, reply);
	/* A message for a hundred may well know ten who have left: refused
	 * recipients are errors as long as none was good. */
	if (reply->code >= 500 && s->rcpts == 0)
		server_count_error(s);
}

/* ---- DATA ---- */

static void refuse_no_rcpt(const struct smtp_server *s, struct smtp_reply *r)
{
	if (s->phase != PHASE_NONE && s->rcpts_refused)
		smtp_reply_set(r, 554, "5.5.1", "no valid recipients");
	else
		smtp_reply_set(r, 503, "5.5.1",
			       s->phase == PHASE_NONE ? "MAIL comes first"
						      : "RCPT comes first");
}

static void do_data(struct smtp_server *s, struct slice arg,
		    struct smtp_question *q)
{
	struct smtp_reply r;

	(void)arg;
	(void)q;
	if (s->phase == PHASE_CHUNKED || s->phase == PHASE_SPOILT) {
		server_refuse(s, 503, "5.5.1", "BDAT has begun");
	} else if (s->phase == PHASE_NONE || s->rcpts == 0) {
		refuse_no_rcpt(s, &r);
		server_say(s, &r);
		server_count_error(s);
	} else if (s->tx.body == BODY_BINARYMIME) {
		server_refuse(s, 503, "5.5.1", "BINARYMIME goes by BDAT");
	} else {
		s->open = SMTP_ASK_DATA;
	}
}

/* ---- BDAT ---- */

/* Why this chunk cannot be taken: true, and the reply behind its octets. */
static bool chunk_is_refused(struct smtp_server *s, struct smtp_reply *r)
{
	uint64_t max = s->config->max_size ? s->config->max_size : UINT64_MAX;

	if (!s->config->offer_chunking)
		smtp_reply_set(r, 502, "5.5.1", "no BDAT here");
	else if (s->hello != HELLO_EHLO)
		smtp_reply_set(r, 503, "5.5.1", "say EHLO first");
	else if (s->phase == PHASE_SPOILT)
		smtp_reply_set(r, 503, "5.5.1", "a chunk has failed: RSET");
	else if (s->phase == PHASE_NONE || s->rcpts == 0)
		refuse_no_rcpt(s, r);
	else if (s->chunk_size > max - MX_MIN(s->declared, max))
		smtp_reply_set(r, 552, "5.3.4", "message too big");
	else
		return false;
	return true;
}

static void do_bdat(struct smtp_server *s, struct slice arg,
		    struct smtp_question *q)
{
	struct smtp_bdat b;
	struct smtp_reply r;

	(void)q;
	if (smtp_bdat_parse(arg, &b)) {
		/* Nobody knows which of the octets behind it are commands. */
		server_say_text(s, 501, "5.5.4", "BDAT length [LAST]");
		s->errors++;
		if (s->mode != MODE_CLOSED)
			server_say_text(s, 421, "4.7.0",
					"out of step, closing");
		return;
	}
	s->chunk_size = b.size;
	s->chunk_last = b.last;
	if (chunk_is_refused(s, &r)) {
		server_discard_chunk(s, &r);
		return;
	}
	s->declared += b.size;
	if (s->phase == PHASE_CHUNKED) {
		server_begin_chunk(s);
		return;
	}
	s->phase = PHASE_CHUNKED;
	s->open = SMTP_ASK_DATA;
}

static void answered_data(struct smtp_server *s, const struct smtp_reply *reply)
{
	bool chunked = s->phase == PHASE_CHUNKED;

	if (reply && chunked) {
		server_discard_chunk(s, reply);
	} else if (reply) {
		server_say(s, reply);
		if (reply->code >= 500)
			server_count_error(s);
	} else if (chunked) {
		server_begin_chunk(s);
	} else {
		server_say_text(s, 354, "", "end with CRLF.CRLF");
		if (s->mode != MODE_CLOSED)
			server_begin_data(s);
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
	if (!s->config->offer_xclient) {
		server_refuse(s, 550, "5.7.0", "not for you");
	} else if (s->phase != PHASE_NONE) {
		server_refuse(s, 503, "5.5.1", "not within a transaction");
	} else if (smtp_xclient_parse(arg, &s->arena, &q->xclient)) {
		arena_reset(&s->arena);
		server_refuse(s, 501, "5.5.4", "bad attribute");
	} else {
		s->open = SMTP_ASK_XCLIENT;
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
		answered_mail(s, reply);
		break;
	case SMTP_ASK_RCPT:
		answered_rcpt(s, reply);
		break;
	case SMTP_ASK_DATA:
		answered_data(s, reply);
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
