#include "mxhold/base/id.h"

#include "mxhold/base/assert.h"

enum {
	SEQUENCE_BITS = 20
};

/* Crockford: no i, l, o, u; in ASCII order, so ids sort as text too. */
static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

uint64_t id_next(uint64_t last, int64_t wall_ms)
{
	uint64_t from_clock;

	MX_ASSERT(last < UINT64_MAX);
	from_clock = wall_ms > 0 ? (uint64_t)wall_ms << SEQUENCE_BITS : 0;
	return from_clock > last ? from_clock : last + 1;
}

void id_format(uint64_t id, char out[ID_TEXT_LEN + 1])
{
	for (int i = ID_TEXT_LEN; i-- > 0; id >>= 5)
		out[i] = digits[id & 31];
	out[ID_TEXT_LEN] = '\0';
}

static int digit_value(char c)
{
	const char *at;

	if (c >= 'A' && c <= 'Z')
		c = (char)(c + ('a' - 'A'));
	at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

int id_parse(struct slice text, uint64_t *id)
{
	uint64_t sum = 0;

	if (text.n != ID_TEXT_LEN)
		return -1;
	for (size_t i = 0; i < text.n; i++) {
		int v = digit_value(text.p[i]);

		/* 13 digits hold 65 bits: the first has four alone. */
		if (v < 0 || (i == 0 && v > 15))
			return -1;
		sum = sum << 5 | (uint64_t)v;
	}
	*id = sum;
	return 0;
}
