#include "mxhold/smtp/dot.h"

#include "unit/base/suite.h"

static const struct {
	const char *in, *out;
	bool ended;
	const char *rest; /* behind the end */
} rows[] = {
	{".\r\n", "", true, ""},
	{".\r\nQUIT\r\n", "", true, "QUIT\r\n"},
	{"a\r\n.\r\n", "a\r\n", true, ""},
	{"..\r\n.\r\n", ".\r\n", true, ""},
	{"...x\r\n.\r\n", "..x\r\n", true, ""},
	{".x\r\n.\r\n", "x\r\n", true, ""},
	{"a.b\r\nc.\r\n.\r\n", "a.b\r\nc.\r\n", true, ""},
	/* the ways to smuggle: none of them ends anything */
	{"a\n.\nb", "a\n.\nb", false, ""},
	{"a\n.\r\nb", "a\n.\r\nb", false, ""},
	{"a\r\n.\nb", "a\r\n\nb", false, ""},
	{"a\r.\rb", "a\r.\rb", false, ""},
	{"a\r.\r\nb", "a\r.\r\nb", false, ""},
	{"a\r\n.\rb", "a\r\n\rb", false, ""},
	{"a\r\n.\r\r\nb", "a\r\n\r\r\nb", false, ""},
	{"a\r\r\n.\r\nb", "a\r\r\n", true, "b"},
	{"a\n..x", "a\n..x", false, ""},
	{"\n.\r\n", "\n.\r\n", false, ""},
	{"\r.\r\n", "\r.\r\n", false, ""},
	{"\r\n.\r\n", "\r\n", true, ""},
	{"..\r\n..\r\n", ".\r\n.\r\n", false, ""},
};

static void unstuff(const char *text, size_t piece, struct buf *out,
		    struct buf *rest, bool *ended)
{
	struct smtp_dot d = {.state = 0};
	struct smtp_dot_run run;
	struct slice all = slice_str(text);
	struct buf in;

	buf_init(&in, 65536);
	while (all.n) {
		buf_append_slice(&in, slice_head(all, piece));
		all = slice_skip(all, piece);
		do {
			run = smtp_dot_take(&d, buf_slice(&in));
			buf_consume(&in, run.skip);
			buf_append_slice(out,
					 slice_head(buf_slice(&in), run.n));
			buf_consume(&in, run.n);
		} while (run.skip || run.n);
	}
	buf_append_slice(rest, buf_slice(&in));
	*ended = smtp_dot_ended(&d);
	buf_done(&in);
}

START_TEST(dot__ends_at_crlf_dot_crlf_and_nowhere_else)
{
	struct buf out, rest;
	bool ended;

	for (size_t piece = 1; piece < 9; piece++) {
		buf_init(&out, 65536);
		buf_init(&rest, 65536);
		unstuff(rows[_i].in, piece, &out, &rest, &ended);
		ck_assert_slice_eq(buf_slice(&out), rows[_i].out);
		ck_assert_slice_eq(buf_slice(&rest), rows[_i].rest);
		ck_assert_int_eq(ended, rows[_i].ended);
		buf_done(&out);
		buf_done(&rest);
	}
}
END_TEST

START_TEST(dot__takes_a_clean_run_in_one_piece)
{
	struct smtp_dot d = {.state = 0};
	struct slice in = SLICE("line one\r\nline two\r\n a. b\r\n.\r\n");
	struct smtp_dot_run run = smtp_dot_take(&d, in);

	ck_assert_uint_eq(run.skip, 0);
	ck_assert_uint_eq(run.n, in.n - 3);
}
END_TEST

static const struct {
	const char *in, *out;
} stuffed[] = {
	{"", ".\r\n"},
	{".", "..\r\n.\r\n"},
	{".\r\n", "..\r\n.\r\n"},
	{"..\r\n", "...\r\n.\r\n"},
	{"a\r\n.b\r\n", "a\r\n..b\r\n.\r\n"},
	{"a.b", "a.b\r\n.\r\n"},
	{"\r\n\r\n.", "\r\n\r\n..\r\n.\r\n"},
};

START_TEST(dot__stuffs_each_line_that_begins_with_one)
{
	struct slice in;
	struct smtp_stuff s;
	struct buf out;

	for (size_t piece = 1; piece < 6; piece++) {
		buf_init(&out, 65536);
		s = (struct smtp_stuff){false};
		in = slice_str(stuffed[_i].in);
		while (in.n) {
			smtp_stuff_append(&s, &out, slice_head(in, piece));
			in = slice_skip(in, piece);
		}
		ck_assert_int_eq(smtp_stuff_end(&s, &out), 0);
		ck_assert_slice_eq(buf_slice(&out), stuffed[_i].out);
		buf_done(&out);
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"smtp/dot",
		LOOP(dot__ends_at_crlf_dot_crlf_and_nowhere_else, rows),
		TEST(dot__takes_a_clean_run_in_one_piece),
		LOOP(dot__stuffs_each_line_that_begins_with_one, stuffed));
}
