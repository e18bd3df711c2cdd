/* What the commands do. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "ctl.h"

#include "mxhold/base/text.h"

enum exit_code ctl_run_plain(struct ctl *c)
{
	struct ctl_printer *p = ctl_printer_new(c);
	struct ctl_sink sink = ctl_printer_sink(p);
	enum exit_code exit;

	if (c->quiet) {
		sink.row = NULL;
		sink.result = NULL;
	}
	exit = ctl_ask(c, ctl_name(c), c->args, &sink);
	ctl_printer_free(p, exit);
	return exit;
}

enum exit_code ctl_run_help(struct ctl *c)
{
	(void)c;
	ctl_help();
	return EXIT_DONE;
}

enum exit_code ctl_run_version(struct ctl *c)
{
	if (c->output == CTL_JSON || c->output == CTL_JSONL)
		printf("{\"v\":1,\"version\":\"%s\"}\n", MX_VERSION);
	else
		printf("mxholdctl %s\n", MX_VERSION);
	return EXIT_DONE;
}

/* msg raw, msg headers: octets as they are; a terminal sees them safe. */

struct raw {
	bool on_terminal;
	json_t *text; /* pieces, for JSON */
};

static void print_lines_safe(const char *p, size_t n)
{
	while (n) {
		const char *lf = memchr(p, '\n', n);
		size_t len = lf ? (size_t)(lf - p) : n;
		size_t cr = len && p[len - 1] == '\r';

		ctl_print_safe(stdout, p, len - cr);
		if (lf)
			putchar('\n');
		len += lf != NULL;
		p += len;
		n -= len;
	}
}

static void on_raw(void *data, const void *p, size_t n)
{
	struct raw *raw = data;

	if (raw->text)
		json_array_append_new(raw->text,
				      protocol_text(slice_make(p, n)));
	else if (raw->on_terminal)
		print_lines_safe(p, n);
	else
		fwrite(p, 1, n, stdout);
}

static void print_text_json(const struct ctl *c, const char *key, json_t *parts)
{
	struct buf all;
	json_t *part, *r;
	size_t i;

	buf_init(&all, PROTOCOL_RESPONSE_MAX);
	json_array_foreach(parts, i, part) buf_append(
		&all, json_string_value(part), json_string_length(part));
	r = json_pack("{s:i,s:O,s:o}", "v", 1, "id",
		      json_object_get(c->args, "id"), key,
		      protocol_text(buf_slice(&all)));
	ctl_print_json(r);
	json_decref(r);
	buf_done(&all);
}

enum exit_code ctl_run_raw(struct ctl *c)
{
	bool headers = strcmp(c->command->verb, "headers") == 0;
	bool json =
		headers && (c->output == CTL_JSON || c->output == CTL_JSONL);
	struct raw raw = {
		.on_terminal = headers && isatty(STDOUT_FILENO),
		.text = json ? json_array() : NULL,
	};
	struct ctl_sink sink = {.raw = on_raw, .data = &raw};
	enum exit_code exit = ctl_ask(c, ctl_name(c), c->args, &sink);

	if (json && exit == EXIT_DONE)
		print_text_json(c, "headers", raw.text);
	json_decref(raw.text);
	return exit;
}

/* Acting on messages: show, ask, act */

static void keep_result(void *data, const json_t *result)
{
	json_t **kept = data;

	json_decref(*kept);
	*kept = json_deep_copy(result);
}

static void describe(FILE *f, const char *verb, const json_t *choice)
{
	const json_t *sample = json_object_get(choice, "sample");
	int64_t n = json_integer_value(json_object_get(choice, "messages"));
	char size[TEXT_TIME_MAX];
	json_t *row;
	size_t i;

	text_format_size(
		(uint64_t)json_integer_value(json_object_get(choice, "bytes")),
		size);
	fprintf(f, "%s: %" PRId64 " message%s, %s\n", verb, n,
		n == 1 ? "" : "s", size);
	json_array_foreach(sample, i, row)
	{
		static const char *const keys[] = {"id", "arrived_at", "sender",
						   "to"};

		for (size_t k = 0; k < MX_ARRAY_SIZE(keys); k++) {
			const char *text = json_string_value(
				json_object_get(row, keys[k]));

			fputs(k == 3 ? " -> " : "  ", f);
			text = text && *text ? text : "<>";
			ctl_print_safe(f, text, strlen(text));
		}
		fputc('\n', f);
	}
	if (n > (int64_t)json_array_size(sample))
		fprintf(f, "  ... and %" PRId64 " more\n",
			n - (int64_t)json_array_size(sample));
}

static bool asks_and_hears_yes(const char *verb, const json_t *choice)
{
	char answer[16] = "";

	describe(stderr, verb, choice);
	fprintf(stderr, "Go on? [y/N] ");
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	return answer[0] == 'y' || answer[0] == 'Y';
}

