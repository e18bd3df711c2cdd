/*
 * The writer's thread: waits, runs batches, ends when its inbox is closed
 * and empty. The simulator has another of these two functions.
 */
#include <sched.h>
#include <signal.h>

#include "mxhold/storage/writer_parts.h"

enum {
	TURNS = 4
};

/*
 * A commit costs much the same for one message as for ten. Where the batch
 * before had company, whoever is about to hand in a job has the processor
 * first: that is no wait, an idle machine comes back at once.
 */
static void gather(struct writer *w)
{
	for (int i = 0; i < TURNS && w->last_batch > 1; i++) {
		struct mpsc_node *chain;

		sched_yield();
		chain = mpsc_take(&w->inbox);
		if (!chain)
			return;
		writer_append(w, chain);
	}
}

static void *run(void *data)
{
	struct writer *w = data;

	for (;;) {
		if (!writer_has_work(w)) {
			struct mpsc_node *chain = mpsc_wait(&w->inbox);

			if (!chain)
				return NULL;
			writer_append(w, chain);
		}
		gather(w);
		w->last_batch = writer_run_batch(w);
	}
}

/* Signals belong to the main thread. */
static int start_without_signals(struct writer *w)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int writer_start(struct writer *w, struct error *err)
{
	int rc = start_without_signals(w);

	if (rc)
		return error_sys(err, rc, "cannot start the writer's thread");
	w->threaded = true;
	return 0;
}

void writer_stop(struct writer *w)
{
	if (!w)
		return;
	atomic_store(&w->stopping, true);
	mpsc_close(&w->inbox);
	if (w->threaded)
		pthread_join(w->thread, NULL);
	while (writer_run_batch(w) > 0)
		continue;
	writer_free(w);
}
