#include "mxhold/mail/dsn.h"

#include "unit/mail/dsn_case.h"

static struct dsn_case c;

static const struct {
	const char *sender;
	uint8_t notify;
	bool failed, delayed, relayed;
} wishes[] = {
	/* DSN-1 */
	{"", 0, false, false, false},
	{"", DSN_NOTIFY_FAILURE, false, false, false},
	/* DSN-3 */
	{"a@b", 0, true, true, false},
	/* DSN-4, DSN-5, DSN-8 */
	{"a@b", DSN_NOTIFY_NEVER, false, false, false},
	{"a@b", DSN_NOTIFY_FAILURE, true, false, false},
	{"a@b", DSN_NOTIFY_DELAY, false, true, false},
	{"a@b", DSN_NOTIFY_SUCCESS, false, false, true},
	{"a@b", DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY,
	 true, true, true},
};

START_TEST(dsn__is_made_for_those_who_want_it)
{
	struct envelope env = {.sender = slice_str(wishes[_i].sender)};
	uint8_t notify = wishes[_i].notify;

	ck_assert_int_eq(dsn_is_wanted(&env, notify, DSN_FAILED),
			 wishes[_i].failed);
	ck_assert_int_eq(dsn_is_wanted(&env, notify, DSN_DELAYED),
			 wishes[_i].delayed);
	ck_assert_int_eq(dsn_is_wanted(&env, notify, DSN_RELAYED),
			 wishes[_i].relayed);
	env.is_report = true; /* DSN-1 */
	ck_assert(!dsn_is_wanted(&env, DSN_NOTIFY_FAILURE, DSN_FAILED));
}
END_TEST

/* DSN-14..33 as one picture. */
static const char golden[] =
	"Date: " AT_TEXT "\r\n"
	"From: Mail Delivery System <postmaster@example.org>\r\n"
	"To: <ann@client.example>\r\n"
	"Subject: Delivery Status Notification (Failure)\r\n"
	"Message-ID: <0000000000abcdef.01j3x2n5y0000@mx2.example.org>\r\n"
	"In-Reply-To: <1@client.example>\r\n"
	"References: <1@client.example>\r\n"
	"Auto-Submitted: auto-replied\r\n"
	"MIME-Version: 1.0\r\n"
	"Content-Type: multipart/report; report-type=delivery-status;\r\n"
	"\tboundary=\"=_01j3x2n5y0000_0000000000abcdef\"\r\n"
	"\r\n"
	"This is a report in MIME format.\r\n"
	"\r\n"
	"--=_01j3x2n5y0000_0000000000abcdef\r\n"
	"Content-Type: text/plain; charset=us-ascii\r\n"
	"\r\n"
	"This is the mail system at host mx2.example.org.\r\n"
	"\r\n"
	"It took a message from you on\r\n"
	"    " AT_TEXT "\r\n"
	"under the number 01j3x2n5y0000. This is what became of it:\r\n"
	"\r\n"
	"<joe@example.org>\r\n"
	"    Your message could not be delivered. No further attempt will be "
	"made.\r\n"
	"    The host mx1.example.org said:\r\n"
	"        550 5.1.1 No such user\r\n"
	"    Last attempt: " AT_TEXT "\r\n"
	"\r\n"
	"Please check the address, or reach the recipient in another way; "
	"the\r\n"
	"answer of the other side stands above. To send the message again, "
	"send it\r\n"
	"as a new one.\r\n"
	"\r\n"
	"For help, write to <postmaster@example.org> and give the number "
	"above.\r\n"
	"\r\n"
	"--=_01j3x2n5y0000_0000000000abcdef\r\n"
	"Content-Type: message/delivery-status\r\n"
	"\r\n"
	"Reporting-MTA: dns; mx2.example.org\r\n"
	"Received-From-MTA: dns; mail.client.example ([192.0.2.1])\r\n"
	"Arrival-Date: " AT_TEXT "\r\n"
	"\r\n"
	"Final-Recipient: rfc822; joe@example.org\r\n"
	"Action: failed\r\n"
	"Status: 5.1.1\r\n"
	"Remote-MTA: dns; mx1.example.org\r\n"
	"Diagnostic-Code: smtp; 550 5.1.1 No such user\r\n"
	"Last-Attempt-Date: " AT_TEXT "\r\n"
	"\r\n"
	"--=_01j3x2n5y0000_0000000000abcdef\r\n"
	"Content-Type: text/rfc822-headers\r\n"
	"\r\n"
	"Subject: hi\r\n"
	"Message-ID: <1@client.example>\r\n"
	"\r\n"
	"--=_01j3x2n5y0000_0000000000abcdef--\r\n";

