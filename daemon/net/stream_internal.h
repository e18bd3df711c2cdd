/*
 * The inside of a stream. One file a direction:
 *
 *	stream.c	birth, the turn, small questions
 *	stream_read.c	socket -> (engine) -> owner
 *	stream_write.c	owner -> (engine) -> socket
 *	stream_watch.c	is the peer's system there?
 *	stream_end.c	deadline, finish, close
 *
 * Every upcall comes from stream_turn (a loop task) or from the read
 * callback, never from within a call of the owner.
 */
#ifndef MXHOLD_NET_STREAM_INTERNAL_H
#define MXHOLD_NET_STREAM_INTERNAL_H

#include "loop_internal.h"
#include "tls_engine.h"

#include "mxhold/base/buf.h"
#include "mxhold/net/stream.h"

enum {
	/* What is handed to the engine or the socket at once. */
	STREAM_WRITE_CHUNK = 64 * 1024,
	/* Nobody may queue more; owners watch stream_queued long before. */
	STREAM_OUT_MAX = 64 * 1024 * 1024,
	/* One read, decrypted or not, and what was left of the one before. */
	STREAM_IN_MAX = 2 * LOOP_READ_MAX,
	FINISH_FLUSH_MS = 5000,
	FINISH_DRAIN_MS = 2000,
};

/*
 * OPEN --------> ENDED ----.
 *   |  end         |        \
 *   | finish       | finish  > CLOSED
 *   v              v        /
 * FLUSHING ---> DRAINING --'
 */
enum stream_state {
	STREAM_OPEN,     /* the owner hears of everything */
	STREAM_ENDED,    /* on_end was called; waits for the owner */
	STREAM_FLUSHING, /* finish: what is queued goes out */
	STREAM_DRAINING, /* finish: shut down, waits for the peer's end */
	STREAM_CLOSED    /* waits for libuv to let go */
};

struct stream_out {
	uv_write_t req;
	struct stream *s;
	struct buf bytes;
};

struct stream {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
	uv_timer_t timer;
	struct stream_watch *watch; /* NULL: nobody asked */
	struct loop_task turn;
	struct loop *loop;
	const struct stream_events *events;
	void *data;
	int64_t deadline_ms; /* 0 = none */
	struct endpoint peer;
	enum stream_state state;
	unsigned handles; /* that libuv still holds */

	struct buf in;             /* plain bytes the owner did not take */
	struct buf out;            /* wire bytes not yet given to libuv */
	struct stream_out *flight; /* the write that is under way */
	struct tls_engine *tls;
	struct buf app; /* with TLS: plain bytes to be encrypted */
	size_t discarded;

	bool is_unix;
	bool paused;
	bool reading;   /* uv_read_start is in force */
	bool read_over; /* the peer's end was seen */
	bool giving;    /* within on_data */
	bool again;     /* resumed within on_data */
	bool switched;  /* TLS was started within on_data */
	bool tls_up;
	bool drain_due; /* on_drained is to be called */
	bool write_broken;
	bool end_due;   /* on_end is to be called ... */
	bool end_waits; /* ... after the waiting bytes were taken */
	enum stream_end end;
	char *why;
};

static inline bool stream_is_open(const struct stream *s)
{
	return s->state == STREAM_OPEN;
}

void stream_post(struct stream *s);
/* Remembers how it ended; the first end stays, but one that waits behind
 * unread bytes gives way. */
void stream_fail(struct stream *s, enum stream_end how, const char *why);
void stream_fail_uv(struct stream *s, const char *what, int rc);

/* stream_read.c */
void stream_read_update(struct stream *s); /* start or stop reading */
void stream_read_pending(struct stream *s);

/* stream_write.c */
void stream_flush(struct stream *s); /* no upcalls */
bool stream_is_flushed(const struct stream *s);
void stream_drop_output(struct stream *s);

/* stream_watch.c */
void stream_watch_end(struct stream *s);

/* stream_end.c */
void stream_timer_set(struct stream *s, int64_t at_ms);
void stream_finish_turn(struct stream *s);
void stream_destroy(struct stream *s); /* to CLOSED */

#endif
