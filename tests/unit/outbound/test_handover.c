/* XC-2, XC-4, XC-5: what a primary is told of a message's client. */
#include "mxhold/outbound/handover.h"

#include <check.h>
#include <string.h>

#include "unit/base/suite.h"

static const uint32_t all_attributes = XATTR_NAME | XATTR_ADDR | XATTR_PORT |
				       XATTR_PROTO | XATTR_HELO | XATTR_IDENT |
				       XATTR_SOURCE | XATTR_LOGIN |
				       XATTR_DESTADDR | XATTR_DESTPORT;

static struct smtp_ehlo offers(uint32_t ext, uint32_t attributes)
{
	return (struct smtp_ehlo){.ext = ext,
				  .esmtp = true,
				  .xclient = attributes,
				  .xforward = attributes};
}

static struct envelope from_client(void)
{
	return (struct envelope){
		.client = {{4, {192, 0, 2, 7}}, 40001},
		.client_name = SLICE("client.example.org"),
		.helo = SLICE("he lo+[x]"),
		.protocol = SLICE("ESMTPS"),
	};
}

static const struct {
	uint32_t ext;
	enum primary_handover wanted;
	enum handover_verb verb;
} choices[] = {
	{EXT_XCLIENT | EXT_XFORWARD, HANDOVER_AUTO, HANDOVER_BY_XCLIENT},
	{EXT_XFORWARD, HANDOVER_AUTO, HANDOVER_BY_XFORWARD},
	{EXT_XCLIENT, HANDOVER_AUTO, HANDOVER_BY_XCLIENT},
	{0, HANDOVER_AUTO, HANDOVER_BY_NOTHING},
	{EXT_XCLIENT | EXT_XFORWARD, HANDOVER_XFORWARD, HANDOVER_BY_XFORWARD},
	{EXT_XCLIENT, HANDOVER_XFORWARD, HANDOVER_BY_NOTHING},
	{EXT_XFORWARD, HANDOVER_XCLIENT, HANDOVER_BY_NOTHING},
	{EXT_XCLIENT | EXT_XFORWARD, HANDOVER_NONE, HANDOVER_BY_NOTHING},
};

START_TEST(handover__chooses_what_is_offered_and_wanted)
{
	struct smtp_ehlo ehlo = offers(choices[_i].ext, all_attributes);

	ck_assert_int_eq(handover_choose(&ehlo, choices[_i].wanted),
			 choices[_i].verb);
}
END_TEST

START_TEST(handover__needs_attributes)
{
	struct smtp_ehlo ehlo = offers(EXT_XCLIENT | EXT_XFORWARD, 0);

	ck_assert_int_eq(handover_choose(&ehlo, HANDOVER_AUTO),
			 HANDOVER_BY_NOTHING);
}
END_TEST

START_TEST(handover__names_the_client_by_xclient)
{
	struct smtp_ehlo ehlo = offers(EXT_XCLIENT, all_attributes);
	struct envelope env = from_client();
	struct handover h;

	handover_make(&h, HANDOVER_BY_XCLIENT, &ehlo, &env);
	ck_assert_uint_eq(h.n, 1);
	ck_assert_str_eq(h.commands[0],
			 "PROTO=ESMTP PORT=40001 HELO=he+20lo+2B[x] "
			 "ADDR=192.0.2.7 NAME=client.example.org");
}
END_TEST

START_TEST(handover__names_the_client_by_xforward)
{
	struct smtp_ehlo ehlo = offers(EXT_XFORWARD, all_attributes);
	struct envelope env = from_client();
	struct handover h;

	handover_make(&h, HANDOVER_BY_XFORWARD, &ehlo, &env);
	ck_assert_uint_eq(h.n, 1);
	ck_assert_str_eq(h.commands[0],
			 "NAME=client.example.org ADDR=192.0.2.7 PORT=40001 "
			 "PROTO=ESMTP HELO=he+20lo+2B[x] SOURCE=REMOTE");
}
END_TEST

static const struct {
	uint32_t known;
	const char *xclient, *xforward;
} knowing[] = {
	{XATTR_ADDR | XATTR_LOGIN, "ADDR=192.0.2.7", "ADDR=192.0.2.7"},
	{XATTR_NAME | XATTR_IDENT, "NAME=client.example.org",
	 "NAME=client.example.org"},
	{XATTR_PORT | XATTR_PROTO, "PROTO=ESMTP PORT=40001",
	 "PORT=40001 PROTO=ESMTP"},
	{XATTR_HELO, "HELO=he+20lo+2B[x]", "HELO=he+20lo+2B[x]"},
};

START_TEST(handover__says_only_what_the_server_knows)
{
	struct smtp_ehlo ehlo = offers(EXT_XCLIENT, knowing[_i].known);
	struct envelope env = from_client();
	struct handover h;

	handover_make(&h, HANDOVER_BY_XCLIENT, &ehlo, &env);
	ck_assert_uint_eq(h.n, 1);
	ck_assert_str_eq(h.commands[0], knowing[_i].xclient);
	handover_make(&h, HANDOVER_BY_XFORWARD, &ehlo, &env);
	ck_assert_uint_eq(h.n, 1);
	ck_assert_str_eq(h.commands[0], knowing[_i].xforward);
}
END_TEST

START_TEST(handover__says_unavailable_for_what_is_unknown)
{
	struct smtp_ehlo ehlo = offers(EXT_XCLIENT, all_attributes);
	struct envelope env = {.is_report = true};
	struct handover h;

	handover_make(&h, HANDOVER_BY_XCLIENT, &ehlo, &env);
	ck_assert_str_eq(h.commands[0],
			 "PROTO=[UNAVAILABLE] PORT=[UNAVAILABLE] "
			 "HELO=[UNAVAILABLE] ADDR=[UNAVAILABLE] "
			 "NAME=[UNAVAILABLE]");
}
END_TEST

