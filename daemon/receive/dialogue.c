#include "mxhold/receive/dialogue.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/stats.h"
#include "mxhold/receive/answer.h"
#include "mxhold/smtp/proxy.h"

enum {
	PROXY_MS = 5000,
	HANDSHAKE_MS = 60000,
	MINUTE_MS = 60000,
	CHOKED = 64 * 1024, /* queued output above which nothing is done */
};

static void on_timer(void *data);
static size_t on_data(void *data, struct slice bytes);
static void on_drained(void *data);
static void on_tls(void *data);
static void on_end(void *data, enum stream_end how, const char *why);
static void on_body_ready(void *data);
static void on_committed(void *data, const struct smtp_reply *reply);
static bool run(struct dialogue *d);
static void greet_or_wait(struct dialogue *d);

static const struct stream_events stream_events = {
	.on_data = on_data,
	.on_drained = on_drained,
	.on_tls = on_tls,
	.on_end = on_end,
};

static const struct intake_events intake_events = {
	.on_ready = on_body_ready,
	.on_done = on_committed,
};

#define MOVE(state) (1u << (state))

static const unsigned allowed[] = {
	[DIALOGUE_NEW] = MOVE(DIALOGUE_PROXY) | MOVE(DIALOGUE_PREGREET) |
			 MOVE(DIALOGUE_TALK) | MOVE(DIALOGUE_OVER),
	[DIALOGUE_PROXY] = MOVE(DIALOGUE_ADMIT) | MOVE(DIALOGUE_PREGREET) |
			   MOVE(DIALOGUE_TALK) | MOVE(DIALOGUE_OVER),
	[DIALOGUE_ADMIT] = MOVE(DIALOGUE_PREGREET) | MOVE(DIALOGUE_TALK) |
			   MOVE(DIALOGUE_OVER),
	[DIALOGUE_PREGREET] = MOVE(DIALOGUE_TALK) | MOVE(DIALOGUE_OVER),
	[DIALOGUE_TALK] = MOVE(DIALOGUE_ANSWER) | MOVE(DIALOGUE_TLS) |
			  MOVE(DIALOGUE_OVER),
	[DIALOGUE_ANSWER] = MOVE(DIALOGUE_TALK) | MOVE(DIALOGUE_OVER),
	[DIALOGUE_TLS] = MOVE(DIALOGUE_TALK) | MOVE(DIALOGUE_OVER),
	[DIALOGUE_OVER] = 0,
};

static void enter(struct dialogue *d, enum dialogue_state state)
{
	MX_ASSERT(allowed[d->state] & MOVE(state));
	MX_ASSERT(state != DIALOGUE_ANSWER || d->open != SMTP_ASK_NOTHING);
	d->state = state;
}

static int64_t now_ms(const struct dialogue *d)
{
	return loop_now_ms(d->worker->loop);
}

/* ---- the clock ---- */

/* The timer is moved only towards the past; one that fires too early looks
 * and goes on waiting, so that a command costs no timer. */
static void arm(struct dialogue *d)
{
	int64_t at_ms = d->deadline_ms;

	if (d->rate_since_ms &&
	    (!at_ms || d->rate_since_ms + MINUTE_MS < at_ms))
		at_ms = d->rate_since_ms + MINUTE_MS;
	if (!at_ms || (d->armed_ms && d->armed_ms <= at_ms))
		return;
	d->armed_ms = at_ms;
	timer_start(d->timer, MX_MAX(at_ms - now_ms(d), (int64_t)0));
}

static void set_deadline(struct dialogue *d, int64_t after_ms)
{
	d->deadline_ms = now_ms(d) + after_ms;
	arm(d);
}

static void watch_rate(struct dialogue *d, bool watch)
{
	d->rate_since_ms = watch ? now_ms(d) : 0;
	d->rate_bytes = 0;
}

static bool is_too_slow(struct dialogue *d)
{
	uint64_t least = d->config->smtp.min_rate * (MINUTE_MS / 1000);

	if (!d->rate_since_ms || now_ms(d) - d->rate_since_ms < MINUTE_MS)
		return false;
	if (d->rate_bytes < least)
		return true;
	watch_rate(d, true);
	return false;
}

