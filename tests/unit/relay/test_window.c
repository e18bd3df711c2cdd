#include "mxhold/relay/window.h"

#include "unit/base/suite.h"

static const struct config_drain drain = {
	.max_connections = 8,
	.canary = 1,
	.fresh_share = 50,
};

static struct window fresh_window(uint32_t canary)
{
	struct config_drain d = drain;
	struct window w;

	d.canary = canary;
	window_init(&w, &d);
	return w;
}

static void deliver(struct window *w, int n)
{
	for (int i = 0; i < n; i++)
		window_good(w);
}

START_TEST(window__sends_canaries_alone_before_it_opens)
{
	struct window w = fresh_window(3);

	for (int i = 0; i < 3; i++) {
		ck_assert(window_is_canary(&w));
		ck_assert_uint_eq(window_limit(&w), 1);
		window_good(&w);
	}
	ck_assert(!window_is_canary(&w));
	ck_assert_uint_eq(window_limit(&w), 1);
	window_good(&w);
	ck_assert_uint_eq(window_limit(&w), 2);
}
END_TEST

START_TEST(window__needs_no_canary_when_none_is_wanted)
{
	struct window w = fresh_window(0);

	ck_assert(!window_is_canary(&w));
	window_good(&w);
	ck_assert_uint_eq(window_limit(&w), 2);
}
END_TEST

/* Limit after so many deliveries without trouble: one more a round. */
static const struct {
	int delivered;
	uint32_t limit;
} ramp[] = {
	{0, 1},  {1, 2},  {2, 2},  {3, 3},  {5, 3},  {6, 4},
	{10, 5}, {15, 6}, {21, 7}, {28, 8}, {36, 8}, {1000, 8},
};

/* TX-49 */
START_TEST(window__opens_by_one_connection_a_round_up_to_the_most)
{
	struct window w = fresh_window(0);

	deliver(&w, ramp[_i].delivered);
	ck_assert_uint_eq(window_limit(&w), ramp[_i].limit);
}
END_TEST

START_TEST(window__halves_when_pressed_but_never_below_one)
{
	struct window w = fresh_window(0);
	static const uint32_t after[] = {4, 2, 1, 1};

	deliver(&w, 100);
	for (size_t i = 0; i < MX_ARRAY_SIZE(after); i++) {
		window_pressed(&w, (int64_t)i * 1000);
		ck_assert_uint_eq(window_limit(&w), after[i]);
	}
}
END_TEST

START_TEST(window__takes_drops_of_one_moment_as_one_sign)
{
	struct window w = fresh_window(0);

	deliver(&w, 100);
	for (int i = 0; i < 8; i++)
		window_pressed(&w, 5000 + i);
	ck_assert_uint_eq(window_limit(&w), 4);
}
END_TEST

START_TEST(window__starts_its_round_anew_after_it_was_pressed)
{
	struct window w = fresh_window(0);

	deliver(&w, 100); /* at 8, some of a round done */
	window_pressed(&w, 0);
	deliver(&w, 3);
	ck_assert_uint_eq(window_limit(&w), 4);
	deliver(&w, 1);
	ck_assert_uint_eq(window_limit(&w), 5);
}
END_TEST

START_TEST(window__begins_again_with_a_canary_after_an_outage)
{
	struct window w = fresh_window(1);

	deliver(&w, 100);
	window_restart(&w, 2);
	ck_assert(window_is_canary(&w));
	deliver(&w, 2);
	ck_assert_uint_eq(window_limit(&w), 1);
}
END_TEST

START_TEST(window__keeps_within_new_bounds_after_a_reload)
{
	struct window w = fresh_window(0);
	struct config_drain d = drain;

	deliver(&w, 100);
	d.max_connections = 3;
	window_configure(&w, &d);
	ck_assert_uint_eq(window_limit(&w), 3);
	d.max_connections = 0;
	window_configure(&w, &d);
	ck_assert_uint_eq(window_limit(&w), 1);
}
END_TEST

START_TEST(window__waits_for_nothing_without_a_rate)
{
	struct window w = fresh_window(0);

	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(window_wait_us(&w, 7), 0);
		window_took(&w, 7);
	}
}
END_TEST

