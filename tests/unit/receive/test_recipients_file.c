#include "mxhold/receive/recipients_file.h"

#include <stdio.h>
#include <unistd.h>

#include "mxhold/base/buf.h"
#include "unit/base/suite.h"

/* What the sink was given: "entry;entry;" and "salt=...;". */
static struct buf story;
static int refuse_after;

static int on_entry(void *data, struct slice entry)
{
	(void)data;
	if (refuse_after && --refuse_after == 0)
		return -1;
	buf_append_slice(&story, entry);
	buf_append_str(&story, ";");
	return 0;
}

static int on_salt(void *data, struct slice salt)
{
	(void)data;
	buf_append_str(&story, "salt=");
	return on_entry(NULL, salt);
}

static struct recipients_sink sink = {.on_entry = on_entry, .on_salt = on_salt};

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const struct {
	const char *line, *story;
} good[] = {
	{"", ""},
	{"   \t ", ""},
	{"# a comment", ""},
	{"#", ""},
	{"joe", "joe@example.com;"},
	{"  joe\t", "joe@example.com;"},
	{"Joe", "joe@example.com;"},
	{"joe # the accountant", "joe@example.com;"},
	{"joe#1", "joe#1@example.com;"},
	{"joe@example.com", "joe@example.com;"},
	{"JOE@Example.COM", "joe@example.com;"},
	{"joe@other.test", ""},
	{"joe+x@example.com", "joe+x@example.com;"},
	{"\"joe\"@example.com", "joe@example.com;"},
	{"\"j #e\"@example.com", "\"j #e\"@example.com;"},
	{"@", "@;"},
	{"@example.com", "@;"},
	{"@other.test", ""},
	{"!joe", "!joe@example.com;"},
	{"!joe@example.com", "!joe@example.com;"},
	{"!joe@other.test", ""},
	{"\"!joe\"", "\\!joe@example.com;"},
	{"\"!joe\"@example.com", "\\!joe@example.com;"},
	{"!!joe", "!!joe@example.com;"},
	{"sha256:" HEX, "sha256:" HEX ";"},
	{"SHA256:00112233445566778899AABBCCDDEEFF"
	 "00112233445566778899AABBCCDDEEFF",
	 "sha256:" HEX ";"},
	{"#salt: pepper", "salt=pepper;"},
	{"#salt:pepper and more  ", "salt=pepper and more;"},
	{"#salty comment", ""},
};

START_TEST(recipients_file__takes_a_line)
{
	struct error err = {0};

	buf_init(&story, 4096);
	ck_assert_msg(recipients_file_line(slice_str(good[_i].line),
					   "example.com", &sink, &err) == 0,
		      "%s: %s", good[_i].line, err.text);
	ck_assert_slice_eq(buf_slice(&story), good[_i].story);
	buf_done(&story);
}
END_TEST

static const struct {
	const char *line, *says;
} bad[] = {
	{"joe doe", "not an address"},
	{"joe@", "not an address"},
	{"joe@@example.com", "not an address"},
	{"joe@example.com OK", "not an address"},
	{".joe", "not an address"},
	{"joe@[192.0.2.1]", "not an address"},
	{"<joe@example.com>", "not an address"},
	{"!", "not an address"},
	{"!@example.com", "not an address"},
	{"@ex ample", "not a domain"},
	{"sha256:123", "64 hex digits"},
	{"sha256:" HEX "0", "64 hex digits"},
	{"sha256:g0112233445566778899aabbccddeeff"
	 "00112233445566778899aabbccddeeff",
	 "64 hex digits"},
	{"joe\x01", "\\x01"},
};

START_TEST(recipients_file__refuses_a_line)
{
	struct error err = {0};

	buf_init(&story, 4096);
	ck_assert_msg(recipients_file_line(slice_str(bad[_i].line),
					   "example.com", &sink, &err) != 0,
		      "%s", bad[_i].line);
	ck_assert_msg(strstr(err.text, bad[_i].says), "%s", err.text);
	ck_assert_uint_eq(story.n, 0);
	buf_done(&story);
}
END_TEST

static char path[64];

