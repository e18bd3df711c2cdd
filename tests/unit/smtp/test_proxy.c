#include "mxhold/smtp/proxy.h"

#include "mxhold/base/buf.h"
#include "mxhold/base/text.h"
#include "unit/base/suite.h"

static const struct {
	const char *line;
	enum proxy_result want;
} v1[] = {
	{"PROXY TCP4 192.0.2.1 192.0.2.2 4711 25\r\n", PROXY_OK},
	{"PROXY TCP6 2001:db8::1 2001:db8::2 4711 25\r\n", PROXY_OK},
	{"PROXY TCP6 ::ffff:192.0.2.1 ::1 4711 25\r\n", PROXY_OK},
	{"PROXY UNKNOWN\r\n", PROXY_OK},
	{"PROXY UNKNOWN whatever it says\r\n", PROXY_OK},
	{"PROXY TCP4 192.0.2.1 192.0.2.2 4711 25\n", PROXY_BAD},
	{"PROXY TCP4 192.0.2.1 192.0.2.2 4711\r\n", PROXY_BAD},
	{"PROXY TCP4 192.0.2.1 192.0.2.2 4711 25 \r\n", PROXY_BAD},
	{"PROXY TCP4  192.0.2.1 192.0.2.2 4711 25\r\n", PROXY_BAD},
	{"PROXY TCP4 192.0.2.1 192.0.2.2 04711 25\r\n", PROXY_BAD},
	{"PROXY TCP4 192.0.2.1 192.0.2.2 65536 25\r\n", PROXY_BAD},
	{"PROXY TCP4 192.0.2.256 192.0.2.2 4711 25\r\n", PROXY_BAD},
	{"PROXY TCP4 192.0.2.01 192.0.2.2 4711 25\r\n", PROXY_BAD},
	{"PROXY TCP4 192.0.2.1 192.0.2.2 -1 25\r\n", PROXY_BAD},
	{"PROXY TCP4 192.0.2.1\t192.0.2.2 4711 25\r\n", PROXY_BAD},
	{"PROXY TCP4 2001:db8::1 2001:db8::2 4711 25\r\n", PROXY_BAD},
	{"PROXY TCP6 192.0.2.1 192.0.2.2 4711 25\r\n", PROXY_BAD},
	{"PROXY UDP4 192.0.2.1 192.0.2.2 4711 25\r\n", PROXY_BAD},
	{"PROXY\r\n", PROXY_BAD},
	{"PROXY TCP4 192.0.2.1", PROXY_MORE},
	{"PROX", PROXY_MORE},
	{"", PROXY_MORE},
	{"EHLO x\r\n", PROXY_BAD},
	{"P\r\n", PROXY_BAD},
};

/* PP-3, PP-4 */
START_TEST(proxy__reads_version_1)
{
	struct proxy_header h;
	struct slice in = slice_str(v1[_i].line);
	size_t used;

	ck_assert_int_eq(proxy_parse(in, &h, &used), v1[_i].want);
	ck_assert_uint_eq(used, v1[_i].want == PROXY_OK ? in.n : 0);
}
END_TEST

START_TEST(proxy__gives_both_ends)
{
	struct proxy_header h;
	char text[INET_TEXT_MAX];
	size_t used;

	proxy_parse(SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 4711 25\r\nEHLO"), &h,
		    &used);
	ck_assert_uint_eq(used, 40);
	ck_assert(!h.local);
	endpoint_format(&h.source, text);
	ck_assert_str_eq(text, "192.0.2.1:4711");
	endpoint_format(&h.destination, text);
	ck_assert_str_eq(text, "192.0.2.2:25");
}
END_TEST

/* PP-3 */
START_TEST(proxy__refuses_a_line_of_108_octets)
{
	char line[120];
	struct proxy_header h;
	size_t used;

	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	memcpy(line + 105, "\r\n", 2);
	ck_assert_int_eq(proxy_parse(slice_make(line, 107), &h, &used),
			 PROXY_OK);
	memcpy(line + 105, "xx\r\n", 4);
	ck_assert_int_eq(proxy_parse(slice_make(line, 109), &h, &used),
			 PROXY_BAD);
	ck_assert_int_eq(proxy_parse(slice_make(line, 107), &h, &used),
			 PROXY_BAD);
}
END_TEST

#define SIG  "\r\n\r\n\0\r\nQUIT\n"
#define V4   "\xc0\0\2\1\xc0\0\2\2\x12\x67\0\x19"
#define IP6  "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
#define V6   IP6 IP6 "\x12\x67\0\x19"
#define X54  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X216 X54 X54 X54 X54 /* two paths of 108 octets */

