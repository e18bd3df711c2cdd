#include "mxhold/base/mem.h"

#include <signal.h>
#include <stdint.h>

#include "unit/base/suite.h"

START_TEST(mem__is_zeroed_and_never_null)
{
	char *p = mem_alloc(100);

	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(p[i], 0);
	mem_free(p);
	p = mem_alloc(0);
	ck_assert_ptr_nonnull(p);
	mem_free(p);
	mem_free(NULL);
}
END_TEST

START_TEST(mem__aborts_when_an_array_overflows)
{
	volatile size_t huge = SIZE_MAX / 2;

	mem_free(mem_array(huge, 3));
}
END_TEST

START_TEST(mem__copies_strings)
{
	char *a = mem_strdup("text"), *b = mem_strndup("text", 2);

	ck_assert_str_eq(a, "text");
	ck_assert_str_eq(b, "te");
	mem_free(a);
	mem_free(b);
	a = mem_strndup(NULL, 0);
	ck_assert_str_eq(a, "");
	mem_free(a);
}
END_TEST

START_TEST(mem__fails_at_the_call_that_the_test_names_and_only_there)
{
	void *p;

	mem_fail_at(2);
	p = mem_try_alloc(1);
	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_null(mem_try_realloc(p, 2));
	p = mem_try_realloc(p, 2);
	ck_assert_ptr_nonnull(p);
	mem_free(p);
	mem_fail_at(1);
	mem_fail_at(0);
	p = mem_try_alloc(0);
	ck_assert_ptr_nonnull(p);
	mem_free(p);
}
END_TEST

START_TEST(mem__try_returns_null_when_there_is_not_so_much)
{
	volatile size_t huge = SIZE_MAX / 2;

	ck_assert_ptr_null(mem_try_alloc(huge));
}
END_TEST

/* The sanitizers' allocators must say no as malloc does. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

int main(void)
{
	return RUN_TESTS(
		"mem", TEST(mem__is_zeroed_and_never_null),
		DIES(mem__aborts_when_an_array_overflows, SIGABRT),
		TEST(mem__copies_strings),
		TEST(mem__fails_at_the_call_that_the_test_names_and_only_there),
		TEST(mem__try_returns_null_when_there_is_not_so_much));
}
