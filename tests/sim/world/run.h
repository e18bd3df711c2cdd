/* One seed, judged: what came of it stands in W. */
#ifndef MXHOLD_SIM_RUN_H
#define MXHOLD_SIM_RUN_H

#include "world.h"

struct run_options {
	enum control control;
	bool words;          /* an operator takes part */
	bool verbose, tells; /* tells: the daemon's last words, on failure */
	const char *top;     /* directory, best in memory */
};

void run_init(void);
void run_seed(uint64_t seed, const struct run_options *o);

#endif
