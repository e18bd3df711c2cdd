/* Holds the writer's thread within a transaction until it is let go. */
#ifndef MXHOLD_TESTS_RELAY_GATE_H
#define MXHOLD_TESTS_RELAY_GATE_H

#include "unit/relay/rig.h"

struct gate {
	struct job_call job;
	atomic_bool is_shut; /* the writer stands before it */
	atomic_bool open, passed;
};

static enum store_result gate_call(struct job_call *c, void *txn,
				   struct store *s)
{
	struct gate *g = c->arg;

	(void)txn;
	(void)s;
	atomic_store(&g->is_shut, true);
	while (!atomic_load(&g->open))
		usleep(500);
	return STORE_OK;
}

static void gate_on_report(struct job *job)
{
	atomic_store(&((struct gate *)job->data)->passed, true);
}

/* What is submitted from here on waits. */
static inline void gate_shut(struct gate *g, struct rig *r)
{
	memset(g, 0, sizeof(*g));
	g->job.job.kind = JOB_CALL;
	g->job.job.report = gate_on_report;
	g->job.job.data = g;
	g->job.call = gate_call;
	g->job.arg = g;
	writer_submit(r->writer, &g->job.job);
	while (!atomic_load(&g->is_shut))
		usleep(500);
}

static inline void gate_open(struct gate *g)
{
	atomic_store(&g->open, true);
	while (!atomic_load(&g->passed))
		usleep(500);
}

#endif
