/*
 * One message over an open session:
 *
 *	[XCLIENT, EHLO again | XFORWARD]... -> MAIL .. dot -> result
 *
 * The machine (smtp/client) does the dialogue, with RSET where one is needed;
 * here are its clock, the way of the content, and what the owner is told.
 */
#include <stdio.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"
#include "session_internal.h"

enum {
	/* Content that lies here while the machine's output waits: one slice
	 * of the owner at most, whatever its size. */
	BODY_MAX = 64 * 1024 * 1024
};

/* --- the end ----------------------------------------------------------- */

void transaction_done(struct session *s)
{
	buf_done(&s->t.body);
	mem_free(s->t.rcpts);
	memset(&s->t, 0, sizeof(s->t));
}

void transaction_tell(struct session *s)
{
	s->events.on_sent(s->data, &s->t.result);
}

static void break_off(struct session *s, const struct smtp_reply *reply,
		      const char *text)
{
	struct session_result *r = &s->t.result;

	r->sent_dot = smtp_client_dot_sent(s->client);
	if (r->sent_dot)
		s->stage = STAGE_DOT;
	r->broken = true;
	session_explain(s, &r->failure, FAULT_TEMPORARY, reply, text);
	session_drop_connection(s);
	s->state = SESSION_OVER;
}

void transaction_broken(struct session *s, const char *text)
{
	break_off(s, NULL, text);
	transaction_tell(s);
}

/* The last event of a transaction. With a 421 among the replies, or no 2xx to
 * the RSET behind it, the session ends with the message. */
static void finish(struct session *s)
{
	struct smtp_event e = smtp_client_next(s->client);

	s->t.result.sent_dot = smtp_client_dot_sent(s->client);
	if (e.says != SMTP_SAYS_NOTHING) {
		break_off(s, NULL, "the server closes the session");
	} else {
		s->state = SESSION_IDLE;
		stream_deadline(s->stream, 0);
	}
	transaction_tell(s);
}

/* A refusal of our own: nothing was said to the server. */
static void refuse(struct session *s, const struct smtp_reply *why)
{
	s->t.result.mail = *why;
	s->t.result.is_ours = true;
	s->state = SESSION_IDLE;
	stream_deadline(s->stream, 0);
	transaction_tell(s);
}

/* --- before MAIL ------------------------------------------------------- */

/* RFC 8689 4.2.1: its certificate, for a name that nobody could have forged:
 * one that we were told, or of an MX that DNSSEC vouches for. */
static bool is_proved(const struct session *s)
{
	const struct tls_info *tls = stream_tls(s->stream);

	if (!tls || !tls->verified)
		return false;
	if (s->primary &&
	    (s->primary->tls == PRIMARY_TLS_PIN || !s->primary->by_mx))
		return true;
	return s->found && s->found->mx_secure;
}

static bool is_refused_here(struct session *s)
{
	const struct smtp_send *m = &s->t.send;
	struct smtp_reply why = smtp_client_fits(s->client, m);

	/* A report goes all the same (RFC 8689 5). */
	if (why.code == 0 && m->requiretls && m->sender.n && !is_proved(s))
		smtp_reply_set(&why, 550, "5.7.10",
			       "REQUIRETLS, but the next hop is not proved");
	if (why.code == 0)
		return false;
	refuse(s, &why);
	return true;
}

/* As the origin of what we say ourselves, once another client was named. */
static void name_ourselves(struct session *s, struct envelope *env)
{
	const char *name = s->o->config->hostname;

	memset(env, 0, sizeof(*env));
	stream_local(s->stream, &env->client);
	env->client_name = slice_str(name);
	env->helo = slice_str(name);
	env->protocol = SLICE("ESMTP");
	env->is_report = true;
}

static bool is_xclient_known(struct session *s, const struct handover *h)
{
	char all[sizeof(s->xclient)] = "";

	for (size_t i = 0; i < h->n; i++) {
		strcat(all, h->commands[i]);
		strcat(all, "\n");
	}
	if (strcmp(all, s->xclient) == 0)
		return true;
	memcpy(s->xclient, all, sizeof(all));
	return false;
}

static void plan_handover(struct session *s)
{
	struct transaction *t = &s->t;
	struct envelope ourselves;
	const struct envelope *env = t->from;
	enum handover_verb verb = HANDOVER_BY_NOTHING;

	if (s->primary && !s->no_handover)
		verb = handover_choose(smtp_client_ehlo(s->client),
				       s->primary->handover);
	if (verb == HANDOVER_BY_NOTHING)
		return;
	if (!env || env->client.addr.family == 0) {
		/* XCLIENT stays in force until it is overwritten. */
		if (verb != HANDOVER_BY_XCLIENT || !s->xclient[0])
			return;
		name_ourselves(s, &ourselves);
		env = &ourselves;
	}
	handover_make(&t->handover, verb, smtp_client_ehlo(s->client), env);
	if (verb == HANDOVER_BY_XCLIENT && is_xclient_known(s, &t->handover))
		t->handover.n = 0;
}

static void send_command(struct session *s)
{
	struct transaction *t = &s->t;
	const char *text = t->handover.commands[t->next_command++];

	if (t->handover.verb == HANDOVER_BY_XCLIENT)
		smtp_client_xclient(s->client, slice_str(text));
	else
		smtp_client_xforward(s->client, slice_str(text));
}

