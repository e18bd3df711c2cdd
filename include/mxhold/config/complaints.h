/*
 * What is wrong with a configuration: every complaint on a line of its own,
 * gathered so that one look mends all. Belongs to one load.
 */
#ifndef MXHOLD_CONFIG_COMPLAINTS_H
#define MXHOLD_CONFIG_COMPLAINTS_H

#include "mxhold/base/attr.h"
#include "mxhold/base/buf.h"

struct place { /* where something was written; file NULL = nowhere */
	const char *file;
	int line; /* 0 = the file as a whole */
};

struct complaints {
	struct buf text;
	unsigned errors, warnings;
};

void complaints_init(struct complaints *c);
void complaints_done(struct complaints *c);
/* "file:line: option: what"; option may be NULL. What came from the file is
 * made safe for a terminal. Beyond some hundred lines they are only counted. */
void complain(struct complaints *c, struct place at, const char *option,
	      const char *fmt, ...) MX_PRINTF(4, 5);
/* The same as "... warning: what": does not spoil the load. */
void complain_mildly(struct complaints *c, struct place at, const char *option,
		     const char *fmt, ...) MX_PRINTF(4, 5);
/* All lines, for free(); NULL when there are none. */
char *complaints_text(struct complaints *c);

#endif
