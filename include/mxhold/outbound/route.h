/*
 * Which hosts, in which order: pure decisions over DNS answers (RFC 5321 5.1).
 */
#ifndef MXHOLD_OUTBOUND_ROUTE_H
#define MXHOLD_OUTBOUND_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "mxhold/base/inet.h"
#include "mxhold/net/resolver.h"

enum {
	ROUTE_HOSTS_MAX = 20,
	ROUTE_ADDRESSES_MAX = 8
};

struct route_host {
	char name[256];
	uint16_t preference;
};

enum route_verdict {
	ROUTE_OK,       /* hosts to look up, in order; n = 0: none is usable */
	ROUTE_IMPLICIT, /* no MX: the domain itself (RFC 5321 5.1) */
	ROUTE_NULL_MX,  /* RFC 7505 */
	ROUTE_NXDOMAIN,
	ROUTE_UNKNOWN, /* no answer, SERVFAIL, bogus: try later */
	ROUTE_LOOP     /* nothing is left that is better than us */
};

struct route {
	enum route_verdict verdict;
	struct route_host hosts[ROUTE_HOSTS_MAX];
	size_t n;
	char mistakes[512]; /* MX that is an address, "." among others ... */
};

/* `is_us(data, name)`: one of our own names; may be NULL. Records at our
 * preference and worse are removed. Equal preferences in random order
 * (base/random). */
void route_from_mx(struct route *r, const char *domain,
		   const struct dns_answer *mx,
		   bool (*is_us)(void *data, const char *name), void *data);
/*
 * The same rule once addresses are known: when a host has an address of ours
 * it, all of its own preference and all worse ones are removed. With nothing
 * left the verdict becomes ROUTE_LOOP.
 */
void route_cut_at(struct route *r, size_t host);
/* Adds "NAME WHAT" to r->mistakes, where it fits whole. */
void route_mistake(struct route *r, const char *what, const char *name);
/* IPv6 and IPv4 interleaved, IPv6 first; at most max. */
size_t route_interleave(const struct inet_addr *v6, size_t n6,
			const struct inet_addr *v4, size_t n4,
			struct inet_addr *out, size_t max);

#endif
