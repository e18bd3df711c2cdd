/* Durations, sizes and times as people write and read them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "mxhold/base/text.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = {
	{"ms", 1},       {"s", 1000},      {"m", 60000}, {"h", 3600000},
	{"d", 86400000}, {"w", 604800000}, {"", 1000},
};

static const struct unit sizes[] = {
	{"", 1},           {"K", 1ULL << 10}, {"M", 1ULL << 20},
	{"G", 1ULL << 30}, {"T", 1ULL << 40},
};

static int parse_unit(struct slice s, const struct unit *units, size_t n,
		      uint64_t *out)
{
	size_t digits = 0;
	uint64_t number;

	while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
		digits++;
	if (text_parse_u64(slice_head(s, digits), &number))
		return -1;
	s = slice_skip(s, digits);
	for (size_t i = 0; i < n; i++)
		if (slice_eq_nocase(s, slice_str(units[i].name)))
			return __builtin_mul_overflow(number, units[i].factor,
						      out)
				       ? -1
				       : 0;
	return -1;
}

int text_parse_duration(struct slice s, int64_t *ms)
{
	uint64_t value;

	if (parse_unit(s, durations, MX_ARRAY_SIZE(durations), &value) ||
	    value > INT64_MAX)
		return -1;
	*ms = (int64_t)value;
	return 0;
}

int text_parse_size(struct slice s, uint64_t *bytes)
{
	uint64_t value;

	if (parse_unit(s, sizes, MX_ARRAY_SIZE(sizes), &value))
		return -1;
	*bytes = value;
	return 0;
}

void text_format_rfc3339(int64_t wall_ms, char out[TEXT_TIME_MAX])
{
	int64_t ms = wall_ms % 1000, s = wall_ms / 1000;
	char head[24] = "";
	struct tm tm;
	time_t t;

	if (ms < 0) {
		ms += 1000;
		s--;
	}
	t = (time_t)s;
	if (gmtime_r(&t, &tm))
		strftime(head, sizeof(head), "%Y-%m-%dT%H:%M:%S", &tm);
	if (ms)
		snprintf(out, TEXT_TIME_MAX, "%s.%03dZ", head, (int)ms);
	else
		snprintf(out, TEXT_TIME_MAX, "%sZ", head);
}

static int parse_ms(struct slice s, int64_t *ms)
{
	uint64_t value;

	*ms = 0;
	if (s.n == 0)
		return 0;
	if (s.n != 4 || s.p[0] != '.' ||
	    text_parse_u64(slice_skip(s, 1), &value) < 0)
		return -1;
	*ms = (int64_t)value;
	return 0;
}

int text_parse_rfc3339(struct slice s, int64_t *wall_ms)
{
	char head[20], again[TEXT_TIME_MAX];
	struct tm tm = {0};
	const char *end;
	int64_t ms;

	if (s.n < sizeof(head) || s.p[s.n - 1] != 'Z' ||
	    parse_ms(slice_make(s.p + 19, s.n - sizeof(head)), &ms) < 0)
		return -1;
	snprintf(head, sizeof(head), "%.19s", s.p);
	end = strptime(head, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!end || *end)
		return -1;
	*wall_ms = (int64_t)timegm(&tm) * 1000 + ms;
	/* strptime takes more than is written: blanks, the 31st of June. */
	text_format_rfc3339(*wall_ms, again);
	return *wall_ms >= 0 && strncmp(again, head, 19) == 0 ? 0 : -1;
}

void text_format_age(int64_t ms, char out[TEXT_TIME_MAX])
{
	static const struct {
		char name;
		int64_t s;
	} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
	int64_t s = ms > 0 ? ms / 1000 : 0;
	size_t i = 0;

	while (i < MX_ARRAY_SIZE(units) - 1 && s < units[i].s)
		i++;
	if (i < MX_ARRAY_SIZE(units) - 1 && s % units[i].s >= units[i + 1].s)
		snprintf(out, TEXT_TIME_MAX, "%" PRId64 "%c %" PRId64 "%c",
			 s / units[i].s, units[i].name,
			 s % units[i].s / units[i + 1].s, units[i + 1].name);
	else
		snprintf(out, TEXT_TIME_MAX, "%" PRId64 "%c", s / units[i].s,
			 units[i].name);
}

void text_format_size(uint64_t bytes, char out[TEXT_TIME_MAX])
{
	static const char names[] = "KMGTPE";
	double value = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(out, TEXT_TIME_MAX, "%" PRIu64 " B", bytes);
		return;
	}
	/* 1023.95 would print as 1024.0. */
	for (; value >= 1023.95 && names[i + 1]; i++)
		value /= 1024;
	snprintf(out, TEXT_TIME_MAX, "%.1f %ciB", value, names[i]);
}
