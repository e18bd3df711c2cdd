#include "mxhold/mail/address.h"

#include <stdio.h>

#include "unit/base/suite.h"

/* {the input, what is wrong, local part, domain} */
struct row {
	const char *in;
	enum address_error err;
	const char *local, *domain;
};

static const struct row paths[] = {
	/* ADR-1: the forms of a path */
	{"<a@b.example>", ADDRESS_OK, "a", "b.example"},
	{"<>", ADDRESS_OK, "", ""},
	{"<postmaster>", ADDRESS_OK, "postmaster", ""},
	{"<PostMaster>", ADDRESS_OK, "PostMaster", ""},
	{"<joe>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"a@b.example", ADDRESS_SYNTAX, NULL, NULL},
	{"", ADDRESS_SYNTAX, NULL, NULL},
	{"<", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<a@b.example", ADDRESS_SYNTAX, NULL, NULL},
	{"<postmaster", ADDRESS_SYNTAX, NULL, NULL},
	{" <a@b.example>", ADDRESS_SYNTAX, NULL, NULL},
	{"< a@b.example>", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<a@b.example >", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<@b.example>", ADDRESS_SYNTAX, NULL, NULL},
	{"<<a@b.example>>", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<a@b.example,c@d.example>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	/* ADR-2: a source route is read and dropped */
	{"<@x.example:u@c.example>", ADDRESS_OK, "u", "c.example"},
	{"<@a.example,@b.example:u@c.example>", ADDRESS_OK, "u", "c.example"},
	{"<@a.example:postmaster>", ADDRESS_OK, "postmaster", ""},
	{"<@a.example,b.example:u@c.example>", ADDRESS_SYNTAX, NULL, NULL},
	{"<@a.example u@c.example>", ADDRESS_SYNTAX, NULL, NULL},
	{"<@a.example:>", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<@a_b.example:u@c.example>", ADDRESS_SYNTAX, NULL, NULL},
	{"<@:u@c.example>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<@a.example,@:u@c.example>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	/* ADR-3: dot-string */
	{"<a.b.c@x.example>", ADDRESS_OK, "a.b.c", "x.example"},
	{"<!#$%&'*+-/=?^_`{|}~@x.example>", ADDRESS_OK, "!#$%&'*+-/=?^_`{|}~",
	 "x.example"},
	{"<.a@x.example>", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<a.@x.example>", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<a..b@x.example>", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<.@x.example>", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<@x.example", ADDRESS_SYNTAX, NULL, NULL},
	{"<a b@x.example>", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<a(c)@x.example>", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<a\\b@x.example>", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<a@b@x.example>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	/* ADR-4: quoted local part */
	{"<\"a b\"@x.example>", ADDRESS_OK, "\"a b\"", "x.example"},
	{"<\"a@b\"@x.example>", ADDRESS_OK, "\"a@b\"", "x.example"},
	{"<\"\"@x.example>", ADDRESS_OK, "\"\"", "x.example"},
	{"<\"a>b\"@x.example>", ADDRESS_OK, "\"a>b\"", "x.example"},
	{"<\"a:b,<c\"@x.example>", ADDRESS_OK, "\"a:b,<c\"", "x.example"},
	{"<\"\\\"\\\\\\ \"@x.example>", ADDRESS_OK, "\"\\\"\\\\\\ \"",
	 "x.example"},
	{"<\"a@x.example>", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<\"a\\", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<\"a\\\"@x.example>", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<\"a\tb\"@x.example>", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<\"a\\\tb\"@x.example>", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<\"a\x7f\"@x.example>", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<\"a\"b@x.example>", ADDRESS_LOCAL_PART, NULL, NULL},
	{"<\"a\".b@x.example>", ADDRESS_LOCAL_PART, NULL, NULL},
	/* ADR-6, ADR-7: case and signs of the local part are kept */
	{"<JoE+a%b!c@x.example>", ADDRESS_OK, "JoE+a%b!c", "x.example"},
	/* ADR-8: domain */
	{"<a@B-1.Example>", ADDRESS_OK, "a", "B-1.Example"},
	{"<a@1.2.example>", ADDRESS_OK, "a", "1.2.example"},
	{"<a@localhost>", ADDRESS_OK, "a", "localhost"},
	{"<a@x.>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@x_y>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@x..y>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@.x>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@-x.example>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@x-.example>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@x y>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	/* ADR-10: address literals */
	{"<a@[192.0.2.1]>", ADDRESS_OK, "a", "[192.0.2.1]"},
	{"<a@[IPv6:2001:db8::1]>", ADDRESS_OK, "a", "[IPv6:2001:db8::1]"},
	{"<a@[ipv6:::1]>", ADDRESS_OK, "a", "[ipv6:::1]"},
	{"<a@[tag:content]>", ADDRESS_OK, "a", "[tag:content]"},
	{"<a@[256.1.1.1]>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@[1.1.1]>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@[1.1.1.1.1]>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@[1.1.1.0001]>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@[1.1.1.]>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@[2001:db8::1]>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@[IPv6:192.0.2.1]>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@[IPv6:2001:db8::1::2]>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@[IPv6:fe80::1%eth0]>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@[]>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@[tag:]>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@[:x]>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@[tag-:x]>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@[tag:x y]>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@[tag:x[y]>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@[tag:x\\y]>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@[192.0.2.1>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@[192.0.2.1]x>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	/* ADR-11: :: for one group, and mapped tails */
	{"<a@[IPv6:1:2:3:4:5:6:7::]>", ADDRESS_OK, "a",
	 "[IPv6:1:2:3:4:5:6:7::]"},
	{"<a@[IPv6:::ffff:192.0.2.1]>", ADDRESS_OK, "a",
	 "[IPv6:::ffff:192.0.2.1]"},
	/* ADR-13: UTF-8 */
	{"<\xe7\x94\xa8\xe6\x88\xb7@\xe4\xbe\x8b\xe3\x81\x88.jp>", ADDRESS_OK,
	 "\xe7\x94\xa8\xe6\x88\xb7", "\xe4\xbe\x8b\xe3\x81\x88.jp"},
	{"<\"\xc3\xa9 x\"@x.example>", ADDRESS_OK, "\"\xc3\xa9 x\"",
	 "x.example"},
	{"<\xff@x.example>", ADDRESS_NOT_UTF8, NULL, NULL},
	{"<\xc0\xaf@x.example>", ADDRESS_NOT_UTF8, NULL, NULL},
	{"<\xed\xa0\x80@x.example>", ADDRESS_NOT_UTF8, NULL, NULL},
	{"<\"\xc3\"@x.example>", ADDRESS_NOT_UTF8, NULL, NULL},
	{"<a@\xc3.example>", ADDRESS_NOT_UTF8, NULL, NULL},
	{"<a@\xe2\x80\xae.example>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@b\xc3\xbc"
	 "cher..example>",
	 ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"<a@b\xc3\xbc"
	 "cher.>",
	 ADDRESS_BAD_DOMAIN, NULL, NULL},
	/* ADR-14: not normalised; this one is NFD */
	{"<e\xcc\x81@x.example>", ADDRESS_OK, "e\xcc\x81", "x.example"},
};

START_TEST(address__path_grammar)
{
	const struct row *row = &paths[_i];
	enum address_error err;
	struct address a;
	size_t used;

	err = address_parse_path(slice_str(row->in), &a, &used);
	ck_assert_msg(err == row->err, "%s: %d, want %d", row->in, err,
		      row->err);
	if (err)
		return;
	ck_assert_uint_eq(used, strlen(row->in));
	ck_assert_slice_eq(a.local, row->local);
	ck_assert_slice_eq(a.domain, row->domain);
}
END_TEST

START_TEST(address__path_says_how_much_it_took)
{
	struct address a;
	size_t used;

	/* ADR-15: what follows are parameters, not ours to read */
	ck_assert_int_eq(
		address_parse_path(SLICE("<a@b.example> SIZE==5"), &a, &used),
		ADDRESS_OK);
	ck_assert_uint_eq(used, 13);
	ck_assert_int_eq(address_parse_path(SLICE("<>x"), &a, &used),
			 ADDRESS_OK);
	ck_assert_uint_eq(used, 2);
	ck_assert_uint_eq(a.text.n, 0);
}
END_TEST

START_TEST(address__text_leaves_the_route_out)
{
	struct address a;
	size_t used;

	/* ADR-2 */
	address_parse_path(SLICE("<@h\xc3\xbc.example:u@c.example>"), &a,
			   &used);
	ck_assert_slice_eq(a.text, "u@c.example");
	ck_assert(!a.utf8);
}
END_TEST

/* ADR-16: counted octets */
static const struct slice with_controls[] = {
	{"<a\0b@x.example>", 15},        {"<a@x.example\0>", 14},
	{"<a@x.example\r\n>", 15},       {"<\"a\0b\"@x.example>", 17},
	{"<a\n@x.example>", 14},         {"<\"a\\\0\"@x.example>", 17},
	{"<a@[192.0.2.1\0]>", 17},       {"<a@[tag:x\0]>", 13},
	{"<a@[IPv6:::1\0]>", 16},        {"<a@\0x.example>", 14},
	{"<a@b\xc3\xbc\0.example>", 16},
};

START_TEST(address__refuses_nul_cr_and_lf_anywhere)
{
	struct address a;
	size_t used;

	ck_assert_int_ne(address_parse_path(with_controls[_i], &a, &used),
			 ADDRESS_OK);
}
END_TEST

static enum address_error parse_long(size_t local, size_t label, int labels)
{
	char in[1024] = "<";
	struct address a;
	size_t used;

	memset(in + 1, 'a', local);
	in[local + 1] = '@';
	for (int i = 0; i < labels; i++) {
		memset(in + strlen(in), 'b', label);
		strcat(in, i + 1 < labels ? "." : ">");
	}
	return address_parse_path(slice_str(in), &a, &used);
}

/* RX-40 */
START_TEST(address__holds_to_the_lengths_of_rfc5321)
{
	/* ADR-8; RFC 5321 4.5.3.1 */
	ck_assert_int_eq(parse_long(64, 63, 2), ADDRESS_OK);
	ck_assert_int_eq(parse_long(65, 63, 2), ADDRESS_TOO_LONG);
	ck_assert_int_eq(parse_long(1, 64, 2), ADDRESS_BAD_DOMAIN);
	ck_assert_int_eq(parse_long(62, 63, 3), ADDRESS_OK); /* 256 in all */
	ck_assert_int_eq(parse_long(63, 63, 3), ADDRESS_TOO_LONG);
	ck_assert_int_eq(parse_long(1, 50, 6), ADDRESS_TOO_LONG);
}
END_TEST

START_TEST(address__literal_carries_its_address)
{
	char text[INET_TEXT_MAX];
	struct address a;

	/* ADR-10, ADR-12 */
	ck_assert_int_eq(address_parse(SLICE("a@[192.0.2.007]"), false, &a),
			 ADDRESS_OK);
	ck_assert(a.literal);
	inet_format(&a.literal_addr, text);
	ck_assert_str_eq(text, "192.0.2.7");
	address_parse(SLICE("a@[IPv6:2001:db8::1]"), false, &a);
	inet_format(&a.literal_addr, text);
	ck_assert_str_eq(text, "2001:db8::1");
	address_parse(SLICE("a@[x-y:z]"), false, &a);
	ck_assert(a.literal);
	ck_assert_uint_eq(a.literal_addr.family, 0);
}
END_TEST

static const struct row lone[] = {
	{"a@b.example", ADDRESS_OK, "a", "b.example"},
	{"\"a b\"@b.example", ADDRESS_OK, "\"a b\"", "b.example"},
	{"<a@b.example>", ADDRESS_LOCAL_PART, NULL, NULL},
	{"a@b.example>", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"@b.example", ADDRESS_LOCAL_PART, NULL, NULL},
	{"@x.example:a@b.example", ADDRESS_LOCAL_PART, NULL, NULL},
	{"a", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"a@b.example x", ADDRESS_BAD_DOMAIN, NULL, NULL},
	{"", ADDRESS_SYNTAX, NULL, NULL},
};

START_TEST(address__parses_without_brackets)
{
	struct address a;

	ck_assert_int_eq(address_parse(slice_str(lone[_i].in), false, &a),
			 lone[_i].err);
	if (lone[_i].err)
		return;
	ck_assert_slice_eq(a.text, lone[_i].in);
	ck_assert_slice_eq(a.local, lone[_i].local);
	ck_assert_slice_eq(a.domain, lone[_i].domain);
}
END_TEST

START_TEST(address__takes_a_bare_local_part_when_allowed)
{
	struct address a;

	ck_assert_int_eq(address_parse(SLICE("joe"), true, &a), ADDRESS_OK);
	ck_assert_slice_eq(a.text, "joe");
	ck_assert_uint_eq(a.domain.n, 0);
	ck_assert_int_eq(address_parse(SLICE("joe>"), true, &a),
			 ADDRESS_LOCAL_PART);
	ck_assert_int_eq(address_parse(SLICE("joe@"), true, &a),
			 ADDRESS_BAD_DOMAIN);
}
END_TEST

START_TEST(address__notes_quotes_and_utf8)
{
	struct address a;

	address_parse(SLICE("\"a\"@x.example"), false, &a);
	ck_assert(a.quoted && !a.utf8 && !a.literal);
	address_parse(SLICE("\xc3\xa9@x.example"), false, &a);
	ck_assert(!a.quoted && a.utf8);
	address_parse(SLICE("e@b\xc3\xbc"
			    "cher.example"),
		      false, &a);
	ck_assert(a.utf8);
}
END_TEST

START_TEST(address__never_reads_beyond_its_octets)
{
	const struct row *row = &paths[_i];

	/* Each prefix in a piece of memory that ends where it ends. */
	for (size_t n = 0; n <= strlen(row->in); n++) {
		char *copy = malloc(n ? n : 1);
		struct address a;
		size_t used;

		memcpy(copy, row->in, n);
		address_parse_path(slice_make(copy, n), &a, &used);
		ck_assert_uint_le(used, n);
		address_parse(slice_make(copy, n), true, &a);
		free(copy);
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"address", LOOP(address__path_grammar, paths),
		TEST(address__path_says_how_much_it_took),
		TEST(address__text_leaves_the_route_out),
		LOOP(address__refuses_nul_cr_and_lf_anywhere, with_controls),
		TEST(address__holds_to_the_lengths_of_rfc5321),
		TEST(address__literal_carries_its_address),
		LOOP(address__parses_without_brackets, lone),
		TEST(address__takes_a_bare_local_part_when_allowed),
		TEST(address__notes_quotes_and_utf8),
		LOOP(address__never_reads_beyond_its_octets, paths));
}
