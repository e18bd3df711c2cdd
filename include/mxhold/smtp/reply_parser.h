/*
 * Replies of a server, line by line (RFC 5321 4.2). Bounded: 100 lines,
 * 64 KiB a reply. LF alone is tolerated at the end of a line, also lines
 * above 512 octets. The lines of one reply must share their code; the first
 * digit must be 2 to 5. Pure.
 */
#ifndef MXHOLD_SMTP_REPLY_PARSER_H
#define MXHOLD_SMTP_REPLY_PARSER_H

#include <stddef.h>

#include "mxhold/base/slice.h"
#include "mxhold/smtp/reply.h"

enum {
	SMTP_REPLY_LINES_MAX = 100,
	SMTP_REPLY_BYTES_MAX = 65536,
};

enum smtp_reply_result {
	SMTP_REPLY_MORE, /* not a whole line yet */
	SMTP_REPLY_LINE, /* *line is one line, others follow */
	SMTP_REPLY_LAST, /* *line is the last one: `reply` is whole */
	SMTP_REPLY_BAD   /* not SMTP: reply.text says why */
};

struct smtp_reply_parser { /* all zero before each reply */
	struct smtp_reply reply;
	size_t lines;
	size_t bytes;
	size_t text_n;
};

/*
 * Looks at the front of `in`; *used octets are spent. *line is the text
 * without code and separator. The enhanced code is taken from the first
 * line, and only if its class is that of the code (RFC 2034 4); it is cut
 * from the text of every line that repeats it.
 */
enum smtp_reply_result smtp_reply_take(struct smtp_reply_parser *p,
				       struct slice in, struct slice *line,
				       size_t *used);

#endif
