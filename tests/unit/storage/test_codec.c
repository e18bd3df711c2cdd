#include "fixture.h"

#include "mxhold/storage/codec.h"

static const uint64_t numbers[] = {
	0,       1,         127,        128,
	16383,   16384,     UINT32_MAX, UINT64_MAX - 1,
	1 << 21, INT64_MAX, UINT64_MAX};

START_TEST(codec__varint_comes_back)
{
	uint8_t room[10];
	struct encoder e = encoder_make(room, sizeof(room));
	struct decoder d;

	encode_varint(&e, numbers[_i]);
	ck_assert(!e.bad);
	d = decoder_make(slice_make(room, e.n));
	ck_assert_uint_eq(decode_varint(&d, UINT64_MAX), numbers[_i]);
	ck_assert_int_eq(decode_end(&d), 0);
}
END_TEST

START_TEST(codec__signed_comes_back)
{
	static const int64_t values[] = {0, -1, 1, INT64_MIN, INT64_MAX, -64};
	uint8_t room[10];

	for (size_t i = 0; i < MX_ARRAY_SIZE(values); i++) {
		struct encoder e = encoder_make(room, sizeof(room));
		struct decoder d;

		encode_signed(&e, values[i]);
		d = decoder_make(slice_make(room, e.n));
		ck_assert_int_eq(decode_signed(&d), values[i]);
		ck_assert_int_eq(decode_end(&d), 0);
	}
}
END_TEST

static const struct {
	const char *bytes;
	size_t n;
} bad_varints[] = {
	{"", 0},
	{"\x80", 1},     /* cut */
	{"\x80\x00", 2}, /* not the shortest form */
	{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10}, /* 65 bits */
	{"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11},
};

START_TEST(codec__bad_varint_is_refused)
{
	struct decoder d = decoder_make(
		slice_make(bad_varints[_i].bytes, bad_varints[_i].n));

	decode_varint(&d, UINT64_MAX);
	ck_assert(d.bad);
}
END_TEST

START_TEST(codec__value_above_its_bound_is_refused)
{
	struct decoder d = decoder_make(SLICE("\x65"));

	decode_varint(&d, 100);
	ck_assert(d.bad);
}
END_TEST

START_TEST(codec__text_longer_than_the_record_is_refused)
{
	struct decoder d = decoder_make(SLICE("\x05"
					      "abcd"));

	ck_assert_uint_eq(decode_text(&d, 100).n, 0);
	ck_assert(d.bad);
}
END_TEST

START_TEST(codec__encoder_stops_at_its_room)
{
	uint8_t room[4];
	struct encoder e = encoder_make(room, 3);

	room[3] = 77;
	encode_u32(&e, 0);
	ck_assert(e.bad);
	encode_u8(&e, 0);
	ck_assert(e.bad);
	ck_assert_uint_eq(room[3], 77);
}
END_TEST

START_TEST(codec__big_endian_numbers_sort_as_bytes)
{
	uint8_t a[8], b[8];

	be64_put(a, 255);
	be64_put(b, 256);
	ck_assert_int_lt(memcmp(a, b, 8), 0);
	ck_assert_uint_eq(be64_get(b), 256);
	be32_put(a, 0x01020304);
	ck_assert_uint_eq(a[0], 1);
	ck_assert_uint_eq(be32_get(a), 0x01020304);
	be16_put(a, 0x0102);
	ck_assert_uint_eq(be16_get(a), 0x0102);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("codec");
	TCase *t = tcase_create("codec");

	tcase_add_loop_test(t, codec__varint_comes_back, 0,
			    MX_ARRAY_SIZE(numbers));
	tcase_add_test(t, codec__signed_comes_back);
	tcase_add_loop_test(t, codec__bad_varint_is_refused, 0,
			    MX_ARRAY_SIZE(bad_varints));
	tcase_add_test(t, codec__value_above_its_bound_is_refused);
	tcase_add_test(t, codec__text_longer_than_the_record_is_refused);
	tcase_add_test(t, codec__encoder_stops_at_its_room);
	tcase_add_test(t, codec__big_endian_numbers_sort_as_bytes);
	suite_add_tcase(s, t);
	return run_suite(s);
}
