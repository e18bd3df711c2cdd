/*
 * The dots of DATA (RFC 5321 4.1.1.4, 4.5.2), both ways.
 *
 * In: only CRLF "." CRLF ends the content, or "." CRLF at its very start.
 * Any other mix of CR, LF and dots is content. Only a dot right behind CRLF
 * is removed, and only one; bare newlines are none of this machine's
 * business (newline.h).
 *
 * Out: every line that begins with a dot gets one more.
 *
 * Pure; cut anywhere; memchr does the walking.
 */
#ifndef MXHOLD_SMTP_DOT_H
#define MXHOLD_SMTP_DOT_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/buf.h"
#include "mxhold/base/slice.h"

enum smtp_dot_state {
	SMTP_DOT_LINE, /* at the start of a line: behind CRLF, or of all */
	SMTP_DOT_TEXT, /* within a line */
	SMTP_DOT_CR,   /* behind a CR within a line */
	SMTP_DOT_DOT,  /* behind a removed dot */
	SMTP_DOT_ENDED
};

struct smtp_dot {      /* all zero at the start */
	uint8_t state; /* enum smtp_dot_state */
};

struct smtp_dot_run {
	size_t skip; /* drop so many octets from the front, then */
	size_t n;    /* so many are content */
};

/* Both 0: more input is needed, or the end was reached (smtp_dot_ended). */
struct smtp_dot_run smtp_dot_take(struct smtp_dot *d, struct slice in);

static inline bool smtp_dot_ended(const struct smtp_dot *d)
{
	return d->state == SMTP_DOT_ENDED;
}

struct smtp_stuff { /* all zero at the start */
	bool within_line;
};

/* `in` has CRLF line ends only, cut anywhere. 0, or -1: buffer full. */
int smtp_stuff_append(struct smtp_stuff *s, struct buf *out, struct slice in);
/* The final dot, behind a CRLF if the content did not end in one. */
int smtp_stuff_end(struct smtp_stuff *s, struct buf *out);

#endif
