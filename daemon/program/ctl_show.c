/* Single objects as a terminal sees them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"

#include "mxhold/base/text.h"

static void say(const char *label, const char *text)
{
	printf("%-16s ", label);
	ctl_print_safe(stdout, text, strlen(text));
	putchar('\n');
}

void ctl_show_count(const json_t *r)
{
	char size[TEXT_TIME_MAX];

	text_format_size((uint64_t)ctl_number_at(r, "bytes"), size);
	printf("%" PRId64 " message%s, %s\n", ctl_number_at(r, "messages"),
	       ctl_number_at(r, "messages") == 1 ? "" : "s", size);
}

static void show_queue_line(const json_t *r)
{
	const json_t *queue = json_object_get(r, "queue");
	int64_t n = ctl_number_at(queue, "messages");
	char text[128], size[TEXT_TIME_MAX], age[TEXT_TIME_MAX];

	text_format_size((uint64_t)ctl_number_at(queue, "bytes"), size);
	text_format_age(ctl_number_at(queue, "oldest_age_s") * 1000, age);
	snprintf(text, sizeof(text), "%" PRId64 " message%s, %s%s%s", n,
		 n == 1 ? "" : "s", size, n ? ", the oldest waits " : "",
		 n ? age : "");
	say("queue", text);
}

static void show_primary_line(const json_t *row)
{
	char text[512], since[64], probe[256], size[TEXT_TIME_MAX];

	ctl_relative(ctl_text_at(row, "since"), since, sizeof(since));
	ctl_probe_cell(row, probe, sizeof(probe));
	text_format_size((uint64_t)ctl_number_at(row, "bytes"), size);
	snprintf(text, sizeof(text),
		 "%s: %s (%s), %" PRId64 " queued (%s), probed %s",
		 ctl_text_at(row, "name"), ctl_text_at(row, "state"), since,
		 ctl_number_at(row, "queued"), size, probe);
	say("primary", text);
	if (*ctl_text_at(row, "why"))
		say("", ctl_text_at(row, "why"));
}

void ctl_show_status(const json_t *r)
{
	char text[512], age[TEXT_TIME_MAX];
	size_t i;
	json_t *row;

	text_format_age(ctl_number_at(r, "uptime_s") * 1000, age);
	if (json_is_true(json_object_get(r, "running")))
		snprintf(text, sizeof(text), "%s, mxholdd %s, up for %s",
			 ctl_text_at(r, "hostname"), ctl_text_at(r, "version"),
			 age);
	else
		snprintf(text, sizeof(text),
			 "%s, mxholdd does not answer; this is what it left",
			 ctl_text_at(r, "hostname"));
	say("host", text);
	show_queue_line(r);
	snprintf(text, sizeof(text), "%" PRId64 "%% used",
		 ctl_number_at(json_object_get(r, "disk"), "used_percent"));
	say("disk", text);
	json_array_foreach(json_object_get(r, "primaries"), i, row)
		show_primary_line(row);
	json_array_foreach(json_object_get(r, "alarms"), i, row)
		say("ALARM", json_string_value(row));
}

static bool ends_with(const char *key, const char *end)
{
	size_t n = strlen(key), m = strlen(end);

	return n >= m && strcmp(key + n - m, end) == 0;
}

/* "2026-11-22T02:19:16.123Z, 3m 5s ago": what was, and in whose log it is. */
static void say_time(const char *key, const char *when)
{
	char text[128], ago[64];

	ctl_relative(when, ago, sizeof(ago));
	snprintf(text, sizeof(text), "%.40s, %s", when, ago);
	say(key, text);
}

/* By what the name says of its unit. */
static void say_number(const char *key, int64_t n)
{
	char text[TEXT_TIME_MAX];

	if (ends_with(key, "_s"))
		text_format_age(n * 1000, text);
	else if (ends_with(key, "bytes") || ends_with(key, "size"))
		text_format_size((uint64_t)n, text);
	else
		snprintf(text, sizeof(text), "%" PRId64, n);
	say(key, text);
}

