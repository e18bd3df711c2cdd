#include "mxhold/control/advice.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mxhold/base/text.h"

enum {
	AWAY_ALARM_MS = 3600 * 1000,
	UNPROVEN_ALARM = 3, /* attempts that brought nothing */
	HANGS_MS = 30 * 1000
};

static void MX_PRINTF(2, 3) say(char out[512], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out, 512, fmt, ap);
	va_end(ap);
}

/* --- it is not there --------------------------------------------------- */

/* By the step that a probe fell at: its result begins with it. */
static const struct {
	const char *stage, *todo;
} remedies[] = {
	{"dns", "look at its zone and at this host's resolver; a name that is "
		"gone, a null MX or a route that leads to us is waited out, or "
		"name its host in the configuration"},
	{"connect", "if it should be there: is it running, and do its firewall "
		    "and the way to it let this host in?"},
	{"banner", "it is up, but its mail server is not ready for us; its own "
		   "log says why"},
	{"ehlo", "it is up, but its mail server is not ready for us; its own "
		 "log says why"},
	{"tls", "its certificate, its TLSA records or `tls` of this primary "
		"must change; nothing is sent to it, nor returned, meanwhile"},
	{"mail", "it does not take mail from us; its own log says why"},
	{"rcpt", "it did not answer; its own log says why"},
};

static bool is_route(const char *result)
{
	return strncmp(result, "dns:", 4) == 0 ||
	       strstr(result, "leads back to us");
}

static const char *remedy(const char *result)
{
	if (is_route(result))
		return remedies[0].todo;
	for (size_t i = 0; i < MX_ARRAY_SIZE(remedies); i++) {
		size_t n = strlen(remedies[i].stage);

		if (strncmp(result, remedies[i].stage, n) == 0 &&
		    result[n] == ':')
			return remedies[i].todo;
	}
	return "";
}

/* That it is down is what we are there for; but not for long, and not for
 * what does not end by itself. */
static bool is_alarming(const struct present_primary *p)
{
	const struct primary_view *v = p->view;

	if (v->health.state != HEALTH_DOWN)
		return false;
	if (is_route(v->last_result) || strncmp(v->last_result, "tls:", 4) == 0)
		return true;
	return p->counts.messages &&
	       p->now_ms - v->health.since_ms >= AWAY_ALARM_MS;
}

static void is_away(const struct present_primary *p, struct advice *out)
{
	const struct primary_view *v = p->view;

	say(out->why, "it is %s: %s", health_state_name(v->health.state),
	    v->last_result);
	say(out->todo, "%s", remedy(v->last_result));
	out->alarm = is_alarming(p);
}

static void is_refusing(const struct primary_view *v, struct advice *out)
{
	say(out->why, "it refuses us: %s", v->last_result);
	say(out->todo,
	    "let this host in there (access rules, block lists); nothing is "
	    "bounced meanwhile");
	out->alarm = true;
}

/* --- it is there ------------------------------------------------------- */

static void in_words(int64_t until_ms, int64_t now_ms, char out[64])
{
	char age[TEXT_TIME_MAX];

	text_format_age(MX_MAX(until_ms - now_ms, 0), age);
	snprintf(out, 64, "%s", age);
}

static void is_broken(const struct present_primary *p, struct advice *out)
{
	const struct relay_view *r = p->relay;
	char in[64];

	in_words(r->breaker_retry_ms, p->now_ms, in);
	if (r->breaker_retry_ms)
		say(out->why,
		    "the breaker is open: %s; one message is tried in %s",
		    r->breaker_why, in);
	else
		say(out->why, "the breaker is open: %s", r->breaker_why);
	say(out->todo,
	    "nothing is bounced; mend the primary, then `drain now %s` tries "
	    "it, `breaker close %s` believes it",
	    p->view->name, p->view->name);
	out->alarm = true;
}

static void all_wait(const struct present_primary *p, struct advice *out)
{
	char in[64];

	if (p->counts.messages && !p->next_due_ms) {
		say(out->why, "all that is left is held or in quarantine");
		say(out->todo, "`queue list --state held,quarantine` says why, "
			       "`queue release` lets it go");
		return;
	}
	if (!p->counts.messages || p->next_due_ms <= p->now_ms)
		return;
	in_words(p->next_due_ms, p->now_ms, in);
	say(out->why,
	    "all that waits has been put off, or is held; the next is tried in "
	    "%s",
	    in);
	say(out->todo, "`queue list --state retry` says what it answered, "
		       "`queue retry` tries it now");
}

/* "; ID has been under way for 1m 5s", where one holds the place; or when
 * that which was put off is tried. */
