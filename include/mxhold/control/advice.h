/*
 * Why nothing leaves for a primary, and what somebody can do about it: the
 * sentences of `primary show`, of `status` and of its alarms. Pure.
 */
#ifndef MXHOLD_CONTROL_ADVICE_H
#define MXHOLD_CONTROL_ADVICE_H

#include "mxhold/control/present.h"

enum {
	ADVICE_ALARM_MAX = 1200
};

struct advice {
	char why[512];  /* "" when mail flows, or there is none */
	char todo[512]; /* "" when nothing has to be done here */
	bool alarm;     /* somebody should look at it */
};

/* p->relay may be NULL (no daemon). */
void advice_of(const struct present_primary *p, struct advice *out);
/* "name: why; what to do" of what is an alarm; false: nothing is. */
bool advice_alarm(const struct present_primary *p, char out[ADVICE_ALARM_MAX]);

#endif
