/* What the files of the simulated net know of a loop. */
#ifndef MXHOLD_SIM_LOOP_INSIDE_H
#define MXHOLD_SIM_LOOP_INSIDE_H

#include "mxhold/net/loop.h"
#include "sched.h"

struct loop {
	unsigned running; /* its thread is in a callback */
	unsigned n_owned; /* objects their owners have not freed */
	unsigned n_alive; /* and what the loop itself is still busy with */
	bool stopping, has_thread;
};

/* A descriptor that nobody can mistake for the kernel's. */
struct wire_end;
int sim_fd_new(struct wire_end *end);
struct wire_end *sim_fd_take(int fd); /* and the number is free again */
struct wire_end *sim_fd_peek(int fd); /* NULL: the kernel's */

/* The signal reaches the process. */
void sim_kill(int signo);

#endif
