#include "mxhold/mail/received.h"

#include <time.h>

#include "mxhold/base/id.h"
#include "unit/base/suite.h"

static struct recipient rcpts[2];

static struct envelope an_envelope(void)
{
	struct envelope env = {
		.sender = SLICE("ann@client.example"),
		.client = {{4, {192, 0, 2, 1}}, 4025},
		.client_name = SLICE("mail.client.example"),
		.helo = SLICE("client.example"),
		.protocol = SLICE("ESMTPS"),
		.arrived_at_ms = 1795314556123,
		.rcpts = rcpts,
		.n_rcpts = 1,
	};

	rcpts[0] = (struct recipient){.address = SLICE("joe@example.org")};
	rcpts[1] = (struct recipient){.address = SLICE("eve@example.org")};
	setenv("TZ", "UTC0", 1);
	tzset();
	return env;
}

static char text[4096];

static const char *trace(const struct envelope *env)
{
	struct buf b;
	size_t id_at;

	buf_init(&b, sizeof(text) - 1);
	ck_assert_int_eq(received_append(&b, env, "mx2.example.org", &id_at),
			 0);
	memcpy(text, buf_slice(&b).p, b.n);
	text[b.n] = '\0';
	buf_done(&b);
	return text;
}

static bool has(const char *needle)
{
	return strstr(text, needle) != NULL;
}

START_TEST(received__tells_from_by_with_id_for_and_date)
{
	struct envelope env = an_envelope();

	/* MSG-19, MSG-22, MSG-24 */
	ck_assert_str_eq(trace(&env),
			 "Received: from client.example (mail.client.example "
			 "[192.0.2.1]) by\r\n"
			 "\tmx2.example.org with ESMTPS id 0000000000000 for "
			 "<joe@example.org>;\r\n"
			 "\tSun, 22 Nov 2026 02:29:16 +0000\r\n");
}
END_TEST

START_TEST(received__says_where_the_id_belongs)
{
	struct envelope env = an_envelope();
	struct buf b;
	size_t id_at;

	buf_init(&b, 4096);
	buf_append_str(&b, "before");
	received_append(&b, &env, "mx2.example.org", &id_at);
	ck_assert_mem_eq(buf_slice(&b).p + id_at - 4, " id 0000000000000 ",
			 4 + ID_TEXT_LEN + 1);
	buf_done(&b);
}
END_TEST

START_TEST(received__leaves_the_for_clause_out_for_two)
{
	struct envelope env = an_envelope();

	/* MSG-23 */
	env.n_rcpts = 2;
	trace(&env);
	ck_assert(!has("for") && !has("joe@") && !has("eve@"));
	env.n_rcpts = 0;
	trace(&env);
	ck_assert(!has("for"));
}
END_TEST

START_TEST(received__shows_ipv6_as_literal_and_unknown_names)
{
	struct envelope env = an_envelope();

	/* MSG-22 */
	env.client.addr = (struct inet_addr){6, {0x20, 1, 0xd, 0xb8}};
	env.client_name = SLICE("");
	trace(&env);
	ck_assert(has("(unknown [IPv6:2001:db8::])"));
	env.client.addr.family = 0;
	trace(&env);
	ck_assert(has("(unknown)"));
}
END_TEST

static const struct {
	struct slice helo;
	const char *shown;
} helos[] = {
	/* MSG-22: the client cannot end the field or a comment */
	{{"a) (b", 5}, "from a???b "},
	{{"a\r\nX: y", 7}, "from a??X??y "},
	{{"a\0b", 3}, "from a?b "},
	{{"a;b", 3}, "from a?b "},
	{{"\"a\\", 3}, "from ?a? "},
	{{"[192.0.2.1]", 11}, "from [192.0.2.1] "},
	{{"[IPv6:2001:db8::1]", 18}, "from [IPv6:2001:db8::1] "},
	{{"[a", 2}, "from ?a "},
	{{"[a[b]", 5}, "from ?a?b? "},
	{{"a:b", 3}, "from a?b "},
	{{"b\xc3\xbc", 3}, "from b?? "},
	{{"", 0}, "from unknown "},
};

START_TEST(received__tames_what_the_client_said)
{
	struct envelope env = an_envelope();

	env.helo = helos[_i].helo;
	trace(&env);
	ck_assert_msg(has(helos[_i].shown), "%s", text);
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
}
END_TEST

START_TEST(received__tames_the_clients_name_too)
{
	struct envelope env = an_envelope();

	env.client_name = SLICE("x) by evil (");
	trace(&env);
	ck_assert(has("(x??by?evil?? [192.0.2.1])") ||
		  has("(x??by?evil??\r\n\t[192.0.2.1])"));
}
END_TEST

