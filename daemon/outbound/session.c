#include "mxhold/outbound/session.h"

#include <stdio.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"
#include "mxhold/outbound/trust.h"
#include "session_internal.h"

enum {
	QUIT_WAIT_MS = 5000,
	/* The machine's output waits while this much lies in the stream. */
	QUEUED_MAX = 256 * 1024
};

static void on_wake(void *data);
static void on_total(void *data);

static const char *const stage_names[] = {
	[STAGE_DNS] = "dns",       [STAGE_CONNECT] = "connect",
	[STAGE_BANNER] = "banner", [STAGE_EHLO] = "ehlo",
	[STAGE_TLS] = "tls",       [STAGE_MAIL] = "mail",
	[STAGE_RCPT] = "rcpt",     [STAGE_DATA] = "data",
	[STAGE_DOT] = "dot",
};

const char *session_stage_name(enum session_stage s)
{
	return (size_t)s < MX_ARRAY_SIZE(stage_names) ? stage_names[s] : "?";
}

/* --- birth ------------------------------------------------------------- */

static char *copy_text(const char *s)
{
	return mem_strdup(s ? s : "");
}

/* The configuration may be replaced while the session lives. */
static struct config_primary *copy_primary(const struct config_primary *p)
{
	struct config_primary *c = mem_alloc(sizeof(*c));

	*c = *p;
	c->name = copy_text(p->name);
	c->mx_domain = copy_text(p->mx_domain);
	c->pin = copy_text(p->pin);
	c->ca = copy_text(p->ca);
	c->client_cert = copy_text(p->client_cert);
	c->client_key = copy_text(p->client_key);
	c->hosts = mem_array(p->n_hosts + 1, sizeof(c->hosts[0]));
	for (size_t i = 0; i < p->n_hosts; i++) {
		c->hosts[i] = p->hosts[i];
		c->hosts[i].name = copy_text(p->hosts[i].name);
	}
	return c;
}

static void free_primary(struct config_primary *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_hosts; i++)
		mem_free(c->hosts[i].name);
	mem_free(c->hosts);
	mem_free(c->name);
	mem_free(c->mx_domain);
	mem_free(c->pin);
	mem_free(c->ca);
	mem_free(c->client_cert);
	mem_free(c->client_key);
	mem_free(c);
}

static void copy_target(struct session *s, const struct session_target *target)
{
	struct session_target *t = &s->target;

	*t = *target;
	if (target->primary)
		t->primary = s->primary = copy_primary(target->primary);
	t->domain = s->domain = copy_text(target->domain);
	t->n_last_good =
		MX_MIN(target->n_last_good, MX_ARRAY_SIZE(s->last_good));
	for (size_t i = 0; i < t->n_last_good; i++)
		s->last_good[i] = target->last_good[i];
	t->last_good = s->last_good;
}

struct session *session_open(struct outbound *o,
			     const struct session_target *target,
			     const struct session_events *events, void *data)
{
	struct session *s = mem_alloc(sizeof(*s));

	s->o = o;
	list_init(&s->quitting);
	copy_target(s, target);
	s->events = *events;
	s->data = data;
	s->wake = timer_new(o->loop, on_wake, s);
	s->total = timer_new(o->loop, on_total, s);
	if (target->total_timeout > 0)
		timer_start(s->total, target->total_timeout);
	attempt_start(s);
	return s;
}

/* --- the end ----------------------------------------------------------- */

void session_drop_connection(struct session *s)
{
	stream_close(s->stream);
	s->stream = NULL;
	smtp_client_free(s->client);
	s->client = NULL;
	s->is_ready = false;
}

static void free_session(struct session *s)
{
	free_primary(s->primary);
	mem_free(s->domain);
	mem_free(s->found);
	mem_free(s->tlsa);
	mem_free(s);
}

void session_enter(struct session *s)
{
	s->entered++;
}

void session_leave(struct session *s)
{
	if (--s->entered == 0 && s->closed)
		free_session(s);
}

