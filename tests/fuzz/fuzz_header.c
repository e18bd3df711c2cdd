/*
 * The header scan finds the same however the message is cut, and what a plain
 * reading of the whole finds.
 */
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

/* --- the whole, line by line ------------------------------------------- */

struct model {
	uint32_t received, tls_required;
	uint64_t header_bytes;
	bool no_header;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The word at the front of a line, and what stands behind it. */
static struct slice front_word(struct slice line, struct slice *behind)
{
	size_t n = 0;

	while (n < line.n && line.p[n] > 32 && line.p[n] < 127 &&
	       line.p[n] != ':')
		n++;
	*behind = slice_skip(line, n);
	return slice_head(line, n);
}

static struct slice skip_blanks(struct slice s)
{
	while (s.n && is_blank(s.p[0]))
		s = slice_skip(s, 1);
	return s;
}

/* How long the name of a field is; 0: the line is none. */
static size_t field_name(struct slice line)
{
	struct slice behind, name = front_word(line, &behind);

	behind = skip_blanks(behind);
	return behind.n && behind.p[0] == ':' ? name.n : 0;
}

/* "From x", before any field (RFC 4155). */
static bool is_separator(struct slice line)
{
	struct slice behind, word = front_word(line, &behind);
	struct slice x = skip_blanks(behind);

	return (slice_eq(word, SLICE("From")) ||
		slice_eq(word, SLICE(">From"))) &&
	       x.n && x.n < behind.n && x.p[0] != '\r';
}

static void read_whole(struct slice in, struct model *m)
{
	bool any = false;

	*m = (struct model){.received = 0};
	while (in.n) {
		ptrdiff_t lf = slice_index(in, '\n');
		struct slice line = slice_head(in, lf < 0 ? in.n : (size_t)lf);
		size_t n = field_name(line);
		struct slice name = slice_head(line, n);
		bool goes_on = any && line.n && is_blank(line.p[0]);

		if (lf >= 0 && (!line.n || slice_eq(line, SLICE("\r"))))
			return;
		m->no_header = !any && !n;
		if (!goes_on && !n && (any || lf < 0 || !is_separator(line)))
			return;
		m->no_header = false;
		if (n && !goes_on) {
			m->received += slice_eq_nocase(name, SLICE("received"));
			m->tls_required +=
				slice_eq_nocase(name, SLICE("tls-required"));
		}
		any = any || n;
		in = slice_skip(in, line.n + 1);
		m->header_bytes += line.n + (lf >= 0);
	}
}

static void check_whole(struct slice in, const struct header_scan *h)
{
	struct model m;
	bool high = false;

	read_whole(in, &m);
	for (size_t i = 0; i < in.n; i++)
		high = high || in.p[i] & 0x80;
	FUZZ_CHECK(h->received == m.received);
	FUZZ_CHECK(h->tls_required == m.tls_required);
	FUZZ_CHECK(h->header_bytes == m.header_bytes);
	FUZZ_CHECK(h->no_header == m.no_header);
	FUZZ_CHECK((h->eight_bit_header || h->eight_bit_body) == high);
	FUZZ_CHECK(h->has_nul == (slice_index(in, '\0') >= 0));
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
	check_whole(in, &h[0]);
	FUZZ_CHECK(h[0].tls_required_no <= h[0].tls_required);
	return 0;
}
