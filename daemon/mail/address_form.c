/* Other ways to write an address that has been parsed. */
#include "mxhold/base/assert.h"
#include "mxhold/mail/address.h"
#include "mxhold/mail/domain.h"

/* What the local part means: without quotes and quoted pairs. */
static struct slice unquote(const struct address *a,
			    char room[ADDRESS_LOCAL_MAX])
{
	size_t n = 0;

	if (!a->quoted)
		return a->local;
	MX_ASSERT(a->local.n >= 2 && a->local.n <= ADDRESS_LOCAL_MAX);
	for (size_t i = 1; i < a->local.n - 1; i++) {
		if (a->local.p[i] == '\\')
			i++;
		room[n++] = a->local.p[i];
	}
	return slice_make(room, n);
}

static bool is_atom_octet(char c)
{
	return c & 0x80 || (c > 32 && c < 127 && !strchr("()<>[]:;@\\,.\"", c));
}

static bool is_dot_string(struct slice s)
{
	bool in_atom = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' ? !in_atom : !is_atom_octet(s.p[i]))
			return false;
		in_atom = s.p[i] != '.';
	}
	return in_atom;
}

static int append_meaning(struct buf *b, struct slice s)
{
	if (is_dot_string(s))
		return buf_append_slice(b, s);
	if (buf_append(b, "\"", 1))
		return -1;
	for (size_t i = 0; i < s.n; i++)
		if (((s.p[i] == '"' || s.p[i] == '\\') &&
		     buf_append(b, "\\", 1)) ||
		    buf_append(b, &s.p[i], 1))
			return -1;
	return buf_append(b, "\"", 1);
}

int address_append_local(struct buf *b, const struct address *a)
{
	char room[ADDRESS_LOCAL_MAX];
	size_t before = b->n;

	if (append_meaning(b, unquote(a, room)) == 0)
		return 0;
	buf_truncate(b, before);
	return -1;
}

/* "joe+list" -> "joe" for "+"; a separator in front, or behind a dot where
 * no name ends, is part of the name. */
static struct slice cut_detail(struct slice local, const char *separators)
{
	for (size_t i = 1; i < local.n; i++)
		if (local.p[i] && strchr(separators, local.p[i]) &&
		    local.p[i - 1] != '.')
			return slice_head(local, i);
	return local;
}

static int append_domain(struct buf *b, const struct address *a)
{
	char text[DOMAIN_MAX];

	if (a->domain.n == 0)
		return 0;
	if (!a->literal) {
		if (domain_canonical(a->domain, text))
			return -1;
		return buf_printf(b, "@%s", text);
	}
	if (a->literal_addr.family) {
		inet_format_literal(&a->literal_addr, text);
		return buf_printf(b, "@%s", text);
	}
	return buf_append(b, "@", 1) || buf_append_slice(b, a->domain) ? -1 : 0;
}

int address_canonical(const struct address *a, const char *subaddress,
		      char *out, size_t room)
{
	struct buf b MX_CLEANUP(buf_done);
	char local[ADDRESS_LOCAL_MAX];
	struct slice s;

	buf_init(&b, ADDRESS_MAX * 2);
	s = cut_detail(unquote(a, local), subaddress);
	if (append_meaning(&b, s) || append_domain(&b, a) || b.n >= room ||
	    b.n + 2 > ADDRESS_PATH_MAX)
		return -1;
	s = buf_slice(&b);
	for (size_t i = 0; i < s.n; i++)
		out[i] = s.p[i] >= 'A' && s.p[i] <= 'Z'
				 ? (char)(s.p[i] + ('a' - 'A'))
				 : s.p[i];
	out[s.n] = '\0';
	return 0;
}

bool address_is_postmaster(const struct address *a)
{
	char room[ADDRESS_LOCAL_MAX];

	return slice_eq_nocase(unquote(a, room), SLICE("postmaster"));
}
