/* DSN-32: the global forms of RFC 6533. */
#include "mxhold/mail/dsn.h"
#include "unit/mail/dsn_case.h"

static struct dsn_case c;

static void utf8_case(void)
{
	case_init(&c);
	c.env.smtputf8 = true;
	c.env.utf8_header = true;
	c.rcpts[0].address = SLICE("jos\xc3\xa9@example.org");
	c.rcpts[0].orcpt = SLICE("utf-8;jos\\x{E9}@old.example");
	c.rcpts[0].diagnostic = SLICE("550 5.1.1 \xc2\xbfqui\xc3\xa9n?");
	c.dsn.full = true;
	c.dsn.content = SLICE("Subject: \xc3\xa9\r\n\r\nb\xc3\xb6"
			      "dy\r\n");
}

START_TEST(dsn_utf8__uses_the_global_forms)
{
	utf8_case();
	case_build(&c);
	ck_assert(dsn_is_utf8(&c.dsn));
	ck_assert(case_has(&c, "Content-Transfer-Encoding: 8bit\r\n\r\n"
			       "This is a report in MIME format."));
	ck_assert(case_has(&c, "Content-Type: text/plain; charset=utf-8\r\n"
			       "Content-Transfer-Encoding: 8bit"));
	ck_assert(case_has(&c, "Content-Type: message/global-delivery-status"
			       "\r\nContent-Transfer-Encoding: 8bit"));
	ck_assert(case_has(&c, "Original-Recipient: utf-8; "
			       "jos\xc3\xa9@old.example\r\n"
			       "Final-Recipient: utf-8; "
			       "jos\xc3\xa9@example.org"));
	ck_assert(case_has(&c, "Diagnostic-Code: smtp; 550 5.1.1 "
			       "\xc2\xbfqui\xc3\xa9n?"));
	ck_assert(case_has(&c, "Content-Type: message/global\r\n"
			       "Content-Transfer-Encoding: 8bit\r\n\r\n"
			       "Subject: \xc3\xa9\r\n\r\nb\xc3\xb6"
			       "dy"));
}
END_TEST

START_TEST(dsn_utf8__returns_global_headers)
{
	utf8_case();
	c.dsn.full = false;
	case_build(&c);
	ck_assert(case_has(&c, "Content-Type: message/global-headers\r\n"
			       "Content-Transfer-Encoding: 8bit\r\n\r\n"
			       "Subject: \xc3\xa9\r\n"));
	ck_assert_ptr_null(strstr(c.text, "b\xc3\xb6"));
}
END_TEST

START_TEST(dsn_utf8__turns_seven_bit_for_a_return_path_without_smtputf8)
{
	utf8_case();
	c.dsn.seven_bit = true;
	case_build(&c);
	ck_assert(!dsn_is_utf8(&c.dsn));
	ck_assert(text_is_ascii(slice_str(c.text)));
	ck_assert(case_has(&c, "Content-Type: message/delivery-status"));
	ck_assert(case_has(&c, "Original-Recipient: utf-8; "
			       "jos\\x{E9}@old.example\r\n"
			       "Final-Recipient: utf-8; "
			       "jos\\x{E9}@example.org"));
	ck_assert(case_has(&c, "Content-Type: message/global\r\n"
			       "Content-Transfer-Encoding: base64\r\n\r\n"
			       "U3ViamVjdDogw6kNCg0KYsO2ZHkNCg=="));
}
END_TEST

/* Escaped, an address grows by four and an ORCPT of 500 octets too. */
START_TEST(dsn_utf8__cuts_an_address_that_escapes_make_too_long)
{
	char orcpt[500] = "utf-8;";

	for (size_t i = 6; i < sizeof(orcpt); i += 2)
		memcpy(orcpt + i, "\xc3\xa9", 2);
	utf8_case();
	c.dsn.seven_bit = true;
	c.rcpts[0].orcpt = slice_make(orcpt, sizeof(orcpt));
	case_build(&c);
	ck_assert(strstr(c.text, "\\x{E9}\\x{E9}...\r\nFinal-Recipient:"));
	for (const char *p = c.text, *end; (end = strstr(p, "\r\n"));
	     p = end + 2)
		ck_assert_int_le(end - p, 998);
}
END_TEST

START_TEST(dsn_utf8__reaches_a_utf8_sender_with_utf8_alone)
{
	utf8_case();
	c.dsn.seven_bit = true;
	c.env.sender = SLICE("\xc3\xa5nn@client.example");
	case_build(&c);
	ck_assert(dsn_is_utf8(&c.dsn));
	ck_assert(case_has(&c, "To: <\xc3\xa5nn@client.example>"));
}
END_TEST

START_TEST(dsn_utf8__keeps_the_classic_forms_when_all_is_ascii)
{
	case_init(&c);
	c.env.smtputf8 = true;
	case_build(&c);
	ck_assert(!dsn_is_utf8(&c.dsn));
	ck_assert(case_has(&c, "Content-Type: message/delivery-status"));
	ck_assert(case_has(&c, "Content-Type: text/rfc822-headers"));
}
END_TEST

START_TEST(dsn_utf8__keeps_the_classic_forms_for_legacy_eight_bit)
{
	utf8_case();
	c.env.smtputf8 = false;
	c.rcpts[0].address = SLICE("joe@example.org");
	case_build(&c);
	ck_assert(!dsn_is_utf8(&c.dsn));
	ck_assert(case_has(&c, "Content-Type: message/delivery-status"));
	ck_assert(case_has(&c, "Content-Type: message/rfc822\r\n"
			       "Content-Transfer-Encoding: 8bit"));
	ck_assert(case_has(&c, "Original-Recipient: utf-8; "
			       "jos\\x{E9}@old.example"));
}
END_TEST

START_TEST(dsn_utf8__encodes_every_length_in_base64)
{
	static const struct {
		struct slice header;
		const char *encoded;
	} rows[] = {
		{{"X:\xe9\r\n", 5}, "WDrpDQo="},
		{{"X: \xe9\r\n", 6}, "WDog6Q0K"},
		{{"X:  \xe9\r\n", 7}, "WDogIOkNCg=="},
	};

	for (size_t i = 0; i < MX_ARRAY_SIZE(rows); i++) {
		case_init(&c);
		c.dsn.seven_bit = true;
		c.dsn.content = rows[i].header;
		case_build(&c);
		ck_assert_msg(case_has(&c, rows[i].encoded), "%s", c.text);
	}
}
END_TEST

START_TEST(dsn_utf8__breaks_base64_at_76_columns)
{
	case_init(&c);
	c.dsn.seven_bit = true;
	c.dsn.content =
		SLICE("X: \xe9"
		      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r"
		      "\n");
	case_build(&c);
	for (const char *p = strstr(c.text, "base64"), *end;
	     (end = strstr(p, "\r\n")); p = end + 2)
		ck_assert_int_le(end - p, 76);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"dsn_utf8", TEST(dsn_utf8__uses_the_global_forms),
		TEST(dsn_utf8__returns_global_headers),
		TEST(dsn_utf8__turns_seven_bit_for_a_return_path_without_smtputf8),
		TEST(dsn_utf8__cuts_an_address_that_escapes_make_too_long),
		TEST(dsn_utf8__reaches_a_utf8_sender_with_utf8_alone),
		TEST(dsn_utf8__keeps_the_classic_forms_when_all_is_ascii),
		TEST(dsn_utf8__keeps_the_classic_forms_for_legacy_eight_bit),
		TEST(dsn_utf8__encodes_every_length_in_base64),
		TEST(dsn_utf8__breaks_base64_at_76_columns));
}
