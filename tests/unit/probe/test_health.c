#include "mxhold/probe/health.h"

#include <check.h>
#include <string.h>

#include "mxhold/base/attr.h"
#include "unit/base/suite.h"

static const struct config_probe defaults = {
	.interval_up = 60000,
	.interval_down = 15000,
	.down_after = 3,
	.up_after = 2,
};

static const struct uptime none;

static enum health_event event_of(char c)
{
	return c == '+' ? HEALTH_GOOD : c == '-' ? HEALTH_BAD : HEALTH_REFUSED;
}

/* Events (+ good, - bad, x refused) and the state after each, by its first
 * letter: unknown, up is 'U', doubtful 'o', down 'd', refusing 'r'. */
static char letter(enum health_state s)
{
	return "?Uodr"[s];
}

static const struct {
	const char *events, *states;
	uint32_t down_after, up_after;
} walks[] = {
	{"+", "U", 3, 2},
	{"-", "d", 3, 2},
	{"x", "r", 3, 2},
	{"+---", "Uood", 3, 2},
	{"+--+--+---", "UooUooUood", 3, 2},
	{"+-+-+-+-+", "UoUoUoUoU", 3, 2},
	{"-+-++",
	 "dddd"
	 "U",
	 3, 2},
	{"-++", "ddU", 3, 2},
	{"-+-+-+", "dddddd", 3, 2},
	{"+x++", "UrdU", 3, 2},
	{"+-x++", "UordU", 3, 2},
	{"-x-++", "drrdU", 3, 2},
	{"xx+x++", "rrdrdU", 3, 2},
	{"x+-++", "rdddU", 3, 2},
	{"x---++", "rrrddU", 3, 2},
	{"+-", "Ud", 1, 1},
	{"-+", "dU", 1, 1},
	{"x+", "rU", 1, 1},
	{"x-+", "rdU", 1, 1},
	{"+-----", "Uooood", 5, 2},
	{"-++++", "ddddU", 3, 4},
};

START_TEST(health__walks_the_diagram)
{
	struct config_probe c = defaults;
	struct health h;
	char got[32] = "";

	c.down_after = walks[_i].down_after;
	c.up_after = walks[_i].up_after;
	health_init(&h, 0);
	ck_assert_int_eq(h.state, HEALTH_UNKNOWN);
	for (size_t i = 0; walks[_i].events[i]; i++) {
		enum health_state before = h.state;
		bool changed = health_note(&h, event_of(walks[_i].events[i]),
					   &c, (int64_t)i);

		ck_assert_int_eq(changed, h.state != before);
		ck_assert_int_eq(h.since_ms == (int64_t)i, changed || i == 0);
		got[i] = letter(h.state);
	}
	ck_assert_str_eq(got, walks[_i].states);
}
END_TEST

/* Decision: the confirming probe follows within two seconds. */
static const struct {
	const char *events;
	int64_t next_ms;
} waits[] = {
	{"", 15000},  {"+", 60000}, {"+-", 15000},
	{"-", 15000}, {"-+", 2000}, {"-+-", 15000},
	{"x", 15000}, {"x+", 2000}, {"-++", 60000},
};

START_TEST(health__says_when_to_probe_next)
{
	struct health h;

	health_init(&h, 0);
	for (size_t i = 0; waits[_i].events[i]; i++)
		health_note(&h, event_of(waits[_i].events[i]), &defaults, 0);
	ck_assert_int_eq(health_next_probe_ms(&h, &defaults),
			 waits[_i].next_ms);
}
END_TEST

START_TEST(health__confirms_no_later_than_it_probes)
{
	struct config_probe c = defaults;
	struct health h;

	c.interval_down = 500;
	health_init(&h, 0);
	health_note(&h, HEALTH_BAD, &c, 0);
	health_note(&h, HEALTH_GOOD, &c, 0);
	ck_assert_int_eq(health_next_probe_ms(&h, &c), 500);
}
END_TEST

START_TEST(health__counts_time_only_while_up)
{
	struct config_probe c = defaults;
	struct health h;

	c.down_after = 1;
	c.up_after = 1;
	health_init(&h, 1000);
	ck_assert_int_eq(health_up_ms(&h, 9000), 0); /* unknown */
	health_note(&h, HEALTH_GOOD, &c, 10000);
	ck_assert_int_eq(health_up_ms(&h, 13000), 3000);
	health_note(&h, HEALTH_BAD, &c, 15000);
	ck_assert_int_eq(health_up_ms(&h, 99000), 5000);
	health_note(&h, HEALTH_GOOD, &c, 100000);
	health_tick(&h, 101000);
	ck_assert_int_eq(health_up_ms(&h, 102500), 7500);
}
END_TEST

