/*
 * What DNS says of a client: its reverse name, confirmed by the way back
 * (FCrDNS, RFC 8601 3), and which block lists have its address (RFC 5782).
 *
 * An address is looked up once; what was found is remembered as long as the
 * answers last, within bounds, in a table of so many addresses; whoever asks
 * meanwhile waits for the same answers. Nobody waits longer than
 * CLIENT_DNS_MS: what has not come by then counts nothing. Main loop.
 */
#ifndef MXHOLD_RECEIVE_CLIENT_DNS_H
#define MXHOLD_RECEIVE_CLIENT_DNS_H

#include "mxhold/base/list.h"
#include "mxhold/config/config.h"
#include "mxhold/net/resolver.h"
#include "mxhold/receive/client_facts.h"

enum {
	CLIENT_DNS_MS = 3000
};

struct client_dns;

/* Embedded by whoever asks. */
struct client_dns_wait {
	struct list in; /* private */
	/* Once; may be called within client_dns_ask. The facts are lent. */
	void (*on_facts)(struct client_dns_wait *w,
			 const struct client_facts *facts);
};

/* resolver may be NULL: then nothing is ever found out. */
struct client_dns *client_dns_new(struct loop *loop, struct resolver *resolver,
				  const struct config *config);
/* Other block lists: what was remembered is forgotten. */
void client_dns_configure(struct client_dns *c, const struct config *config);
/* is_judged: it may be asked about at block lists, and what is found may be
 * held against it. */
void client_dns_ask(struct client_dns *c, const struct inet_addr *client,
		    bool is_judged, struct client_dns_wait *w);
/* Everybody who waits is answered now, and at once from now on. */
void client_dns_stop(struct client_dns *c);
void client_dns_free(struct client_dns *c); /* nobody waits; NULL is fine */

/* What the A records of a block list's answer mean. */
enum dnsbl_answer {
	DNSBL_LISTED,
	DNSBL_NOT_LISTED,
	DNSBL_BROKEN, /* outside of 127/8, or 127.255.255.x: counts nothing */
	DNSBL_SILENT, /* no answer: counts nothing */
};
enum dnsbl_answer dnsbl_read(const struct dns_answer *a);

#endif
