/*
 * Paths and addresses: what a path holds is an address by itself; the form
 * with the least quoting is one too, and the same one; the canonical form of
 * the canonical form is itself. A domain as people see it has no controls.
 */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "mxhold/base/text.h"
#include "mxhold/mail/address.h"
#include "mxhold/mail/domain.h"

static void check_text(struct slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		FUZZ_CHECK(c >= ' ' && c != 127);
	}
}

/* A canonical address is its own canonical form. */
static void check_canonical(const struct address *a, const char *subaddress)
{
	char first[1024], second[1024];
	struct address again;

	if (address_canonical(a, subaddress, first, sizeof(first)))
		return;
	check_text(slice_str(first));
	FUZZ_CHECK(address_parse(slice_str(first), true, &again) == ADDRESS_OK);
	FUZZ_CHECK(address_canonical(&again, subaddress, second,
				     sizeof(second)) == 0);
	FUZZ_CHECK(strcmp(first, second) == 0);
	FUZZ_CHECK(address_is_postmaster(a) == address_is_postmaster(&again) ||
		   *subaddress);
}

static void check_domain(struct slice in)
{
	char domain[DOMAIN_MAX], again[DOMAIN_MAX], shown[1024];
	uint32_t code = 0;
	struct slice s;

	if (domain_canonical(in, domain))
		return;
	FUZZ_CHECK(domain_is_valid(slice_str(domain)));
	FUZZ_CHECK(domain_canonical(slice_str(domain), again) == 0);
	FUZZ_CHECK(strcmp(domain, again) == 0);
	FUZZ_CHECK(domain_is_below(slice_str(domain), slice_str(again)));
	FUZZ_CHECK(domain_display(domain, shown, sizeof(shown)) == 0);
	FUZZ_CHECK(domain_canonical(slice_str(shown), again) == 0);
	FUZZ_CHECK(strcmp(domain, again) == 0);
	for (s = slice_str(shown); s.n;) {
		size_t n = text_utf8_next(s, &code);

		FUZZ_CHECK(n && !text_is_control(code));
		s = slice_skip(s, n);
	}
}

static void check_forms(const struct address *a)
{
	char first[1024], second[1024];
	struct address again;
	struct buf b;

	buf_init(&b, 4096);
	FUZZ_CHECK(address_append_local(&b, a) == 0);
	if (a->domain.n) {
		buf_append_str(&b, "@");
		buf_append_slice(&b, a->domain);
	}
	FUZZ_CHECK(address_parse(buf_slice(&b), true, &again) == ADDRESS_OK);
	FUZZ_CHECK(again.literal == a->literal && again.utf8 == a->utf8);
	if (address_canonical(a, "", first, sizeof(first)) == 0) {
		FUZZ_CHECK(address_canonical(&again, "", second,
					     sizeof(second)) == 0);
		FUZZ_CHECK(strcmp(first, second) == 0);
	}
	check_canonical(a, "");
	check_canonical(a, "+");
	check_canonical(a, "+-=");
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	struct address a, alone;
	size_t used;

	if (address_parse_path(in, &a, &used) == ADDRESS_OK) {
		FUZZ_CHECK(used >= 2 && used <= size);
		FUZZ_CHECK(in.p[0] == '<' && in.p[used - 1] == '>');
		check_text(a.text);
		if (a.text.n) {
			FUZZ_CHECK(address_parse(a.text, true, &alone) ==
				   ADDRESS_OK);
			FUZZ_CHECK(slice_eq(a.text, alone.text));
			check_forms(&a);
		}
	}
	if (address_parse(in, false, &a) == ADDRESS_OK) {
		FUZZ_CHECK(slice_eq(a.text, in) && a.domain.n);
		check_text(a.text);
		check_forms(&a);
	}
	check_domain(in);
	return 0;
}