static const struct {
	const char *p;
	size_t n;
	enum proxy_result want;
	bool local;
} v2[] = {
#define IN(s) s, sizeof(s) - 1
	{IN(SIG "\x21\x11\0\x0c" V4), PROXY_OK, false},
	{IN(SIG "\x21\x11\0\x10" V4 "\4\0\1x"), PROXY_OK, false},
	{IN(SIG "\x21\x21\0\x24" V6), PROXY_OK, false},
	{IN(SIG "\x21\x21\0\x27" V6 "\4\0\0"), PROXY_OK, false},
	{IN(SIG "\x21\x21\0\x0c" V4), PROXY_BAD, false},
	{IN(SIG "\x21\x31\0\xd8" X216), PROXY_OK, true},
	{IN(SIG "\x21\x31\0\x24" V6), PROXY_BAD, true},
	{IN(SIG "\x21\0\0\3xyz"), PROXY_OK, true},
	{IN(SIG "\x20\0\0\0"), PROXY_OK, true},
	{IN(SIG "\x20\x11\0\2xx"), PROXY_OK, true},
	{IN(SIG "\x21\0\0\0"), PROXY_OK, true},
	{IN(SIG "\x21\x11\0\x0b\xc0\0\2\1\xc0\0\2\2\x12\x67\0"), PROXY_BAD,
	 false},
	{IN(SIG "\x21\x11\0\x0f" V4 "\4\0\1"), PROXY_BAD, false},
	{IN(SIG "\x21\x11\0\x0e" V4 "\4\0"), PROXY_BAD, false},
	{IN(SIG "\x21\x12\0\x0c" V4), PROXY_BAD, false},
	{IN(SIG "\x22\x11\0\x0c" V4), PROXY_BAD, false},
	{IN(SIG "\x11\x11\0\x0c" V4), PROXY_BAD, false},
	{IN(SIG "\x21\x11\4\0"), PROXY_BAD, false},
	{IN(SIG "\x21\x11\0\x0c"
		"\xc0\0\2\1"),
	 PROXY_MORE, false},
	{IN(SIG), PROXY_MORE, false},
	{IN("\r\n\r"), PROXY_MORE, false},
	{IN("\r\n\r\nX"), PROXY_BAD, false},
};

/* PP-5, PP-6 */
START_TEST(proxy__reads_version_2)
{
	struct proxy_header h;
	size_t used;

	ck_assert_int_eq(proxy_parse(slice_make(v2[_i].p, v2[_i].n), &h, &used),
			 v2[_i].want);
	ck_assert_uint_eq(used, v2[_i].want == PROXY_OK ? v2[_i].n : 0);
	if (v2[_i].want == PROXY_OK)
		ck_assert_int_eq(h.local, v2[_i].local);
}
END_TEST

START_TEST(proxy__reads_ports_and_addresses_of_version_2)
{
	struct proxy_header h;
	char text[INET_TEXT_MAX];
	size_t used;

	proxy_parse(slice_make(v2[0].p, v2[0].n), &h, &used);
	endpoint_format(&h.source, text);
	ck_assert_str_eq(text, "192.0.2.1:4711");
	endpoint_format(&h.destination, text);
	ck_assert_str_eq(text, "192.0.2.2:25");
}
END_TEST

/* PP-7 */
START_TEST(proxy__checks_the_checksum)
{
	char header[] = SIG "\x21\x11\0\x13" V4 "\3\0\4\0\0\0\0";
	size_t n = sizeof(header) - 1, used;
	struct proxy_header h;
	uint32_t crc = crc32c(0, header, n);

	for (int i = 0; i < 4; i++)
		header[n - 4 + (size_t)i] = (char)(crc >> (24 - 8 * i));
	ck_assert_int_eq(proxy_parse(slice_make(header, n), &h, &used),
			 PROXY_OK);
	header[20] ^= 1;
	ck_assert_int_eq(proxy_parse(slice_make(header, n), &h, &used),
			 PROXY_BAD);
}
END_TEST

int main(void)
{
	return RUN_TESTS("smtp/proxy", LOOP(proxy__reads_version_1, v1),
			 TEST(proxy__gives_both_ends),
			 TEST(proxy__refuses_a_line_of_108_octets),
			 LOOP(proxy__reads_version_2, v2),
			 TEST(proxy__reads_ports_and_addresses_of_version_2),
			 TEST(proxy__checks_the_checksum));
}
