/*
 * The lines of a recipient file. Pure but for reading the file itself; any
 * thread.
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

/* 0, or -1 with "file:line: what is wrong". Adds to the sink's counts. */
int recipients_file_read(const char *file, const char *domain,
			 struct recipients_sink *sink, struct error *err);
/* One line without its end; the same without a file. */
int recipients_file_line(struct slice line, const char *domain,
			 struct recipients_sink *sink, struct error *err);

#endif