static const char *const protocols[] = {"SMTP",     "ESMTP",     "ESMTPS",
					"UTF8SMTP", "UTF8SMTPS", "ESMTPSA"};

START_TEST(received__says_with_what)
{
	struct envelope env = an_envelope();
	char want[40] = " with ";

	/* MSG-25 */
	env.protocol = slice_str(protocols[_i]);
	strcat(want, protocols[_i]);
	trace(&env);
	ck_assert(has(want));
}
END_TEST

START_TEST(received__puts_tls_into_a_comment)
{
	struct envelope env = an_envelope();

	/* MSG-26 */
	env.tls = SLICE("TLSv1.3 TLS_AES_256_GCM_SHA384");
	trace(&env);
	ck_assert(has("\t(TLSv1.3 TLS_AES_256_GCM_SHA384) by") ||
		  has("(TLSv1.3\r\n\tTLS_AES_256_GCM_SHA384) by"));
	env.tls = SLICE(" x) evil ");
	trace(&env);
	ck_assert(has("(x? evil) by"));
}
END_TEST

START_TEST(received__shows_u_labels_when_the_message_is_utf8_anyway)
{
	struct envelope env = an_envelope();

	/* MSG-27 */
	env.helo = SLICE("xn--bcher-kva.example");
	env.smtputf8 = true;
	trace(&env);
	ck_assert(has("from xn--bcher-kva.example "));
	rcpts[0].address = SLICE("jos\xc3\xa9@example.org");
	trace(&env);
	ck_assert(has("from b\xc3\xbc"
		      "cher.example "));
	ck_assert(has("<jos\xc3\xa9@example.org>"));
}
END_TEST

START_TEST(received__stays_ascii_without_smtputf8)
{
	struct envelope env = an_envelope();

	/* MSG-27 */
	env.utf8_header = true;
	env.helo = SLICE("xn--bcher-kva.example");
	rcpts[0].address = SLICE("jos\xc3\xa9@example.org");
	trace(&env);
	for (size_t i = 0; text[i]; i++)
		ck_assert_int_gt(text[i], 0);
	ck_assert(!has("for"));
}
END_TEST

START_TEST(received__keeps_quoted_recipients_whole)
{
	struct envelope env = an_envelope();

	rcpts[0].address = SLICE("\"a> (b\"@example.org");
	trace(&env);
	ck_assert(has("<\"a> (b\"@example.org>;"));
	rcpts[0].address = SLICE("not\r\nan address");
	trace(&env);
	ck_assert(!has("for") && !has("not"));
}
END_TEST

static size_t longest_line(void)
{
	size_t longest = 0, n = 0;

	for (size_t i = 0; text[i]; i++) {
		n = text[i] == '\n' ? 0 : n + 1;
		longest = n > longest ? n : longest;
	}
	return longest; /* the CR included */
}

START_TEST(received__keeps_its_lines_short)
{
	struct envelope env = an_envelope();
	char name[600];

	env.tls = SLICE("TLSv1.3 TLS_AES_256_GCM_SHA384");
	trace(&env);
	ck_assert_uint_le(longest_line(), 78);
	/* RFC 5321 4.5.3.1.6, whatever the client says */
	memset(name, 'a', sizeof(name));
	env.helo = env.client_name = slice_make(name, sizeof(name));
	trace(&env);
	ck_assert_uint_lt(longest_line(), 998);
}
END_TEST

START_TEST(received__appends_all_or_nothing)
{
	struct envelope env = an_envelope();
	struct buf b;
	size_t id_at, n = strlen(trace(&env));

	for (size_t cap = 1; cap <= n; cap++) {
		buf_init(&b, cap);
		buf_append_str(&b, "x");
		ck_assert_int_eq(
			received_append(&b, &env, "mx2.example.org", &id_at),
			-1);
		ck_assert_slice_eq(buf_slice(&b), "x");
		buf_done(&b);
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"received", TEST(received__tells_from_by_with_id_for_and_date),
		TEST(received__says_where_the_id_belongs),
		TEST(received__leaves_the_for_clause_out_for_two),
		TEST(received__shows_ipv6_as_literal_and_unknown_names),
		LOOP(received__tames_what_the_client_said, helos),
		TEST(received__tames_the_clients_name_too),
		LOOP(received__says_with_what, protocols),
		TEST(received__puts_tls_into_a_comment),
		TEST(received__shows_u_labels_when_the_message_is_utf8_anyway),
		TEST(received__stays_ascii_without_smtputf8),
		TEST(received__keeps_quoted_recipients_whole),
		TEST(received__keeps_its_lines_short),
		TEST(received__appends_all_or_nothing));
}