/* ---- the end ---- */

static void log_close(const struct dialogue *d, const char *why)
{
	struct log_line l;

	answer_log_begin(d, &l, LOG_INFO, "session.close");
	log_str(&l, "why", why);
	log_int(&l, "messages", d->messages);
	log_int(&l, "refused", d->refused);
	log_int(&l, "ms", now_ms(d) - d->opened_ms);
	log_end(&l);
}

static void bury(struct dialogue *d)
{
	struct worker *w = d->worker;

	MX_ASSERT(d->state == DIALOGUE_OVER && !d->ticket_away);
	worker_go_home(w, &d->ticket->note, NOTE_CLOSED);
	worker_detach(w, &d->in_worker);
	mem_free(d);
}

/* The one place where a connection ends; d may be gone after it. in_order:
 * what was said is written first. */
static void end(struct dialogue *d, bool in_order, const char *why)
{
	log_close(d, why);
	enter(d, DIALOGUE_OVER);
	list_remove(&d->blocked);
	timer_free(d->timer);
	if (in_order && d->stream)
		stream_finish(d->stream);
	else
		stream_close(d->stream);
	d->stream = NULL;
	intake_abort(d->intake);
	d->intake = NULL;
	smtp_server_free(d->server);
	buf_done(&d->proxy);
	mem_free(d->xclient);
	config_unref(d->config);
	if (!d->ticket_away)
		bury(d);
}

static void fail(struct dialogue *d, const char *why)
{
	counter_add(&stats.sessions_failed, 1);
	end(d, false, why);
}

static void shut(struct dialogue *d, const char *enhanced, const char *why)
{
	d->shut_why = why;
	smtp_server_shut(d->server, enhanced, why);
}

static const char *close_reason(const struct dialogue *d)
{
	uint32_t max = d->config->smtp.max_errors;

	if (d->shut_why)
		return d->shut_why;
	if (max && smtp_server_errors(d->server) >= max)
		return "too many errors";
	return "done";
}

/* ---- the beginning ---- */

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
	const struct ticket *t = d->ticket;

	d->server_config = (struct smtp_server_config){
		.hostname = c->hostname,
		.max_size = c->smtp.max_size,
		.max_rcpt = max_rcpt(c),
		.max_errors = c->smtp.max_errors,
		.strict_helo = c->smtp.strict_helo,
		.reject_bare_newline = c->smtp.reject_bare_newline,
		.offer_tls = d->worker->tls != NULL,
		.offer_utf8 = t->offer_utf8,
		.offer_chunking = true,
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

static void expect_proxy(struct dialogue *d)
{
	enter(d, DIALOGUE_PROXY);
	set_deadline(d, PROXY_MS);
}

void dialogue_open(struct worker *w, struct ticket *t)
{
	struct dialogue *d = mem_alloc(sizeof(*d));
	struct error err;

	t->dialogue = d;
	d->worker = w;
	d->ticket = t;
	d->state = DIALOGUE_NEW;
	list_init(&d->blocked);
	list_init(&d->in_worker);
	worker_attach(w, &d->in_worker);
	d->config = config_ref(w->config);
	d->opened_ms = now_ms(d);
	buf_init(&d->proxy, PROXY_HEADER_MAX);
	set_client(d, &t->peer);
	d->timer = timer_new(w->loop, on_timer, d);
	d->stream = stream_new(w->loop, t->fd, &stream_events, d, &err);
	t->fd = -1;
	if (!d->stream)
		fail(d, err.text);
	else if (t->is_proxied)
		expect_proxy(d);
	else
		greet_or_wait(d);
}

/* The header comes before anything else; not an octet behind it is taken. */
static size_t take_proxy(struct dialogue *d, struct slice bytes)
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
		fail(d, "bad PROXY header");
		return bytes.n;
	}
	buf_done(&d->proxy);
	d->deadline_ms = 0;
	if (h.local) {
		greet_or_wait(d);
		return used - had;
	}
	set_client(d, &h.source);
	enter(d, DIALOGUE_ADMIT);
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
	end(d, true, admission_why(admission));
}

