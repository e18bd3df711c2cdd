#include "mxhold/receive/asking.h"

#include <stdio.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"
#include "mxhold/receive/asking_parts.h"

enum {
	CALLS_MAX = 2,     /* at one primary */
	WAITING_MAX = 256, /* for one primary */
};

static void on_deadline(void *data);

/* ---- life ---- */

struct asking *asking_new(const struct learning_parts *parts,
			  void (*teach)(void *data,
					const struct learning_rcpt *rcpt,
					enum lesson_kind what),
			  void *data)
{
	struct asking *a = mem_alloc(sizeof(*a));

	a->parts = *parts;
	a->config = config_ref(parts->config);
	a->teach = teach;
	a->data = data;
	map_init(&a->desks);
	map_init(&a->asks);
	map_init(&a->standings);
	return a;
}

/* Primaries and domains may be others now. */
void asking_reload(struct asking *a, const struct config *config)
{
	config_unref(a->config);
	a->config = config_ref(config);
	map_done(&a->standings, mem_free);
	map_init(&a->standings);
}

struct standing *asking_standing(struct asking *a, const char *domain)
{
	struct standing *s = map_get(&a->standings, slice_str(domain));

	if (s)
		return s;
	s = mem_alloc(sizeof(*s));
	map_put(&a->standings, slice_str(domain), s);
	return s;
}

static int doubt(void *data, struct slice name, void *value)
{
	struct standing *s = value;

	(void)data;
	(void)name;
	s->sound_until_ms = 0;
	return 0;
}

void asking_doubt(struct asking *a)
{
	map_each(&a->standings, doubt, a);
}

static bool is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 127)
			return false;
	return true;
}

void asking_knows(struct asking *a, const char *domain, struct slice address)
{
	struct standing *s = asking_standing(a, domain);

	if (address.n >= sizeof(s->known) || !is_ascii(address))
		return;
	memcpy(s->known, address.p, address.n);
	s->known[address.n] = '\0';
}

static struct desk *desk_of(struct asking *a, const char *name)
{
	struct desk *desk = map_get(&a->desks, slice_str(name));

	if (desk)
		return desk;
	desk = mem_alloc(sizeof(*desk));
	desk->asking = a;
	snprintf(desk->name, sizeof(desk->name), "%s", name);
	list_init(&desk->waiting);
	list_init(&desk->calls);
	map_put(&a->desks, slice_str(name), desk);
	return desk;
}

/* ---- who asks ---- */

static void free_asker(struct asker *k)
{
	list_remove(&k->in);
	timer_free(k->deadline);
	mem_free(k);
}

static void stop_waiting(struct ask *ask)
{
	if (ask->call)
		return;
	list_remove(&ask->in);
	ask->desk->n_waiting--;
}

static void free_ask(struct ask *ask)
{
	map_remove(&ask->desk->asking->asks, slice_str(ask->rcpt.canonical));
	stop_waiting(ask);
	if (ask->call)
		ask->call->ask = NULL;
	mem_free(ask);
}

/* The ask is gone before anybody hears: who hears may ask again. */
void asking_tell(struct ask *ask, enum told told)
{
	struct list askers;

	list_init(&askers);
	LIST_FOR_EACH_SAFE (it, &ask->askers) {
		list_remove(it);
		list_append(&askers, it);
	}
	free_ask(ask);
	LIST_FOR_EACH_SAFE (it, &askers) {
		struct asker *k = MX_CONTAINER_OF(it, struct asker, in);
		void (*on_told)(void *data, enum told told) = k->on_told;
		void *data = k->data;

		free_asker(k);
		on_told(data, told);
	}
}

/* A call that is under way goes on: what it hears teaches still. */
static void on_deadline(void *data)
{
	struct asker *k = data;
	struct ask *ask = k->ask;
	void (*on_told)(void *data, enum told told) = k->on_told;
	void *arg = k->data;

	free_asker(k);
	if (list_empty(&ask->askers) && !ask->call)
		free_ask(ask);
	on_told(arg, TOLD_NOTHING);
}

