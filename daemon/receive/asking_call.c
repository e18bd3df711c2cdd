#include <stdio.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/random.h"
#include "mxhold/receive/asking_parts.h"
#include "mxhold/receive/lesson_book.h"

enum {
	QUESTIONS_MAX = 50,   /* in one call */
	SOUND_MS = 60 * 1000, /* its refusals are believed that long */
	CATCHALL_MS = 60 * 60 * 1000,
};

static void on_open(void *data, const struct session_failure *failure);
static void on_body(void *data);
static void on_sent(void *data, const struct session_result *r);

static const struct session_events call_events = {
	.on_open = on_open,
	.on_body = on_body,
	.on_sent = on_sent,
};

/* ---- calls ---- */

void call_free(struct call *c, bool in_order)
{
	if (in_order)
		session_quit(c->session);
	else
		session_close(c->session);
	list_remove(&c->in);
	c->desk->n_calls--;
	config_unref(c->config);
	mem_free(c);
}

void call_open(struct desk *desk, const struct config_primary *primary,
	       const struct learning_primary *view)
{
	struct asking *a = desk->asking;
	struct call *c = mem_alloc(sizeof(*c));
	const struct config *conf = a->config;
	struct session_target target = {
		.primary = primary,
		.last_good = view->good,
		.n_last_good = view->n_good,
		.depth = PROBE_RCPT,
		.connect_timeout = MX_MIN(conf->drain.connect_timeout,
					  conf->probe.timeout),
		.command_timeout = conf->probe.timeout,
		.data_timeout = conf->probe.timeout,
		.total_timeout = conf->probe.timeout,
	};

	c->desk = desk;
	c->config = config_ref(conf);
	snprintf(c->sender, sizeof(c->sender), "%s", conf->probe.sender);
	list_append(&desk->calls, &c->in);
	desk->n_calls++;
	c->session = session_open(a->parts.outbound, &target, &call_events, c);
}

static void send_question(struct call *c)
{
	struct smtp_send send = {
		.sender = slice_str(c->sender),
		.rcpts = &c->rcpt,
		.n_rcpts = 1,
		.smtputf8 = c->question == QUESTION_RCPT && c->ask->is_utf8,
		.rcpt_only = true,
	};

	c->n_questions++;
	c->rcpt = (struct recipient){.address = slice_str(c->address)};
	session_send(c->session, &send, NULL);
}

static void ask_rcpt(struct call *c)
{
	c->question = QUESTION_RCPT;
	snprintf(c->address, sizeof(c->address), "%s", c->ask->rcpt.address);
	send_question(c);
}

static void ask_random(struct call *c)
{
	c->question = QUESTION_RANDOM;
	snprintf(c->address, sizeof(c->address), "no-such-user-%016llx@%s",
		 (unsigned long long)random_u64(), c->ask->rcpt.domain);
	send_question(c);
}

static void ask_known(struct call *c)
{
	const char *domain = c->ask->rcpt.domain;
	const struct standing *s = asking_standing(c->desk->asking, domain);

	c->question = QUESTION_KNOWN;
	if (s->known[0])
		snprintf(c->address, sizeof(c->address), "%s", s->known);
	else
		snprintf(c->address, sizeof(c->address), "postmaster@%s",
			 domain);
	send_question(c);
}

/* The next who waits, or the end. */
static void call_go_on(struct call *c)
{
	struct desk *desk = c->desk;

	if (list_empty(&desk->waiting) || c->n_questions >= QUESTIONS_MAX) {
		call_free(c, true);
		asking_run(desk);
		return;
	}
	asking_take(desk, c);
	ask_rcpt(c);
}

static void log_failed(const struct call *c,
		       const struct session_failure *failure)
{
	struct log_line l;

	log_begin(&l, LOG_INFO, "recipients.unasked");
	log_str(&l, "primary", c->desk->name);
	log_str(&l, "stage", session_stage_name(failure->stage));
	log_str(&l, "why", failure->text);
	log_end(&l);
}

static void on_open(void *data, const struct session_failure *failure)
{
	struct call *c = data;
	struct desk *desk = c->desk;

	if (!failure) {
		call_go_on(c);
		return;
	}
	log_failed(c, failure);
	call_free(c, false);
	asking_doubt(desk->asking);
	asking_fail_waiting(desk);
}

static void on_body(void *data)
{
	struct call *c = data;

	/* Never reached: rcpt_only sends no DATA. */
	session_body_failed(c->session);
}

/* ---- answers ---- */

static int64_t now_ms(const struct call *c)
{
	return loop_now_ms(c->desk->asking->parts.loop);
}

