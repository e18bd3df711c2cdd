/* What the tls files share. OpenSSL's types are only named here. */
#ifndef MXHOLD_NET_TLS_INTERNAL_H
#define MXHOLD_NET_TLS_INTERNAL_H

#include "mxhold/net/tls_context.h"

struct ssl_st;
struct ssl_ctx_st;

/* The default pair's context (server), or the only one (client). */
struct ssl_ctx_st *tls_context_ssl(const struct tls_context *c);

/* Tells a new client session whom to expect. 0, or -1 with `problem`: such a
 * peer could never be verified. */
int tls_peer_apply(struct ssl_st *ssl, const struct tls_peer *peer,
		   char *problem, size_t room);
/* After the handshake: fills verified, problem and peer_name. pin is the
 * digest that was asked for, with TLS_VERIFY_PIN. */
void tls_peer_check(struct ssl_st *ssl, enum tls_verify verify,
		    const uint8_t pin[32], struct tls_info *info);
/* "sha256:" and 64 hex digits or 44 (43) of base64. 0 or -1. */
int tls_pin_parse(const char *text, uint8_t out[32]);

/* What OpenSSL has to say about its last failure on this thread, cleared. */
void tls_last_error(char *out, size_t room);

#endif
