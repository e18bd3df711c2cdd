#include "unit/net/rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	STORY_MAX = 1 << 16,
	GOT_MAX = 1 << 26
};

void rig_open(struct rig *r)
{
	r->loop = loop_new(NULL);
	ck_assert_ptr_nonnull(r->loop);
}

void rig_close(struct rig *r)
{
	loop_free(r->loop);
}

/* True: the stream is gone. */
static bool note(struct witness *w, enum rig_event e, const char *text)
{
	loop_stop(w->rig->loop);
	buf_append_str(&w->story, text);
	if (w->close_at == e) {
		stream_close(w->s);
		w->s = NULL;
	} else if (w->finish_at == e) {
		stream_finish(w->s);
		w->s = NULL;
	}
	return !w->s;
}

static size_t on_data(void *data, struct slice bytes)
{
	struct witness *w = data;
	w->calls++;
	if (++w->depth > w->deepest)
		w->deepest = w->depth;
	size_t n = bytes.n < w->take ? bytes.n : w->take;
	buf_append(&w->got, bytes.p, n);
	if (w->also)
		w->also(w, slice_head(bytes, n));
	if (w->echo && w->s)
		stream_write(w->s, slice_head(bytes, n));
	if (!w->brief) {
		buf_printf(&w->story, "data(%.*s) ", (int)n, bytes.p);
		note(w, RIG_DATA, "");
	} else {
		note(w, RIG_DATA, "");
	}
	w->depth--;
	return n;
}

static void on_drained(void *data)
{
	note(data, RIG_DRAINED, "drained ");
}

static void on_tls(void *data)
{
	note(data, RIG_TLS, "tls ");
}

static void on_end(void *data, enum stream_end how, const char *why)
{
	static const char *const names[] = {
		[STREAM_EOF] = "eof",
		[STREAM_ERROR] = "error",
		[STREAM_TIMEOUT] = "timeout",
		[STREAM_TLS_FAILED] = "tls-failed",
	};
	struct witness *w = data;
	char text[64];
	snprintf(text, sizeof(text), "end(%s) ", names[how]);
	snprintf(w->why, sizeof(w->why), "%s", why);
	note(w, RIG_END, text);
}

static const struct stream_events events = {on_data, on_drained, on_tls,
					    on_end};

void witness_open(struct witness *w, struct rig *r, int fd)
{
	struct error err;
	memset(w, 0, sizeof(*w));
	w->rig = r;
	w->take = SIZE_MAX;
	buf_init(&w->story, STORY_MAX);
	buf_init(&w->got, GOT_MAX);
	w->s = stream_new(r->loop, fd, &events, w, &err);
	ck_assert_msg(w->s != NULL, "%s", err.text);
}

void witness_done(struct witness *w)
{
	stream_close(w->s);
	buf_done(&w->story);
	buf_done(&w->got);
}

static bool told(struct witness *w, const char *text)
{
	struct slice s = buf_slice(&w->story);
	return memmem(s.p, s.n, text, strlen(text)) != NULL;
}

void witness_until(struct witness *w, const char *text)
{
	while (!told(w, text))
		loop_run(w->rig->loop);
}

void witness_until_got(struct witness *w, size_t n)
{
	while (w->got.n < n)
		loop_run(w->rig->loop);
}

static void on_settled(void *data)
{
	struct rig *r = data;
	loop_stop(r->loop);
}

/* A turn that began after a timer fired has also polled the descriptors. */
void rig_settle(struct rig *r)
{
	struct timer *t = timer_new(r->loop, on_settled, r);
	for (int i = 0; i < 3; i++) {
		timer_start(t, 1);
		while (timer_is_active(t))
			loop_run(r->loop);
	}
	timer_free(t);
}

void set_blocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);
	flags = on ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
	ck_assert_int_eq(fcntl(fd, F_SETFL, flags), 0);
}

void pair_unix(int fd[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd),
			 0);
	set_blocking(fd[0], false);
}

void pair_tcp(int fd[2])
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t n = sizeof(sa);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int at = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(at, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(at, 1), 0);
	ck_assert_int_eq(getsockname(at, (struct sockaddr *)&sa, &n), 0);
	fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd[1], (struct sockaddr *)&sa, sizeof(sa)), 0);
	fd[0] = accept4(at, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(fd[0], 0);
	close(at);
}

void small_send_buffer(int fd)
{
	int n = 4096;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n));
}

size_t read_all(int fd, void *p, size_t n)
{
	size_t at = 0;
	while (at < n) {
		ssize_t got = read(fd, (char *)p + at, n - at);
		if (got <= 0)
			break;
		at += (size_t)got;
	}
	return at;
}
