/*
 * One SMTP reply, sent or heard (RFC 5321 4.2, RFC 2034, RFC 3463).
 * A value: no ownership. Text is one line or several, parted by LF.
 */
#ifndef MXHOLD_SMTP_REPLY_H
#define MXHOLD_SMTP_REPLY_H

#include <stdbool.h>

#include "mxhold/base/attr.h"
#include "mxhold/base/buf.h"

enum {
	REPLY_TEXT_MAX = 512 /* with its NUL; what is longer is cut */
};

struct smtp_reply {
	int code;          /* 200..599; 0 = none */
	char enhanced[12]; /* "2.1.0", or "" where none belongs (EHLO, 354) */
	char text[REPLY_TEXT_MAX];
};

/* printf into a reply; controls and 8-bit of arguments are made safe. */
void smtp_reply_set(struct smtp_reply *r, int code, const char *enhanced,
		    const char *fmt, ...) MX_PRINTF(4, 5);
/* On the wire: every line with code and enhanced code, CRLF. 0 or -1. */
int smtp_reply_append(struct buf *out, const struct smtp_reply *r);
/* "550 5.1.1 no such user" on one line, for logs and records. */
void smtp_reply_format(const struct smtp_reply *r, char *out, size_t room);
/* The status for a report: the enhanced code, or "x.0.0" where the server
 * gave none that fits its code (RFC 3461 6.3 g). */
void smtp_reply_status(const struct smtp_reply *r, char out[12]);

static inline int smtp_reply_class(const struct smtp_reply *r)
{
	return r->code / 100;
}

#endif
