#include "mxhold/base/siphash.h"

#include "mxhold/base/attr.h"
#include "unit/base/suite.h"

/* The authors' vectors: key 00..0f, input 00, 00 01, ... of n octets. */
static const struct {
	size_t n;
	uint64_t hash;
} vectors[] = {
	{0, 0x726fdb47dd0e0e31U},  {1, 0x74f839c593dc67fdU},
	{2, 0x0d6c8009d9a94f5aU},  {7, 0xab0200f58b01d137U},
	{8, 0x93f5f5799a932462U},  {15, 0xa129ca6149be45e5U},
	{63, 0x958a324ceb064572U},
};

START_TEST(siphash__gives_the_published_values)
{
	const uint64_t key[2] = {0x0706050403020100U, 0x0f0e0d0c0b0a0908U};
	uint8_t in[64];

	for (int i = 0; i < 64; i++)
		in[i] = (uint8_t)i;
	ck_assert_uint_eq(siphash(key, slice_make(in, vectors[_i].n)),
			  vectors[_i].hash);
}
END_TEST

int main(void)
{
	return RUN_TESTS("siphash",
			 LOOP(siphash__gives_the_published_values, vectors));
}
