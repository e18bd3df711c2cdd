/* Cells of tables, and single objects as a terminal sees them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl.h"

#include "mxhold/base/clock.h"
#include "mxhold/base/text.h"

static const char *text_at(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

static int64_t number_at(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

/* "2026-11-22T02:19:16.123Z" -> wall milliseconds; 0 for "". */
static int64_t parse_time(const char *text)
{
	struct tm tm = {0};

	return strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) ? timegm(&tm) * 1000LL
							: 0;
}

/* "3m 5s ago", "in 12s", "now", or "-". */
static void relative(const char *when, char *out, size_t room)
{
	int64_t at = parse_time(when), d = clock_wall_ms() - at;
	char age[TEXT_TIME_MAX];

	text_format_age(d < 0 ? -d : d, age);
	if (at == 0)
		snprintf(out, room, "-");
	else if (d > -1000 && d < 1000)
		snprintf(out, room, "now");
	else
		snprintf(out, room, d < 0 ? "in %s" : "%s ago", age);
}

static void age_cell(int64_t seconds, char *out, size_t room)
{
	char age[TEXT_TIME_MAX];

	text_format_age(seconds * 1000, age);
	snprintf(out, room, "%s", age);
}

static void size_cell(int64_t bytes, char *out, size_t room)
{
	char size[TEXT_TIME_MAX];

	text_format_size((uint64_t)bytes, size);
	snprintf(out, room, "%s", size);
}

#define TEXT_CELL(name, key)                                        \
	static void name(const json_t *row, char *out, size_t room) \
	{                                                           \
		snprintf(out, room, "%s", text_at(row, key));       \
	}
#define NUMBER_CELL(name, key)                                        \
	static void name(const json_t *row, char *out, size_t room)   \
	{                                                             \
		snprintf(out, room, "%" PRId64, number_at(row, key)); \
	}
#define SIZE_CELL(name, key)                                        \
	static void name(const json_t *row, char *out, size_t room) \
	{                                                           \
		size_cell(number_at(row, key), out, room);          \
	}
#define TIME_CELL(name, key)                                        \
	static void name(const json_t *row, char *out, size_t room) \
	{                                                           \
		relative(text_at(row, key), out, room);             \
	}

TEXT_CELL(cell_id, "id")
TEXT_CELL(cell_state, "state")
TEXT_CELL(cell_name, "name")
TEXT_CELL(cell_domain, "domain")
TEXT_CELL(cell_reason, "reason")
TEXT_CELL(cell_event, "event")
TEXT_CELL(cell_why, "why")
NUMBER_CELL(cell_results, "results")
TIME_CELL(cell_opened, "opened_at")
TIME_CELL(cell_retry, "retry_at")
TEXT_CELL(cell_recipient, "recipient")
TEXT_CELL(cell_text, "text")
TEXT_CELL(cell_address, "address")
TEXT_CELL(cell_by, "by")
TEXT_CELL(cell_network, "network")
NUMBER_CELL(cell_accepted, "accepted")
NUMBER_CELL(cell_refused, "refused")
NUMBER_CELL(cell_unknown, "unknown")
TIME_CELL(cell_last, "last_at")
TEXT_CELL(cell_kind, "kind")
TEXT_CELL(cell_change, "change")
TEXT_CELL(cell_source, "source")
TEXT_CELL(cell_problem, "problem")
NUMBER_CELL(cell_entries, "entries")
TIME_CELL(cell_tried, "tried_at")
TIME_CELL(cell_good, "good_at")
TIME_CELL(cell_loaded, "loaded_at")
NUMBER_CELL(cell_queued, "queued")
NUMBER_CELL(cell_messages, "messages")
SIZE_CELL(cell_size, "size")
SIZE_CELL(cell_bytes, "bytes")
TIME_CELL(cell_arrived, "arrived_at")
TIME_CELL(cell_since, "since")
TIME_CELL(cell_at, "at")
TIME_CELL(cell_confirmed, "confirmed_at")