static void greet(struct dialogue *d)
{
	enter(d, DIALOGUE_TALK);
	configure_server(d);
	d->server = smtp_server_new(&d->server_config);
	smtp_server_greet(d->server, NULL);
	if (run(d))
		stream_resume(d->stream);
}

static void greet_or_wait(struct dialogue *d)
{
	log_open(d);
	if (d->worker->config->policy.pregreet <= 0) {
		greet(d);
		return;
	}
	enter(d, DIALOGUE_PREGREET);
	set_deadline(d, d->worker->config->policy.pregreet);
	stream_resume(d->stream);
}

/* ---- questions ---- */

/* A question whose answer comes later. */
static void leave_open(struct dialogue *d, enum smtp_ask ask)
{
	d->open = ask;
	d->deadline_ms = 0;
	watch_rate(d, false);
	stream_pause(d->stream);
	enter(d, DIALOGUE_ANSWER);
}

static void take_body(struct dialogue *d, struct slice bytes)
{
	if (intake_take(d->intake, bytes) == INTAKE_WAIT) {
		leave_open(d, SMTP_ASK_BODY);
		return;
	}
	if (worker_is_congested(d->worker)) {
		leave_open(d, SMTP_ASK_BODY);
		worker_block(d->worker, &d->blocked);
		return;
	}
	smtp_server_answer(d->server, NULL);
	set_deadline(d, d->config->smtp.data_timeout);
}

static void begin_data(struct dialogue *d)
{
	const struct smtp_reply *refusal;
	struct smtp_reply reply;

	refusal = answer_data(d, &reply);
	smtp_server_answer(d->server, refusal);
	if (!refusal)
		watch_rate(d, true);
}

static void commit(struct dialogue *d)
{
	const struct intake_end last = {
		.max_hops = d->config->smtp.max_hops,
		.expire_ms = d->expire_ms,
	};
	struct smtp_reply reply;

	if (!intake_commit(d->intake, &last, &reply)) {
		leave_open(d, SMTP_ASK_COMMIT);
		return;
	}
	d->intake = NULL;
	watch_rate(d, false);
	smtp_server_answer(d->server, &reply);
}

static void forget(struct dialogue *d)
{
	intake_abort(d->intake);
	d->intake = NULL;
	watch_rate(d, false);
	smtp_server_answer(d->server, NULL);
}

static void ask_etrn(struct dialogue *d, struct slice domain)
{
	struct ticket *t = d->ticket;

	if (domain.n && domain.p[0] == '@') /* RFC 1985 5.2: and below it */
		domain = slice_skip(domain, 1);
	t->domain = mem_strndup(domain.p, domain.n);
	d->ticket_away = true;
	leave_open(d, SMTP_ASK_ETRN);
	worker_go_home(d->worker, &t->note, NOTE_ETRN);
}

static bool say(struct dialogue *d);

static void start_tls(struct dialogue *d)
{
	say(d);
	enter(d, DIALOGUE_TLS);
	set_deadline(d, MX_MIN(d->config->smtp.command_timeout,
			       (int64_t)HANDSHAKE_MS));
	/* RFC 3207 4.2: what already came in clear is not a command. */
	if (!d->worker->tls)
		fail(d, "no TLS any more");
	else if (stream_start_tls_server(d->stream, d->worker->tls) > 0)
		fail(d, "octets behind STARTTLS");
}

