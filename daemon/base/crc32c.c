/*
 * CRC-32C. Eight octets a step through tables, or the crc32 instruction.
 */
#include <pthread.h>
#include <string.h>

#include "mxhold/base/text.h"

enum {
	STEP = 8
};

static const uint32_t polynomial = 0x82f63b78; /* reflected */
static uint32_t table[STEP][256];

static void make_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
		table[0][i] = crc;
	}
	for (int k = 1; k < STEP; k++)
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t crc = table[k - 1][i];

			table[k][i] = crc >> 8 ^ table[0][crc & 0xff];
		}
}

uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const unsigned char *b = p;

	pthread_once(&once, make_table);
	crc = ~crc;
	for (; n >= STEP; n -= STEP, b += STEP) {
		uint32_t low =
			crc ^ (b[0] | (uint32_t)b[1] << 8 |
			       (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24);

		crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^
		      table[5][low >> 16 & 0xff] ^ table[4][low >> 24] ^
		      table[3][b[4]] ^ table[2][b[5]] ^ table[1][b[6]] ^
		      table[0][b[7]];
	}
	for (; n; n--, b++)
		crc = crc >> 8 ^ table[0][(crc ^ *b) & 0xff];
	return ~crc;
}

#ifdef __x86_64__

__attribute__((target("sse4.2"))) static uint32_t
crc32c_sse42(uint32_t crc, const unsigned char *p, size_t n)
{
	uint64_t sum = (uint32_t)~crc;

	for (; n >= STEP; n -= STEP, p += STEP) {
		uint64_t word;

		memcpy(&word, p, sizeof(word));
		sum = __builtin_ia32_crc32di(sum, word);
	}
	crc = (uint32_t)sum;
	for (; n; n--, p++)
		crc = __builtin_ia32_crc32qi(crc, *p);
	return ~crc;
}

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
	if (__builtin_cpu_supports("sse4.2"))
		return crc32c_sse42(crc, p, n);
	return crc32c_portable(crc, p, n);
}

#else

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
	return crc32c_portable(crc, p, n);
}

#endif