/* What waits for its primary alone goes when that is there. */
static void cell_next(const json_t *row, char *out, size_t room)
{
	const char *next = text_at(row, "next_attempt_at");

	if (*next && parse_time(next) <= clock_wall_ms())
		snprintf(out, room, "due");
	else
		relative(next, out, room);
}

static void cell_sender(const json_t *row, char *out, size_t room)
{
	const char *sender = text_at(row, "sender");

	snprintf(out, room, "%s", *sender ? sender : "<>");
}

/* Who has it already is no one's concern. */
static size_t open_rcpts(const json_t *rcpts, const char **first)
{
	size_t n = 0, i;
	json_t *rcpt;

	json_array_foreach(rcpts, i, rcpt)
	{
		if (strcmp(text_at(rcpt, "state"), "delivered") == 0)
			continue;
		if (n++ == 0)
			*first = text_at(rcpt, "address");
	}
	return n;
}

static void cell_to(const json_t *row, char *out, size_t room)
{
	const char *first = "";
	size_t n = open_rcpts(json_object_get(row, "recipients"), &first);

	if (n > 1)
		snprintf(out, room, "%s +%zu", first, n - 1);
	else
		snprintf(out, room, "%s", first);
}

static void cell_oldest(const json_t *row, char *out, size_t room)
{
	age_cell(number_at(row, "oldest_age_s"), out, room);
}

static void cell_probe(const json_t *row, char *out, size_t room)
{
	const json_t *probe = json_object_get(row, "last_probe");
	char when[TEXT_TIME_MAX + 8];

	relative(text_at(probe, "at"), when, sizeof(when));
	snprintf(out, room, "%s%s%s", when, *text_at(probe, "at") ? ": " : "",
		 text_at(probe, "result"));
}

const struct ctl_column ctl_columns_messages[] = {
	{"ID", false, cell_id},
	{"STATE", false, cell_state},
	{"SIZE", true, cell_size},
	{"ARRIVED", false, cell_arrived},
	{"NEXT", false, cell_next},
	{"FROM", false, cell_sender},
	{"TO", false, cell_to},
	{"REASON", false, cell_reason},
	{0},
};

const struct ctl_column ctl_columns_primaries[] = {
	{"NAME", false, cell_name},        {"STATE", false, cell_state},
	{"SINCE", false, cell_since},      {"QUEUED", true, cell_queued},
	{"BYTES", true, cell_bytes},       {"OLDEST", true, cell_oldest},
	{"LAST PROBE", false, cell_probe}, {0},
};

const struct ctl_column ctl_columns_breakers[] = {
	{"PRIMARY", false, cell_name},
	{"BREAKER", false, cell_state},
	{"SINCE", false, cell_opened},
	{"NEXT TRY", false, cell_retry},
	{"5XX", true, cell_refused},
	{"OF", true, cell_results},
	{"QUEUED", true, cell_queued},
	{"WHY", false, cell_why},
	{0},
};

const struct ctl_column ctl_columns_events[] = {
	{"WHEN", false, cell_at},
	{"EVENT", false, cell_event},
	{"RECIPIENT", false, cell_recipient},
	{"TEXT", false, cell_text},
	{0},
};

const struct ctl_column ctl_columns_trace[] = {
	{"WHEN", false, cell_at},
	{"ID", false, cell_id},
	{"EVENT", false, cell_event},
	{"SENDER", false, cell_sender},
	{"RECIPIENT", false, cell_recipient},
	{"TEXT", false, cell_text},
	{0},
};

static void cell_left(const json_t *row, char *out, size_t room)
{
	if (json_is_integer(json_object_get(row, "left_s")))
		age_cell(number_at(row, "left_s"), out, room);
	else
		snprintf(out, room, "for ever");
}

const struct ctl_column ctl_columns_learned[] = {
	{"ADDRESS", false, cell_address},
	{"STATE", false, cell_state},
	{"BY", false, cell_by},
	{"CONFIRMED", false, cell_confirmed},
	{"LASTS (PRIMARY UP)", false, cell_left},
	{0},
};