static void next_step(struct session *s)
{
	struct transaction *t = &s->t;

	stream_deadline(s->stream, session_command_ms(s));
	if (t->next_command < t->handover.n) {
		send_command(s);
		return;
	}
	/* What the server offers may depend on the client it was told of. */
	if (is_refused_here(s))
		return;
	t->is_begun = true;
	smtp_client_send(s->client, &t->send);
}

void transaction_begin(struct session *s)
{
	struct transaction *t = &s->t;

	if (s->state != SESSION_SENDING)
		return;
	buf_init(&t->body, BODY_MAX);
	t->rcpts = mem_array(t->send.n_rcpts + 1, sizeof(t->rcpts[0]));
	t->result.rcpts = t->rcpts;
	t->result.n_rcpts = t->send.n_rcpts;
	s->stage = STAGE_MAIL;
	if (is_refused_here(s))
		return;
	plan_handover(s);
	next_step(s);
}

static void handover_reply(struct session *s, const struct smtp_reply *reply)
{
	struct transaction *t = &s->t;
	bool xclient = t->handover.verb == HANDOVER_BY_XCLIENT;

	if (smtp_reply_class(reply) == 2) {
		s->has_named |= xclient;
		if (!xclient)
			next_step(s);
		return; /* with XCLIENT the dialogue starts anew: READY */
	}
	s->no_handover = true;
	if (xclient && s->has_named) {
		/* Half of it is in force, or the client before. */
		break_off(s, reply, "XCLIENT refused");
		transaction_tell(s);
		return;
	}
	t->handover.n = 0;
	next_step(s);
}

/* The server knows the client now, and will not have it: that is its word on
 * this message, not on the host. */
static void client_refused(struct session *s, const struct smtp_reply *reply)
{
	s->t.result.mail = *reply;
	s->t.result.client_refused = true;
	break_off(s, reply, "refused after XCLIENT");
	transaction_tell(s);
}

/* --- content ----------------------------------------------------------- */

/* As much as the machine takes; then the deadline begins anew. */
void transaction_feed(struct session *s)
{
	struct transaction *t = &s->t;
	size_t n;

	if (!t->is_begun || s->stage < STAGE_DATA)
		return;
	stream_deadline(s->stream, MX_MAX(s->target.data_timeout, 1));
	if (t->body_ended)
		return;
	if (t->body.n > 0) {
		n = smtp_client_body(s->client, buf_slice(&t->body));
		buf_consume(&t->body, n);
	}
	if (t->body.n == 0 && t->last_body) {
		t->body_ended = true;
		smtp_client_body_end(s->client);
	}
}

static void want_body(struct session *s)
{
	struct transaction *t = &s->t;

	s->stage = STAGE_DATA;
	transaction_feed(s);
	if (t->body.n > 0 || t->last_body || t->wants_body)
		return;
	t->wants_body = true;
	s->events.on_body(s->data);
}

void session_body(struct session *s, struct slice bytes, bool last)
{
	struct transaction *t = &s->t;
	size_t n = 0;

	if (s->state != SESSION_SENDING)
		return; /* broken meanwhile; on_sent is on its way */
	MX_ASSERT(t->wants_body && t->body.n == 0 && !t->last_body);
	t->wants_body = false;
	n = smtp_client_body(s->client, bytes);
	bytes = slice_skip(bytes, n);
	if (bytes.n > 0 && buf_append_slice(&t->body, bytes) < 0) {
		session_body_failed(s);
		return;
	}
	t->last_body = last;
	session_wake(s, DUTY_ON);
}

void session_body_failed(struct session *s)
{
	if (s->state != SESSION_SENDING)
		return;
	smtp_client_body_abort(s->client);
	break_off(s, NULL, "the content could not be read");
	session_wake(s, DUTY_RESULT);
}

/* --- what the machine says --------------------------------------------- */

static void mail_reply(struct session *s, const struct smtp_reply *reply)
{
	s->t.result.mail = *reply;
	s->stage = STAGE_RCPT;
	stream_deadline(s->stream, session_command_ms(s));
}

static void rcpt_reply(struct session *s, const struct smtp_event *e)
{
	if (e->index < s->t.result.n_rcpts)
		s->t.rcpts[e->index] = e->reply;
	stream_deadline(s->stream, session_command_ms(s));
}

static void final_reply(struct session *s, const struct smtp_reply *reply)
{
	s->t.result.final = *reply;
	stream_deadline(s->stream, session_command_ms(s));
}

void transaction_event(struct session *s, const struct smtp_event *e)
{
	switch (e->says) {
	case SMTP_SAYS_XCLIENT:
		handover_reply(s, &e->reply);
		break;
	case SMTP_SAYS_READY:
		next_step(s);
		break;
	case SMTP_SAYS_GREETING:
	case SMTP_SAYS_REFUSED:
		client_refused(s, &e->reply);
		break;
	case SMTP_SAYS_MAIL:
		mail_reply(s, &e->reply);
		break;
	case SMTP_SAYS_RCPT:
		rcpt_reply(s, e);
		break;
	case SMTP_SAYS_BODY:
		want_body(s);
		break;
	case SMTP_SAYS_RESULT:
		final_reply(s, &e->reply);
		break;
	case SMTP_SAYS_DONE:
		finish(s);
		break;
	case SMTP_SAYS_CLOSED:
		break_off(s, &e->reply, "the server closes");
		transaction_tell(s);
		break;
	case SMTP_SAYS_BROKEN:
		transaction_broken(s, e->reply.text);
		break;
	case SMTP_SAYS_TLS:
	case SMTP_SAYS_RSET:
	case SMTP_SAYS_NOTHING:
		transaction_broken(s, "the server speaks out of turn");
		break;
	}
}
