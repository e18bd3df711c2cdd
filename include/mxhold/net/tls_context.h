/*
 * TLS settings, counted, shared by loops (OpenSSL 3). TLS 1.2 and 1.3, no
 * compression, no renegotiation, no early data.
 */
#ifndef MXHOLD_NET_TLS_CONTEXT_H
#define MXHOLD_NET_TLS_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mxhold/base/error.h"

struct tls_context;

struct tls_pair { /* PEM files; "auto": see tls_self_signed */
	const char *cert, *key;
};

/* Several pairs are chosen by SNI; the first is the default. min_version:
 * "1.2" or "1.3". NULL with a sentence: unreadable, key does not fit ... */
struct tls_context *tls_context_server(const struct tls_pair *pairs, size_t n,
				       const char *min_version,
				       struct error *err);

enum tls_verify {
	TLS_VERIFY_NONE,  /* opportunistic: whatever it shows */
	TLS_VERIFY_MAYBE, /* the same, and NAME's verdict is told */
	TLS_VERIFY_NAME,  /* chain and name (RFC 9525) */
	TLS_VERIFY_PIN,   /* SHA-256 of the public key */
	TLS_VERIFY_DANE   /* RFC 7672: usages 2 and 3 */
};

/* ca: "system" or a PEM file; client_cert/client_key may be NULL. */
struct tls_context *tls_context_client(const char *ca, const char *client_cert,
				       const char *client_key,
				       const char *min_version,
				       struct error *err);
void tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context *c); /* NULL is fine */

struct tlsa {
	uint8_t usage, selector, matching;
	uint8_t data[64];
	size_t n;
};

/* RFC 7672 3.1: usage 2 or 3, selector 0 or 1, a digest of the right length
 * (the resolver turns whole certificates and keys, matching 0, into digests).
 * Records of which none is usable must not be given to TLS_VERIFY_DANE: it
 * would fail; RFC 7672 2.2 asks for TLS without authentication then. */
bool tlsa_is_usable(const struct tlsa *t);

struct tls_peer {        /* whom a client expects */
	const char *sni; /* NULL = none */
	enum tls_verify verify;
	const char *const *names; /* reference names; the first is the TLSA
				   * base domain with DANE */
	size_t n_names;
	const char *pin; /* "sha256:..." (hex or base64) */
	const struct tlsa *tlsa;
	size_t n_tlsa;
};

enum tls_doubt { /* what a check has found */
	TLS_DOUBT_NONE,
	TLS_DOUBT_NAME,   /* it is for somebody else */
	TLS_DOUBT_DATE,   /* expired, or not yet valid */
	TLS_DOUBT_ISSUER, /* nobody we trust has issued it */
	TLS_DOUBT_PIN,
	TLS_DOUBT_TLSA,
	TLS_DOUBT_OTHER
};

/* The handshake is carried through whatever the peer shows; verified and
 * problem say what came of it, and the caller decides (QUIT, next host). */
struct tls_info {
	char version[16]; /* "TLSv1.3" */
	char cipher[64];
	bool verified;        /* as tls_peer asked */
	enum tls_doubt doubt; /* why not, for us */
	char problem[192];    /* and for operators, or "" */
	char peer_name[256];  /* subject of the peer's certificate, or "" */
};

/* Makes a self-signed certificate (P-256, ten years) for `name` in cert_file
 * and key_file (0600) unless both exist. 0 or -1. */
int tls_self_signed(const char *cert_file, const char *key_file,
		    const char *name, struct error *err);
/* Is the first certificate of a PEM file for this name (RFC 9525)? False also
 * when it cannot be read. */
bool tls_cert_is_for(const char *cert_file, const char *name);
/* Wall time in ms at which the certificate of a PEM file ends; -1 on error. */
int64_t tls_cert_expiry(const char *cert_file, struct error *err);

#endif
