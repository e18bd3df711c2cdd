#include "mxhold/receive/dialogue.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/stats.h"
#include "mxhold/receive/answer.h"
#include "mxhold/receive/dialogue_parts.h"
#include "mxhold/smtp/proxy.h"
#include "mxhold/storage/failpoint.h"

enum {
	HANDSHAKE_MS = 60000,
	CHOKED = 64 * 1024, /* queued output above which nothing is done */
};

static size_t on_data(void *data, struct slice bytes);
static void on_drained(void *data);
static void on_tls(void *data);
static void on_end(void *data, enum stream_end how, const char *why);
static void on_body_ready(void *data);
static void on_committed(void *data, const struct smtp_reply *reply);
static bool say(struct dialogue *d);

static const struct stream_events stream_events = {
	.on_data = on_data,
	.on_drained = on_drained,
	.on_tls = on_tls,
	.on_end = on_end,
};

const struct intake_events dialogue_intake_events = {
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

void dialogue_enter(struct dialogue *d, enum dialogue_state state)
{
	MX_ASSERT(allowed[d->state] & MOVE(state));
	MX_ASSERT(state != DIALOGUE_ANSWER || d->open != SMTP_ASK_NOTHING);
	d->state = state;
}

void dialogue_shut(struct dialogue *d, const char *enhanced, const char *why)
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
	d->opened_ms = dialogue_now_ms(d);
	buf_init(&d->proxy, PROXY_HEADER_MAX);
	d->timer = timer_new(w->loop, dialogue_on_timer, d);
	d->stream = stream_new(w->loop, t->fd, &stream_events, d, &err);
	t->fd = -1;
	if (!d->stream)
		dialogue_fail(d, err.text);
	else
		dialogue_begin(d);
}

/* ---- questions ---- */

void dialogue_leave_open(struct dialogue *d, enum smtp_ask ask)
{
	d->open = ask;
	d->deadline_ms = 0;
	pace_end(&d->pace);
	stream_pause(d->stream);
	dialogue_enter(d, DIALOGUE_ANSWER);
}

static void take_body(struct dialogue *d, struct slice bytes)
{
	struct smtp_reply reply;

	if (failpoint_hit("data-read")) {
		smtp_reply_set(&reply, 451, "4.3.0", "test");
		smtp_server_answer(d->server, &reply);
		return;
	}
	if (intake_take(d->intake, bytes) == INTAKE_WAIT) {
		dialogue_leave_open(d, SMTP_ASK_BODY);
		return;
	}
	if (worker_is_congested(d->worker)) {
		dialogue_leave_open(d, SMTP_ASK_BODY);
		worker_block(d->worker, &d->blocked);
		return;
	}
	smtp_server_answer(d->server, NULL);
	dialogue_renew_deadline(d);
}

static void begin_data(struct dialogue *d)
{
	const struct smtp_reply *refusal;
	struct smtp_reply reply;

	refusal = answer_data(d, &reply);
	smtp_server_answer(d->server, refusal);
	if (!refusal)
		pace_begin(&d->pace, dialogue_now_ms(d));
}

static void commit(struct dialogue *d)
{
	const struct intake_end last = {
		.max_hops = d->config->smtp.max_hops,
		.expire_ms = d->expire_ms,
		.lacks = d->lacks,
	};
	struct smtp_reply reply;

	if (!intake_commit(d->intake, &last, &reply)) {
		dialogue_leave_open(d, SMTP_ASK_COMMIT);
		return;
	}
	d->intake = NULL;
	pace_end(&d->pace);
	smtp_server_answer(d->server, &reply);
}

static void forget(struct dialogue *d)
{
	intake_abort(d->intake);
	d->intake = NULL;
	pace_end(&d->pace);
	smtp_server_answer(d->server, NULL);
}

static void ask_etrn(struct dialogue *d, struct slice domain)
{
	struct ticket *t = d->ticket;
	struct smtp_reply reply;

	if (domain.n && domain.p[0] == '#') { /* RFC 1985 5.2.2 */
		smtp_reply_set(&reply, 458, "4.5.0", "no queue has that name");
		smtp_server_answer(d->server, &reply);
		return;
	}
	t->domain = mem_strndup(domain.p, domain.n);
	d->ticket_away = true;
	dialogue_leave_open(d, SMTP_ASK_ETRN);
	worker_go_home(d->worker, &t->note, NOTE_ETRN);
}

/* RFC 3207 4.2: what already came in clear is not a command. */
static void refuse_tls(struct dialogue *d)
{
	counter_add(&stats.sessions_failed, 1);
	smtp_server_refuse_tls(d->server);
	say(d);
	dialogue_end(d, true, "octets behind STARTTLS");
}

