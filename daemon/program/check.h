/*
 * A configuration with the files that it names: what config alone cannot
 * judge, since it knows neither TLS nor lists. Shared by mxholdd and
 * mxholdctl. Blocks.
 */
#ifndef MXHOLD_PROGRAM_CHECK_H
#define MXHOLD_PROGRAM_CHECK_H

#include "mxhold/base/error.h"
#include "mxhold/config/config.h"

/* A certificate that ends within this time is told. */
#define CHECK_CERT_NEAR_MS ((int64_t)14 * 86400 * 1000)

enum check_depth {
	CHECK_TLS,  /* what the daemon cannot start without */
	CHECK_FILES /* the lines of recipient lists as well; the daemon starts
		     * with the last good list when one is bad */
};

/* As config_load: NULL when anything is wrong, and lines for free(). */
struct config *check_load(const char *file, enum check_depth depth,
			  char **complaints);

#endif
