/* How long it was surely up, judged against a model that forgets nothing. */
#include "mxhold/probe/uptime.h"

#include "mxhold/base/random.h"
#include "unit/base/suite.h"

enum {
	MINUTES = 20000
};

static bool up[MINUTES];

static int64_t really_up(size_t from, size_t to)
{
	int64_t n = 0;

	for (size_t i = from; i < to; i++)
		n += up[i];
	return n;
}

/* Runs the model; marks are minutes. */
static void run(struct uptime *u, uint32_t mean)
{
	int64_t total = 0;

	memset(u, 0, sizeof(*u));
	up[0] = false;
	uptime_note(u, 0, 0);
	for (size_t i = 1; i < MINUTES; i++) {
		total += up[i - 1];
		up[i] = random_below(mean) ? up[i - 1] : !up[i - 1];
		if (up[i] != up[i - 1])
			uptime_note(u, (int64_t)i, total);
	}
}

static const uint32_t means[] = {3, 20, 500, 3000, 1000000};

START_TEST(uptime__is_never_more_than_it_was)
{
	struct uptime u;
	struct uptime_mark now = {MINUTES - 1, 0};

	for (uint64_t seed = 0; seed < 20; seed++) {
		random_seed(seed);
		run(&u, means[_i]);
		ck_assert_uint_le(u.n, UPTIME_MARKS);
		now.up_ms = really_up(0, MINUTES - 1);
		for (size_t from = 0; from < MINUTES; from += 97) {
			int64_t got = uptime_since(&u, (int64_t)from, now);

			ck_assert_int_ge(got, 0);
			ck_assert_int_le(got, really_up(from, MINUTES - 1));
		}
	}
}
END_TEST

START_TEST(uptime__is_exact_while_all_marks_are_there)
{
	struct uptime u;
	struct uptime_mark now = {MINUTES - 1, 0};

	random_seed(4);
	run(&u, 3000);
	ck_assert_uint_lt(u.n, UPTIME_MARKS);
	now.up_ms = really_up(0, MINUTES - 1);
	for (size_t from = 0; from < MINUTES; from++)
		ck_assert_int_eq(uptime_since(&u, (int64_t)from, now),
				 really_up(from, MINUTES - 1));
}
END_TEST

START_TEST(uptime__keeps_the_ends_of_long_outages)
{
	struct uptime u = {.n = 0};
	struct uptime_mark now;
	int64_t at = 0, total = 0;

	uptime_note(&u, 0, 0);
	uptime_note(&u, at = 100000, total = 100000); /* goes */
	uptime_note(&u, at = 900000, total);          /* is back */
	for (int i = 0; i < 100; i++) {               /* flaps */
		uptime_note(&u, at += 10, total += 10);
		uptime_note(&u, at += 10, total);
	}
	now = (struct uptime_mark){at += 50000, total += 50000};
	ck_assert_int_eq(uptime_since(&u, 50000, now), 50000 + 1000 + 50000);
	ck_assert_int_eq(uptime_since(&u, 500000, now), 1000 + 50000);
	ck_assert_int_eq(uptime_since(&u, at - 10, now), 10);
}
END_TEST

START_TEST(uptime__before_its_first_mark_nothing_is_certain)
{
	struct uptime u = {.n = 0};
	struct uptime_mark now = {2000, 700};

	ck_assert_int_eq(uptime_since(&u, 0, now), 0);
	uptime_note(&u, 1000, 600);
	ck_assert_int_eq(uptime_since(&u, 0, now), 100);
	ck_assert_int_eq(uptime_since(&u, 3000, now), 0);
}
END_TEST

START_TEST(uptime__forgets_marks_of_a_clock_that_was_set_back)
{
	struct uptime u = {.n = 0};
	struct uptime_mark now = {900, 60};

	uptime_note(&u, 1000, 10);
	uptime_note(&u, 2000, 20);
	uptime_note(&u, 500, 30);
	ck_assert_uint_eq(u.n, 1);
	ck_assert_int_eq(uptime_since(&u, 800, now), 0);
	ck_assert_int_eq(uptime_since(&u, 400, now), 30);
}
END_TEST

/* What a clock that jumps, or a record from elsewhere, may look like. */
static const struct {
	int64_t up_ms, now_up_ms, from_ms, since_ms;
} nonsense[] = {
	{0, 5000, 1000, 500}, {0, 5000, 1200, 300}, {0, 5000, 0, 1500},
	{600, 100, 1000, 0},  {600, 100, 0, 0},     {600, 100, 1200, 0},
	{600, 700, 1500, 0},
};

START_TEST(uptime__is_never_more_than_the_time_there_was)
{
	struct uptime u = {.n = 0};
	struct uptime_mark now = {1500, nonsense[_i].now_up_ms};

	uptime_note(&u, 1000, nonsense[_i].up_ms);
	ck_assert_int_eq(uptime_since(&u, nonsense[_i].from_ms, now),
			 nonsense[_i].since_ms);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"uptime", LOOP(uptime__is_never_more_than_it_was, means),
		TEST(uptime__is_exact_while_all_marks_are_there),
		TEST(uptime__keeps_the_ends_of_long_outages),
		TEST(uptime__before_its_first_mark_nothing_is_certain),
		LOOP(uptime__is_never_more_than_the_time_there_was, nonsense),
		TEST(uptime__forgets_marks_of_a_clock_that_was_set_back));
}
