#include "mxhold/smtp/proxy.h"

#include "mxhold/base/text.h"
#include "mxhold/smtp/command.h"

enum {
	V1_MAX = 107, /* with CRLF */
	V2_FIXED = 16,
	TLV_CRC32C = 0x03,
};

static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static int parse_port(struct slice s, uint16_t *port)
{
	uint64_t n;

	if (s.n == 0 || s.n > 5 || (s.n > 1 && s.p[0] == '0') ||
	    text_parse_u64(s, &n) || n > 65535)
		return -1;
	*port = (uint16_t)n;
	return 0;
}

static int parse_addr(struct slice s, int family, struct inet_addr *out)
{
	bool colon = slice_index(s, ':') >= 0;

	/* inet_parse folds mapped addresses to IPv4, so that the spelling,
	 * not the result, tells the family. */
	return colon == (family == 6) ? inet_parse(s, out) : -1;
}

/* Exactly one space between the fields. */
static bool next_field(struct slice *rest, struct slice *field)
{
	ptrdiff_t space = slice_index(*rest, ' ');
	size_t n = space < 0 ? rest->n : (size_t)space;

	*field = slice_head(*rest, n);
	*rest = slice_skip(*rest, n + (space >= 0));
	return n > 0;
}

static enum proxy_result v1_line(struct slice line, struct proxy_header *out)
{
	struct slice field[6];
	int family;
	size_t i;

	for (i = 0; i < 2; i++) {
		if (!next_field(&line, &field[i]))
			return PROXY_BAD;
	}
	if (slice_eq(field[1], SLICE("UNKNOWN"))) {
		out->local = true;
		return PROXY_OK;
	}
	for (; i < 6; i++) {
		if (!next_field(&line, &field[i]))
			return PROXY_BAD;
	}
	family = slice_eq(field[1], SLICE("TCP4"))   ? 4
		 : slice_eq(field[1], SLICE("TCP6")) ? 6
						     : 0;
	if (!family || line.n || field[5].p[field[5].n] != '\r' ||
	    parse_addr(field[2], family, &out->source.addr) ||
	    parse_addr(field[3], family, &out->destination.addr) ||
	    parse_port(field[4], &out->source.port) ||
	    parse_port(field[5], &out->destination.port))
		return PROXY_BAD;
	return PROXY_OK;
}

static enum proxy_result v1(struct slice in, struct proxy_header *out,
			    size_t *used)
{
	struct slice head = slice_head(in, V1_MAX);
	ptrdiff_t lf = slice_index(head, '\n');

	if (lf < 0)
		return in.n >= V1_MAX ? PROXY_BAD : PROXY_MORE;
	if (lf < 1 || in.p[lf - 1] != '\r')
		return PROXY_BAD;
	*used = (size_t)lf + 1;
	return v1_line(slice_head(in, (size_t)lf - 1), out);
}

static uint16_t u16(const char *p)
{
	return (uint16_t)((unsigned char)p[0] << 8 | (unsigned char)p[1]);
}

static void copy_endpoint(struct endpoint *e, const char *addr, size_t n,
			  const char *port)
{
	static const char mapped[12] = "\0\0\0\0\0\0\0\0\0\0\xff\xff";

	if (n == 16 && memcmp(addr, mapped, 12) == 0) {
		addr += 12;
		n = 4;
	}
	e->addr.family = n == 4 ? 4 : 6;
	memcpy(e->addr.bytes, addr, n);
	e->port = u16(port);
}

/* The checksum is over the whole header with its own value as zeros. */
static bool crc_fits(struct slice header, size_t value_at)
{
	static const char zeros[4];
	const unsigned char *v = (const unsigned char *)header.p + value_at;
	uint32_t crc, said = (uint32_t)v[0] << 24 | (uint32_t)v[1] << 16 |
			     (uint32_t)v[2] << 8 | v[3];

	crc = crc32c(0, header.p, value_at);
	crc = crc32c(crc, zeros, 4);
	crc = crc32c(crc, header.p + value_at + 4, header.n - value_at - 4);
	return crc == said;
}

/* Lengths must fit; of all kinds only the checksum is looked at. */
static enum proxy_result check_tlvs(struct slice header, size_t at)
{
	size_t n;

	while (at < header.n) {
		if (header.n - at < 3)
			return PROXY_BAD;
		n = u16(header.p + at + 1);
		if (n > header.n - at - 3)
			return PROXY_BAD;
		if (header.p[at] == TLV_CRC32C &&
		    (n != 4 || !crc_fits(header, at + 3)))
			return PROXY_BAD;
		at += 3 + n;
	}
	return PROXY_OK;
}

static enum proxy_result v2_addresses(struct slice header,
				      struct proxy_header *out)
{
	const char *p = header.p + V2_FIXED;
	size_t n = 0, took = 0;

	switch ((unsigned char)header.p[13]) {
	case 0x11: /* TCP over IPv4 */
		n = 4;
		took = 12;
		break;
	case 0x21: /* TCP over IPv6 */
		n = 16;
		took = 36;
		break;
	case 0x31: /* a stream over AF_UNIX */
		took = 216;
		break;
	case 0x00: /* unspecified: the rest means nothing */
		out->local = true;
		return PROXY_OK;
	default:
		return PROXY_BAD;
	}
	if (header.n - V2_FIXED < took)
		return PROXY_BAD;
	out->local = n == 0;
	if (n) {
		copy_endpoint(&out->source, p, n, p + 2 * n);
		copy_endpoint(&out->destination, p + n, n, p + 2 * n + 2);
	}
	return check_tlvs(header, V2_FIXED + took);
}

static enum proxy_result v2(struct slice in, struct proxy_header *out,
			    size_t *used)
{
	unsigned char command;
	size_t n;

	if (in.n < V2_FIXED)
		return PROXY_MORE;
	command = (unsigned char)in.p[12];
	n = V2_FIXED + u16(in.p + 14);
	if ((command != 0x20 && command != 0x21) || n > PROXY_HEADER_MAX)
		return PROXY_BAD;
	if (in.n < n)
		return PROXY_MORE;
	*used = n;
	if (command == 0x21)
		return v2_addresses(slice_head(in, n), out);
	out->local = true;
	return PROXY_OK;
}

static bool fits_prefix(struct slice in, const char *prefix, size_t n)
{
	return memcmp(in.p, prefix, in.n < n ? in.n : n) == 0;
}

enum proxy_result proxy_parse(struct slice in, struct proxy_header *out,
			      size_t *used)
{
	enum proxy_result result = PROXY_BAD;

	*out = (struct proxy_header){.local = false};
	*used = 0;
	if (in.n == 0)
		return PROXY_MORE;
	if (fits_prefix(in, v2_signature, sizeof(v2_signature)))
		result = v2(in, out, used);
	else if (fits_prefix(in, "PROXY ", 6))
		result = in.n < 6 ? PROXY_MORE : v1(in, out, used);
	if (result != PROXY_OK)
		*used = 0;
	return result;
}
