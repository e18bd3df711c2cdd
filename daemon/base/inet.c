#include "mxhold/base/inet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "mxhold/base/attr.h"
#include "mxhold/base/text.h"

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0,    0,
					  0, 0, 0, 0, 0xff, 0xff};

static struct inet_addr from_v4(const void *bytes)
{
	struct inet_addr a = {.family = 4};

	memcpy(a.bytes, bytes, 4);
	return a;
}

static struct inet_addr from_v6(const void *bytes)
{
	struct inet_addr a = {.family = 6};

	if (memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0)
		return from_v4((const uint8_t *)bytes + 12);
	memcpy(a.bytes, bytes, 16);
	return a;
}

struct inet_addr inet_from_bytes(uint8_t family, const void *bytes)
{
	return family == 4 ? from_v4(bytes) : from_v6(bytes);
}

int inet_parse(struct slice text, struct inet_addr *out)
{
	char s[INET6_ADDRSTRLEN];
	uint8_t bytes[16];

	if (text.n == 0 || text.n >= sizeof(s) || slice_index(text, 0) >= 0)
		return -1;
	memcpy(s, text.p, text.n);
	s[text.n] = '\0';
	if (inet_pton(AF_INET, s, bytes) == 1)
		*out = from_v4(bytes);
	else if (inet_pton(AF_INET6, s, bytes) == 1)
		*out = from_v6(bytes);
	else
		return -1;
	return 0;
}

static int parse_port(struct slice s, uint16_t *port)
{
	uint64_t n;

	if (text_parse_u64(s, &n) || n > UINT16_MAX)
		return -1;
	*port = (uint16_t)n;
	return 0;
}

int endpoint_parse(struct slice text, struct endpoint *out)
{
	bool v6 = text.n && text.p[0] == '[';
	ptrdiff_t end = slice_index(text, v6 ? ']' : ':');
	struct endpoint e = {0};
	struct slice host;

	if (end < 0)
		return -1;
	host = slice_head(text, (size_t)end);
	text = slice_skip(text, (size_t)end + v6);
	if (text.n == 0 || text.p[0] != ':')
		return -1;
	if (parse_port(slice_skip(text, 1), &e.port) ||
	    inet_parse(slice_skip(host, v6), &e.addr))
		return -1;
	/* A colon inside means the brackets stood around IPv6. */
	if (v6 != (slice_index(host, ':') >= 0))
		return -1;
	*out = e;
	return 0;
}

static void clear_host_bits(struct inet_addr *a, unsigned bits)
{
	for (unsigned i = 0; i < sizeof(a->bytes); i++) {
		if (bits >= 8) {
			bits -= 8;
			continue;
		}
		a->bytes[i] &= (uint8_t)(0xff00U >> bits);
		bits = 0;
	}
}

int cidr_parse(struct slice text, struct cidr *out)
{
	ptrdiff_t slash = slice_index(text, '/');
	size_t host_n = slash < 0 ? text.n : (size_t)slash;
	bool v6 = slice_index(slice_head(text, host_n), ':') >= 0;
	struct inet_addr addr;
	uint64_t bits = v6 ? 128 : 32;

	if (inet_parse(slice_head(text, host_n), &addr))
		return -1;
	if (slash >= 0 &&
	    (text_parse_u64(slice_skip(text, host_n + 1), &bits) ||
	     bits > (v6 ? 128 : 32)))
		return -1;
	if (v6 && addr.family == 4) { /* ::ffff:192.0.2.0/120 */
		if (bits < 96)
			return -1;
		bits -= 96;
	}
	clear_host_bits(&addr, (unsigned)bits);
	*out = (struct cidr){addr, (uint8_t)bits};
	return 0;
}

static const char *to_text(const struct inet_addr *a, char out[INET_TEXT_MAX])
{
	out[0] = '\0';
	if (a->family)
		inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, out,
			  INET_TEXT_MAX);
	return out;
}

void inet_format(const struct inet_addr *a, char out[INET_TEXT_MAX])
{
	to_text(a, out);
}

void endpoint_format(const struct endpoint *e, char out[INET_TEXT_MAX])
{
	char s[INET_TEXT_MAX];

	snprintf(out, INET_TEXT_MAX,
		 e->addr.family == 6 ? "[%.46s]:%u" : "%.46s:%u",
		 to_text(&e->addr, s), e->port);
}

void inet_format_literal(const struct inet_addr *a, char out[INET_TEXT_MAX])
{
	char s[INET_TEXT_MAX];

	snprintf(out, INET_TEXT_MAX,
		 a->family == 6 ? "[IPv6:%.46s]" : "[%.46s]", to_text(a, s));
}

