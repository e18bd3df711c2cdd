/*
 * Our trace line, whatever the client said of itself: one field, which the
 * header scanner counts as one; every line ends in CRLF, goes on with a tab
 * and stays below 998 octets; comments are closed; the place for the id is
 * where it is said to be.
 *
 * Input: an octet of flags, then HELO, verified name, TLS, sender and
 * recipient, each ended by 0xff.
 */
#include "fuzz.h"
#include "mxhold/base/id.h"
#include "mxhold/base/text.h"
#include "mxhold/mail/header.h"
#include "mxhold/mail/received.h"

static void check_characters(struct slice s)
{
	while (s.n) {
		uint32_t code = 0;
		size_t n = text_utf8_next(s, &code);

		FUZZ_CHECK(n && (code == '\r' || code == '\n' || code == '\t' ||
				 !text_is_control(code)));
		s = slice_skip(s, n);
	}
}

static void check_lines(struct slice s)
{
	bool first = true;

	while (s.n) {
		ptrdiff_t lf = slice_index(s, '\n');

		FUZZ_CHECK(lf > 0 && lf < 998 && s.p[lf - 1] == '\r');
		FUZZ_CHECK(first || s.p[0] == '\t');
		for (ptrdiff_t i = 0; i < lf - 1; i++) {
			unsigned char c = (unsigned char)s.p[i];

			FUZZ_CHECK(c != 127 && (c >= ' ' || c == '\t'));
		}
		s = slice_skip(s, (size_t)lf + 1);
		first = false;
	}
}

/* Outside of the address of the for clause, which may be quoted. */
static void check_comments(struct slice s)
{
	int depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		FUZZ_CHECK(s.p[i] != '"' && s.p[i] != '\\');
		depth += (s.p[i] == '(') - (s.p[i] == ')');
		FUZZ_CHECK(depth == 0 || depth == 1);
	}
	FUZZ_CHECK(depth == 0);
}

static void check_field(struct slice s, size_t id_at)
{
	struct header_scan h;

	FUZZ_CHECK(s.n > 9 && memcmp(s.p, "Received:", 9) == 0);
	FUZZ_CHECK(id_at + ID_TEXT_LEN <= s.n);
	FUZZ_CHECK(slice_eq(slice_make(s.p + id_at, ID_TEXT_LEN),
			    SLICE("0000000000000")));
	check_lines(s);
	check_characters(slice_head(s, id_at));
	check_comments(slice_head(s, id_at));
	header_scan_init(&h);
	header_scan_feed(&h, s);
	FUZZ_CHECK(h.received == 1 && !h.ended && h.header_bytes == s.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	unsigned bits = fuzz_u8(&in);
	struct recipient rcpts[2] = {{.notify = 0}};
	struct envelope env = {
		.client = {.addr = {.family = bits & 1   ? 4
					      : bits & 2 ? 6
							 : 0}},
		.smtputf8 = bits & 4,
		.utf8_header = bits & 8,
		.helo = fuzz_field(&in),
		.client_name = fuzz_field(&in),
		.protocol = bits & 64 ? SLICE("") : SLICE("UTF8SMTPS"),
		.tls = fuzz_field(&in),
		.sender = fuzz_field(&in),
		.rcpts = rcpts,
		.n_rcpts = 1 + (bits >> 4 & 1),
		.arrived_at_ms = 1790000000000,
	};
	size_t id_at = 0;
	struct buf b;

	rcpts[0].address = rcpts[1].address = fuzz_field(&in);
	buf_init(&b, bits & 32 ? 300 : FUZZ_TEXT_MAX);
	if (received_append(&b, &env, "mx.xn--bcher-kva.test", &id_at) == 0)
		check_field(buf_slice(&b), id_at);
	else
		FUZZ_CHECK(bits & 32 && b.n == 0);
	buf_done(&b);
	return 0;
}
