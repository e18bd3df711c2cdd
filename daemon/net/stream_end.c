/* Deadline, the orderly end, and the end at once. */
#include "stream_internal.h"

#include <sys/socket.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"

/* ---- the deadline ---- */

static void on_timer(uv_timer_t *h);

/* A deadline that moves away (each command moves it) leaves the timer alone;
 * on_timer looks again when it fires too early. */
void stream_timer_set(struct stream *s, int64_t at_ms)
{
	bool sooner = s->deadline_ms == 0 || at_ms < s->deadline_ms;
	s->deadline_ms = at_ms;
	if (!sooner && uv_is_active((uv_handle_t *)&s->timer))
		return;
	int64_t now = loop_now_ms(s->loop);
	uv_timer_start(&s->timer, on_timer,
		       at_ms > now ? (uint64_t)(at_ms - now) : 0, 0);
}

void stream_deadline(struct stream *s, int64_t after_ms)
{
	if (!stream_is_open(s))
		return;
	if (after_ms <= 0) {
		s->deadline_ms = 0;
		uv_timer_stop(&s->timer);
		return;
	}
	uv_update_time(&s->loop->uv);
	stream_timer_set(s, loop_now_ms(s->loop) + after_ms);
}

static void on_timer(uv_timer_t *h)
{
	struct stream *s = MX_CONTAINER_OF(h, struct stream, timer);
	int64_t at = s->deadline_ms;
	if (at == 0)
		return;
	if (loop_now_ms(s->loop) < at) {
		s->deadline_ms = 0;
		stream_timer_set(s, at);
	} else if (stream_is_open(s)) {
		stream_fail(s, STREAM_TIMEOUT, "the time is up");
	} else if (s->state != STREAM_ENDED) {
		stream_destroy(s);
	}
}

/* ---- in order ---- */

/* What is written to a TLS session whose handshake is not over has nobody
 * who could read it. */
static void begin_flush(struct stream *s)
{
	s->state = STREAM_FLUSHING;
	s->loop->n_owned--;
	if (!s->giving) /* else the owner still looks at it */
		buf_done(&s->in);
	if (s->tls && !s->tls_up)
		buf_done(&s->app);
	uv_update_time(&s->loop->uv);
	s->deadline_ms = 0;
	stream_timer_set(s, loop_now_ms(s->loop) + FINISH_FLUSH_MS);
	stream_read_update(s);
	stream_post(s);
}

void stream_finish(struct stream *s)
{
	MX_ASSERT(s->state == STREAM_OPEN || s->state == STREAM_ENDED);
	bool lost = s->end_due && s->end != STREAM_EOF &&
		    s->end != STREAM_TLS_FAILED;
	if (lost || s->write_broken)
		stream_close(s);
	else
		begin_flush(s);
}

/* close_notify is queued like anything else, once, behind the last bytes. */
static void say_goodbye(struct stream *s)
{
	if (!s->tls_up)
		return;
	s->tls_up = false;
	tls_engine_shutdown(s->tls);
	stream_flush(s);
}

static void begin_drain(struct stream *s)
{
	uv_os_fd_t fd;
	s->state = STREAM_DRAINING;
	if (uv_fileno(&s->uv.handle, &fd) == 0)
		shutdown(fd, SHUT_WR);
	uv_update_time(&s->loop->uv);
	s->deadline_ms = 0;
	stream_timer_set(s, loop_now_ms(s->loop) + FINISH_DRAIN_MS);
}

/* Closing a socket that has unread input makes the system send a reset, and
 * a reset may overtake our last reply: so the peer's bytes are read and
 * dropped until it hangs up too. */
void stream_finish_turn(struct stream *s)
{
	if (s->state == STREAM_FLUSHING) {
		stream_flush(s);
		if (stream_is_flushed(s) && !s->write_broken)
			say_goodbye(s);
		if (!stream_is_flushed(s) && !s->write_broken)
			return;
		begin_drain(s);
	}
	if (s->read_over || s->write_broken)
		stream_destroy(s);
}

/* ---- at once ---- */

static void on_closed(struct stream *s)
{
	if (--s->handles > 0)
		return;
	MX_ASSERT(!s->flight);
	tls_engine_free(s->tls);
	buf_done(&s->in);
	buf_done(&s->out);
	buf_done(&s->app);
	mem_free(s->why);
	mem_free(s);
}

static void on_handle_closed(uv_handle_t *h)
{
	on_closed(MX_CONTAINER_OF(h, struct stream, uv.handle));
}

static void on_timer_closed(uv_handle_t *h)
{
	on_closed(MX_CONTAINER_OF((uv_timer_t *)h, struct stream, timer));
}

void stream_destroy(struct stream *s)
{
	s->state = STREAM_CLOSED;
	loop_task_cancel(&s->turn);
	stream_watch_end(s);
	uv_close(&s->uv.handle, on_handle_closed);
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

void stream_close(struct stream *s)
{
	if (!s)
		return;
	MX_ASSERT(s->state == STREAM_OPEN || s->state == STREAM_ENDED);
	s->loop->n_owned--;
	stream_destroy(s);
}
