#include <stdint.h>

#include "mxhold/base/random.h"
#include "mxhold/base/text.h"
#include "unit/base/suite.h"

/* RFC 3720 B.4, and the check value of the CRC catalogue. */
static uint8_t zeros[32], ones[32], rising[32], falling[32];
static const struct {
	const void *p;
	size_t n;
	uint32_t crc;
} vectors[] = {
	{"", 0, 0x00000000},      {"123456789", 9, 0xe3069283},
	{zeros, 32, 0x8a9136aa},  {ones, 32, 0x62a8ab43},
	{rising, 32, 0x46dd794e}, {falling, 32, 0x113fdb5c},
	{"a", 1, 0xc1d04330},
};

START_TEST(crc32c__gives_the_published_values)
{
	for (int i = 0; i < 32; i++) {
		ones[i] = 0xff;
		rising[i] = (uint8_t)i;
		falling[i] = (uint8_t)(31 - i);
	}
	ck_assert_uint_eq(crc32c(0, vectors[_i].p, vectors[_i].n),
			  vectors[_i].crc);
	ck_assert_uint_eq(crc32c_portable(0, vectors[_i].p, vectors[_i].n),
			  vectors[_i].crc);
}
END_TEST

START_TEST(crc32c__is_the_same_with_and_without_the_instruction)
{
	uint8_t bytes[600];

	random_seed(1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random_u64();
	for (size_t from = 0; from < 17; from++)
		for (size_t n = 0; from + n <= sizeof(bytes); n += 7)
			ck_assert_uint_eq(crc32c(9, bytes + from, n),
					  crc32c_portable(9, bytes + from, n));
}
END_TEST

START_TEST(crc32c__goes_on_where_a_piece_ended)
{
	static const char text[] = "the quick brown fox jumps over the dog";

	for (size_t cut = 0; cut < sizeof(text); cut++)
		ck_assert_uint_eq(crc32c(crc32c(0, text, cut), text + cut,
					 sizeof(text) - cut),
				  crc32c(0, text, sizeof(text)));
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"crc32c", LOOP(crc32c__gives_the_published_values, vectors),
		TEST(crc32c__is_the_same_with_and_without_the_instruction),
		TEST(crc32c__goes_on_where_a_piece_ended));
}
