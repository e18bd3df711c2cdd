/*
 * The lines of a list of recipients, wherever they come from. Pure but for
 * reading a file; any thread.
 *
 *	# comment                 #salt: text (before hashed lines)
 *	joe                       local part of the domain
 *	joe@example.com           lines of other domains are passed over
 *	@  or  @example.com       every local part
 *	!joe                      never
 *	sha256:<64 hex>           SHA-256 of salt text and canonical address
 *
 * CRLF and a byte order mark are taken; anything else is an error that names
 * file and line.
 */
#ifndef MXHOLD_RECEIVE_RECIPIENTS_FILE_H
#define MXHOLD_RECEIVE_RECIPIENTS_FILE_H

#include "mxhold/base/error.h"
#include "mxhold/base/slice.h"

enum {
	RECIPIENTS_LINE_MAX = 1024
};

struct recipients_sink {
	int (*on_entry)(void *data, struct slice entry); /* 0 or -1: stop */
	int (*on_salt)(void *data, struct slice salt);
	void *data;
	/* out */
	uint64_t entries; /* given to on_entry */
	uint64_t foreign; /* of other domains, passed over */
};

/*
 * Octets as they come, cut anywhere. Feed and end: 0, or -1 with "name:line:
 * what is wrong"; they add to the sink's counts.
 */
struct recipients_lines {
	const char *name, *domain; /* of the source; canonical */
	struct recipients_sink *sink;
	unsigned long number;
	size_t n; /* of a line whose end has not come */
	char room[RECIPIENTS_LINE_MAX + 4];
};
void recipients_lines_init(struct recipients_lines *l, const char *name,
			   const char *domain, struct recipients_sink *sink);
int recipients_lines_feed(struct recipients_lines *l, struct slice bytes,
			  struct error *err);
/* The last line may lack its end. */
int recipients_lines_end(struct recipients_lines *l, struct error *err);

/* The same for a whole file. */
int recipients_file_read(const char *file, const char *domain,
			 struct recipients_sink *sink, struct error *err);
/* One line without its end; the same without a file. */
int recipients_file_line(struct slice line, const char *domain,
			 struct recipients_sink *sink, struct error *err);

#endif