void session_close(struct session *s)
{
	if (!s)
		return;
	MX_ASSERT(!s->closed);
	session_enter(s);
	s->closed = true;
	s->state = SESSION_OVER;
	list_remove(&s->quitting);
	attempt_stop(s);
	session_drop_connection(s);
	transaction_done(s);
	timer_free(s->wake);
	timer_free(s->total);
	session_leave(s);
}

/* QUIT is owed only where the dialogue stands between two commands
 * (RFC 5321 4.1.1.10); elsewhere hanging up is all that is left. */
void session_quit(struct session *s)
{
	if (!s)
		return;
	if (s->state != SESSION_IDLE || !s->is_ready || s->closed) {
		session_close(s);
		return;
	}
	s->state = SESSION_QUITTING;
	list_append(&s->o->quitting, &s->quitting);
	smtp_client_quit(s->client);
	stream_deadline(s->stream,
			MX_MIN(session_command_ms(s), (int64_t)QUIT_WAIT_MS));
	session_wake(s, DUTY_ON);
}

struct session *session_of_quitting(struct list *item)
{
	return MX_CONTAINER_OF(item, struct session, quitting);
}

/* The server has said good-bye too, or will not. */
static void part(struct session *s)
{
	stream_finish(s->stream);
	s->stream = NULL;
	session_close(s);
}

/* --- the machine's turn ------------------------------------------------ */

int64_t session_command_ms(const struct session *s)
{
	return MX_MAX(s->target.command_timeout, 1);
}

static bool is_talking(const struct session *s)
{
	return !s->closed && s->stream && s->client && s->state != SESSION_OVER;
}

static bool is_opening(const struct session *s)
{
	return s->state < SESSION_IDLE;
}

static void flush(struct session *s)
{
	struct slice out;

	if (is_opening(s) && smtp_client_output(s->client).n > 0)
		attempt_output(s);
	while (is_talking(s) && stream_queued(s->stream) < QUEUED_MAX) {
		out = smtp_client_output(s->client);
		if (out.n == 0)
			return;
		stream_write(s->stream, out);
		smtp_client_sent(s->client, out.n);
	}
}

static void idle_end(struct session *s)
{
	s->state = SESSION_OVER;
	session_drop_connection(s);
	if (s->events.on_idle_end)
		s->events.on_idle_end(s->data);
}

static void dispatch(struct session *s, const struct smtp_event *e)
{
	if (is_opening(s)) {
		attempt_event(s, e);
	} else if (s->state == SESSION_SENDING) {
		transaction_event(s, e);
	} else if (s->state == SESSION_QUITTING) {
		if (e->says == SMTP_SAYS_CLOSED || e->says == SMTP_SAYS_BROKEN)
			part(s);
	} else {
		/* 421, or words nobody asked for. */
		idle_end(s);
	}
}

void session_pump(struct session *s)
{
	struct smtp_event e;

	session_enter(s);
	while (is_talking(s)) {
		flush(s);
		if (!is_talking(s))
			break;
		e = smtp_client_next(s->client);
		if (e.says == SMTP_SAYS_NOTHING)
			break;
		dispatch(s, &e);
	}
	if (is_talking(s))
		flush(s);
	session_leave(s);
}

void session_wake(struct session *s, enum session_duty duty)
{
	s->duty = MX_MAX(s->duty, duty);
	timer_start(s->wake, 0);
}

static void on_wake(void *data)
{
	struct session *s = data;
	enum session_duty duty = s->duty;

	session_enter(s);
	s->duty = DUTY_NONE;
	if (duty == DUTY_BEGIN)
		transaction_begin(s);
	else if (duty == DUTY_RESULT)
		transaction_tell(s);
	session_pump(s);
	session_leave(s);
}

static void on_total(void *data)
{
	struct session *s = data;

	session_enter(s);
	if (is_opening(s))
		attempt_timed_out(s);
	session_leave(s);
}

