/* What a table shows of a row. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl.h"

#include "mxhold/base/clock.h"
#include "mxhold/base/text.h"

const char *ctl_text_at(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

int64_t ctl_number_at(const json_t *row, const char *key)
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
void ctl_relative(const char *when, char *out, size_t room)
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
		snprintf(out, room, "%s", ctl_text_at(row, key));   \
	}
#define NUMBER_CELL(name, key)                                            \
	static void name(const json_t *row, char *out, size_t room)       \
	{                                                                 \
		snprintf(out, room, "%" PRId64, ctl_number_at(row, key)); \
	}
#define SIZE_CELL(name, key)                                        \
	static void name(const json_t *row, char *out, size_t room) \
	{                                                           \
		size_cell(ctl_number_at(row, key), out, room);      \
	}
#define TIME_CELL(name, key)                                        \
	static void name(const json_t *row, char *out, size_t room) \
	{                                                           \
		ctl_relative(ctl_text_at(row, key), out, room);     \
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
	const char *next = ctl_text_at(row, "next_attempt_at");

	if (*next && parse_time(next) <= clock_wall_ms())
		snprintf(out, room, "due");
	else
		ctl_relative(next, out, room);
}

static void cell_sender(const json_t *row, char *out, size_t room)
{
	const char *sender = ctl_text_at(row, "sender");

	snprintf(out, room, "%s", *sender ? sender : "<>");
}

/* Who has it already is no one's concern. */
static size_t open_rcpts(const json_t *rcpts, const char **first)
{
	size_t n = 0, i;
	json_t *rcpt;

	json_array_foreach(rcpts, i, rcpt)
	{
		if (strcmp(ctl_text_at(rcpt, "state"), "delivered") == 0)
			continue;
		if (n++ == 0)
			*first = ctl_text_at(rcpt, "address");
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
	age_cell(ctl_number_at(row, "oldest_age_s"), out, room);
}

void ctl_probe_cell(const json_t *row, char *out, size_t room)
{
	const json_t *probe = json_object_get(row, "last_probe");
	char when[TEXT_TIME_MAX + 8];

	ctl_relative(ctl_text_at(probe, "at"), when, sizeof(when));
	snprintf(out, room, "%s%s%s", when,
		 *ctl_text_at(probe, "at") ? ": " : "",
		 ctl_text_at(probe, "result"));
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
	{"NAME", false, cell_name},
	{"STATE", false, cell_state},
	{"SINCE", false, cell_since},
	{"QUEUED", true, cell_queued},
	{"BYTES", true, cell_bytes},
	{"OLDEST", true, cell_oldest},
	{"LAST PROBE", false, ctl_probe_cell},
	{0},
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
		age_cell(ctl_number_at(row, "left_s"), out, room);
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

	snprintf(out, room, "%" PRId64, ctl_number_at(b, "messages"));
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
