#include "loop_internal.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"

static void on_wake(uv_async_t *h);
static void on_prepare(uv_prepare_t *h);
static void on_check(uv_check_t *h);
static void on_idle(uv_idle_t *h);

/* libuv keeps the loop alive only for handles that are active and referenced:
 * wake is, the three helpers need not be. */
static int init_handles(struct loop *l)
{
	int rc = uv_async_init(&l->uv, &l->wake, on_wake);
	if (rc != 0)
		return rc;
	uv_prepare_init(&l->uv, &l->prepare);
	uv_check_init(&l->uv, &l->check);
	uv_idle_init(&l->uv, &l->idle);
	l->wake.data = l->prepare.data = l->check.data = l->idle.data = l;
	uv_prepare_start(&l->prepare, on_prepare);
	uv_check_start(&l->check, on_check);
	uv_unref((uv_handle_t *)&l->prepare);
	uv_unref((uv_handle_t *)&l->check);
	return 0;
}

struct loop *loop_new(struct error *err)
{
	struct loop *l = mem_alloc(sizeof(*l));
	int rc = uv_loop_init(&l->uv);
	if (rc == 0) {
		rc = init_handles(l);
		if (rc != 0)
			uv_loop_close(&l->uv);
	}
	if (rc != 0) {
		error_set(err, "cannot make an event loop: %s",
			  uv_strerror(rc));
		mem_free(l);
		return NULL;
	}
	/* A peer that hangs up is an error of that stream, no signal. */
	signal(SIGPIPE, SIG_IGN);
	list_init(&l->tasks);
	l->read_buf = mem_alloc(LOOP_READ_MAX);
	l->tls_buf = mem_alloc(LOOP_TLS_MAX);
	return l;
}

void loop_run(struct loop *l)
{
	uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
	atomic_store(&l->stopping, true);
	uv_async_send(&l->wake);
}

static void on_wake(uv_async_t *h)
{
	struct loop *l = h->data;
	if (atomic_exchange(&l->stopping, false))
		uv_stop(&l->uv);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	MX_ASSERT(!l->has_thread);
	MX_ASSERT(l->n_owned == 0);
	/* Streams that finish and work that runs still keep it going. */
	uv_close((uv_handle_t *)&l->wake, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	MX_ASSERT(list_empty(&l->tasks));
	uv_close((uv_handle_t *)&l->prepare, NULL);
	uv_close((uv_handle_t *)&l->check, NULL);
	uv_close((uv_handle_t *)&l->idle, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	int rc = uv_loop_close(&l->uv);
	MX_ASSERT(rc == 0);
	mem_free(l->read_buf);
	mem_free(l->tls_buf);
	mem_free(l);
}

int64_t loop_now_ms(struct loop *l)
{
	return (int64_t)uv_now(&l->uv);
}

/* ---- tasks ---- */

void loop_task_post(struct loop *l, struct loop_task *t)
{
	if (!list_empty(&t->node))
		return;
	list_append(&l->tasks, &t->node);
	uv_idle_start(&l->idle, on_idle);
}

void loop_task_cancel(struct loop_task *t)
{
	list_remove(&t->node);
}

/* Only what waits now: a task posted by a task has its turn later, so that
 * two that post each other cannot keep the loop from its descriptors. */
static void run_tasks(struct loop *l)
{
	struct list now;
	list_init(&now);
	if (!list_empty(&l->tasks)) {
		now = l->tasks;
		now.next->prev = now.prev->next = &now;
		list_init(&l->tasks);
	}
	while (!list_empty(&now)) {
		struct list *it = now.next;
		list_remove(it);
		struct loop_task *t =
			MX_CONTAINER_OF(it, struct loop_task, node);
		t->run(t);
	}
	if (list_empty(&l->tasks))
		uv_idle_stop(&l->idle);
}

static void on_prepare(uv_prepare_t *h)
{
	run_tasks(h->data);
}

static void on_check(uv_check_t *h)
{
	run_tasks(h->data);
}

static void on_idle(uv_idle_t *h MX_UNUSED)
{
}

/* ---- a thread of its own ---- */

static void *run_thread(void *data)
{
	struct loop *l = data;
	pthread_setname_np(pthread_self(), l->thread_name);
	loop_run(l);
	return NULL;
}

/* Signals belong to the main loop: the thread starts with all blocked. */
int loop_thread_start(struct loop *l, const char *name, struct error *err)
{
	MX_ASSERT(!l->has_thread);
	strncpy(l->thread_name, name, sizeof(l->thread_name) - 1);
	sigset_t before = loop_signals_block();
	int rc = pthread_create(&l->thread, NULL, run_thread, l);
	loop_signals_restore(&before);
	if (rc != 0)
		return error_sys(err, rc, "cannot start thread %s", name);
	l->has_thread = true;
	return 0;
}

void loop_thread_join(struct loop *l)
{
	MX_ASSERT(l->has_thread);
	pthread_join(l->thread, NULL);
	l->has_thread = false;
}
