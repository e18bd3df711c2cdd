/*
 * A sentence for an operator. Functions that fail because the world failed
 * return 0 or a negative value and fill a struct error when one is given.
 * Any thread; the struct belongs to the caller; no allocation.
 */
#ifndef MXHOLD_BASE_ERROR_H
#define MXHOLD_BASE_ERROR_H

#include "mxhold/base/attr.h"

struct error {
	int sys;        /* errno at the time, or 0 */
	char text[512]; /* always terminated; no newline at its end */
};

/* Both return -1 and accept e == NULL. error_sys adds ": strerror(sys)". */
int error_set(struct error *e, const char *fmt, ...) MX_PRINTF(2, 3);
int error_sys(struct error *e, int sys, const char *fmt, ...) MX_PRINTF(3, 4);
/* Put "text: " before what is already there; returns -1. */
int error_prefix(struct error *e, const char *fmt, ...) MX_PRINTF(2, 3);

#endif
