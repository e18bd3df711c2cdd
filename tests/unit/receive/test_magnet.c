#include "mxhold/receive/magnet.h"

#include <stdio.h>

#include "mxhold/base/mem.h"
#include "unit/base/suite.h"

#define HOUR INT64_C(3600000)
#define NOW  (1000 * HOUR)

static struct magnet *m;
static struct magnet_row *rows;
static size_t n;

static void come(const char *client, const char *domain, unsigned kind,
		 int64_t at_ms)
{
	struct inet_addr a;

	ck_assert_int_eq(inet_parse(slice_str(client), &a), 0);
	magnet_count(m, &a, domain, kind, 1, at_ms);
}

static void report(const char *domain, int64_t since_ms)
{
	mem_free(rows);
	rows = magnet_report(m, domain, since_ms, &n);
}

static void finish(void)
{
	mem_free(rows);
	magnet_free(m);
}

START_TEST(magnet__sums_up_by_network_and_domain)
{
	m = magnet_new();
	come("192.0.2.1", "a.test", MAGNET_ACCEPTED, NOW);
	come("192.0.2.2", "a.test", MAGNET_ACCEPTED, NOW);
	come("192.0.2.2", "a.test", MAGNET_REFUSED + RCPT_REFUSED_UNKNOWN,
	     NOW + HOUR);
	come("192.0.2.2", "b.test", MAGNET_ACCEPTED, NOW);
	report(NULL, NOW);
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(rows[0].total, 2); /* the most frequent first */
	ck_assert_uint_eq(rows[0].counts[MAGNET_ACCEPTED], 1);
	ck_assert_uint_eq(rows[0].counts[MAGNET_REFUSED + RCPT_REFUSED_UNKNOWN],
			  1);
	ck_assert_int_eq(rows[0].first_ms, NOW);
	ck_assert_int_eq(rows[0].last_ms, NOW + HOUR);
	report("b.test", NOW);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(rows[0].domain, "b.test");
	finish();
}
END_TEST

START_TEST(magnet__looks_back_as_far_as_it_is_asked)
{
	m = magnet_new();
	come("192.0.2.1", "a.test", MAGNET_ACCEPTED, NOW);
	come("192.0.2.2", "a.test", MAGNET_ACCEPTED, NOW + 5 * HOUR);
	report(NULL, NOW + 4 * HOUR);
	ck_assert_uint_eq(n, 1);
	report(NULL, 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(magnet_since_ms(m, NOW + 6 * HOUR), NOW);
	finish();
}
END_TEST

START_TEST(magnet__forgets_after_two_days)
{
	m = magnet_new();
	come("192.0.2.1", "a.test", MAGNET_ACCEPTED, NOW);
	come("192.0.2.2", "a.test", MAGNET_ACCEPTED, NOW + MAGNET_HOURS * HOUR);
	report(NULL, 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(magnet_since_ms(m, NOW + MAGNET_HOURS * HOUR),
			 NOW + HOUR);
	finish();
}
END_TEST

START_TEST(magnet__a_flood_of_networks_is_counted_together)
{
	char text[32];

	m = magnet_new();
	for (int i = 0; i < MAGNET_NETWORKS + 50; i++) {
		snprintf(text, sizeof(text), "10.0.%d.%d", i / 256, i % 256);
		come(text, "a.test", MAGNET_DOOR, NOW);
	}
	report(NULL, 0);
	ck_assert_uint_eq(n, MAGNET_NETWORKS + 1);
	ck_assert_uint_eq(rows[0].network.family, 0);
	ck_assert_uint_eq(rows[0].total, 50);
	finish();
}
END_TEST

START_TEST(magnet__every_kind_has_a_name_of_its_own)
{
	for (unsigned i = 0; i < MAGNET_KINDS; i++)
		for (unsigned j = 0; j < i; j++)
			ck_assert_str_ne(magnet_kind_name(i),
					 magnet_kind_name(j));
}
END_TEST

int main(void)
{
	return RUN_TESTS("magnet", TEST(magnet__sums_up_by_network_and_domain),
			 TEST(magnet__looks_back_as_far_as_it_is_asked),
			 TEST(magnet__forgets_after_two_days),
			 TEST(magnet__a_flood_of_networks_is_counted_together),
			 TEST(magnet__every_kind_has_a_name_of_its_own));
}