static void add_asker(struct asking *a, struct ask *ask,
		      void (*on_told)(void *data, enum told told), void *data)
{
	struct asker *k = mem_alloc(sizeof(*k));

	k->ask = ask;
	k->on_told = on_told;
	k->data = data;
	k->deadline = timer_new(a->parts.loop, on_deadline, k);
	timer_start(k->deadline, a->config->probe.timeout);
	list_append(&ask->askers, &k->in);
}

static struct ask *new_ask(struct asking *a, struct desk *desk,
			   const struct learning_rcpt *rcpt)
{
	struct ask *ask = mem_alloc(sizeof(*ask));

	ask->desk = desk;
	ask->rcpt = *rcpt;
	ask->is_utf8 = !is_ascii(slice_str(rcpt->address));
	list_init(&ask->askers);
	list_append(&desk->waiting, &ask->in);
	desk->n_waiting++;
	map_put(&a->asks, slice_str(ask->rcpt.canonical), ask);
	return ask;
}

bool asking_is_up(const struct asking *a, const char *primary,
		  struct learning_primary *view)
{
	*view = (struct learning_primary){0};
	return a->parts.look(a->parts.data, primary, view) && view->is_up;
}

void asking_ask(struct asking *a, const struct learning_rcpt *rcpt,
		void (*on_told)(void *data, enum told told), void *data)
{
	const struct config_domain *d = config_domain(a->config, rcpt->domain);
	struct ask *ask = map_get(&a->asks, slice_str(rcpt->canonical));
	struct learning_primary view;
	struct desk *desk;

	if (a->stopping || !d || !asking_is_up(a, d->primary->name, &view)) {
		on_told(data, TOLD_NOTHING);
		return;
	}
	desk = desk_of(a, d->primary->name);
	if (!ask && desk->n_waiting >= WAITING_MAX) {
		on_told(data, TOLD_NOTHING);
		return;
	}
	if (!ask)
		ask = new_ask(a, desk, rcpt);
	add_asker(a, ask, on_told, data);
	asking_run(desk);
}

/* ---- who is next ---- */

void asking_fail_waiting(struct desk *desk)
{
	/* Those who come meanwhile are behind the last of now. */
	for (size_t n = desk->n_waiting; n && desk->n_waiting; n--)
		asking_tell(MX_CONTAINER_OF(desk->waiting.next, struct ask, in),
			    TOLD_NOTHING);
}

/* Calls that will take the next who waits as soon as they are through. */
static size_t count_opening(const struct desk *desk)
{
	size_t n = 0;

	LIST_FOR_EACH (it, &desk->calls)
		n += !MX_CONTAINER_OF(it, struct call, in)->ask;
	return n;
}

void asking_run(struct desk *desk)
{
	struct asking *a = desk->asking;
	const struct config_primary *primary;
	struct learning_primary view;

	if (a->stopping || desk->n_calls >= CALLS_MAX ||
	    desk->n_waiting <= count_opening(desk))
		return;
	primary = config_primary(a->config, desk->name);
	if (primary && asking_is_up(a, desk->name, &view))
		call_open(desk, primary, &view);
	else
		asking_fail_waiting(desk);
}

void asking_take(struct desk *desk, struct call *c)
{
	c->ask = MX_CONTAINER_OF(desk->waiting.next, struct ask, in);
	stop_waiting(c->ask);
	c->ask->call = c;
}

/* ---- the end ---- */

static int stop_desk(void *data, struct slice name, void *value)
{
	struct desk *desk = value;

	(void)data;
	(void)name;
	while (!list_empty(&desk->calls)) {
		struct call *c =
			MX_CONTAINER_OF(desk->calls.next, struct call, in);

		if (c->ask)
			asking_tell(c->ask, TOLD_NOTHING);
		call_free(c, false);
	}
	asking_fail_waiting(desk);
	return 0;
}

void asking_stop(struct asking *a)
{
	a->stopping = true;
	map_each(&a->desks, stop_desk, a);
}

void asking_free(struct asking *a)
{
	MX_ASSERT(a->asks.n == 0);
	map_done(&a->desks, mem_free);
	map_done(&a->asks, NULL);
	map_done(&a->standings, mem_free);
	config_unref(a->config);
	mem_free(a);
}
