/*
 * The writer's thread, as events: what waits is one batch, and a commit takes
 * as long as the world's disk likes. In place of storage/writer_thread.c.
 *
 * writer_submit and usleep are wrapped by the linker: the one wakes this
 * thread, the other lets time pass for all the others.
 */
#include <unistd.h>

#include "loop_inside.h"
#include "wire.h"

#include "mxhold/base/mem.h"
#include "mxhold/storage/writer_parts.h"

void __real_writer_submit(struct writer *w, struct job *job);
void __wrap_writer_submit(struct writer *w, struct job *job);
int __wrap_usleep(useconds_t us);

static struct {
	struct sim_event event;
	struct loop thread; /* so that it is not entered twice */
	struct writer *writer;
	bool is_committing;
} disk;

static void wake(int64_t after_us)
{
	if (disk.writer && !sim_is_scheduled(&disk.event))
		sim_schedule(&disk.event, after_us);
}

static void run_batch(struct sim_event *e MX_UNUSED)
{
	writer_run_batch(disk.writer);
	if (writer_has_work(disk.writer))
		wake(sim_world->commit_us());
}

void __wrap_writer_submit(struct writer *w, struct job *job)
{
	__real_writer_submit(w, job);
	wake(sim_world->commit_us());
}

int writer_start(struct writer *w, struct error *err MX_UNUSED)
{
	disk.writer = w;
	sim_event_init(&disk.event, SIM_COMMIT, &disk.thread, run_batch);
	return 0;
}

void writer_stop(struct writer *w)
{
	if (!w)
		return;
	atomic_store(&w->stopping, true);
	sim_cancel(&disk.event);
	disk.writer = NULL;
	while (writer_run_batch(w) > 0)
		continue;
	writer_free(w);
}

static bool is_later(void *data)
{
	const int64_t *until_us = data;

	return sim_now_us() >= *until_us;
}

static void run_alarm(struct sim_event *e MX_UNUSED)
{
}

int __wrap_usleep(useconds_t us)
{
	int64_t until_us = sim_now_us() + us;
	struct sim_event alarm;

	sim_event_init(&alarm, SIM_TIMER, NULL, run_alarm);
	sim_schedule(&alarm, us);
	disk.is_committing = disk.thread.running > 0;
	sim_run(is_later, &until_us);
	disk.is_committing = false;
	sim_cancel(&alarm);
	return 0;
}

bool sim_is_committing(void)
{
	return disk.is_committing;
}
