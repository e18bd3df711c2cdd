#include "mxhold/base/arena.h"

#include <stdalign.h>
#include <stdint.h>

#include "mxhold/base/mem.h"
#include "unit/base/suite.h"

START_TEST(arena__gives_zeroed_and_aligned_memory)
{
	struct arena a;

	arena_init(&a, 100000);
	for (size_t n = 1; n < 300; n++) {
		char *p = arena_alloc(&a, n);

		ck_assert_ptr_nonnull(p);
		ck_assert_uint_eq((uintptr_t)p % alignof(max_align_t), 0);
		for (size_t i = 0; i < n; i++)
			ck_assert_int_eq(p[i], 0);
		memset(p, 0xff, n);
	}
	arena_done(&a);
}
END_TEST

START_TEST(arena__refuses_beyond_its_cap_and_serves_again_after_reset)
{
	struct arena a;

	arena_init(&a, 4096);
	ck_assert_ptr_nonnull(arena_alloc(&a, 4000));
	ck_assert_ptr_null(arena_alloc(&a, 200));
	ck_assert_ptr_nonnull(arena_alloc(&a, 16));
	arena_reset(&a);
	ck_assert_uint_eq(a.used, 0);
	ck_assert_ptr_nonnull(arena_alloc(&a, 4096));
	arena_done(&a);
}
END_TEST

START_TEST(arena__refuses_sizes_that_would_overflow)
{
	struct arena a;

	arena_init(&a, SIZE_MAX);
	ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX));
	ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX - 8));
	ck_assert_ptr_null(arena_dup(&a, (struct slice){"x", SIZE_MAX}).p);
	arena_done(&a);
}
END_TEST

START_TEST(arena__fails_without_memory)
{
	struct arena a;

	arena_init(&a, 4096);
	mem_fail_at(1);
	ck_assert_ptr_null(arena_alloc(&a, 8));
	ck_assert_ptr_nonnull(arena_alloc(&a, 8));
	arena_done(&a);
}
END_TEST

START_TEST(arena__copies_slices_with_a_nul_behind)
{
	struct slice s, empty;
	struct arena a;

	arena_init(&a, 4096);
	s = arena_dup(&a, slice_make("a\0b", 3));
	ck_assert_uint_eq(s.n, 3);
	ck_assert_mem_eq(s.p, "a\0b", 4);
	empty = arena_dup(&a, slice_make(NULL, 0));
	ck_assert_ptr_nonnull(empty.p);
	ck_assert_str_eq(empty.p, "");
	arena_done(&a);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"arena", TEST(arena__gives_zeroed_and_aligned_memory),
		TEST(arena__refuses_beyond_its_cap_and_serves_again_after_reset),
		TEST(arena__refuses_sizes_that_would_overflow),
		TEST(arena__fails_without_memory),
		TEST(arena__copies_slices_with_a_nul_behind));
}
