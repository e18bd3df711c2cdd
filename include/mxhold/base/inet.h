/*
 * Internet addresses as values: parse, format, compare, networks. No sockets
 * are opened here. IPv4-mapped IPv6 is folded to IPv4 by inet_parse and
 * inet_from_sockaddr.
 */
#ifndef MXHOLD_BASE_INET_H
#define MXHOLD_BASE_INET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "mxhold/base/slice.h"

enum {
	INET_TEXT_MAX = 64,    /* "[IPv6:...]:65535" and its NUL */
	INET_REVERSE_MAX = 64, /* 32 nibbles with dots, and the NUL */
};

struct inet_addr {
	uint8_t family;    /* 4, 6, or 0 = none */
	uint8_t bytes[16]; /* network order; the first 4 for IPv4 */
};

struct endpoint {
	struct inet_addr addr;
	uint16_t port; /* host order */
};

struct cidr {
	struct inet_addr addr;
	uint8_t bits;
};

/* "192.0.2.1", "2001:db8::1", no brackets, no zone. 0 or -1. */
int inet_parse(struct slice text, struct inet_addr *out);
/* "192.0.2.1:25", "[2001:db8::1]:25"; 0 or -1; the port must be there. */
int endpoint_parse(struct slice text, struct endpoint *out);
/* "192.0.2.0/24", "2001:db8::/32", or a lone address. 0 or -1. */
int cidr_parse(struct slice text, struct cidr *out);
void inet_format(const struct inet_addr *a, char out[INET_TEXT_MAX]);
void endpoint_format(const struct endpoint *e, char out[INET_TEXT_MAX]);
/* RFC 5321 4.1.3 address literal: "[192.0.2.1]", "[IPv6:2001:db8::1]". */
void inet_format_literal(const struct inet_addr *a, char out[INET_TEXT_MAX]);
/* The front of a name below in-addr.arpa, ip6.arpa or a block list: octets or
 * nibbles, the last first (RFC 1035 3.5, RFC 3596 2.5, RFC 5782 2). */
void inet_format_reverse(const struct inet_addr *a, char out[INET_REVERSE_MAX]);
bool inet_eq(const struct inet_addr *a, const struct inet_addr *b);
bool cidr_contains(const struct cidr *net, const struct inet_addr *a);
/* The client network: /32 for IPv4, /64 for IPv6 (rest zeroed). */
struct inet_addr inet_client_network(const struct inet_addr *a);
/* Loopback, private, link-local, CGNAT, documentation, multicast,
 * unspecified, reserved, broadcast: nothing a stranger's MX may point to. */
bool inet_is_global(const struct inet_addr *a);
bool inet_is_loopback(const struct inet_addr *a); /* also 0.0.0.0 and :: */
/* False: nobody can have it (0.0.0.0/8, multicast, reserved, broadcast). */
bool inet_is_unicast(const struct inet_addr *a);
/* Of 4 or 16 octets; IPv4 in an IPv6 address (::ffff:0:0/96) is IPv4. */
struct inet_addr inet_from_bytes(uint8_t family, const void *bytes);
/* False when the family is neither AF_INET nor AF_INET6. */
bool endpoint_from_sockaddr(const struct sockaddr *sa, struct endpoint *out);
socklen_t endpoint_to_sockaddr(const struct endpoint *e,
			       struct sockaddr_storage *out);

#endif
