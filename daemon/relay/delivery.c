#include "mxhold/relay/delivery.h"

#include <stdio.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/random.h"
#include "mxhold/base/siphash.h"
#include "mxhold/relay/retry.h"
#include "mxhold/storage/failpoint.h"

enum {
	ARENA_MAX = 16 * 1024 * 1024 /* envelope and recipients */
};

static void on_sent(void *data, const struct session_result *result);

const struct link_user delivery_user = {
	.on_body = reading_on_body,
	.on_sent = on_sent,
	.on_settled = passing_on_settled,
};

/* --- start: read it ----------------------------------------------------- */

static struct delivery *new_delivery(struct relay *r, uint64_t id)
{
	struct delivery *d = mem_alloc(sizeof(*d));

	d->relay = r;
	d->config = config_ref(r->config);
	d->id = id;
	id_format(id, d->qid);
	arena_init(&d->arena, ARENA_MAX);
	buf_init(&d->body, DELIVERY_SMALL);
	buf_init(&d->head, BOUNCE_CONTENT_MAX);
	list_init(&d->item);
	map_put(&r->in_flight, relay_id_key(&d->id), d);
	r->n_deliveries++;
	return d;
}

static bool is_before(const struct delivery *a, const struct delivery *b)
{
	return a->due_ms < b->due_ms ||
	       (a->due_ms == b->due_ms && a->id < b->id);
}

/* The oldest of a class first, also one that was under way before and is back;
 * which class goes next was decided before it was read. */
static void queue_by_age(struct lane *l, struct delivery *d)
{
	struct list *at = &l->deliveries;

	for (struct list *it = at->prev; it != &l->deliveries; it = it->prev) {
		struct delivery *o = MX_CONTAINER_OF(it, struct delivery, item);

		if (o->state > DELIVERY_WAITING)
			break;
		if (o->class != d->class)
			continue;
		if (is_before(o, d))
			break;
		at = it;
	}
	list_append(at, &d->item);
}

void delivery_start(struct lane *l, struct dest *dest, enum window_class class,
		    const struct due_row *row)
{
	struct delivery *d = new_delivery(l->relay, row->id);

	(void)failpoint_hit("drain");
	d->lane = l;
	d->dest = dest;
	d->class = class;
	d->dest_number = dest->number;
	d->due_ms = row->due_ms;
	d->era = l->pool.era;
	queue_by_age(l, d);
	reading_load(d);
}

void delivery_expire(struct relay *r, uint64_t id,
		     void (*on_done)(struct relay *r,
				     enum delivery_expired how))
{
	struct delivery *d = new_delivery(r, id);

	d->on_expired = on_done;
	reading_load(d);
}

void delivery_tell_late(struct relay *r, uint64_t id, uint32_t dest,
			void (*on_done)(struct relay *r,
					enum delivery_expired how))
{
	struct delivery *d = new_delivery(r, id);

	d->is_late = true;
	d->dest_number = dest;
	d->on_expired = on_done;
	reading_load(d);
}

/* --- read ---------------------------------------------------------------- */

static bool is_stopped(const struct queue_message *m)
{
	return m->state == QUEUE_HELD || m->state == QUEUE_QUARANTINE;
}

/* "450 4.2.0 text", as it is kept. */
static void parse_kept_reply(struct slice kept, struct smtp_reply *out)
{
	char text[REPLY_TEXT_MAX];
	int n = 0;

	snprintf(text, sizeof(text), "%.*s", (int)kept.n, kept.p);
	memset(out, 0, sizeof(*out));
	sscanf(text, "%3d %11[0-9.] %n", &out->code, out->enhanced, &n);
	if (n == 0)
		sscanf(text, "%3d %n", &out->code, &n);
	snprintf(out->text, sizeof(out->text), "%s", text + n);
	if (out->code < 400 || out->code > 599)
		smtp_reply_set(out, 451, "4.4.7",
			       "its primary could not be reached in time");
}

