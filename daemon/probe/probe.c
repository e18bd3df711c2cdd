/*
 * One probe: connect, banner, EHLO, TLS, MAIL and RCPT, as deep as asked;
 * never DATA. Its verdict is about the primary: a 5xx before RCPT says it
 * refuses, any answer to RCPT but 421 says it is up.
 */
#include <stdio.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/clock.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/stats.h"
#include "prober_internal.h"

enum {
	ADDRESS_ROOM = 640,
	LEFT_MIN_MS = 1000 /* for MAIL and RCPT, however late it is */
};

struct waiter {
	struct waiter *next;
	void (*on_done)(void *data, const struct primary_view *view);
	void *data;
};

struct probe {
	struct list link; /* in peer->probes */
	struct peer *peer;
	struct session *session;
	struct timer *deadline; /* of MAIL and RCPT */
	uint64_t seq;
	int64_t started_ms; /* loop time */
	enum probe_depth depth;
	bool is_open;
	struct waiter *waiters;
	struct recipient rcpt;
	char sender[ADDRESS_ROOM], recipient[ADDRESS_ROOM];
};

static void on_open(void *data, const struct session_failure *failure);
static void on_body(void *data);
static void on_sent(void *data, const struct session_result *r);
static void on_deadline(void *data);

static const struct session_events probe_events = {
	.on_open = on_open,
	.on_body = on_body,
	.on_sent = on_sent,
};

static int64_t age_ms(const struct probe *b)
{
	return loop_now_ms(b->peer->p->loop) - b->started_ms;
}

/* --- start ------------------------------------------------------------- */

static void choose_addresses(struct probe *b, const struct config_probe *c)
{
	const struct config_domain *d = b->peer->domain;

	snprintf(b->sender, sizeof(b->sender), "%s", c->sender);
	if (strchr(c->recipient, '@') || !d)
		snprintf(b->recipient, sizeof(b->recipient), "%s",
			 c->recipient);
	else
		snprintf(b->recipient, sizeof(b->recipient), "%s@%s",
			 c->recipient, d->name);
	b->rcpt.address = slice_str(b->recipient);
}

static void open_session(struct probe *b)
{
	struct peer *peer = b->peer;
	const struct config *c = peer->p->config;
	struct session_target target = {
		.primary = peer->primary,
		.last_good = peer->good,
		.n_last_good = peer_has_good(peer) ? peer->n_good : 0,
		.depth = b->depth,
		.connect_timeout =
			MX_MIN(c->drain.connect_timeout, c->probe.timeout),
		.command_timeout = c->probe.timeout,
		.data_timeout = c->probe.timeout,
		.total_timeout = c->probe.timeout,
	};

	b->session = session_open(peer->p->outbound, &target, &probe_events, b);
}

/* What waited for it; the probe itself is gone. */
static struct waiter *free_probe(struct probe *b)
{
	struct waiter *w = b->waiters;

	if (b->is_open)
		session_quit(b->session);
	else
		session_close(b->session);
	timer_free(b->deadline);
	list_remove(&b->link);
	b->peer->n_probes--;
	mem_free(b);
	return w;
}

/* As many as may be under way hang. */
static bool is_crowded(const struct peer *peer)
{
	return peer->n_probes >= PROBES_AT_ONCE;
}

/*
 * What comes back while all of them hang would be found when the oldest is
 * over. So one makes way, without a verdict. Not the oldest, for a primary that
 * takes nearly all of its time to answer: who waited for the other waits for
 * that one, which is sure to end.
 */
static void make_way(struct peer *peer)
{
	struct list *first = peer->probes.next;
	struct probe *oldest = MX_CONTAINER_OF(first, struct probe, link);
	struct probe *b = MX_CONTAINER_OF(first->next, struct probe, link);
	struct waiter *w;

	b->is_open = false; /* it hangs: no good-bye */
	w = free_probe(b);
	while (w) {
		struct waiter *next = w->next;

		w->next = oldest->waiters;
		oldest->waiters = w;
		w = next;
	}
}

