/* What an operator is told of a primary, and what to do. */
#include "mxhold/control/advice.h"

#include "unit/base/suite.h"

#define NOW  INT64_C(1800000000000)
#define HOUR INT64_C(3600000)

struct row {
	const char *what;
	struct primary_view view;
	struct relay_view relay;
	uint64_t queued;
	int64_t next_due_ms;
	const char *why, *todo; /* parts; NULL: there is none */
	bool alarm;
};

#define AT(s, at, result)                                          \
	{                                                          \
		.name = "hq", .last_result = (result), .health = { \
			.state = (s),                              \
			.since_ms = (at)                           \
		}                                                  \
	}
#define UP AT(HEALTH_UP, NOW - HOUR, "ok")

static const struct row rows[] = {
	{"all is well", UP, {0}, 5, NOW, NULL, NULL, false},
	{"nothing waits", UP, {0}, 0, 0, NULL, NULL, false},
	{"never probed",
	 AT(HEALTH_UNKNOWN, NOW, ""),
	 {0},
	 1,
	 NOW,
	 "not been probed",
	 NULL,
	 false},
	{"never probed, the breaker opened by hand",
	 AT(HEALTH_UNKNOWN, NOW, ""),
	 {.breaker_open = true, .breaker_why = "opened by an operator"},
	 1,
	 NOW,
	 "breaker is open",
	 "breaker close hq",
	 true},
	{"down",
	 AT(HEALTH_DOWN, NOW - 60000, "connect: refused"),
	 {0},
	 1,
	 NOW,
	 "it is down: connect: refused",
	 "firewall",
	 false},
	{"down for long",
	 AT(HEALTH_DOWN, NOW - HOUR, "connect: refused"),
	 {0},
	 1,
	 NOW,
	 "it is down",
	 "firewall",
	 true},
	{"down, nothing waits",
	 AT(HEALTH_DOWN, NOW - HOUR, "connect: refused"),
	 {0},
	 0,
	 0,
	 "it is down",
	 "firewall",
	 false},
	{"no way there",
	 AT(HEALTH_DOWN, NOW, "dns: the MX of x leads back to us"),
	 {0},
	 0,
	 0,
	 "leads back to us",
	 "zone",
	 true},
	{"ourselves behind NAT",
	 AT(HEALTH_DOWN, NOW, "ehlo: the route leads back to us"),
	 {0},
	 0,
	 0,
	 "leads back to us",
	 "zone",
	 true},
	{"its certificate",
	 AT(HEALTH_DOWN, NOW, "tls: expired"),
	 {0},
	 0,
	 0,
	 "tls: expired",
	 "certificate",
	 true},
	{"in doubt",
	 AT(HEALTH_DOUBTFUL, NOW, "dns: no answer"),
	 {0},
	 1,
	 NOW,
	 "it is doubtful",
	 "resolver",
	 false},
	{"refuses us",
	 AT(HEALTH_REFUSING, NOW, "banner: 554 go away"),
	 {0},
	 1,
	 NOW,
	 "refuses us: banner: 554",
	 "block lists",
	 true},
	{"held",
	 {.name = "hq", .held = true, .health.state = HEALTH_UP},
	 {0},
	 1,
	 NOW,
	 "is held",
	 "primary resume hq",
	 false},
	{"held, and let go for now",
	 {.name = "hq", .held = true, .health.state = HEALTH_UP},
	 {.released = true},
	 1,
	 NOW,
	 "lets its mail go",
	 "primary hold hq",
	 false},
	{"held, let go, and down",
	 {.name = "hq",
	  .held = true,
	  .health = {.state = HEALTH_DOWN, .since_ms = NOW},
	  .last_result = "connect: refused"},
	 {.released = true},
	 1,
	 NOW,
	 "it is down: connect: refused",
	 "firewall",
	 false},
	{"paused",
	 UP,
	 {.paused = true},
	 1,
	 NOW,
	 "paused",
	 "drain resume hq",
	 false},
	{"breaker",
	 UP,
	 {.breaker_open = true,
	  .breaker_why = "5xx at MAIL",
	  .breaker_retry_ms = NOW + 300000},
	 1,
	 NOW,
	 "5xx at MAIL; one message is tried in 5m",
	 "drain now hq",
	 true},
	{"breaker, by hand",
	 UP,
	 {.breaker_open = true, .breaker_why = "opened by an operator"},
	 1,
	 NOW,
	 "opened by an operator",
	 "breaker close hq",
	 true},
	{"no session",
	 UP,
	 {.trouble = "421 too many"},
	 1,
	 NOW,
	 "no session opens: 421 too many",
	 "tried again",
	 true},
	{"lacks a keyword",
	 UP,
	 {.lacks = "554 5.6.3 the server lacks 8BITMIME"},
	 1,
	 NOW,
	 "lacks 8BITMIME",
	 "firewall",
	 true},
	{"first message",
	 UP,
	 {.canary = true},
	 1,
	 NOW,
	 "taken nothing",
	 NULL,
	 false},
	{"first message, and nothing waits",
	 UP,
	 {.canary = true},
	 0,
	 0,
	 NULL,
	 NULL,
	 false},
	{"first message hangs",
	 UP,
	 {.canary = true,
	  .oldest_id = "1m81p1qfj0000",
	  .oldest_ms = NOW - 65000},
	 1,
	 NOW,
	 "; 1m81p1qfj0000 has been under way for 1m 5s",
	 NULL,
	 false},
	{"first message was put off",
	 UP,
	 {.canary = true},
	 1,
	 NOW + 90000,
	 "believed yet; the next is tried in 1m 30s",
	 NULL,
	 false},
	{"first messages, all of them held",
	 UP,
	 {.canary = true},
	 1,
	 0,
	 "held or in quarantine",
	 "queue release",
	 false},
	{"refuses the probe's recipient",
	 {.name = "hq",
	  .health.state = HEALTH_UP,
	  .last_result = "ok",
	  .probe_rcpt = "550 5.1.1 who?"},
	 {0},
	 0,
	 0,
	 "recipient of our probes: 550 5.1.1 who?",
	 "know its users",
	 true},
	{"held or in quarantine",
	 UP,
	 {0},
	 3,
	 0,
	 "held or in quarantine",
	 "queue release",
	 false},
	{"takes nothing",
	 UP,
	 {.canary = true, .refused_row = 3},
	 1,
	 NOW,
	 "taken nothing",
	 "know its users",
	 true},
	{"put off",
	 UP,
	 {0},
	 3,
	 NOW + 90000,
	 "tried in 1m",
	 "queue retry",
	 false},
};

