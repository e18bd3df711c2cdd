/*
 * Log lines: one line an event, `event=NAME` and fields, written with one
 * write(2) to stderr (logfmt or JSON), or to the journal when stderr is the
 * journal's. Values from peers are escaped and cut to 256 bytes.
 *
 *	struct log_line l;
 *	log_begin(&l, LOG_INFO, "message.kept");
 *	log_str(&l, "qid", qid);
 *	log_end(&l);
 *
 * Any thread. Pure layers (mail, smtp) never log.
 */
#ifndef MXHOLD_BASE_LOG_H
#define MXHOLD_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/attr.h"
#include "mxhold/base/error.h"
#include "mxhold/base/slice.h"

enum log_level {
	LOG_DEBUG,
	LOG_INFO,
	LOG_WARNING,
	LOG_ERROR
};

enum log_format {
	LOG_LOGFMT,
	LOG_JSON
};

struct log_line {
	bool wanted; /* level passes; else the other calls do nothing */
	bool json;
	enum log_level level;
	size_t n;
	char text[3072]; /* a field that does not fit is left out whole */
};

void log_configure(enum log_level level, enum log_format format,
		   bool hash_private);
/* Level names: "debug" "info" "warning" "error". 0 or -1. */
int log_parse_level(const char *name, enum log_level *out);

void log_begin(struct log_line *l, enum log_level level, const char *event);
void log_str(struct log_line *l, const char *key, const char *value);
void log_slice(struct log_line *l, const char *key, struct slice value);
/* An address or host of a person: hashed when log.privacy = hash. */
void log_private(struct log_line *l, const char *key, struct slice value);
void log_int(struct log_line *l, const char *key, int64_t value);
void log_end(struct log_line *l);

/* event=NAME with one text field `why`. */
void log_why(enum log_level level, const char *event, const char *fmt, ...)
	MX_PRINTF(3, 4);

#endif