/* Nobody is asked: the last that was heard is what it failed for
 * (RFC 3464 2.3.3). */
static void judge_expired(struct delivery *d)
{
	for (size_t i = 0; i < d->n_rcpts; i++) {
		const struct queue_rcpt *q = d->rcpts[i].rcpt;
		struct outcome_rcpt *o = &d->rcpts[i].judged;

		o->verdict = VERDICT_FAILED;
		o->by_peer = q->remote.n > 0;
		parse_kept_reply(q->reply, &o->reply);
		outcome_status(&o->reply, o->reply.enhanced);
		d->rcpts[i].tried = true;
	}
	d->state = DELIVERY_SETTLING;
	if (!settling_begin(d))
		delivery_end(d);
}

static void tell_late(struct delivery *d)
{
	d->state = DELIVERY_SETTLING;
	if (is_stopped(&d->msg) || !settling_late(d))
		delivery_end(d);
}

/* The limit may have been raised since it came. */
static int64_t limit_ms(const struct delivery *d)
{
	const struct config_domain *domain = settling_domain(d);
	const struct config_queue *q =
		domain ? &domain->queue : &d->config->queue;

	if (d->msg.given_up || d->msg.env.is_report ||
	    d->msg.state == QUEUE_QUARANTINE)
		return 0;
	return d->msg.env.arrived_at_ms + retry_limit_ms(q);
}

static void on_expired_loaded(struct delivery *d)
{
	int64_t until_ms = limit_ms(d);

	if (d->is_late)
		tell_late(d);
	else if (d->n_rcpts == 0 || d->msg.state == QUEUE_QUARANTINE)
		delivery_end(d);
	else if (until_ms > clock_wall_ms())
		settling_extend(d, until_ms);
	else
		judge_expired(d);
}

void delivery_loaded(struct delivery *d)
{
	if (d->doomed || d->load == LOAD_ABSENT || d->load == LOAD_UNREADABLE) {
		delivery_end(d);
	} else if (!d->lane) {
		on_expired_loaded(d);
	} else if (is_stopped(&d->msg)) {
		delivery_end(d);
	} else if (d->load == LOAD_FAILED) {
		settling_unread(d);
	} else if (d->load == LOAD_DAMAGED) {
		settling_damaged(d);
	} else {
		d->state = DELIVERY_WAITING;
		lane_loaded(d->lane);
	}
}

/* --- hand it over -------------------------------------------------------- */

void delivery_send(struct delivery *d, struct link *link)
{
	const struct smtp_ehlo *ehlo = session_ehlo(link->session);

	d->link = link;
	d->era = link->era; /* an outage may have ended since it was read */
	d->sent_ms = clock_mono_ms();
	d->state = DELIVERY_SENDING;
	d->more = d->end_given = d->body_wanted = false;
	d->peer_has_dsn = ehlo->ext & EXT_DSN;
	snprintf(d->host, sizeof(d->host), "%s", session_host(link->session));
	session_protection(link->session, &d->protection);
	wording_fill(d, ehlo);
	link->used++;
	d->sends++;
	session_send(link->session, &d->send, &d->msg.env);
}

/* --- what the primary said ----------------------------------------------- */

static int64_t up_since(const struct delivery *d, int64_t from_ms,
			int64_t now_ms)
{
	struct primary_view view;

	if (!prober_view(d->relay->parts.prober, d->lane->name, &view))
		return 0;
	return health_up_since(&view.health, from_ms, now_ms);
}

static bool is_over(const struct delivery *d, int64_t now_ms)
{
	const struct config_domain *domain = relay_domain(d->relay, d->dest);
	struct retry_age age = {
		.now_ms = now_ms,
		.arrived_ms = d->msg.env.arrived_at_ms,
	};

	if (d->msg.env.is_report)
		return retry_report_is_over(&age);
	age.up_ms = up_since(d, age.arrived_ms, now_ms);
	return retry_is_over(domain ? &domain->queue : &d->config->queue, &age);
}

