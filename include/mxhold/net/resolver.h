/*
 * DNS through libunbound, asynchronously, on one loop (the main one).
 * Names are absolute; answers say whether DNSSEC found them secure.
 */
#ifndef MXHOLD_NET_RESOLVER_H
#define MXHOLD_NET_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/error.h"
#include "mxhold/base/inet.h"
#include "mxhold/net/loop.h"
#include "mxhold/net/tls_context.h"

struct resolver;

struct resolver_options {
	const char *const *servers; /* "127.0.0.1@5353"; n = 0: the system's */
	size_t n_servers;
	const char *trust_anchor; /* "auto", a file, or "none" */
	int64_t timeout_ms;       /* of a query, then DNS_FAIL; 0 = 30 s */
};

enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5, /* the record itself, not what it leads to */
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_TLSA = 52
};

enum dns_status {
	DNS_OK,     /* at least one record */
	DNS_NODATA, /* the name exists, the type does not */
	DNS_NXDOMAIN,
	DNS_FAIL, /* SERVFAIL, no answer, malformed */
	DNS_BOGUS /* DNSSEC says forged */
};

enum {
	DNS_RECORDS_MAX = 32
};

struct dns_record {
	struct inet_addr addr; /* A, AAAA */
	uint16_t preference;   /* MX */
	char name[256]; /* MX, PTR, CNAME: lower case, no trailing dot; null MX
			   "" */
	struct tlsa tlsa; /* TLSA */
	char text[512];   /* TXT, strings joined, cut */
};

struct dns_answer {
	enum dns_status status;
	bool secure;
	uint32_t ttl_s;
	char canonical[256]; /* the name after CNAMEs, or the name asked */
	bool is_cname;       /* the name asked was a CNAME */
	size_t n;
	struct dns_record records[DNS_RECORDS_MAX];
};

struct resolver *resolver_new(struct loop *l,
			      const struct resolver_options *options,
			      struct error *err);
void resolver_free(struct resolver *r); /* open queries get no answer */
/* False: no validation (no anchor, or the server strips DNSSEC). */
bool resolver_validates(const struct resolver *r);

struct resolver_query;

/* on_answer is called once, never within this call; the answer is valid
 * within it. */
struct resolver_query *
resolver_ask(struct resolver *r, const char *name, enum dns_type type,
	     void (*on_answer)(void *data, const struct dns_answer *),
	     void *data);
void resolver_cancel(struct resolver_query *q); /* before on_answer */

#endif