/* How many start within a minute when asked every millisecond. */
static const uint32_t rates[] = {1, 10, 60, 600, 6000};

START_TEST(window__keeps_to_its_messages_a_minute)
{
	const int64_t start = INT64_C(1000000000000);
	struct window w = fresh_window(0);
	uint32_t started = 0, rate = rates[_i];

	window_set_rate(&w, rate);
	for (int64_t us = 0; us < 60000000; us += 1000) {
		if (window_wait_us(&w, start + us))
			continue;
		window_took(&w, start + us);
		started++;
	}
	ck_assert_uint_ge(started, rate - rate / 50);
	ck_assert_uint_le(started, rate + 1 + rate / 100);
}
END_TEST

START_TEST(window__does_not_save_up_a_slow_rate)
{
	struct window w = fresh_window(0);

	window_set_rate(&w, 60);
	window_took(&w, 0);
	window_took(&w, 100000000); /* idle for 100 s */
	ck_assert_int_eq(window_wait_us(&w, 100000000), 1000000);
}
END_TEST

/* A reload, an operator's word: the last message was when it was. */
START_TEST(window__keeps_to_a_rate_across_its_change)
{
	struct window w = fresh_window(0);
	const int64_t at = 5000000;

	window_took(&w, at - 1000000);
	window_set_rate(&w, 60);
	ck_assert_int_eq(window_wait_us(&w, at - 1), 1);
	window_took(&w, at);
	window_set_rate(&w, 60);
	ck_assert_int_eq(window_wait_us(&w, at), 1000000);
	window_set_rate(&w, 30);
	ck_assert_int_eq(window_wait_us(&w, at), 2000000);
	window_set_rate(&w, 120);
	ck_assert_int_eq(window_wait_us(&w, at), 500000);
	window_set_rate(&w, 0);
	ck_assert_int_eq(window_wait_us(&w, at), 0);
}
END_TEST

START_TEST(window__lets_the_first_message_go_at_any_rate)
{
	struct window w = fresh_window(0);

	window_set_rate(&w, 1);
	ck_assert_int_eq(window_wait_us(&w, 0), 0);
}
END_TEST

static const uint32_t shares[] = {0, 1, 33, 50, 99, 100};

/* TX-49 */
START_TEST(window__gives_fresh_mail_its_share)
{
	struct window w = fresh_window(0);
	uint32_t fresh = 0;

	w.fresh_share = shares[_i];
	for (int i = 0; i < 1000; i++)
		fresh += window_pick(&w, true, true) == WINDOW_FRESH;
	ck_assert_uint_eq(fresh, shares[_i] * 10);
}
END_TEST

START_TEST(window__wastes_no_slot_when_only_one_kind_is_there)
{
	struct window w = fresh_window(0);

	for (int i = 0; i < 10; i++) {
		ck_assert(window_pick(&w, true, false) == WINDOW_OLD);
		ck_assert(window_pick(&w, false, true) == WINDOW_FRESH);
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"window", TEST(window__sends_canaries_alone_before_it_opens),
		TEST(window__needs_no_canary_when_none_is_wanted),
		LOOP(window__opens_by_one_connection_a_round_up_to_the_most,
		     ramp),
		TEST(window__halves_when_pressed_but_never_below_one),
		TEST(window__takes_drops_of_one_moment_as_one_sign),
		TEST(window__starts_its_round_anew_after_it_was_pressed),
		TEST(window__begins_again_with_a_canary_after_an_outage),
		TEST(window__keeps_within_new_bounds_after_a_reload),
		TEST(window__waits_for_nothing_without_a_rate),
		LOOP(window__keeps_to_its_messages_a_minute, rates),
		TEST(window__does_not_save_up_a_slow_rate),
		TEST(window__keeps_to_a_rate_across_its_change),
		TEST(window__lets_the_first_message_go_at_any_rate),
		LOOP(window__gives_fresh_mail_its_share, shares),
		TEST(window__wastes_no_slot_when_only_one_kind_is_there));
}
