/*
 * One TLS session without a socket: cipher bytes in, plain bytes out, and
 * the other way round. No OpenSSL type shows here. The engine of a stream
 * writes its records straight into the stream's output buffer.
 *
 * Input is a view that must be used up before it goes away: give it with
 * tls_engine_input, then call handshake or read until TLS_MORE. What is left
 * of a cut record is kept by OpenSSL, never more than one record.
 */
#ifndef MXHOLD_NET_TLS_ENGINE_H
#define MXHOLD_NET_TLS_ENGINE_H

#include "mxhold/base/buf.h"
#include "mxhold/base/slice.h"
#include "mxhold/net/tls_context.h"

struct tls_engine;

enum tls_step {
	TLS_MORE,   /* the input is used up */
	TLS_DONE,   /* handshake: over; read: n bytes */
	TLS_CLOSED, /* close_notify */
	TLS_FAILED  /* see tls_engine_why; an alert may be in the output */
};

/* out is where records go; it must outlive the engine. Never NULL. */
struct tls_engine *tls_engine_server(struct tls_context *ctx, struct buf *out);
struct tls_engine *tls_engine_client(struct tls_context *ctx,
				     const struct tls_peer *peer,
				     struct buf *out);
void tls_engine_free(struct tls_engine *e); /* NULL is fine */

void tls_engine_input(struct tls_engine *e, struct slice cipher);
enum tls_step tls_engine_handshake(struct tls_engine *e);
enum tls_step tls_engine_read(struct tls_engine *e, void *p, size_t room,
			      size_t *n);
/* All of plain becomes records. 0 or -1. After the handshake only. */
int tls_engine_write(struct tls_engine *e, struct slice plain);
void tls_engine_shutdown(struct tls_engine *e); /* close_notify */

const char *tls_engine_why(const struct tls_engine *e);
/* NULL before the handshake is done. */
const struct tls_info *tls_engine_info(const struct tls_engine *e);

#endif
