#include "mxhold/smtp/reply.h"

#include "unit/base/suite.h"

static const struct {
	int code;
	const char *enhanced, *text, *wire;
} rows[] = {
	{250, "2.1.0", "ok", "250 2.1.0 ok\r\n"},
	{354, "", "go", "354 go\r\n"},
	{250, "", "", "250 \r\n"},
	{250, "2.0.0", "", "250 2.0.0\r\n"},
	{550, "5.1.1", "a\nb", "550-5.1.1 a\r\n550 5.1.1 b\r\n"},
	{220, "", "a\nb\nc", "220-a\r\n220-b\r\n220 c\r\n"},
};

START_TEST(reply__has_code_and_enhanced_code_on_each_line)
{
	struct smtp_reply r;
	struct buf b;

	buf_init(&b, 4096);
	smtp_reply_set(&r, rows[_i].code, rows[_i].enhanced, "%s",
		       rows[_i].text);
	ck_assert_int_eq(smtp_reply_append(&b, &r), 0);
	ck_assert_slice_eq(buf_slice(&b), rows[_i].wire);
	buf_done(&b);
}
END_TEST

START_TEST(reply__makes_arguments_printable)
{
	struct smtp_reply r;

	smtp_reply_set(&r, 550, "5.1.1", "no <%s>", "a\r\x1b[1m\xc3\xa9");
	ck_assert_str_eq(r.text, "no <a?\?[1m?\?>");
}
END_TEST

START_TEST(reply__is_cut_to_lines_of_512_octets)
{
	char text[2000];
	struct smtp_reply r;
	struct buf b;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	buf_init(&b, 4096);
	smtp_reply_set(&r, 550, "5.111.111", "%s", text);
	ck_assert_int_eq(smtp_reply_append(&b, &r), 0);
	ck_assert_uint_le(b.n, 512);
	ck_assert_uint_ge(b.n, 480);
	buf_done(&b);
}
END_TEST

START_TEST(reply__is_appended_whole_or_not_at_all)
{
	struct smtp_reply r;
	struct buf b;

	buf_init(&b, 20);
	buf_append_str(&b, "before");
	smtp_reply_set(&r, 250, "2.0.0", "a\nb");
	ck_assert_int_eq(smtp_reply_append(&b, &r), -1);
	ck_assert_slice_eq(buf_slice(&b), "before");
	buf_done(&b);
}
END_TEST

START_TEST(reply__is_one_line_in_a_log)
{
	struct smtp_reply r;
	char line[64], small[8];

	smtp_reply_set(&r, 550, "5.1.1", "no\nsuch user");
	smtp_reply_format(&r, line, sizeof(line));
	ck_assert_str_eq(line, "550 5.1.1 no such user");
	smtp_reply_format(&r, small, sizeof(small));
	ck_assert_str_eq(small, "550 5.1");
}
END_TEST

START_TEST(reply__has_a_status_even_without_enhanced_code)
{
	struct smtp_reply r;
	char status[12];

	smtp_reply_set(&r, 550, "5.1.1", "x");
	smtp_reply_status(&r, status);
	ck_assert_str_eq(status, "5.1.1");
	smtp_reply_set(&r, 451, "", "x");
	smtp_reply_status(&r, status);
	ck_assert_str_eq(status, "4.0.0");
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"smtp/reply",
		LOOP(reply__has_code_and_enhanced_code_on_each_line, rows),
		TEST(reply__makes_arguments_printable),
		TEST(reply__is_cut_to_lines_of_512_octets),
		TEST(reply__is_appended_whole_or_not_at_all),
		TEST(reply__is_one_line_in_a_log),
		TEST(reply__has_a_status_even_without_enhanced_code));
}
