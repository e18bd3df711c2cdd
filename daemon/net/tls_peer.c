/*
 * Whom a client expects, and whether it was met. Chain and names are checked
 * by OpenSSL alone (never a string compare of ours); the handshake is carried
 * through in any case and the verdict is reported, so that the caller says
 * QUIT and decides what a failure means.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mxhold/base/text.h"
#include "mxhold/net/digest.h"
#include "tls_internal.h"

/* ---- the pin ---- */

static int unbase64(struct slice s, uint8_t out[32])
{
	char text[45];
	uint8_t raw[33];
	if (s.n != 43 && s.n != 44)
		return -1;
	memcpy(text, s.p, s.n);
	text[43] = s.n == 44 ? text[43] : '=';
	if (text[43] != '=' ||
	    EVP_DecodeBlock(raw, (unsigned char *)text, 44) != 33)
		return -1;
	memcpy(out, raw, 32);
	return 0;
}

int tls_pin_parse(const char *text, uint8_t out[32])
{
	struct slice s = slice_str(text);
	if (!slice_starts_nocase(s, SLICE("sha256:")))
		return -1;
	s = slice_skip(s, strlen("sha256:"));
	if (s.n == 64)
		return text_unhex(s, out, 32);
	return unbase64(s, out);
}

static bool digest_key(X509 *cert, uint8_t out[32])
{
	uint8_t *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	if (n <= 0)
		return false;
	digest_sha256(der, (size_t)n, out);
	OPENSSL_free(der);
	return true;
}

/* ---- before ---- */

static int refuse(char *problem, size_t room, const char *text)
{
	snprintf(problem, room, "%s", text);
	return -1;
}

/* RFC 9525: DNS names of the certificate only, never its common name; "*"
 * stands for one whole label. */
static int add_names(SSL *ssl, const char *const *names, size_t n)
{
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
				       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	for (size_t i = 0; i < n; i++)
		if (SSL_add1_host(ssl, names[i]) != 1)
			return -1;
	return 0;
}

static int apply_names(SSL *ssl, const struct tls_peer *peer, char *problem,
		       size_t room)
{
	if (peer->n_names == 0 ||
	    add_names(ssl, peer->names, peer->n_names) != 0)
		return refuse(problem, room, "there is no name to verify");
	return 0;
}

/* RFC 7672 3.1.3: usages 0 and 1 are not usable with SMTP. */
bool tlsa_is_usable(const struct tlsa *t)
{
	if ((t->usage != 2 && t->usage != 3) || t->selector > 1)
		return false;
	return (t->matching == 1 && t->n == 32) ||
	       (t->matching == 2 && t->n == 64);
}

/* OpenSSL by itself leaves weaker digests out where a stronger one stands
 * (RFC 7671 9). */
static size_t add_tlsa(SSL *ssl, const struct tlsa *t, size_t n)
{
	size_t usable = 0;
	for (size_t i = 0; i < n; i++) {
		if (!tlsa_is_usable(&t[i]))
			continue;
		if (SSL_dane_tlsa_add(ssl, t[i].usage, t[i].selector,
				      t[i].matching, t[i].data, t[i].n) > 0)
			usable++;
	}
	ERR_clear_error();
	return usable;
}

/* RFC 7672 3.1.1: with usage 3 neither names nor dates count. */
static int apply_dane(SSL *ssl, const struct tls_peer *peer, char *problem,
		      size_t room)
{
	if (peer->n_names == 0)
		return refuse(problem, room, "DANE needs a reference name");
	if (SSL_dane_enable(ssl, peer->names[0]) != 1)
		return refuse(problem, room, "the reference name is no name");
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	if (add_names(ssl, peer->names + 1, peer->n_names - 1) != 0)
		return refuse(problem, room, "a reference name is no name");
	if (add_tlsa(ssl, peer->tlsa, peer->n_tlsa) == 0)
		return refuse(problem, room, "no TLSA record is usable");
	return 0;
}

/* What is not verified may be old: any encryption beats none. */
static void apply_none(SSL *ssl)
{
	SSL_set_security_level(ssl, 1);
}

