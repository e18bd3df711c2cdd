/*
 * From the target to a session that is ready: hosts in order, each with its
 * addresses (RFC 5321 5.1). The next address or host is tried after a failed
 * connection, a refusal at banner or EHLO, a TLS that does not satisfy, or a
 * lost connection. When none is left, the failure that got furthest tells
 * what is wrong with the primary.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mxhold/base/mem.h"
#include "mxhold/outbound/trust.h"
#include "session_internal.h"

enum {
	STAGGER_MS = 250, /* RFC 8305 5 */
	/* Of the peer's system, not of its server: see stream_watch. It is
	 * missed before the first message is, when the line comes back. */
	SILENCE_MS = 20000,
	/* Dialogues that were begun, in all and with one host: a farm of
	 * hosts that all say no must not keep us busy for ever. */
	TRIES_MAX = 10,
	HOST_TRIES_MAX = 2
};

static void on_lookup(void *data, const struct lookup_result *found);
static void on_dane(void *data, const struct dane_result *tlsa);
static void on_connect(void *data, int fd, size_t which, const char *why);
static void begin_host(struct session *s);
static void connect_host(struct session *s);

static enum primary_tls tls_mode(const struct session *s)
{
	return s->tls;
}

/* An operator's word is not loosened by what a zone lacks. */
static bool is_dane_demanded(const struct session *s)
{
	return s->primary && s->primary->tls == PRIMARY_TLS_DANE;
}

static struct lookup_host *host_of(struct session *s)
{
	return &s->found->hosts[s->host];
}

/* --- the end, good or bad ---------------------------------------------- */

void attempt_stop(struct session *s)
{
	lookup_cancel(s->lookup);
	s->lookup = NULL;
	dane_cancel(s->dane);
	s->dane = NULL;
	if (s->connector)
		connector_cancel(s->connector);
	s->connector = NULL;
}

static void give_up(struct session *s)
{
	attempt_stop(s);
	session_drop_connection(s);
	s->state = SESSION_OVER;
	s->events.on_open(s->data, &s->failure);
}

static void reached(struct session *s)
{
	if (s->stream)
		stream_deadline(s->stream, 0);
	s->state = SESSION_IDLE;
	s->events.on_open(s->data, NULL);
}

static void remember(struct session *s, enum session_fault fault,
		     const struct smtp_reply *reply, const char *text)
{
	if (s->has_failure && s->stage < s->failure.stage)
		return;
	session_explain(s, &s->failure, fault, reply, text);
	s->has_failure = true;
}

/* --- on to the next ---------------------------------------------------- */

/* None has all that is wanted: then the first that is there. */
static void begin_again(struct session *s)
{
	s->passed_over = false;
	s->target.wants = 0;
	s->host = 0;
	s->tries = 0;
	begin_host(s);
}

static void next_host(struct session *s)
{
	s->clear_only = false;
	s->host++;
	s->address = 0;
	s->host_tries = 0;
	if (s->host < s->found->n && s->tries < TRIES_MAX)
		begin_host(s);
	else if (s->passed_over)
		begin_again(s);
	else
		give_up(s);
}

static void next_address(struct session *s)
{
	s->clear_only = false;
	if (s->address >= host_of(s)->n || s->host_tries >= HOST_TRIES_MAX ||
	    s->tries >= TRIES_MAX)
		next_host(s);
	else
		connect_host(s);
}

enum parting {
	PART_AT_ONCE,
	PART_QUIETLY, /* in order, but the server knows already */
	PART_WITH_QUIT
};

static void hang_up(struct session *s, enum parting how)
{
	if (s->stream && how != PART_AT_ONCE) {
		if (how == PART_WITH_QUIT)
			stream_write(s->stream, SLICE("QUIT\r\n"));
		stream_finish(s->stream);
		s->stream = NULL;
	}
	session_drop_connection(s);
}

static void fail(struct session *s, enum session_fault fault,
		 const struct smtp_reply *reply, const char *text,
		 enum parting how)
{
	remember(s, fault, reply, text);
	hang_up(s, how);
	next_address(s);
}

/* RFC 5321 2.2.3: what one host lacks, another may have. */
static bool is_passed_over(struct session *s)
{
	uint32_t ext = smtp_client_ehlo(s->client)->ext;

	if (!(s->target.wants & ~ext) || s->found->n < 2)
		return false;
	s->passed_over = true;
	hang_up(s, PART_WITH_QUIT);
	next_host(s);
	return true;
}