static int read_text(const char *text, size_t n, struct error *err)
{
	int fd, ret;

	strcpy(path, "/tmp/mxhold-rcpt-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
	close(fd);
	buf_init(&story, 1 << 20);
	sink.entries = sink.foreign = 0;
	ret = recipients_file_read(path, "example.com", &sink, err);
	unlink(path);
	return ret;
}

static const struct {
	const char *text, *story;
} files[] = {
	{"", ""},
	{"joe\nann\n", "joe@example.com;ann@example.com;"},
	{"joe\nann", "joe@example.com;ann@example.com;"},
	{"joe\r\nann\r\n", "joe@example.com;ann@example.com;"},
	{"\xef\xbb\xbfjoe\nann\n", "joe@example.com;ann@example.com;"},
	{"\xef\xbb\xbf# comment\r\njoe\r\n", "joe@example.com;"},
	{"\n\n# x\n\njoe\n", "joe@example.com;"},
};

START_TEST(recipients_file__reads_a_file)
{
	struct error err = {0};

	ck_assert_msg(read_text(files[_i].text, strlen(files[_i].text), &err) ==
			      0,
		      "%s", err.text);
	ck_assert_slice_eq(buf_slice(&story), files[_i].story);
	buf_done(&story);
}
END_TEST

START_TEST(recipients_file__names_file_and_line_of_junk)
{
	struct error err = {0};
	char want[80];

	ck_assert_int_ne(read_text("joe\n# x\nnot good\nann\n", 21, &err), 0);
	snprintf(want, sizeof(want), "%s:3: ", path);
	ck_assert_msg(strncmp(err.text, want, strlen(want)) == 0, "%s",
		      err.text);
	buf_done(&story);
}
END_TEST

START_TEST(recipients_file__refuses_binary_junk)
{
	struct error err = {0};

	ck_assert_int_ne(read_text("\0\1\2\n", 4, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, ":1: "));
	buf_done(&story);
}
END_TEST

START_TEST(recipients_file__a_long_line_is_an_error_a_long_comment_is_none)
{
	static char text[8192];
	struct error err = {0};

	memset(text, 'a', sizeof(text));
	memcpy(text, "# ", 2);
	memcpy(text + 4000, "\njoe\n", 5);
	ck_assert_int_eq(read_text(text, 4005, &err), 0);
	ck_assert_slice_eq(buf_slice(&story), "joe@example.com;");
	buf_done(&story);
	memcpy(text, "aa", 2);
	ck_assert_int_ne(read_text(text, 4005, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, ":1: line too long"));
	buf_done(&story);
}
END_TEST

START_TEST(recipients_file__counts_what_it_gave_and_what_it_passed_over)
{
	struct error err;

	ck_assert_int_eq(read_text("a\nb@other.test\n@\n!c\n", 20, &err), 0);
	ck_assert_uint_eq(sink.entries, 3);
	ck_assert_uint_eq(sink.foreign, 1);
	buf_done(&story);
}
END_TEST

START_TEST(recipients_file__stops_when_the_sink_does)
{
	struct error err = {0};

	refuse_after = 2;
	ck_assert_int_ne(read_text("a\nb\nc\n", 6, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, ":2: "));
	buf_done(&story);
}
END_TEST

START_TEST(recipients_file__says_which_file_is_not_there)
{
	struct error err = {0};

	ck_assert_int_ne(recipients_file_read("/nonexistent/rcpt",
					      "example.com", &sink, &err),
			 0);
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/rcpt"));
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"recipients_file", LOOP(recipients_file__takes_a_line, good),
		LOOP(recipients_file__refuses_a_line, bad),
		LOOP(recipients_file__reads_a_file, files),
		TEST(recipients_file__names_file_and_line_of_junk),
		TEST(recipients_file__refuses_binary_junk),
		TEST(recipients_file__a_long_line_is_an_error_a_long_comment_is_none),
		TEST(recipients_file__counts_what_it_gave_and_what_it_passed_over),
		TEST(recipients_file__stops_when_the_sink_does),
		TEST(recipients_file__says_which_file_is_not_there));
}
