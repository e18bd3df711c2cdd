/* The argument of BDAT (RFC 3030 2): a length and perhaps LAST. Pure. */
#ifndef MXHOLD_SMTP_BDAT_H
#define MXHOLD_SMTP_BDAT_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/slice.h"

struct smtp_bdat {
	uint64_t size;
	bool last;
};

/* 0, or -1: no number, more than 64 bits, another word, or junk. */
int smtp_bdat_parse(struct slice arg, struct smtp_bdat *out);

#endif
