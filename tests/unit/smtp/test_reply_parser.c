#include "mxhold/smtp/reply_parser.h"

#include "unit/base/suite.h"

static const struct {
	const char *in;
	int code; /* 0: not a reply; -1: not whole */
	const char *enhanced, *text;
} rows[] = {
	{"250 ok\r\n", 250, "", "ok"},
	{"250 ok\n", 250, "", "ok"},
	{"250\r\n", 250, "", ""},
	{"250 \r\n", 250, "", ""},
	{"250-a\r\n250-b\r\n250 c\r\n", 250, "", "a\nb\nc"},
	{"250-a\r\n250\r\n", 250, "", "a\n"},
	{"550 5.1.1 no\r\n", 550, "5.1.1", "no"},
	{"550-5.1.1 a\r\n550 5.1.1 b\r\n", 550, "5.1.1", "a\nb"},
	{"550-5.1.1 a\r\n550 5.7.1 b\r\n", 550, "5.1.1", "a\n5.7.1 b"},
	{"550 5.1.1\r\n", 550, "5.1.1", ""},
	{"550 4.1.1 no\r\n", 550, "", "4.1.1 no"},
	{"550 5.1 no\r\n", 550, "", "5.1 no"},
	{"550 5.1.1.1 no\r\n", 550, "", "5.1.1.1 no"},
	{"550 5.1111.1 no\r\n", 550, "", "5.1111.1 no"},
	{"550 5..1 no\r\n", 550, "", "5..1 no"},
	{"550 a\tb\x1b[m\r\n", 550, "", "a?b?[m"},
	{"599 x\r\n", 599, "", "x"},
	{"250-a\r\n251 b\r\n", 0, "", ""},
	{"150 x\r\n", 0, "", ""},
	{"650 x\r\n", 0, "", ""},
	{"25 x\r\n", 0, "", ""},
	{"25x x\r\n", 0, "", ""},
	{"250x\r\n", 0, "", ""},
	{"\r\n", 0, "", ""},
	{"hello\r\n", 0, "", ""},
	{"250-a\r\n", -1, "", ""},
	{"250 a", -1, "", ""},
	{"", -1, "", ""},
};

static enum smtp_reply_result parse(struct smtp_reply_parser *p,
				    struct slice in, size_t *spent)
{
	enum smtp_reply_result r;
	struct slice line;
	size_t used;

	*spent = 0;
	do {
		r = smtp_reply_take(p, in, &line, &used);
		in = slice_skip(in, used);
		*spent += used;
	} while (r == SMTP_REPLY_LINE);
	return r;
}

START_TEST(reply_parser__reads_replies)
{
	struct smtp_reply_parser p = {.lines = 0};
	size_t used;
	enum smtp_reply_result r = parse(&p, slice_str(rows[_i].in), &used);

	if (rows[_i].code > 0) {
		ck_assert_int_eq(r, SMTP_REPLY_LAST);
		ck_assert_int_eq(p.reply.code, rows[_i].code);
		ck_assert_str_eq(p.reply.enhanced, rows[_i].enhanced);
		ck_assert_str_eq(p.reply.text, rows[_i].text);
		ck_assert_uint_eq(used, strlen(rows[_i].in));
	} else {
		ck_assert_int_eq(r, rows[_i].code == 0 ? SMTP_REPLY_BAD
						       : SMTP_REPLY_MORE);
	}
}
END_TEST

START_TEST(reply_parser__stops_at_100_lines)
{
	struct smtp_reply_parser p = {.lines = 0};
	struct buf b;
	size_t used;

	buf_init(&b, 1 << 20);
	for (int i = 0; i < 99; i++)
		buf_append_str(&b, "250-x\r\n");
	buf_append_str(&b, "250 x\r\n");
	ck_assert_int_eq(parse(&p, buf_slice(&b), &used), SMTP_REPLY_LAST);
	p = (struct smtp_reply_parser){.lines = 0};
	buf_truncate(&b, 99 * 7);
	buf_append_str(&b, "250-x\r\n250 x\r\n");
	ck_assert_int_eq(parse(&p, buf_slice(&b), &used), SMTP_REPLY_BAD);
	buf_done(&b);
}
END_TEST

/* TX-5 */
START_TEST(reply_parser__stops_at_64_kib)
{
	struct smtp_reply_parser p = {.lines = 0};
	struct buf b;
	size_t used;

	buf_init(&b, 1 << 20);
	buf_append_str(&b, "250 ");
	while (b.n < SMTP_REPLY_BYTES_MAX)
		buf_append_str(&b, "x");
	ck_assert_int_eq(parse(&p, buf_slice(&b), &used), SMTP_REPLY_MORE);
	buf_append_str(&b, "x");
	ck_assert_int_eq(parse(&p, buf_slice(&b), &used), SMTP_REPLY_BAD);
	buf_done(&b);
}
END_TEST

START_TEST(reply_parser__cuts_long_text_and_keeps_the_code)
{
	struct smtp_reply_parser p = {.lines = 0};
	struct buf b;
	size_t used;

	buf_init(&b, 1 << 20);
	for (int i = 0; i < 60; i++)
		buf_append_str(&b, "550-5.1.1 some twenty octets\r\n");
	buf_append_str(&b, "550 5.1.1 end\r\n");
	ck_assert_int_eq(parse(&p, buf_slice(&b), &used), SMTP_REPLY_LAST);
	ck_assert_int_eq(p.reply.code, 550);
	ck_assert_uint_eq(strlen(p.reply.text), REPLY_TEXT_MAX - 1);
	buf_done(&b);
}
END_TEST

int main(void)
{
	return RUN_TESTS("smtp/reply_parser",
			 LOOP(reply_parser__reads_replies, rows),
			 TEST(reply_parser__stops_at_100_lines),
			 TEST(reply_parser__stops_at_64_kib),
			 TEST(reply_parser__cuts_long_text_and_keeps_the_code));
}
