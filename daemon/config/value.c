#include "mxhold/config/value.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/text.h"

/* Numbers with bounds */

static void format_bound(const struct schema_option *o, uint64_t v,
			 char out[TEXT_TIME_MAX])
{
	if (o->type == SCHEMA_DURATION || o->type == SCHEMA_DURATIONS) {
		if (v % 1000)
			snprintf(out, TEXT_TIME_MAX, "%llums",
				 (unsigned long long)v);
		else
			text_format_age((int64_t)v, out);
	} else if (o->type == SCHEMA_SIZE) {
		text_format_size(v, out);
	} else {
		snprintf(out, TEXT_TIME_MAX, "%llu", (unsigned long long)v);
	}
}

static bool within(const struct value_target *t, const struct schema_option *o,
		   const char *text, uint64_t v)
{
	char lo[TEXT_TIME_MAX], hi[TEXT_TIME_MAX];

	if (v >= o->min && v <= o->max)
		return true;
	format_bound(o, o->min, lo);
	format_bound(o, o->max, hi);
	complain(t->complaints, t->at, t->label,
		 "\"%s\" is out of bounds (%s to %s)", text, lo, hi);
	return false;
}

static bool read_count(const struct value_target *t,
		       const struct schema_option *o, const char *text,
		       uint64_t *v)
{
	if (text_parse_u64(slice_str(text), v) < 0) {
		complain(t->complaints, t->at, t->label,
			 "\"%s\" is not a whole number", text);
		return false;
	}
	return within(t, o, text, *v);
}

static bool read_size(const struct value_target *t,
		      const struct schema_option *o, const char *text,
		      uint64_t *v)
{
	*v = 0;
	if (o->words && strcmp(text, o->words) == 0)
		return true;
	if (text_parse_size(slice_str(text), v) < 0) {
		complain(t->complaints, t->at, t->label,
			 "\"%s\" is not a size, such as 64K, 50M or 10G%s%s",
			 text, o->words ? ", nor " : "",
			 o->words ? o->words : "");
		return false;
	}
	return within(t, o, text, *v);
}

static bool read_duration(const struct value_target *t,
			  const struct schema_option *o, const char *text,
			  int64_t *v)
{
	*v = 0;
	if (o->words && strcmp(text, o->words) == 0)
		return true;
	if (text_parse_duration(slice_str(text), v) < 0) {
		complain(t->complaints, t->at, t->label,
			 "\"%s\" is not a duration, such as 10s, 5m, 2h or "
			 "30d%s%s",
			 text, o->words ? ", nor " : "",
			 o->words ? o->words : "");
		return false;
	}
	return within(t, o, text, (uint64_t)*v);
}

/* Words */

static bool read_bool(const struct value_target *t, const char *text, bool *v)
{
	static const char *const yes[] = {"true", "yes", "on"};
	static const char *const no[] = {"false", "no", "off"};

	for (size_t i = 0; i < MX_ARRAY_SIZE(yes); i++) {
		*v = strcasecmp(text, yes[i]) == 0;
		if (*v || strcasecmp(text, no[i]) == 0)
			return true;
	}
	complain(t->complaints, t->at, t->label,
		 "\"%s\" is neither true nor false", text);
	return false;
}

static void list_words(const char *words, char *out, size_t room)
{
	size_t n = 0;

	for (int i = 0; n + 1 < room; i++) {
		struct slice w = schema_word_at(words, i);

		if (w.n == 0)
			break;
		n += (size_t)snprintf(out + n, room - n, "%s%.*s",
				      i ? ", " : "", (int)w.n, w.p);
	}
}

static int read_word(const struct value_target *t,
		     const struct schema_option *o, const char *text)
{
	int i = schema_word_index(o->words, text);
	char near[64], all[256];

	if (i >= 0)
		return i;
	list_words(o->words, all, sizeof(all));
	if (schema_nearest_word(o->words, text, near, sizeof(near)))
		complain(t->complaints, t->at, t->label,
			 "\"%s\" is not one of %s; did you mean %s?", text, all,
			 near);
	else
		complain(t->complaints, t->at, t->label,
			 "\"%s\" is not one of %s", text, all);
	return -1;
}

static bool read_text(const struct value_target *t,
		      const struct schema_option *o, const char *text)
{
	if (o->words && read_word(t, o, text) < 0)
		return false;
	if (!*text && o->min > 0) {
		complain(t->complaints, t->at, t->label, "must not be empty");
		return false;
	}
	for (const char *p = text; *p; p++) {
		if (!iscntrl((unsigned char)*p))
			continue;
		complain(t->complaints, t->at, t->label,
			 "\"%s\" holds a control character", text);
		return false;
	}
	return true;
}

/* Network things */

static bool read_network(const struct value_target *t,
			 const struct schema_option *o, const char *text,
			 void *v)
{
	struct slice s = slice_str(text);
	const char *what = NULL;

	if (o->type == SCHEMA_ENDPOINTS && endpoint_parse(s, v) < 0)
		what = "an address with a port, such as 192.0.2.1:25 or "
		       "[2001:db8::1]:25";
	if (o->type == SCHEMA_CIDRS && cidr_parse(s, v) < 0)
		what = "a network, such as 192.0.2.0/24 or 2001:db8::/32";
	if ((o->type == SCHEMA_ADDRESSES || o->type == SCHEMA_SOURCE) &&
	    inet_parse(s, v) < 0)
		what = "an address, such as 192.0.2.1 or 2001:db8::1";
	if (what)
		complain(t->complaints, t->at, t->label, "\"%s\" is not %s",
			 text, what);
	return !what;
}

