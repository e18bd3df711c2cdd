#include "mxhold/smtp/line.h"

#include "mxhold/base/buf.h"
#include "unit/base/suite.h"

enum {
	M = SMTP_LINE_MORE,
	K = SMTP_LINE_OK,
	L = SMTP_LINE_TOO_LONG,
	B = SMTP_LINE_BAD
};

static const struct {
	const char *in;
	size_t n;
	int results[6]; /* each line in turn; 0 ends, as M does */
} rows[] = {
#define IN(s) s, sizeof(s) - 1
	{IN("NOOP\r\n"), {K}},
	{IN("a\r\nb\r\n"), {K, K}},
	{IN("\r\n"), {K}},
	{IN("NOOP"), {M}},
	{IN("NOOP\r"), {M}},
	{IN("NOOP\n"), {B}},
	{IN("\n"), {B}},
	/* behind a bare LF nothing runs before the next CRLF has come */
	{IN("a\nb\r\nc\r\n"), {B, B, K}},
	{IN("a\nb\nc\r\nd\r\n"), {B, B, B, K}},
	{IN("a\rb\r\nc\r\n"), {B, K}},
	{IN("a\r\r\n"), {B}},
	{IN("a\0b\r\n"), {B}},
	{IN("\0\r\n"), {B}},
	{IN("a\r\n\nb\r\n"), {K, B, B}},
};

/* One octet more at a time, as slow clients do. */
static void check_slowly(int row)
{
	struct smtp_line l = {.scanned = 0};
	struct buf b;
	int at = 0;

	buf_init(&b, 65536);
	for (size_t i = 0; i < rows[row].n; i++) {
		enum smtp_line_result r;
		struct slice line;
		size_t used;

		buf_append(&b, &rows[row].in[i], 1);
		r = smtp_line_take(&l, buf_slice(&b), &line, &used);
		buf_consume(&b, used);
		if (r != SMTP_LINE_MORE)
			ck_assert_int_eq(r, rows[row].results[at++]);
	}
	ck_assert_int_eq(rows[row].results[at], M);
	buf_done(&b);
}

START_TEST(line__knows_no_end_but_crlf)
{
	struct smtp_line l = {.scanned = 0};
	struct slice in = slice_make(rows[_i].in, rows[_i].n), line;
	size_t used;

	for (int i = 0; i < 6; i++) {
		enum smtp_line_result r = smtp_line_take(&l, in, &line, &used);

		ck_assert_int_eq(r, rows[_i].results[i]);
		if (r == SMTP_LINE_MORE)
			break;
		in = slice_skip(in, used);
	}
	check_slowly(_i);
}
END_TEST

START_TEST(line__gives_the_text_without_crlf)
{
	struct smtp_line l = {.scanned = 0};
	struct slice line;
	size_t used;

	ck_assert_int_eq(
		smtp_line_take(&l, SLICE("NOOP x\r\nrest"), &line, &used),
		SMTP_LINE_OK);
	ck_assert_slice_eq(line, "NOOP x");
	ck_assert_uint_eq(used, 8);
}
END_TEST

/* n octets and CRLF, fed in pieces; the buffer never grows much. */
static enum smtp_line_result take_long(size_t n, size_t piece)
{
	struct smtp_line l = {.scanned = 0};
	enum smtp_line_result r = SMTP_LINE_MORE;
	struct slice line;
	struct buf all, b;
	size_t used, at = 0;

	buf_init(&all, 1 << 20);
	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < n; i++)
		buf_append(&all, "x", 1);
	buf_append(&all, "\r\n", 2);
	while (at < all.n && r == SMTP_LINE_MORE) {
		struct slice part =
			slice_head(slice_skip(buf_slice(&all), at), piece);

		buf_append_slice(&b, part);
		at += part.n;
		r = smtp_line_take(&l, buf_slice(&b), &line, &used);
		buf_consume(&b, used);
		ck_assert_uint_le(b.n, SMTP_LINE_MAX);
	}
	ck_assert_uint_eq(b.n, 0);
	buf_done(&all);
	buf_done(&b);
	return r;
}

START_TEST(line__swallows_what_is_longer_than_2048)
{
	static const size_t pieces[] = {1, 7, 1000, 2047, 2048, 100000};

	for (size_t i = 0; i < 6; i++) {
		ck_assert_int_eq(take_long(2046, pieces[i]), SMTP_LINE_OK);
		ck_assert_int_eq(take_long(2047, pieces[i]),
				 SMTP_LINE_TOO_LONG);
		ck_assert_int_eq(take_long(50000, pieces[i]),
				 SMTP_LINE_TOO_LONG);
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS("smtp/line", LOOP(line__knows_no_end_but_crlf, rows),
			 TEST(line__gives_the_text_without_crlf),
			 TEST(line__swallows_what_is_longer_than_2048));
}
