#include "mxhold/mail/header.h"

#include "mxhold/base/attr.h"
#include "unit/base/suite.h"

static struct header_scan scan(struct slice message, size_t step)
{
	struct header_scan h;

	header_scan_init(&h);
	for (size_t i = 0; i < message.n; i += step)
		header_scan_feed(&h, slice_head(slice_skip(message, i), step));
	header_scan_end(&h);
	return h;
}

static const struct {
	const char *message;
	uint32_t received, tls_required, tls_required_no;
	bool no_header, eight_header, eight_body;
	uint64_t header_bytes;
	const char *message_id;
} rows[] = {
	/* MSG-20: Received is counted in the header alone */
	{"Received: a\r\nReceived: b\r\n\r\nReceived: c\r\n", .received = 2,
	 .header_bytes = 26, .message_id = ""},
	{"RECEIVED : a\r\n b\r\n\tc\r\nX: Received: d\r\n\r\n", .received = 1,
	 .header_bytes = 38, .message_id = ""},
	{"Received: a\r\nno field\r\nReceived: b\r\n", .received = 1,
	 .header_bytes = 13, .message_id = ""},
	{"Received-SPF: pass\r\nXReceived: a\r\n Received: b\r\n\r\n",
	 .header_bytes = 48, .message_id = ""},
	{"Received: a\nReceived: b\n\nReceived: c\n", .received = 2,
	 .header_bytes = 24, .message_id = ""},
	{"Received: a", .received = 1, .header_bytes = 11, .message_id = ""},
	/* MSG-11: content without a header */
	{"Hello there.\r\n\r\nReceived: a\r\n", .no_header = true,
	 .message_id = ""},
	{" X: folded\r\n", .no_header = true, .message_id = ""},
	{": x\r\n", .no_header = true, .message_id = ""},
	/* MSG-8: a mailbox's separator does not make text of the header */
	{"From joe Sun Nov 22\r\nReceived: a\r\n\r\n", .received = 1,
	 .header_bytes = 34, .message_id = ""},
	{">From joe\nReceived: a\n\n", .received = 1, .header_bytes = 22,
	 .message_id = ""},
	{"From joe\r\n\r\nReceived: a\r\n", .header_bytes = 10,
	 .message_id = ""},
	{"From joe\r\nno field\r\nReceived: a\r\n", .no_header = true,
	 .header_bytes = 10, .message_id = ""},
	{"From joe\r\n folded\r\n", .no_header = true, .header_bytes = 10,
	 .message_id = ""},
	{"From : joe\r\nReceived: a\r\n\r\n", .received = 1, .header_bytes = 25,
	 .message_id = ""},
	{"X: y\r\nFrom joe\r\nReceived: a\r\n\r\n", .header_bytes = 6,
	 .message_id = ""},
	{"from joe\r\nX: y\r\n\r\n", .no_header = true, .message_id = ""},
	{"Fromage x\r\nX: y\r\n\r\n", .no_header = true, .message_id = ""},
	{"From \r\nX: y\r\n\r\n", .no_header = true, .message_id = ""},
	{"Hello", .no_header = true, .message_id = ""},
	{"\rX: y\r\n", .no_header = true, .message_id = ""},
	{"", .message_id = ""},
	{"\r\nHello\r\n", .message_id = ""},
	{"\nHello\r\n", .message_id = ""},
	{"X: y\r\n\r\nHello\r\n", .header_bytes = 6, .message_id = ""},
	/* EXT-41: TLS-Required */
	{"TLS-Required: No\r\n\r\n", .tls_required = 1, .tls_required_no = 1,
	 .header_bytes = 18, .message_id = ""},
	{"tls-required:\r\n (a (b\\) c)) nO (d)\r\n\r\n", .tls_required = 1,
	 .tls_required_no = 1, .header_bytes = 36, .message_id = ""},
	{"TLS-Required: No", .tls_required = 1, .tls_required_no = 1,
	 .header_bytes = 16, .message_id = ""},
	{"TLS-Required: No\r\n", .tls_required = 1, .tls_required_no = 1,
	 .header_bytes = 18, .message_id = ""},
	{"TLS-Required: No\r\nno field\r\n", .tls_required = 1,
	 .tls_required_no = 1, .header_bytes = 18, .message_id = ""},
	{"TLS-Required: Yes\r\n\r\n", .tls_required = 1, .header_bytes = 19,
	 .message_id = ""},
	{"TLS-Required: Nope\r\n\r\n", .tls_required = 1, .header_bytes = 20,
	 .message_id = ""},
	{"TLS-Required: (No\r\n\r\n", .tls_required = 1, .header_bytes = 19,
	 .message_id = ""},
	{"TLS-Required:\r\n\r\n", .tls_required = 1, .header_bytes = 15,
	 .message_id = ""},
	{"TLS-Required: No\r\nTLS-Required: No\r\n\r\n", .tls_required = 2,
	 .tls_required_no = 2, .header_bytes = 36, .message_id = ""},
	{"X: y\r\n\r\nTLS-Required: No\r\n", .header_bytes = 6,
	 .message_id = ""},
	/* Message-ID */
	{"Message-ID: <a@b>\r\n\r\n", .header_bytes = 19,
	 .message_id = "<a@b>"},
	{"message-id:\r\n <a@b> (c)\r\n\r\n", .header_bytes = 25,
	 .message_id = "<a@b>"},
	{"Message-ID: <a@b>\r\nMessage-ID: <c@d>\r\n\r\n", .header_bytes = 38,
	 .message_id = "<a@b>"},
	{"Message-ID: <a b>\r\n\r\n", .header_bytes = 19, .message_id = ""},
	{"Message-ID: a@b\r\n\r\n", .header_bytes = 17, .message_id = ""},
	{"Message-ID: <>\r\n\r\n", .header_bytes = 16, .message_id = ""},
	{"Message-ID: <a@b\r\n\r\n", .header_bytes = 18, .message_id = ""},
	/* octets above 127 */
	{"X: \xc3\xa9\r\n\r\nplain", .eight_header = true, .header_bytes = 7,
	 .message_id = ""},
	{"X: y\r\n\r\n\xe9", .eight_body = true, .header_bytes = 6,
	 .message_id = ""},
	{"X: y\r\n\xc3\xa9: z\r\n", .eight_body = true, .header_bytes = 6,
	 .message_id = ""},
};

