/*
 * What may never be, judged while it happens:
 *
 *	soon     a primary that is back gets its first mail in time
 *	canary   alone, until as many as configured went through
 *	limits   connections, mails over one, mails a minute
 *	order    the oldest first, within what is old and what is fresh
 *	held     nothing goes to a primary whose mail an operator holds back,
 *	         nor what he deleted
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "../net/sched.h"
#include "world.h"

enum {
	SETTLE_S = 60, /* old and fresh meet within this much of a recovery */
	PUT_OFF_S = 3600, /* the longest wait of a message for its next try */
	WORD_S = 30,      /* what is under way may go on */
	CHANGED_S = 60,   /* either of two limits may hold */
	HUNG_S = 25, /* in less nobody finds a primary down, and up again */
	ONE_MINUTE_US = 60000000,
};

#define BIT(k) (UINT64_C(1) << (k))
/* What a breaker may have opened for, which tries again by its own timer. */
#define BREAKS (BIT(FAULT_MAIL_550) | BIT(FAULT_RCPT_550) | BIT(FAULT_DOT_554))
/* Sessions that hang block the way until they are given up. */
#define HANGS (BIT(FAULT_SLOW) | BIT(FAULT_CUTS) | BIT(FAULT_LOST_REPLY))

void broken(const char *fmt, ...)
{
	char *out = W->broken[W->n_broken];
	size_t n;
	va_list ap;

	if (W->n_broken == BROKEN_MAX)
		return;
	W->n_broken++;
	n = (size_t)snprintf(out, sizeof(W->broken[0]),
			     "%.3f s: ", (double)sim_now_us() / 1e6);
	va_start(ap, fmt);
	vsnprintf(out + n, sizeof(W->broken[0]) - n, fmt, ap);
	va_end(ap);
	say("BROKEN: %s", out + n);
}

