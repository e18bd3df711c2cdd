#include "mxhold/base/text.h"

#include <string.h>

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : -1;
}

int text_parse_u64(struct slice s, uint64_t *out)
{
	uint64_t sum = 0;

	if (s.n == 0)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		int d = digit(s.p[i]);

		if (d < 0 || __builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)d, &sum))
			return -1;
	}
	*out = sum;
	return 0;
}

void text_hex(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int text_unhex(struct slice s, uint8_t *out, size_t n)
{
	if (s.n % 2 || s.n / 2 != n)
		return -1;
	for (size_t i = 0; i < s.n; i++)
		if (hex_value(s.p[i]) < 0)
			return -1;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(hex_value(s.p[2 * i]) * 16 +
				   hex_value(s.p[2 * i + 1]));
	return 0;
}

enum {
	WORD_MAX = 64, /* a longer word is no misspelt name */
	FAR = 99
};

/* Three rows of the table are enough to see a swap of neighbours. */
int text_distance(const char *a, const char *b)
{
	size_t na = strnlen(a, WORD_MAX + 1), nb = strnlen(b, WORD_MAX + 1);
	int rows[3][WORD_MAX + 1];

	if (na > WORD_MAX || nb > WORD_MAX)
		return FAR;
	for (size_t j = 0; j <= nb; j++)
		rows[0][j] = (int)j;
	for (size_t i = 1; i <= na; i++) {
		int *row = rows[i % 3], *above = rows[(i - 1) % 3];

		row[0] = (int)i;
		for (size_t j = 1; j <= nb; j++) {
			int best = above[j - 1] + (a[i - 1] != b[j - 1]);

			best = MX_MIN(best, above[j] + 1);
			best = MX_MIN(best, row[j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				best = MX_MIN(best,
					      rows[(i - 2) % 3][j - 2] + 1);
			row[j] = best;
		}
	}
	return rows[na % 3][nb];
}
