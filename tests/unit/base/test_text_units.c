#include "mxhold/base/text.h"
#include "unit/base/suite.h"

static const struct {
	const char *text;
	int64_t ms; /* -1: refused */
} durations[] = {
	{"0", 0},
	{"15", 15000},
	{"500ms", 500},
	{"10s", 10000},
	{"5m", 300000},
	{"2h", 7200000},
	{"30d", 2592000000},
	{"2w", 1209600000},
	{"2W", 1209600000},
	{"", -1},
	{"m", -1},
	{"5 m", -1},
	{"5y", -1},
	{"-5s", -1},
	{"1h30m", -1},
	{"99999999999999999w", -1},
	{"18446744073709551615ms", -1},
};

START_TEST(text__reads_durations)
{
	int64_t ms = -1;
	int ret = text_parse_duration(slice_str(durations[_i].text), &ms);

	ck_assert_int_eq(ret, durations[_i].ms < 0 ? -1 : 0);
	ck_assert_int_eq(ms, durations[_i].ms);
}
END_TEST

static const struct {
	const char *text;
	bool good;
	uint64_t bytes;
} sizes[] = {
	{"0", true, 0},
	{"123", true, 123},
	{"64K", true, 65536},
	{"50M", true, 52428800},
	{"10G", true, 10737418240},
	{"1T", true, 1099511627776},
	{"1t", true, 1099511627776},
	{"", false, 0},
	{"K", false, 0},
	{"1KB", false, 0},
	{"1.5M", false, 0},
	{"-1", false, 0},
	{"16777216T", false, 0},
};

START_TEST(text__reads_sizes)
{
	uint64_t bytes = 0;
	int ret = text_parse_size(slice_str(sizes[_i].text), &bytes);

	ck_assert_int_eq(ret == 0, sizes[_i].good);
	ck_assert_uint_eq(bytes, sizes[_i].bytes);
}
END_TEST

static const struct {
	int64_t wall_ms;
	const char *text;
} times[] = {
	{0, "1970-01-01T00:00:00Z"},
	{1795314556000, "2026-11-22T02:29:16Z"},
	{1795314556123, "2026-11-22T02:29:16.123Z"},
	{1795314556007, "2026-11-22T02:29:16.007Z"},
	{-1, "1969-12-31T23:59:59.999Z"},
};

START_TEST(text__reads_back_the_times_it_writes)
{
	int64_t ms = times[_i].wall_ms, got = -1;
	char out[TEXT_TIME_MAX];

	text_format_rfc3339(ms, out);
	ck_assert_int_eq(text_parse_rfc3339(slice_str(out), &got),
			 ms < 0 ? -1 : 0);
	if (ms >= 0)
		ck_assert_int_eq(got, ms);
}
END_TEST

START_TEST(text__reads_no_other_times)
{
	static const char *const bad[] = {
		"",
		"Z",
		"2026-11-22",
		"2026-11-22T02:19:16",
		"2026-11-22T02:19:16+00:00",
		"2026-11-22T02:19:16.1Z",
		"2026-11-22T02:19:16.1234Z",
		"2026-11-22T02:19:16.-12Z",
		"2026-11-22 02:19:16Z",
		"2026-02-30T02:19:16Z",
		"2026-11-22T25:19:16Z",
		" 026-11-22T02:19:16Z",
		"1969-12-31T23:59:59Z",
		"2026-11-22T02:19:16ZZ",
	};
	int64_t ms;

	for (size_t i = 0; i < MX_ARRAY_SIZE(bad); i++)
		ck_assert_msg(text_parse_rfc3339(slice_str(bad[i]), &ms) == -1,
			      "%s", bad[i]);
}
END_TEST

START_TEST(text__writes_times_of_rfc3339)
{
	char out[TEXT_TIME_MAX];

	text_format_rfc3339(times[_i].wall_ms, out);
	ck_assert_str_eq(out, times[_i].text);
}
END_TEST

START_TEST(text__survives_times_that_no_calendar_has)
{
	char out[TEXT_TIME_MAX];

	text_format_rfc3339(INT64_MAX, out);
	ck_assert_uint_lt(strlen(out), TEXT_TIME_MAX);
	text_format_rfc3339(INT64_MIN, out);
	ck_assert_uint_lt(strlen(out), TEXT_TIME_MAX);
}
END_TEST

static const struct {
	int64_t ms;
	const char *text;
} ages[] = {
	{0, "0s"},       {-5, "0s"},
	{999, "0s"},     {59000, "59s"},
	{60000, "1m"},   {725000, "12m 5s"},
	{3600000, "1h"}, {3660000, "1h 1m"},
	{3659000, "1h"}, {273600000, "3d 4h"},
};

START_TEST(text__writes_ages_with_two_units)
{
	char out[TEXT_TIME_MAX];

	text_format_age(ages[_i].ms, out);
	ck_assert_str_eq(out, ages[_i].text);
}
END_TEST

static const struct {
	uint64_t bytes;
	const char *text;
} shown[] = {
	{0, "0 B"},
	{812, "812 B"},
	{1023, "1023 B"},
	{1024, "1.0 KiB"},
	{1258291, "1.2 MiB"},
	{1048575, "1.0 MiB"},
	{UINT64_MAX, "16.0 EiB"},
};

START_TEST(text__writes_sizes_with_one_digit)
{
	char out[TEXT_TIME_MAX];

	text_format_size(shown[_i].bytes, out);
	ck_assert_str_eq(out, shown[_i].text);
}
END_TEST

int main(void)
{
	return RUN_TESTS("text_units", LOOP(text__reads_durations, durations),
			 LOOP(text__reads_sizes, sizes),
			 LOOP(text__writes_times_of_rfc3339, times),
			 LOOP(text__reads_back_the_times_it_writes, times),
			 TEST(text__reads_no_other_times),
			 TEST(text__survives_times_that_no_calendar_has),
			 LOOP(text__writes_ages_with_two_units, ages),
			 LOOP(text__writes_sizes_with_one_digit, shown));
}
