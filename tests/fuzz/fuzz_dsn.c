/*
 * Reports, whatever peers said and whatever the original holds: CRLF line
 * ends only; the parts stand between their boundaries, three of them; the
 * header is ours alone; no line of what is ours passes 998 octets; without
 * SMTPUTF8 and 8BITMIME all is ASCII.
 *
 * Input: two octets of flags, then sender, envid, HELO, address, orcpt,
 * remote MTA, diagnostic and content, each ended by 0xff.
 */
#include <stdio.h>

#include "fuzz.h"
#include "mxhold/base/text.h"
#include "mxhold/mail/address.h"
#include "mxhold/mail/dsn.h"
#include "mxhold/mail/header.h"

enum {
	TEXT_MAX = 4096 /* of a stored record */
};

static void check_newlines(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n')
			FUZZ_CHECK(i > 0 && s.p[i - 1] == '\r');
		if (s.p[i] == '\r')
			FUZZ_CHECK(i + 1 < s.n && s.p[i + 1] == '\n');
	}
}

static struct slice next_line(struct slice *rest)
{
	ptrdiff_t lf = slice_index(*rest, '\n');
	struct slice line = slice_head(*rest, lf < 1 ? 0 : (size_t)lf - 1);

	FUZZ_CHECK(lf > 0);
	*rest = slice_skip(*rest, (size_t)lf + 1);
	return line;
}

static const char *const fields[] = {
	"Date:",
	"From:",
	"To:",
	"Subject:",
	"Message-ID:",
	"In-Reply-To:",
	"References:",
	"Auto-Submitted:",
	"MIME-Version:",
	"Content-Type:",
	"\tboundary=",
	"Content-Transfer-Encoding:",
	"Reporting-MTA:",
	"Arrival-Date:",
	"Original-Envelope-Id:",
	"Received-From-MTA:",
};

static void check_header_line(struct slice line)
{
	for (size_t i = 0; i < MX_ARRAY_SIZE(fields); i++)
		if (slice_starts_nocase(line, slice_str(fields[i])))
			return;
	FUZZ_CHECK(!"a field of ours");
}

/* Up to the original's part: its lines are not ours. */
static struct slice check_ours(struct slice s, struct slice boundary)
{
	unsigned parts = 0, empty = 0;

	while (parts < 3) {
		struct slice line = next_line(&s);

		FUZZ_CHECK(line.n <= 998);
		if (parts == 0 && empty == 0 && line.n)
			check_header_line(line);
		empty += line.n == 0;
		if (line.n == boundary.n + 2 &&
		    slice_eq(slice_skip(line, 2), boundary) &&
		    slice_eq(slice_head(line, 2), SLICE("--")))
			parts++;
	}
	return s;
}

/* How many lines begin with it, as a reader looks for it (RFC 2046 5.1.1). */
static unsigned count(struct slice s, struct slice boundary)
{
	unsigned n = 0;

	while (s.n) {
		struct slice line = next_line(&s);

		n += slice_eq(slice_head(line, 2), SLICE("--")) &&
		     slice_eq(slice_head(slice_skip(line, 2), boundary.n),
			      boundary);
	}
	return n;
}

static struct slice find_boundary(struct slice s)
{
	const char *at = memmem(s.p, s.n, "\r\n\tboundary=\"", 13);
	struct slice rest;

	FUZZ_CHECK(at != NULL);
	rest = slice_skip(s, (size_t)(at - s.p) + 13);
	return slice_head(rest, (size_t)slice_index(rest, '"'));
}

static void check_report(const struct dsn *d, struct slice s)
{
	struct slice boundary = find_boundary(s), original;
	struct header_scan h;

	check_newlines(s);
	FUZZ_CHECK(count(s, boundary) == 3 + 1);
	original = check_ours(s, boundary);
	FUZZ_CHECK(original.n > boundary.n + 8);
	FUZZ_CHECK(memcmp(s.p + s.n - 4, "--\r\n", 4) == 0);
	header_scan_init(&h);
	header_scan_feed(&h, s);
	FUZZ_CHECK(h.ended && !h.no_header && h.received == 0);
	FUZZ_CHECK(h.message_id[0] != '\0');
	if (!dsn_is_utf8(d))
		FUZZ_CHECK(!h.eight_bit_header);
	if (d->seven_bit && !dsn_is_utf8(d))
		FUZZ_CHECK(text_is_ascii(s));
}

static void set_status(struct dsn_recipient *r, struct slice text)
{
	text = slice_head(text, sizeof(r->status) - 1);
	if (text.n)
		memcpy(r->status, text.p, text.n);
}

static struct slice some_text(struct slice *in)
{
	return slice_head(fuzz_field(in), TEXT_MAX);
}

/* What the receiving side lets in, or none. */
static struct slice some_address(struct slice *in)
{
	struct slice s = fuzz_field(in);
	struct address a;

	return address_parse(s, true, &a) == ADDRESS_OK ? s : SLICE("a@b.test");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	unsigned bits = fuzz_u8(&in), more = fuzz_u8(&in);
	struct envelope env = {
		.client.addr.family = bits & 1 ? 4 : 0,
		.smtputf8 = bits & 2,
		.utf8_header = bits & 4,
		.body = bits & 8 ? BODY_BINARYMIME : BODY_8BITMIME,
		.arrived_at_ms = 1790000000000,
		.sender = some_address(&in),
		.envid = some_text(&in),
		.helo = some_text(&in),
	};
	struct dsn_recipient r = {
		.address = some_address(&in),
		.orcpt = some_text(&in),
		.action = (enum dsn_action)(more % 3),
		.remote_mta = some_text(&in),
		.diagnostic = some_text(&in),
		.last_attempt_ms = bits & 16 ? 1790000001000 : 0,
		.retry_until_ms = bits & 32 ? 1790000002000 : 0,
	};
	struct dsn d = {
		.hostname = "mx.test",
		.from = "postmaster@mx.test",
		.qid = "01hx0000000a0",
		.now_ms = 1790000003000,
		.unique = 42,
		.original = &env,
		.rcpts = &r,
		.n_rcpts = 1,
		.full = bits & 64,
		.seven_bit = bits & 128,
	};
	struct buf b;

	set_status(&r, r.diagnostic);
	d.content = in;
	buf_init(&b, FUZZ_TEXT_MAX);
	FUZZ_CHECK(dsn_build(&b, &d) == 0);
	check_report(&d, buf_slice(&b));
	buf_done(&b);
	return 0;
}
