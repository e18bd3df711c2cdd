#include "mxhold/base/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/random.h"
#include "unit/base/suite.h"

/* What log_end wrote. Each test runs in a process of its own. */
static int saved;
static char got[8192];

static void catch_stderr(void)
{
	FILE *file = tmpfile();

	ck_assert_ptr_nonnull(file);
	saved = dup(STDERR_FILENO);
	dup2(fileno(file), STDERR_FILENO);
	fclose(file);
	unsetenv("JOURNAL_STREAM");
	clock_fake(0, 1795314556123);
}

static const char *written(void)
{
	ssize_t n = pread(STDERR_FILENO, got, sizeof(got) - 1, 0);

	ck_assert_int_ge(n, 0);
	got[n] = '\0';
	dup2(saved, STDERR_FILENO);
	return got;
}

#define HEAD "time=2026-11-22T02:29:16.123Z level=info event=e"

static const struct {
	struct slice value;
	const char *logfmt, *json;
} values[] = {
	{{"plain", 5}, "plain", "\"plain\""},
	{{"", 0}, "\"\"", "\"\""},
	{{"a b", 3}, "\"a b\"", "\"a b\""},
	{{"a=b", 3}, "\"a=b\"", "\"a=b\""},
	{{"say \"x\"", 7}, "\"say \\\"x\\\"\"", "\"say \\\"x\\\"\""},
	{{"a\\b", 3}, "\"a\\\\b\"", "\"a\\\\b\""},
	{{"x\r\nevent=y", 10},
	 "\"x\\x0d\\x0aevent=y\"",
	 "\"x\\u000d\\u000aevent=y\""},
	{{"\0", 1}, "\"\\x00\"", "\"\\u0000\""},
	{{"\xff", 1}, "\"\\xff\"", "\"\\\\xff\""},
	{{"\xc3\xa9", 2}, "\xc3\xa9", "\"\xc3\xa9\""},
	{{"\xe2\x80\xae", 3}, "\"\\xe2\\x80\\xae\"", "\"\\u202e\""},
};

static const char *one_field(enum log_format format, struct slice value)
{
	struct log_line l;

	log_configure(LOG_INFO, format, false);
	log_begin(&l, LOG_INFO, "e");
	log_slice(&l, "k", value);
	log_end(&l);
	return written();
}

START_TEST(log__writes_values_as_logfmt)
{
	char want[300];

	catch_stderr();
	snprintf(want, sizeof(want), HEAD " k=%s\n", values[_i].logfmt);
	ck_assert_str_eq(one_field(LOG_LOGFMT, values[_i].value), want);
}
END_TEST

START_TEST(log__writes_values_as_json)
{
	char want[300];

	catch_stderr();
	snprintf(want, sizeof(want),
		 "{\"time\":\"2026-11-22T02:29:16.123Z\",\"level\":\"info\","
		 "\"event\":\"e\",\"k\":%s}\n",
		 values[_i].json);
	ck_assert_str_eq(one_field(LOG_JSON, values[_i].value), want);
}
END_TEST

START_TEST(log__writes_numbers_and_null_strings)
{
	struct log_line l;

	catch_stderr();
	log_begin(&l, LOG_ERROR, "e");
	log_int(&l, "n", INT64_MIN);
	log_str(&l, "s", NULL);
	log_end(&l);
	ck_assert_str_eq(written(),
			 "time=2026-11-22T02:29:16.123Z level=error event=e "
			 "n=-9223372036854775808 s=\"\"\n");
}
END_TEST

START_TEST(log__drops_lines_below_the_level)
{
	struct log_line l;

	catch_stderr();
	log_configure(LOG_WARNING, LOG_LOGFMT, false);
	log_begin(&l, LOG_INFO, "e");
	log_str(&l, "k", "v");
	log_int(&l, "k", 1);
	log_private(&l, "k", SLICE("v"));
	log_end(&l);
	log_why(LOG_DEBUG, "e", "because");
	ck_assert_str_eq(written(), "");
}
END_TEST

START_TEST(log__tells_why)
{
	catch_stderr();
	log_why(LOG_INFO, "e", "no %s", "bread");
	ck_assert_str_eq(written(), HEAD " why=\"no bread\"\n");
}
END_TEST