int tls_peer_apply(SSL *ssl, const struct tls_peer *peer, char *problem,
		   size_t room)
{
	ERR_clear_error();
	SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
	if (peer->sni && SSL_set_tlsext_host_name(ssl, peer->sni) != 1)
		return refuse(problem, room, "the name for SNI is too long");
	switch (peer->verify) {
	case TLS_VERIFY_NONE:
		apply_none(ssl);
		return 0;
	case TLS_VERIFY_MAYBE:
		apply_none(ssl);
		return apply_names(ssl, peer, problem, room);
	case TLS_VERIFY_PIN:
		return 0;
	case TLS_VERIFY_NAME:
		return apply_names(ssl, peer, problem, room);
	case TLS_VERIFY_DANE:
		return apply_dane(ssl, peer, problem, room);
	}
	return refuse(problem, room, "unknown kind of verification");
}

/* ---- after ---- */

static void learn_subject(X509 *cert, char *out, size_t room)
{
	BIO *b = BIO_new(BIO_s_mem());
	if (!b)
		return;
	int n = X509_NAME_print_ex(b, X509_get_subject_name(cert), 0,
				   XN_FLAG_RFC2253);
	if (n > 0) {
		n = BIO_read(b, out, (int)room - 1);
		out[n > 0 ? n : 0] = '\0';
	}
	BIO_free(b);
}

static void MX_PRINTF(3, 4) object(struct tls_info *info, enum tls_doubt doubt,
				   const char *fmt, ...)
{
	va_list ap;
	info->doubt = doubt;
	va_start(ap, fmt);
	vsnprintf(info->problem, sizeof(info->problem), fmt, ap);
	va_end(ap);
}

/* As it may stand in a log; a NUL or a blank is no name's. */
static size_t put_name(const ASN1_IA5STRING *name, char *out, size_t room)
{
	size_t n = MX_MIN((size_t)ASN1_STRING_length(name), room - 1);
	const unsigned char *p = ASN1_STRING_get0_data(name);
	for (size_t i = 0; i < n; i++)
		out[i] = p[i] > ' ' && p[i] < 0x7f ? (char)p[i] : '?';
	out[n] = '\0';
	return n;
}

/* Whom the certificate names: "mx.example, *.example", as many as fit. */
static void list_names(X509 *cert, char *out, size_t room)
{
	GENERAL_NAMES *all =
		X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	size_t at = 0;
	for (int i = 0; i < sk_GENERAL_NAME_num(all) && at + 3 < room; i++) {
		const GENERAL_NAME *one = sk_GENERAL_NAME_value(all, i);
		if (one->type != GEN_DNS)
			continue;
		if (at > 0)
			at += (size_t)snprintf(out + at, room - at, ", ");
		at += put_name(one->d.dNSName, out + at, room - at);
	}
	if (at == 0)
		snprintf(out, room, "no host (its common name counts not)");
	GENERAL_NAMES_free(all);
}

static void check_pin(X509 *cert, const uint8_t pin[32], struct tls_info *info)
{
	char hex[65] = "unreadable";
	uint8_t digest[32] = {0};
	if (digest_key(cert, digest)) {
		if (memcmp(digest, pin, sizeof(digest)) == 0)
			return;
		text_hex(digest, sizeof(digest), hex);
	}
	object(info, TLS_DOUBT_PIN,
	       "the key is not the one pinned, but sha256:%s", hex);
}

static enum tls_doubt doubt_of(long rc)
{
	switch (rc) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TLS_DOUBT_NAME;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_DOUBT_DATE;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return TLS_DOUBT_ISSUER;
	case X509_V_ERR_DANE_NO_MATCH:
		return TLS_DOUBT_TLSA;
	default:
		return TLS_DOUBT_OTHER;
	}
}

/* OpenSSL verifies also when it was told not to act upon it. */
static void check_chain(SSL *ssl, X509 *cert, struct tls_info *info)
{
	long rc = SSL_get_verify_result(ssl);
	const char *text = X509_verify_cert_error_string(rc);
	char names[96];
	if (rc == X509_V_OK)
		return;
	object(info, doubt_of(rc), "%s", text);
	if (info->doubt != TLS_DOUBT_NAME)
		return;
	list_names(cert, names, sizeof(names));
	object(info, info->doubt, "%s, its certificate names %s", text, names);
}

void tls_peer_check(SSL *ssl, enum tls_verify verify, const uint8_t pin[32],
		    struct tls_info *info)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	if (cert)
		learn_subject(cert, info->peer_name, sizeof(info->peer_name));
	if (verify == TLS_VERIFY_NONE)
		return;
	if (!cert)
		object(info, TLS_DOUBT_OTHER, "the peer shows no certificate");
	else if (verify == TLS_VERIFY_PIN)
		check_pin(cert, pin, info);
	else
		check_chain(ssl, cert, info);
	info->verified = info->doubt == TLS_DOUBT_NONE;
}
