/*
 * How dsn_build does its work: a writer that remembers when the buffer was
 * full, and the parts of a report, one function each. Used by mail/dsn*.c
 * alone.
 */
#ifndef MXHOLD_MAIL_DSN_PARTS_H
#define MXHOLD_MAIL_DSN_PARTS_H

#include "mxhold/mail/dsn.h"
#include "mxhold/mail/header.h"

struct dsn_writer {
	struct buf *out;
	const struct dsn *dsn;
	bool utf8; /* the forms of RFC 6533 are used */
	bool full; /* something did not fit */
	char boundary[64];
	struct header_scan scan; /* over the original's content */
};

void dsn_put(struct dsn_writer *w, const char *fmt, ...) MX_PRINTF(2, 3);
/* At most max octets of s, controls (and non-ASCII without utf8) as "?". */
void dsn_put_clean(struct dsn_writer *w, struct slice s, size_t max);
/* An address: as it is, or with \x{HEX} where the report must be ASCII; cut
 * where the line would be too long. */
void dsn_put_address(struct dsn_writer *w, struct slice address);
/* "FIELD: date", or nothing when the time is 0. */
void dsn_put_date(struct dsn_writer *w, const char *field, int64_t wall_ms);
/* Each line of a reply behind `before`, those after the first behind `next`. */
void dsn_put_lines(struct dsn_writer *w, struct slice text, const char *before,
		   const char *next);

void dsn_put_text_part(struct dsn_writer *w);
void dsn_put_status_part(struct dsn_writer *w);
void dsn_put_original_part(struct dsn_writer *w);
/* Part of the report that is not ASCII: the original's octets. */
bool dsn_original_is_8bit(const struct dsn_writer *w);

#endif
