/*
 * What a text of `recipients` means: a file, "https://...", or
 * "exec:/program words". Pure; any thread.
 */
#ifndef MXHOLD_CONFIG_SOURCE_H
#define MXHOLD_CONFIG_SOURCE_H

#include <stddef.h>

#include "mxhold/config/config.h"

enum source_kind {
	SOURCE_FILE,
	SOURCE_HTTPS,
	SOURCE_EXEC,
};

enum {
	SOURCE_LABEL_MAX = 512,
};

enum source_kind config_source_kind(const char *source);
const char *config_source_kind_name(enum source_kind kind);
/* For logs, alarms and listings: what an address says of user and password
 * is left out, and the text cut to the room there is. */
void config_source_label(const char *source, char out[SOURCE_LABEL_MAX]);
/* exec: the program alone. false when it is not a whole path. */
bool config_source_program(const char *source, char *out, size_t room);
/* https: does a host stand in it? */
bool config_source_has_host(const char *source);
/* Is any source of the domain none of our files? */
bool config_has_remote_source(const struct config_domain *d);

#endif
