/* The command line: options may stand anywhere, the command is two words. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

#include "mxhold/base/id.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/text.h"
#include "mxhold/control/filter.h"

/* Options */

static const char *const filter_options[] = {
	"domain", "from", "to",    "client", "older",
	"newer",  "size", "state", "reason", "limit"};

/* Options with a value that these commands alone take. */
static const struct {
	const char *name;
	enum ctl_args args;
	const char *owner;
} own_options[] = {
	{"since", CTL_TRACE, "trace and magnet"},
	{"since", CTL_MAGNET, "trace and magnet"},
	{"ip", CTL_SIMULATE, "simulate"},
	{"helo", CTL_SIMULATE, "simulate"},
	{"rcpt", CTL_SIMULATE, "simulate"},
	{"from", CTL_SIMULATE, "simulate and to commands that take a FILTER"},
};

static const char *const long_options[] = {
	"dir",    "yes",    "effective", "help", "version", "quiet",
	"config", "output", "since",     "ip",   "helo",    "rcpt"};

static int usage(const char *fmt, ...) MX_PRINTF(1, 2);

static int usage(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ctl_complain("%s; see mxholdctl help", text);
	return -1;
}

static bool takes_value(const char *name)
{
	for (size_t i = 0; i < MX_ARRAY_SIZE(own_options); i++)
		if (strcmp(own_options[i].name, name) == 0)
			return true;
	for (size_t i = 0; i < MX_ARRAY_SIZE(filter_options); i++)
		if (strcmp(filter_options[i], name) == 0)
			return true;
	return false;
}

static int unknown_option(const char *name)
{
	const char *best = NULL;
	int distance = 4;

	for (size_t i = 0;
	     i < MX_ARRAY_SIZE(filter_options) + MX_ARRAY_SIZE(long_options);
	     i++) {
		size_t k = i - MX_ARRAY_SIZE(filter_options);
		const char *known = i < MX_ARRAY_SIZE(filter_options)
					    ? filter_options[i]
					    : long_options[k];
		int d = text_distance(name, known);

		if (d < distance) {
			distance = d;
			best = known;
		}
	}
	if (best)
		ctl_complain("unknown option --%s; did you mean --%s?", name,
			     best);
	else
		ctl_complain("unknown option --%s; see mxholdctl help", name);
	return -1;
}

struct words { /* the command line, being read */
	int argc, at;
	char **argv;
	char **plain; /* what is no option */
	int n;
};

/* The value of an option: behind '=', or the next word. */
static const char *value_of(struct words *w, const char *inline_value)
{
	if (inline_value)
		return inline_value;
	return w->at + 1 < w->argc ? w->argv[++w->at] : NULL;
}

static int set_output(struct ctl *c, const char *name)
{
	static const char *const names[] = {"table", "json", "jsonl", "id"};

	for (size_t i = 0; name && i < MX_ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		c->output = (enum ctl_output)(CTL_TABLE + i);
		return 0;
	}
	return usage("-o wants table, json, jsonl or id, not \"%s\"",
		     name ? name : "");
}

static int set_watch(struct ctl *c, const char *text)
{
	int64_t ms = 2000;

	if (*text &&
	    (text_parse_duration(slice_str(text), &ms) < 0 || ms < 100))
		return usage("-w wants seconds, not \"%s\"", text);
	c->watch = true;
	c->watch_s = (double)ms / 1000;
	return 0;
}

static int set_config(struct ctl *c, const char *file)
{
	c->config_file = file;
	return file && *file ? 0 : usage("-c wants a file");
}

static int set_dir(struct ctl *c, const char *dir)
{
	c->dir = dir;
	return dir && *dir ? 0 : usage("-d wants a folder");
}

static int long_option(struct ctl *c, struct words *w)
{
	char name[64];
	const char *text = w->argv[w->at] + 2, *equals = strchr(text, '=');
	const char *value = equals ? equals + 1 : NULL;

	snprintf(name, sizeof(name), "%.*s",
		 equals ? (int)(equals - text) : (int)strlen(text), text);
	if (takes_value(name)) {
		value = value_of(w, value);
		if (!value)
			return usage("--%s wants a value", name);
		json_object_set_new(c->args, name,
				    protocol_text(slice_str(value)));
		return 0;
	}
	if (strcmp(name, "config") == 0)
		return set_config(c, value_of(w, value));
	if (strcmp(name, "output") == 0)
		return set_output(c, value_of(w, value));
	if (strcmp(name, "dir") == 0)
		return set_dir(c, value_of(w, value));
	if (value)
		return unknown_option(name);
	if (strcmp(name, "yes") == 0)
		c->yes = true;
	else if (strcmp(name, "dry-run") == 0)
		c->dry_run = true;
	else if (strcmp(name, "quiet") == 0)
		c->quiet = true;
	else if (strcmp(name, "effective") == 0)
		c->effective = true;
	else if (strcmp(name, "all") == 0)
		json_object_set_new(c->args, "all", json_true());
	else if (strcmp(name, "help") == 0)
		c->command = ctl_find("help", "");
	else if (strcmp(name, "version") == 0)
		c->command = ctl_find("version", "");
	else
		return unknown_option(name);
	return 0;
}