/* "dnsbl 3, when_up 12" */
static void cell_reasons(const json_t *row, char *out, size_t room)
{
	const char *key;
	json_t *v;
	size_t at = 0;

	*out = '\0';
	json_object_foreach(json_object_get(row, "reasons"), key, v)
	{
		int n = snprintf(out + at, room - at, "%s%s %" PRId64,
				 at ? ", " : "", key,
				 (int64_t)json_integer_value(v));

		if (n < 0 || (size_t)n >= room - at)
			return;
		at += (size_t)n;
	}
}

const struct ctl_column ctl_columns_magnet[] = {
	{"NETWORK", false, cell_network},     {"DOMAIN", false, cell_domain},
	{"ACCEPTED", true, cell_accepted},    {"REFUSED", true, cell_refused},
	{"UNKNOWN", true, cell_unknown},      {"LAST", false, cell_last},
	{"WHY REFUSED", false, cell_reasons}, {0},
};

const struct ctl_column ctl_columns_recipients[] = {
	{"ADDRESS", false, cell_address},
	{"KIND", false, cell_kind},
	{0},
};

const struct ctl_column ctl_columns_differences[] = {
	{"", false, cell_change},
	{"ADDRESS", false, cell_address},
	{"KIND", false, cell_kind},
	{0},
};

const struct ctl_column ctl_columns_sources[] = {
	{"DOMAIN", false, cell_domain},   {"SOURCE", false, cell_source},
	{"STATE", false, cell_state},     {"ENTRIES", true, cell_entries},
	{"TRIED", false, cell_tried},     {"GOOD", false, cell_good},
	{"PROBLEM", false, cell_problem}, {0},
};

const struct ctl_column ctl_columns_lists[] = {
	{"DOMAIN", false, cell_domain},
	{"STATE", false, cell_state},
	{"ENTRIES", true, cell_entries},
	{"LOADED", false, cell_loaded},
	{"GOOD", false, cell_good},
	{"PROBLEM", false, cell_problem},
	{0},
};

static void bucket(const json_t *row, size_t i, char *out, size_t room)
{
	const json_t *b = json_array_get(json_object_get(row, "ages"), i);

	snprintf(out, room, "%" PRId64, number_at(b, "messages"));
}

#define BUCKET_CELL(i)                                                      \
	static void cell_age_##i(const json_t *row, char *out, size_t room) \
	{                                                                   \
		bucket(row, i, out, room);                                  \
	}
BUCKET_CELL(0)
BUCKET_CELL(1)
BUCKET_CELL(2)
BUCKET_CELL(3)
BUCKET_CELL(4)
BUCKET_CELL(5)
BUCKET_CELL(6)
BUCKET_CELL(7)

const struct ctl_column ctl_columns_ages[] = {
	{"DOMAIN", false, cell_domain},
	{"MESSAGES", true, cell_messages},
	{"BYTES", true, cell_bytes},
	{"OLDEST", true, cell_oldest},
	{"<5m", true, cell_age_0},
	{"<15m", true, cell_age_1},
	{"<1h", true, cell_age_2},
	{"<4h", true, cell_age_3},
	{"<1d", true, cell_age_4},
	{"<4d", true, cell_age_5},
	{"<14d", true, cell_age_6},
	{"older", true, cell_age_7},
	{0},
};

/* Single objects */

static void say(const char *label, const char *text)
{
	printf("%-16s ", label);
	ctl_print_safe(stdout, text, strlen(text));
	putchar('\n');
}

void ctl_show_count(const json_t *r)
{
	char size[TEXT_TIME_MAX];

	text_format_size((uint64_t)number_at(r, "bytes"), size);
	printf("%" PRId64 " message%s, %s\n", number_at(r, "messages"),
	       number_at(r, "messages") == 1 ? "" : "s", size);
}