/* DSN-15, DSN-16, DSN-17, DSN-19, DSN-22, DSN-33 */
START_TEST(dsn__looks_like_this)
{
	case_init(&c);
	ck_assert_str_eq(case_build(&c), golden);
}
END_TEST

START_TEST(dsn__gives_the_envelope_id_when_it_came)
{
	/* DSN-21: decoded, case kept */
	case_init(&c);
	c.env.envid = SLICE("QQ+2B314+20Id");
	case_build(&c);
	ck_assert(case_has(&c, "Original-Envelope-Id: QQ+314 Id"));
}
END_TEST

START_TEST(dsn__gives_the_original_recipient_when_it_came)
{
	/* DSN-23 */
	case_init(&c);
	c.rcpts[0].orcpt = SLICE("rfc822;Joe+2Bx@Old.Example");
	case_build(&c);
	ck_assert(case_has(&c, "Original-Recipient: rfc822; Joe+x@Old.Example"
			       "\r\nFinal-Recipient: rfc822; joe@example.org"));
}
END_TEST

START_TEST(dsn__keeps_a_hostile_orcpt_in_its_line)
{
	case_init(&c);
	c.rcpts[0].orcpt = SLICE("rfc822;a+0D+0AX-Evil:+20y");
	c.env.envid = SLICE("a+0AX-Evil:+20y");
	case_build(&c);
	ck_assert(case_has(&c, "Original-Recipient: rfc822; a??X-Evil: y"));
	ck_assert(case_has(&c, "Original-Envelope-Id: a?X-Evil: y"));
}
END_TEST

START_TEST(dsn__names_no_remote_mta_when_none_was_contacted)
{
	/* DSN-24 */
	case_init(&c);
	c.rcpts[0].remote_mta = SLICE("");
	c.rcpts[0].diagnostic = SLICE("no address found for mx1.example.org");
	case_build(&c);
	ck_assert_ptr_null(strstr(c.text, "Remote-MTA"));
	ck_assert(case_has(&c, "Diagnostic-Code: x-mxhold; no address found "
			       "for mx1.example.org"));
	ck_assert(case_has(&c, "    The reason:\r\n"
			       "        no address found for "
			       "mx1.example.org"));
}
END_TEST

START_TEST(dsn__folds_a_reply_of_many_lines)
{
	/* DSN-24 */
	case_init(&c);
	c.rcpts[0].diagnostic =
		SLICE("550-5.1.1 No\n550-5.1.1 such\r\n\n \n550 5.1.1 user\n");
	case_build(&c);
	ck_assert(case_has(&c, "Diagnostic-Code: smtp; 550-5.1.1 No\r\n"
			       " 550-5.1.1 such\r\n 550 5.1.1 user\r\n"
			       "Last-Attempt-Date: " AT_TEXT));
}
END_TEST

START_TEST(dsn__lets_no_remote_text_add_a_field)
{
	/* DSN-28 */
	case_init(&c);
	c.rcpts[0].diagnostic =
		SLICE("550 a\rAction: relayed\0\x1b\xc3\xa9\nStatus: 2.0.0");
	c.rcpts[0].remote_mta = SLICE("mx\r\nX: y");
	case_build(&c);
	ck_assert(case_has(&c, "Diagnostic-Code: smtp; 550 a?Action: "
			       "relayed???\r\n Status: 2.0.0"));
	ck_assert(case_has(&c, "Remote-MTA: dns; mx??X: y"));
}
END_TEST

START_TEST(dsn__cuts_endless_remote_text)
{
	static char reply[100000];

	/* DSN-28 */
	case_init(&c);
	memset(reply, 'x', sizeof(reply));
	c.env.envid = slice_make(reply, 1000); /* of an imported message */
	memcpy(reply, "550 ", 4);
	for (int i = 2000; i < 100000; i += 1000)
		reply[i] = '\n';
	c.rcpts[0].diagnostic = slice_make(reply, sizeof(reply));
	case_build(&c);
	ck_assert_uint_lt(strlen(c.text), sizeof(c.text) - 1);
	for (const char *p = c.text, *end; (end = strstr(p, "\r\n"));
	     p = end + 2)
		ck_assert_int_le(end - p, 998);
}
END_TEST

