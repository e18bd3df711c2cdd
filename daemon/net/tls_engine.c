#include "tls_engine.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"
#include "tls_internal.h"

enum {
	/* A client's part of a handshake: a few KiB, more with large tickets.
	 * OpenSSL alone would gather 128 KiB from each. */
	CLIENT_HANDSHAKE_MAX = 32 * 1024
};

struct tls_engine {
	SSL *ssl;
	struct tls_context *ctx;
	struct slice in; /* what OpenSSL has not read yet */
	size_t shaken;   /* octets of the handshake */
	struct buf *out;
	bool done;
	bool failed; /* OpenSSL forbids SSL_shutdown and more after that */
	enum tls_verify verify;
	bool is_client;
	uint8_t pin[32];
	struct tls_info info;
	char why[160];
};

/* ---- the BIO: memory, but ours ---- */

/* OpenSSL's own memory BIO keeps what it once has grown to; this one reads
 * from the loop's buffer and writes into the stream's. */
static int bio_read(BIO *b, char *p, size_t room, size_t *n)
{
	struct tls_engine *e = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	*n = MX_MIN(room, e->in.n);
	if (*n == 0) {
		BIO_set_retry_read(b);
		return 0;
	}
	if (!e->done && !e->is_client) {
		e->shaken += *n;
		if (e->shaken > CLIENT_HANDSHAKE_MAX)
			return 0; /* which is the end */
	}
	memcpy(p, e->in.p, *n);
	e->in = slice_skip(e->in, *n);
	return 1;
}

static int bio_write(BIO *b, const char *p, size_t len, size_t *n)
{
	struct tls_engine *e = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	*n = 0;
	if (buf_append(e->out, p, len) != 0)
		return 0;
	*n = len;
	return 1;
}

static long bio_ctrl(BIO *b MX_UNUSED, int cmd, long num MX_UNUSED,
		     void *ptr MX_UNUSED)
{
	return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
			      "mxhold stream");
	MX_ASSERT(method);
	BIO_meth_set_read_ex(method, bio_read);
	BIO_meth_set_write_ex(method, bio_write);
	BIO_meth_set_ctrl(method, bio_ctrl);
}

static BIO *new_bio(struct tls_engine *e)
{
	pthread_once(&method_once, make_method);
	BIO *b = BIO_new(method);
	if (!b)
		return NULL;
	BIO_set_data(b, e);
	BIO_set_init(b, 1);
	return b;
}

/* ---- birth ---- */

static void set_why(struct tls_engine *e)
{
	char text[128];
	if (e->shaken > CLIENT_HANDSHAKE_MAX) {
		snprintf(e->why, sizeof(e->why), "TLS: endless handshake");
		return;
	}
	tls_last_error(text, sizeof(text));
	snprintf(e->why, sizeof(e->why), "TLS: %s", text);
}

/* Without memory the engine exists and fails at its first step. */
static struct tls_engine *new_engine(struct tls_context *ctx, struct buf *out)
{
	struct tls_engine *e = mem_alloc(sizeof(*e));
	tls_context_ref(ctx);
	e->ctx = ctx;
	e->out = out;
	e->in = slice_make("", 0);
	ERR_clear_error();
	e->ssl = SSL_new(tls_context_ssl(ctx));
	BIO *b = e->ssl ? new_bio(e) : NULL;
	if (b) {
		SSL_set_bio(e->ssl, b, b);
		return e;
	}
	e->failed = true;
	set_why(e);
	return e;
}

struct tls_engine *tls_engine_server(struct tls_context *ctx, struct buf *out)
{
	struct tls_engine *e = new_engine(ctx, out);
	if (!e->failed)
		SSL_set_accept_state(e->ssl);
	return e;
}

struct tls_engine *tls_engine_client(struct tls_context *ctx,
				     const struct tls_peer *peer,
				     struct buf *out)
{
	struct tls_engine *e = new_engine(ctx, out);
	e->is_client = true;
	if (e->failed)
		return e;
	SSL_set_connect_state(e->ssl);
	e->verify = peer->verify;
	if (peer->verify == TLS_VERIFY_PIN &&
	    (!peer->pin || tls_pin_parse(peer->pin, e->pin) != 0)) {
		e->failed = true;
		snprintf(e->why, sizeof(e->why), "the pin is malformed");
	} else if (tls_peer_apply(e->ssl, peer, e->why, sizeof(e->why)) != 0) {
		e->failed = true;
	}
	return e;
}

void tls_engine_free(struct tls_engine *e)
{
	if (!e)
		return;
	SSL_free(e->ssl); /* and its BIO */
	tls_context_unref(e->ctx);
	mem_free(e);
}

/* ---- steps ---- */

void tls_engine_input(struct tls_engine *e, struct slice cipher)
{
	e->in = cipher;
}

static enum tls_step fail_step(struct tls_engine *e)
{
	if (!e->failed)
		set_why(e);
	e->failed = true;
	return TLS_FAILED;
}

static enum tls_step why_not(struct tls_engine *e, int rc)
{
	switch (SSL_get_error(e->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return TLS_MORE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	default:
		return fail_step(e);
	}
}

static void learn(struct tls_engine *e)
{
	struct tls_info *i = &e->info;
	snprintf(i->version, sizeof(i->version), "%s", SSL_get_version(e->ssl));
	snprintf(i->cipher, sizeof(i->cipher), "%s",
		 SSL_get_cipher_name(e->ssl));
	if (e->is_client)
		tls_peer_check(e->ssl, e->verify, e->pin, i);
	e->done = true;
}

enum tls_step tls_engine_handshake(struct tls_engine *e)
{
	if (e->failed)
		return TLS_FAILED;
	ERR_clear_error();
	int rc = SSL_do_handshake(e->ssl);
	if (rc != 1) {
		enum tls_step step = why_not(e, rc);
		/* close_notify is no way to end a handshake */
		return step == TLS_CLOSED ? fail_step(e) : step;
	}
	learn(e);
	return TLS_DONE;
}

enum tls_step tls_engine_read(struct tls_engine *e, void *p, size_t room,
			      size_t *n)
{
	if (e->failed)
		return TLS_FAILED;
	ERR_clear_error();
	int rc = SSL_read_ex(e->ssl, p, room, n);
	return rc == 1 ? TLS_DONE : why_not(e, rc);
}

/* Without SSL_MODE_ENABLE_PARTIAL_WRITE and with a BIO that takes all, a
 * write is whole or has failed for good. */
int tls_engine_write(struct tls_engine *e, struct slice plain)
{
	size_t n;
	if (e->failed)
		return -1;
	if (plain.n == 0)
		return 0;
	ERR_clear_error();
	if (SSL_write_ex(e->ssl, plain.p, plain.n, &n) == 1)
		return 0;
	fail_step(e);
	return -1;
}

void tls_engine_shutdown(struct tls_engine *e)
{
	ERR_clear_error();
	if (!e->failed)
		SSL_shutdown(e->ssl);
}

const char *tls_engine_why(const struct tls_engine *e)
{
	return e->why;
}

const struct tls_info *tls_engine_info(const struct tls_engine *e)
{
	return e->done ? &e->info : NULL;
}