static struct present_primary of(const struct row *row)
{
	return (struct present_primary){
		.view = &row->view,
		.relay = &row->relay,
		.counts.messages = row->queued,
		.next_due_ms = row->next_due_ms,
		.now_ms = NOW,
	};
}

static void check(const char *text, const char *part)
{
	if (part)
		ck_assert_msg(strstr(text, part) != NULL, "\"%s\"", text);
	else
		ck_assert_str_eq(text, "");
}

START_TEST(advice__says_why_and_what_to_do)
{
	struct present_primary p = of(&rows[_i]);
	struct advice a;

	advice_of(&p, &a);
	check(a.why, rows[_i].why);
	check(a.todo, rows[_i].todo);
	ck_assert_int_eq(a.alarm, rows[_i].alarm);
}
END_TEST

START_TEST(advice__alarms_carry_both)
{
	struct present_primary p = of(&rows[_i]);
	char text[ADVICE_ALARM_MAX];

	ck_assert_int_eq(advice_alarm(&p, text), rows[_i].alarm);
	if (!rows[_i].alarm)
		return;
	check(text, "hq: ");
	check(text, rows[_i].why);
	check(text, rows[_i].todo);
}
END_TEST

START_TEST(advice__knows_what_is_stored_without_a_daemon)
{
	struct present_primary p = of(&rows[_i]);
	struct advice a;

	p.relay = NULL;
	advice_of(&p, &a);
	if (rows[_i].view.health.state == HEALTH_UP && !rows[_i].view.held)
		ck_assert_str_eq(a.why, "");
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"advice", LOOP(advice__says_why_and_what_to_do, rows),
		LOOP(advice__alarms_carry_both, rows),
		LOOP(advice__knows_what_is_stored_without_a_daemon, rows));
}
