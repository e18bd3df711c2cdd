#include "mxhold/mail/date.h"

#include <time.h>

#include "unit/base/suite.h"

/* MSG-24: zones east, west, with half hours, and none. */
static const struct {
	const char *zone;
	int64_t wall_ms;
	const char *text;
} dates[] = {
	{"UTC0", 1795314556123, "Sun, 22 Nov 2026 02:29:16 +0000"},
	{"AAA-5:30", 1795314556123, "Sun, 22 Nov 2026 07:59:16 +0530"},
	{"BBB8", 1795314556123, "Sat, 21 Nov 2026 18:29:16 -0800"},
	{"CCC3:30", 1795314556123, "Sat, 21 Nov 2026 22:59:16 -0330"},
	{"UTC0", 0, "Thu, 01 Jan 1970 00:00:00 +0000"},
	{"UTC0", -1, "Wed, 31 Dec 1969 23:59:59 +0000"},
	{"UTC0", 1709164800000, "Thu, 29 Feb 2024 00:00:00 +0000"},
};

START_TEST(date__is_written_as_rfc5322_wants)
{
	char out[DATE_TEXT_MAX];

	setenv("TZ", dates[_i].zone, 1);
	tzset();
	date_format(dates[_i].wall_ms, out);
	ck_assert_str_eq(out, dates[_i].text);
}
END_TEST

START_TEST(date__survives_every_time)
{
	char out[DATE_TEXT_MAX];

	date_format(INT64_MAX, out);
	ck_assert_uint_lt(strlen(out), DATE_TEXT_MAX);
	date_format(INT64_MIN, out);
	ck_assert_uint_lt(strlen(out), DATE_TEXT_MAX);
}
END_TEST

int main(void)
{
	return RUN_TESTS("date", LOOP(date__is_written_as_rfc5322_wants, dates),
			 TEST(date__survives_every_time));
}
