/*
 * From a target to the hosts that take its mail, each with its addresses:
 * the configured hosts, or the domain's MX (route.h), looked up in parallel.
 * Addresses that lead back to us are gone (guard.h), as are those a
 * stranger's MX may not point to. The hosts stand in the order to be tried.
 *
 * When DNS has no answer within the connect timeout (for each of MX and
 * addresses), the last good addresses serve instead.
 */
#ifndef MXHOLD_OUTBOUND_LOOKUP_H
#define MXHOLD_OUTBOUND_LOOKUP_H

#include "mxhold/outbound/route.h"
#include "mxhold/outbound/session.h"

struct lookup;

struct lookup_host {
	char name[256];
	char canonical[256]; /* behind the CNAMEs */
	bool is_alias;       /* there are some */
	bool is_address;     /* the name is the text of an address */
	bool secure;         /* DNSSEC vouches for name and addresses */
	struct endpoint at[ROUTE_ADDRESSES_MAX];
	size_t n; /* at least one */
};

struct lookup_result {
	enum session_fault fault; /* FAULT_NONE: there are hosts */
	char text[512];           /* why there are none */
	const char *status;       /* RFC 3463, of what is definite; or "" */
	bool mx_secure;           /* DNSSEC vouches for the MX */
	char mx_canonical[256]; /* the domain behind CNAMEs; "" = there are none
				 */
	bool from_memory;       /* DNS is silent: the last good addresses */
	char mistakes[512];     /* see route.h, and MX that are CNAMEs */
	struct lookup_host hosts[ROUTE_HOSTS_MAX];
	size_t n;
};

/* The target and all it points to must outlive the look-up. on_done comes
 * once, never within this call; the result is valid within it. */
struct lookup *
lookup_start(struct outbound *o, const struct session_target *target,
	     void (*on_done)(void *data, const struct lookup_result *),
	     void *data);
void lookup_cancel(struct lookup *l); /* before on_done; NULL is fine */

#endif
