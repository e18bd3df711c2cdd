#include "mxhold/smtp/command.h"

#include "unit/base/suite.h"

START_TEST(command__splits_at_the_first_blank)
{
	struct smtp_command c;

	smtp_command_split(SLICE("MAIL  FROM:<a@b> SIZE=1 "), &c);
	ck_assert_slice_eq(c.verb, "MAIL");
	ck_assert_slice_eq(c.arg, "FROM:<a@b> SIZE=1");
	smtp_command_split(SLICE("QUIT"), &c);
	ck_assert_slice_eq(c.verb, "QUIT");
	ck_assert_slice_eq(c.arg, "");
	smtp_command_split(SLICE(" QUIT"), &c);
	ck_assert_slice_eq(c.verb, "");
	smtp_command_split(SLICE(""), &c);
	ck_assert_slice_eq(c.verb, "");
}
END_TEST

START_TEST(command__tolerates_blanks_behind_the_colon_only)
{
	struct slice path;

	ck_assert(
		smtp_command_path(SLICE("from: <a@b>"), SLICE("FROM:"), &path));
	ck_assert_slice_eq(path, "<a@b>");
	ck_assert(!smtp_command_path(SLICE("FROM :<a@b>"), SLICE("FROM:"),
				     &path));
	ck_assert(!smtp_command_path(SLICE("TO:<a@b>"), SLICE("FROM:"), &path));
}
END_TEST

START_TEST(command__yields_word_after_word)
{
	struct slice rest = SLICE(" a  bc "), word;

	ck_assert(smtp_command_word(&rest, &word));
	ck_assert_slice_eq(word, "a");
	ck_assert(smtp_command_word(&rest, &word));
	ck_assert_slice_eq(word, "bc");
	ck_assert(!smtp_command_word(&rest, &word));
}
END_TEST

static const struct {
	const char *arg;
	const char *loose, *strict; /* the name, or NULL: refused */
} helos[] = {
	{"mail.example.net", "mail.example.net", "mail.example.net"},
	{"localhost", "localhost", "localhost"},
	{"win_pc", "win_pc", NULL},
	{"a.example.", "a.example.", NULL},
	{"2001:db8::1", "2001:db8::1", NULL},
	{"[192.0.2.1]", "[192.0.2.1]", "[192.0.2.1]"},
	{"[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"},
	{"[2001:db8::1]", "[2001:db8::1]", NULL},
	{"[IPv6:192.0.2.1]", "[IPv6:192.0.2.1]", NULL},
	{"[192.0.2.1] foo", "[192.0.2.1]", NULL},
	{"[192.0.2.1]foo", NULL, NULL},
	{"[192.0.2.1", NULL, NULL},
	{"[]", NULL, NULL},
	{"[a b]", NULL, NULL},
	{"", NULL, NULL},
	{"a b", NULL, NULL},
	{"a\tb", NULL, NULL},
	{"a(b)", NULL, NULL},
	{"a\x1b[0m", NULL, NULL},
	{"\xc3\xbc.example", NULL, NULL},
};

static void check_helo(const char *arg, bool strict, const char *want)
{
	struct slice name;
	bool ok = smtp_command_helo(slice_str(arg), strict, &name);

	ck_assert_msg(ok == (want != NULL), "'%s' strict %d", arg, strict);
	if (want)
		ck_assert_slice_eq(name, want);
}

START_TEST(command__takes_one_name_for_helo)
{
	check_helo(helos[_i].arg, false, helos[_i].loose);
	check_helo(helos[_i].arg, true, helos[_i].strict);
}
END_TEST

START_TEST(command__refuses_a_name_of_256_octets)
{
	char name[256];
	struct slice out;

	memset(name, 'a', sizeof(name));
	ck_assert(smtp_command_helo(slice_make(name, 255), false, &out));
	ck_assert(!smtp_command_helo(slice_make(name, 256), false, &out));
}
END_TEST

int main(void)
{
	return RUN_TESTS("smtp/command",
			 TEST(command__splits_at_the_first_blank),
			 TEST(command__tolerates_blanks_behind_the_colon_only),
			 TEST(command__yields_word_after_word),
			 LOOP(command__takes_one_name_for_helo, helos),
			 TEST(command__refuses_a_name_of_256_octets));
}
