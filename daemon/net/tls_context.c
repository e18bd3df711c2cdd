#include "mxhold/net/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"
#include "tls_internal.h"

/* The members are set once, then shared by threads; only refs changes. */
struct tls_context {
	atomic_uint refs;
	size_t n;
	SSL_CTX **ssl; /* the first is the default */
};

void tls_last_error(char *out, size_t room)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = ERR_reason_error_string(code);
	if (text)
		snprintf(out, room, "%s", text);
	else if (code == 0)
		snprintf(out, room, "the connection broke");
	else
		snprintf(out, room, "error %lx", code);
	ERR_clear_error();
}

static int fail(struct error *err, const char *what, const char *file)
{
	char why[128];
	tls_last_error(why, sizeof(why));
	return error_set(err, "%s %s: %s", what, file, why);
}

/* Why a file cannot be read is better said by the system than by OpenSSL. */
static int check_readable(const char *what, const char *file, struct error *err)
{
	if (access(file, R_OK) != 0)
		return error_sys(err, errno, "%s %s", what, file);
	return 0;
}

/* ---- what both sides have in common ---- */

/* A key with a passphrase is an error, not a question on the terminal. */
static int no_passphrase(char *buf MX_UNUSED, int size MX_UNUSED,
			 int writing MX_UNUSED, void *data MX_UNUSED)
{
	return -1;
}

static int set_version(SSL_CTX *ssl, const char *min, struct error *err)
{
	int v = 0;
	if (!min || strcmp(min, "1.2") == 0)
		v = TLS1_2_VERSION;
	else if (strcmp(min, "1.3") == 0)
		v = TLS1_3_VERSION;
	if (v == 0)
		return error_set(err, "TLS version %s is not 1.2 or 1.3", min);
	SSL_CTX_set_min_proto_version(ssl, v);
	return 0;
}

/* RFC 9325: no compression, no renegotiation; sessions are not kept here
 * (tickets are, by the client), so that memory does not grow with peers. */
static SSL_CTX *new_ssl(const SSL_METHOD *method, const char *min_version,
			struct error *err)
{
	SSL_CTX *ssl = SSL_CTX_new(method);
	if (!ssl) {
		fail(err, "cannot use", "OpenSSL");
		return NULL;
	}
	SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION |
					 SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
	SSL_CTX_set_max_early_data(ssl, 0);
	if (set_version(ssl, min_version, err) != 0) {
		SSL_CTX_free(ssl);
		return NULL;
	}
	return ssl;
}

static bool is_mismatch(void)
{
	unsigned long code = ERR_peek_last_error();
	return ERR_GET_LIB(code) == ERR_LIB_X509 &&
	       ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH;
}

static int misfit(struct error *err, const struct tls_pair *pair)
{
	ERR_clear_error();
	return error_set(err, "key %s does not fit certificate %s", pair->key,
			 pair->cert);
}

static int use_pair(SSL_CTX *ssl, const struct tls_pair *pair,
		    struct error *err)
{
	ERR_clear_error();
	if (check_readable("certificate", pair->cert, err) != 0 ||
	    check_readable("key", pair->key, err) != 0)
		return -1;
	if (SSL_CTX_use_certificate_chain_file(ssl, pair->cert) != 1)
		return fail(err, "certificate", pair->cert);
	if (SSL_CTX_use_PrivateKey_file(ssl, pair->key, SSL_FILETYPE_PEM) !=
	    1) {
		if (is_mismatch())
			return misfit(err, pair);
		return fail(err, "key", pair->key);
	}
	if (SSL_CTX_check_private_key(ssl) != 1)
		return misfit(err, pair);
	return 0;
}

/* ---- server ---- */

/* RFC 6066 3: an unknown name is no error, it gets the default (also asked
 * for by RFC 7672 8.1). */
