#include "mxhold/base/id.h"

#include "mxhold/base/attr.h"
#include "unit/base/suite.h"

static const struct {
	uint64_t id;
	const char *text;
} forms[] = {
	{0, "0000000000000"},          {31, "000000000000z"},
	{32, "0000000000010"},         {0x0123456789abcdefU, "028t5cy4tqkff"},
	{UINT64_MAX, "fzzzzzzzzzzzz"},
};

START_TEST(id__is_written_with_thirteen_characters)
{
	char text[ID_TEXT_LEN + 1];

	id_format(forms[_i].id, text);
	ck_assert_str_eq(text, forms[_i].text);
}
END_TEST

START_TEST(id__is_read_back)
{
	uint64_t id;

	ck_assert_int_eq(id_parse(slice_str(forms[_i].text), &id), 0);
	ck_assert_uint_eq(id, forms[_i].id);
}
END_TEST

START_TEST(id__is_read_in_upper_case)
{
	uint64_t id;

	ck_assert_int_eq(id_parse(SLICE("028T5CY4TQKFF"), &id), 0);
	ck_assert_uint_eq(id, 0x0123456789abcdefU);
}
END_TEST

static const struct slice no_ids[] = {
	{"", 0},
	{"000000000000", 12},
	{"00000000000000", 14},
	{"g000000000000", 13}, /* the 65th bit */
	{"000000000000i", 13},
	{"000000000000u", 13},
	{"000000000000-", 13},
	{"000000\0000000", 13},
};

START_TEST(id__is_refused_when_it_is_none)
{
	uint64_t id = 5;

	ck_assert_int_eq(id_parse(no_ids[_i], &id), -1);
	ck_assert_uint_eq(id, 5);
}
END_TEST

START_TEST(id__follows_the_clock_and_never_falls)
{
	const uint64_t now = 1795000000000;
	uint64_t id = id_next(0, (int64_t)now);

	ck_assert_uint_eq(id, now << 20);
	ck_assert_uint_eq(id_next(id, (int64_t)now), id + 1);
	ck_assert_uint_eq(id_next(id, (int64_t)now - 50000), id + 1);
	ck_assert_uint_eq(id_next(id, (int64_t)now + 1), (now + 1) << 20);
	ck_assert_uint_eq(id_next(7, -1), 8);
}
END_TEST

START_TEST(id__sorts_as_text_as_it_sorts_as_number)
{
	char a[ID_TEXT_LEN + 1], b[ID_TEXT_LEN + 1];

	for (uint64_t id = 1; id < UINT64_MAX / 3; id = id * 3 + 1) {
		id_format(id, a);
		id_format(id + id / 2 + 1, b);
		ck_assert_str_lt(a, b);
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"id", LOOP(id__is_written_with_thirteen_characters, forms),
		LOOP(id__is_read_back, forms), TEST(id__is_read_in_upper_case),
		LOOP(id__is_refused_when_it_is_none, no_ids),
		TEST(id__follows_the_clock_and_never_falls),
		TEST(id__sorts_as_text_as_it_sorts_as_number));
}
