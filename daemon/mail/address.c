/*
 * The grammar of RFC 5321 4.1.2 and 4.1.3, with UTF-8 where RFC 6531 3.3
 * lets it in. One function a production; each takes what it can from the
 * front of the reader and says what is wrong with what it finds there.
 */
#include "mxhold/mail/address.h"

#include "mxhold/base/text.h"
#include "mxhold/mail/domain.h"

struct reader {
	struct slice in; /* what is left */
	bool utf8;
};

static bool at(const struct reader *r, char c)
{
	return r->in.n && r->in.p[0] == c;
}

static bool skip(struct reader *r, char c)
{
	if (!at(r, c))
		return false;
	r->in = slice_skip(r->in, 1);
	return true;
}

static bool is_let_dig(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

static bool is_atext(char c)
{
	return is_let_dig(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_ldh_or_dot(char c)
{
	return is_let_dig(c) || c == '-' || c == '.';
}

/*
 * Takes one or more characters of a class; all of UTF-8 belongs to it. False
 * when some octet above 127 is no UTF-8.
 */
static bool take_class(struct reader *r, bool (*is_member)(char))
{
	while (r->in.n) {
		size_t n = 1;

		if ((unsigned char)r->in.p[0] >= 0x80) {
			n = text_utf8_next(r->in, NULL);
			if (n == 0)
				return false;
			r->utf8 = true;
		} else if (!is_member(r->in.p[0])) {
			break;
		}
		r->in = slice_skip(r->in, n);
	}
	return true;
}

static enum address_error take_dot_string(struct reader *r)
{
	do {
		size_t before = r->in.n;

		if (!take_class(r, is_atext))
			return ADDRESS_NOT_UTF8;
		if (r->in.n == before)
			return ADDRESS_LOCAL_PART;
	} while (skip(r, '.'));
	return ADDRESS_OK;
}

static bool is_qtext(char c)
{
	return c >= 32 && c <= 126 && c != '"' && c != '\\';
}

static enum address_error take_quoted_string(struct reader *r)
{
	r->in = slice_skip(r->in, 1);
	for (;;) {
		if (!take_class(r, is_qtext))
			return ADDRESS_NOT_UTF8;
		if (skip(r, '"'))
			return ADDRESS_OK;
		if (!skip(r, '\\') || r->in.n == 0 || r->in.p[0] < 32 ||
		    r->in.p[0] > 126)
			return ADDRESS_LOCAL_PART;
		r->in = slice_skip(r->in, 1);
	}
}

/* U-labels must have A-labels, or no look-up could ever find the domain. */
static bool is_good_domain(struct slice s, bool utf8)
{
	char canonical[DOMAIN_MAX];

	if (!utf8)
		return domain_is_valid(s);
	return s.p[s.n - 1] != '.' && domain_canonical(s, canonical) == 0;
}

static enum address_error take_domain(struct reader *r, struct slice *out)
{
	const char *start = r->in.p;
	bool outer = r->utf8, utf8;

	r->utf8 = false;
	if (!take_class(r, is_ldh_or_dot))
		return ADDRESS_NOT_UTF8;
	utf8 = r->utf8;
	r->utf8 = outer || utf8;
	*out = slice_make(start, (size_t)(r->in.p - start));
	if (out->n > ADDRESS_DOMAIN_MAX)
		return ADDRESS_TOO_LONG;
	if (out->n == 0 || !is_good_domain(*out, utf8))
		return ADDRESS_BAD_DOMAIN;
	return ADDRESS_OK;
}

/* Snum = 1*3DIGIT, so [192.0.2.001] is one (RFC 5321 4.1.3). */
static bool parse_snums(struct slice s, struct inet_addr *out)
{
	struct inet_addr addr = {.family = 4};

	for (int i = 0; i < 4; i++) {
		ptrdiff_t dot = slice_index(s, '.');
		struct slice num = slice_head(s, dot < 0 ? s.n : (size_t)dot);
		uint64_t value;

		if ((dot < 0) != (i == 3) || num.n > 3 ||
		    text_parse_u64(num, &value) || value > 255)
			return false;
		addr.bytes[i] = (uint8_t)value;
		s = slice_skip(s, num.n + 1);
	}
	*out = addr;
	return true;
}

/* Standardized-tag ":" 1*dcontent, the tag ending in a letter or digit. */
static bool is_general_literal(struct slice s)
{
	ptrdiff_t colon = slice_index(s, ':');
	struct inet_addr v6;

	if (colon < 1 || (size_t)colon + 1 == s.n ||
	    !is_let_dig(s.p[colon - 1]))
		return false;
	for (ptrdiff_t i = 0; i < colon; i++)
		if (!is_let_dig(s.p[i]) && s.p[i] != '-')
			return false;
	for (size_t i = (size_t)colon + 1; i < s.n; i++)
		if (s.p[i] < 33 || s.p[i] > 126 || s.p[i] == '\\')
			return false;
	return inet_parse(s, &v6) != 0; /* IPv6 without its tag */
}

static bool parse_literal(struct slice s, struct inet_addr *out)
{
	*out = (struct inet_addr){0};
	if (slice_starts_nocase(s, SLICE("IPv6:"))) {
		s = slice_skip(s, 5);
		return slice_index(s, ':') >= 0 && inet_parse(s, out) == 0;
	}
	return parse_snums(s, out) || is_general_literal(s);
}

static enum address_error take_literal(struct reader *r, struct address *out)
{
	ptrdiff_t end = slice_index(r->in, ']');
	struct slice inside;

	if (end < 0)
		return ADDRESS_BAD_DOMAIN;
	out->literal = true;
	out->domain = slice_head(r->in, (size_t)end + 1);
	inside = slice_skip(slice_head(r->in, (size_t)end), 1);
	r->in = slice_skip(r->in, (size_t)end + 1);
	if (out->domain.n > ADDRESS_DOMAIN_MAX)
		return ADDRESS_TOO_LONG;
	if (slice_index(inside, '[') >= 0 ||
	    !parse_literal(inside, &out->literal_addr))
		return ADDRESS_BAD_DOMAIN;
	return ADDRESS_OK;
}

static enum address_error take_local(struct reader *r, struct address *out)
{
	const char *start = r->in.p;
	enum address_error err;

	out->quoted = at(r, '"');
	err = out->quoted ? take_quoted_string(r) : take_dot_string(r);
	out->local = slice_make(start, (size_t)(r->in.p - start));
	if (!err && out->local.n > ADDRESS_LOCAL_MAX)
		err = ADDRESS_TOO_LONG;
	return err;
}

static enum address_error take_mailbox(struct reader *r, bool allow_bare,
				       struct address *out)
{
	const char *start = r->in.p;
	enum address_error err = take_local(r, out);
	bool bare;

	if (err)
		return err;
	bare = allow_bare && (r->in.n == 0 || at(r, '>'));
	if (!bare && !skip(r, '@')) /* "a b@c" stops at the blank */
		return at(r, '>') || r->in.n == 0 ? ADDRESS_BAD_DOMAIN
						  : ADDRESS_LOCAL_PART;
	if (!bare)
		err = at(r, '[') ? take_literal(r, out)
				 : take_domain(r, &out->domain);
	out->text = slice_make(start, (size_t)(r->in.p - start));
	out->utf8 = r->utf8;
	if (!err && out->text.n + 2 > ADDRESS_PATH_MAX)
		err = ADDRESS_TOO_LONG;
	return err;
}

/* A-d-l ":", which is read and forgotten (RFC 5321 4.1.1.3, App. C). */
static enum address_error take_route(struct reader *r)
{
	enum address_error err;
	struct slice host;

	do {
		if (!skip(r, '@'))
			return ADDRESS_SYNTAX;
		err = take_domain(r, &host);
		if (err)
			return err;
	} while (skip(r, ','));
	r->utf8 = false; /* it was the route's */
	return skip(r, ':') ? ADDRESS_OK : ADDRESS_SYNTAX;
}

enum address_error address_parse_path(struct slice in, struct address *out,
				      size_t *used)
{
	struct reader r = {.in = in};
	enum address_error err;

	*out = (struct address){.text = slice_head(in, 0)};
	*used = 0;
	if (!skip(&r, '<'))
		return ADDRESS_SYNTAX;
	if (skip(&r, '>')) {
		*used = 2;
		return ADDRESS_OK;
	}
	if (at(&r, '@')) {
		err = take_route(&r);
		if (err)
			return err;
	}
	err = take_mailbox(&r, true, out);
	if (err)
		return err;
	if (!skip(&r, '>')) /* "a@x_y" stops at the underscore */
		return r.in.n ? ADDRESS_BAD_DOMAIN : ADDRESS_SYNTAX;
	if (out->domain.n == 0 && !address_is_postmaster(out))
		return ADDRESS_BAD_DOMAIN;
	*used = in.n - r.in.n;
	return ADDRESS_OK;
}

enum address_error address_parse(struct slice in, bool allow_bare,
				 struct address *out)
{
	struct reader r = {.in = in};
	enum address_error err;

	*out = (struct address){.text = slice_head(in, 0)};
	if (in.n == 0)
		return ADDRESS_SYNTAX;
	err = take_mailbox(&r, allow_bare, out);
	if (!err && r.in.n)
		err = out->domain.n ? ADDRESS_BAD_DOMAIN : ADDRESS_LOCAL_PART;
	return err;
}
