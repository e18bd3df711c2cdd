#include "mxhold/mail/xtext.h"

#include <inttypes.h>

#include "mxhold/base/text.h"

static int hex_value(char c, bool lower_too)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (lower_too && c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* One octet of xtext: how many characters say it, 0 = not xtext. */
static size_t xtext_next(struct slice s, char *octet)
{
	int high, low;

	if (s.p[0] != '+') {
		*octet = s.p[0];
		return s.p[0] >= '!' && s.p[0] <= '~' && s.p[0] != '=';
	}
	if (s.n < 3)
		return 0;
	high = hex_value(s.p[1], false);
	low = hex_value(s.p[2], false);
	if (high < 0 || low < 0)
		return 0;
	*octet = (char)(high << 4 | low);
	return 3;
}

bool xtext_is_valid(struct slice s)
{
	while (s.n) {
		char octet;
		size_t n = xtext_next(s, &octet);

		if (n == 0)
			return false;
		s = slice_skip(s, n);
	}
	return true;
}

int xtext_decode(struct slice s, struct buf *out)
{
	size_t before = out->n;

	while (s.n) {
		char octet;
		size_t n = xtext_next(s, &octet);

		if (n == 0 || buf_append(out, &octet, 1)) {
			buf_truncate(out, before);
			return -1;
		}
		s = slice_skip(s, n);
	}
	return 0;
}

int xtext_append(struct buf *out, struct slice raw)
{
	size_t before = out->n;

	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];
		bool plain = c >= '!' && c <= '~' && c != '+' && c != '=';

		if (plain ? buf_append(out, &c, 1)
			  : buf_printf(out, "+%02X", (unsigned char)c)) {
			buf_truncate(out, before);
			return -1;
		}
	}
	return 0;
}

/*
 * The inside of \x{...}: 2-6 digits, a character that may be escaped. NUL is
 * left out: no address has it, and the grammar of RFC 6533 3 neither.
 */
static size_t embedded(struct slice s, uint32_t *code)
{
	size_t i = 3;

	if (s.n < 6 || memcmp(s.p, "\\x{", 3) != 0)
		return 0;
	for (*code = 0; i < s.n && s.p[i] != '}'; i++) {
		int digit = hex_value(s.p[i], true);

		if (digit < 0 || i == 9)
			return 0;
		*code = *code << 4 | (uint32_t)digit;
	}
	if (i == s.n || i < 5 || *code == 0 || *code > 0x10ffff ||
	    (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return i + 1;
}

static bool is_qchar(uint32_t c)
{
	return c > 32 && c < 127 && c != '+' && c != '=' && c != '\\';
}

/* One character: how many octets say it, 0 = not in the grammar. */
static size_t utf8_xtext_next(struct slice s, bool allow_raw, uint32_t *code)
{
	size_t n;

	if (s.p[0] == '\\')
		return embedded(s, code);
	n = text_utf8_next(s, code);
	if (n == 1 ? !is_qchar(*code) : !allow_raw)
		return 0;
	return n;
}

bool utf8_xtext_is_valid(struct slice s, bool allow_raw)
{
	if (s.n == 0)
		return false;
	while (s.n) {
		uint32_t code;
		size_t n = utf8_xtext_next(s, allow_raw, &code);

		if (n == 0)
			return false;
		s = slice_skip(s, n);
	}
	return true;
}

static int append_utf8(struct buf *out, uint32_t c)
{
	int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const unsigned char marks[] = {0x00, 0xc0, 0xe0, 0xf0};
	unsigned char s[4] = {(unsigned char)(marks[more] | c >> 6 * more)};

	for (int i = 1; i <= more; i++)
		s[i] = (unsigned char)(0x80 | (c >> 6 * (more - i) & 0x3f));
	return buf_append(out, s, (size_t)more + 1);
}

int utf8_xtext_decode(struct slice s, struct buf *out)
{
	size_t before = out->n;

	while (s.n) {
		uint32_t code;
		size_t n = utf8_xtext_next(s, true, &code);

		if (n == 0 || append_utf8(out, code)) {
			buf_truncate(out, before);
			return -1;
		}
		s = slice_skip(s, n);
	}
	return 0;
}

int utf8_xtext_append(struct buf *out, struct slice utf8)
{
	size_t before = out->n;

	while (utf8.n) {
		uint32_t code = 0;
		size_t n = text_utf8_next(utf8, &code);

		if (n == 0 ||
		    (is_qchar(code)
			     ? buf_append(out, utf8.p, 1)
			     : buf_printf(out, "\\x{%02" PRIX32 "}", code))) {
			buf_truncate(out, before);
			return -1;
		}
		utf8 = slice_skip(utf8, n);
	}
	return 0;
}
