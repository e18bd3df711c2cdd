/*
 * A name server for tests: UDP on 127.0.0.1, a thread, a table of what it
 * says. It can lie, be silent, answer nonsense, and sign a zone (ECDSA P-256,
 * RFC 6605) so that a validating resolver has something to believe.
 */
#ifndef MXHOLD_TESTS_SUPPORT_FAKE_DNS_H
#define MXHOLD_TESTS_SUPPORT_FAKE_DNS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum fake_behaviour {
	FAKE_ANSWER,
	FAKE_NXDOMAIN,
	FAKE_SERVFAIL,
	FAKE_SILENT,
	FAKE_GARBAGE,   /* octets that are no DNS message */
	FAKE_FORGED,    /* signed, then changed */
	FAKE_TRUNCATED, /* TC, and no TCP to go on with */
};

/* rdata as text: A and AAAA an address, MX "10 host", CNAME and PTR a name,
 * TXT "one|two" (two strings), TLSA "3 1 1 hex", HEX: as it is. */
struct fake_record {
	const char *name; /* lower case, no trailing dot */
	const char *type; /* "A" "AAAA" "MX" "CNAME" "PTR" "TXT" "TLSA" */
	const char *rdata;
	enum fake_behaviour behaviour; /* for this name and type */
};

struct fake_dns;

/* The table lives as long as the server; NULL name ends it. signed_zone may
 * be NULL: nothing is signed; "" is the root. Names of which there is nothing:
 * NXDOMAIN; of which there is another type: no data. */
struct fake_dns *fake_dns_start(const struct fake_record *table,
				const char *signed_zone);
void fake_dns_stop(struct fake_dns *d);
const char *fake_dns_server(const struct fake_dns *d); /* "127.0.0.1@port" */
/* From now on everything is SERVFAIL, or as the table says again. */
void fake_dns_break(struct fake_dns *d, int broken);
unsigned fake_dns_count(struct fake_dns *d); /* questions so far */
/* The zone's key as a trust anchor file. */
void fake_dns_write_anchor(const struct fake_dns *d, const char *file);

#endif
