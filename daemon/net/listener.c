#include "mxhold/net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop_internal.h"

#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/stats.h"

enum {
	BURST = 64, /* accepted in one turn: the loop has other guests */
	PAUSE_MS = 100,
	COMPLAIN_MS = 60 * 1000,
};

struct listener {
	uv_poll_t poll;
	uv_timer_t timer;
	struct loop *loop;
	int fd;
	bool is_unix;
	bool is_paused;        /* by the owner */
	bool is_short;         /* of descriptors: the timer runs */
	bool was_short;        /* at the last accept, too */
	int64_t complained_ms; /* of that; 0 = never */
	int spare; /* given up for a moment to turn somebody away, or -1 */
	const char *farewell; /* what he hears; NULL: nobody is turned away */
	bool closed;
	unsigned handles;
	listener_on_accept on_accept;
	void *data;
	char *path; /* of a unix socket we made */
	dev_t dev;  /* which it was, */
	ino_t ino;  /* so that no other's is unlinked */
};

static void on_readable(uv_poll_t *h, int status, int events);
static void on_pause_over(uv_timer_t *h);

/* ---- sockets ---- */

static int new_socket(int family, struct error *err)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return fd >= 0 ? fd : error_sys(err, errno, "cannot make a socket");
}

static void set_int(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

/* [::] is for IPv6 alone: 0.0.0.0 is bound beside it. */
static int bind_tcp(int fd, const struct endpoint *at)
{
	struct sockaddr_storage sa;
	socklen_t n = endpoint_to_sockaddr(at, &sa);
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (at->addr.family == 6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (bind(fd, (struct sockaddr *)&sa, n) != 0)
		return -1;
	return listen(fd, SOMAXCONN);
}

/* Only a socket is replaced, never a file somebody keeps there. */
static int remove_old(const char *path)
{
	struct stat st;
	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	return unlink(path);
}

/* Nobody can connect before listen, so mode and group are right by then. */
static int bind_unix(int fd, const char *path, mode_t mode, gid_t group)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(sa.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sa.sun_path, path, strlen(path));
	if (remove_old(path) != 0 || fchmod(fd, 0600) != 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		return -1;
	if (group != (gid_t)-1 && chown(path, (uid_t)-1, group) != 0)
		return -1;
	if (chmod(path, mode) != 0)
		return -1;
	return listen(fd, SOMAXCONN);
}

/* ---- birth ---- */

static void poll_update(struct listener *t)
{
	if (t->is_paused || t->is_short)
		uv_poll_stop(&t->poll);
	else
		uv_poll_start(&t->poll, UV_READABLE, on_readable);
}

/* fd is the listener's from now on, and closed when NULL comes back. */
static struct listener *new_listener(struct loop *l, int fd,
				     listener_on_accept on_accept, void *data,
				     struct error *err)
{
	struct listener *t = mem_alloc(sizeof(*t));
	int rc = uv_poll_init(&l->uv, &t->poll, fd);
	if (rc != 0) {
		error_set(err, "cannot watch a socket: %s", uv_strerror(rc));
		close(fd);
		mem_free(t);
		return NULL;
	}
	t->loop = l;
	t->fd = fd;
	t->spare = -1;
	t->on_accept = on_accept;
	t->data = data;
	t->handles = 2;
	uv_timer_init(&l->uv, &t->timer);
	l->n_owned++;
	poll_update(t);
	return t;
}

int listener_bind(const struct endpoint *at, struct error *err)
{
	char text[INET_TEXT_MAX];
	endpoint_format(at, text);
	int fd = new_socket(at->addr.family == 6 ? AF_INET6 : AF_INET, err);
	if (fd < 0)
		return error_prefix(err, "listen %s", text);
	if (bind_tcp(fd, at) != 0) {
		error_sys(err, errno, "cannot listen at %s", text);
		close(fd);
		return -1;
	}
	return fd;
}

struct listener *listener_open(struct loop *l, const struct endpoint *at,
			       listener_on_accept on_accept, void *data,
			       struct error *err)
{
	int fd = listener_bind(at, err);
	if (fd < 0)
		return NULL;
	return new_listener(l, fd, on_accept, data, err);
}

struct listener *listener_open_unix(struct loop *l, const char *path,
				    mode_t mode, gid_t group,
				    listener_on_accept on_accept, void *data,
				    struct error *err)
{
	struct stat st;
	int fd = new_socket(AF_UNIX, err);
	if (fd < 0)
		return NULL;
	if (bind_unix(fd, path, mode, group) != 0 || stat(path, &st) != 0) {
		error_sys(err, errno, "cannot listen at %s", path);
		close(fd);
		return NULL;
	}
	struct listener *t = new_listener(l, fd, on_accept, data, err);
	if (!t)
		return NULL;
	t->is_unix = true;
	t->path = mem_strdup(path);
	t->dev = st.st_dev;
	t->ino = st.st_ino;
	return t;
}

static int get_int(int fd, int option)
{
	int value;
	socklen_t n = sizeof(value);
	if (getsockopt(fd, SOL_SOCKET, option, &value, &n) != 0)
		return -1;
	return value;
}

struct listener *listener_inherit(struct loop *l, int fd,
				  listener_on_accept on_accept, void *data,
				  struct error *err)
{
	int family = get_int(fd, SO_DOMAIN);
	if (get_int(fd, SO_TYPE) != SOCK_STREAM ||
	    get_int(fd, SO_ACCEPTCONN) != 1 ||
	    (family != AF_INET && family != AF_INET6 && family != AF_UNIX)) {
		error_set(err, "descriptor %d is no listening stream socket",
			  fd);
		return NULL;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	struct listener *t = new_listener(l, fd, on_accept, data, err);
	if (!t)
		return NULL;
	t->is_unix = family == AF_UNIX;
	return t;
}

/* ---- accepting ---- */

/* The queue stays full and the descriptor readable: without a pause the loop
 * would spin until somebody hangs up. */
static void pause_shortly(struct listener *t)
{
	t->is_short = true;
	poll_update(t);
	uv_timer_start(&t->timer, on_pause_over, PAUSE_MS, 0);
}

static void on_pause_over(uv_timer_t *h)
{
	struct listener *t = MX_CONTAINER_OF(h, struct listener, timer);
	t->is_short = false;
	poll_update(t);
}

static int take(struct listener *t, struct sockaddr_storage *sa)
{
	socklen_t n = sizeof(*sa);
	memset(sa, 0, sizeof(*sa));
	return accept4(t->fd, (struct sockaddr *)sa, &n,
		       SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void keep_spare(struct listener *t)
{
	if (t->farewell && t->spare < 0)
		t->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* False: it could not be done, or nobody waits. */
static bool turn_away(struct listener *t)
{
	struct sockaddr_storage sa;
	close(t->spare);
	t->spare = -1;
	int fd = take(t, &sa);
	if (fd >= 0) {
		ssize_t n = send(fd, t->farewell, strlen(t->farewell),
				 MSG_DONTWAIT | MSG_NOSIGNAL);
		(void)n;
		close(fd);
		counter_add(&stats.sessions_refused, 1);
	}
	keep_spare(t);
	return fd >= 0;
}

static void complain(struct listener *t)
{
	int64_t now_ms = loop_now_ms(t->loop);
	if (t->complained_ms && now_ms - t->complained_ms < COMPLAIN_MS)
		return;
	t->complained_ms = now_ms;
	log_why(LOG_ERROR, "descriptors.short",
		"no connection can be taken: raise the limit of open files");
}

/* At first patience, which costs nobody anything. */
static bool run_short(struct listener *t)
{
	complain(t);
	if (t->was_short && t->spare >= 0 && turn_away(t))
		return true;
	t->was_short = true;
	keep_spare(t);
	pause_shortly(t);
	return false;
}

static void hand_over(struct listener *t, int fd,
		      const struct sockaddr_storage *sa)
{
	struct endpoint peer = {0};
	if (!t->is_unix) {
		endpoint_from_sockaddr((const struct sockaddr *)sa, &peer);
		set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	}
	t->on_accept(t->data, fd, &peer);
}

/* False: nothing more for now. What fails for one connection alone (it was
 * reset while it waited, a firewall said no) is no reason to stop. */
static bool accept_one(struct listener *t)
{
	struct sockaddr_storage sa;
	int fd = take(t, &sa);
	if (fd >= 0) {
		t->was_short = false;
		hand_over(t, fd, &sa);
		return true;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
	    errno == ENOMEM)
		return run_short(t);
	return errno != EAGAIN && errno != EWOULDBLOCK;
}

static void on_readable(uv_poll_t *h, int status MX_UNUSED,
			int events MX_UNUSED)
{
	struct listener *t = MX_CONTAINER_OF(h, struct listener, poll);
	for (int i = 0; i < BURST && !t->closed && !t->is_paused; i++)
		if (!accept_one(t))
			break;
}

void listener_say_when_short(struct listener *t, const char *text)
{
	t->farewell = text;
	keep_spare(t);
}

void listener_pause(struct listener *t)
{
	t->is_paused = true;
	poll_update(t);
}

void listener_resume(struct listener *t)
{
	t->is_paused = false;
	poll_update(t);
}

int listener_address(const struct listener *t, struct endpoint *out)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);
	if (getsockname(t->fd, (struct sockaddr *)&sa, &n) != 0 ||
	    !endpoint_from_sockaddr((struct sockaddr *)&sa, out))
		return -1;
	return 0;
}

/* ---- the end ---- */

static void on_closed(struct listener *t)
{
	if (--t->handles > 0)
		return;
	mem_free(t->path);
	mem_free(t);
}

static void on_poll_closed(uv_handle_t *h)
{
	on_closed(MX_CONTAINER_OF((uv_poll_t *)h, struct listener, poll));
}

static void on_timer_closed(uv_handle_t *h)
{
	on_closed(MX_CONTAINER_OF((uv_timer_t *)h, struct listener, timer));
}

/* After a reload the path may belong to our successor. */
static void remove_path(const struct listener *t)
{
	struct stat st;
	if (t->path && lstat(t->path, &st) == 0 && st.st_dev == t->dev &&
	    st.st_ino == t->ino)
		unlink(t->path);
}

/* No shutdown(2): an inherited socket is shared with systemd, which goes on
 * listening with it. */
void listener_close(struct listener *t)
{
	if (!t)
		return;
	t->closed = true;
	t->loop->n_owned--;
	uv_close((uv_handle_t *)&t->poll, on_poll_closed);
	uv_close((uv_handle_t *)&t->timer, on_timer_closed);
	remove_path(t);
	close(t->fd);
	if (t->spare >= 0)
		close(t->spare);
}