static uint64_t sender_hash(const struct delivery *d)
{
	uint64_t key[2];

	random_key(key);
	return siphash(key, d->msg.env.sender) | 1;
}

/* What the breaker makes of the replies, before the verdicts count. */
static void tell_breaker(struct delivery *d, const struct outcome *out)
{
	const struct config_breaker *c = &d->relay->config->breaker;
	struct breaker *b = &d->lane->breaker;
	int64_t mono_ms = clock_mono_ms();
	struct breaker_sample sample = {.sender = sender_hash(d)};
	const struct smtp_reply *bad = NULL;
	bool opened = false;

	if (out->mail_refused)
		opened = breaker_mail_refused(b, c, sample.sender, mono_ms);
	for (size_t i = 0; i < d->send.n_rcpts; i++) {
		const struct outcome_rcpt *r =
			&d->rcpts[d->batch_rcpt[i]].judged;

		sample.bad = r->bad_5xx;
		sample.again = r->bad_5xx && r->refused_ms >= 0;
		sample.weak =
			r->bad_5xx && (r->about_message || !r->known_good);
		if (r->bad_5xx || r->verdict == VERDICT_DELIVERED)
			opened |= breaker_result(b, c, sample, mono_ms);
		if (r->bad_5xx)
			bad = &r->reply;
	}
	if (breaker_is_open(b) && bad)
		smtp_reply_format(bad, d->lane->breaker_said,
				  sizeof(d->lane->breaker_said));
	if (opened)
		lane_log_breaker(d->lane, true,
				 breaker_cause_name(d->lane->breaker.cause));
}

/* Not by the wall: one that was refused, and then away for a day, has had no
 * day to be mended. */
static int64_t refused_ms(const struct delivery *d,
			  const struct delivery_rcpt *r, int64_t now_ms)
{
	if (!r->rcpt->first_5xx_ms)
		return REFUSED_NEVER;
	return up_since(d, r->rcpt->first_5xx_ms, now_ms);
}

static void judge(struct delivery *d, const struct session_result *result,
		  bool insist, struct outcome *out)
{
	struct outcome_rcpt *rcpts = mem_array(d->send.n_rcpts, sizeof(*rcpts));
	int64_t now_ms = clock_wall_ms();
	struct outcome_rules rules = {
		.first_5xx = d->relay->config->breaker.first_5xx,
		.breaker_open = breaker_is_open(&d->lane->breaker),
		.unproven = window_is_canary(&d->lane->window),
		.is_report = d->msg.env.is_report,
		.is_over = is_over(d, now_ms),
		.insist = insist,
		.sent_before = d->link ? d->link->used - 1 : 0,
	};

	for (size_t i = 0; i < d->send.n_rcpts; i++) {
		const struct delivery_rcpt *r = &d->rcpts[d->batch_rcpt[i]];

		rcpts[i] = r->judged;
		rcpts[i].refused_ms = refused_ms(d, r, now_ms);
	}
	outcome_judge(result, &rules, rcpts, out);
	for (size_t i = 0; i < d->send.n_rcpts; i++) {
		d->rcpts[d->batch_rcpt[i]].judged = rcpts[i];
		d->rcpts[d->batch_rcpt[i]].tried = true;
	}
	mem_free(rcpts);
}

static bool has_delivered(const struct delivery *d)
{
	for (size_t i = 0; i < d->n_rcpts; i++) {
		if (d->rcpts[i].judged.verdict == VERDICT_DELIVERED)
			return true;
	}
	return false;
}

/* A message that was under way when a connection broke may be the reason:
 * the second time it gets a timer of its own. A session that ends between
 * two messages, or with 421 to the MAIL of another one, has reached a limit
 * of the server's: no penalty for the one that happens to be next, unless all
 * that went before it there was its own, and brought nothing. */