static void start(struct peer *peer)
{
	struct prober *p = peer->p;
	struct probe *b = mem_alloc(sizeof(*b));

	b->peer = peer;
	b->seq = ++peer->seq;
	b->started_ms = peer->base_ms = loop_now_ms(p->loop);
	b->depth = p->config->probe.depth;
	b->deadline = timer_new(p->loop, on_deadline, b);
	list_append(&peer->probes, &b->link);
	peer->n_probes++;
	choose_addresses(b, &p->config->probe);
	open_session(b);
}

/* While it is only doubted, what hangs is what will tell. */
void probe_next(struct peer *peer)
{
	if (is_crowded(peer) && peer->health.state == HEALTH_DOUBTFUL) {
		peer->base_ms = loop_now_ms(peer->p->loop);
		return;
	}
	if (is_crowded(peer))
		make_way(peer);
	start(peer);
}

void probe_now(struct peer *peer)
{
	if (is_crowded(peer))
		return;
	start(peer);
	peer_arm(peer);
}

void probe_wait(struct peer *peer,
		void (*on_done)(void *data, const struct primary_view *view),
		void *data)
{
	struct waiter *w;
	struct probe *newest;

	/* One was just started, or as many as may be are under way. */
	MX_ASSERT(!list_empty(&peer->probes));
	newest = MX_CONTAINER_OF(peer->probes.prev, struct probe, link);
	w = mem_alloc(sizeof(*w));
	w->on_done = on_done;
	w->data = data;
	w->next = newest->waiters;
	newest->waiters = w;
}

/* --- end --------------------------------------------------------------- */

static void tell_waiters(struct waiter *w, const struct primary_view *view)
{
	while (w) {
		struct waiter *next = w->next;

		w->on_done(w->data, view);
		mem_free(w);
		w = next;
	}
}

static void drop_waiters(struct waiter *w)
{
	while (w) {
		struct waiter *next = w->next;

		mem_free(w);
		w = next;
	}
}

void probe_cancel_all(struct peer *peer)
{
	struct primary_view view;

	prober_fill_view(peer, &view);
	while (!list_empty(&peer->probes)) {
		struct probe *b =
			MX_CONTAINER_OF(peer->probes.next, struct probe, link);
		struct waiter *w;

		b->is_open = false;
		w = free_probe(b);
		if (peer->p->is_closing)
			drop_waiters(w);
		else
			tell_waiters(w, &view);
	}
}

static void log_probe(const struct probe *b, enum health_event e,
		      const char *result)
{
	const struct peer *peer = b->peer;
	bool news = peer->last_probe_ms == 0 || peer->last_event != e;
	struct log_line l;

	log_begin(&l, news ? LOG_INFO : LOG_DEBUG, "probe");
	log_str(&l, "primary", peer->name);
	log_str(&l, "host", session_host(b->session));
	log_str(&l, "verdict", health_event_name(e));
	log_str(&l, "result", result);
	log_int(&l, "ms", age_ms(b));
	log_end(&l);
}

static void record(struct probe *b, enum health_event e, const char *result)
{
	struct peer *peer = b->peer;

	peer->last_event = e;
	peer->last_probe_ms = clock_wall_ms();
	peer->last_probe_took_ms = (uint32_t)age_ms(b);
	snprintf(peer->last_result, sizeof(peer->last_result), "%.255s",
		 result);
	if (e != HEALTH_GOOD)
		return;
	peer_learn(peer, b->session);
	peer->good_seq = MX_MAX(peer->good_seq, b->seq);
}

