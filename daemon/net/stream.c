#include "stream_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"

static void run_turn(struct loop_task *t);

/* ---- birth ---- */

/* AF_INET, AF_INET6, AF_UNIX, or -1: not a stream socket of ours. */
static int stream_family(int fd)
{
	int family, type;
	socklen_t n = sizeof(family);
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &n) != 0)
		return -1;
	n = sizeof(type);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) != 0)
		return -1;
	if (type != SOCK_STREAM ||
	    (family != AF_INET && family != AF_INET6 && family != AF_UNIX)) {
		errno = EPROTOTYPE;
		return -1;
	}
	return family;
}

static int adopt(struct stream *s, int fd, int family)
{
	uv_loop_t *uv = &s->loop->uv;
	s->is_unix = family == AF_UNIX;
	s->handles = 2;
	uv_timer_init(uv, &s->timer);
	if (s->is_unix) {
		uv_pipe_init(uv, &s->uv.pipe, 0);
		return uv_pipe_open(&s->uv.pipe, fd);
	}
	uv_tcp_init(uv, &s->uv.tcp);
	return uv_tcp_open(&s->uv.tcp, fd);
}

/* Asked while it is surely there: after a reset the system has forgotten. */
static void learn_peer(struct stream *s, int fd)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);
	if (s->is_unix || getpeername(fd, (struct sockaddr *)&sa, &n) != 0)
		return;
	endpoint_from_sockaddr((struct sockaddr *)&sa, &s->peer);
}

static void init_buffers(struct stream *s)
{
	buf_init(&s->in, STREAM_IN_MAX);
	buf_init(&s->out, STREAM_OUT_MAX);
	buf_init(&s->app, STREAM_OUT_MAX);
}

struct stream *stream_new(struct loop *l, int fd,
			  const struct stream_events *events, void *data,
			  struct error *err)
{
	int family = stream_family(fd);
	if (family < 0) {
		error_sys(err, errno, "not a connected stream socket");
		close(fd);
		return NULL;
	}
	struct stream *s = mem_alloc(sizeof(*s));
	s->loop = l;
	s->events = events;
	s->data = data;
	init_buffers(s);
	loop_task_init(&s->turn, run_turn);
	l->n_owned++;
	int rc = adopt(s, fd, family);
	if (rc != 0) {
		error_set(err, "cannot use the socket: %s", uv_strerror(rc));
		close(fd); /* libuv did not take it */
		stream_close(s);
		return NULL;
	}
	learn_peer(s, fd);
	stream_read_update(s);
	return s;
}

/* ---- the turn ---- */

void stream_post(struct stream *s)
{
	loop_task_post(s->loop, &s->turn);
}

static void report_drained(struct stream *s)
{
	if (!s->drain_due || !stream_is_flushed(s))
		return;
	s->drain_due = false;
	if (s->events->on_drained)
		s->events->on_drained(s->data);
}

/* With on_end nothing more is read; after an EOF one may still write. An owner
 * that has paused is busy and learns of an EOF when it resumes: a peer that
 * shuts down its side after the last command still gets the reply. */
static void report_end(struct stream *s)
{
	if (!s->end_due || (s->end_waits && (s->in.n > 0 || s->paused)))
		return;
	s->state = STREAM_ENDED;
	uv_timer_stop(&s->timer);
	if (s->end != STREAM_EOF)
		stream_drop_output(s);
	stream_read_update(s);
	s->events->on_end(s->data, s->end, s->why ? s->why : "");
}

/* Written before read and reported: what the owner has said so far reaches
 * the peer even if the next upcall closes the stream. */
static void run_turn(struct loop_task *t)
{
	struct stream *s = MX_CONTAINER_OF(t, struct stream, turn);
	if (s->state == STREAM_FLUSHING || s->state == STREAM_DRAINING) {
		stream_finish_turn(s);
		return;
	}
	if (s->state == STREAM_CLOSED)
		return;
	stream_flush(s);
	if (stream_is_open(s))
		stream_read_pending(s);
	if (s->state == STREAM_OPEN || s->state == STREAM_ENDED)
		report_drained(s);
	if (stream_is_open(s))
		report_end(s);
}

void stream_fail(struct stream *s, enum stream_end how, const char *why)
{
	if (!stream_is_open(s) || (s->end_due && !s->end_waits))
		return;
	s->end_due = true;
	s->end_waits = how == STREAM_EOF;
	s->end = how;
	mem_free(s->why);
	s->why = mem_strdup(why);
	stream_post(s);
}

void stream_fail_uv(struct stream *s, const char *what, int rc)
{
	char why[128];
	snprintf(why, sizeof(why), "%s: %s", what, uv_strerror(rc));
	stream_fail(s, STREAM_ERROR, why);
}

/* ---- TLS ---- */

/* What came in clear is nobody's any more (RFC 3207 4.2): neither what waits
 * here, nor what the owner leaves of the bytes it is being given. */
static size_t forget_input(struct stream *s)
{
	size_t n = s->giving ? 0 : s->in.n;
	s->switched = s->giving;
	if (!s->giving)
		buf_done(&s->in);
	s->discarded += n;
	return n;
}

static size_t start_tls(struct stream *s, struct tls_engine *e)
{
	size_t n = forget_input(s);
	s->tls = e;
	if (tls_engine_handshake(e) == TLS_FAILED)
		stream_fail(s, STREAM_TLS_FAILED, tls_engine_why(e));
	stream_post(s);
	return n;
}

size_t stream_start_tls_server(struct stream *s, struct tls_context *ctx)
{
	MX_ASSERT(!s->tls);
	if (!stream_is_open(s))
		return 0;
	return start_tls(s, tls_engine_server(ctx, &s->out));
}

size_t stream_start_tls_client(struct stream *s, struct tls_context *ctx,
			       const struct tls_peer *peer)
{
	MX_ASSERT(!s->tls);
	if (!stream_is_open(s))
		return 0;
	return start_tls(s, tls_engine_client(ctx, peer, &s->out));
}

const struct tls_info *stream_tls(const struct stream *s)
{
	return s->tls ? tls_engine_info(s->tls) : NULL;
}

/* ---- small questions ---- */

size_t stream_pending(const struct stream *s)
{
	return s->in.n;
}

size_t stream_discarded(const struct stream *s)
{
	return s->discarded;
}

bool stream_peer(const struct stream *s, struct endpoint *out)
{
	*out = s->peer;
	return s->peer.addr.family != 0;
}

bool stream_local(const struct stream *s, struct endpoint *out)
{
	struct sockaddr_storage sa;
	int n = sizeof(sa);
	*out = (struct endpoint){0};
	if (s->is_unix ||
	    uv_tcp_getsockname(&s->uv.tcp, (struct sockaddr *)&sa, &n) != 0)
		return false;
	return endpoint_from_sockaddr((struct sockaddr *)&sa, out);
}

int stream_peer_uid(const struct stream *s, uint32_t *uid, uint32_t *gid)
{
	struct ucred c;
	socklen_t n = sizeof(c);
	uv_os_fd_t fd;
	if (!s->is_unix || uv_fileno(&s->uv.handle, &fd) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) != 0)
		return -1;
	*uid = c.uid;
	*gid = c.gid;
	return 0;
}
