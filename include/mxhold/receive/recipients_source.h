/*
 * One source of recipients, whichever kind, to lines. Blocks: the work pool
 * or a command-line tool.
 *
 * A file is read; https:// is fetched (net/fetch.h), within 5 minutes at
 * most; exec: is run (net/program.h), a minute at most, and told the domain
 * in MXHOLD_DOMAIN. Neither is given longer than `refresh`, nor more than
 * 1 GiB.
 */
#ifndef MXHOLD_RECEIVE_RECIPIENTS_SOURCE_H
#define MXHOLD_RECEIVE_RECIPIENTS_SOURCE_H

#include <stdatomic.h>

#include "mxhold/config/config.h"
#include "mxhold/net/fetch.h"
#include "mxhold/receive/recipients_file.h"

enum source_read {
	SOURCE_FAILED = -1,
	SOURCE_READ = 0,
	SOURCE_UNCHANGED = 1, /* the server says so; nothing was given */
};

struct source_reading {
	const struct config_domain *domain;
	const char *source;
	struct recipients_sink *sink;
	struct fetch_validators *validators; /* https: */
	bool unconditional;
	const atomic_bool *cancelled; /* then err.sys is ECANCELED */
};

enum source_read recipients_source_read(struct source_reading *r,
					struct error *err);

#endif
