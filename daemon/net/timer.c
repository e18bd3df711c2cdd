#include "mxhold/net/timer.h"

#include "loop_internal.h"

#include "mxhold/base/mem.h"

struct timer {
	uv_timer_t uv;
	struct loop *loop;
	void (*cb)(void *data);
	void *data;
};

static void on_timer(uv_timer_t *h)
{
	struct timer *t = MX_CONTAINER_OF(h, struct timer, uv);
	t->cb(t->data);
}

static void on_closed(uv_handle_t *h)
{
	mem_free(MX_CONTAINER_OF((uv_timer_t *)h, struct timer, uv));
}

struct timer *timer_new(struct loop *l, void (*cb)(void *data), void *data)
{
	struct timer *t = mem_alloc(sizeof(*t));
	t->loop = l;
	t->cb = cb;
	t->data = data;
	uv_timer_init(&l->uv, &t->uv);
	l->n_owned++;
	return t;
}

void timer_start(struct timer *t, int64_t after_ms)
{
	/* libuv counts from the start of the turn, which may be long ago. */
	uv_update_time(&t->loop->uv);
	uv_timer_start(&t->uv, on_timer, after_ms > 0 ? (uint64_t)after_ms : 0,
		       0);
}

void timer_stop(struct timer *t)
{
	uv_timer_stop(&t->uv);
}

bool timer_is_active(const struct timer *t)
{
	return uv_is_active((const uv_handle_t *)&t->uv) != 0;
}

void timer_free(struct timer *t)
{
	if (!t)
		return;
	t->loop->n_owned--;
	uv_close((uv_handle_t *)&t->uv, on_closed);
}
