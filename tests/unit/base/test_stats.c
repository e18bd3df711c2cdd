#include "mxhold/base/stats.h"

#include <signal.h>

#include "unit/base/suite.h"

START_TEST(stats__histogram_counts_each_value_in_one_bucket)
{
	struct histogram *h = &stats.commit_messages;

	histogram_add(h, 1); /* at the bound: inside */
	histogram_add(h, 1.5);
	histogram_add(h, 1000); /* +Inf */
	ck_assert_uint_eq(counter_get(&h->buckets[0]), 1);
	ck_assert_uint_eq(counter_get(&h->buckets[1]), 1);
	ck_assert_uint_eq(counter_get(&h->buckets[HISTOGRAM_BUCKETS - 1]), 1);
	ck_assert_uint_eq(counter_get(&h->count), 3);
	ck_assert_uint_eq(counter_get(&h->sum_micro), 1002500000);
}
END_TEST

START_TEST(stats__histogram_bounds_rise)
{
	const struct histogram *all[] = {&stats.commit_seconds,
					 &stats.commit_messages,
					 &stats.probe_seconds};

	for (size_t k = 0; k < 3; k++)
		for (int i = 1; i < HISTOGRAM_BUCKETS - 1; i++)
			ck_assert(all[k]->bounds[i] > all[k]->bounds[i - 1]);
}
END_TEST

START_TEST(stats__every_refusal_has_a_name)
{
	for (int i = 0; i < RCPT_REFUSED_KINDS; i++) {
		const char *name = rcpt_refusal_name((enum rcpt_refusal)i);

		ck_assert_ptr_nonnull(name);
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(
				name, rcpt_refusal_name((enum rcpt_refusal)j));
	}
}
END_TEST

START_TEST(stats__no_name_beyond_the_last_refusal)
{
	rcpt_refusal_name(RCPT_REFUSED_KINDS);
}
END_TEST

int main(void)
{
	return RUN_TESTS("stats",
			 TEST(stats__histogram_counts_each_value_in_one_bucket),
			 TEST(stats__histogram_bounds_rise),
			 TEST(stats__every_refusal_has_a_name),
			 DIES(stats__no_name_beyond_the_last_refusal, SIGABRT));
}
