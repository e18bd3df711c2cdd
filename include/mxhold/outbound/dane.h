/*
 * DANE for one host (RFC 7672): its TLSA records, looked up behind addresses
 * that DNSSEC vouches for. A primary with tls = dane wants them: where there
 * is no secure, usable record the host counts as unreachable, and mail is
 * never sent to it unauthenticated (RFC 7672 6, mandatory DANE).
 */
#ifndef MXHOLD_OUTBOUND_DANE_H
#define MXHOLD_OUTBOUND_DANE_H

#include <stdbool.h>

#include "mxhold/outbound/lookup.h"

struct dane;

enum {
	DANE_RECORDS_MAX = 16
};

struct dane_result {
	bool usable;    /* records and base are valid */
	char text[512]; /* why not */
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
