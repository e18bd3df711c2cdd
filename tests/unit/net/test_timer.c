#include "mxhold/net/timer.h"

#include "unit/base/suite.h"

static struct loop *loop;
static struct timer *one, *two;
static char order[16];

static void on_one(void *data MX_UNUSED)
{
	strcat(order, "1");
	loop_stop(loop);
}

static void on_two(void *data MX_UNUSED)
{
	strcat(order, "2");
	loop_stop(loop);
}

static void open_both(void)
{
	loop = loop_new(NULL);
	one = timer_new(loop, on_one, NULL);
	two = timer_new(loop, on_two, NULL);
}

static void close_both(void)
{
	timer_free(one);
	timer_free(two);
	loop_free(loop);
}

START_TEST(timer__fires_once_in_the_order_of_time)
{
	open_both();
	timer_start(two, 20);
	timer_start(one, 1);
	ck_assert(timer_is_active(one));
	while (timer_is_active(two))
		loop_run(loop);
	ck_assert_str_eq(order, "12");
	ck_assert(!timer_is_active(one));
	close_both();
}
END_TEST

START_TEST(timer__starts_anew_when_started_again)
{
	open_both();
	timer_start(one, 1);
	timer_start(one, 30);
	timer_start(two, 10);
	while (timer_is_active(one))
		loop_run(loop);
	ck_assert_str_eq(order, "21");
	close_both();
}
END_TEST

START_TEST(timer__does_not_fire_when_stopped)
{
	open_both();
	timer_start(one, 1);
	timer_start(two, 10);
	timer_stop(one);
	ck_assert(!timer_is_active(one));
	while (timer_is_active(two))
		loop_run(loop);
	ck_assert_str_eq(order, "2");
	close_both();
}
END_TEST

static void free_both(void *data MX_UNUSED)
{
	strcat(order, "x");
	timer_free(one);
	timer_free(two);
	one = two = NULL;
	loop_stop(loop);
}

START_TEST(timer__may_be_freed_within_its_own_call)
{
	open_both();
	timer_free(one);
	one = timer_new(loop, free_both, NULL);
	timer_start(one, 0);
	timer_start(two, 0);
	loop_run(loop);
	loop_free(loop);
	ck_assert_str_eq(order, "x"); /* two was freed before it fired */
}
END_TEST

START_TEST(timer__takes_a_time_that_has_passed_as_now)
{
	open_both();
	timer_start(one, -5);
	loop_run(loop);
	ck_assert_str_eq(order, "1");
	timer_free(NULL);
	close_both();
}
END_TEST

START_TEST(timer__never_fires_early)
{
	open_both();
	int64_t begin = loop_now_ms(loop);
	timer_start(one, 15);
	loop_run(loop);
	ck_assert_int_ge(loop_now_ms(loop), begin + 15);
	close_both();
}
END_TEST

int main(void)
{
	return RUN_TESTS("timer", TEST(timer__fires_once_in_the_order_of_time),
			 TEST(timer__starts_anew_when_started_again),
			 TEST(timer__does_not_fire_when_stopped),
			 TEST(timer__may_be_freed_within_its_own_call),
			 TEST(timer__takes_a_time_that_has_passed_as_now),
			 TEST(timer__never_fires_early));
}