START_TEST(handover__writes_ipv6_with_its_prefix)
{
	struct smtp_ehlo ehlo = offers(EXT_XCLIENT, XATTR_ADDR);
	struct envelope env = {
		.client = {{6, {0x20, 1, 0xd, 0xb8, [15] = 1}}, 1}};
	struct handover h;

	handover_make(&h, HANDOVER_BY_XCLIENT, &ehlo, &env);
	ck_assert_str_eq(h.commands[0], "ADDR=IPV6:2001:db8::1");
}
END_TEST

/* XC-4: commands of at most 512 octets, ADDR and NAME last. */
START_TEST(handover__splits_what_is_long)
{
	struct smtp_ehlo ehlo = offers(EXT_XCLIENT, all_attributes);
	struct envelope env = from_client();
	char helo[240], name[240];
	struct handover h;

	memset(helo, 'h', sizeof(helo));
	memset(name, 'n', sizeof(name));
	env.helo = slice_make(helo, sizeof(helo));
	env.client_name = slice_make(name, sizeof(name));
	handover_make(&h, HANDOVER_BY_XCLIENT, &ehlo, &env);
	ck_assert_uint_eq(h.n, 2);
	ck_assert_ptr_nonnull(strstr(h.commands[0], "HELO=hhh"));
	ck_assert_ptr_nonnull(strstr(h.commands[1], "NAME=nnn"));
	for (size_t i = 0; i < h.n; i++)
		ck_assert_uint_le(strlen(h.commands[i]), HANDOVER_LINE_MAX);
}
END_TEST

/* XC-4: to the last octet, and no further. */
START_TEST(handover__fills_a_line)
{
	struct smtp_ehlo ehlo = offers(EXT_XCLIENT, XATTR_HELO | XATTR_NAME);
	struct envelope env = from_client();
	char helo[246], name[245];
	struct handover h;

	memset(helo, 'h', sizeof(helo));
	memset(name, 'n', sizeof(name));
	env.helo = slice_make(helo, sizeof(helo) - 1);
	env.client_name = slice_make(name, sizeof(name));
	handover_make(&h, HANDOVER_BY_XCLIENT, &ehlo, &env);
	ck_assert_uint_eq(h.n, 1);
	ck_assert_uint_eq(strlen(h.commands[0]), HANDOVER_LINE_MAX);
	env.helo = slice_make(helo, sizeof(helo));
	handover_make(&h, HANDOVER_BY_XCLIENT, &ehlo, &env);
	ck_assert_uint_eq(h.n, 2);
}
END_TEST

static const struct {
	struct slice protocol;
	bool is_report;
	const char *told;
} kinds[] = {
	{SLICE("SMTP"), false, "PROTO=SMTP SOURCE=REMOTE"},
	{SLICE("ESMTPS"), false, "PROTO=ESMTP SOURCE=REMOTE"},
	{SLICE("UTF8SMTPS"), false, "PROTO=ESMTP SOURCE=REMOTE"},
	{SLICE(""), true, "PROTO=[UNAVAILABLE] SOURCE=LOCAL"},
};

/* XC-5: the words that XFORWARD knows */
START_TEST(handover__says_what_kind_of_mail_it_is)
{
	struct smtp_ehlo ehlo =
		offers(EXT_XFORWARD, XATTR_PROTO | XATTR_SOURCE);
	struct envelope env = {.protocol = kinds[_i].protocol,
			       .is_report = kinds[_i].is_report};
	struct handover h;

	handover_make(&h, HANDOVER_BY_XFORWARD, &ehlo, &env);
	ck_assert_uint_eq(h.n, 1);
	ck_assert_str_eq(h.commands[0], kinds[_i].told);
}
END_TEST

START_TEST(handover__hides_a_value_that_is_too_long)
{
	struct smtp_ehlo ehlo = offers(EXT_XCLIENT, XATTR_HELO);
	struct envelope env = from_client();
	char helo[255];
	struct handover h;

	memset(helo, '=', sizeof(helo)); /* three octets each in xtext */
	env.helo = slice_make(helo, sizeof(helo));
	handover_make(&h, HANDOVER_BY_XCLIENT, &ehlo, &env);
	ck_assert_str_eq(h.commands[0], "HELO=[UNAVAILABLE]");
}
END_TEST

/* A HELO name cannot smuggle an attribute or a command. */
START_TEST(handover__encodes_what_could_end_a_value)
{
	struct smtp_ehlo ehlo = offers(EXT_XCLIENT, XATTR_HELO);
	struct envelope env = from_client();
	struct handover h;

	env.helo = SLICE("a ADDR=1.2.3.4\r\nMAIL");
	handover_make(&h, HANDOVER_BY_XCLIENT, &ehlo, &env);
	ck_assert_str_eq(h.commands[0], "HELO=a+20ADDR+3D1.2.3.4+0D+0AMAIL");
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"handover",
		LOOP(handover__chooses_what_is_offered_and_wanted, choices),
		TEST(handover__needs_attributes),
		TEST(handover__names_the_client_by_xclient),
		TEST(handover__names_the_client_by_xforward),
		LOOP(handover__says_only_what_the_server_knows, knowing),
		TEST(handover__says_unavailable_for_what_is_unknown),
		TEST(handover__writes_ipv6_with_its_prefix),
		TEST(handover__splits_what_is_long),
		TEST(handover__fills_a_line),
		LOOP(handover__says_what_kind_of_mail_it_is, kinds),
		TEST(handover__hides_a_value_that_is_too_long),
		TEST(handover__encodes_what_could_end_a_value));
}
