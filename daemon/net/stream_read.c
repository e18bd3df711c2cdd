/*
 * Reading. A pause does not stop libuv at once: most peers wait for our
 * answer, and stopping and starting costs two system calls each time. Only
 * when bytes come in spite of the pause they are kept and reading stops, so
 * what a stream holds back is never more than one read.
 */
#include "stream_internal.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf);
static void take_plain(struct stream *s, struct slice bytes);
static void take_cipher(struct stream *s, struct slice cipher);
static void take_end(struct stream *s, int rc);

static bool wants_bytes(const struct stream *s)
{
	if (s->read_over)
		return false;
	if (s->state == STREAM_FLUSHING || s->state == STREAM_DRAINING)
		return true;
	return stream_is_open(s) && s->in.n == 0 &&
	       (!s->end_due || s->end_waits);
}

void stream_read_update(struct stream *s)
{
	if (wants_bytes(s) == s->reading)
		return;
	s->reading = !s->reading;
	if (!s->reading) {
		uv_read_stop(&s->uv.stream);
		return;
	}
	int rc = uv_read_start(&s->uv.stream, on_alloc, on_read);
	if (rc != 0)
		take_end(s, rc);
}

static void on_alloc(uv_handle_t *h, size_t suggested MX_UNUSED, uv_buf_t *buf)
{
	struct stream *s = MX_CONTAINER_OF(h, struct stream, uv.handle);
	*buf = uv_buf_init(s->loop->read_buf, LOOP_READ_MAX);
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
	struct stream *s = MX_CONTAINER_OF(h, struct stream, uv.stream);
	if (n == 0 || s->state == STREAM_CLOSED)
		return;
	if (n < 0)
		take_end(s, (int)n);
	else if (!stream_is_open(s))
		return; /* finish: read and dropped */
	else if (s->tls)
		take_cipher(s, slice_make(buf->base, (size_t)n));
	else
		take_plain(s, slice_make(buf->base, (size_t)n));
	if (s->state != STREAM_CLOSED)
		stream_read_update(s);
}

/* ---- to the owner ---- */

static bool can_give(const struct stream *s)
{
	return stream_is_open(s) && !s->paused && (!s->end_due || s->end_waits);
}

/* One upcall. How many bytes are done with. */
static size_t give_once(struct stream *s, struct slice bytes)
{
	s->again = s->switched = false;
	s->giving = true;
	size_t n = s->events->on_data(s->data, bytes);
	s->giving = false;
	MX_ASSERT(n <= bytes.n);
	if (s->switched) {
		s->discarded += bytes.n - n;
		return bytes.n;
	}
	if (n < bytes.n && !s->again)
		s->paused = true;
	return n;
}

/* The owner may take a part and resume within the same upcall: it is asked
 * again here, not from within stream_resume. One that keeps resuming without
 * taking anything waits for the next turn. */
static size_t give(struct stream *s, struct slice bytes)
{
	size_t done = 0;
	int idle = 0;
	while (done < bytes.n && can_give(s)) {
		size_t n = give_once(s, slice_skip(bytes, done));
		done += n;
		idle = n == 0 ? idle + 1 : 0;
		if (idle < 2)
			continue;
		if (stream_is_open(s))
			stream_post(s);
		break;
	}
	return done;
}

static void keep(struct stream *s, struct slice bytes)
{
	if (stream_is_open(s) && buf_append_slice(&s->in, bytes) != 0)
		stream_fail(s, STREAM_ERROR, "no memory for input");
}

static void take_plain(struct stream *s, struct slice bytes)
{
	size_t n = s->in.n == 0 ? give(s, bytes) : 0;
	keep(s, slice_skip(bytes, n));
}

void stream_read_pending(struct stream *s)
{
	if (s->in.n > 0 && can_give(s)) {
		size_t n = give(s, buf_slice(&s->in));
		if (s->state == STREAM_CLOSED)
			return;
		buf_consume(&s->in, n);
		if (s->in.n == 0)
			buf_done(&s->in);
	}
	stream_read_update(s);
}

void stream_pause(struct stream *s)
{
	s->paused = true;
	s->again = false;
}

void stream_resume(struct stream *s)
{
	s->paused = false;
	s->again = true;
	if (stream_is_open(s) && !s->giving)
		stream_post(s);
}

/* ---- TLS ---- */

static void take_handshake(struct stream *s)
{
	s->tls_up = true;
	if (s->events->on_tls)
		s->events->on_tls(s->data);
}

/* False: no more steps with this input. */
static bool take_step(struct stream *s)
{
	size_t n = 0;
	enum tls_step step = s->tls_up
				     ? tls_engine_read(s->tls, s->loop->tls_buf,
						       LOOP_TLS_MAX, &n)
				     : tls_engine_handshake(s->tls);
	switch (step) {
	case TLS_DONE:
		if (s->tls_up)
			take_plain(s, slice_make(s->loop->tls_buf, n));
		else
			take_handshake(s);
		return stream_is_open(s);
	case TLS_CLOSED:
		s->read_over = true;
		stream_fail(s, STREAM_EOF, "close_notify");
		return false;
	case TLS_FAILED:
		stream_fail(s, STREAM_TLS_FAILED, tls_engine_why(s->tls));
		return false;
	case TLS_MORE:
		break;
	}
	return false;
}

/* All of it is decrypted, also when the owner has paused: the rest of a cut
 * record stays in the engine, so no cipher bytes need to be kept. */
static void take_cipher(struct stream *s, struct slice cipher)
{
	if (s->end_due && !s->end_waits)
		return;
	tls_engine_input(s->tls, cipher);
	while (take_step(s))
		;
	tls_engine_input(s->tls, slice_make("", 0));
	if (s->state != STREAM_CLOSED)
		stream_post(s); /* the engine may have something to say */
}

/* ---- the end ---- */

/* What a write has seen first is the better reason: the reset that follows
 * a write to a closed socket is often read as a plain EOF. */
static void take_end(struct stream *s, int rc)
{
	s->read_over = true;
	if (!stream_is_open(s)) {
		stream_post(s);
		return;
	}
	if (rc != UV_EOF)
		stream_fail_uv(s, "read", rc);
	else if (s->write_broken)
		stream_fail(s, STREAM_ERROR, "the peer has gone");
	else if (s->tls && !s->tls_up)
		stream_fail(s, STREAM_TLS_FAILED,
			    "the peer hung up during the TLS handshake");
	else
		stream_fail(s, STREAM_EOF, "the peer hung up");
}
