/*
 * Attempts are objects of their own: each has a poll handle and a deadline.
 * The connector has one timer for whatever is due first: a deadline, or the
 * next address.
 */
#include "mxhold/net/connector.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop_internal.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"

enum {
	WHY_MAX = 192
};

struct attempt {
	uv_poll_t poll;
	struct connector *c; /* NULL: cancelled */
	size_t which;
	int fd;
	int64_t deadline_ms;
};

struct connector {
	uv_timer_t timer;
	struct loop_task turn;
	struct loop *loop;
	connector_on_done on_done;
	void *data;
	struct endpoint to[CONNECT_ADDRESSES_MAX];
	size_t n, next; /* next: the first not yet tried */
	struct inet_addr source;
	int64_t timeout_ms, stagger_ms, next_at_ms;
	struct attempt *open[CONNECT_ADDRESSES_MAX];
	size_t n_open;
	char why[WHY_MAX];
};

static void run_turn(struct loop_task *t);
static void on_writable(uv_poll_t *h, int status, int events);
static void on_timer(uv_timer_t *h);

struct connector *connector_start(struct loop *l,
				  const struct connect_options *options,
				  connector_on_done on_done, void *data)
{
	MX_ASSERT(options->n <= CONNECT_ADDRESSES_MAX);
	struct connector *c = mem_alloc(sizeof(*c));
	c->loop = l;
	c->on_done = on_done;
	c->data = data;
	c->n = options->n;
	for (size_t i = 0; i < c->n; i++)
		c->to[i] = options->to[i];
	if (options->source)
		c->source = *options->source;
	c->timeout_ms = options->timeout_ms;
	c->stagger_ms = options->stagger_ms;
	snprintf(c->why, sizeof(c->why), "there is no address to connect to");
	uv_timer_init(&l->uv, &c->timer);
	loop_task_init(&c->turn, run_turn);
	loop_task_post(l, &c->turn);
	l->n_owned++;
	return c;
}

/* ---- the end ---- */

static void on_attempt_closed(uv_handle_t *h)
{
	mem_free(MX_CONTAINER_OF((uv_poll_t *)h, struct attempt, poll));
}

/* Its descriptor, which is free of the loop now. */
static int drop_attempt(struct connector *c, struct attempt *a)
{
	int fd = a->fd;
	size_t i = 0;
	while (c->open[i] != a)
		i++;
	c->open[i] = c->open[--c->n_open];
	a->c = NULL;
	uv_close((uv_handle_t *)&a->poll, on_attempt_closed);
	return fd;
}

static void on_closed(uv_handle_t *h)
{
	mem_free(MX_CONTAINER_OF((uv_timer_t *)h, struct connector, timer));
}

void connector_cancel(struct connector *c)
{
	if (!c)
		return;
	while (c->n_open > 0)
		close(drop_attempt(c, c->open[0]));
	loop_task_cancel(&c->turn);
	c->loop->n_owned--;
	uv_close((uv_handle_t *)&c->timer, on_closed);
}

/* The connector ends before the upcall; `why` lives until the loop frees it.
 */
static void done(struct connector *c, int fd, size_t which)
{
	connector_cancel(c);
	c->on_done(c->data, fd, which, fd < 0 ? c->why : "");
}

/* ---- one attempt ---- */

static void note_failure(struct connector *c, size_t which, const char *why)
{
	char text[INET_TEXT_MAX];
	endpoint_format(&c->to[which], text);
	snprintf(c->why, sizeof(c->why), "%s: %s", text, why);
}