/* 5yz before MAIL is about the host, never about a message. */
static void refused(struct session *s, const struct smtp_reply *reply,
		    const char *what)
{
	bool permanent = smtp_reply_class(reply) == 5;

	/* Behind 421 it closes by itself (RFC 5321 3.8). */
	fail(s, permanent ? FAULT_PERMANENT : FAULT_TEMPORARY, reply, what,
	     reply->code == 421 ? PART_QUIETLY : PART_WITH_QUIT);
}

void attempt_timed_out(struct session *s)
{
	char text[128];

	snprintf(text, sizeof(text), "no session within %" PRId64 " ms, at %s",
		 s->target.total_timeout, session_stage_name(s->stage));
	remember(s, FAULT_TEMPORARY, NULL, text);
	give_up(s);
}

/* --- look-up ----------------------------------------------------------- */

void attempt_start(struct session *s)
{
	const char *name = s->primary ? s->primary->name : s->domain;

	s->state = SESSION_LOOKUP;
	s->stage = STAGE_DNS;
	snprintf(s->host_text, sizeof(s->host_text), "%.255s", name);
	s->lookup = lookup_start(s->o, &s->target, on_lookup, s);
}

static void on_lookup(void *data, const struct lookup_result *found)
{
	struct session *s = data;

	session_enter(s);
	s->lookup = NULL;
	if (found->fault != FAULT_NONE) {
		remember(s, found->fault, NULL, found->text);
		snprintf(s->failure.status, sizeof(s->failure.status), "%s",
			 found->status);
		give_up(s);
	} else {
		s->found = mem_alloc(sizeof(*s->found));
		*s->found = *found;
		begin_host(s);
	}
	session_leave(s);
}

static void begin_host(struct session *s)
{
	snprintf(s->host_text, sizeof(s->host_text), "%s", host_of(s)->name);
	s->tls = s->primary ? s->primary->tls : PRIMARY_TLS_MAY;
	if ((s->primary && !is_dane_demanded(s)) ||
	    s->target.depth < PROBE_TLS) {
		connect_host(s);
		return;
	}
	s->state = SESSION_TLSA;
	s->stage = STAGE_DNS;
	s->dane = dane_start(s->o, host_of(s), on_dane, s);
}

static void on_dane(void *data, const struct dane_result *tlsa)
{
	struct session *s = data;

	session_enter(s);
	s->dane = NULL;
	if (!s->tlsa)
		s->tlsa = mem_alloc(sizeof(*s->tlsa));
	*s->tlsa = *tlsa;
	if (is_dane_demanded(s) ? tlsa->verdict != DANE_USABLE
				: tlsa->verdict == DANE_FAILED) {
		s->stage = STAGE_TLS; /* the DNS of it is there */
		remember(s, FAULT_TEMPORARY, NULL, tlsa->text);
		next_host(s);
	} else {
		s->tls = trust_by_dane(tlsa->verdict);
		connect_host(s);
	}
	session_leave(s);
}

/* --- connect ----------------------------------------------------------- */

static void connect_host(struct session *s)
{
	struct lookup_host *h = host_of(s);
	struct connect_options options = {
		.to = s->clear_only ? &s->peer : &h->at[s->address],
		.n = s->clear_only ? 1 : h->n - s->address,
		.source = s->primary && s->primary->has_source
				  ? &s->primary->source
				  : NULL,
		.timeout_ms = MX_MAX(s->target.connect_timeout, 1),
		.stagger_ms = STAGGER_MS,
	};

	s->state = SESSION_CONNECT;
	s->stage = STAGE_CONNECT;
	s->connector = connector_start(s->o->loop, &options, on_connect, s);
}

static void note_peer(struct session *s, size_t which)
{
	struct lookup_host *h = host_of(s);
	char at[INET_TEXT_MAX];

	if (s->clear_only)
		return;
	s->peer = h->at[s->address + which];
	s->address += which + 1;
	s->tries++;
	s->host_tries++;
	inet_format(&s->peer.addr, at);
	snprintf(s->host_text, sizeof(s->host_text), "%s[%s]:%u",
		 h->is_address ? "" : h->name, at, (unsigned)s->peer.port);
}

static void begin_dialogue(struct session *s, int fd)
{
	struct error err = {0};

	s->stream = stream_new(s->o->loop, fd, &session_stream_events, s, &err);
	if (!s->stream) {
		remember(s, FAULT_TEMPORARY, NULL, err.text);
		next_address(s);
	} else if (s->target.depth == PROBE_TCP) {
		hang_up(s, PART_QUIETLY);
		reached(s);
	} else {
		s->client = smtp_client_new(s->o->config->hostname);
		s->state = SESSION_GREETING;
		s->stage = STAGE_BANNER;
		stream_watch(s->stream, SILENCE_MS);
		stream_deadline(s->stream, session_command_ms(s));
	}
}

