#include "mxhold/receive/doors.h"

#include "mxhold/base/mem.h"
#include "mxhold/net/listener.h"
#include "mxhold/receive/gate.h"

struct door {
	struct doors *doors;
	struct listener *listener;
	const struct config_listen *listen;
};

struct doors {
	const struct config *config; /* of the start */
	struct loop *loop;
	doors_on_accept on_accept;
	void *data;
	struct door *v;
	size_t n;
};

static void on_accept(void *data, int fd, const struct endpoint *peer)
{
	struct door *door = data;
	struct doors *d = door->doors;

	d->on_accept(d->data, fd, peer, door->listen);
}

/* The section that an inherited socket's address stands in, else the first. */
static const struct config_listen *listen_of(const struct config *c,
					     const struct listener *l)
{
	struct endpoint at;

	if (listener_address(l, &at))
		return &c->listens[0];
	for (size_t i = 0; i < c->n_listens; i++)
		for (size_t n = 0; n < c->listens[i].n_addresses; n++) {
			const struct endpoint *e = &c->listens[i].addresses[n];

			if (e->port == at.port && inet_eq(&e->addr, &at.addr))
				return &c->listens[i];
		}
	return &c->listens[0];
}

static int add(struct doors *d, struct listener *l,
	       const struct config_listen *listen)
{
	if (!l)
		return -1;
	listener_say_when_short(l, admission_refusal(ADMISSION_FULL));
	d->v[d->n].listener = l;
	d->v[d->n].listen = listen ? listen : listen_of(d->config, l);
	d->n++;
	return 0;
}

/* Where the next one will stand: the listener is given its address. */
static struct door *next_door(struct doors *d)
{
	d->v[d->n].doors = d;
	return &d->v[d->n];
}

static int inherit_all(struct doors *d, const struct receive_parts *parts,
		       struct error *err)
{
	d->v = mem_array(parts->n_inherited, sizeof(*d->v));
	for (size_t i = 0; i < parts->n_inherited; i++)
		if (add(d,
			listener_inherit(d->loop, parts->inherited[i],
					 on_accept, next_door(d), err),
			NULL))
			return -1;
	return 0;
}

static int bind_section(struct doors *d, const struct config_listen *listen,
			struct error *err)
{
	for (size_t i = 0; i < listen->n_addresses; i++)
		if (add(d,
			listener_open(d->loop, &listen->addresses[i], on_accept,
				      next_door(d), err),
			listen))
			return -1;
	return 0;
}

static int bind_all(struct doors *d, struct error *err)
{
	const struct config *c = d->config;
	size_t n = 0;

	for (size_t i = 0; i < c->n_listens; i++)
		n += c->listens[i].n_addresses;
	d->v = mem_array(n, sizeof(*d->v));
	for (size_t i = 0; i < c->n_listens; i++)
		if (bind_section(d, &c->listens[i], err))
			return -1;
	return 0;
}

struct doors *doors_open(const struct receive_parts *parts,
			 doors_on_accept take, void *data, struct error *err)
{
	struct doors *d = mem_alloc(sizeof(*d));

	d->config = config_ref(parts->config);
	d->loop = parts->loop;
	d->on_accept = take;
	d->data = data;
	if (parts->n_inherited ? inherit_all(d, parts, err)
			       : bind_all(d, err)) {
		doors_close(d);
		return NULL;
	}
	return d;
}

void doors_close(struct doors *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++)
		listener_close(d->v[i].listener);
	config_unref(d->config);
	mem_free(d->v);
	mem_free(d);
}

size_t doors_addresses(const struct doors *d, struct endpoint *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; d && i < d->n && n < max; i++)
		if (listener_address(d->v[i].listener, &out[n]) == 0)
			n++;
	return n;
}
