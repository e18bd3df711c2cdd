#include "mxhold/base/buf.h"

#include <signal.h>
#include <stdint.h>

#include "mxhold/base/mem.h"
#include "unit/base/suite.h"

START_TEST(buf__grows_up_to_its_cap_and_no_further)
{
	struct buf b;

	buf_init(&b, 1000);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(buf_append(&b, "x", 1), 0);
	ck_assert_uint_eq(buf_left(&b), 0);
	ck_assert_int_eq(buf_append(&b, "y", 1), -1);
	ck_assert_uint_eq(b.n, 1000);
	ck_assert_uint_le(b.room, 1000);
	buf_done(&b);
}
END_TEST

START_TEST(buf__stays_as_it_was_when_an_append_fails)
{
	struct buf b;

	buf_init(&b, 8);
	ck_assert_int_eq(buf_append_str(&b, "abcd"), 0);
	ck_assert_int_eq(buf_append_str(&b, "efghi"), -1);
	ck_assert_int_eq(buf_printf(&b, "%d", 123456), -1);
	ck_assert_slice_eq(buf_slice(&b), "abcd");
	buf_done(&b);
}
END_TEST

START_TEST(buf__stays_as_it_was_without_memory)
{
	struct buf b;

	buf_init(&b, 100000);
	ck_assert_int_eq(buf_append_str(&b, "abcd"), 0);
	mem_fail_at(1);
	ck_assert_int_eq(buf_reserve(&b, 5000), -1);
	mem_fail_at(1);
	ck_assert_int_eq(buf_printf(&b, "%5000d", 1), -1);
	ck_assert_slice_eq(buf_slice(&b), "abcd");
	buf_done(&b);
}
END_TEST

START_TEST(buf__keeps_order_while_consumed_and_appended)
{
	uint8_t in = 0, out = 0;
	struct buf b;

	buf_init(&b, 97);
	for (int round = 0; round < 5000; round++) {
		size_t add = (size_t)(round * 7 % 13);

		for (; add && buf_append(&b, &in, 1) == 0; add--)
			in++;
		for (size_t drop = (size_t)(round * 5 % 11); drop && b.n;
		     drop--) {
			ck_assert_uint_eq((uint8_t)buf_slice(&b).p[0], out);
			buf_consume(&b, 1);
			out++;
		}
	}
	buf_done(&b);
}
END_TEST

START_TEST(buf__prints_short_and_long_text)
{
	struct buf b;

	buf_init(&b, 5000);
	ck_assert_int_eq(buf_printf(&b, "%s-%d", "ab", 7), 0);
	ck_assert_slice_eq(buf_slice(&b), "ab-7");
	ck_assert_int_eq(buf_printf(&b, "%3000d", 5), 0);
	ck_assert_uint_eq(b.n, 3004);
	ck_assert_int_eq(buf_slice(&b).p[3003], '5');
	buf_done(&b);
}
END_TEST

START_TEST(buf__moves_its_bytes_and_leaves_the_source_empty)
{
	struct buf a, b;

	buf_init(&a, 10);
	buf_init(&b, 20);
	buf_append_str(&a, "old");
	buf_append_str(&b, "new");
	buf_move(&a, &b);
	ck_assert_slice_eq(buf_slice(&a), "new");
	ck_assert_uint_eq(a.cap, 20);
	ck_assert_uint_eq(b.n, 0);
	ck_assert_int_eq(buf_append_str(&b, "again"), 0);
	buf_done(&a);
	buf_done(&b);
}
END_TEST

START_TEST(buf__truncates_and_clears)
{
	struct buf b;

	buf_init(&b, 20);
	ck_assert_uint_eq(buf_slice(&b).n, 0);
	buf_append_str(&b, "abcdef");
	buf_consume(&b, 1);
	buf_truncate(&b, 2);
	ck_assert_slice_eq(buf_slice(&b), "bc");
	buf_clear(&b);
	ck_assert_uint_eq(b.n, 0);
	buf_done(&b);
}
END_TEST

START_TEST(buf__dies_when_more_is_consumed_than_there_is)
{
	struct buf b;

	buf_init(&b, 20);
	buf_append_str(&b, "abc");
	buf_consume(&b, 4);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"buf", TEST(buf__grows_up_to_its_cap_and_no_further),
		TEST(buf__stays_as_it_was_when_an_append_fails),
		TEST(buf__stays_as_it_was_without_memory),
		TEST(buf__keeps_order_while_consumed_and_appended),
		TEST(buf__prints_short_and_long_text),
		TEST(buf__moves_its_bytes_and_leaves_the_source_empty),
		TEST(buf__truncates_and_clears),
		DIES(buf__dies_when_more_is_consumed_than_there_is, SIGABRT));
}