static bool is_suspect(struct delivery *d, const struct session_result *result,
		       const struct outcome *out)
{
	bool between = d->link->used > 1 &&
		       (!result->mail.code || result->mail.code == 421);

	if (!out->left || d->relay->stopping)
		return false;
	if (between && (d->sends == 1 || has_delivered(d)))
		return false;
	return lane_suspect(d->lane, d->id) || d->lane->is_report;
}

/* A server that takes so many messages a session says so with 421 to the next
 * MAIL: it is not asked for more until it was away. */
static void note_limit(struct delivery *d, const struct session_result *result)
{
	if (result->mail.code == 421 && d->link->used > 1)
		d->lane->carries = d->link->used - 1;
}

static void tell_lane(struct delivery *d, const struct session_result *result,
		      const struct outcome *out)
{
	note_limit(d, result);
	d->good = out->health == OUTCOME_SAYS_GOOD;
	d->lane->refused_row += out->delivered == 0;
	d->maybe_duplicate |= out->maybe_duplicate;
	if (out->pressed)
		lane_note_pressed(d->lane);
	if (out->health == OUTCOME_SAYS_BAD) {
		lane_note_broken(d->lane);
		lane_note_bad(d->lane, HEALTH_BAD,
			      result->failure.text[0] ? result->failure.text
						      : result->mail.text);
	}
	if (!d->lane->is_report)
		tell_breaker(d, out);
}

static bool any_next(const struct delivery *d)
{
	for (size_t i = 0; i < d->n_rcpts; i++) {
		if (wording_is_next(&d->rcpts[i]))
			return true;
	}
	return false;
}

static void settle_or_go_on(struct delivery *d)
{
	d->state = DELIVERY_SETTLING;
	if (settling_begin(d))
		passing_on(d);
	else
		delivery_go_on(d);
}

/* The end of its content could not be given out, nor may the session be used
 * again. What was deleted under way is simply gone. */
static void not_read(struct delivery *d)
{
	pool_drop(d->link);
	d->link = NULL;
	if (d->load == LOAD_DAMAGED)
		settling_damaged(d);
	else if (d->load == LOAD_FAILED)
		settling_unread(d);
	else
		delivery_end(d);
}

/* Another host may have it: the link is not used again. */
static void note_lack(struct delivery *d, const struct session_result *result)
{
	char text[REPLY_TEXT_MAX];

	smtp_reply_format(&result->mail, text, sizeof(text));
	lane_note_lack(d->lane, wording_needs(&d->send), text);
	d->link->used = UINT32_MAX / 2;
}

static void on_sent(void *data, const struct session_result *result)
{
	struct delivery *d = data;
	struct outcome out;
	bool insist, was_open;

	if (d->load != LOAD_OK) {
		not_read(d);
		return;
	}
	judge(d, result, false, &out);
	insist = is_suspect(d, result, &out);
	if (insist)
		judge(d, result, true, &out);
	was_open = breaker_is_open(&d->lane->breaker);
	tell_lane(d, result, &out);
	/* The 5xx that opened the breaker is not to be believed either. */
	if (!was_open && breaker_is_open(&d->lane->breaker))
		judge(d, result, insist, &out);
	teaching_tell(d, result);
	if (result->is_ours)
		note_lack(d, result);
	if (!out.reuse) {
		pool_drop(d->link);
		d->link = NULL;
	}
	d->more = d->link && any_next(d) &&
		  !pool_is_spent(d->link, passing_uses_max(d));
	settle_or_go_on(d);
}

void delivery_not_opened(struct delivery *d,
			 const struct session_failure *failure)
{
	struct session_result result = {.broken = true, .failure = *failure};
	struct outcome out;

	snprintf(d->host, sizeof(d->host), "%s", failure->host);
	wording_batch(d, DELIVERY_RCPTS_MAX);
	result.n_rcpts = d->send.n_rcpts;
	result.rcpts = mem_array(result.n_rcpts, sizeof(*result.rcpts));
	if (failure->fault == FAULT_NO_ROUTE || failure->fault == FAULT_LOOP)
		outcome_diagnose(failure, &result.mail); /* definite */
	judge(d, &result, true, &out);
	mem_free((void *)result.rcpts);
	settle_or_go_on(d);
}