START_TEST(log__cuts_long_values_and_says_so)
{
	char value[400], want[400];

	catch_stderr();
	memset(value, 'a', sizeof(value));
	snprintf(want, sizeof(want), HEAD " k=%.256s...\n", value);
	ck_assert_str_eq(one_field(LOG_LOGFMT, slice_make(value, 400)), want);
}
END_TEST

START_TEST(log__leaves_a_field_out_whole_when_the_line_is_full)
{
	char value[256];
	struct log_line l;
	const char *line;

	catch_stderr();
	memset(value, 1, sizeof(value)); /* \x01: four times as long */
	log_begin(&l, LOG_INFO, "e");
	for (int i = 0; i < 5; i++)
		log_slice(&l, "big", slice_make(value, sizeof(value)));
	log_str(&l, "last", "x");
	log_end(&l);
	line = written();
	ck_assert_uint_lt(strlen(line), sizeof(l.text));
	ck_assert_str_eq(line + strlen(line) - 8, " last=x\n");
	ck_assert_uint_eq(strlen(line),
			  strlen(HEAD) + 2 * (strlen(" big=\"\"") + 1024) + 8);
}
END_TEST

START_TEST(log__hashes_people_when_told_to)
{
	struct log_line l;
	const char *line, *at;

	catch_stderr();
	log_configure(LOG_INFO, LOG_LOGFMT, true);
	log_begin(&l, LOG_INFO, "e");
	log_private(&l, "to", SLICE("Joe@example.com"));
	log_private(&l, "to", SLICE("joe@example.com"));
	log_private(&l, "to", SLICE("ann@example.com"));
	log_private(&l, "to", SLICE(""));
	log_end(&l);
	line = written();
	ck_assert_ptr_null(strstr(line, "example"));
	at = strstr(line, " to=h:");
	ck_assert_ptr_nonnull(at);
	ck_assert_mem_eq(at, at + 22, 22); /* one person, one hash */
	ck_assert_mem_ne(at, at + 44, 22);
	ck_assert_str_eq(at + 66, " to=\"\"\n");
}
END_TEST

START_TEST(log__shows_people_otherwise)
{
	struct log_line l;

	catch_stderr();
	log_begin(&l, LOG_INFO, "e");
	log_private(&l, "to", SLICE("Joe@example.com"));
	log_end(&l);
	ck_assert_str_eq(written(), HEAD " to=Joe@example.com\n");
}
END_TEST

static void pretend_journal(void)
{
	struct stat st;
	char stream[64];

	catch_stderr();
	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%" PRIuMAX ":%" PRIuMAX,
		 (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
}

START_TEST(log__gives_the_journal_a_priority_and_no_time)
{
	struct log_line l;

	pretend_journal();
	log_begin(&l, LOG_WARNING, "e");
	log_end(&l);
	log_configure(LOG_DEBUG, LOG_JSON, false);
	log_begin(&l, LOG_DEBUG, "e");
	log_end(&l);
	ck_assert_str_eq(written(),
			 "<4>level=warning event=e\n"
			 "<7>{\"level\":\"debug\",\"event\":\"e\"}\n");
}
END_TEST

START_TEST(log__does_not_take_another_stream_for_the_journal)
{
	struct log_line l;

	catch_stderr();
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_begin(&l, LOG_INFO, "e");
	log_end(&l);
	ck_assert_str_eq(written(), HEAD "\n");
}
END_TEST

START_TEST(log__knows_the_names_of_its_levels)
{
	enum log_level level = LOG_DEBUG;

	ck_assert_int_eq(log_parse_level("warning", &level), 0);
	ck_assert_int_eq(level, LOG_WARNING);
	ck_assert_int_eq(log_parse_level("error", &level), 0);
	ck_assert_int_eq(level, LOG_ERROR);
	ck_assert_int_eq(log_parse_level("loud", &level), -1);
	ck_assert_int_eq(level, LOG_ERROR);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"log", LOOP(log__writes_values_as_logfmt, values),
		LOOP(log__writes_values_as_json, values),
		TEST(log__writes_numbers_and_null_strings),
		TEST(log__drops_lines_below_the_level), TEST(log__tells_why),
		TEST(log__cuts_long_values_and_says_so),
		TEST(log__leaves_a_field_out_whole_when_the_line_is_full),
		TEST(log__hashes_people_when_told_to),
		TEST(log__shows_people_otherwise),
		TEST(log__gives_the_journal_a_priority_and_no_time),
		TEST(log__does_not_take_another_stream_for_the_journal),
		TEST(log__knows_the_names_of_its_levels));
}
