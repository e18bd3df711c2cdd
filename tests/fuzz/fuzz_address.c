/*
 * Paths and addresses: what a path holds is an address by itself; the form
 * with the least quoting is one too, and the same one; the canonical form of
 * the canonical form is itself.
 */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "mxhold/mail/address.h"
#include "mxhold/mail/domain.h"

static void check_text(struct slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		FUZZ_CHECK(c >= ' ' && c != 127);
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
		address_canonical(a, "+", second, sizeof(second));
	}
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	struct address a, alone;
	char domain[DOMAIN_MAX], shown[1024];
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
	if (domain_canonical(in, domain) == 0) {
		FUZZ_CHECK(domain_is_valid(slice_str(domain)));
		domain_display(domain, shown, sizeof(shown));
	}
	return 0;
}
