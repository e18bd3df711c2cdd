#include "mxhold/base/random.h"

#include <pthread.h>
#include <signal.h>

#include "unit/base/suite.h"

START_TEST(random__repeats_itself_when_seeded)
{
	uint64_t first[20];

	random_seed(42);
	for (int i = 0; i < 20; i++)
		first[i] = random_u64();
	random_seed(42);
	for (int i = 0; i < 20; i++)
		ck_assert_uint_eq(random_u64(), first[i]);
	random_seed(43);
	ck_assert_uint_ne(random_u64(), first[0]);
}
END_TEST

static void *one(void *out)
{
	*(uint64_t *)out = random_u64();
	return NULL;
}

START_TEST(random__seeds_every_thread)
{
	pthread_t thread;
	uint64_t a, b;

	random_seed(7);
	pthread_create(&thread, NULL, one, &a);
	pthread_join(thread, NULL);
	one(&b);
	ck_assert_uint_eq(a, b);
}
END_TEST

START_TEST(random__differs_each_time_without_seed)
{
	uint64_t seen[100];

	for (int i = 0; i < 100; i++) {
		seen[i] = random_u64();
		for (int j = 0; j < i; j++)
			ck_assert_uint_ne(seen[i], seen[j]);
	}
}
END_TEST

START_TEST(random__below_stays_below_and_reaches_every_value)
{
	int hits[7] = {0};

	random_seed(1);
	for (int i = 0; i < 7000; i++) {
		uint32_t x = random_below(7);

		ck_assert_uint_lt(x, 7);
		hits[x]++;
	}
	for (int i = 0; i < 7; i++)
		ck_assert_int_gt(hits[i], 800);
	ck_assert_uint_eq(random_below(1), 0);
}
END_TEST

START_TEST(random__below_nothing_is_our_mistake)
{
	random_below(0);
}
END_TEST

START_TEST(random__key_is_one_for_the_process_and_follows_the_seed)
{
	uint64_t a[2], b[2];

	random_key(a);
	random_key(b);
	ck_assert_mem_eq(a, b, sizeof(a));
	random_seed(5);
	random_key(b);
	ck_assert_mem_ne(a, b, sizeof(a));
	random_u64();
	random_key(a);
	ck_assert_mem_eq(a, b, sizeof(a));
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"random", TEST(random__repeats_itself_when_seeded),
		TEST(random__seeds_every_thread),
		TEST(random__differs_each_time_without_seed),
		TEST(random__below_stays_below_and_reaches_every_value),
		DIES(random__below_nothing_is_our_mistake, SIGABRT),
		TEST(random__key_is_one_for_the_process_and_follows_the_seed));
}