/* False: the dialogue may be gone. */
static bool consider(struct dialogue *d, const struct smtp_question *q)
{
	struct smtp_reply reply;

	switch (q->ask) {
	case SMTP_ASK_NOTHING:
		break;
	case SMTP_ASK_HELO:
		smtp_server_answer(d->server, NULL);
		break;
	case SMTP_ASK_MAIL:
		smtp_server_answer(d->server, answer_mail(d, q, &reply));
		break;
	case SMTP_ASK_RCPT:
		smtp_server_answer(d->server,
				   answer_rcpt(d, q, &intake_events, &reply));
		break;
	case SMTP_ASK_DATA:
		begin_data(d);
		break;
	case SMTP_ASK_BODY:
		take_body(d, q->text);
		break;
	case SMTP_ASK_COMMIT:
		commit(d);
		break;
	case SMTP_ASK_ABORT:
		forget(d);
		break;
	case SMTP_ASK_ETRN:
		ask_etrn(d, q->text);
		break;
	case SMTP_ASK_XCLIENT:
		smtp_server_answer(d->server,
				   answer_xclient(d, &q->xclient, &reply));
		break;
	case SMTP_ASK_TLS:
		start_tls(d);
		return false;
	case SMTP_ASK_CLOSE:
		say(d);
		end(d, true, close_reason(d));
		return false;
	}
	return true;
}

/* Gives the machine's output to the stream. False: there was none. */
static bool say(struct dialogue *d)
{
	struct slice out = smtp_server_output(d->server);

	if (out.n == 0)
		return false;
	stream_write(d->stream, out);
	smtp_server_sent(d->server, out.n);
	set_deadline(d, smtp_server_in_data(d->server)
				? d->config->smtp.data_timeout
				: d->config->smtp.command_timeout);
	return true;
}

static bool is_choked(struct dialogue *d)
{
	if (!d->choked && stream_queued(d->stream) > CHOKED) {
		d->choked = true;
		stream_pause(d->stream);
	}
	return d->choked;
}

static bool is_to_be_shut(const struct dialogue *d)
{
	return d->stopping && !d->shut_why && !smtp_server_in_data(d->server);
}

/*
 * The driver's one loop: answers what can be answered, and stops when the
 * machine wants octets, an answer must be waited for, or the client does not
 * read. False: the dialogue may be gone, do not touch it.
 */
static bool run(struct dialogue *d)
{
	while (d->state == DIALOGUE_TALK && !is_choked(d)) {
		struct smtp_question q = smtp_server_next(d->server);

		if (q.ask != SMTP_ASK_NOTHING) {
			if (!consider(d, &q))
				return false;
		} else if (is_to_be_shut(d)) {
			shut(d, "4.3.2", "stopping");
		} else if (!say(d)) {
			break;
		}
	}
	say(d);
	arm(d);
	return true;
}

/* After an answer that was waited for, or when there is room again. */
static void go_on(struct dialogue *d)
{
	if (run(d) && d->state == DIALOGUE_TALK && !d->choked)
		stream_resume(d->stream);
}

/* ---- callbacks ---- */

static size_t talk(struct dialogue *d, struct slice bytes)
{
	size_t taken = 0, n;
	int idle = 0;

	if (d->rate_since_ms)
		d->rate_bytes += bytes.n;
	while (d->state == DIALOGUE_TALK && !d->choked && idle < 2 &&
	       taken < bytes.n) {
		n = smtp_server_feed(d->server, slice_skip(bytes, taken));
		taken += n;
		idle = n ? 0 : idle + 1;
		if (!run(d))
			return bytes.n;
	}
	return taken;
}

static size_t on_data(void *data, struct slice bytes)
{
	struct dialogue *d = data;

	switch (d->state) {
	case DIALOGUE_PROXY:
		return take_proxy(d, bytes);
	case DIALOGUE_PREGREET:
		d->talked_early = true;
		return 0;
	case DIALOGUE_TALK:
		return talk(d, bytes);
	default:
		return 0;
	}
}

static void on_drained(void *data)
{
	struct dialogue *d = data;

	if (!d->choked)
		return;
	d->choked = false;
	if (d->state == DIALOGUE_TALK)
		go_on(d);
}

static void on_tls(void *data)
{
	struct dialogue *d = data;

	enter(d, DIALOGUE_TALK);
	smtp_server_tls_started(d->server);
	set_deadline(d, d->config->smtp.command_timeout);
	go_on(d);
}

/* The answer that was waited for is there. */
static void answer(struct dialogue *d, const struct smtp_reply *reply)
{
	d->open = SMTP_ASK_NOTHING;
	enter(d, DIALOGUE_TALK);
	smtp_server_answer(d->server, reply);
	set_deadline(d, d->config->smtp.command_timeout);
	go_on(d);
}

