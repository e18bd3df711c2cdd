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

/*
 * For inputs of several parts: an octet, a number, a field that ends at 0xff
 * (which no UTF-8 has). What is not there is zero or empty.
 */
static inline unsigned fuzz_u8(struct slice *in)
{
	unsigned v = in->n ? (unsigned char)in->p[0] : 0;

	*in = slice_skip(*in, 1);
	return v;
}

static inline uint64_t fuzz_u64(struct slice *in)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | fuzz_u8(in);
	return v;
}

static inline struct slice fuzz_field(struct slice *in)
{
	ptrdiff_t end = slice_index(*in, '\xff');
	struct slice field = slice_head(*in, end < 0 ? in->n : (size_t)end);

	*in = slice_skip(*in, field.n + 1);
	return field;
}

/* Points into what it was made from. */
static inline bool fuzz_is_within(struct slice part, struct slice whole)
{
	return part.n == 0 ||
	       (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static inline uint32_t fuzz_hash(struct slice s)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 16777619u;
	return h;
}

#endif
