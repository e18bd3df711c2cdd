/* Work on the pool, calls put off, signals: small things a loop does. */
#include "loop_internal.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"

/* ---- work ---- */

struct work {
	uv_work_t req;
	void (*fn)(void *data);
	void (*done)(void *data);
	void *data;
};

static void on_work(uv_work_t *req)
{
	struct work *w = MX_CONTAINER_OF(req, struct work, req);
	w->fn(w->data);
}

static void on_work_done(uv_work_t *req, int status MX_UNUSED)
{
	struct work *w = MX_CONTAINER_OF(req, struct work, req);
	w->done(w->data);
	mem_free(w);
}

void loop_work(struct loop *l, void (*fn)(void *data), void (*done)(void *data),
	       void *data)
{
	struct work *w = mem_alloc(sizeof(*w));
	w->fn = fn;
	w->done = done;
	w->data = data;
	/* The first call of the process starts the pool's threads. */
	static atomic_bool is_started;
	sigset_t before;
	bool is_first = !atomic_exchange(&is_started, true);
	if (is_first)
		before = loop_signals_block();
	int rc = uv_queue_work(&l->uv, &w->req, on_work, on_work_done);
	if (is_first)
		loop_signals_restore(&before);
	MX_ASSERT(rc == 0);
}

/* ---- later ---- */

struct deferred {
	struct loop_task task;
	void (*cb)(void *data);
	void *data;
};

static void run_deferred(struct loop_task *t)
{
	struct deferred *d = MX_CONTAINER_OF(t, struct deferred, task);
	d->cb(d->data);
	mem_free(d);
}

void loop_defer(struct loop *l, void (*cb)(void *data), void *data)
{
	struct deferred *d = mem_alloc(sizeof(*d));
	loop_task_init(&d->task, run_deferred);
	d->cb = cb;
	d->data = data;
	loop_task_post(l, &d->task);
}

/* ---- signals ---- */

struct loop_signal {
	uv_signal_t uv;
	struct loop *loop;
	void (*cb)(void *data, int signo);
	void *data;
};

static void on_signal(uv_signal_t *h, int signo)
{
	struct loop_signal *s = MX_CONTAINER_OF(h, struct loop_signal, uv);
	s->cb(s->data, signo);
}

static void on_signal_closed(uv_handle_t *h)
{
	mem_free(MX_CONTAINER_OF((uv_signal_t *)h, struct loop_signal, uv));
}

struct loop_signal *loop_signal_on(struct loop *l, int signo,
				   void (*cb)(void *data, int signo),
				   void *data)
{
	struct loop_signal *s = mem_alloc(sizeof(*s));
	s->loop = l;
	s->cb = cb;
	s->data = data;
	int rc = uv_signal_init(&l->uv, &s->uv);
	MX_ASSERT(rc == 0);
	rc = uv_signal_start(&s->uv, on_signal, signo);
	MX_ASSERT(rc == 0);
	l->n_owned++;
	return s;
}

void loop_signal_off(struct loop_signal *s)
{
	if (!s)
		return;
	s->loop->n_owned--;
	uv_close((uv_handle_t *)&s->uv, on_signal_closed);
}
