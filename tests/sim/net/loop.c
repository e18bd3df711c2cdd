/* net/loop.h, net/timer.h and net/mailbox.h in virtual time. */
#include <pthread.h>

#include "loop_inside.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/list.h"
#include "mxhold/base/mem.h"
#include "mxhold/net/mailbox.h"
#include "mxhold/net/timer.h"

enum {
	NOTE_MAX_US = 100,  /* waking another thread */
	WORK_MAX_US = 2000, /* the work pool, on a good day */
};

struct loop *loop_new(struct error *err MX_UNUSED)
{
	return mem_alloc(sizeof(struct loop));
}

static bool is_stopping(void *data)
{
	struct loop *l = data;

	return l->stopping;
}

void loop_run(struct loop *l)
{
	sim_run(is_stopping, l);
	l->stopping = false;
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
}

static bool is_over(void *data)
{
	struct loop *l = data;

	return l->n_alive == 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	MX_ASSERT(!l->has_thread);
	MX_ASSERT(l->n_owned == 0);
	sim_run(is_over, l);
	mem_free(l);
}

int64_t loop_now_ms(struct loop *l MX_UNUSED)
{
	return sim_now_us() / 1000;
}

int loop_thread_start(struct loop *l, const char *name MX_UNUSED,
		      struct error *err MX_UNUSED)
{
	MX_ASSERT(!l->has_thread);
	l->has_thread = true;
	return 0;
}

void loop_thread_join(struct loop *l)
{
	MX_ASSERT(l->has_thread);
	sim_run(is_stopping, l);
	l->stopping = l->has_thread = false;
}

/* ---- work ---- */

struct work {
	struct sim_event event;
	struct loop *loop;
	void (*fn)(void *data);
	void (*done)(void *data);
	void *data;
};

static void run_done(struct sim_event *e)
{
	struct work *w = MX_CONTAINER_OF(e, struct work, event);

	w->loop->n_alive--;
	w->done(w->data);
	mem_free(w);
}

static void run_work(struct sim_event *e)
{
	struct work *w = MX_CONTAINER_OF(e, struct work, event);

	w->fn(w->data);
	sim_event_init(&w->event, SIM_DONE, w->loop, run_done);
	sim_schedule(&w->event, sim_between(1, NOTE_MAX_US));
}

void loop_work(struct loop *l, void (*fn)(void *data), void (*done)(void *data),
	       void *data)
{
	struct work *w = mem_alloc(sizeof(*w));

	w->loop = l;
	w->fn = fn;
	w->done = done;
	w->data = data;
	l->n_alive++;
	sim_event_init(&w->event, SIM_WORK, NULL, run_work);
	sim_schedule(&w->event, sim_between(10, WORK_MAX_US));
}

/* ---- later ---- */

static void run_deferred(struct sim_event *e)
{
	struct work *w = MX_CONTAINER_OF(e, struct work, event);

	w->loop->n_alive--;
	w->fn(w->data);
	mem_free(w);
}

void loop_defer(struct loop *l, void (*cb)(void *data), void *data)
{
	struct work *w = mem_alloc(sizeof(*w));

	w->loop = l;
	w->fn = cb;
	w->data = data;
	l->n_alive++;
	sim_event_init(&w->event, SIM_TURN, l, run_deferred);
	sim_schedule(&w->event, 0);
}

/* ---- signals ---- */

struct loop_signal {
	struct sim_event event;
	struct loop_signal *next;
	struct loop *loop;
	int signo;
	void (*cb)(void *data, int signo);
	void *data;
};

static struct loop_signal *signals;

static void run_signal(struct sim_event *e)
{
	struct loop_signal *s = MX_CONTAINER_OF(e, struct loop_signal, event);

	s->cb(s->data, s->signo);
}

struct loop_signal *loop_signal_on(struct loop *l, int signo,
				   void (*cb)(void *data, int signo),
				   void *data)
{
	struct loop_signal *s = mem_alloc(sizeof(*s));

	s->loop = l;
	s->signo = signo;
	s->cb = cb;
	s->data = data;
	s->next = signals;
	signals = s;
	l->n_owned++;
	sim_event_init(&s->event, SIM_SIGNAL, l, run_signal);
	return s;
}

void loop_signal_off(struct loop_signal *s)
{
	struct loop_signal **at = &signals;

	if (!s)
		return;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	s->loop->n_owned--;
	sim_cancel(&s->event);
	mem_free(s);
}

void sim_kill(int signo)
{
	for (struct loop_signal *s = signals; s; s = s->next) {
		if (s->signo == signo)
			sim_schedule(&s->event, 0);
	}
}

/* ---- timers ---- */

struct timer {
	struct sim_event event;
	struct loop *loop;
	void (*cb)(void *data);
	void *data;
};

static void run_timer(struct sim_event *e)
{
	struct timer *t = MX_CONTAINER_OF(e, struct timer, event);

	t->cb(t->data);
}

struct timer *timer_new(struct loop *l, void (*cb)(void *data), void *data)
{
	struct timer *t = mem_alloc(sizeof(*t));

	t->loop = l;
	t->cb = cb;
	t->data = data;
	l->n_owned++;
	sim_event_init(&t->event, SIM_TIMER, l, run_timer);
	return t;
}

void timer_start(struct timer *t, int64_t after_ms)
{
	sim_schedule(&t->event, after_ms * 1000);
}

void timer_stop(struct timer *t)
{
	sim_cancel(&t->event);
}

bool timer_is_active(const struct timer *t)
{
	return sim_is_scheduled(&t->event);
}

void timer_free(struct timer *t)
{
	if (!t)
		return;
	t->loop->n_owned--;
	sim_cancel(&t->event);
	mem_free(t);
}

/* ---- mailboxes ---- */

struct mailbox {
	struct sim_event event;
	struct loop *loop;
	struct mpsc queue;
	struct mpsc_node *taken; /* notes on their way to on_note */
	bool freed, delivering;
	void (*on_note)(void *data, struct mpsc_node *note);
	void *data;
};

static void deliver(struct mailbox *m)
{
	while (m->taken) {
		struct mpsc_node *note = m->taken;

		m->taken = note->next;
		note->next = NULL;
		m->on_note(m->data, note);
	}
}

static void forget(struct mailbox *m)
{
	sim_cancel(&m->event);
	mpsc_done(&m->queue);
	mem_free(m);
}

static void run_notes(struct sim_event *e)
{
	struct mailbox *m = MX_CONTAINER_OF(e, struct mailbox, event);

	m->taken = mpsc_take(&m->queue);
	m->delivering = true;
	deliver(m);
	m->delivering = false;
	if (m->freed)
		forget(m);
}

struct mailbox *mailbox_new(struct loop *l,
			    void (*on_note)(void *data, struct mpsc_node *note),
			    void *data)
{
	struct mailbox *m = mem_alloc(sizeof(*m));

	m->loop = l;
	m->on_note = on_note;
	m->data = data;
	mpsc_init(&m->queue);
	l->n_owned++;
	sim_event_init(&m->event, SIM_NOTE, l, run_notes);
	return m;
}

void mailbox_post(struct mailbox *m, struct mpsc_node *note)
{
	if (mpsc_push(&m->queue, note))
		sim_schedule(&m->event, sim_between(1, NOTE_MAX_US));
}

void mailbox_free(struct mailbox *m)
{
	if (!m)
		return;
	MX_ASSERT(!m->freed);
	m->freed = true;
	deliver(m);
	while ((m->taken = mpsc_take(&m->queue)) != NULL)
		deliver(m);
	m->loop->n_owned--;
	if (!m->delivering)
		forget(m);
}
