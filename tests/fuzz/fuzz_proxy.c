/*
 * The PROXY header: a front of the input is never judged better than the
 * whole, what was found early is found again, lengths fit.
 */
#include <string.h>

#include "fuzz.h"
#include "mxhold/smtp/proxy.h"

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
	return 0;
}
