/*
 * Named places where a test build (MX_FAILPOINTS) can be made to die or to
 * fail, chosen by the environment:
 *
 *	MXHOLDD_FAIL=NAME[:N]            SIGKILL at the N-th pass (1)
 *	MXHOLDD_FAIL=NAME[:N]=eio        that pass fails with EIO
 *	MXHOLDD_FAIL=NAME[:N[+]]=enospc  "+": so does every later one
 *
 *	MXHOLDD_FAIL=ack-early           jobs are reported before the commit:
 *	                                 what the crash tests must notice
 *
 * In other builds nothing of it exists. Any thread.
 */
#ifndef MXHOLD_STORAGE_FAILPOINT_H
#define MXHOLD_STORAGE_FAILPOINT_H

#include <stdbool.h>

#ifdef MX_FAILPOINTS
/* 0, or the errno that the step is to fail with. */
int failpoint_hit(const char *name);
bool failpoint_is(const char *name); /* chosen at all? */
/* For unit tests: as if the environment said so; NULL = nothing. */
void failpoint_set(const char *spec);
#else
static inline int failpoint_hit(const char *name)
{
	(void)name;
	return 0;
}

static inline bool failpoint_is(const char *name)
{
	(void)name;
	return false;
}
#endif

#endif
