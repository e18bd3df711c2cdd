#include "mxhold/relay/allowance.h"

#include "unit/base/suite.h"

enum {
	NOW = 5000000
};

static struct allowance a;

static unsigned taken(uint64_t domain, unsigned times, int64_t mono_ms)
{
	unsigned n = 0;

	for (unsigned i = 0; i < times; i++)
		n += allowance_take(&a, domain, mono_ms);
	return n;
}

static void begin(void)
{
	memset(&a, 0, sizeof(a));
}

START_TEST(allowance__ends_for_a_domain_and_not_for_others)
{
	begin();
	ck_assert_uint_eq(taken(7, 10000, NOW), ALLOWANCE_DOMAIN);
	ck_assert_uint_eq(a.refused, 10000 - ALLOWANCE_DOMAIN);
	ck_assert_int_eq(a.refused_ms, NOW);
	ck_assert_uint_eq(taken(8, 1, NOW), 1);
}
END_TEST

START_TEST(allowance__ends_for_all_together)
{
	unsigned n = 0;

	begin();
	for (uint64_t domain = 0; domain < 10000; domain++)
		n += taken(domain, 1, NOW);
	ck_assert_uint_eq(n, ALLOWANCE_ALL);
}
END_TEST

START_TEST(allowance__comes_back_with_time)
{
	int64_t each = ALLOWANCE_HOUR_MS / ALLOWANCE_DOMAIN;

	begin();
	taken(7, 1000, NOW);
	ck_assert_uint_eq(taken(7, 10, NOW + each - 1), 0);
	ck_assert_uint_eq(taken(7, 10, NOW + 3 * each), 3);
	ck_assert_uint_eq(taken(7, 1000, NOW + 10 * ALLOWANCE_HOUR_MS),
			  ALLOWANCE_DOMAIN);
}
END_TEST

/* As fast as it may, for hours: no domain is forgotten too early. */
START_TEST(allowance__knows_every_domain_that_is_not_at_rest)
{
	uint64_t domain = 0;

	begin();
	for (int64_t at = NOW; at < NOW + 3 * ALLOWANCE_HOUR_MS; at += 1000) {
		while (allowance_take(&a, domain, at))
			domain++;
	}
	ck_assert_uint_ge(domain, 3 * ALLOWANCE_ALL);
	ck_assert_uint_le(domain, 4 * ALLOWANCE_ALL);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"allowance",
		TEST(allowance__ends_for_a_domain_and_not_for_others),
		TEST(allowance__ends_for_all_together),
		TEST(allowance__comes_back_with_time),
		TEST(allowance__knows_every_domain_that_is_not_at_rest));
}
