#include "mxhold/config/source.h"

#include <stdio.h>
#include <string.h>

#define HTTPS "https://"
#define EXEC  "exec:"

enum source_kind config_source_kind(const char *source)
{
	if (strncmp(source, HTTPS, strlen(HTTPS)) == 0)
		return SOURCE_HTTPS;
	if (strncmp(source, EXEC, strlen(EXEC)) == 0)
		return SOURCE_EXEC;
	return SOURCE_FILE;
}

const char *config_source_kind_name(enum source_kind kind)
{
	switch (kind) {
	case SOURCE_HTTPS:
		return "https";
	case SOURCE_EXEC:
		return "exec";
	case SOURCE_FILE:
		break;
	}
	return "file";
}

/* Where the host begins, behind any user and password. */
static const char *host_of(const char *source)
{
	const char *from = source + strlen(HTTPS);
	size_t n = strcspn(from, "/?#");
	const char *at = memrchr(from, '@', n);

	return at ? at + 1 : from;
}

void config_source_label(const char *source, char out[SOURCE_LABEL_MAX])
{
	if (config_source_kind(source) == SOURCE_HTTPS)
		snprintf(out, SOURCE_LABEL_MAX, HTTPS "%s", host_of(source));
	else
		snprintf(out, SOURCE_LABEL_MAX, "%s", source);
}

bool config_source_program(const char *source, char *out, size_t room)
{
	const char *from = source + strlen(EXEC);

	from += strspn(from, " \t");
	snprintf(out, room, "%.*s", (int)strcspn(from, " \t"), from);
	return out[0] == '/';
}

bool config_source_has_host(const char *source)
{
	size_t n = strcspn(host_of(source), "/?#:");

	return n > 0;
}

bool config_has_remote_source(const struct config_domain *d)
{
	for (size_t i = 0; i < d->recipients.n; i++)
		if (config_source_kind(d->recipients.v[i]) != SOURCE_FILE)
			return true;
	return false;
}
