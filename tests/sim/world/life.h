/* How a life ends, as its process's status. */
#ifndef MXHOLD_SIM_LIFE_H
#define MXHOLD_SIM_LIFE_H

enum {
	LIFE_ENDED = 0,
	LIFE_CRASHED = 10,
	LIFE_RESTARTS = 11,
};

#endif
