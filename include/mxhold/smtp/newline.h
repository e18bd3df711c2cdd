/*
 * Bare CR and bare LF in content become CRLF; CRLF stays. What is clean
 * comes out as one piece, a slice of the input. Pure; cut anywhere, also
 * between CR and LF, also at the borders of BDAT chunks (RFC 3030 2).
 */
#ifndef MXHOLD_SMTP_NEWLINE_H
#define MXHOLD_SMTP_NEWLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "mxhold/base/slice.h"

struct smtp_newline { /* all zero at the start */
	bool cr_held; /* a CR was taken, its fate is open */
};

struct smtp_newline_piece {
	struct slice text; /* part of the input, or a CRLF; may be empty */
	size_t used;       /* octets of the input it stands for */
	bool bare;         /* the text is a CRLF made of a bare CR or LF */
};

/* used > 0 unless `in` is empty, or the piece is a CRLF for a held CR. */
struct smtp_newline_piece smtp_newline_take(struct smtp_newline *nl,
					    struct slice in);
/* The content is over: a held CR was bare. */
struct smtp_newline_piece smtp_newline_end(struct smtp_newline *nl);

#endif
