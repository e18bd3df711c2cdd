#include "mxhold/base/slice.h"

#include "unit/base/suite.h"

START_TEST(slice__compares_ascii_letters_caselessly_and_nothing_else)
{
	ck_assert(slice_eq_nocase(SLICE("MaIl"), SLICE("mAiL")));
	ck_assert(!slice_eq_nocase(SLICE("mail"), SLICE("mails")));
	ck_assert(!slice_eq_nocase(SLICE("["), SLICE("{")));
	ck_assert(!slice_eq_nocase(SLICE("\xc3\x84"), SLICE("\xc3\xa4")));
	ck_assert(slice_eq_nocase(slice_make(NULL, 0), SLICE("")));
	ck_assert(slice_starts_nocase(SLICE("MAIL FROM"), SLICE("mail")));
	ck_assert(!slice_starts_nocase(SLICE("MAI"), SLICE("mail")));
}
END_TEST

START_TEST(slice__sorts_like_memcmp_with_the_shorter_first)
{
	ck_assert_int_lt(slice_cmp(SLICE("a"), SLICE("b")), 0);
	ck_assert_int_lt(slice_cmp(SLICE("a"), SLICE("ab")), 0);
	ck_assert_int_gt(slice_cmp(SLICE("\xff"), SLICE("a")), 0);
	ck_assert_int_eq(slice_cmp(SLICE("ab"), SLICE("ab")), 0);
	ck_assert_int_lt(slice_cmp(slice_make(NULL, 0), SLICE("a")), 0);
}
END_TEST

START_TEST(slice__skips_and_cuts_within_its_bounds)
{
	ck_assert_slice_eq(slice_skip(SLICE("abc"), 1), "bc");
	ck_assert_slice_eq(slice_skip(SLICE("abc"), 9), "");
	ck_assert_slice_eq(slice_head(SLICE("abc"), 2), "ab");
	ck_assert_slice_eq(slice_head(SLICE("abc"), 9), "abc");
	ck_assert_uint_eq(slice_skip(slice_make(NULL, 0), 3).n, 0);
}
END_TEST

START_TEST(slice__finds_octets_and_trims_blanks)
{
	ck_assert_int_eq(slice_index(slice_make("a\0b", 3), 0), 1);
	ck_assert_int_eq(slice_index(SLICE("abc"), 'c'), 2);
	ck_assert_int_eq(slice_index(SLICE("abc"), 'x'), -1);
	ck_assert_int_eq(slice_index(slice_make(NULL, 0), 'x'), -1);
	ck_assert_slice_eq(slice_trim(SLICE(" \t a b\t ")), "a b");
	ck_assert_slice_eq(slice_trim(SLICE(" \t ")), "");
	ck_assert_slice_eq(slice_trim(SLICE("\r\n")), "\r\n");
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"slice",
		TEST(slice__compares_ascii_letters_caselessly_and_nothing_else),
		TEST(slice__sorts_like_memcmp_with_the_shorter_first),
		TEST(slice__skips_and_cuts_within_its_bounds),
		TEST(slice__finds_octets_and_trims_blanks));
}
