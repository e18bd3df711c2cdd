#include "mxhold/base/log.h"
#include "mxhold/base/stats.h"
#include "mxhold/receive/answer.h"
#include "mxhold/receive/dialogue_parts.h"
#include "mxhold/smtp/proxy.h"

enum {
	PROXY_MS = 5000
};

static void greet_or_wait(struct dialogue *d);

static uint32_t max_rcpt(const struct config *c)
{
	if (c->smtp.max_rcpt == 0 || c->smtp.max_rcpt > QUEUE_RCPT_MAX)
		return QUEUE_RCPT_MAX;
	return c->smtp.max_rcpt;
}

/* When the ticket is final: behind a proxy the client is known late. */
static void configure_server(struct dialogue *d)
{
	const struct config *c = d->config;
	const struct lacks *l = &d->ticket->lacks;
	const struct ticket *t = d->ticket;
	bool eight_bit = !(l->ext & EXT_8BITMIME);

	d->server_config = (struct smtp_server_config){
		.hostname = c->hostname,
		.max_size = lacks_content_max(l, c->smtp.max_size),
		.max_rcpt = max_rcpt(c),
		.max_errors = c->smtp.max_errors,
		.strict_helo = c->smtp.strict_helo,
		.reject_bare_newline = c->smtp.reject_bare_newline,
		.offer_tls = d->worker->tls != NULL,
		.offer_8bitmime = eight_bit,
		.offer_dsn = !(l->ext & EXT_DSN),
		.offer_utf8 = eight_bit && !(l->ext & EXT_SMTPUTF8),
		.offer_chunking = true,
		.offer_binarymime = !(l->ext & EXT_BINARYMIME),
		.offer_requiretls = !(l->ext & EXT_REQUIRETLS),
		.offer_etrn = t->may_etrn,
		.offer_xclient = t->may_xclient,
	};
}

static void set_client(struct dialogue *d, const struct endpoint *client)
{
	d->client = *client;
	d->network = inet_client_network(&client->addr);
}

static void log_open(const struct dialogue *d)
{
	char text[INET_TEXT_MAX];
	struct log_line l;

	answer_log_begin(d, &l, LOG_INFO, "session.open");
	if (d->ticket->is_proxied && l.wanted) {
		inet_format(&d->ticket->peer.addr, text);
		log_str(&l, "proxy", text);
	}
	log_end(&l);
}

void dialogue_begin(struct dialogue *d)
{
	set_client(d, &d->ticket->peer);
	if (!d->ticket->is_proxied) {
		greet_or_wait(d);
		return;
	}
	dialogue_enter(d, DIALOGUE_PROXY);
	dialogue_set_deadline(d, PROXY_MS);
}

/* The header comes before anything else; not an octet behind it is taken. */
size_t dialogue_take_proxy(struct dialogue *d, struct slice bytes)
{
	size_t had = d->proxy.n, used = 0;
	size_t n = MX_MIN(bytes.n, buf_left(&d->proxy));
	struct ticket *t = d->ticket;
	struct proxy_header h;
	enum proxy_result result = PROXY_BAD;

	if (buf_append(&d->proxy, bytes.p, n) == 0)
		result = proxy_parse(buf_slice(&d->proxy), &h, &used);
	if (result == PROXY_MORE && buf_left(&d->proxy) > 0)
		return n;
	if (result != PROXY_OK) {
		dialogue_fail(d, "bad PROXY header");
		return bytes.n;
	}
	buf_done(&d->proxy);
	d->deadline_ms = 0;
	if (h.local) {
		greet_or_wait(d);
		return used - had;
	}
	set_client(d, &h.source);
	dialogue_enter(d, DIALOGUE_ADMIT);
	t->client = h.source;
	d->ticket_away = true;
	stream_pause(d->stream);
	worker_go_home(d->worker, &t->note, NOTE_ADMIT);
	return used - had;
}

static void turn_away(struct dialogue *d, enum admission admission)
{
	struct log_line l;

	counter_add(&stats.sessions_refused, 1);
	answer_log_begin(d, &l, LOG_INFO, "session.refused");
	log_str(&l, "why", admission_why(admission));
	log_end(&l);
	stream_write(d->stream, slice_str(admission_refusal(admission)));
	dialogue_end(d, true, admission_why(admission));
}

void dialogue_admitted(struct dialogue *d, enum admission admission)
{
	if (admission == ADMISSION_GRANTED)
		greet_or_wait(d);
	else
		turn_away(d, admission);
}

void dialogue_greet(struct dialogue *d)
{
	dialogue_enter(d, DIALOGUE_TALK);
	configure_server(d);
	d->server = smtp_server_new(&d->server_config);
	smtp_server_greet(d->server, NULL);
	dialogue_go_on(d);
}

static void greet_or_wait(struct dialogue *d)
{
	log_open(d);
	dialogue_ask_dns(d);
	if (d->worker->config->policy.pregreet <= 0 || d->worker->is_pressed) {
		dialogue_greet(d);
		return;
	}
	dialogue_enter(d, DIALOGUE_PREGREET);
	dialogue_set_deadline(d, d->worker->config->policy.pregreet);
	stream_resume(d->stream);
}
