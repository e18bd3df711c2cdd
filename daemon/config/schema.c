#include "mxhold/config/schema.h"

#include <stdio.h>
#include <string.h>

#include "mxhold/base/text.h"

const struct schema_option *schema_find(enum schema_id section,
					const char *name)
{
	for (size_t i = 0; i < schema_n_options; i++)
		if (schema_options[i].section == section &&
		    strcmp(schema_options[i].name, name) == 0)
			return &schema_options[i];
	return NULL;
}

const struct schema_section *schema_section(const char *name)
{
	for (size_t i = SCHEMA_TOP + 1; i < SCHEMA_SECTIONS; i++)
		if (strcmp(schema_sections[i].name, name) == 0)
			return &schema_sections[i];
	return NULL;
}

bool schema_is_list(const struct schema_option *o)
{
	switch (o->type) {
	case SCHEMA_TEXTS:
	case SCHEMA_DURATIONS:
	case SCHEMA_ENDPOINTS:
	case SCHEMA_CIDRS:
	case SCHEMA_ADDRESSES:
	case SCHEMA_DNSBL:
	case SCHEMA_RAWS:
		return true;
	default:
		return false;
	}
}

bool schema_is_bare(const struct schema_option *o)
{
	return o->type == SCHEMA_BOOL || o->type == SCHEMA_COUNT ||
	       o->type == SCHEMA_PORT;
}

static int format_list(const char *def, struct buf *out)
{
	int rc = buf_append_str(out, "{");

	while (*def) {
		size_t n = strcspn(def, ",");

		rc |= buf_printf(out, "\"%.*s\"", (int)n, def);
		def += n;
		if (*def) {
			def += strspn(def, ", ");
			rc |= buf_append_str(out, ", ");
		}
	}
	return rc | buf_append_str(out, "}");
}

int schema_format_default(const struct schema_option *o, struct buf *out)
{
	if (!o->def)
		return 0;
	if (schema_is_list(o) && (!*o->def || strchr(o->def, ',')))
		return format_list(o->def, out);
	return buf_printf(out, schema_is_bare(o) ? "%s" : "\"%s\"", o->def);
}

bool schema_is_near(const char *text, const char *name)
{
	size_t n = strlen(name);

	return text_distance(text, name) <= (n < 4 ? 1 : n < 8 ? 2 : 3);
}

/* Keeps the nearer of `best` and `name`. */
static void consider(const char *text, const char *name, const char **best,
		     int *distance)
{
	int d = text_distance(text, name);

	if (d < *distance && schema_is_near(text, name)) {
		*distance = d;
		*best = name;
	}
}

const char *schema_nearest_section(const char *name)
{
	const char *best = NULL;
	int distance = 99;

	for (size_t i = SCHEMA_TOP + 1; i < SCHEMA_SECTIONS; i++)
		consider(name, schema_sections[i].name, &best, &distance);
	return best;
}

const char *schema_nearest_option(enum schema_id section, const char *name)
{
	const char *best = NULL;
	int distance = 99;

	for (size_t i = 0; i < schema_n_options; i++)
		if (schema_options[i].section == section)
			consider(name, schema_options[i].name, &best,
				 &distance);
	return best;
}

struct slice schema_word_at(const char *words, int i)
{
	while (i-- > 0) {
		words += strcspn(words, "|");
		words += *words == '|';
	}
	return slice_make(words, strcspn(words, "|"));
}

int schema_word_index(const char *words, const char *text)
{
	for (int i = 0;; i++) {
		struct slice w = schema_word_at(words, i);

		if (w.n == 0)
			return -1;
		if (slice_eq(w, slice_str(text)))
			return i;
	}
}

const char *schema_nearest_word(const char *words, const char *text, char *out,
				size_t room)
{
	int best = 99;

	out[0] = '\0';
	for (int i = 0;; i++) {
		struct slice w = schema_word_at(words, i);
		char word[64];
		int d;

		if (w.n == 0)
			return out[0] ? out : NULL;
		snprintf(word, sizeof(word), "%.*s", (int)w.n, w.p);
		d = text_distance(text, word);
		if (d < best && schema_is_near(text, word)) {
			best = d;
			snprintf(out, room, "%s", word);
		}
	}
}
