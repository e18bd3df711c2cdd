/*
 * Is the peer's system still there? A reply may take minutes (RFC 5321
 * 4.5.3.2), but a system that lives acknowledges within a round trip, however
 * busy its programs are. Left alone, TCP doubles its wait for one that does
 * not, and so sleeps on for as long as the line was cut.
 *
 * TCP_USER_TIMEOUT would not do: it also ends a connection whose peer reads
 * slowly (window closed), though it answers whenever it is asked. So what
 * counts is that something was sent, also again, and nothing came back: no
 * acknowledgement, nor a bare segment. (A peer that cannot be reached may well
 * be heard, repeating itself: its data is no answer.) While nothing is under
 * way the system's own probes ask instead.
 */
#include "stream_internal.h"
#include "tcp_progress.h"

#include "mxhold/base/mem.h"

enum {
	LOOKS = 8 /* within the silence that is allowed */
};

struct stream_watch {
	uv_timer_t timer;
	struct stream *s;
	int64_t silence_ms;
	int64_t looked_ms, asked_ms; /* asked: 0 = all was answered */
	struct tcp_progress last;
};

static void on_look(uv_timer_t *h);

void stream_watch(struct stream *s, int64_t silence_ms)
{
	uv_os_fd_t fd;
	if (!stream_is_open(s) || s->is_unix || s->watch || silence_ms <= 0 ||
	    uv_fileno(&s->uv.handle, &fd) != 0)
		return;
	tcp_keep_alive(fd, silence_ms);
	struct stream_watch *w = mem_alloc(sizeof(*w));
	w->s = s;
	w->silence_ms = silence_ms;
	w->looked_ms = loop_now_ms(s->loop);
	uv_timer_init(&s->loop->uv, &w->timer);
	uint64_t every = (uint64_t)MX_MAX(silence_ms / LOOKS, INT64_C(1));
	uv_timer_start(&w->timer, on_look, every, every);
	s->watch = w;
}

static bool is_answered(const struct tcp_progress *p,
			const struct tcp_progress *last)
{
	return p->unacked == 0 || p->acked != last->acked ||
	       p->answers != last->answers;
}

static bool is_silent(struct stream_watch *w, int64_t now)
{
	struct tcp_progress p;
	uv_os_fd_t fd;
	if (uv_fileno(&w->s->uv.handle, &fd) != 0 || !tcp_progress(fd, &p))
		return false;
	if (is_answered(&p, &w->last))
		w->asked_ms = 0;
	else if (p.sent != w->last.sent && w->asked_ms == 0)
		w->asked_ms = w->looked_ms; /* since then, or a little later */
	w->last = p;
	w->looked_ms = now;
	return w->asked_ms != 0 && now - w->asked_ms >= w->silence_ms;
}

/* Or the system would go on sending after we have, and a message that was
 * given up, and goes another way, would arrive as well. */
static void give_up(struct stream *s)
{
	uv_os_fd_t fd;
	if (uv_fileno(&s->uv.handle, &fd) == 0)
		tcp_drop_at_close(fd);
	stream_fail(s, STREAM_ERROR, "nothing is acknowledged any more");
}

static void on_look(uv_timer_t *h)
{
	struct stream_watch *w = MX_CONTAINER_OF(h, struct stream_watch, timer);
	struct stream *s = w->s;
	if (!stream_is_open(s))
		uv_timer_stop(h);
	else if (is_silent(w, loop_now_ms(s->loop)))
		give_up(s);
}

static void on_closed(uv_handle_t *h)
{
	mem_free(MX_CONTAINER_OF((uv_timer_t *)h, struct stream_watch, timer));
}

void stream_watch_end(struct stream *s)
{
	if (s->watch)
		uv_close((uv_handle_t *)&s->watch->timer, on_closed);
	s->watch = NULL;
}