static void conclude(struct call *c, enum told told, bool teach)
{
	struct asking *a = c->desk->asking;
	struct ask *ask = c->ask;
	struct learning_primary view;

	/* Gone down meanwhile: such a no is none. */
	if (told == TOLD_REFUSED && !asking_is_up(a, c->desk->name, &view))
		told = TOLD_NOTHING;
	if (teach && told == TOLD_TAKEN)
		a->teach(a->data, &ask->rcpt, LESSON_TAKEN);
	if (teach && told == TOLD_REFUSED)
		a->teach(a->data, &ask->rcpt, LESSON_REFUSED);
	asking_tell(ask, told);
}

static void log_reply(struct log_line *l, const struct call *c,
		      const struct smtp_reply *reply, const char *why)
{
	char said[REPLY_TEXT_MAX];

	smtp_reply_format(reply, said, sizeof(said));
	log_str(l, "primary", c->desk->name);
	log_str(l, "domain", c->ask->rcpt.domain);
	log_private(l, "to", slice_str(c->address));
	log_str(l, "reply", said);
	log_str(l, "why", why);
	log_end(l);
}

static void warn_of_catchall(const struct call *c,
			     const struct smtp_reply *reply)
{
	struct log_line l;

	log_begin(&l, LOG_WARNING, "recipients.catchall");
	log_reply(&l, c, reply,
		  "it takes any address: its yes to a probe teaches nothing");
}

static void warn_of_doubt(const struct call *c, const struct smtp_reply *reply)
{
	struct log_line l;

	log_begin(&l, LOG_WARNING, "recipients.doubted");
	log_reply(&l, c, reply,
		  "it must have this one: no refusal is believed now");
}

/* True: another question goes out first. */
static bool hear_rcpt(struct call *c, struct standing *s,
		      const struct smtp_reply *reply)
{
	enum lesson_kind what;

	if (!lesson_of_reply(reply, &what)) {
		conclude(c, TOLD_NOTHING, false);
	} else if (what == LESSON_REFUSED) {
		if (now_ms(c) >= s->sound_until_ms) {
			ask_known(c);
			return true;
		}
		conclude(c, TOLD_REFUSED, true);
	} else if (now_ms(c) >= s->catchall_until_ms) {
		ask_random(c);
		return true;
	} else {
		conclude(c, TOLD_TAKEN, !s->is_catchall);
	}
	return false;
}

/* A primary that puts a stranger off (4xx) has not said what it is. */
static void hear_random(struct call *c, struct standing *s,
			const struct smtp_reply *reply)
{
	enum lesson_kind what;
	bool is_clear = lesson_of_reply(reply, &what);
	bool is_catchall = is_clear && what == LESSON_TAKEN;

	if (is_catchall && !s->is_catchall)
		warn_of_catchall(c, reply);
	s->is_catchall = is_catchall;
	if (is_clear)
		s->catchall_until_ms = now_ms(c) + CATCHALL_MS;
	if (is_clear && !is_catchall)
		asking_knows(c->desk->asking, c->ask->rcpt.domain,
			     slice_str(c->ask->rcpt.address));
	conclude(c, TOLD_TAKEN, is_clear && !is_catchall);
}

static void hear_known(struct call *c, struct standing *s,
		       const struct smtp_reply *reply)
{
	if (smtp_reply_class(reply) == 2) {
		s->sound_until_ms = now_ms(c) + SOUND_MS;
		conclude(c, TOLD_REFUSED, true);
		return;
	}
	warn_of_doubt(c, reply);
	s->known[0] = '\0'; /* who knows; postmaster, next time */
	conclude(c, TOLD_NOTHING, false);
}

/* True: another question is under way. */
static bool hear(struct call *c, const struct session_result *r)
{
	const struct smtp_reply *reply = r->n_rcpts ? &r->rcpts[0] : NULL;
	struct standing *s;

	if (smtp_reply_class(&r->mail) != 2 || !reply || !reply->code ||
	    reply->code == 421) {
		conclude(c, TOLD_NOTHING, false);
		return false;
	}
	s = asking_standing(c->desk->asking, c->ask->rcpt.domain);
	switch (c->question) {
	case QUESTION_RCPT:
		if (!r->broken)
			return hear_rcpt(c, s, reply);
		conclude(c, TOLD_NOTHING, false);
		break;
	case QUESTION_RANDOM:
		hear_random(c, s, reply);
		break;
	case QUESTION_KNOWN:
		hear_known(c, s, reply);
		break;
	}
	return false;
}

static void on_sent(void *data, const struct session_result *r)
{
	struct call *c = data;
	struct desk *desk = c->desk;
	bool broken = r->broken;

	MX_ASSERT(c->ask);
	if (hear(c, r))
		return;
	if (!broken) {
		call_go_on(c);
		return;
	}
	call_free(c, false);
	asking_doubt(desk->asking);
	asking_run(desk);
}
