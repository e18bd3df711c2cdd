#include "support/certs.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cert {
	X509 *x;
	EVP_PKEY *key;
};

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "certs: %s failed\n", what);
	abort();
}

static void add_names(X509 *x, const char *const *names)
{
	GENERAL_NAMES *all = GENERAL_NAMES_new();
	for (; *names; names++) {
		GENERAL_NAME *g = GENERAL_NAME_new();
		ASN1_IA5STRING *text = ASN1_IA5STRING_new();
		must(ASN1_STRING_set(text, *names, -1), "name");
		GENERAL_NAME_set0_value(
			g, strchr(*names, '@') ? GEN_EMAIL : GEN_DNS, text);
		must(sk_GENERAL_NAME_push(all, g), "names");
	}
	must(X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0,
			       X509V3_ADD_DEFAULT),
	     "subjectAltName");
	GENERAL_NAMES_free(all);
}

static void add_ca(X509 *x)
{
	BASIC_CONSTRAINTS *b = BASIC_CONSTRAINTS_new();
	b->ca = 1;
	must(X509_add1_ext_i2d(x, NID_basic_constraints, b, 1,
			       X509V3_ADD_DEFAULT),
	     "basicConstraints");
	BASIC_CONSTRAINTS_free(b);
}

struct cert *cert_new(const struct cert_wish *wish, const struct cert *issuer)
{
	static long serial = 1;
	struct cert *c = calloc(1, sizeof(*c));
	const char *cn = wish->cn ? wish->cn : "test";
	int any = wish->from_days || wish->to_days;
	c->key = wish->rsa_bits ? EVP_RSA_gen(wish->rsa_bits)
				: EVP_EC_gen("P-256");
	c->x = X509_new();
	must(c->key && c->x, "key");
	X509_set_version(c->x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c->x), serial++);
	X509_time_adj_ex(X509_getm_notBefore(c->x), any ? wish->from_days : -1,
			 0, NULL);
	X509_time_adj_ex(X509_getm_notAfter(c->x), any ? wish->to_days : 30, 0,
			 NULL);
	X509_set_pubkey(c->x, c->key);
	must(X509_NAME_add_entry_by_txt(X509_get_subject_name(c->x), "CN",
					MBSTRING_ASC, (const unsigned char *)cn,
					-1, -1, 0),
	     "subject");
	X509_set_issuer_name(c->x,
			     X509_get_subject_name(issuer ? issuer->x : c->x));
	if (wish->names)
		add_names(c->x, wish->names);
	if (wish->is_ca)
		add_ca(c->x);
	must(X509_sign(c->x, issuer ? issuer->key : c->key, EVP_sha256()) > 0,
	     "signature");
	return c;
}

struct cert *cert_for(const char *name, const struct cert *issuer)
{
	const char *const names[] = {name, NULL};
	return cert_new(&(struct cert_wish){.cn = name, .names = names},
			issuer);
}

struct cert *cert_authority(const char *cn)
{
	return cert_new(&(struct cert_wish){.cn = cn, .is_ca = 1}, NULL);
}

void cert_free(struct cert *c)
{
	if (!c)
		return;
	X509_free(c->x);
	EVP_PKEY_free(c->key);
	free(c);
}

static void write_key(const struct cert *c, const char *file,
		      const EVP_CIPHER *cipher)
{
	FILE *f = fopen(file, "w");
	must(f != NULL, file);
	must(PEM_write_PrivateKey(
		     f, c->key, cipher,
		     (const unsigned char *)(cipher ? "secret" : NULL),
		     cipher ? 6 : 0, NULL, NULL),
	     file);
	fclose(f);
}

void cert_write(const struct cert *c, const struct cert *chain,
		const char *cert_file, const char *key_file)
{
	FILE *f = fopen(cert_file, "w");
	must(f != NULL, cert_file);
	must(PEM_write_X509(f, c->x), cert_file);
	if (chain)
		must(PEM_write_X509(f, chain->x), cert_file);
	fclose(f);
	if (key_file)
		write_key(c, key_file, NULL);
}

void cert_write_encrypted_key(const struct cert *c, const char *key_file)
{
	write_key(c, key_file, EVP_aes_128_cbc());
}

static void digest(const struct cert *c, int selector, const EVP_MD *md,
		   uint8_t *out)
{
	unsigned char *der = NULL;
	int n = selector ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x), &der)
			 : i2d_X509(c->x, &der);
	must(n > 0 && EVP_Digest(der, (size_t)n, out, NULL, md, NULL),
	     "digest");
	OPENSSL_free(der);
}

void cert_digest(const struct cert *c, int selector, uint8_t out[32])
{
	digest(c, selector, EVP_sha256(), out);
}

void cert_digest512(const struct cert *c, int selector, uint8_t out[64])
{
	digest(c, selector, EVP_sha512(), out);
}
