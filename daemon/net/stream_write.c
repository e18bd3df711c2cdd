/*
 * Writing. Writes of one turn are collected and leave in one write(2) at its
 * end; what the socket does not take goes to libuv as the one write in
 * flight, and its memory goes with it.
 */
#include "stream_internal.h"

#include "mxhold/base/mem.h"

static void on_written(uv_write_t *req, int status);

static bool can_write(const struct stream *s)
{
	if (s->write_broken)
		return false;
	if (s->state == STREAM_ENDED)
		return s->end == STREAM_EOF;
	return stream_is_open(s) && (!s->end_due || s->end == STREAM_EOF);
}

void stream_write(struct stream *s, struct slice bytes)
{
	if (bytes.n == 0 || !can_write(s))
		return;
	if (buf_append_slice(s->tls ? &s->app : &s->out, bytes) != 0) {
		stream_fail(s, STREAM_ERROR, "no memory for output");
		return;
	}
	s->drain_due = true;
	stream_post(s);
	if (!s->flight && s->app.n + s->out.n >= STREAM_WRITE_CHUNK)
		stream_flush(s);
}

size_t stream_queued(const struct stream *s)
{
	return s->out.n + s->app.n + (s->flight ? s->flight->bytes.n : 0);
}

bool stream_is_flushed(const struct stream *s)
{
	return stream_queued(s) == 0;
}

void stream_drop_output(struct stream *s)
{
	buf_done(&s->app);
	buf_done(&s->out);
	s->drain_due = false; /* dropped is not written */
}

/* ---- the engine ---- */

static void encrypt_chunk(struct stream *s)
{
	struct slice plain = slice_head(buf_slice(&s->app), STREAM_WRITE_CHUNK);
	if (tls_engine_write(s->tls, plain) != 0) {
		stream_drop_output(s);
		s->write_broken = true;
		stream_fail(s, STREAM_ERROR, tls_engine_why(s->tls));
		return;
	}
	buf_consume(&s->app, plain.n);
	if (s->app.n == 0)
		buf_done(&s->app);
}

/* ---- the socket ---- */

/* After EPIPE and the like the peer's last words may still wait to be read
 * ("421 too many errors"): the end comes from the reading side then. */
static void write_failed(struct stream *s, int rc)
{
	s->write_broken = true;
	stream_drop_output(s);
	if (s->state == STREAM_FLUSHING || s->state == STREAM_DRAINING)
		stream_post(s);
	else if ((rc != UV_EPIPE && rc != UV_ECONNRESET) || s->read_over)
		stream_fail_uv(s, "write", rc);
}

static void start_flight(struct stream *s)
{
	struct stream_out *o = mem_alloc(sizeof(*o));
	o->s = s;
	buf_init(&o->bytes, STREAM_OUT_MAX);
	buf_move(&o->bytes, &s->out);
	struct slice b = buf_slice(&o->bytes);
	uv_buf_t uvb = uv_buf_init((char *)b.p, (unsigned)b.n);
	int rc = uv_write(&o->req, &s->uv.stream, &uvb, 1, on_written);
	if (rc == 0) {
		s->flight = o;
		return;
	}
	buf_done(&o->bytes);
	mem_free(o);
	write_failed(s, rc);
}

/* What the socket takes at once. False: it is full, or broken. */
static bool write_now(struct stream *s)
{
	struct slice b = buf_slice(&s->out);
	uv_buf_t uvb = uv_buf_init((char *)b.p, (unsigned)b.n);
	int n = uv_try_write(&s->uv.stream, &uvb, 1);
	if (n < 0 && n != UV_EAGAIN) {
		write_failed(s, n);
		return false;
	}
	if (n > 0)
		buf_consume(&s->out, (size_t)n);
	if (s->out.n > 0) {
		start_flight(s);
		return false;
	}
	buf_done(&s->out);
	return true;
}

void stream_flush(struct stream *s)
{
	bool more = !s->write_broken && !s->flight;
	while (more) {
		if (s->tls_up && s->app.n > 0 && s->out.n == 0)
			encrypt_chunk(s);
		more = s->out.n > 0 && write_now(s);
	}
}

static void on_written(uv_write_t *req, int status)
{
	struct stream_out *o = MX_CONTAINER_OF(req, struct stream_out, req);
	struct stream *s = o->s;
	s->flight = NULL;
	buf_done(&o->bytes);
	mem_free(o);
	if (s->state == STREAM_CLOSED)
		return;
	if (status != 0)
		write_failed(s, status);
	else
		stream_post(s);
}
