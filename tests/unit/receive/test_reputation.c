#include "mxhold/receive/reputation.h"

#include "mxhold/base/random.h"
#include "unit/base/suite.h"

static struct reputation *r;
static int64_t until;

static struct inet_addr network(unsigned n)
{
	return (struct inet_addr){.family = 4,
				  .bytes = {10, (uint8_t)(n >> 16),
					    (uint8_t)(n >> 8), (uint8_t)n}};
}

static void begin(size_t max, uint32_t budget, uint32_t max_rate)
{
	const struct config_policy policy = {
		.unknown_budget = budget,
		.unknown_window = 600000,
		.unknown_penalty = 3600000,
		.max_rate = max_rate,
	};

	random_seed(1);
	r = reputation_new(max);
	reputation_configure(r, &policy);
}

static bool unknown(unsigned n, uint32_t count, int64_t now_ms)
{
	struct inet_addr a = network(n);

	return reputation_unknown(r, &a, count, now_ms, &until);
}

static bool kept(unsigned n, uint32_t count, int64_t now_ms)
{
	struct inet_addr a = network(n);

	return reputation_kept(r, &a, count, now_ms, &until);
}

static bool is_penalised(unsigned n, int64_t now_ms)
{
	struct inet_addr a = network(n);

	return reputation_is_penalised(r, &a, now_ms);
}

static bool is_slowed(unsigned n, int64_t now_ms)
{
	struct inet_addr a = network(n);

	return reputation_is_slowed(r, &a, now_ms);
}

START_TEST(reputation__a_budget_is_what_may_be_tried)
{
	begin(10, 3, 0);
	ck_assert(!unknown(1, 1, 5));
	ck_assert(!unknown(1, 1, 6));
	ck_assert(!unknown(1, 1, 7));
	ck_assert(!is_penalised(1, 8));
	ck_assert(unknown(1, 1, 8));
	ck_assert_int_eq(until, 8 + 3600000);
	ck_assert(is_penalised(1, 8));
	ck_assert(!is_penalised(2, 8));
	reputation_free(r);
}
END_TEST

START_TEST(reputation__a_penalty_ends)
{
	begin(10, 1, 0);
	ck_assert(unknown(1, 2, 0));
	ck_assert(is_penalised(1, 3599999));
	ck_assert(!is_penalised(1, 3600000));
	ck_assert(!unknown(1, 1, 3600001));
	reputation_free(r);
}
END_TEST

START_TEST(reputation__the_window_forgets)
{
	begin(10, 2, 0);
	ck_assert(!unknown(1, 2, 0));
	ck_assert(!unknown(1, 2, 600000));
	ck_assert(unknown(1, 1, 600001));
	reputation_free(r);
}
END_TEST

START_TEST(reputation__a_minute_holds_max_rate_messages)
{
	begin(10, 1, 3);
	ck_assert(!kept(1, 2, 1000));
	ck_assert(!is_slowed(1, 1000));
	ck_assert(kept(1, 1, 2000));
	ck_assert_int_eq(until, 61000);
	ck_assert(!kept(1, 1, 3000)); /* said already */
	ck_assert(is_slowed(1, 60999));
	ck_assert(!is_slowed(1, 61000));
	ck_assert(!kept(1, 1, 61000));
	reputation_free(r);
}
END_TEST

START_TEST(reputation__no_rate_limit_remembers_nobody)
{
	begin(10, 1, 0);
	ck_assert(!kept(1, 1000000, 1));
	ck_assert_uint_eq(reputation_count(r), 0);
	reputation_free(r);
}
END_TEST

START_TEST(reputation__takes_the_judgement_of_others)
{
	struct inet_addr a = network(1), b = network(2);

	begin(10, 1, 1);
	reputation_penalise(r, &a, 100);
	reputation_slow(r, &b, 200);
	ck_assert(is_penalised(1, 99) && !is_penalised(1, 100));
	ck_assert(is_slowed(2, 199) && !is_slowed(2, 200));
	ck_assert(!is_slowed(1, 1) && !is_penalised(2, 1));
	reputation_free(r);
}
END_TEST

START_TEST(reputation__forgets_who_was_not_heard_of_for_longest)
{
	begin(3, 1, 0);
	unknown(1, 1, 1);
	unknown(2, 1, 2);
	unknown(3, 1, 3);
	unknown(4, 1, 4); /* 1 is forgotten */
	ck_assert_uint_eq(reputation_count(r), 3);
	ck_assert(!unknown(1, 1, 5)); /* 2 is forgotten */
	ck_assert(unknown(3, 1, 6));
	ck_assert(unknown(4, 1, 7));
	reputation_free(r);
}
END_TEST

START_TEST(reputation__a_flood_of_networks_does_not_lift_a_penalty)
{
	begin(20, 1, 0);
	ck_assert(unknown(1, 2, 1));
	for (unsigned n = 2; n < 1000; n++)
		unknown(n, 1, 2);
	ck_assert(is_penalised(1, 3));
	ck_assert_uint_eq(reputation_count(r), 20);
	reputation_free(r);
}
END_TEST

START_TEST(reputation__is_bounded_even_when_all_are_penalised)
{
	begin(20, 0, 0);
	for (unsigned n = 0; n < 1000; n++)
		ck_assert(unknown(n, 1, 1));
	ck_assert_uint_eq(reputation_count(r), 20);
	reputation_free(r);
}
END_TEST

START_TEST(reputation__a_count_does_not_wrap)
{
	begin(10, UINT32_MAX - 1, 0);
	ck_assert(!unknown(1, UINT32_MAX - 1, 1));
	ck_assert(unknown(1, 7, 1));
	reputation_free(r);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"reputation", TEST(reputation__a_budget_is_what_may_be_tried),
		TEST(reputation__a_penalty_ends),
		TEST(reputation__the_window_forgets),
		TEST(reputation__a_minute_holds_max_rate_messages),
		TEST(reputation__no_rate_limit_remembers_nobody),
		TEST(reputation__takes_the_judgement_of_others),
		TEST(reputation__forgets_who_was_not_heard_of_for_longest),
		TEST(reputation__a_flood_of_networks_does_not_lift_a_penalty),
		TEST(reputation__is_bounded_even_when_all_are_penalised),
		TEST(reputation__a_count_does_not_wrap));
}
