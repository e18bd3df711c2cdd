#include "mxhold/receive/recipients_source.h"

#include <stdio.h>

#include "mxhold/config/source.h"
#include "mxhold/net/program.h"

#define EXEC_PREFIX "exec:"

enum {
	SIZE_LIMIT = 1 << 30,
	EXEC_MS = 60 * 1000,
	EXEC_LEAST_MS = 1000,
	HTTPS_MS = 300 * 1000,
	HTTPS_LEAST_MS = 10 * 1000,
	CONNECT_MS = 10 * 1000,
	STALL_MS = 30 * 1000,
};

static int on_bytes(void *data, struct slice bytes, struct error *err)
{
	return recipients_lines_feed(data, bytes, err);
}

/* As long as `refresh`, between a least and a most. */
static int64_t patience(const struct source_reading *r, int64_t least,
			int64_t most)
{
	return MX_MAX(MX_MIN(r->domain->refresh, most), least);
}

static enum source_read fetch(struct source_reading *r,
			      struct recipients_lines *lines, struct error *err)
{
	struct fetch f = {
		.url = r->source,
		.timeout_ms = patience(r, HTTPS_LEAST_MS, HTTPS_MS),
		.connect_timeout_ms = CONNECT_MS,
		.stall_ms = STALL_MS,
		.max_size = SIZE_LIMIT,
		.validators = r->validators,
		.unconditional = r->unconditional,
		.cancelled = r->cancelled,
		.on_bytes = on_bytes,
		.data = lines,
	};

	switch (fetch_run(&f, err)) {
	case FETCH_UNCHANGED:
		return SOURCE_UNCHANGED;
	case FETCH_DONE:
		return (enum source_read)recipients_lines_end(lines, err);
	case FETCH_FAILED:
		break;
	}
	return SOURCE_FAILED;
}

static enum source_read run(struct source_reading *r,
			    struct recipients_lines *lines, struct error *err)
{
	char domain[300];
	const char *vars[] = {domain, NULL};
	struct program p = {
		.command = r->source + sizeof(EXEC_PREFIX) - 1,
		.vars = vars,
		.timeout_ms = patience(r, EXEC_LEAST_MS, EXEC_MS),
		.max_size = SIZE_LIMIT,
		.cancelled = r->cancelled,
		.on_bytes = on_bytes,
		.data = lines,
	};

	snprintf(domain, sizeof(domain), "MXHOLD_DOMAIN=%s", r->domain->name);
	if (program_run(&p, err))
		return SOURCE_FAILED;
	return (enum source_read)recipients_lines_end(lines, err);
}

/* A bad line names its source already, as "source:line: what is wrong". */
static void name_source(struct error *err, const char *label)
{
	if (err && strncmp(err->text, label, strlen(label)) != 0)
		error_prefix(err, "%s", label);
}

enum source_read recipients_source_read(struct source_reading *r,
					struct error *err)
{
	enum source_kind kind = config_source_kind(r->source);
	char label[SOURCE_LABEL_MAX];
	struct recipients_lines lines;
	enum source_read result;

	if (kind == SOURCE_FILE)
		return (enum source_read)recipients_file_read(
			r->source, r->domain->name, r->sink, err);
	config_source_label(r->source, label);
	recipients_lines_init(&lines, label, r->domain->name, r->sink);
	result = kind == SOURCE_HTTPS ? fetch(r, &lines, err)
				      : run(r, &lines, err);
	if (result == SOURCE_FAILED)
		name_source(err, label);
	return result;
}
