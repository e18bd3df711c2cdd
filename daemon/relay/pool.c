#include "mxhold/relay/pool.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"

static void on_open(void *data, const struct session_failure *failure);
static void on_body(void *data);
static void on_sent(void *data, const struct session_result *result);
static void on_idle_end(void *data);
static void on_idle_over(void *data);

static const struct session_events session_events = {
	.on_open = on_open,
	.on_body = on_body,
	.on_sent = on_sent,
	.on_idle_end = on_idle_end,
};

void pool_init(struct pool *p, struct loop *l, struct outbound *o,
	       const struct pool_events *events, void *data)
{
	p->loop = l;
	p->outbound = o;
	p->events = events;
	p->data = data;
	p->n = 0;
	p->last_serial = p->era = 0;
	list_init(&p->links);
}

void pool_open(struct pool *p, const struct session_target *target)
{
	struct link *l = mem_alloc(sizeof(*l));

	l->pool = p;
	l->era = p->era;
	l->serial = ++p->last_serial;
	l->state = LINK_OPENING;
	l->idle = timer_new(p->loop, on_idle_over, l);
	list_append(&p->links, &l->item);
	p->n++;
	l->session = session_open(p->outbound, target, &session_events, l);
}

void pool_begin_era(struct pool *p)
{
	p->era++;
	LIST_FOR_EACH (it, &p->links) {
		struct link *l = MX_CONTAINER_OF(it, struct link, item);

		if (l->state == LINK_IDLE)
			l->era = p->era;
	}
}

/* The session is closed by whoever calls. */
static void forget(struct link *l)
{
	list_remove(&l->item);
	l->pool->n--;
	timer_free(l->idle);
	mem_free(l);
}

static void on_open(void *data, const struct session_failure *failure)
{
	struct link *l = data;
	struct pool *p = l->pool;
	struct session_failure copy;

	if (!failure) {
		l->state = LINK_IDLE;
		l->era = p->era;
		timer_start(l->idle, POOL_IDLE_MS);
		p->events->on_idle(p->data);
		return;
	}
	copy = *failure;
	session_close(l->session);
	forget(l);
	p->events->on_failed(p->data, &copy);
}

static void on_body(void *data)
{
	struct link *l = data;

	l->user->on_body(l->data);
}

static void on_sent(void *data, const struct session_result *result)
{
	struct link *l = data;

	l->user->on_sent(l->data, result);
}

static void on_idle_end(void *data)
{
	struct link *l = data;

	if (l->state == LINK_IDLE) {
		pool_drop(l);
		return;
	}
	/* Busy with a commit: whoever has it finds it used up. */
	l->ended = true;
}

static void on_idle_over(void *data)
{
	struct link *l = data;

	session_quit(l->session);
	forget(l);
}

/* The one used last, so that the others may end. */
struct link *pool_take(struct pool *p, const struct link_user *user, void *data)
{
	for (struct list *it = p->links.prev; it != &p->links; it = it->prev) {
		struct link *l = MX_CONTAINER_OF(it, struct link, item);

		if (l->state != LINK_IDLE)
			continue;
		timer_stop(l->idle);
		l->state = LINK_BUSY;
		l->user = user;
		l->data = data;
		return l;
	}
	return NULL;
}

/* Others have taken that of one that hung over an outage, or stepped aside. */
static bool has_place(const struct link *l)
{
	return l->era == l->pool->era && !l->aside;
}

bool pool_is_spent(const struct link *l, uint32_t max_uses)
{
	return l->ended || l->used >= max_uses || session_is_spent(l->session);
}

void pool_give_back(struct link *l, uint32_t max_uses)
{
	struct pool *p = l->pool;

	MX_ASSERT(l->state == LINK_BUSY);
	if (l->ended) {
		pool_drop(l);
	} else if (pool_is_spent(l, max_uses) || !has_place(l)) {
		session_quit(l->session);
		forget(l);
	} else {
		l->state = LINK_IDLE;
		list_remove(&l->item);
		list_append(&p->links, &l->item);
		timer_start(l->idle, POOL_IDLE_MS);
	}
	p->events->on_idle(p->data);
}

uint64_t pool_pass_on(struct link *l, uint32_t max_uses)
{
	uint64_t serial = l->serial;

	MX_ASSERT(!l->owes);
	l->owes = true;
	pool_give_back(l, max_uses);
	return serial;
}

struct link *pool_find(const struct pool *p, uint64_t serial)
{
	LIST_FOR_EACH (it, &p->links) {
		struct link *l = MX_CONTAINER_OF(it, struct link, item);

		if (l->serial == serial)
			return l;
	}
	return NULL;
}

void pool_settled(struct pool *p, uint64_t serial, bool kept)
{
	struct link *l = pool_find(p, serial);

	if (!l) /* it has ended meanwhile */
		return;
	MX_ASSERT(l->owes);
	l->owes = false;
	if (l->state == LINK_BUSY)
		l->user->on_settled(l->data, kept);
	else if (!kept)
		pool_drop(l);
}

void pool_drop(struct link *l)
{
	session_close(l->session);
	forget(l);
}

void pool_quit_idle(struct pool *p)
{
	LIST_FOR_EACH_SAFE (it, &p->links) {
		struct link *l = MX_CONTAINER_OF(it, struct link, item);

		if (l->state != LINK_IDLE)
			continue;
		session_quit(l->session);
		forget(l);
	}
}

void pool_abort_opening(struct pool *p)
{
	LIST_FOR_EACH_SAFE (it, &p->links) {
		struct link *l = MX_CONTAINER_OF(it, struct link, item);

		if (l->state == LINK_OPENING)
			pool_drop(l);
	}
}

size_t pool_count(const struct pool *p, enum link_state state)
{
	size_t n = 0;

	LIST_FOR_EACH (it, &p->links) {
		struct link *l = MX_CONTAINER_OF(it, struct link, item);

		n += l->state == state && has_place(l);
	}
	return n;
}

size_t pool_count_any(const struct pool *p)
{
	size_t n = 0;

	LIST_FOR_EACH (it, &p->links)
		n += has_place(MX_CONTAINER_OF(it, struct link, item));
	return n;
}

size_t pool_count_aside(const struct pool *p)
{
	size_t n = 0;

	LIST_FOR_EACH (it, &p->links) {
		struct link *l = MX_CONTAINER_OF(it, struct link, item);

		n += l->aside && l->era == p->era;
	}
	return n;
}