static const struct {
	enum dsn_action action;
	const char *status, *shown;
} statuses[] = {
	/* DSN-13, DSN-26, DSN-27 */
	{DSN_FAILED, "5.1.1", "failed\r\nStatus: 5.1.1"},
	{DSN_FAILED, "4.4.7", "failed\r\nStatus: 4.4.7"},
	{DSN_FAILED, "2.0.0", "failed\r\nStatus: 5.0.0"},
	{DSN_FAILED, "", "failed\r\nStatus: 5.0.0"},
	{DSN_FAILED, "5.01.1", "failed\r\nStatus: 5.0.0"},
	{DSN_FAILED, "5.1", "failed\r\nStatus: 5.0.0"},
	{DSN_FAILED, "5.1.1 ", "failed\r\nStatus: 5.0.0"},
	{DSN_FAILED, "5.1234.1", "failed\r\nStatus: 5.0.0"},
	{DSN_FAILED, "5.123.456", "failed\r\nStatus: 5.123.456"},
	{DSN_DELAYED, "4.4.1", "delayed\r\nStatus: 4.4.1"},
	{DSN_DELAYED, "5.7.1", "delayed\r\nStatus: 4.7.1"},
	{DSN_DELAYED, "x", "delayed\r\nStatus: 4.0.0"},
	{DSN_RELAYED, "2.1.5", "relayed\r\nStatus: 2.1.5"},
	{DSN_RELAYED, "", "relayed\r\nStatus: 2.0.0"},
};

START_TEST(dsn__gives_a_status_that_fits_the_action)
{
	char want[80] = "Action: ";

	case_init(&c);
	c.rcpts[0].action = statuses[_i].action;
	strcpy(c.rcpts[0].status, statuses[_i].status);
	case_build(&c);
	strcat(want, statuses[_i].shown);
	ck_assert_msg(case_has(&c, want), "%s", want);
}
END_TEST

START_TEST(dsn__says_until_when_only_if_delayed)
{
	/* DSN-25 */
	case_init(&c);
	c.rcpts[0].retry_until_ms = AT_MS + 1000;
	case_build(&c);
	ck_assert_ptr_null(strstr(c.text, "Will-Retry-Until"));
	c.rcpts[0].action = DSN_DELAYED;
	case_build(&c);
	ck_assert(case_has(&c, "Will-Retry-Until: Sun, 22 Nov 2026 02:29:17 "
			       "+0000"));
	ck_assert(case_has(&c, "Subject: Delivery Status Notification "
			       "(Delay)"));
	c.rcpts[0].retry_until_ms = c.rcpts[0].last_attempt_ms = 0;
	case_build(&c);
	ck_assert_ptr_null(strstr(c.text, "Will-Retry-Until"));
	ck_assert_ptr_null(strstr(c.text, "Last-Attempt-Date"));
}
END_TEST

START_TEST(dsn__reports_several_recipients_with_the_worst_in_the_subject)
{
	/* DSN-10, DSN-20 */
	case_init(&c);
	c.dsn.n_rcpts = 2;
	c.rcpts[0].action = DSN_RELAYED;
	case_build(&c);
	ck_assert(case_has(&c, "Subject: Delivery Status Notification "
			       "(Failure)"));
	ck_assert(case_has(&c, "\r\nFinal-Recipient: rfc822; joe@example.org"
			       "\r\nAction: relayed"));
	ck_assert(case_has(&c, "\r\nFinal-Recipient: rfc822; eve@example.org"
			       "\r\nAction: failed"));
}
END_TEST

static const struct {
	bool full;
	enum dsn_action action;
	enum body_type body;
	bool whole;
} returns[] = {
	/* DSN-29 */
	{true, DSN_FAILED, BODY_UNSAID, true},
	{false, DSN_FAILED, BODY_UNSAID, false},
	{true, DSN_DELAYED, BODY_UNSAID, false},
	{true, DSN_RELAYED, BODY_UNSAID, false},
	{true, DSN_FAILED, BODY_8BITMIME, true},
	{true, DSN_FAILED, BODY_BINARYMIME, false},
};

START_TEST(dsn__returns_the_whole_message_only_after_a_failure)
{
	case_init(&c);
	c.dsn.full = returns[_i].full;
	c.rcpts[0].action = returns[_i].action;
	c.env.body = returns[_i].body;
	case_build(&c);
	ck_assert_int_eq(case_has(&c, "The body."), returns[_i].whole);
	ck_assert(case_has(&c, returns[_i].whole
				       ? "Content-Type: message/rfc822"
				       : "Content-Type: text/rfc822-headers"));
}
END_TEST

START_TEST(dsn__declares_eight_bits)
{
	/* DSN-30 */
	case_init(&c);
	c.dsn.full = true;
	c.dsn.content = SLICE("Subject: hi\r\n\r\nd\xe9j\xe0\r\n");
	case_build(&c);
	ck_assert(case_has(&c, "Content-Transfer-Encoding: 8bit\r\n\r\n"
			       "This is a report in MIME format."));
	ck_assert(case_has(&c, "Content-Type: message/rfc822\r\n"
			       "Content-Transfer-Encoding: 8bit\r\n\r\n"
			       "Subject: hi\r\n\r\nd\xe9j\xe0"));
}
END_TEST