static void on_connect(void *data, int fd, size_t which, const char *why)
{
	struct session *s = data;

	session_enter(s);
	s->connector = NULL;
	if (fd >= 0) {
		note_peer(s, which);
		begin_dialogue(s, fd);
	} else {
		remember(s, FAULT_TEMPORARY, NULL, why);
		if (s->clear_only)
			next_address(s);
		else
			next_host(s);
	}
	session_leave(s);
}

/* --- banner and EHLO --------------------------------------------------- */

/* The machine says EHLO by itself, so its first words mean a good banner. */
void attempt_output(struct session *s)
{
	if (s->stage != STAGE_BANNER)
		return;
	s->stage = STAGE_EHLO;
	stream_deadline(s->stream, session_command_ms(s));
	if (s->target.depth == PROBE_BANNER) {
		hang_up(s, PART_WITH_QUIT);
		reached(s);
	}
}

static bool wants_tls(struct session *s)
{
	bool offered = smtp_client_ehlo(s->client)->ext & EXT_STARTTLS;

	if (tls_mode(s) == PRIMARY_TLS_OFF)
		return false;
	if (tls_mode(s) != PRIMARY_TLS_MAY)
		return true;
	return offered && !s->clear_only && !outbound_is_plain(s->o, &s->peer);
}

/* Behind address translation nothing but its name tells. */
static bool is_ourselves(struct session *s)
{
	if (!smtp_client_ehlo(s->client)->is_us)
		return false;
	fail(s, FAULT_LOOP, NULL,
	     "the server says our own name: the route leads back to us",
	     PART_WITH_QUIT);
	return true;
}

static void tls_missing(struct session *s)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "STARTTLS is not offered, and tls = \"%s\" asks for it",
		 config_tls_name(tls_mode(s)));
	fail(s, FAULT_TEMPORARY, NULL, text, PART_WITH_QUIT);
}

static void ehlo_done(struct session *s)
{
	if (is_ourselves(s))
		return;
	s->is_ready = true;
	if (s->target.depth == PROBE_EHLO || !wants_tls(s)) {
		if (!is_passed_over(s))
			reached(s);
		return;
	}
	s->stage = STAGE_TLS;
	if (!(smtp_client_ehlo(s->client)->ext & EXT_STARTTLS)) {
		tls_missing(s);
		return;
	}
	s->state = SESSION_STARTTLS;
	stream_deadline(s->stream, session_command_ms(s));
	smtp_client_start_tls(s->client);
}

/* --- TLS --------------------------------------------------------------- */

/* Without a policy mail goes in clear rather than not at all, but over a new
 * connection: nobody knows what state the old one is in. */
static void tls_failed(struct session *s, const struct smtp_reply *reply,
		       const char *text, enum parting how)
{
	if (tls_mode(s) != PRIMARY_TLS_MAY) {
		fail(s, FAULT_TEMPORARY, reply, text, how);
		return;
	}
	remember(s, FAULT_TEMPORARY, reply, text);
	outbound_note_plain(s->o, &s->peer);
	hang_up(s, how);
	s->clear_only = true;
	connect_host(s);
}

static void expect_by_name(struct session *s, struct tls_peer *peer,
			   enum tls_verify verify, const char **names)
{
	names[0] = host_of(s)->name;
	peer->verify = verify;
	peer->names = names;
	peer->n_names = 1;
}

/* RFC 7672 3.2.2: the TLSA base domain, and with a signed MX the domain, also
 * as its CNAME has it. */
static void expect_by_dane(struct session *s, struct tls_peer *peer,
			   const char **names)
{
	names[0] = s->tlsa->base;
	peer->n_names = 1;
	if (s->found->mx_secure && (!s->primary || s->primary->by_mx)) {
		names[peer->n_names++] =
			s->primary ? s->primary->mx_domain : s->domain;
		if (s->found->mx_canonical[0])
			names[peer->n_names++] = s->found->mx_canonical;
	}
	peer->names = names;
	peer->verify = TLS_VERIFY_DANE;
	peer->sni = s->tlsa->base;
	peer->tlsa = s->tlsa->records;
	peer->n_tlsa = s->tlsa->n;
}

