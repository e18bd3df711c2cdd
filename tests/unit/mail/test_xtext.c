#include "mxhold/mail/xtext.h"

#include "unit/base/suite.h"

static const struct {
	const char *xtext, *plain; /* NULL: not xtext */
} rows[] = {
	/* EXT-34 */
	{"abc", "abc"},         {"", ""},           {"rfc822", "rfc822"},
	{"a+2Bb+3Dc", "a+b=c"}, {"+20", " "},       {"+0A", "\n"},
	{"+2b", NULL},          {"+4", NULL},       {"+", NULL},
	{"+4G", NULL},          {"a=b", NULL},      {"a b", NULL},
	{"a\tb", NULL},         {"\xc3\xa9", NULL}, {"\x7f", NULL},
};

START_TEST(xtext__reads_upper_case_hex_alone)
{
	struct slice in = slice_str(rows[_i].xtext);
	struct buf b;

	buf_init(&b, 100);
	buf_append_str(&b, "x");
	ck_assert_int_eq(xtext_is_valid(in), rows[_i].plain != NULL);
	if (rows[_i].plain) {
		ck_assert_int_eq(xtext_decode(in, &b), 0);
		ck_assert_slice_eq(slice_skip(buf_slice(&b), 1),
				   rows[_i].plain);
	} else {
		ck_assert_int_eq(xtext_decode(in, &b), -1);
		ck_assert_slice_eq(buf_slice(&b), "x");
	}
	buf_done(&b);
}
END_TEST

START_TEST(xtext__goes_there_and_back_for_every_octet)
{
	struct buf there, back;
	char all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	buf_init(&there, 1000);
	buf_init(&back, 1000);
	ck_assert_int_eq(xtext_append(&there, slice_make(all, 256)), 0);
	ck_assert(xtext_is_valid(buf_slice(&there)));
	ck_assert_int_eq(xtext_decode(buf_slice(&there), &back), 0);
	ck_assert(slice_eq(buf_slice(&back), slice_make(all, 256)));
	buf_done(&there);
	buf_done(&back);
}
END_TEST

START_TEST(xtext__appends_all_or_nothing)
{
	struct buf b;

	buf_init(&b, 4);
	ck_assert_int_eq(xtext_append(&b, SLICE("ab c")), -1);
	ck_assert_uint_eq(b.n, 0);
	ck_assert_int_eq(utf8_xtext_append(&b, SLICE("a\xc3\xa9")), -1);
	ck_assert_uint_eq(b.n, 0);
	ck_assert_int_eq(utf8_xtext_append(&b, SLICE("a\xc3")), -1);
	buf_done(&b);
}
END_TEST

static const struct {
	const char *in;
	bool seven, raw; /* valid in the 7-bit form, with raw UTF-8 */
	const char *utf8;
} forms[] = {
	/* EXT-37 */
	{"a@x.example", true, true, "a@x.example"},
	{"\\x{E9}@x", true, true, "\xc3\xa9@x"},
	{"\\x{e9}@x", true, true, "\xc3\xa9@x"},
	{"\\x{20}\\x{5C}\\x{2B}\\x{3D}", true, true, " \\+="},
	{"\\x{20AC}", true, true, "\xe2\x82\xac"},
	{"\\x{1F600}", true, true, "\xf0\x9f\x98\x80"},
	{"\\x{10FFFF}", true, true, "\xf4\x8f\xbf\xbf"},
	{"\xc3\xa9@x", false, true, "\xc3\xa9@x"},
	{"", false, false, NULL},
	{"\\x{D800}", false, false, NULL},
	{"\\x{DFFF}", false, false, NULL},
	{"\\x{110000}", false, false, NULL},
	{"\\x{00}", false, false, NULL},
	{"\\x{0010FFFF}", false, false, NULL},
	{"\\x{E}", false, false, NULL},
	{"\\x{}", false, false, NULL},
	{"\\x{E9", false, false, NULL},
	{"\\x", false, false, NULL},
	{"\\", false, false, NULL},
	{"\\y{E9}", false, false, NULL},
	{"a b", false, false, NULL},
	{"a+b", false, false, NULL},
	{"a=b", false, false, NULL},
	{"\xff", false, false, NULL},
};

START_TEST(utf8_xtext__reads_escapes_and_raw_utf8)
{
	struct slice in = slice_str(forms[_i].in);
	struct buf b;

	buf_init(&b, 100);
	ck_assert_int_eq(utf8_xtext_is_valid(in, false), forms[_i].seven);
	ck_assert_int_eq(utf8_xtext_is_valid(in, true), forms[_i].raw);
	if (forms[_i].utf8) {
		ck_assert_int_eq(utf8_xtext_decode(in, &b), 0);
		ck_assert_slice_eq(buf_slice(&b), forms[_i].utf8);
	} else if (in.n) {
		ck_assert_int_eq(utf8_xtext_decode(in, &b), -1);
	}
	buf_done(&b);
}
END_TEST

START_TEST(utf8_xtext__writes_upper_case_escapes)
{
	struct buf b;

	buf_init(&b, 100);
	utf8_xtext_append(&b, SLICE("a\xc3\xa9 \\+=\n\xf0\x9f\x98\x80@x"));
	ck_assert_slice_eq(
		buf_slice(&b),
		"a\\x{E9}\\x{20}\\x{5C}\\x{2B}\\x{3D}\\x{0A}\\x{1F600}@x");
	buf_done(&b);
}
END_TEST

int main(void)
{
	return RUN_TESTS("xtext", LOOP(xtext__reads_upper_case_hex_alone, rows),
			 TEST(xtext__goes_there_and_back_for_every_octet),
			 TEST(xtext__appends_all_or_nothing),
			 LOOP(utf8_xtext__reads_escapes_and_raw_utf8, forms),
			 TEST(utf8_xtext__writes_upper_case_escapes));
}