/* False: the handshake is on, or the dialogue is gone. */
static bool start_tls(struct dialogue *d)
{
	struct smtp_reply reply;

	if (smtp_server_was_injected(d->server)) {
		refuse_tls(d);
		return false;
	}
	if (!d->worker->tls) {
		smtp_reply_set(&reply, 454, "4.7.0",
			       "TLS is not available just now");
		smtp_server_answer(d->server, &reply);
		return true;
	}
	say(d);
	dialogue_enter(d, DIALOGUE_TLS);
	dialogue_set_deadline(d, MX_MIN(d->config->smtp.command_timeout,
					(int64_t)HANDSHAKE_MS));
	if (stream_start_tls_server(d->stream, d->worker->tls) > 0)
		dialogue_fail(d, "octets behind STARTTLS");
	return false;
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
		dialogue_take_rcpt(d, q);
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
		return start_tls(d);
	case SMTP_ASK_CLOSE:
		say(d);
		dialogue_end(d, true, close_reason(d));
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
	dialogue_renew_deadline(d);
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

/* Not between the chunks of a message either. */
static bool is_to_be_shut(const struct dialogue *d)
{
	return d->stopping && !d->shut_why &&
	       !(d->intake && pace_is_on(&d->pace)) &&
	       !smtp_server_in_data(d->server);
}

/*
 * The driver's one loop: answers what can be answered, and stops when the
 * machine wants octets, an answer must be waited for, or the client does not
 * read. False: the dialogue may be gone, do not touch it.
 */
bool dialogue_run(struct dialogue *d)
{
	while (d->state == DIALOGUE_TALK && !is_choked(d)) {
		struct smtp_question q = smtp_server_next(d->server);

		if (q.ask != SMTP_ASK_NOTHING) {
			if (!consider(d, &q))
				return false;
		} else if (is_to_be_shut(d)) {
			dialogue_shut(d, "4.3.2", "stopping");
		} else if (!say(d)) {
			break;
		}
	}
	say(d);
	dialogue_arm(d);
	return true;
}

/* After an answer that was waited for, or when there is room again. */
void dialogue_go_on(struct dialogue *d)
{
	if (dialogue_run(d) && d->state == DIALOGUE_TALK && !d->choked)
		stream_resume(d->stream);
}

/* ---- callbacks ---- */

/*
 * What the machine reads only to drop it (too large, refused) asks nothing;
 * its sender has the same time, and must be as fast, as with any content.
 */
static void keep_pace(struct dialogue *d)
{
	if (d->state != DIALOGUE_TALK)
		return;
	if (!smtp_server_in_data(d->server)) {
		if (!d->intake)
			pace_end(&d->pace);
		return;
	}
	if (!pace_is_on(&d->pace))
		pace_begin(&d->pace, dialogue_now_ms(d));
	dialogue_renew_deadline(d);
}

static size_t talk(struct dialogue *d, struct slice bytes)
{
	size_t taken = 0, n;
	int idle = 0;

	pace_count(&d->pace, bytes.n);
	while (d->state == DIALOGUE_TALK && !d->choked && idle < 2 &&
	       taken < bytes.n) {
		n = smtp_server_feed(d->server, slice_skip(bytes, taken));
		taken += n;
		idle = n ? 0 : idle + 1;
		if (!dialogue_run(d))
			return bytes.n;
	}
	keep_pace(d);
	return taken;
}

static size_t on_data(void *data, struct slice bytes)
{
	struct dialogue *d = data;

	switch (d->state) {
	case DIALOGUE_PROXY:
		return dialogue_take_proxy(d, bytes);
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

	if (d->has_kept)
		(void)failpoint_hit("after-250");
	d->has_kept = false;
	if (!d->choked)
		return;
	d->choked = false;
	if (d->state == DIALOGUE_TALK)
		dialogue_go_on(d);
}

static void on_tls(void *data)
{
	struct dialogue *d = data;

	dialogue_enter(d, DIALOGUE_TALK);
	smtp_server_tls_started(d->server);
	dialogue_renew_deadline(d);
	dialogue_go_on(d);
}

void dialogue_answer(struct dialogue *d, const struct smtp_reply *reply)
{
	d->open = SMTP_ASK_NOTHING;
	dialogue_enter(d, DIALOGUE_TALK);
	smtp_server_answer(d->server, reply);
	dialogue_renew_deadline(d);
	dialogue_go_on(d);
}

static void answer_body(struct dialogue *d)
{
	MX_ASSERT(d->open == SMTP_ASK_BODY);
	pace_begin(&d->pace, dialogue_now_ms(d));
	dialogue_answer(d, NULL);
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
	if (smtp_reply_class(reply) == 2) {
		d->messages++;
		d->has_kept = true;
	}
	dialogue_answer(d, reply);
}

static void on_etrn(struct dialogue *d, const struct ticket *t)
{
	struct smtp_reply r;

	switch (t->etrn) {
	case ETRN_UNKNOWN:
		smtp_reply_set(&r, 459, "4.5.0",
			       "nothing is known of that domain");
		break;
	case ETRN_NOTHING:
		smtp_reply_set(&r, 251, "2.0.0", "no messages are waiting");
		break;
	case ETRN_HELD:
		smtp_reply_set(&r, 458, "4.5.0", "held back for now");
		break;
	case ETRN_STARTED:
		smtp_reply_set(&r, 253, "2.0.0",
			       "%llu messages are waiting, queue run started",
			       (unsigned long long)t->waiting);
		break;
	}
	dialogue_answer(d, &r);
}

void dialogue_on_answer(struct ticket *t)
{
	struct dialogue *d = t->dialogue;

	bool was_told = t->learn != NULL;

	d->ticket_away = false;
	mem_free(t->domain);
	mem_free(t->sender);
	mem_free(t->rcpt);
	mem_free(t->learn);
	t->domain = t->sender = t->rcpt = NULL;
	t->learn = NULL;
	if (d->state == DIALOGUE_OVER)
		dialogue_bury(d);
	else if (was_told)
		dialogue_on_told(d, t->told);
	else if (d->open == SMTP_ASK_RCPT)
		dialogue_on_escape(d, t->is_let_in);
	else if (d->state == DIALOGUE_ANSWER)
		on_etrn(d, t);
	else
		dialogue_admitted(d, t->admission);
}

/* The machine's last words still reach a client that shut down one side. */
static void on_end(void *data, enum stream_end how, const char *why)
{
	struct dialogue *d = data;

	if (how == STREAM_EOF)
		dialogue_end(d, true, "client hung up");
	else
		dialogue_fail(d, why);
}