/* --- what the stream says ---------------------------------------------- */

static size_t on_data(void *data, struct slice bytes)
{
	struct session *s = data;

	session_enter(s);
	if (s->client)
		smtp_client_feed(s->client, bytes);
	session_pump(s);
	session_leave(s);
	return bytes.n;
}

static void on_drained(void *data)
{
	struct session *s = data;

	session_enter(s);
	/* What left us shows that the peer reads: its time begins anew. */
	if (s->state == SESSION_SENDING)
		transaction_feed(s);
	session_pump(s);
	session_leave(s);
}

static void on_tls(void *data)
{
	struct session *s = data;

	session_enter(s);
	attempt_on_tls(s);
	session_pump(s);
	session_leave(s);
}

static void on_end(void *data, enum stream_end how, const char *why)
{
	struct session *s = data;
	char text[256];

	session_enter(s);
	if (is_opening(s)) {
		attempt_ended(s, how, why);
	} else if (s->state == SESSION_SENDING) {
		snprintf(text, sizeof(text), "%s (%s)",
			 how == STREAM_TIMEOUT ? "no answer in time"
					       : "the connection was lost",
			 why);
		transaction_broken(s, text);
	} else if (s->state == SESSION_QUITTING) {
		session_close(s);
	} else if (s->state == SESSION_IDLE) {
		idle_end(s);
	}
	session_leave(s);
}

const struct stream_events session_stream_events = {
	.on_data = on_data,
	.on_drained = on_drained,
	.on_tls = on_tls,
	.on_end = on_end,
};

/* --- facts ------------------------------------------------------------- */

void session_explain(const struct session *s, struct session_failure *f,
		     enum session_fault fault, const struct smtp_reply *reply,
		     const char *text)
{
	char said[REPLY_TEXT_MAX];

	memset(f, 0, sizeof(*f));
	f->stage = s->stage;
	f->fault = fault;
	snprintf(f->host, sizeof(f->host), "%.255s", s->host_text);
	if (reply && reply->code) {
		f->reply = *reply;
		smtp_reply_format(reply, said, sizeof(said));
		snprintf(f->text, sizeof(f->text), "%s%s%.400s", text,
			 text[0] ? ": " : "", said);
	} else {
		snprintf(f->text, sizeof(f->text), "%s", text);
	}
}

const struct smtp_ehlo *session_ehlo(const struct session *s)
{
	static const struct smtp_ehlo nothing;

	return s->client ? smtp_client_ehlo(s->client) : &nothing;
}

bool session_is_spent(const struct session *s)
{
	return s->client && smtp_client_is_spent(s->client);
}

bool session_is_ready(const struct session *s)
{
	return s->client && s->is_ready;
}

void session_protection(const struct session *s, struct session_protection *out)
{
	const struct tls_info *tls =
		s && s->stream ? stream_tls(s->stream) : NULL;

	memset(out, 0, sizeof(*out));
	if (!tls)
		return;
	snprintf(out->version, sizeof(out->version), "%s", tls->version);
	snprintf(out->cipher, sizeof(out->cipher), "%s", tls->cipher);
	snprintf(out->proof, sizeof(out->proof), "%s",
		 trust_proof_name(s->tls, tls));
	/* TLS-21: whoever is proved there, DNS alone has sent us to him */
	out->unsigned_mx = (!s->primary || s->primary->by_mx) &&
			   !(s->found && s->found->mx_secure);
}

const char *session_host(const struct session *s)
{
	return s->host_text;
}

const struct endpoint *session_peer(const struct session *s)
{
	return &s->peer;
}

/* --- messages ---------------------------------------------------------- */

void session_send(struct session *s, const struct smtp_send *m,
		  const struct envelope *handover)
{
	MX_ASSERT(s->state == SESSION_IDLE && s->is_ready);
	transaction_done(s);
	s->t.send = *m;
	s->t.from = handover;
	s->state = SESSION_SENDING;
	session_wake(s, DUTY_BEGIN);
}
