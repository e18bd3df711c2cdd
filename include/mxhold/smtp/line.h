/*
 * Command lines (RFC 5321 2.3.8): only CRLF ends one. A line that holds a
 * bare LF, a bare CR or a NUL is refused whole; text behind a bare LF is
 * never executed, up to the next CRLF, though every piece of it is answered,
 * so that a client which ends its lines in LF sees refusals, not silence.
 *
 * Pure; works on the front of a buffer that the caller keeps.
 */
#ifndef MXHOLD_SMTP_LINE_H
#define MXHOLD_SMTP_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "mxhold/base/slice.h"

enum {
	/* With CRLF: 512 and what all extensions add (RFC 3461 5.4 wants
	 * 1036 for RCPT) stay well below it. */
	SMTP_LINE_MAX = 2048
};

enum smtp_line_result {
	SMTP_LINE_MORE,     /* not whole yet */
	SMTP_LINE_OK,       /* *line: without its CRLF */
	SMTP_LINE_TOO_LONG, /* swallowed up to its end */
	SMTP_LINE_BAD       /* bare CR or LF, or a NUL */
};

struct smtp_line {      /* all zero at the start */
	size_t scanned; /* octets at the front known to hold no LF */
	bool overlong;  /* in the middle of one that is too long */
	bool dirty;     /* behind a bare LF, before the next CRLF */
};

/* *used octets of `in` are spent (also with SMTP_LINE_MORE). */
enum smtp_line_result smtp_line_take(struct smtp_line *l, struct slice in,
				     struct slice *line, size_t *used);

#endif