void say(const char *fmt, ...)
{
	va_list ap;

	if (!W->verbose)
		return;
	printf("%14.3f  ", (double)sim_now_us() / 1e6);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

/* --- soon ----------------------------------------------------------------- */

static bool is_ready(int mail, int primary)
{
	const struct mail *m = &W->mails[mail];

	return !m->touched[primary] && ledger_waits(mail, primary) &&
	       !ledger_may_have_expired(m, sim_now_us());
}

static bool any_ready(int primary)
{
	for (int i = 0; i < W->n_mails; i++) {
		if (is_ready(i, primary))
			return true;
	}
	return false;
}

/* With the defaults 30 s: a probe, the one that confirms, and the way. */
static int64_t promise_us(const struct primary *p)
{
	const struct settings *s = &W->set;
	int64_t us = (s->interval_down_s + 11 + 2 * s->up_after) * SECOND;

	if (W->control == CONTROL_LATE)
		return SECOND;
	if (s->rate)
		us += ONE_MINUTE_US / s->rate;
	if (p->broke_us &&
	    sim_now_us() < p->broke_us + s->breaker_retry_s * SECOND)
		us += s->breaker_retry_s * SECOND;
	return us;
}

/* So long that it must have been noticed. */
static int64_t noticed_us(void)
{
	const struct settings *s = &W->set;

	return (s->interval_up_s + s->down_after * s->interval_down_s + 60) *
	       SECOND;
}

static void expect_mail(struct primary *p, int number)
{
	p->waits_since_us = 0;
	/* With mail that is refused the breaker may be open at any time, and
	 * with a clock that was set back mail is not due. */
	if (!any_ready(number) || p->episode & HANGS || W->set.n_refused ||
	    W->set.clock_moves || W->set.holds_queue)
		return;
	p->waits_since_us = sim_now_us();
	p->limit_us = sim_now_us() + promise_us(p);
	say("primary %d must have mail by %.3f s", number,
	    (double)p->limit_us / 1e6);
}

static void judge_soon(struct primary *p, int number)
{
	if (!p->waits_since_us || sim_now_us() <= p->limit_us)
		return;
	broken("primary %d, back since %.3f s, has no mail yet", number,
	       (double)p->waits_since_us / 1e6);
	p->waits_since_us = 0;
}

/* Of those who were promised it within 30 s, as all are by default. */
static void note_first(const struct primary *p)
{
	W->n_recoveries++;
	if (p->limit_us - p->waits_since_us <= 30 * SECOND)
		W->worst_first_us = MX_MAX(W->worst_first_us,
					   sim_now_us() - p->waits_since_us);
}

void rules_taken(int number)
{
	struct primary *p = &W->primaries[number];

	judge_soon(p, number);
	if (p->waits_since_us)
		note_first(p);
	p->waits_since_us = 0;
	if (!p->flows_since_us)
		p->flows_since_us = sim_now_us();
	if (p->canary_left > 0)
		p->canary_left--;
}

/* --- primaries come and go ------------------------------------------------ */

static void comes_back(struct primary *p, int number)
{
	int64_t down_us =
		p->down_since_us ? sim_now_us() - p->down_since_us : 0;
	bool was_noticed = down_us > noticed_us();

	if (p->episode & BREAKS)
		p->broke_us = sim_now_us();
	if (p->episode & HANGS)
		p->hung_us = sim_now_us();
	p->good_since_us = sim_now_us();
	p->flows_since_us = 0;
	p->down_since_us = 0;
	p->canary_left = 0;
	say("primary %d is good", number);
	p->is_messy |= !was_noticed; /* nobody knows when it was up again */
	if (was_noticed) {
		p->canary_left = p->episode & HANGS ? 0 : W->set.canary;
		p->is_messy = p->episode & HANGS;
		expect_mail(p, number);
	}
	if (W->control == CONTROL_CANARY)
		p->canary_left = 1000;
	p->episode = 0;
}

void rules_look(int number, enum fault_kind k)
{
	struct primary *p = &W->primaries[number];

	p->waits_since_us = 0;
	if (truth_is_good(number)) {
		if (!p->good_since_us)
			comes_back(p, number);
		return;
	}
	p->good_since_us = 0;
	p->episode |= BIT(k);
	if (p->episode & HANGS)
		p->hung_us = sim_now_us();
	if (p->episode & BREAKS)
		p->broke_us = sim_now_us();
	p->is_messy |= !fault_is_down(k);
	p->canary_left = 0;
	if (!truth_is_down(number))
		p->down_since_us = 0;
	else if (!p->down_since_us)
		p->down_since_us = sim_now_us();
}

void rules_our_trouble(void)
{
	W->trouble_us = sim_now_us();
	for (int i = 0; i < W->n_primaries; i++) {
		W->primaries[i].waits_since_us = 0;
		W->primaries[i].canary_left = 0;
		W->primaries[i].last_mail_us = 0;
		W->primaries[i].is_messy = true;
	}
}

static void run_look(struct sim_event *e)
{
	for (int i = 0; i < W->n_primaries; i++)
		judge_soon(&W->primaries[i], i);
	sim_schedule(e, 5 * SECOND);
}

/* What began while we were not there. */
static void look_back(struct primary *p, int number)
{
	for (int k = 0; k < FAULT_KINDS; k++) {
		if (truth_has(number, (enum fault_kind)k))
			p->episode |= BIT(k);
	}
	if (p->episode & BREAKS)
		p->broke_us = sim_now_us();
	if (p->episode & HANGS)
		p->hung_us = sim_now_us();
}

/* Who was up before we were is found at once. */
void rules_begin(void)
{
	static struct sim_event look;

	for (int i = 0; i < W->n_primaries; i++) {
		struct primary *p = &W->primaries[i];

		p->transactions = p->sessions = 0;
		p->last_mail_us = 0;
		p->waits_since_us = 0;
		p->canary_left = 0;
		p->paused_us = 0; /* a hold outlives us, a pause does not */
		look_back(p, i);
		if (truth_is_good(i))
			comes_back(p, i);
		p->is_messy = false;
	}
	sim_event_init(&look, SIM_WORLD, NULL, run_look);
	sim_schedule(&look, 5 * SECOND);
}

/* --- limits --------------------------------------------------------------- */

/* What broke a session waits for its next try, over a restart too, although
 * its primary may not have seen it. */
static bool was_put_off(const struct primary *p)
{
	return p->hung_us && sim_now_us() < p->hung_us + PUT_OFF_S * SECOND;
}

/* One that was so slow that it was taken for down, and is up again, may still
 * have its old sessions: they hang, and are no load. */
static int count_sessions(const struct primary *p, int number)
{
	if (!was_put_off(p))
		return p->sessions;
	return server_sessions(number, sim_now_us() - HUNG_S * SECOND);
}

static bool was_changed(void)
{
	return W->changed_us &&
	       sim_now_us() < W->changed_us + CHANGED_S * SECOND;
}

/* The kinder of two, while it is not known which. */
static struct settings limits(void)
{
	struct settings s = W->set;
	const struct settings *b = &W->set_before;

	if (!was_changed())
		return s;
	s.max_connections = MX_MAX(s.max_connections, b->max_connections);
	s.per_connection = MX_MAX(s.per_connection, b->per_connection);
	s.rate = s.rate && b->rate ? MX_MAX(s.rate, b->rate) : 0;
	return s;
}

static void judge_limits(struct primary *p, int number, int used)
{
	const struct settings now = limits(), *s = &now;
	int most = W->control == CONTROL_CROWD ? 0 : s->max_connections;
	int sessions = count_sessions(p, number);

	if (sessions > most)
		broken("primary %d: %d connections at once, %d are allowed",
		       number, sessions, most);
	if (used > s->per_connection)
		broken("primary %d: %d mails over one connection", number,
		       used);
	if (p->canary_left > 0 && p->transactions > 0)
		broken("primary %d: not alone, with %d canaries to go", number,
		       p->canary_left);
}

static void judge_rate(struct primary *p, int number)
{
	int64_t apart_us, last_us = p->last_mail_us;
	int rate = limits().rate;

	p->last_mail_us = sim_now_us();
	if (!rate || !last_us)
		return;
	apart_us = ONE_MINUTE_US / rate;
	if (apart_us > SECOND && sim_now_us() - last_us < apart_us * 8 / 10)
		broken("primary %d: %" PRId64 " ms after the last mail, at a "
		       "rate of %d a minute",
		       number, (sim_now_us() - last_us) / 1000, rate);
}

/* --- order ---------------------------------------------------------------- */

static bool goes_to_one(const struct mail *m)
{
	for (int i = 1; i < m->n_rcpts; i++) {
		if (W->domain_primary[m->domain[i]] !=
		    W->domain_primary[m->domain[0]])
			return false;
	}
	return true;
}

/* Both waited for the primary, or both came when mail had long been flowing;
 * with mail that is refused the breaker may stop it at any time. */
static bool is_one_class(const struct primary *p, const struct mail *older,
			 const struct mail *younger)
{
	if (younger->acked_us < MX_MAX(p->good_since_us, W->born_us))
		return true;
	return !W->set.n_refused && p->flows_since_us &&
	       older->began_us > MX_MAX(p->flows_since_us, W->born_us) +
					 SETTLE_S * SECOND;
}

static void judge_order(struct primary *p, int number, int mail)
{
	struct mail *younger = &W->mails[mail];
	int most =
		MX_MAX(W->set.max_connections, W->set_before.max_connections);

	if (p->is_messy || was_put_off(p) || W->set.clock_moves ||
	    W->set.holds_queue || !p->good_since_us || !goes_to_one(younger) ||
	    younger->n_acked != 1)
		return;
	for (int i = 0; i < W->n_mails; i++) {
		struct mail *older = &W->mails[i];
		bool is_older = W->control == CONTROL_ORDER
					? older->acked_us > younger->began_us
					: older->acked_us < younger->began_us;

		if (i == mail || !is_ready(i, number) || !goes_to_one(older) ||
		    older->n_acked != 1 || !is_older ||
		    !is_one_class(p, older, younger))
			continue;
		if (++older->overtaken[number] > 2U * most + (most > 1 ? 8 : 0))
			broken("primary %d: mail %d is overtaken by %d", number,
			       i, mail);
	}
}

/* --- held ----------------------------------------------------------------- */

void rules_stopped(const struct fault *f, bool stopped)
{
	struct primary *p = &W->primaries[f->primary];
	int64_t *since_us = f->kind == FAULT_HELD ? &p->held_us : &p->paused_us;

	*since_us = stopped ? sim_now_us() : 0;
}

static bool has_domain(const struct mail *m, int domain)
{
	for (int i = 0; i < m->n_rcpts; i++) {
		if (m->domain[i] == domain)
			return true;
	}
	return false;
}

/* Also what comes while that is under way. */
void rules_may_go(int domain)
{
	for (int i = 0; i < W->n_mails; i++)
		W->mails[i].may_go |= has_domain(&W->mails[i], domain);
}

void rules_removed(int domain, int64_t asked_us)
{
	for (int i = 0; i < W->n_mails; i++) {
		struct mail *m = &W->mails[i];

		if (has_domain(m, domain) && m->n_acked == 1 && !m->n_unsure &&
		    !m->under_way && m->next_us == NEVER &&
		    m->acked_us < asked_us)
			m->removed_us = sim_now_us();
	}
}

/* What was under way then goes on, slowly perhaps. */
static void judge_removed(const struct primary *p, int number, int mail)
{
	int64_t at_us = W->mails[mail].removed_us;

	if (at_us && !was_put_off(p) && sim_now_us() > at_us + WORD_S * SECOND)
		broken("primary %d: mail %d goes, removed at %.3f s", number,
		       mail, (double)at_us / 1e6);
}

static void judge_held(const struct primary *p, int number, int mail)
{
	int64_t since_us = MX_MAX(p->paused_us, p->held_us);

	if (since_us && sim_now_us() > since_us + WORD_S * SECOND)
		broken("primary %d: mail %d goes, though it is %s since %.3f s",
		       number, mail, p->held_us ? "held" : "paused",
		       (double)since_us / 1e6);
}

void rules_mail_begins(int number, int mail, int used)
{
	struct primary *p = &W->primaries[number];

	say("primary %d is offered mail %d", number, mail);
	judge_held(p, number, mail);
	judge_removed(p, number, mail);
	judge_soon(p, number);
	judge_limits(p, number, used);
	judge_rate(p, number);
	if (!W->mails[mail].touched[number])
		judge_order(p, number, mail);
	W->mails[mail].touched[number] = true;
}
