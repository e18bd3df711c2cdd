/*
 * DANE for one host (RFC 7672): its TLSA records, looked up behind addresses
 * that DNSSEC vouches for. A primary with tls = dane wants them: where there
 * is no secure, usable record the host counts as unreachable, and mail is
 * never sent to it unauthenticated (RFC 7672 6, mandatory DANE). Of a
 * stranger's host they say what TLS it gets (RFC 7672 2.2, see trust.h).
 */
#ifndef MXHOLD_OUTBOUND_DANE_H
#define MXHOLD_OUTBOUND_DANE_H

#include <stdbool.h>

#include "mxhold/outbound/lookup.h"

struct dane;

enum {
	DANE_RECORDS_MAX = 16
};

enum dane_verdict {
	DANE_NONE,     /* nothing is signed there */
	DANE_USABLE,   /* records and base are valid */
	DANE_UNUSABLE, /* there are some, but none that is of use */
	DANE_FAILED    /* nobody knows: the host counts as unreachable */
};

struct dane_result {
	enum dane_verdict verdict;
	char text[512]; /* why it is not usable */
	char base[256]; /* TLSA base domain: SNI and reference name */
	struct tlsa records[DANE_RECORDS_MAX];
	size_t n;
};

/* on_done comes once, never within this call. */
struct dane *dane_start(struct outbound *o, const struct lookup_host *host,
			void (*on_done)(void *data, const struct dane_result *),
			void *data);
void dane_cancel(struct dane *d); /* before on_done; NULL is fine */

#endif
