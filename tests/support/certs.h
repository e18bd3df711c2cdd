/*
 * Certificates for tests, made on the spot: an authority, leaves signed by it
 * or by themselves, with the faults a test wants. Files are PEM.
 */
#ifndef MXHOLD_TESTS_SUPPORT_CERTS_H
#define MXHOLD_TESTS_SUPPORT_CERTS_H

#include <stddef.h>
#include <stdint.h>

struct cert;

struct cert_wish {
	const char *cn;           /* NULL = "test" */
	const char *const *names; /* DNS names, NULL-terminated; or NULL; with
				   * an @ it is one of mail */
	int from_days, to_days;   /* from today; both 0 = -1 .. 30 */
	int is_ca;
	unsigned rsa_bits; /* 0 = a key on P-256 */
};

/* issuer NULL: signed by itself. */
struct cert *cert_new(const struct cert_wish *wish, const struct cert *issuer);
/* A leaf for one DNS name, -1 .. 30 days. */
struct cert *cert_for(const char *name, const struct cert *issuer);
struct cert *cert_authority(const char *cn);
void cert_free(struct cert *c);
/* chain (may be NULL) is put behind the certificate. Abort on failure. */
void cert_write(const struct cert *c, const struct cert *chain,
		const char *cert_file, const char *key_file);
void cert_write_encrypted_key(const struct cert *c, const char *key_file);
/* SHA-256 of the whole (selector 0) or the public key (selector 1). */
void cert_digest(const struct cert *c, int selector, uint8_t out[32]);
void cert_digest512(const struct cert *c, int selector, uint8_t out[64]);

#endif