static void what_is_next(const struct present_primary *p, char out[128])
{
	const struct relay_view *r = p->relay;
	char age[TEXT_TIME_MAX], in[64];

	*out = '\0';
	in_words(p->next_due_ms, p->now_ms, in);
	if (p->next_due_ms > p->now_ms)
		snprintf(out, 128, "; the next is tried in %s", in);
	if (!r->oldest_id[0] || p->now_ms - r->oldest_ms < HANGS_MS)
		return;
	text_format_age(p->now_ms - r->oldest_ms, age);
	snprintf(out, 128, "; %s has been under way for %s", r->oldest_id, age);
}

static void is_unproven(const struct present_primary *p, struct advice *out)
{
	char next[128];

	if (!p->counts.messages || !p->next_due_ms) {
		all_wait(p, out);
		return;
	}
	what_is_next(p, next);
	say(out->why,
	    "it has taken nothing since it came back: one message at a time "
	    "goes, no refusal is believed yet%s",
	    next);
	out->alarm = p->relay->refused_row >= UNPROVEN_ALARM;
	if (out->alarm)
		say(out->todo,
		    "does it know its users and domains? `queue list "
		    "--state retry` says what it answered");
}

static void is_lacking(const struct relay_view *r, struct advice *out)
{
	say(out->why, "some mail cannot go there: %s", r->lacks);
	say(out->todo,
	    "let it offer that (a firewall before it may hide it); such mail "
	    "waits meanwhile: `queue list --state retry`");
	out->alarm = true;
}

/* Nothing is held for it: canary and breaker guard the drain. */
static void is_unknown_there(const struct primary_view *v, struct advice *out)
{
	say(out->why, "it refuses the recipient of our probes: %s",
	    v->probe_rcpt);
	say(out->todo,
	    "does it know its users and domains? mail goes all the same; "
	    "`probe.recipient` says who is asked for");
	out->alarm = true;
}

static void is_up(const struct present_primary *p, struct advice *out)
{
	const struct relay_view *r = p->relay;

	if (!r)
		return;
	if (r->paused) {
		say(out->why, "an operator has paused the drain");
		say(out->todo, "`drain resume %s` ends that", p->view->name);
	} else if (r->breaker_open) {
		is_broken(p, out);
	} else if (r->trouble[0]) {
		say(out->why, "no session opens: %s", r->trouble);
		say(out->todo, "it is tried again within half a minute");
		out->alarm = true;
	} else if (r->lacks[0]) {
		is_lacking(r, out);
	} else if (p->view->probe_rcpt[0]) {
		is_unknown_there(p->view, out);
	} else if (r->canary) {
		is_unproven(p, out);
	} else {
		all_wait(p, out);
	}
}

static void is_held(const struct primary_view *v, struct advice *out)
{
	say(out->why, "it is held by an operator, or by drain.hold");
	say(out->todo,
	    "`primary resume %s` ends that, `drain now %s` only for "
	    "now",
	    v->name, v->name);
}

static void is_released(const struct primary_view *v, struct advice *out)
{
	say(out->why, "it is held, but `drain now` lets its mail go until it "
		      "is away again");
	say(out->todo,
	    "`primary hold %s` stops that, `primary resume %s` ends "
	    "the hold",
	    v->name, v->name);
}

static void by_state(const struct present_primary *p, struct advice *out)
{
	const struct primary_view *v = p->view;

	switch (v->health.state) {
	case HEALTH_UNKNOWN:
		if (p->relay && p->relay->breaker_open)
			is_broken(p, out);
		else
			say(out->why, "it has not been probed yet");
		break;
	case HEALTH_DOWN:
	case HEALTH_DOUBTFUL:
		is_away(p, out);
		break;
	case HEALTH_REFUSING:
		is_refusing(v, out);
		break;
	case HEALTH_UP:
		is_up(p, out);
		break;
	}
}

void advice_of(const struct present_primary *p, struct advice *out)
{
	const struct primary_view *v = p->view;
	bool released = p->relay && p->relay->released;

	*out = (struct advice){.alarm = false};
	if (v->held && !released) {
		is_held(v, out);
		return;
	}
	by_state(p, out);
	if (v->held && !out->why[0])
		is_released(v, out);
}

bool advice_alarm(const struct present_primary *p, char out[ADVICE_ALARM_MAX])
{
	struct advice a;

	advice_of(p, &a);
	if (a.alarm)
		snprintf(out, ADVICE_ALARM_MAX, "%.127s: %s%s%s", p->view->name,
			 a.why, a.todo[0] ? "; " : "", a.todo);
	return a.alarm;
}
