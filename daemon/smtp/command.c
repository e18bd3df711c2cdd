#include "mxhold/smtp/command.h"

#include "mxhold/base/inet.h"
#include "mxhold/mail/domain.h"

enum {
	HELO_MAX = 255
};

void smtp_command_split(struct slice line, struct smtp_command *out)
{
	ptrdiff_t blank = slice_index(line, ' ');
	size_t n = blank < 0 ? line.n : (size_t)blank;

	out->verb = slice_head(line, n);
	out->arg = slice_trim(slice_skip(line, n));
}

bool smtp_command_path(struct slice arg, struct slice keyword,
		       struct slice *path)
{
	if (!slice_starts_nocase(arg, keyword))
		return false;
	*path = slice_trim(slice_skip(arg, keyword.n));
	return true;
}

bool smtp_command_word(struct slice *rest, struct slice *word)
{
	struct slice from = slice_trim(*rest);
	ptrdiff_t blank = slice_index(from, ' ');

	*word = slice_head(from, blank < 0 ? from.n : (size_t)blank);
	*rest = slice_skip(from, word->n);
	return word->n > 0;
}

/* Letters, digits and what careless clients mix in. */
static bool is_helo_char(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' ||
	       c == ':';
}

static bool is_loose_domain(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (!is_helo_char((unsigned char)s.p[i]))
			return false;
	}
	return s.n > 0;
}

static bool is_loose_literal(struct slice inner)
{
	size_t i;

	for (i = 0; i < inner.n; i++) {
		unsigned char c = (unsigned char)inner.p[i];

		if (c <= ' ' || c >= 127 || c == '[')
			return false;
	}
	return inner.n > 0;
}

/* RFC 5321 4.1.3, without the general form: no tag but IPv6 is known. */
static bool is_strict_literal(struct slice inner)
{
	bool tagged = slice_starts_nocase(inner, SLICE("IPv6:"));
	struct inet_addr addr;

	if (tagged)
		inner = slice_skip(inner, 5);
	return inet_parse(inner, &addr) == 0 &&
	       tagged == (slice_index(inner, ':') >= 0);
}

static bool helo_literal(struct slice arg, bool strict, struct slice *name)
{
	ptrdiff_t end = slice_index(arg, ']');
	struct slice inner, behind;

	if (end < 0 || end > HELO_MAX)
		return false;
	inner = slice_skip(slice_head(arg, (size_t)end), 1);
	behind = slice_skip(arg, (size_t)end + 1);
	*name = slice_head(arg, (size_t)end + 1);
	if (strict)
		return behind.n == 0 && is_strict_literal(inner);
	return (behind.n == 0 || behind.p[0] == ' ') && is_loose_literal(inner);
}

bool smtp_command_helo(struct slice arg, bool strict, struct slice *name)
{
	if (arg.n == 0)
		return false;
	if (arg.p[0] == '[')
		return helo_literal(arg, strict, name);
	*name = arg;
	if (arg.n > HELO_MAX)
		return false;
	return strict ? domain_is_valid(arg) : is_loose_domain(arg);
}
