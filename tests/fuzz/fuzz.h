/*
 * What the fuzz targets share. A property that does not hold is an abort, as
 * for the sanitizers; there are no expected outputs.
 */
#ifndef MXHOLD_TESTS_FUZZ_H
#define MXHOLD_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "mxhold/base/buf.h"

#define FUZZ_CHECK(expr)         \
	do {                     \
		if (!(expr))     \
			abort(); \
	} while (0)

enum {
	FUZZ_TEXT_MAX = 64 << 20
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Sizes of pieces: all at once, one octet, or a sequence from a seed. */
struct cutter {
	size_t fixed; /* 0: by the seed */
	uint32_t seed;
};

static inline size_t cutter_next(struct cutter *c, size_t n)
{
	size_t piece = c->fixed;

	if (piece == 0) {
		c->seed = c->seed * 1664525u + 1013904223u;
		piece = 1 + (c->seed >> 20) % 37;
	}
	return piece < n ? piece : n;
}

static inline uint32_t fuzz_hash(struct slice s)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 16777619u;
	return h;
}

#endif
