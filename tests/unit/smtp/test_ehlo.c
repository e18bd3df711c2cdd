#include "mxhold/smtp/ehlo.h"

#include "unit/base/suite.h"

START_TEST(ehlo__knows_the_extensions_in_any_case)
{
	struct smtp_ehlo e = {.esmtp = true};

	smtp_ehlo_line(&e, SLICE("pipelining"));
	smtp_ehlo_line(&e, SLICE("8BITMIME"));
	smtp_ehlo_line(&e, SLICE("X-UNKNOWN with words"));
	smtp_ehlo_line(&e, SLICE(""));
	smtp_ehlo_line(&e, SLICE("CHUNKINGX"));
	ck_assert_uint_eq(e.ext, EXT_PIPELINING | EXT_8BITMIME);
}
END_TEST

static const struct {
	const char *line;
	uint64_t size;
} sizes[] = {
	{"SIZE 1000", 1000},
	{"SIZE", 0},
	{"SIZE 0", 0},
	{"SIZE x", 0},
	{"SIZE 18446744073709551615", UINT64_MAX},
	{"SIZE 18446744073709551616", 0},
	{"size  5  ", 5},
};

START_TEST(ehlo__reads_size)
{
	struct smtp_ehlo e = {.esmtp = true};

	smtp_ehlo_line(&e, slice_str(sizes[_i].line));
	ck_assert_uint_eq(e.size, sizes[_i].size);
	ck_assert(e.ext & EXT_SIZE);
}
END_TEST

START_TEST(ehlo__ignores_unknown_and_malformed_limits)
{
	struct smtp_ehlo e = {.esmtp = true};

	smtp_ehlo_line(&e, SLICE("LIMITS RCPTMAX=20 FOO=1 mailmax=3 "
				 "RCPTDOMAINMAX=0 MAILMAX=1000000 MAILMAX "
				 "RCPTMAX=x"));
	ck_assert_uint_eq(e.rcpt_max, 20);
	ck_assert_uint_eq(e.mail_max, 3);
	ck_assert_uint_eq(e.rcpt_domain_max, 0);
}
END_TEST

START_TEST(ehlo__knows_the_attributes_of_xclient_and_xforward)
{
	struct smtp_ehlo e = {.esmtp = true};

	smtp_ehlo_line(&e, SLICE("XCLIENT NAME addr NONSENSE"));
	smtp_ehlo_line(&e, SLICE("XFORWARD HELO SOURCE"));
	ck_assert_uint_eq(e.xclient, XATTR_NAME | XATTR_ADDR);
	ck_assert_uint_eq(e.xforward, XATTR_HELO | XATTR_SOURCE);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"smtp/ehlo", TEST(ehlo__knows_the_extensions_in_any_case),
		LOOP(ehlo__reads_size, sizes),
		TEST(ehlo__ignores_unknown_and_malformed_limits),
		TEST(ehlo__knows_the_attributes_of_xclient_and_xforward));
}
