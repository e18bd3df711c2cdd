/* One suite, one case, from a table of tests: what main() of a test needs. */
#ifndef MXHOLD_TESTS_UNIT_BASE_SUITE_H
#define MXHOLD_TESTS_UNIT_BASE_SUITE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mxhold/base/slice.h"

struct test {
	const TTest *fn;
	size_t rows; /* of its table; 0 = no loop */
	int signal;  /* it must die of; 0 = none */
};

static inline int run_tests(const char *name, const struct test *tests,
			    size_t n)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < n; i++) {
		const struct test *t = &tests[i];

		if (t->signal)
			tcase_add_test_raise_signal(tcase, t->fn, t->signal);
		else if (t->rows)
			tcase_add_loop_test(tcase, t->fn, 0, (int)t->rows);
		else
			tcase_add_test(tcase, t->fn);
	}
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* In main: RUN_TESTS("name", TEST(a), LOOP(b, its_table), DIES(c, SIGABRT)) */
#define TEST(f)         \
	{               \
		.fn = f \
	}
#define LOOP(f, table)                                              \
	{                                                           \
		.fn = f, .rows = sizeof(table) / sizeof((table)[0]) \
	}
#define DIES(f, sig)                   \
	{                              \
		.fn = f, .signal = sig \
	}

#define RUN_TESTS(name, ...)                                   \
	run_tests(name, (const struct test[]){__VA_ARGS__},    \
		  sizeof((const struct test[]){__VA_ARGS__}) / \
			  sizeof(struct test))

/* The octets of a slice against a string literal. */
#define ck_assert_slice_eq(s, literal)                                        \
	do {                                                                  \
		struct slice got_ = (s), want_ = slice_str(literal);          \
		ck_assert_msg(slice_eq(got_, want_), "got '%.*s', want '%s'", \
			      (int)got_.n, got_.n ? got_.p : "", want_.p);    \
	} while (0)

#endif
