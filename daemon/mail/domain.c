#include "mxhold/mail/domain.h"

#include <idn2.h>
#include <stdlib.h>

#include "mxhold/base/text.h"

enum {
	LABEL_MAX = 63 /* RFC 1035 2.3.4 */
};

static bool is_let_dig(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

/* RFC 5321 4.1.2: sub-domain = Let-dig [Ldh-str]. */
static bool is_label(struct slice s)
{
	if (s.n == 0 || s.n > LABEL_MAX || !is_let_dig(s.p[0]) ||
	    !is_let_dig(s.p[s.n - 1]))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_let_dig(s.p[i]) && s.p[i] != '-')
			return false;
	return true;
}

bool domain_is_valid(struct slice s)
{
	if (s.n >= DOMAIN_MAX)
		return false;
	for (;;) {
		ptrdiff_t dot = slice_index(s, '.');

		if (dot < 0)
			return is_label(s);
		if (!is_label(slice_head(s, (size_t)dot)))
			return false;
		s = slice_skip(s, (size_t)dot + 1);
	}
}

bool domain_is_fqdn(struct slice s)
{
	return slice_index(s, '.') >= 0 && domain_is_valid(s);
}

static void copy_lower(struct slice s, char *out)
{
	for (size_t i = 0; i < s.n; i++)
		out[i] = s.p[i] >= 'A' && s.p[i] <= 'Z'
				 ? (char)(s.p[i] + ('a' - 'A'))
				 : s.p[i];
	out[s.n] = '\0';
}

/* libidn2 would drop the other octets in silence, and find another domain. */
static bool is_ldh_or_utf8(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] & 0x80) && !is_let_dig(s.p[i]) && s.p[i] != '-' &&
		    s.p[i] != '.')
			return false;
	return true;
}

/* RFC 5891 5 by way of UTS 46: letters are folded, a sharp s stays one. */
static int from_u_labels(struct slice s, char out[DOMAIN_MAX])
{
	char name[DOMAIN_MAX], *ascii = NULL;
	struct slice got;
	int ret = -1;

	if (!text_is_utf8(s) || !is_ldh_or_utf8(s))
		return -1;
	memcpy(name, s.p, s.n);
	name[s.n] = '\0';
	if (idn2_to_ascii_8z(name, &ascii,
			     IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) ==
	    IDN2_OK) {
		got = slice_str(ascii);
		if (domain_is_valid(got)) {
			copy_lower(got, out);
			ret = 0;
		}
	}
	idn2_free(ascii);
	return ret;
}

int domain_canonical(struct slice s, char out[DOMAIN_MAX])
{
	if (s.n && s.p[s.n - 1] == '.')
		s.n--;
	if (s.n >= DOMAIN_MAX)
		return -1;
	if (!text_is_ascii(s))
		return from_u_labels(s, out);
	/* A-labels are taken as they are: names older than the tables of
	 * libidn2 exist, and get mail. */
	if (!domain_is_valid(s))
		return -1;
	copy_lower(s, out);
	return 0;
}

/*
 * libidn2 decodes whatever stands behind "xn--", controls too. U-labels are
 * those alone that come from their A-labels and lead back (RFC 5890 2.3.2.1).
 */
static bool is_display_of(const char *unicode, const char *canonical)
{
	char again[DOMAIN_MAX];

	return domain_canonical(slice_str(unicode), again) == 0 &&
	       strcmp(again, canonical) == 0;
}

int domain_display(const char *canonical, char *out, size_t room)
{
	const char *shown = canonical;
	char *unicode = NULL;
	int ret = -1;

	if (idn2_to_unicode_8z8z(canonical, &unicode, 0) == IDN2_OK &&
	    unicode && strlen(unicode) < room &&
	    is_display_of(unicode, canonical))
		shown = unicode;
	if (strlen(shown) < room) {
		strcpy(out, shown);
		ret = 0;
	}
	idn2_free(unicode);
	return ret;
}

bool domain_is_below(struct slice name, struct slice suffix)
{
	struct slice tail;

	if (suffix.n == 0 || name.n < suffix.n)
		return false;
	tail = slice_skip(name, name.n - suffix.n);
	return slice_eq_nocase(tail, suffix) &&
	       (name.n == suffix.n || tail.p[-1] == '.');
}
