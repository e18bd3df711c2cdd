#include "mxhold/base/clock.h"

#include <time.h>

#include "unit/base/suite.h"

START_TEST(clock__stands_where_it_is_put)
{
	clock_fake(5000, -7);
	ck_assert_int_eq(clock_mono_ms(), 5000);
	ck_assert_int_eq(clock_mono_us(), 5000000);
	ck_assert_int_eq(clock_wall_ms(), -7);
	clock_fake(5001, 8);
	ck_assert_int_eq(clock_mono_ms(), 5001);
	ck_assert_int_eq(clock_wall_ms(), 8);
}
END_TEST

START_TEST(clock__is_real_again_when_the_fake_is_off)
{
	int64_t a;

	clock_fake(1, 1);
	clock_fake_off();
	a = clock_mono_us();
	ck_assert_int_ge(clock_mono_us(), a);
	ck_assert_int_ge(clock_wall_ms() / 1000, time(NULL) - 1);
}
END_TEST

int main(void)
{
	return RUN_TESTS("clock", TEST(clock__stands_where_it_is_put),
			 TEST(clock__is_real_again_when_the_fake_is_off));
}