static void expect(struct session *s, struct tls_peer *peer, const char **names)
{
	memset(peer, 0, sizeof(*peer));
	peer->sni = host_of(s)->is_address ? NULL : host_of(s)->name;
	switch (tls_mode(s)) {
	case PRIMARY_TLS_VERIFY:
		expect_by_name(s, peer, TLS_VERIFY_NAME, names);
		break;
	case PRIMARY_TLS_PIN:
		peer->verify = TLS_VERIFY_PIN;
		peer->pin = s->primary->pin;
		break;
	case PRIMARY_TLS_DANE:
		expect_by_dane(s, peer, names);
		break;
	case PRIMARY_TLS_MAY:
	case PRIMARY_TLS_OFF:
	case PRIMARY_TLS_REQUIRE:
		/* Whatever it shows will do, but not for REQUIRETLS. */
		expect_by_name(s, peer, TLS_VERIFY_MAYBE, names);
		break;
	}
}

static void shake_hands(struct session *s)
{
	struct error err = {0};
	const char *names[3];
	struct tls_peer peer;
	struct tls_context *context = outbound_tls(s->o, s->primary, &err);
	size_t injected;

	if (!context) {
		fail(s, FAULT_TEMPORARY, NULL, err.text, PART_AT_ONCE);
		return;
	}
	expect(s, &peer, names);
	s->state = SESSION_HANDSHAKE;
	s->is_ready = false;
	injected = stream_start_tls_client(s->stream, context, &peer);
	tls_context_unref(context);
	/* RFC 3207 4.2: what came in clear behind the 220 is nobody's. */
	if (injected > 0)
		fail(s, FAULT_TEMPORARY, NULL,
		     "octets in clear behind the reply to STARTTLS",
		     PART_AT_ONCE);
	else
		stream_deadline(s->stream, session_command_ms(s));
}

void attempt_on_tls(struct session *s)
{
	const struct tls_info *info = stream_tls(s->stream);
	char text[512];

	if (trust_must_verify(tls_mode(s)) && !info->verified) {
		trust_explain(info, text, sizeof(text));
		fail(s, FAULT_TEMPORARY, NULL, text, PART_WITH_QUIT);
		return;
	}
	s->state = SESSION_EHLO_AGAIN;
	stream_deadline(s->stream, session_command_ms(s));
	smtp_client_tls_started(s->client);
}

/* --- what the machine and the stream say ------------------------------- */

static void on_ready(struct session *s)
{
	if (s->state == SESSION_GREETING) {
		ehlo_done(s);
	} else {
		s->is_ready = true;
		if (!is_passed_over(s))
			reached(s);
	}
}

static void on_tls_reply(struct session *s, const struct smtp_reply *reply)
{
	if (reply->code == 220)
		shake_hands(s);
	else if (reply->code == 421) /* busy: nothing is said of its TLS */
		refused(s, reply, "STARTTLS refused");
	else
		tls_failed(s, reply, "STARTTLS refused", PART_WITH_QUIT);
}

void attempt_event(struct session *s, const struct smtp_event *e)
{
	switch (e->says) {
	case SMTP_SAYS_GREETING:
		refused(s, &e->reply, "refused at the greeting");
		break;
	case SMTP_SAYS_REFUSED:
		refused(s, &e->reply, "EHLO refused");
		break;
	case SMTP_SAYS_READY:
		on_ready(s);
		break;
	case SMTP_SAYS_TLS:
		on_tls_reply(s, &e->reply);
		break;
	case SMTP_SAYS_CLOSED:
		fail(s, FAULT_TEMPORARY, &e->reply, "the server closes",
		     PART_QUIETLY);
		break;
	default:
		fail(s, FAULT_TEMPORARY, NULL,
		     e->reply.text[0] ? e->reply.text
				      : "the server speaks out of turn",
		     PART_AT_ONCE);
		break;
	}
}

void attempt_ended(struct session *s, enum stream_end how, const char *why)
{
	char text[256];

	/* TLS 1.3: what it says of our certificate comes behind our end of
	 * the handshake. */
	if (how == STREAM_TLS_FAILED && s->state == SESSION_EHLO_AGAIN)
		s->state = SESSION_HANDSHAKE;
	if (how == STREAM_TIMEOUT)
		snprintf(text, sizeof(text), "no answer within %" PRId64 " ms",
			 session_command_ms(s));
	else if (how == STREAM_TLS_FAILED || s->state == SESSION_HANDSHAKE)
		snprintf(text, sizeof(text), "%s%s",
			 strncmp(why, "TLS: ", 5) == 0 ? "" : "TLS: ", why);
	else
		snprintf(text, sizeof(text), "the connection was lost: %s",
			 why);
	if (s->state == SESSION_HANDSHAKE)
		tls_failed(s, NULL, text, PART_AT_ONCE);
	else
		fail(s, FAULT_TEMPORARY, NULL, text, PART_AT_ONCE);
}
