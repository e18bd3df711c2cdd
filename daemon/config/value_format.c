#include <inttypes.h>
#include <stdio.h>

#include "mxhold/base/assert.h"
#include "mxhold/config/value.h"

/* libConfuse expands ${NAME} and backslashes in double quotes; a string has
 * no line end (lexer.h), and a terminal no use for the other controls. */
int value_quote(struct buf *out, const char *text)
{
	int rc = buf_append_str(out, "\"");

	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < ' ' || c == 0x7f) {
			rc |= buf_printf(out, "\\x%02x", c);
			continue;
		}
		if (c == '"' || c == '\\' || (c == '$' && p[1] == '{'))
			rc |= buf_append_str(out, "\\");
		rc |= buf_append(out, p, 1);
	}
	return rc | buf_append_str(out, "\"");
}

int value_quote_list(struct buf *out, char *const *texts, size_t n)
{
	int rc = 0;

	if (n == 1)
		return value_quote(out, texts[0]);
	rc |= buf_append_str(out, "{");
	for (size_t i = 0; i < n; i++) {
		rc |= buf_append_str(out, i ? ", " : "");
		rc |= value_quote(out, texts[i]);
	}
	return rc | buf_append_str(out, "}");
}

static void duration_text(int64_t ms, char *out, size_t room)
{
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = {
		{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};

	for (size_t i = 0; i < MX_ARRAY_SIZE(units); i++) {
		if (ms % units[i].ms || (ms == 0 && units[i].ms != 1000))
			continue;
		snprintf(out, room, "%" PRId64 "%s", ms / units[i].ms,
			 units[i].unit);
		return;
	}
	snprintf(out, room, "%" PRId64 "ms", ms);
}

static void size_text(uint64_t v, char *out, size_t room)
{
	static const char units[] = "KMGT";
	int unit = -1;

	while (v && v % 1024 == 0 && unit < 3) {
		v /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(out, room, "%" PRIu64, v);
	else
		snprintf(out, room, "%" PRIu64 "%c", v, units[unit]);
}

static void cidr_text(const struct cidr *c, char *out, size_t room)
{
	char addr[INET_TEXT_MAX];

	inet_format(&c->addr, addr);
	snprintf(out, room, "%s/%u", addr, c->bits);
}

static void element_text(const struct schema_option *o, const void *v, size_t i,
			 char *out, size_t room)
{
	switch (o->type) {
	case SCHEMA_DURATIONS:
		duration_text(((const int64_t *)v)[i], out, room);
		break;
	case SCHEMA_ENDPOINTS:
		MX_ASSERT(room >= INET_TEXT_MAX);
		endpoint_format(&((const struct endpoint *)v)[i], out);
		break;
	case SCHEMA_CIDRS:
		cidr_text(&((const struct cidr *)v)[i], out, room);
		break;
	case SCHEMA_ADDRESSES:
		MX_ASSERT(room >= INET_TEXT_MAX);
		inet_format(&((const struct inet_addr *)v)[i], out);
		break;
	default:
		MX_ASSERT(o->type == SCHEMA_DNSBL);
		snprintf(out, room, "%.400s:%d",
			 ((const struct config_dnsbl *)v)[i].zone,
			 ((const struct config_dnsbl *)v)[i].weight);
	}
}

static int format_list(const struct schema_option *o, const void *at,
		       struct buf *out)
{
	const struct {
		void *v;
		size_t n;
	} *list = at;
	int rc = 0;

	if (o->type == SCHEMA_TEXTS)
		return value_quote_list(out, list->v, list->n);
	if (list->n != 1)
		rc |= buf_append_str(out, "{");
	for (size_t i = 0; i < list->n; i++) {
		char text[512];

		element_text(o, list->v, i, text, sizeof(text));
		rc |= buf_append_str(out, i ? ", " : "");
		rc |= value_quote(out, text);
	}
	return rc | buf_append_str(out, list->n != 1 ? "}" : "");
}

static int format_word(const struct schema_option *o, const void *at,
		       struct buf *out)
{
	int i = o->type == SCHEMA_FLAG ? *(const bool *)at
				       : (int)*(const uint32_t *)at;
	struct slice w = schema_word_at(o->words, i);

	return buf_printf(out, "\"%.*s\"", (int)w.n, w.p);
}

static int format_source(const struct config_primary *p, struct buf *out)
{
	char text[INET_TEXT_MAX] = "";

	if (p->has_source)
		inet_format(&p->source, text);
	return buf_printf(out, "\"%s\"", text);
}

static int format_amount(const struct schema_option *o, const void *at,
			 struct buf *out)
{
	char text[64];

	if (o->words && *(const int64_t *)at == 0)
		snprintf(text, sizeof(text), "%s", o->words);
	else if (o->type == SCHEMA_SIZE)
		size_text(*(const uint64_t *)at, text, sizeof(text));
	else
		duration_text(*(const int64_t *)at, text, sizeof(text));
	return buf_printf(out, "\"%s\"", text);
}

int value_format(const struct schema_option *o, const void *base,
		 struct buf *out)
{
	const void *at = (const char *)base + o->at;

	switch (o->type) {
	case SCHEMA_TEXT:
		return value_quote(out, *(char *const *)at);
	case SCHEMA_BOOL:
		return buf_append_str(out,
				      *(const bool *)at ? "true" : "false");
	case SCHEMA_COUNT:
		return buf_printf(out, "%" PRIu32, *(const uint32_t *)at);
	case SCHEMA_PORT:
		return buf_printf(out, "%" PRIu16, *(const uint16_t *)at);
	case SCHEMA_SIZE:
	case SCHEMA_DURATION:
		return format_amount(o, at, out);
	case SCHEMA_WORD:
	case SCHEMA_FLAG:
		return format_word(o, at, out);
	case SCHEMA_SOURCE:
		return format_source(base, out);
	default:
		return format_list(o, at, out);
	}
}