static int on_sni(SSL *ssl, int *alert MX_UNUSED, void *data)
{
	const struct tls_context *c = data;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	if (!name)
		return SSL_TLSEXT_ERR_NOACK;
	for (size_t i = 0; i < c->n; i++) {
		X509 *cert = SSL_CTX_get0_certificate(c->ssl[i]);
		if (X509_check_host(cert, name, 0, 0, NULL) == 1) {
			SSL_set_SSL_CTX(ssl, c->ssl[i]);
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_NOACK;
}

/* RFC 7301: a client that offers other protocols only (a browser that was led
 * here, ALPACA) is refused; "smtp" is chosen. */
static int on_alpn(SSL *ssl MX_UNUSED, const unsigned char **out,
		   unsigned char *n_out, const unsigned char *in, unsigned n_in,
		   void *data MX_UNUSED)
{
	static const unsigned char ours[] = "\4smtp";
	unsigned char *chosen;
	if (SSL_select_next_proto(&chosen, n_out, ours, sizeof(ours) - 1, in,
				  n_in) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *new_server_ssl(const struct tls_pair *pair,
			       const char *min_version, struct error *err)
{
	static const unsigned char id[] = "mxhold";
	SSL_CTX *ssl = new_ssl(TLS_server_method(), min_version, err);
	if (!ssl)
		return NULL;
	if (use_pair(ssl, pair, err) != 0) {
		SSL_CTX_free(ssl);
		return NULL;
	}
	/* ours is from strong to weak; a client's may be in any order */
	SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_num_tickets(ssl, 1);
	SSL_CTX_set_dh_auto(ssl, 1);
	SSL_CTX_set_session_id_context(ssl, id, sizeof(id) - 1);
	SSL_CTX_set_alpn_select_cb(ssl, on_alpn, NULL);
	return ssl;
}

static struct tls_context *new_context(size_t n)
{
	struct tls_context *c = mem_alloc(sizeof(*c));
	atomic_init(&c->refs, 1);
	c->ssl = mem_array(n, sizeof(*c->ssl));
	return c;
}

struct tls_context *tls_context_server(const struct tls_pair *pairs, size_t n,
				       const char *min_version,
				       struct error *err)
{
	if (n == 0) {
		error_set(err, "no certificate is given");
		return NULL;
	}
	struct tls_context *c = new_context(n);
	for (; c->n < n; c->n++) {
		SSL_CTX *ssl = new_server_ssl(&pairs[c->n], min_version, err);
		if (!ssl) {
			tls_context_unref(c);
			return NULL;
		}
		c->ssl[c->n] = ssl;
	}
	SSL_CTX_set_tlsext_servername_callback(c->ssl[0], on_sni);
	SSL_CTX_set_tlsext_servername_arg(c->ssl[0], c);
	return c;
}

/* ---- client ---- */

static int use_authorities(SSL_CTX *ssl, const char *ca, struct error *err)
{
	ERR_clear_error();
	if (!ca || strcmp(ca, "system") == 0)
		return SSL_CTX_set_default_verify_paths(ssl) == 1
			       ? 0
			       : fail(err, "authorities", "of the system");
	if (check_readable("authorities", ca, err) != 0)
		return -1;
	if (SSL_CTX_load_verify_file(ssl, ca) != 1)
		return fail(err, "authorities", ca);
	return 0;
}

static int set_up_client(SSL_CTX *ssl, const char *ca,
			 const struct tls_pair *pair, struct error *err)
{
	if (SSL_CTX_dane_enable(ssl) != 1)
		return fail(err, "cannot use", "DANE");
	if (use_authorities(ssl, ca, err) != 0)
		return -1;
	if (!pair->cert && !pair->key)
		return 0;
	if (!pair->cert || !pair->key)
		return error_set(err, "a client certificate needs its key, and "
				      "the key its certificate");
	return use_pair(ssl, pair, err);
}

struct tls_context *tls_context_client(const char *ca, const char *client_cert,
				       const char *client_key,
				       const char *min_version,
				       struct error *err)
{
	struct tls_pair pair = {client_cert, client_key};
	SSL_CTX *ssl = new_ssl(TLS_client_method(), min_version, err);
	if (!ssl)
		return NULL;
	if (set_up_client(ssl, ca, &pair, err) != 0) {
		SSL_CTX_free(ssl);
		return NULL;
	}
	struct tls_context *c = new_context(1);
	c->ssl[c->n++] = ssl;
	return c;
}

/* ---- life ---- */

SSL_CTX *tls_context_ssl(const struct tls_context *c)
{
	return c->ssl[0];
}

void tls_context_ref(struct tls_context *c)
{
	atomic_fetch_add(&c->refs, 1);
}

void tls_context_unref(struct tls_context *c)
{
	if (!c)
		return;
	unsigned before = atomic_fetch_sub(&c->refs, 1);
	MX_ASSERT(before > 0);
	if (before > 1)
		return;
	for (size_t i = 0; i < c->n; i++)
		SSL_CTX_free(c->ssl[i]);
	mem_free(c->ssl);
	mem_free(c);
}