/* "zone" or "zone:weight"; a weight may be negative, for allow lists. */
static bool read_dnsbl(const struct value_target *t, const char *text,
		       struct config_dnsbl *v)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : strlen(text);
	const char *digits = colon ? colon + 1 : "1";
	bool minus = *digits == '-';
	uint64_t weight;

	if (n == 0 || strcspn(text, " /\t") < n ||
	    text_parse_u64(slice_str(digits + minus), &weight) < 0 ||
	    weight > 1000000) {
		complain(t->complaints, t->at, t->label,
			 "\"%s\" is not a list, such as zen.example or "
			 "zen.example:2",
			 text);
		return false;
	}
	v->zone = pool_strndup(t->pool, text, n);
	v->weight = minus ? -(int)weight : (int)weight;
	return true;
}

/* Lists */

static size_t element_size(const struct schema_option *o)
{
	switch (o->type) {
	case SCHEMA_TEXTS:
		return sizeof(char *);
	case SCHEMA_DURATIONS:
		return sizeof(int64_t);
	case SCHEMA_ENDPOINTS:
		return sizeof(struct endpoint);
	case SCHEMA_CIDRS:
		return sizeof(struct cidr);
	case SCHEMA_ADDRESSES:
		return sizeof(struct inet_addr);
	default:
		MX_ASSERT(o->type == SCHEMA_DNSBL);
		return sizeof(struct config_dnsbl);
	}
}

static bool read_element(const struct value_target *t,
			 const struct schema_option *o, const char *text,
			 void *v)
{
	switch (o->type) {
	case SCHEMA_TEXTS:
		*(char **)v = pool_strdup(t->pool, text);
		return read_text(t, o, text);
	case SCHEMA_DURATIONS:
		return read_duration(t, o, text, v);
	case SCHEMA_DNSBL:
		return read_dnsbl(t, text, v);
	default:
		return read_network(t, o, text, v);
	}
}

/* Every list of the structs is laid out like this (see schema.c). */
struct list_value {
	void *v;
	size_t n;
};

static void set_list(const struct value_target *t,
		     const struct schema_option *o, char **texts, size_t n)
{
	struct list_value *out = (void *)((char *)t->base + o->at);
	size_t size = element_size(o), taken = 0;
	char *v = n ? pool_array(t->pool, n, size) : NULL;

	if (n == 0 && o->min > 0) {
		complain(t->complaints, t->at, t->label, "must not be empty");
		return;
	}
	for (size_t i = 0; i < n; i++)
		taken += read_element(t, o, texts[i], v + taken * size);
	out->v = v;
	out->n = taken;
}

static void set_source(const struct value_target *t,
		       const struct schema_option *o, const char *text)
{
	struct config_primary *p = t->base;
	struct inet_addr a = {0};

	if (*text && !read_network(t, o, text, &a))
		return;
	p->has_source = *text != '\0';
	p->source = a;
}

static void set_number(const struct value_target *t,
		       const struct schema_option *o, const char *text)
{
	void *at = (char *)t->base + o->at;
	uint64_t v;

	if (o->type == SCHEMA_SIZE) {
		if (read_size(t, o, text, &v))
			*(uint64_t *)at = v;
	} else if (read_count(t, o, text, &v)) {
		if (o->type == SCHEMA_PORT)
			*(uint16_t *)at = (uint16_t)v;
		else
			*(uint32_t *)at = (uint32_t)v;
	}
}

static void set_word(const struct value_target *t,
		     const struct schema_option *o, const char *text)
{
	void *at = (char *)t->base + o->at;
	int i = read_word(t, o, text);

	if (i < 0)
		return;
	if (o->type == SCHEMA_FLAG)
		*(bool *)at = i == 1;
	else
		*(uint32_t *)at = (uint32_t)i;
}

static void set_one(const struct value_target *t, const struct schema_option *o,
		    const char *text)
{
	void *at = (char *)t->base + o->at;
	int64_t ms;
	bool yes;

	switch (o->type) {
	case SCHEMA_TEXT:
		if (read_text(t, o, text))
			*(char **)at = pool_strdup(t->pool, text);
		break;
	case SCHEMA_BOOL:
		if (read_bool(t, text, &yes))
			*(bool *)at = yes;
		break;
	case SCHEMA_DURATION:
		if (read_duration(t, o, text, &ms))
			*(int64_t *)at = ms;
		break;
	case SCHEMA_WORD:
	case SCHEMA_FLAG:
		set_word(t, o, text);
		break;
	case SCHEMA_SOURCE:
		set_source(t, o, text);
		break;
	default:
		set_number(t, o, text);
	}
}

void value_set(const struct value_target *t, const struct schema_option *o,
	       char **texts, size_t n)
{
	if (o->type == SCHEMA_RAW || o->type == SCHEMA_RAWS)
		return;
	if (schema_is_list(o))
		set_list(t, o, texts, n);
	else if (n > 0)
		set_one(t, o, texts[n - 1]);
}

void value_set_default(const struct value_target *t,
		       const struct schema_option *o)
{
	char *texts[16], *copy;
	size_t n = 0;

	if (!o->def)
		return;
	copy = pool_strdup(t->pool, o->def);
	if (!schema_is_list(o)) {
		value_set(t, o, &copy, 1);
		return;
	}
	for (char *save, *p = strtok_r(copy, ", ", &save); p;
	     p = strtok_r(NULL, ", ", &save)) {
		MX_ASSERT(n < MX_ARRAY_SIZE(texts));
		texts[n++] = p;
	}
	value_set(t, o, texts, n);
}
