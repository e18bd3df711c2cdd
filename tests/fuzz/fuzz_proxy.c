/*
 * The PROXY header: a front of the input is never judged better than the
 * whole, what was found early is found again, lengths fit. What a header
 * says, written as version 1, says the same.
 */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "mxhold/smtp/proxy.h"

static void check_again(const struct proxy_header *h)
{
	char text[256], from[INET_TEXT_MAX], to[INET_TEXT_MAX];
	struct proxy_header again;
	size_t used;

	FUZZ_CHECK(h->source.addr.family == 4 || h->source.addr.family == 6);
	/* A mapped address at one end only has become another family. */
	if (h->source.addr.family != h->destination.addr.family)
		return;
	inet_format(&h->source.addr, from);
	inet_format(&h->destination.addr, to);
	snprintf(text, sizeof(text), "PROXY TCP%u %s %s %u %u\r\n",
		 h->source.addr.family, from, to, h->source.port,
		 h->destination.port);
	FUZZ_CHECK(proxy_parse(slice_str(text), &again, &used) == PROXY_OK);
	FUZZ_CHECK(used == strlen(text) && !again.local);
	FUZZ_CHECK(inet_eq(&h->source.addr, &again.source.addr) &&
		   h->source.port == again.source.port);
	FUZZ_CHECK(inet_eq(&h->destination.addr, &again.destination.addr) &&
		   h->destination.port == again.destination.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	enum proxy_result first = PROXY_MORE, result;
	struct proxy_header h, found;
	size_t used, found_used = 0;

	for (size_t n = 0; n <= size && n <= PROXY_HEADER_MAX + 1; n++) {
		result = proxy_parse(slice_head(in, n), &h, &used);
		FUZZ_CHECK(used <= n);
		FUZZ_CHECK((used > 0) == (result == PROXY_OK));
		if (first == PROXY_MORE) {
			first = result;
			found = h;
			found_used = used;
		} else {
			FUZZ_CHECK(result == first && used == found_used);
			FUZZ_CHECK(first == PROXY_BAD ||
				   memcmp(&h, &found, sizeof(h)) == 0);
		}
	}
	FUZZ_CHECK(first != PROXY_MORE || size <= PROXY_HEADER_MAX);
	if (first == PROXY_OK && !found.local)
		check_again(&found);
	return 0;
}