static void end(struct probe *b, enum health_event e, const char *result)
{
	struct peer *peer = b->peer;
	/* A probe that hung says nothing against later good news. */
	bool is_news = e == HEALTH_GOOD || b->seq > peer->good_seq;
	struct primary_view view;
	struct waiter *waiters;

	log_probe(b, e, result);
	histogram_add(&stats.probe_seconds, (double)age_ms(b) / 1000);
	if (is_news)
		record(b, e, result);
	waiters = free_probe(b);
	if (is_news)
		peer_note(peer, e, result);
	peer_arm(peer);
	prober_fill_view(peer, &view);
	tell_waiters(waiters, &view);
}

/* --- on the way -------------------------------------------------------- */

static void ask_rcpt(struct probe *b)
{
	struct smtp_send send = {
		.sender = slice_str(b->sender),
		.rcpts = &b->rcpt,
		.n_rcpts = 1,
		.rcpt_only = true,
	};
	int64_t left = b->peer->p->config->probe.timeout - age_ms(b);

	timer_start(b->deadline, MX_MAX(left, (int64_t)LEFT_MIN_MS));
	session_send(b->session, &send, NULL);
}

static void on_open(void *data, const struct session_failure *failure)
{
	struct probe *b = data;
	char text[700];

	if (failure) {
		snprintf(text, sizeof(text), "%s: %s",
			 session_stage_name(failure->stage), failure->text);
		end(b,
		    failure->fault == FAULT_PERMANENT ? HEALTH_REFUSED
						      : HEALTH_BAD,
		    text);
		return;
	}
	b->is_open = true;
	if (b->depth == PROBE_RCPT)
		ask_rcpt(b);
	else
		end(b, HEALTH_GOOD, "ok");
}

static void on_body(void *data)
{
	struct probe *b = data;

	/* Never reached: rcpt_only sends no DATA. */
	session_body_failed(b->session);
}

static void on_deadline(void *data)
{
	struct probe *b = data;

	b->is_open = false; /* it hangs: no good-bye */
	end(b, HEALTH_BAD, "rcpt: no answer in time");
}

/* A primary that is up and refuses its postmaster is a matter for its
 * operator; canary and breaker guard the mail. */
static void note_rcpt(struct probe *b, const struct smtp_reply *reply)
{
	bool refused = smtp_reply_class(reply) == 5;
	bool was = b->peer->probe_rcpt[0];
	char said[REPLY_TEXT_MAX] = "";
	struct log_line l;

	if (refused)
		smtp_reply_format(reply, said, sizeof(said));
	snprintf(b->peer->probe_rcpt, sizeof(b->peer->probe_rcpt), "%.159s",
		 said);
	if (!refused || was)
		return;
	log_begin(&l, LOG_WARNING, "probe.rcpt");
	log_str(&l, "primary", b->peer->name);
	log_str(&l, "to", b->recipient);
	log_str(&l, "reply", said);
	log_end(&l);
}

static void judge_reply(struct probe *b, const char *what,
			const struct smtp_reply *reply, bool good)
{
	char said[REPLY_TEXT_MAX];
	char text[REPLY_TEXT_MAX + 16];
	bool refused = smtp_reply_class(reply) == 5;

	if (good) {
		end(b, HEALTH_GOOD, "ok");
		return;
	}
	smtp_reply_format(reply, said, sizeof(said));
	snprintf(text, sizeof(text), "%s: %s", what, said);
	end(b, refused ? HEALTH_REFUSED : HEALTH_BAD, text);
}

static void on_sent(void *data, const struct session_result *r)
{
	struct probe *b = data;
	const struct smtp_reply *rcpt = &r->rcpts[0];
	char text[700];

	timer_stop(b->deadline);
	b->is_open = !r->broken;
	if (r->mail.code && smtp_reply_class(&r->mail) != 2) {
		judge_reply(b, "mail", &r->mail, false);
	} else if (rcpt->code) {
		note_rcpt(b, rcpt);
		judge_reply(b, "rcpt", rcpt, rcpt->code != 421);
	} else {
		snprintf(text, sizeof(text), "rcpt: %s", r->failure.text);
		end(b, HEALTH_BAD, text);
	}
}
