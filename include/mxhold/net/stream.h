/*
 * Bytes over a TCP or unix socket, with or without TLS. Reading goes through
 * one buffer a loop; what the owner does not take waits in the stream and
 * stops reading until stream_resume (back-pressure). Writing copies into a
 * queue; one write is in flight at a time.
 *
 * stream_close may be called at any time, also inside a callback: no
 * callback comes after it, and the loop frees the stream. No callback comes
 * from within a call: what a call causes is told in a later turn. Writes of
 * one turn leave together at its end.
 */
#ifndef MXHOLD_NET_STREAM_H
#define MXHOLD_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mxhold/base/inet.h"
#include "mxhold/base/slice.h"
#include "mxhold/net/loop.h"
#include "mxhold/net/tls_context.h"

struct stream;

enum stream_end {
	STREAM_EOF,     /* the peer has closed its side; told when all bytes
			 * were taken and the stream is not paused */
	STREAM_ERROR,   /* reset, broken pipe ...: why says */
	STREAM_TIMEOUT, /* the deadline passed */
	STREAM_TLS_FAILED
};

struct stream_events {
	/* How many of the bytes were taken; the rest waits for resume, also
	 * for one called within on_data (then it is called again). */
	size_t (*on_data)(void *data, struct slice bytes);
	/* The write queue has become empty. May be NULL. */
	void (*on_drained)(void *data);
	/* The handshake is done; see stream_tls. May be NULL. */
	void (*on_tls)(void *data);
	/* Nothing more will come; the owner calls stream_close. */
	void (*on_end)(void *data, enum stream_end how, const char *why);
};

/* Takes the fd over (connected, non-blocking). NULL: the fd is closed and
 * err says why. Reading starts at once. */
struct stream *stream_new(struct loop *l, int fd,
			  const struct stream_events *events, void *data,
			  struct error *err);
/* A copy is queued; never blocks. After on_end it is ignored, but after an
 * EOF it still goes out (the peer may have shut down one side only). */
void stream_write(struct stream *s, struct slice bytes);
size_t stream_queued(const struct stream *s); /* bytes not yet written */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s); /* gives waiting bytes first */
/* Bytes held back that the owner did not take yet. */
size_t stream_pending(const struct stream *s);
/* From now, for everything: on_end(STREAM_TIMEOUT) unless set anew; 0 = off.
 * Cheap to move: a later deadline costs no timer. */
void stream_deadline(struct stream *s, int64_t after_ms);
/* The peer's system must be there: on_end(STREAM_ERROR) when it acknowledges
 * nothing of what is under way, or no probe, for so long. A peer that is busy
 * or reads slowly still does. Once; not for unix sockets. */
void stream_watch(struct stream *s, int64_t silence_ms);
/* The next octets are TLS. Queued output is written first in clear. Bytes
 * that already came in clear are thrown away; the count is returned. Within
 * on_data these are also the bytes it does not take, which only
 * stream_discarded can count (after on_data has returned). */
size_t stream_start_tls_server(struct stream *s, struct tls_context *ctx);
/* sni may be NULL. Verification is as the context says; results are in
 * stream_tls. */
size_t stream_start_tls_client(struct stream *s, struct tls_context *ctx,
			       const struct tls_peer *peer);
size_t stream_discarded(const struct stream *s);
/* NULL before the handshake is done. */
const struct tls_info *stream_tls(const struct stream *s);
/* Write what is queued (for at most 5 s), then end the connection in order:
 * shutdown, take and drop what still comes for at most 2 s, close. The stream
 * is the loop's from now on: no more callbacks, no more calls. */
void stream_finish(struct stream *s);
void stream_close(struct stream *s); /* at once; NULL is fine */
bool stream_peer(const struct stream *s, struct endpoint *out);
bool stream_local(const struct stream *s, struct endpoint *out);
/* uid/gid/pid of a unix socket's peer (SO_PEERCRED). 0 or -1. */
int stream_peer_uid(const struct stream *s, uint32_t *uid, uint32_t *gid);

#endif
