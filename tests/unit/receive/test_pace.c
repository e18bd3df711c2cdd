#include "mxhold/receive/pace.h"

#include "unit/base/suite.h"

static struct pace p;

START_TEST(pace__says_nothing_before_a_minute_has_passed)
{
	pace_begin(&p, 1000);
	ck_assert(pace_is_on(&p));
	ck_assert_int_eq(pace_look_ms(&p), 61000);
	ck_assert(!pace_is_slow(&p, 500, 60999));
	ck_assert(pace_is_slow(&p, 500, 61000));
}
END_TEST

static const struct {
	uint64_t bytes, min_rate;
	bool is_slow;
} minutes[] = {
	{0, 500, true},      {29999, 500, true},
	{30000, 500, false}, {1000000, 500, false},
	{0, 0, false},       {0, 1, true},
	{60, 1, false},      {UINT64_MAX, UINT64_MAX / 60, false},
};

/* RX-41 */
START_TEST(pace__measures_bytes_a_second_over_the_minute)
{
	pace_begin(&p, 0);
	pace_count(&p, minutes[_i].bytes);
	ck_assert_int_eq(pace_is_slow(&p, minutes[_i].min_rate, 60001),
			 minutes[_i].is_slow);
}
END_TEST

START_TEST(pace__every_minute_counts_for_itself)
{
	pace_begin(&p, 1);
	pace_count(&p, 1000000);
	ck_assert(!pace_is_slow(&p, 500, 60001));
	ck_assert(pace_is_slow(&p, 500, 120001));
}
END_TEST

START_TEST(pace__is_off_after_the_body)
{
	pace_begin(&p, 1);
	pace_end(&p);
	ck_assert(!pace_is_on(&p));
	ck_assert_int_eq(pace_look_ms(&p), 0);
	ck_assert(!pace_is_slow(&p, 500, 1000000));
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"pace", TEST(pace__says_nothing_before_a_minute_has_passed),
		LOOP(pace__measures_bytes_a_second_over_the_minute, minutes),
		TEST(pace__every_minute_counts_for_itself),
		TEST(pace__is_off_after_the_body));
}