bool inet_eq(const struct inet_addr *a, const struct inet_addr *b)
{
	return a->family == b->family &&
	       memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

bool cidr_contains(const struct cidr *net, const struct inet_addr *a)
{
	struct inet_addr masked = *a;

	if (a->family != net->addr.family || a->family == 0)
		return false;
	clear_host_bits(&masked, net->bits);
	return inet_eq(&masked, &net->addr);
}

struct inet_addr inet_client_network(const struct inet_addr *a)
{
	struct inet_addr net = *a;

	if (net.family == 6)
		clear_host_bits(&net, 64);
	return net;
}

#define V4(a, b, c, bits)            \
	{                            \
		{4, {a, b, c}}, bits \
	}

/* The IANA registry of special-purpose IPv4 addresses (RFC 6890), and
 * multicast; what it calls globally reachable is left out. */
static const struct cidr special_v4[] = {
	V4(0, 0, 0, 8),      V4(10, 0, 0, 8),     V4(100, 64, 0, 10),
	V4(127, 0, 0, 8),    V4(169, 254, 0, 16), V4(172, 16, 0, 12),
	V4(192, 0, 0, 24),   V4(192, 0, 2, 24),   V4(192, 88, 99, 24),
	V4(192, 168, 0, 16), V4(198, 18, 0, 15),  V4(198, 51, 100, 24),
	V4(203, 0, 113, 24), V4(224, 0, 0, 4),    V4(240, 0, 0, 4),
};

/* Inside 2000::/3: protocol assignments with Teredo, documentation, 6to4. */
static const struct cidr special_v6[] = {
	{{6, {0x20, 0x01}}, 23},
	{{6, {0x20, 0x01, 0x0d, 0xb8}}, 32},
	{{6, {0x20, 0x02}}, 16},
	{{6, {0x3f, 0xff}}, 20},
};
static const struct cidr unicast_v6 = {{6, {0x20}}, 3};
static const struct cidr nat64 = {{6, {0x00, 0x64, 0xff, 0x9b}}, 96};

static bool in_any(const struct cidr *nets, size_t n, const struct inet_addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (cidr_contains(&nets[i], a))
			return true;
	return false;
}

bool inet_is_global(const struct inet_addr *a)
{
	struct inet_addr v4;

	if (a->family == 4)
		return !in_any(special_v4, MX_ARRAY_SIZE(special_v4), a);
	if (a->family != 6)
		return false;
	if (cidr_contains(&nat64, a)) { /* RFC 6052 2.1 */
		v4 = from_v4(a->bytes + 12);
		return !in_any(special_v4, MX_ARRAY_SIZE(special_v4), &v4);
	}
	return cidr_contains(&unicast_v6, a) &&
	       !in_any(special_v6, MX_ARRAY_SIZE(special_v6), a);
}

bool inet_is_unicast(const struct inet_addr *a)
{
	static const uint8_t zero[16];

	if (a->family == 4)
		return a->bytes[0] > 0 && a->bytes[0] < 224;
	return a->family == 6 && a->bytes[0] != 0xff &&
	       memcmp(a->bytes, zero, sizeof(zero)) != 0;
}

void inet_format_reverse(const struct inet_addr *a, char out[INET_REVERSE_MAX])
{
	static const char hex[] = "0123456789abcdef";
	size_t at = 0;

	if (a->family == 4) {
		snprintf(out, INET_REVERSE_MAX, "%u.%u.%u.%u", a->bytes[3],
			 a->bytes[2], a->bytes[1], a->bytes[0]);
		return;
	}
	for (size_t i = 16; i-- > 0;) {
		out[at++] = hex[a->bytes[i] & 15];
		out[at++] = '.';
		out[at++] = hex[a->bytes[i] >> 4];
		out[at++] = i ? '.' : '\0';
	}
}

bool inet_is_loopback(const struct inet_addr *a)
{
	static const uint8_t zero[16];

	if (a->family == 4)
		return a->bytes[0] == 127 || memcmp(a->bytes, zero, 4) == 0;
	return a->family == 6 && memcmp(a->bytes, zero, 15) == 0 &&
	       a->bytes[15] <= 1;
}

bool endpoint_from_sockaddr(const struct sockaddr *sa, struct endpoint *out)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	if (sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		out->addr = from_v4(&in.sin_addr);
		out->port = ntohs(in.sin_port);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof(in6));
		out->addr = from_v6(&in6.sin6_addr);
		out->port = ntohs(in6.sin6_port);
		return true;
	}
	return false;
}

socklen_t endpoint_to_sockaddr(const struct endpoint *e,
			       struct sockaddr_storage *out)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
				   .sin6_port = htons(e->port)};
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(e->port)};

	memset(out, 0, sizeof(*out));
	if (e->addr.family == 4) {
		memcpy(&in.sin_addr, e->addr.bytes, 4);
		memcpy(out, &in, sizeof(in));
		return sizeof(in);
	}
	memcpy(&in6.sin6_addr, e->addr.bytes, 16);
	memcpy(out, &in6, sizeof(in6));
	return sizeof(in6);
}
