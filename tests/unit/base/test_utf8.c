#include "mxhold/base/text.h"
#include "unit/base/suite.h"

static const struct {
	const char *text;
	bool good;
} utf8[] = {
	{"", true},
	{"plain", true},
	{"\xc2\x80", true},
	{"\xdf\xbf", true},
	{"\xe0\xa0\x80", true},
	{"\xed\x9f\xbf", true},
	{"\xee\x80\x80", true},
	{"\xef\xbf\xbf", true},
	{"\xf0\x90\x80\x80", true},
	{"\xf4\x8f\xbf\xbf", true},
	{"\x80", false},
	{"\xc0\x80", false},         /* two octets for NUL */
	{"\xc1\xbf", false},         /* not the shortest form */
	{"\xe0\x9f\xbf", false},     /* not the shortest form */
	{"\xf0\x8f\xbf\xbf", false}, /* not the shortest form */
	{"\xed\xa0\x80", false},     /* surrogate */
	{"\xed\xbf\xbf", false},     /* surrogate */
	{"\xf4\x90\x80\x80", false}, /* above U+10FFFF */
	{"\xf5\x80\x80\x80", false},
	{"\xff", false},
	{"\xc3", false},
	{"\xe2\x82", false},
	{"\xf0\x9f\x98", false},
	{"\xc3(", false},
	{"\xe2\x82(", false},
	{"ok\xe2(\xac", false},
};

START_TEST(text__knows_valid_utf8)
{
	ck_assert_int_eq(text_is_utf8(slice_str(utf8[_i].text)), utf8[_i].good);
}
END_TEST

START_TEST(text__decodes_characters)
{
	uint32_t code = 0;

	ck_assert_uint_eq(text_utf8_next(SLICE("\xf0\x9f\x98\x80x"), &code), 4);
	ck_assert_uint_eq(code, 0x1f600);
	ck_assert_uint_eq(text_utf8_next(SLICE("\xe2\x82\xac"), &code), 3);
	ck_assert_uint_eq(code, 0x20ac);
	ck_assert_uint_eq(text_utf8_next(SLICE("\xc3\xa9"), &code), 2);
	ck_assert_uint_eq(code, 0xe9);
	ck_assert_uint_eq(text_utf8_next(slice_make("\0", 1), &code), 1);
	ck_assert_uint_eq(code, 0);
	ck_assert_uint_eq(text_utf8_next(SLICE(""), &code), 0);
}
END_TEST

START_TEST(text__knows_ascii)
{
	ck_assert(text_is_ascii(slice_make("a\0\x7f", 3)));
	ck_assert(!text_is_ascii(SLICE("a\x80")));
}
END_TEST

static const struct {
	struct slice in;
	const char *out;
} safe[] = {
	{{"plain text", 10}, "plain text"},
	{{"a\r\nb", 4}, "a\\x0d\\x0ab"},
	{{"a\0b", 3}, "a\\x00b"},
	{{"\x1b[31m", 5}, "\\x1b[31m"},
	{{"\x7f", 1}, "\\x7f"},
	{{"\\", 1}, "\\\\"},
	{{"\xc3\xa9", 2}, "\xc3\xa9"},
	{{"\xc2\x85", 2}, "\\xc2\\x85"},          /* C1: NEL */
	{{"\xe2\x80\xae", 3}, "\\xe2\\x80\\xae"}, /* bidi override */
	{{"\xe2\x81\xa6", 3}, "\\xe2\\x81\\xa6"}, /* bidi isolate */
	{{"\xff\xc3", 2}, "\\xff\\xc3"},
};

START_TEST(text__shows_nothing_that_a_terminal_obeys)
{
	struct buf b;

	buf_init(&b, 100);
	ck_assert_int_eq(text_append_safe(&b, safe[_i].in, 50), 0);
	ck_assert_slice_eq(buf_slice(&b), safe[_i].out);
	buf_done(&b);
}
END_TEST

START_TEST(text__cuts_between_characters)
{
	struct buf b;

	buf_init(&b, 100);
	text_append_safe(&b, SLICE("ab\xf0\x9f\x98\x80"), 5);
	ck_assert_slice_eq(buf_slice(&b), "ab");
	buf_clear(&b);
	text_append_safe(&b, SLICE("ab\xf0\x9f\x98\x80"), 6);
	ck_assert_slice_eq(buf_slice(&b), "ab\xf0\x9f\x98\x80");
	buf_clear(&b);
	text_append_safe(&b, SLICE("abcdef"), 3);
	ck_assert_slice_eq(buf_slice(&b), "abc");
	buf_done(&b);
}
END_TEST

START_TEST(text__appends_all_or_nothing)
{
	struct buf b;

	buf_init(&b, 6);
	buf_append_str(&b, "abc");
	ck_assert_int_eq(text_append_safe(&b, SLICE("de\n"), 50), -1);
	ck_assert_slice_eq(buf_slice(&b), "abc");
	buf_done(&b);
}
END_TEST

int main(void)
{
	return RUN_TESTS("utf8", LOOP(text__knows_valid_utf8, utf8),
			 TEST(text__decodes_characters),
			 TEST(text__knows_ascii),
			 LOOP(text__shows_nothing_that_a_terminal_obeys, safe),
			 TEST(text__cuts_between_characters),
			 TEST(text__appends_all_or_nothing));
}