/* --- after the commit ---------------------------------------------------- */

static bool may_send_again(const struct delivery *d)
{
	return d->more && d->link && !d->link->ended && !d->reading &&
	       !d->relay->stopping;
}

void delivery_go_on(struct delivery *d)
{
	if (d->good && d->lane && !d->lane->is_report)
		prober_tell(d->relay->parts.prober, d->lane->name, HEALTH_GOOD,
			    "delivered", passing_session(d));
	d->good = false;
	passing_settled(d);
	if (!may_send_again(d)) {
		delivery_end(d);
		return;
	}
	reading_restart(d);
	delivery_send(d, d->link);
}

/* --- end ----------------------------------------------------------------- */

void delivery_drop(struct delivery *d)
{
	MX_ASSERT(d->state <= DELIVERY_WAITING);
	delivery_end(d);
}

void delivery_break_off(struct delivery *d, bool wherever)
{
	struct session_result result = {.broken = true};
	struct outcome out;

	if (d->state != DELIVERY_SENDING || (d->end_given && !wherever))
		return;
	result.sent_dot = d->end_given;
	result.n_rcpts = d->send.n_rcpts;
	result.mail.code = result.final.code = 0;
	pool_drop(d->link);
	d->link = NULL;
	if (!d->end_given) {
		delivery_end(d);
		return;
	}
	/* Perhaps it has arrived: say so, as when the line breaks there. */
	result.mail = (struct smtp_reply){.code = 250};
	snprintf(result.failure.text, sizeof(result.failure.text),
		 "stopped while waiting for the reply");
	result.rcpts = mem_array(result.n_rcpts, sizeof(*result.rcpts));
	for (size_t i = 0; i < result.n_rcpts; i++)
		((struct smtp_reply *)result.rcpts)[i].code = 250;
	judge(d, &result, false, &out);
	mem_free((void *)result.rcpts);
	d->maybe_duplicate = true;
	settle_or_go_on(d);
}

static enum delivery_expired how_expired(const struct delivery *d)
{
	if (d->job)
		return EXPIRED_SETTLED;
	if (d->load != LOAD_OK && d->load < LOAD_FAILED)
		return EXPIRED_NOTHING;
	return d->msg.state == QUEUE_QUARANTINE ? EXPIRED_QUARANTINED
						: EXPIRED_NOTHING;
}

static bool is_to_be_removed(const struct delivery *d)
{
	return d->doomed && !d->settle.gone &&
	       !(d->change && d->change->change == CHANGE_DELETE);
}

/* Out of everybody's sight; freed when nothing reads into it any more. */
void delivery_end(struct delivery *d)
{
	struct relay *r = d->relay;
	struct link *link = d->link;

	MX_ASSERT(d->state != DELIVERY_ENDED && !d->passed);
	if (is_to_be_removed(d)) {
		settling_remove(d);
		return;
	}
	map_remove(&r->in_flight, relay_id_key(&d->id));
	list_remove(&d->item);
	d->link = NULL;
	d->state = DELIVERY_ENDED;
	if (d->lane) {
		if (link)
			pool_give_back(link, passing_uses_max(d));
		if (settling_leaves(d)) /* the oldest still: go before others */
			dest_drop_pages(d->dest);
		dest_wake(d->dest);
		lane_mark(d->lane);
	} else {
		d->on_expired(r, how_expired(d));
	}
	d->lane = NULL;
	if (!d->reading)
		delivery_forget(d);
}

void delivery_forget(struct delivery *d)
{
	struct relay *r = d->relay;

	settling_free(d);
	arena_done(&d->arena);
	buf_done(&d->body);
	buf_done(&d->head);
	mem_free(d->rcpts);
	config_unref(d->config);
	mem_free(d);
	r->n_deliveries--;
	relay_check_idle(r);
}
