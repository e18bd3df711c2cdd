#include "mxhold/base/error.h"

#include <errno.h>

#include "unit/base/suite.h"

START_TEST(error__holds_a_sentence)
{
	struct error e;

	ck_assert_int_eq(error_set(&e, "no %s at %d", "house", 7), -1);
	ck_assert_str_eq(e.text, "no house at 7");
	ck_assert_int_eq(e.sys, 0);
}
END_TEST

START_TEST(error__adds_what_the_system_says)
{
	struct error e;

	ck_assert_int_eq(error_sys(&e, ENOENT, "open %s", "x"), -1);
	ck_assert_str_eq(e.text, "open x: No such file or directory");
	ck_assert_int_eq(e.sys, ENOENT);
}
END_TEST

START_TEST(error__takes_a_prefix_and_keeps_the_errno)
{
	struct error e;

	error_sys(&e, ENOENT, "open");
	ck_assert_int_eq(error_prefix(&e, "line %d", 3), -1);
	ck_assert_str_eq(e.text, "line 3: open: No such file or directory");
	ck_assert_int_eq(e.sys, ENOENT);
}
END_TEST

START_TEST(error__cuts_what_does_not_fit)
{
	struct error e;

	error_set(&e, "%600d", 1);
	ck_assert_uint_eq(strlen(e.text), sizeof(e.text) - 1);
	error_prefix(&e, "%600d", 1);
	ck_assert_uint_eq(strlen(e.text), sizeof(e.text) - 1);
	error_sys(&e, EIO, "%600d", 1);
	ck_assert_uint_eq(strlen(e.text), sizeof(e.text) - 1);
}
END_TEST

START_TEST(error__may_be_null)
{
	ck_assert_int_eq(error_set(NULL, "x"), -1);
	ck_assert_int_eq(error_sys(NULL, EIO, "x"), -1);
	ck_assert_int_eq(error_prefix(NULL, "x"), -1);
}
END_TEST

int main(void)
{
	return RUN_TESTS("error", TEST(error__holds_a_sentence),
			 TEST(error__adds_what_the_system_says),
			 TEST(error__takes_a_prefix_and_keeps_the_errno),
			 TEST(error__cuts_what_does_not_fit),
			 TEST(error__may_be_null));
}
