/* UTF-8 by the table of RFC 3629 4, and what of it may be shown. */
#include "mxhold/base/text.h"

/* How many octets follow, and the bounds of the first that does. */
struct lead {
	unsigned char first, last, more, low, high;
};

static const struct lead leads[] = {
	{0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf},
	{0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f},
	{0xee, 0xef, 2, 0x80, 0xbf}, {0xf0, 0xf0, 3, 0x90, 0xbf},
	{0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

static const struct lead *find_lead(unsigned char c)
{
	for (size_t i = 0; i < MX_ARRAY_SIZE(leads); i++)
		if (c >= leads[i].first && c <= leads[i].last)
			return &leads[i];
	return NULL;
}

static size_t decode(struct slice s, uint32_t *code)
{
	const unsigned char *p = (const unsigned char *)s.p;
	const struct lead *lead = find_lead(p[0]);
	uint32_t sum;

	if (!lead || s.n < (size_t)lead->more + 1 || p[1] < lead->low ||
	    p[1] > lead->high)
		return 0;
	sum = p[0] & (0x3fU >> lead->more);
	for (size_t i = 1; i <= lead->more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		sum = sum << 6 | (p[i] & 0x3fU);
	}
	*code = sum;
	return (size_t)lead->more + 1;
}

size_t text_utf8_next(struct slice s, uint32_t *code)
{
	uint32_t ignored;

	code = code ? code : &ignored;
	if (s.n == 0)
		return 0;
	if ((unsigned char)s.p[0] < 0x80) {
		*code = (unsigned char)s.p[0];
		return 1;
	}
	return decode(s, code);
}

bool text_is_utf8(struct slice s)
{
	while (s.n) {
		size_t n = text_utf8_next(s, NULL);

		if (n == 0)
			return false;
		s = slice_skip(s, n);
	}
	return true;
}

bool text_is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

bool text_is_control(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x00, 0x1f},     {0x7f, 0x9f},     {0x061c, 0x061c},
		{0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069},
		{0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
	};

	for (size_t i = 0; i < MX_ARRAY_SIZE(ranges); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

static int append_hex(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (buf_printf(b, "\\x%02x", (unsigned char)s.p[i]))
			return -1;
	return 0;
}

static int append_one(struct buf *b, struct slice s, size_t n)
{
	uint32_t code = 0;

	if (text_utf8_next(s, &code) == 0 || text_is_control(code))
		return append_hex(b, slice_head(s, n));
	if (code == '\\')
		return buf_append(b, "\\\\", 2);
	return buf_append(b, s.p, n);
}

/* The first max octets, less the part of a character that max cuts off. */
static struct slice cut(struct slice s, size_t max)
{
	size_t n = MX_MIN(s.n, max);

	for (size_t back = 1; n < s.n && back <= 3 && back <= n; back++) {
		size_t len = text_utf8_next(slice_skip(s, n - back), NULL);

		if (len > back)
			return slice_head(s, n - back);
	}
	return slice_head(s, n);
}

int text_append_safe(struct buf *b, struct slice s, size_t max)
{
	size_t before = b->n;

	s = cut(s, max);
	while (s.n) {
		size_t n = text_utf8_next(s, NULL);

		n = n ? n : 1;
		if (append_one(b, s, n)) {
			buf_truncate(b, before);
			return -1;
		}
		s = slice_skip(s, n);
	}
	return 0;
}