static int bind_source(int fd, const struct inet_addr *source)
{
	struct endpoint e = {.addr = *source};
	struct sockaddr_storage sa;
	socklen_t n = endpoint_to_sockaddr(&e, &sa);
	int on = 1;
	/* The port is chosen at connect: the same one may serve many peers. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, (struct sockaddr *)&sa, n);
}

/* A connecting socket, or -1 with errno. */
static int connect_socket(const struct connector *c, const struct endpoint *to)
{
	struct sockaddr_storage sa;
	socklen_t n = endpoint_to_sockaddr(to, &sa);
	int on = 1;
	if (c->source.family != 0 && c->source.family != to->addr.family) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	int fd = socket(sa.ss_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if ((c->source.family == 0 || bind_source(fd, &c->source) == 0) &&
	    (connect(fd, (struct sockaddr *)&sa, n) == 0 ||
	     errno == EINPROGRESS))
		return fd;
	int e = errno;
	close(fd);
	errno = e;
	return -1;
}

/* Whether it is under way; else why is set. */
static bool start_attempt(struct connector *c, size_t which)
{
	int fd = connect_socket(c, &c->to[which]);
	if (fd < 0) {
		note_failure(c, which, strerror(errno));
		return false;
	}
	struct attempt *a = mem_alloc(sizeof(*a));
	int rc = uv_poll_init(&c->loop->uv, &a->poll, fd);
	if (rc != 0) {
		note_failure(c, which, uv_strerror(rc));
		close(fd);
		mem_free(a);
		return false;
	}
	a->c = c;
	a->which = which;
	a->fd = fd;
	a->deadline_ms = loop_now_ms(c->loop) + c->timeout_ms;
	uv_poll_start(&a->poll, UV_WRITABLE, on_writable);
	c->open[c->n_open++] = a;
	return true;
}

/* TCP lets a socket that connects to a free local port meet itself. */
static bool is_self(int fd)
{
	struct sockaddr_storage a, b;
	struct endpoint here, there;
	socklen_t na = sizeof(a), nb = sizeof(b);
	if (getsockname(fd, (struct sockaddr *)&a, &na) != 0 ||
	    getpeername(fd, (struct sockaddr *)&b, &nb) != 0 ||
	    !endpoint_from_sockaddr((struct sockaddr *)&a, &here) ||
	    !endpoint_from_sockaddr((struct sockaddr *)&b, &there))
		return false;
	return here.port == there.port && inet_eq(&here.addr, &there.addr);
}

static int attempt_error(int fd)
{
	int e = 0;
	socklen_t n = sizeof(e);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n) != 0)
		return errno;
	if (e == 0 && is_self(fd))
		return ECONNREFUSED;
	return e;
}

static void on_writable(uv_poll_t *h, int status, int events MX_UNUSED)
{
	struct attempt *a = MX_CONTAINER_OF(h, struct attempt, poll);
	struct connector *c = a->c;
	if (!c)
		return;
	size_t which = a->which;
	int fd = drop_attempt(c, a);
	int e = attempt_error(fd);
	if (e == 0 && status < 0)
		e = -status;
	if (e == 0) {
		done(c, fd, which);
		return;
	}
	close(fd);
	note_failure(c, which, strerror(e));
	c->next_at_ms = 0; /* do not wait for the stagger */
	loop_task_post(c->loop, &c->turn);
}

/* ---- what is due ---- */

static void drop_late(struct connector *c, int64_t now)
{
	for (size_t i = 0; i < c->n_open;) {
		struct attempt *a = c->open[i];
		if (a->deadline_ms > now) {
			i++;
			continue;
		}
		note_failure(c, a->which, "no answer in time");
		close(drop_attempt(c, a));
		c->next_at_ms = 0;
	}
}

static bool may_start(const struct connector *c, int64_t now)
{
	if (c->next >= c->n)
		return false;
	if (c->n_open == 0)
		return true;
	return c->stagger_ms > 0 && now >= c->next_at_ms;
}

static void start_due(struct connector *c, int64_t now)
{
	while (may_start(c, now))
		if (start_attempt(c, c->next++))
			c->next_at_ms = now + c->stagger_ms;
}

static void set_timer(struct connector *c, int64_t now)
{
	int64_t at = INT64_MAX;
	for (size_t i = 0; i < c->n_open; i++)
		at = MX_MIN(at, c->open[i]->deadline_ms);
	if (c->stagger_ms > 0 && c->next < c->n)
		at = MX_MIN(at, c->next_at_ms);
	uv_timer_start(&c->timer, on_timer, at > now ? (uint64_t)(at - now) : 0,
		       0);
}

static void run(struct connector *c)
{
	uv_update_time(&c->loop->uv);
	int64_t now = loop_now_ms(c->loop);
	drop_late(c, now);
	start_due(c, now);
	if (c->n_open == 0)
		done(c, -1, 0);
	else
		set_timer(c, now);
}

static void run_turn(struct loop_task *t)
{
	run(MX_CONTAINER_OF(t, struct connector, turn));
}

static void on_timer(uv_timer_t *h)
{
	run(MX_CONTAINER_OF(h, struct connector, timer));
}