static void answer_body(struct dialogue *d)
{
	MX_ASSERT(d->open == SMTP_ASK_BODY);
	watch_rate(d, true);
	answer(d, NULL);
}

static void on_body_ready(void *data)
{
	answer_body(data);
}

void dialogue_on_unblocked(struct list *blocked)
{
	answer_body(MX_CONTAINER_OF(blocked, struct dialogue, blocked));
}

static void on_committed(void *data, const struct smtp_reply *reply)
{
	struct dialogue *d = data;

	MX_ASSERT(d->open == SMTP_ASK_COMMIT);
	d->intake = NULL;
	if (smtp_reply_class(reply) == 2)
		d->messages++;
	answer(d, reply);
}

static void on_etrn(struct dialogue *d, bool is_started)
{
	struct smtp_reply reply;

	if (is_started) {
		answer(d, NULL);
		return;
	}
	smtp_reply_set(&reply, 459, "4.5.0", "nothing is known of that domain");
	answer(d, &reply);
}

void dialogue_on_answer(struct ticket *t)
{
	struct dialogue *d = t->dialogue;

	d->ticket_away = false;
	mem_free(t->domain);
	t->domain = NULL;
	if (d->state == DIALOGUE_OVER)
		bury(d);
	else if (d->state == DIALOGUE_ANSWER)
		on_etrn(d, t->etrn_started);
	else if (t->admission == ADMISSION_GRANTED)
		greet_or_wait(d);
	else
		turn_away(d, t->admission);
}

/* The machine's last words still reach a client that shut down one side. */
static void on_end(void *data, enum stream_end how, const char *why)
{
	struct dialogue *d = data;

	if (how == STREAM_EOF)
		end(d, true, "client hung up");
	else
		fail(d, why);
}

static void time_out(struct dialogue *d, const char *why)
{
	switch (d->state) {
	case DIALOGUE_PROXY:
		fail(d, "no PROXY header came");
		break;
	case DIALOGUE_PREGREET:
		greet(d);
		break;
	case DIALOGUE_TLS:
		fail(d, "TLS handshake took too long");
		break;
	case DIALOGUE_TALK:
		counter_add(&stats.sessions_failed, 1);
		if (stream_queued(d->stream) > 0) {
			end(d, false, "client does not read");
			break;
		}
		shut(d, "4.4.2", why);
		run(d);
		break;
	default:
		MX_ASSERT(!"a deadline while nothing is waited for");
	}
}

static void on_timer(void *data)
{
	struct dialogue *d = data;

	d->armed_ms = 0;
	if (is_too_slow(d)) {
		time_out(d, "too slow");
	} else if (d->deadline_ms && now_ms(d) >= d->deadline_ms) {
		d->deadline_ms = 0;
		time_out(d, "timeout");
	} else {
		arm(d);
	}
}

/* ---- stopping ---- */

static void say_goodbye(struct dialogue *d)
{
	stream_write(d->stream, SLICE("421 4.3.2 stopping\r\n"));
	end(d, true, "stopping");
}

void dialogue_stop(struct list *in_worker)
{
	struct dialogue *d =
		MX_CONTAINER_OF(in_worker, struct dialogue, in_worker);

	d->stopping = true;
	switch (d->state) {
	case DIALOGUE_NEW:
	case DIALOGUE_PROXY:
	case DIALOGUE_ADMIT:
	case DIALOGUE_PREGREET:
		say_goodbye(d);
		break;
	case DIALOGUE_TLS:
		end(d, false, "stopping");
		break;
	case DIALOGUE_TALK:
		run(d);
		break;
	case DIALOGUE_ANSWER:
	case DIALOGUE_OVER:
		break;
	}
}

void dialogue_cut(struct list *in_worker)
{
	struct dialogue *d =
		MX_CONTAINER_OF(in_worker, struct dialogue, in_worker);

	if (d->state == DIALOGUE_OVER)
		return;
	if (d->state == DIALOGUE_TALK)
		say_goodbye(d);
	else
		end(d, false, "stopping");
}
