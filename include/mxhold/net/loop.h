/*
 * One event loop, run by one thread. Everything of the net layer belongs to
 * a loop and is touched by that loop's thread alone, except mailbox_post and
 * loop_stop. Layers above never see libuv.
 */
#ifndef MXHOLD_NET_LOOP_H
#define MXHOLD_NET_LOOP_H

#include <stdint.h>

#include "mxhold/base/error.h"

struct loop;

struct loop *loop_new(struct error *err);
void loop_run(struct loop *l);  /* until loop_stop */
void loop_stop(struct loop *l); /* any thread; loop_run returns soon */
/* Runs until every handle is closed; asserts that none is left. Frees. */
void loop_free(struct loop *l);
int64_t loop_now_ms(struct loop *l); /* monotonic, of this turn */

/* A thread of its own that runs the loop until loop_stop. */
int loop_thread_start(struct loop *l, const char *name, struct error *err);
void loop_thread_join(struct loop *l);

/* fn runs on the work pool, then done on this loop; order between several is
 * not kept. Both get data. */
void loop_work(struct loop *l, void (*fn)(void *data), void (*done)(void *data),
	       void *data);
/* cb runs in a later turn of this loop. */
void loop_defer(struct loop *l, void (*cb)(void *data), void *data);

/* Signals, on the main loop: cb(data, signo). Freed with loop_signal_off. */
struct loop_signal;
struct loop_signal *loop_signal_on(struct loop *l, int signo,
				   void (*cb)(void *data, int signo),
				   void *data);
void loop_signal_off(struct loop_signal *s);

#endif