static void print_changed(const struct ctl *c, const json_t *r)
{
	static const struct {
		const char *verb, *past;
	} pasts[] = {
		{"hold", "held"},
		{"release", "released"},
		{"retry", "to be tried now"},
		{"delete", "deleted"},
		{"drop", "deleted"},
		{"expire", "given up"},
		{"bounce",
		 "given up; their senders are told where that is possible"}};
	int64_t n = json_integer_value(json_object_get(r, "changed"));
	int64_t flying = json_integer_value(json_object_get(r, "in_flight"));
	const char *past = "changed";

	if (ctl_output(c) != CTL_TABLE) {
		ctl_print_json(r);
		return;
	}
	for (size_t i = 0; i < MX_ARRAY_SIZE(pasts); i++)
		if (strcmp(pasts[i].verb, c->command->verb) == 0)
			past = pasts[i].past;
	printf("%" PRId64 " message%s %s\n", n, n == 1 ? "" : "s", past);
	if (flying)
		printf("%" PRId64 " of them %s being handed over just now; "
		       "%s\n",
		       flying, flying == 1 ? "is" : "are",
		       strcmp(past, "deleted") == 0
			       ? "what is left after that attempt is removed"
			       : "that attempt still ends as it ends");
}

static void print_dry(const struct ctl *c, const json_t *choice)
{
	if (c->quiet)
		return;
	if (ctl_output(c) == CTL_TABLE) {
		printf("nothing is changed (--dry-run); ");
		describe(stdout, c->command->verb, choice);
		return;
	}
	json_object_set_new((json_t *)choice, "dry_run", json_true());
	ctl_print_json(choice);
}

static enum exit_code apply(struct ctl *c, const json_t *choice)
{
	json_t *result = NULL, *args = json_copy(c->args);
	struct ctl_sink sink = {.result = keep_result, .data = &result};
	enum exit_code exit;

	json_object_set_new(args, "apply", json_true());
	/* Not what arrived since it was shown. */
	json_object_set(args, "until", json_object_get(choice, "until"));
	exit = ctl_ask(c, ctl_name(c), args, &sink);
	if (result && !c->quiet)
		print_changed(c, result);
	json_decref(result);
	json_decref(args);
	return exit;
}

static bool has_choice(const struct ctl *c)
{
	return json_object_size(c->args) >
	       (json_object_get(c->args, "limit") != NULL);
}

enum exit_code ctl_run_change(struct ctl *c)
{
	bool can_ask = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
	json_t *choice = NULL;
	struct ctl_sink sink = {.result = keep_result, .data = &choice};
	enum exit_code exit;

	if (!has_choice(c)) {
		ctl_complain("no messages are chosen; give ids or a filter, "
			     "or --all");
		return EXIT_USAGE;
	}
	if (!c->yes && !c->dry_run && !can_ask) {
		ctl_complain("there is no terminal to ask at; say --yes, or "
			     "--dry-run to see what would be done");
		return EXIT_USAGE;
	}
	exit = ctl_ask(c, ctl_name(c), c->args, &sink);
	if (exit == EXIT_DONE && choice) {
		if (c->dry_run) {
			print_dry(c, choice);
		} else if (c->yes ||
			   asks_and_hears_yes(c->command->verb, choice)) {
			exit = apply(c, choice);
		} else {
			ctl_complain("nothing was changed");
			exit = EXIT_FAILED;
		}
	}
	json_decref(choice);
	return exit;
}

/* A list that came from nowhere would be gone with the next refresh. */
enum exit_code ctl_run_no_import(struct ctl *c)
{
	(void)c;
	ctl_complain("a list is what its sources say: name the file in "
		     "`recipients` of the domain, then config reload");
	return EXIT_USAGE;
}

/* config check, config show */

static json_t *lines_of(const char *text)
{
	json_t *out = json_array();

	while (text && *text) {
		size_t n = strcspn(text, "\n");

		json_array_append_new(out, protocol_text(slice_make(text, n)));
		text += n + (text[n] == '\n');
	}
	return out;
}

static void print_check(const struct ctl *c, const struct config *config,
			const char *complaints)
{
	json_t *r;

	if (complaints)
		fputs(complaints, stderr);
	if (c->quiet)
		return;
	if (ctl_output(c) == CTL_TABLE) {
		if (config)
			printf("%s: valid; %zu domain%s, %zu %s\n",
			       c->config_file, config->n_domains,
			       config->n_domains == 1 ? "" : "s",
			       config->n_primaries,
			       config->n_primaries == 1 ? "primary"
							: "primaries");
		return;
	}
	r = json_pack("{s:i,s:o,s:b,s:o}", "v", 1, "file",
		      protocol_text(slice_str(c->config_file)), "valid",
		      config != NULL, "complaints", lines_of(complaints));
	ctl_print_json(r);
	json_decref(r);
}

enum exit_code ctl_run_config_check(struct ctl *c)
{
	char *complaints = NULL;
	struct config *config =
		check_load(c->config_file, CHECK_FILES, &complaints);

	print_check(c, config, complaints);
	free(complaints);
	config_unref(config);
	return config ? EXIT_DONE : EXIT_BAD_CONFIG;
}

enum exit_code ctl_run_config_show(struct ctl *c)
{
	enum exit_code exit = ctl_config(c);
	char *text;
	json_t *r;

	if (exit != EXIT_DONE)
		return exit;
	text = c->effective ? config_dump(c->config)
			    : config_dump_own(c->config);
	if (c->output == CTL_JSON || c->output == CTL_JSONL) {
		r = json_pack("{s:i,s:s,s:o}", "v", 1, "file", c->config_file,
			      "config", protocol_text(slice_str(text)));
		ctl_print_json(r);
		json_decref(r);
	} else if (text) {
		fputs(text, stdout);
	}
	free(text);
	return EXIT_DONE;
}
