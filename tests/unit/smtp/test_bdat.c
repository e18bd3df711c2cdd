#include "mxhold/smtp/bdat.h"

#include "unit/base/suite.h"

static const struct {
	const char *arg;
	int ret;
	uint64_t size;
	bool last;
} rows[] = {
	{"0", 0, 0, false},
	{"5 LAST", 0, 5, true},
	{"5   last  ", 0, 5, true},
	{"18446744073709551615", 0, UINT64_MAX, false},
	{"00000000000000000005", 0, 5, false},
	{"18446744073709551616", -1, 0, false},
	{"000000000000000000005", -1, 0, false},
	{"", -1, 0, false},
	{"LAST", -1, 0, false},
	{"-1", -1, 0, false},
	{"+1", -1, 0, false},
	{"5LAST", -1, 0, false},
	{"5 LASTX", -1, 0, false},
	{"5 LAST x", -1, 0, false},
};

START_TEST(bdat__takes_a_number_and_perhaps_last)
{
	struct smtp_bdat b;

	ck_assert_int_eq(smtp_bdat_parse(slice_str(rows[_i].arg), &b),
			 rows[_i].ret);
	if (rows[_i].ret == 0) {
		ck_assert_uint_eq(b.size, rows[_i].size);
		ck_assert_int_eq(b.last, rows[_i].last);
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS("smtp/bdat",
			 LOOP(bdat__takes_a_number_and_perhaps_last, rows));
}