/* MSG-21 */
START_TEST(header__notes_the_same_wherever_it_is_cut)
{
	struct slice message = slice_str(rows[_i].message);

	for (size_t step = 1; step <= message.n + 1; step++) {
		struct header_scan h = scan(message, step);

		ck_assert_uint_eq(h.received, rows[_i].received);
		ck_assert_uint_eq(h.tls_required, rows[_i].tls_required);
		ck_assert_uint_eq(h.tls_required_no, rows[_i].tls_required_no);
		ck_assert_int_eq(h.no_header, rows[_i].no_header);
		ck_assert_int_eq(h.eight_bit_header, rows[_i].eight_header);
		ck_assert_int_eq(h.eight_bit_body, rows[_i].eight_body);
		ck_assert_uint_eq(h.header_bytes, rows[_i].header_bytes);
		ck_assert_str_eq(h.message_id, rows[_i].message_id);
		ck_assert(h.ended);
	}
}
END_TEST

START_TEST(header__sees_nul_in_header_and_body)
{
	/* MSG-16 */
	ck_assert(scan(slice_make("X: \0\r\n\r\n", 8), 3).has_nul);
	ck_assert(scan(slice_make("X: y\r\n\r\na\0b", 11), 100).has_nul);
	ck_assert(!scan(SLICE("X: y\r\n\r\nab"), 100).has_nul);
	ck_assert_uint_eq(scan(slice_make("Received\0: a\r\n", 14), 1).received,
			  0);
}
END_TEST

/* The body is looked at eight octets at a time: no place of the eight is
 * missed. */
START_TEST(header__sees_an_octet_above_127_wherever_it_stands)
{
	char text[4 + 40];
	struct header_scan h;

	for (size_t n = 1; n <= 40; n++) {
		for (size_t at = 0; at < n; at++) {
			memcpy(text, "X:\n\n", 4);
			memset(text + 4, 0x7f, n);
			h = scan((struct slice){text, 4 + n}, 4 + n);
			ck_assert(!h.eight_bit_body);
			text[4 + at] = '\x80';
			h = scan((struct slice){text, 4 + n}, 4 + n);
			ck_assert_msg(h.eight_bit_body, "%zu of %zu", at, n);
		}
	}
}
END_TEST

START_TEST(header__counts_a_hundred_received_fields)
{
	struct header_scan h;

	header_scan_init(&h);
	for (int i = 0; i < 101; i++)
		header_scan_feed(&h, SLICE("Received: from x by y\r\n"));
	ck_assert_uint_eq(h.received, 101); /* also before the end */
	ck_assert(!h.ended);
}
END_TEST

START_TEST(header__is_not_impressed_by_endless_names_and_values)
{
	struct header_scan h;

	header_scan_init(&h);
	for (int i = 0; i < 20000; i++)
		header_scan_feed(&h, SLICE("aaaaaaaaaaaaaaaaaaaa"));
	header_scan_feed(&h, SLICE(": x\r\nMessage-ID: <"));
	for (int i = 0; i < 20000; i++)
		header_scan_feed(&h, SLICE("aaaaaaaaaaaaaaaaaaaa"));
	header_scan_feed(&h, SLICE(">\r\nReceived: a\r\n\r\n"));
	header_scan_end(&h);
	ck_assert_uint_eq(h.received, 1);
	ck_assert_str_eq(h.message_id, "");
	ck_assert(!h.no_header);
}
END_TEST

START_TEST(header__takes_no_cut_name_for_a_known_one)
{
	struct header_scan h =
		scan(SLICE("TLS-Requiredxxxxxxxxxxxxxxxxxxxxxxxxxxxx: No\r\n"
			   "TLS-Require: No\r\n\r\n"),
		     100);

	ck_assert_uint_eq(h.tls_required, 0);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"header", LOOP(header__notes_the_same_wherever_it_is_cut, rows),
		TEST(header__sees_nul_in_header_and_body),
		TEST(header__sees_an_octet_above_127_wherever_it_stands),
		TEST(header__counts_a_hundred_received_fields),
		TEST(header__is_not_impressed_by_endless_names_and_values),
		TEST(header__takes_no_cut_name_for_a_known_one));
}
