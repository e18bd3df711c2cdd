#include "mxhold/base/text.h"

#include "unit/base/suite.h"

static const struct {
	const char *text;
	uint64_t value;
	bool good;
} numbers[] = {
	{"0", 0, true},
	{"007", 7, true},
	{"18446744073709551615", UINT64_MAX, true},
	{"18446744073709551616", 0, false},
	{"99999999999999999999999", 0, false},
	{"", 0, false},
	{"-1", 0, false},
	{"+1", 0, false},
	{" 1", 0, false},
	{"1x", 0, false},
};

START_TEST(text__reads_whole_decimal_numbers_only)
{
	uint64_t value = 77;
	int ret = text_parse_u64(slice_str(numbers[_i].text), &value);

	ck_assert_int_eq(ret == 0, numbers[_i].good);
	ck_assert_uint_eq(value, numbers[_i].good ? numbers[_i].value : 77);
}
END_TEST

START_TEST(text__writes_and_reads_hex)
{
	const uint8_t bytes[] = {0x00, 0x9f, 0xff};
	uint8_t back[3];
	char hex[7];

	text_hex(bytes, 3, hex);
	ck_assert_str_eq(hex, "009fff");
	ck_assert_int_eq(text_unhex(SLICE("009fFF"), back, 3), 0);
	ck_assert_mem_eq(back, bytes, 3);
	ck_assert_int_eq(text_unhex(SLICE("009f"), back, 3), -1);
	ck_assert_int_eq(text_unhex(SLICE("009ff"), back, 2), -1);
	ck_assert_int_eq(text_unhex(SLICE("00xf"), back, 2), -1);
}
END_TEST

static const struct {
	const char *a, *b;
	int distance;
} pairs[] = {
	{"", "", 0},
	{"abc", "abc", 0},
	{"", "abc", 3},
	{"kitten", "sitting", 3},
	{"max_size", "max_szie", 1},
	{"ca", "abc", 3},
	{"drain", "drian", 1},
	{"abcdef", "abdcfe", 2},
};

START_TEST(text__distance_counts_slips_and_swaps)
{
	ck_assert_int_eq(text_distance(pairs[_i].a, pairs[_i].b),
			 pairs[_i].distance);
	ck_assert_int_eq(text_distance(pairs[_i].b, pairs[_i].a),
			 pairs[_i].distance);
}
END_TEST

START_TEST(text__distance_of_long_words_is_far_without_work)
{
	char word[200];

	memset(word, 'a', sizeof(word));
	word[199] = '\0';
	ck_assert_int_eq(text_distance(word, "a"), 99);
	word[64] = '\0';
	ck_assert_int_eq(text_distance(word, "a"), 63);
	ck_assert_int_eq(text_distance(word, word), 0);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"text", LOOP(text__reads_whole_decimal_numbers_only, numbers),
		TEST(text__writes_and_reads_hex),
		LOOP(text__distance_counts_slips_and_swaps, pairs),
		TEST(text__distance_of_long_words_is_far_without_work));
}
