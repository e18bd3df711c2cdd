#include "mxhold/smtp/bdat.h"
#include "mxhold/smtp/command.h"
#include "mxhold/smtp/params.h"
#include "mxhold/smtp/server_machine.h"

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
		.body = c->offer_8bitmime || c->offer_binarymime,
		.dsn = c->offer_dsn,
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

void server_mail(struct smtp_server *s, struct slice arg,
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

void server_answered_mail(struct smtp_server *s, const struct smtp_reply *reply)
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

void server_rcpt(struct smtp_server *s, struct slice arg,
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

void server_answered_rcpt(struct smtp_server *s, const struct smtp_reply *reply)
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

void server_data(struct smtp_server *s, struct slice arg,
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

void server_bdat(struct smtp_server *s, struct slice arg,
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

void server_answered_data(struct smtp_server *s, const struct smtp_reply *reply)
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
