/*
 * Named places where a test build (MX_FAILPOINTS) can be made to die or to
 * fail, chosen by the environment:
 *
 *	MXHOLDD_FAIL=NAME[:N]            SIGKILL at the N-th pass (1)
 *	MXHOLDD_FAIL=NAME[:N]=eio        that pass fails with EIO
 *	MXHOLDD_FAIL=NAME[:N[+]]=enospc  "+": so does every later one
 *
 * In other builds nothing of it exists. Any thread.
 */
#ifndef MXHOLD_STORAGE_FAILPOINT_H
#define MXHOLD_STORAGE_FAILPOINT_H

#ifdef MX_FAILPOINTS
/* 0, or the errno that the step is to fail with. */
int failpoint_hit(const char *name);
/* For unit tests: as if the environment said so; NULL = nothing. */
void failpoint_set(const char *spec);
#else
static inline int failpoint_hit(const char *name)
{
	(void)name;
	return 0;
}
#endif

#endif