START_TEST(dsn__returns_the_header_in_base64_where_eight_bits_cannot_go)
{
	/* DSN-30 */
	case_init(&c);
	c.dsn.full = c.dsn.seven_bit = true;
	c.dsn.content = SLICE("Subject: d\xe9\r\n\r\nd\xe9j\xe0\r\n");
	case_build(&c);
	ck_assert(text_is_ascii(slice_str(c.text)));
	ck_assert(case_has(&c, "Content-Type: text/rfc822-headers\r\n"
			       "Content-Transfer-Encoding: base64\r\n\r\n"
			       "U3ViamVjdDogZOkNCg=="));
}
END_TEST

START_TEST(dsn__chooses_a_boundary_that_is_not_in_the_content)
{
	/* DSN-31 */
	case_init(&c);
	c.dsn.full = true;
	c.dsn.content = SLICE("X: y\r\n\r\n"
			      "--=_01j3x2n5y0000_0000000000abcdef--\r\n");
	case_build(&c);
	ck_assert_ptr_nonnull(strstr(
		c.text, "boundary=\"=_01j3x2n5y0000_0000000000abcdf0\""));
	ck_assert(case_has(&c, "--=_01j3x2n5y0000_0000000000abcdf0--"));
}
END_TEST

START_TEST(dsn__emits_no_bare_newline_whatever_the_content)
{
	size_t n;

	case_init(&c);
	c.dsn.full = true;
	c.dsn.content = SLICE("X: y\r\n\r\na\nb\rc\r\n.\r\nd");
	n = strlen(case_build(&c));
	for (size_t i = 0; i < n; i++) {
		if (c.text[i] == '\n')
			ck_assert(i && c.text[i - 1] == '\r');
		if (c.text[i] == '\r')
			ck_assert_int_eq(c.text[i + 1], '\n');
	}
	ck_assert(case_has(&c, "X: y\r\n\r\na\r\nb\r\nc\r\n.\r\nd"));
}
END_TEST

START_TEST(dsn__works_for_content_without_header)
{
	case_init(&c);
	c.dsn.content = SLICE("Just text\r\n");
	case_build(&c);
	ck_assert_ptr_null(strstr(c.text, "In-Reply-To"));
	ck_assert(case_has(&c, "Content-Type: text/rfc822-headers\r\n\r\n\r\n"
			       "--=_01j3x2n5y0000_0000000000abcdef--"));
	c.dsn.content = SLICE("");
	case_build(&c);
	ck_assert_ptr_null(strstr(c.text, "Just text"));
}
END_TEST

START_TEST(dsn__is_built_whole_or_not_at_all)
{
	struct buf b;

	case_init(&c);
	for (size_t cap = 1; cap < strlen(golden); cap += 13) {
		buf_init(&b, cap);
		buf_append_str(&b, "x");
		ck_assert_int_eq(dsn_build(&b, &c.dsn), -1);
		ck_assert_slice_eq(buf_slice(&b), "x");
		buf_done(&b);
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"dsn", LOOP(dsn__is_made_for_those_who_want_it, wishes),
		TEST(dsn__looks_like_this),
		TEST(dsn__gives_the_envelope_id_when_it_came),
		TEST(dsn__gives_the_original_recipient_when_it_came),
		TEST(dsn__keeps_a_hostile_orcpt_in_its_line),
		TEST(dsn__names_no_remote_mta_when_none_was_contacted),
		TEST(dsn__folds_a_reply_of_many_lines),
		TEST(dsn__lets_no_remote_text_add_a_field),
		TEST(dsn__cuts_endless_remote_text),
		LOOP(dsn__gives_a_status_that_fits_the_action, statuses),
		TEST(dsn__says_until_when_only_if_delayed),
		TEST(dsn__reports_several_recipients_with_the_worst_in_the_subject),
		LOOP(dsn__returns_the_whole_message_only_after_a_failure,
		     returns),
		TEST(dsn__declares_eight_bits),
		TEST(dsn__returns_the_header_in_base64_where_eight_bits_cannot_go),
		TEST(dsn__chooses_a_boundary_that_is_not_in_the_content),
		TEST(dsn__emits_no_bare_newline_whatever_the_content),
		TEST(dsn__works_for_content_without_header),
		TEST(dsn__is_built_whole_or_not_at_all));
}
