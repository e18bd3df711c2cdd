/*
 * net/listener.h, and descriptors. The numbers given out are none of the
 * kernel's; close(2) and send(2) on them are wrapped by the linker, for the
 * door turns clients away without a stream.
 */
#include "mxhold/net/listener.h"

#include <errno.h>
#include <unistd.h>

#include "loop_inside.h"
#include "wire.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"

enum {
	FD_FIRST = 1 << 24,
	FD_MAX = 4096,
};

/* --- descriptors --------------------------------------------------------- */

static struct wire_end *ends[FD_MAX];

int __real_close(int fd);
int __wrap_close(int fd);
ssize_t __real_send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *p, size_t n, int flags);

int sim_fd_new(struct wire_end *end)
{
	for (int i = 0; i < FD_MAX; i++) {
		if (ends[i])
			continue;
		ends[i] = end;
		return FD_FIRST + i;
	}
	sim_broken("descriptors leak");
}

struct wire_end *sim_fd_peek(int fd)
{
	if (fd < FD_FIRST || fd >= FD_FIRST + FD_MAX)
		return NULL;
	return ends[fd - FD_FIRST];
}

struct wire_end *sim_fd_take(int fd)
{
	struct wire_end *end = sim_fd_peek(fd);

	if (end)
		ends[fd - FD_FIRST] = NULL;
	return end;
}

int __wrap_close(int fd)
{
	struct wire_end *end;

	if (fd < FD_FIRST)
		return __real_close(fd);
	end = sim_fd_take(fd);
	MX_ASSERT(end); /* closed twice */
	wire_close(end);
	return 0;
}

ssize_t __wrap_send(int fd, const void *p, size_t n, int flags)
{
	struct wire_end *end = sim_fd_peek(fd);

	if (!end)
		return __real_send(fd, p, n, flags);
	return (ssize_t)wire_send(end, slice_make(p, n));
}

/* --- listeners ----------------------------------------------------------- */

struct listener {
	struct sim_event event;
	struct listener *next;
	struct loop *loop;
	struct endpoint at;
	bool is_paused;
	struct wire_end *waiting[FD_MAX];
	size_t n;
	listener_on_accept on_accept;
	void *data;
};

static struct listener *listeners;

static void run_accept(struct sim_event *e)
{
	struct listener *t = MX_CONTAINER_OF(e, struct listener, event);
	struct wire_end *end;
	struct endpoint peer;

	if (t->is_paused || t->n == 0)
		return;
	end = t->waiting[0];
	for (size_t i = 1; i < t->n; i++)
		t->waiting[i - 1] = t->waiting[i];
	if (--t->n > 0)
		sim_schedule(e, 0);
	peer = wire_peer(end);
	t->on_accept(t->data, sim_fd_new(end), &peer);
}

struct listener *listener_open(struct loop *l, const struct endpoint *at,
			       listener_on_accept on_accept, void *data,
			       struct error *err MX_UNUSED)
{
	struct listener *t = mem_alloc(sizeof(*t));

	t->loop = l;
	t->at = *at;
	t->on_accept = on_accept;
	t->data = data;
	t->next = listeners;
	listeners = t;
	l->n_owned++;
	sim_event_init(&t->event, SIM_ACCEPT, l, run_accept);
	return t;
}

/* The control socket is the one without a port. */
struct listener *listener_open_unix(struct loop *l, const char *path MX_UNUSED,
				    mode_t mode MX_UNUSED,
				    gid_t group MX_UNUSED,
				    listener_on_accept on_accept, void *data,
				    struct error *err)
{
	struct endpoint nowhere = {.port = 0};

	return listener_open(l, &nowhere, on_accept, data, err);
}

int listener_bind(const struct endpoint *at MX_UNUSED, struct error *err)
{
	return error_set(err, "nothing is inherited in a simulation");
}

struct listener *listener_inherit(struct loop *l MX_UNUSED, int fd MX_UNUSED,
				  listener_on_accept on_accept MX_UNUSED,
				  void *data MX_UNUSED, struct error *err)
{
	error_set(err, "nothing is inherited in a simulation");
	return NULL;
}

void listener_say_when_short(struct listener *t MX_UNUSED,
			     const char *text MX_UNUSED)
{
}

void listener_pause(struct listener *t)
{
	t->is_paused = true;
}

void listener_resume(struct listener *t)
{
	t->is_paused = false;
	if (t->n > 0)
		sim_schedule(&t->event, 0);
}

int listener_address(const struct listener *t, struct endpoint *out)
{
	*out = t->at;
	return t->at.port ? 0 : -1;
}

void listener_close(struct listener *t)
{
	struct listener **at = &listeners;

	if (!t)
		return;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	for (size_t i = 0; i < t->n; i++)
		wire_reset(t->waiting[i]);
	t->loop->n_owned--;
	sim_cancel(&t->event);
	mem_free(t);
}

bool wire_call(const struct wire_options *o, struct wire_end **ours)
{
	struct wire_end *both[2];
	struct listener *t = listeners;

	while (t &&
	       !(t->at.port == o->to.port && inet_eq(&t->at.addr, &o->to.addr)))
		t = t->next;
	if (!t || t->n == FD_MAX)
		return false;
	wire_new(o, both);
	t->waiting[t->n++] = both[1];
	sim_schedule(&t->event, o->latency_us);
	*ours = both[0];
	return true;
}