START_TEST(health__does_not_count_while_in_doubt)
{
	struct health h;

	health_init(&h, 0);
	health_note(&h, HEALTH_GOOD, &defaults, 0);
	health_note(&h, HEALTH_BAD, &defaults, 1000);
	ck_assert_int_eq(h.state, HEALTH_DOUBTFUL);
	health_note(&h, HEALTH_GOOD, &defaults, 5000);
	ck_assert_int_eq(health_up_ms(&h, 6000), 2000);
}
END_TEST

START_TEST(health__distrusts_a_wall_clock_that_jumps)
{
	struct health h;

	health_init(&h, 1000000);
	health_note(&h, HEALTH_GOOD, &defaults, 1000000);
	ck_assert_int_eq(health_up_ms(&h, 500000), 0); /* backwards */
	health_tick(&h, 500000);
	ck_assert_int_eq(health_up_ms(&h, 501000), 1000);
	/* a month ahead */
	health_tick(&h, 500000 + INT64_C(30) * 86400000);
	ck_assert_int_eq(h.up_total_ms, HEALTH_STEP_MAX_MS);
}
END_TEST

START_TEST(health__does_not_count_the_time_it_was_not_there)
{
	struct health h;

	health_restore(&h, HEALTH_UP, 1000, 77000, &none, 500000);
	ck_assert_int_eq(h.state, HEALTH_UP);
	ck_assert_int_eq(h.since_ms, 1000);
	ck_assert_int_eq(health_up_ms(&h, 501000), 78000);
}
END_TEST

/* A day up, a day down, a restart after ten days, a day up. */
START_TEST(health__knows_how_long_it_was_up_since)
{
	static const int64_t day = 86400000;
	struct config_probe c = defaults;
	struct health h, again;
	int64_t now = 0;

	c.down_after = c.up_after = 1;
	health_init(&h, 0);
	health_note(&h, HEALTH_GOOD, &c, now);
	for (; now < day; now += 60000)
		health_tick(&h, now);
	health_note(&h, HEALTH_BAD, &c, now);
	health_note(&h, HEALTH_GOOD, &c, 2 * day);
	health_restore(&again, h.state, h.since_ms, h.up_total_ms, &h.uptime,
		       12 * day);
	for (now = 12 * day; now < 13 * day; now += 60000)
		health_tick(&again, now);
	ck_assert_int_eq(health_up_since(&again, 0, now), 2 * day);
	ck_assert_int_eq(health_up_since(&again, day / 2, now), 3 * day / 2);
	ck_assert_int_eq(health_up_since(&again, 3 * day / 2, now), day);
	ck_assert_int_eq(health_up_since(&again, 5 * day, now), day);
	ck_assert_int_eq(health_up_since(&again, now - 5000, now), 5000);
}
END_TEST

/* Since it came up it was up all the time. */
START_TEST(health__marks_when_it_came_up)
{
	struct config_probe c = defaults;
	struct health h;

	c.up_after = 1;
	health_init(&h, 0);
	health_note(&h, HEALTH_BAD, &c, 0);
	health_note(&h, HEALTH_GOOD, &c, 50000);
	health_tick(&h, 70000);
	ck_assert_int_eq(health_up_since(&h, 50000, 70000), 20000);
	ck_assert_int_eq(health_up_since(&h, 60000, 70000), 10000);
}
END_TEST

START_TEST(health__takes_no_nonsense_from_its_record)
{
	struct health h;

	health_restore(&h, HEALTH_DOWN, 900000, -5, &none, 500000);
	ck_assert_int_eq(h.since_ms, 500000);
	ck_assert_int_eq(health_up_ms(&h, 600000), 0);
}
END_TEST

START_TEST(health__has_names)
{
	ck_assert_str_eq(health_state_name(HEALTH_UNKNOWN), "unknown");
	ck_assert_str_eq(health_state_name(HEALTH_UP), "up");
	ck_assert_str_eq(health_state_name(HEALTH_DOUBTFUL), "doubtful");
	ck_assert_str_eq(health_state_name(HEALTH_DOWN), "down");
	ck_assert_str_eq(health_state_name(HEALTH_REFUSING), "refusing");
	ck_assert_str_eq(health_event_name(HEALTH_REFUSED), "refused");
}
END_TEST

int main(void)
{
	return RUN_TESTS("health", LOOP(health__walks_the_diagram, walks),
			 LOOP(health__says_when_to_probe_next, waits),
			 TEST(health__confirms_no_later_than_it_probes),
			 TEST(health__counts_time_only_while_up),
			 TEST(health__does_not_count_while_in_doubt),
			 TEST(health__distrusts_a_wall_clock_that_jumps),
			 TEST(health__does_not_count_the_time_it_was_not_there),
			 TEST(health__knows_how_long_it_was_up_since),
			 TEST(health__marks_when_it_came_up),
			 TEST(health__takes_no_nonsense_from_its_record),
			 TEST(health__has_names));
}