static int short_option(struct ctl *c, struct words *w)
{
	const char *text = w->argv[w->at] + 1;
	const char *rest = text[1] ? text + 1 : NULL;

	switch (text[0]) {
	case 'c':
		return set_config(c, value_of(w, rest));
	case 'd':
		return set_dir(c, value_of(w, rest));
	case 'o':
		return set_output(c, value_of(w, rest));
	case 'w':
		return set_watch(c, text + 1);
	case 'q':
		c->quiet = true;
		break;
	case 'y':
		c->yes = true;
		break;
	case 'h':
		c->command = ctl_find("help", "");
		break;
	case 'V':
		c->command = ctl_find("version", "");
		break;
	default:
		return usage("unknown option -%.1s", text);
	}
	return rest ? usage("unknown option %s", w->argv[w->at]) : 0;
}

static int read_words(struct ctl *c, struct words *w)
{
	bool only_words = false;

	for (; w->at < w->argc; w->at++) {
		const char *word = w->argv[w->at];
		int rc = 0;

		if (!only_words && strcmp(word, "--") == 0)
			only_words = true;
		else if (!only_words && strncmp(word, "--", 2) == 0)
			rc = long_option(c, w);
		else if (!only_words && *word == '-' && word[1])
			rc = short_option(c, w);
		else
			w->plain[w->n++] = w->argv[w->at];
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* The command */

/* "queue wants a verb: list, count, ages" */
static void complain_of_verb(const char *group)
{
	char verbs[256] = "";
	size_t n = 0;

	for (const struct ctl_command *k = ctl_commands; k->group; k++) {
		if (strcmp(k->group, group) == 0 && n < sizeof(verbs))
			n += (size_t)snprintf(verbs + n, sizeof(verbs) - n,
					      "%s%s", n ? ", " : "", k->verb);
	}
	ctl_complain("%s wants a verb: %s", group, verbs);
}

static int unknown_command(const char *group, const char *verb)
{
	char typed[128], known[128], best[128] = "";
	int distance = 4;
	bool is_group = false;

	snprintf(typed, sizeof(typed), "%s%s%s", group, verb ? " " : "",
		 verb ? verb : "");
	for (const struct ctl_command *k = ctl_commands; k->group; k++) {
		int d;

		is_group = is_group || strcmp(k->group, group) == 0;
		snprintf(known, sizeof(known), "%s%s%s", k->group,
			 *k->verb ? " " : "", k->verb);
		d = text_distance(typed, known);
		if (d >= distance)
			continue;
		distance = d;
		snprintf(best, sizeof(best), "%s", known);
	}
	if (is_group && !verb)
		complain_of_verb(group);
	else if (*best)
		ctl_complain("no such command: %s; did you mean %s?", typed,
			     best);
	else
		ctl_complain("no such command: %s; see mxholdctl help", typed);
	return -1;
}

/* How many of the words name the command; 0 = none does. */
static int find_command(struct ctl *c, const struct words *w)
{
	c->command = ctl_find(w->plain[0], "");
	if (c->command)
		return 1;
	if (w->n > 1)
		c->command = ctl_find(w->plain[0], w->plain[1]);
	if (c->command)
		return 2;
	unknown_command(w->plain[0], w->n > 1 ? w->plain[1] : NULL);
	return 0;
}

static int wrong_count(const struct ctl *c)
{
	ctl_complain("usage: mxholdctl %s %s%s%s", c->command->group,
		     c->command->verb, *c->command->verb ? " " : "",
		     c->command->synopsis ? c->command->synopsis : "");
	return -1;
}

static void set_text(struct ctl *c, const char *key, const char *text)
{
	json_object_set_new(c->args, key, protocol_text(slice_str(text)));
}

static int take_filter(struct ctl *c, char **words, int n)
{
	json_t *ids = json_array();
	struct filter f;
	struct error err = {0};
	int rc;

	for (int i = 0; i < n; i++)
		json_array_append_new(ids, protocol_text(slice_str(words[i])));
	if (n)
		json_object_set(c->args, "ids", ids);
	json_decref(ids);
	rc = filter_parse(&f, c->args, &err);
	filter_done(&f);
	if (rc < 0)
		ctl_complain("%s", err.text);
	return rc;
}

/* Without -d, the first word that is no id is the folder. */
static void take_dir(struct ctl *c, char **words, int *n)
{
	uint64_t id;

	for (int i = 0; i < *n && !c->dir; i++) {
		if (id_parse(slice_str(words[i]), &id) == 0)
			continue;
		c->dir = words[i];
		memmove(words + i, words + i + 1,
			(size_t)(*n - i - 1) * sizeof(*words));
		--*n;
	}
}

static int take_rcpt(struct ctl *c, char **words, int n)
{
	const char *address = n > 0 ? words[n - 1] : "";
	const char *at = strrchr(address, '@');

	if (n < 1 || n > 2)
		return wrong_count(c);
	if (n == 1 && !at)
		return usage("which domain is \"%s\" at?", address);
	set_text(c, "domain", n == 2 ? words[0] : at + 1);
	set_text(c, "address", address);
	return 0;
}

static int take_args(struct ctl *c, char **words, int n)
{
	switch (c->command->args) {
	case CTL_FILTER:
		return take_filter(c, words, n);
	case CTL_EXPORT:
		take_dir(c, words, &n);
		return c->dir ? take_filter(c, words, n) : wrong_count(c);
	case CTL_IMPORT:
		take_dir(c, words, &n);
		return c->dir && n == 0 ? 0 : wrong_count(c);
	case CTL_MESSAGE:
	case CTL_NAME:
		if (n != 1)
			return wrong_count(c);
		set_text(c, c->command->args == CTL_NAME ? "name" : "id",
			 words[0]);
		return 0;
	case CTL_NAMES:
		if (n > 1)
			return wrong_count(c);
		if (n)
			set_text(c, "name", words[0]);
		return 0;
	case CTL_NAME_RATE:
		if (n != 2)
			return wrong_count(c);
		set_text(c, "name", words[0]);
		set_text(c, "rate", words[1]);
		return 0;
	case CTL_DOMAIN:
		if (n != 1)
			return wrong_count(c);
		set_text(c, "domain", words[0]);
		return 0;
	case CTL_DOMAINS:
		if (n > 1)
			return wrong_count(c);
		if (n)
			set_text(c, "domain", words[0]);
		return 0;
	case CTL_ANY:
		return 0;
	case CTL_RCPT:
		return take_rcpt(c, words, n);
	case CTL_TRACE:
		if (n != 1)
			return wrong_count(c);
		set_text(c, "what", words[0]);
		return 0;
	case CTL_MAGNET:
		if (n > 1)
			return wrong_count(c);
		if (n == 1)
			set_text(c, "domain", words[0]);
		return 0;
	case CTL_SIMULATE:
		if (json_object_get(c->args, "ip") &&
		    json_object_get(c->args, "rcpt"))
			break;
		return usage("simulate wants --ip and --rcpt");
	case CTL_NONE:
	case CTL_EFFECTIVE:
		break;
	}
	return n ? wrong_count(c) : 0;
}

static bool is_own(const struct ctl *c, const char *name)
{
	for (size_t i = 0; i < MX_ARRAY_SIZE(own_options); i++)
		if (strcmp(own_options[i].name, name) == 0 &&
		    own_options[i].args == c->command->args)
			return true;
	return false;
}

static bool takes_filter(const struct ctl *c)
{
	return c->command->args == CTL_FILTER || c->command->args == CTL_EXPORT;
}

static bool is_of_filter(const char *name)
{
	for (size_t i = 0; i < MX_ARRAY_SIZE(filter_options); i++)
		if (strcmp(filter_options[i], name) == 0)
			return true;
	return false;
}

/* Options that this command would silently ignore. */
static int check_options(const struct ctl *c)
{
	const char *key;
	json_t *value;

	if (c->effective && c->command->args != CTL_EFFECTIVE)
		return usage("--effective belongs to config show");
	for (size_t i = 0; i < MX_ARRAY_SIZE(own_options); i++)
		if (json_object_get(c->args, own_options[i].name) &&
		    !is_own(c, own_options[i].name) &&
		    !(takes_filter(c) && is_of_filter(own_options[i].name)))
			return usage("--%s belongs to %s", own_options[i].name,
				     own_options[i].owner);
	if (c->dir && c->command->args != CTL_EXPORT &&
	    c->command->args != CTL_IMPORT)
		return usage("--dir belongs to queue export and queue import");
	if (takes_filter(c))
		return 0;
	json_object_foreach((json_t *)c->args, key, value)
	{
		if (!is_own(c, key))
			return usage(
				"--%s belongs to commands that take a FILTER",
				key);
	}
	return 0;
}

static int parse_words(struct ctl *c, struct words *w)
{
	int n;

	if (read_words(c, w) < 0)
		return -1;
	if (c->command) /* --help, --version */
		return 0;
	if (w->n == 0)
		return usage("what shall be done?");
	n = find_command(c, w);
	if (n == 0 || check_options(c) < 0)
		return -1;
	return take_args(c, w->plain + n, w->n - n);
}

int ctl_parse(struct ctl *c, int argc, char **argv)
{
	struct words w = {.argc = argc, .argv = argv, .at = 1};
	int rc;

	c->args = json_object();
	w.plain = mem_array((size_t)argc + 1, sizeof(*w.plain));
	rc = parse_words(c, &w);
	mem_free(w.plain);
	return rc;
}