static void show_queue_line(const json_t *r)
{
	const json_t *queue = json_object_get(r, "queue");
	int64_t n = number_at(queue, "messages");
	char text[128], size[TEXT_TIME_MAX], age[TEXT_TIME_MAX];

	text_format_size((uint64_t)number_at(queue, "bytes"), size);
	text_format_age(number_at(queue, "oldest_age_s") * 1000, age);
	snprintf(text, sizeof(text), "%" PRId64 " message%s, %s%s%s", n,
		 n == 1 ? "" : "s", size, n ? ", the oldest waits " : "",
		 n ? age : "");
	say("queue", text);
}

static void show_primary_line(const json_t *row)
{
	char text[512], since[64], probe[256], size[TEXT_TIME_MAX];

	relative(text_at(row, "since"), since, sizeof(since));
	cell_probe(row, probe, sizeof(probe));
	text_format_size((uint64_t)number_at(row, "bytes"), size);
	snprintf(text, sizeof(text),
		 "%s: %s (%s), %" PRId64 " queued (%s), probed %s",
		 text_at(row, "name"), text_at(row, "state"), since,
		 number_at(row, "queued"), size, probe);
	say("primary", text);
	if (*text_at(row, "why"))
		say("", text_at(row, "why"));
}

void ctl_show_status(const json_t *r)
{
	char text[512], age[TEXT_TIME_MAX];
	size_t i;
	json_t *row;

	text_format_age(number_at(r, "uptime_s") * 1000, age);
	if (json_is_true(json_object_get(r, "running")))
		snprintf(text, sizeof(text), "%s, mxholdd %s, up for %s",
			 text_at(r, "hostname"), text_at(r, "version"), age);
	else
		snprintf(text, sizeof(text),
			 "%s, mxholdd does not answer; this is what it left",
			 text_at(r, "hostname"));
	say("host", text);
	show_queue_line(r);
	snprintf(text, sizeof(text), "%" PRId64 "%% used",
		 number_at(json_object_get(r, "disk"), "used_percent"));
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

	relative(when, ago, sizeof(ago));
	snprintf(text, sizeof(text), "%.40s, %s", when, ago);
	say(key, text);
}

/* By what the name says of its unit. */
static void say_number(const char *key, int64_t n)
{
	char text[64];

	if (ends_with(key, "_s"))
		age_cell(n, text, sizeof(text));
	else if (ends_with(key, "bytes") || ends_with(key, "size"))
		size_cell(n, text, sizeof(text));
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
	if (!*text_at(r, "sender"))
		say("sender", "<>");
	json_array_foreach(json_object_get(r, "recipients"), i, rcpt)
	{
		char text[1024];

		snprintf(text, sizeof(text), "%s: %s%s%s",
			 text_at(rcpt, "address"), text_at(rcpt, "state"),
			 *text_at(rcpt, "reply") ? ": " : "",
			 text_at(rcpt, "reply"));
		say("recipient", text);
	}
}

void ctl_show_primary(const json_t *r)
{
	char probe[256];

	show_fields(r);
	cell_probe(r, probe, sizeof(probe));
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
			 text_at(row, "verdict"), text_at(row, "why"),
			 *text_at(row, "reply") ? " -> " : "",
			 text_at(row, "reply"));
		say(text_at(row, "rule"), text);
	}
	say("RESULT", text_at(r, "verdict"));
	if (*text_at(r, "rule"))
		say("decided by", text_at(r, "rule"));
	say("reply", text_at(r, "reply"));
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
	text_format_size((uint64_t)number_at(r, "before_bytes"), before);
	text_format_size((uint64_t)number_at(r, to), after);
	if (json_object_get(r, "dry_run"))
		printf("%s, of which %s are in use\n", before, after);
	else
		printf("%s -> %s\n", before, after);
}

static void show_sum(const json_t *r, const char *key, const char *past)
{
	int64_t n = number_at(r, key);
	char size[TEXT_TIME_MAX];

	text_format_size((uint64_t)number_at(r, "bytes"), size);
	printf("%" PRId64 " message%s %s, %s\n", n, n == 1 ? "" : "s", past,
	       size);
}

static void show_rest(const json_t *r, const char *key, const char *what)
{
	int64_t n = number_at(r, key);

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
