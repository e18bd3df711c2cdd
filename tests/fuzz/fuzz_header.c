/* The header scan finds the same however the message is cut. */
#include <string.h>

#include "fuzz.h"
#include "mxhold/mail/header.h"

static void scan(struct slice in, struct cutter cutter, struct header_scan *h)
{
	size_t n;

	header_scan_init(h);
	while (in.n) {
		n = cutter_next(&cutter, in.n);
		header_scan_feed(h, slice_head(in, n));
		in = slice_skip(in, n);
	}
	header_scan_end(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	struct cutter cutters[3] = {
		{.fixed = SIZE_MAX}, {.fixed = 1}, {.seed = fuzz_hash(in)}};
	struct header_scan h[3];

	for (int i = 0; i < 3; i++) {
		scan(in, cutters[i], &h[i]);
		FUZZ_CHECK(h[i].received == h[0].received);
		FUZZ_CHECK(h[i].tls_required == h[0].tls_required);
		FUZZ_CHECK(h[i].tls_required_no == h[0].tls_required_no);
		FUZZ_CHECK(h[i].eight_bit_header == h[0].eight_bit_header);
		FUZZ_CHECK(h[i].eight_bit_body == h[0].eight_bit_body);
		FUZZ_CHECK(h[i].has_nul == h[0].has_nul);
		FUZZ_CHECK(h[i].no_header == h[0].no_header);
		FUZZ_CHECK(h[i].header_bytes == h[0].header_bytes);
		FUZZ_CHECK(strcmp(h[i].message_id, h[0].message_id) == 0);
	}
	FUZZ_CHECK(h[0].header_bytes <= size);
	FUZZ_CHECK(h[0].tls_required_no <= h[0].tls_required);
	return 0;
}
