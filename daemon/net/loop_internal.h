/*
 * What the files of net know of a loop; nobody above sees libuv.
 *
 * Tasks are how net keeps its promise that no callback comes from within a
 * call: a module posts a task and does its upcalls when the loop runs it,
 * right before or right after the loop has looked at its descriptors. So
 * several writes made in one turn also leave in one write(2).
 */
#ifndef MXHOLD_NET_LOOP_INTERNAL_H
#define MXHOLD_NET_LOOP_INTERNAL_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "mxhold/base/list.h"
#include "mxhold/net/loop.h"

enum {
	LOOP_READ_MAX = 64 * 1024, /* what one read may bring */
	LOOP_TLS_MAX = 16 * 1024,  /* the plain text of one TLS record */
};

/* Embedded in whatever wants to run soon; run may free it. */
struct loop_task {
	struct list node;
	void (*run)(struct loop_task *t);
};

struct loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_prepare_t prepare; /* tasks posted by timers */
	uv_check_t check;     /* tasks posted by reads, notes, signals */
	uv_idle_t idle;       /* keeps the loop from sleeping over a task */
	struct list tasks;
	atomic_bool stopping;
	/* Objects that their owners have not freed yet; 0 in loop_free. */
	unsigned n_owned;
	pthread_t thread;
	bool has_thread;
	char thread_name[16];
	char *read_buf; /* LOOP_READ_MAX, shared by all streams */
	char *tls_buf;  /* LOOP_TLS_MAX, likewise */
};

static inline void loop_task_init(struct loop_task *t,
				  void (*run)(struct loop_task *t))
{
	list_init(&t->node);
	t->run = run;
}

/*
 * Threads that are started between the two take no signals: those are the
 * main thread's, which may then block them too (a library's pool and its
 * resolver start theirs when first used).
 */
static inline sigset_t loop_signals_block(void)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	return before;
}

static inline void loop_signals_restore(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* Once is enough: a task that waits already stays where it is. */
void loop_task_post(struct loop *l, struct loop_task *t);
void loop_task_cancel(struct loop_task *t);

#endif
