#include "mxhold/smtp/newline.h"

#include "mxhold/base/buf.h"
#include "unit/base/suite.h"

static const struct {
	const char *in, *out;
	int bare;
} rows[] = {
	{"", "", 0},
	{"a\r\nb", "a\r\nb", 0},
	{"a\nb", "a\r\nb", 1},
	{"a\rb", "a\r\nb", 1},
	{"a\r\r\nb", "a\r\n\r\nb", 1},
	{"a\n\rb", "a\r\n\r\nb", 2},
	{"\r\r\r", "\r\n\r\n\r\n", 3},
	{"\n\n", "\r\n\r\n", 2},
	{"a\r", "a\r\n", 1},
	{"a\r\n\n", "a\r\n\r\n", 1},
	{"\r\n\r\n", "\r\n\r\n", 0},
};

START_TEST(newline__makes_bare_ones_crlf_however_cut)
{
	for (size_t piece = 1; piece < 8; piece++) {
		struct smtp_newline nl = {false};
		struct smtp_newline_piece p;
		struct slice in = slice_str(rows[_i].in), part;
		struct buf out;
		int bare = 0;

		buf_init(&out, 4096);
		while (in.n) {
			part = slice_head(in, piece);
			p = smtp_newline_take(&nl, part);
			buf_append_slice(&out, p.text);
			bare += p.bare;
			in = slice_skip(in, p.used);
		}
		p = smtp_newline_end(&nl);
		buf_append_slice(&out, p.text);
		bare += p.bare;
		ck_assert_slice_eq(buf_slice(&out), rows[_i].out);
		ck_assert_int_eq(bare, rows[_i].bare);
		buf_done(&out);
	}
}
END_TEST

START_TEST(newline__gives_clean_text_back_without_a_copy)
{
	struct smtp_newline nl = {false};
	struct slice in = SLICE("one\r\ntwo\r\n\r\nthree\r\n");
	struct smtp_newline_piece p = smtp_newline_take(&nl, in);

	ck_assert_ptr_eq(p.text.p, in.p);
	ck_assert_uint_eq(p.text.n, in.n);
}
END_TEST

int main(void)
{
	return RUN_TESTS("smtp/newline",
			 LOOP(newline__makes_bare_ones_crlf_however_cut, rows),
			 TEST(newline__gives_clean_text_back_without_a_copy));
}
