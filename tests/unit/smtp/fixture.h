/* One case whose tests share setup and teardown. */
#ifndef MXHOLD_TESTS_UNIT_SMTP_FIXTURE_H
#define MXHOLD_TESTS_UNIT_SMTP_FIXTURE_H

#include <check.h>
#include <stdlib.h>

static inline int run_with(const char *name, const TTest *const *tests,
			   size_t n, SFun setup, SFun teardown)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