/* Every plain field on a line of its own. */
static void show_fields(const json_t *r)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)r, key, v)
	{
		const char *text = json_string_value(v);

		if (strcmp(key, "v") == 0)
			continue;
		if (text && *text &&
		    (ends_with(key, "_at") || ends_with(key, "since")))
			say_time(key, text);
		else if (text && *text)
			say(key, text);
		else if (json_is_integer(v))
			say_number(key, json_integer_value(v));
		else if (json_is_true(v))
			say(key, "yes");
	}
}

static void show_texts(const json_t *r, const char *key)
{
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(r, key), i, v)
		say(key, json_string_value(v));
}

void ctl_show_message(const json_t *r)
{
	size_t i;
	json_t *rcpt;

	show_fields(r);
	if (!*ctl_text_at(r, "sender"))
		say("sender", "<>");
	json_array_foreach(json_object_get(r, "recipients"), i, rcpt)
	{
		char text[1024];

		snprintf(text, sizeof(text), "%s: %s%s%s",
			 ctl_text_at(rcpt, "address"),
			 ctl_text_at(rcpt, "state"),
			 *ctl_text_at(rcpt, "reply") ? ": " : "",
			 ctl_text_at(rcpt, "reply"));
		say("recipient", text);
	}
}

void ctl_show_primary(const json_t *r)
{
	char probe[256];

	show_fields(r);
	ctl_probe_cell(r, probe, sizeof(probe));
	say("last_probe", probe);
	show_texts(r, "hosts");
	show_texts(r, "last_good");
	show_texts(r, "ehlo");
	show_texts(r, "domains");
}

void ctl_show_rcpt(const json_t *r)
{
	show_fields(r);
}

void ctl_show_simulation(const json_t *r)
{
	size_t i;
	json_t *row;

	json_array_foreach(json_object_get(r, "rules"), i, row)
	{
		char text[1024];

		snprintf(text, sizeof(text), "%-6s  %s%s%s",
			 ctl_text_at(row, "verdict"), ctl_text_at(row, "why"),
			 *ctl_text_at(row, "reply") ? " -> " : "",
			 ctl_text_at(row, "reply"));
		say(ctl_text_at(row, "rule"), text);
	}
	say("RESULT", ctl_text_at(r, "verdict"));
	if (*ctl_text_at(r, "rule"))
		say("decided by", ctl_text_at(r, "rule"));
	say("reply", ctl_text_at(r, "reply"));
}

void ctl_show_done(const json_t *r)
{
	(void)r;
	printf("done\n");
}

void ctl_show_compact(const json_t *r)
{
	const char *to = "used_bytes";
	char before[TEXT_TIME_MAX], after[TEXT_TIME_MAX];

	if (!json_object_get(r, "dry_run"))
		to = "after_bytes";
	text_format_size((uint64_t)ctl_number_at(r, "before_bytes"), before);
	text_format_size((uint64_t)ctl_number_at(r, to), after);
	if (json_object_get(r, "dry_run"))
		printf("%s, of which %s are in use\n", before, after);
	else
		printf("%s -> %s\n", before, after);
}

static void show_sum(const json_t *r, const char *key, const char *past)
{
	int64_t n = ctl_number_at(r, key);
	char size[TEXT_TIME_MAX];

	text_format_size((uint64_t)ctl_number_at(r, "bytes"), size);
	printf("%" PRId64 " message%s %s, %s\n", n, n == 1 ? "" : "s", past,
	       size);
}

static void show_rest(const json_t *r, const char *key, const char *what)
{
	int64_t n = ctl_number_at(r, key);

	if (n)
		printf("%" PRId64 " %s\n", n, what);
}

void ctl_show_exported(const json_t *r)
{
	show_sum(r, "messages", "written");
	show_rest(r, "present", "there already");
	show_rest(r, "gone", "left the queue meanwhile");
	show_rest(r, "failed", "failed");
}

void ctl_show_imported(const json_t *r)
{
	show_sum(r, "imported",
		 json_object_get(r, "dry_run") ? "would be imported"
					       : "imported");
	show_rest(r, "present", "here already, or imported before");
	show_rest(r, "failed", "failed");
}

void ctl_show_verify(const json_t *r)
{
	show_fields(r);
	show_texts(r, "found");
}
