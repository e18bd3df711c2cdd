/* The inside of mxholdctl, shared by its files. One thread, short-lived. */
#ifndef MXHOLD_PROGRAM_CTL_H
#define MXHOLD_PROGRAM_CTL_H

#include <jansson.h>
#include <stdbool.h>

#include "mxhold/base/attr.h"
#include "mxhold/config/config.h"
#include "mxhold/control/protocol.h"

enum ctl_output {
	CTL_AUTO, /* a table on a terminal, else JSON */
	CTL_TABLE,
	CTL_JSON,
	CTL_JSONL,
	CTL_ID
};

enum ctl_args { /* what stands behind the verb */
	CTL_NONE,
	CTL_FILTER,
	CTL_EXPORT,    /* --dir DIR [FILTER] */
	CTL_IMPORT,    /* --dir DIR */
	CTL_MESSAGE,   /* ID */
	CTL_NAME,      /* NAME */
	CTL_NAMES,     /* or none */
	CTL_NAME_RATE, /* NAME RATE */
	CTL_RCPT,      /* [DOMAIN] ADDRESS */
	CTL_DOMAIN,    /* DOMAIN */
	CTL_DOMAINS,   /* [DOMAIN] */
	CTL_ANY,       /* whatever: it is refused anyway */
	CTL_EFFECTIVE, /* [--effective] */
	CTL_TRACE,     /* ADDRESS|MESSAGE-ID|ID [--since 3d] */
	CTL_MAGNET,    /* [DOMAIN] [--since 24h] */
	CTL_SIMULATE,  /* --ip IP [--helo H] [--from F] --rcpt R */
};

struct ctl;

struct ctl_column {
	const char *title;
	bool right; /* numbers */
	/* The cell of a row, to be made safe and cut by the caller. */
	void (*cell)(const json_t *row, char *out, size_t room);
};

struct ctl_command {
	const char *group, *verb; /* "queue", "list"; verb may be "" */
	const char *synopsis;     /* of the arguments, for help */
	const char *help;
	enum ctl_args args;
	enum exit_code (*run)(struct ctl *c);
	const char *list;                 /* name of the array of a listing */
	const struct ctl_column *columns; /* of its table, ends with title 0 */
	/* How a terminal sees the one object of other commands. */
	void (*show)(const json_t *result);
};

struct ctl {
	const char *config_file;
	const char *dir; /* of export and import */
	enum ctl_output output;
	bool output_given;
	bool quiet, yes, dry_run, effective, watch;
	double watch_s;
	const struct ctl_command *command;
	json_t *args;          /* of the request */
	struct config *config; /* loaded when first wanted */
};

/* ctl_args.c: 0, or -1 when usage was wrong (said on stderr). */
int ctl_parse(struct ctl *c, int argc, char **argv);
const struct ctl_command *ctl_find(const char *group, const char *verb);
extern const struct ctl_command ctl_commands[];
void ctl_help(void);

/* ctl_source.c: from the daemon, or from the store when none answers. */
struct ctl_sink {
	void (*row)(void *data, const json_t *row);
	void (*result)(void *data, const json_t *result);
	void (*raw)(void *data, const void *p, size_t n);
	/* Why it failed; NULL = said on stderr. */
	void (*error)(void *data, const char *text);
	void *data;
};
/* Loads the configuration as far as we need it. EXIT_DONE or says why. */
enum exit_code ctl_config(struct ctl *c);
/* "queue list": the name of the command for the protocol. */
const char *ctl_name(const struct ctl *c);
enum exit_code ctl_ask(struct ctl *c, const char *command, json_t *args,
		       const struct ctl_sink *sink);

/* ctl_offline.c: the same without a daemon. */
enum exit_code ctl_offline(struct ctl *c, const char *command, json_t *args,
			   const struct ctl_sink *sink);
/* Says why the queue cannot be had. */
enum exit_code ctl_refused(const struct ctl *c, const struct error *err);
/* Gives lines of the protocol to a sink; the end's code goes to *exit. */
int ctl_take_line(struct slice line, const struct ctl_sink *sink,
		  enum exit_code *exit, bool *ended);
/* queue verify, which always looks for itself. */
enum exit_code ctl_verify(struct ctl *c);

/* ctl_export.c, ctl_import.c */
enum exit_code ctl_export(struct ctl *c);
enum exit_code ctl_import(struct ctl *c);

/* ctl_compact.c */
enum exit_code ctl_compact(struct ctl *c);

/* ctl_output.c */
void ctl_complain(const char *fmt, ...) MX_PRINTF(1, 2);
/* Text for a terminal: no controls. */
void ctl_print_safe(FILE *f, const char *text, size_t n);
struct ctl_printer;
struct ctl_printer *ctl_printer_new(const struct ctl *c);
struct ctl_sink ctl_printer_sink(struct ctl_printer *p);
/* Prints what is left; when it failed, no list that looks empty. */
void ctl_printer_free(struct ctl_printer *p, enum exit_code exit);
enum ctl_output ctl_output(const struct ctl *c);
void ctl_print_json(const json_t *j);

/* ctl_columns.c */
/* Of a row: "" or 0 when it has none. */
const char *ctl_text_at(const json_t *row, const char *key);
int64_t ctl_number_at(const json_t *row, const char *key);
/* A time of RFC 3339 as "3m 5s ago", "in 12s", "now", or "-" for "". */
void ctl_relative(const char *when, char *out, size_t room);
void ctl_probe_cell(const json_t *row, char *out, size_t room);
extern const struct ctl_column ctl_columns_messages[], ctl_columns_primaries[],
	ctl_columns_ages[], ctl_columns_breakers[], ctl_columns_events[],
	ctl_columns_trace[], ctl_columns_learned[], ctl_columns_magnet[],
	ctl_columns_recipients[], ctl_columns_sources[], ctl_columns_lists[],
	ctl_columns_differences[];

/* ctl_show.c */
void ctl_show_simulation(const json_t *r);
void ctl_show_status(const json_t *r);
void ctl_show_count(const json_t *r);
void ctl_show_message(const json_t *r);
void ctl_show_primary(const json_t *r);
void ctl_show_rcpt(const json_t *r);
void ctl_show_done(const json_t *r);
void ctl_show_verify(const json_t *r);
void ctl_show_compact(const json_t *r);
void ctl_show_exported(const json_t *r);
void ctl_show_imported(const json_t *r);

/* ctl_run.c: what the commands do */
enum exit_code ctl_run_plain(struct ctl *c);
enum exit_code ctl_run_raw(struct ctl *c);
enum exit_code ctl_run_change(struct ctl *c);
enum exit_code ctl_run_no_import(struct ctl *c);
enum exit_code ctl_run_config_check(struct ctl *c);
enum exit_code ctl_run_config_show(struct ctl *c);
enum exit_code ctl_run_help(struct ctl *c);
enum exit_code ctl_run_version(struct ctl *c);

#endif
