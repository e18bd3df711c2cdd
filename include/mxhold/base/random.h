/*
 * Randomness for ids, jitter and shuffles; from getrandom(2) unless seeded.
 * Any thread (state is per thread).
 */
#ifndef MXHOLD_BASE_RANDOM_H
#define MXHOLD_BASE_RANDOM_H

#include <stdint.h>

uint64_t random_u64(void);
uint32_t random_below(uint32_t limit); /* 0 .. limit-1; limit > 0; unbiased */
/* Every thread that asks from now on gets a repeatable sequence. */
void random_seed(uint64_t seed);
/*
 * A key for keyed hashes: drawn once, the same for the whole process, so that
 * hashes of one value agree; derived from the seed after random_seed.
 */
void random_key(uint64_t key[2]);

#endif
