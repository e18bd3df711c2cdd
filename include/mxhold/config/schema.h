/*
 * The table of all options: name, type, bounds, default, whether a reload
 * takes a change over, one line of help. Everything else is made from it:
 * libConfuse's own table, defaults, complaints, config_dump, and the tests
 * that compare mxholdd.conf(5) and the example file with it. Constant data;
 * any thread.
 */
#ifndef MXHOLD_CONFIG_SCHEMA_H
#define MXHOLD_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mxhold/base/buf.h"

enum schema_type {        /* and what it is in its struct */
	SCHEMA_TEXT,      /* char *; with words: one of them */
	SCHEMA_TEXTS,     /* struct config_strings; with words: of them */
	SCHEMA_BOOL,      /* bool */
	SCHEMA_COUNT,     /* uint32_t */
	SCHEMA_PORT,      /* uint16_t */
	SCHEMA_SIZE,      /* uint64_t; the word stands for 0 */
	SCHEMA_DURATION,  /* int64_t, ms; the word stands for 0 */
	SCHEMA_DURATIONS, /* int64_t * and size_t */
	SCHEMA_WORD,      /* an enum: the number of the word */
	SCHEMA_FLAG,      /* bool: the number of the word, 0 or 1 */
	SCHEMA_ENDPOINTS, /* struct endpoint * and size_t */
	SCHEMA_CIDRS,     /* struct config_cidrs */
	SCHEMA_ADDRESSES, /* struct inet_addr * and size_t */
	SCHEMA_SOURCE,    /* bool has_source, at it struct inet_addr source */
	SCHEMA_DNSBL,     /* struct config_dnsbl * and size_t */
	SCHEMA_RAW,       /* one text, resolved by config/build.c */
	SCHEMA_RAWS,      /* texts, resolved by config/build.c */
};

enum schema_flags {
	SCHEMA_RESTART = 1, /* a change needs a restart */
	SCHEMA_GLOBAL = 2,  /* cannot differ by domain */
	SCHEMA_LATER = 4,   /* read and checked; nothing acts on it yet */
};

enum schema_id {
	SCHEMA_TOP,
	SCHEMA_LISTEN,
	SCHEMA_TLS,
	SCHEMA_SMTP,
	SCHEMA_POLICY,
	SCHEMA_QUEUE,
	SCHEMA_PROBE,
	SCHEMA_DRAIN,
	SCHEMA_BREAKER,
	SCHEMA_BOUNCE,
	SCHEMA_DNS,
	SCHEMA_LOG,
	SCHEMA_CONTROL,
	SCHEMA_METRICS,
	SCHEMA_ALERT,
	SCHEMA_PRIMARY,
	SCHEMA_DOMAIN,
	SCHEMA_SECTIONS
};

struct schema_option {
	enum schema_id section;
	const char *name;
	enum schema_type type;
	size_t at;         /* offset in the section's struct */
	uint64_t min, max; /* numbers, bytes, ms */
	const char *words; /* "defer|reject|record", or NULL */
	const char *def;   /* default; lists as "a, b"; NULL = none */
	const char *help;
	unsigned flags; /* enum schema_flags */
};

struct schema_section {
	enum schema_id id;
	const char *name; /* "" = outside of all sections */
	bool titled;      /* section "title" { }, may be repeated */
	bool in_domain;   /* may stand in a domain{} as an override */
	size_t at;        /* offset of its struct in struct config, or, when
			   * in_domain, see at_domain too; 0 for titled */
	size_t at_domain;
	const char *help;
};

extern const struct schema_option schema_options[];
extern const size_t schema_n_options;
extern const struct schema_section schema_sections[SCHEMA_SECTIONS];

const struct schema_option *schema_find(enum schema_id section,
					const char *name);
/* By its name; NULL when there is none. */
const struct schema_section *schema_section(const char *name);
bool schema_is_list(const struct schema_option *o);
/* Words are written bare or quoted: "30d", 20, true, {"a", "b"}. */
bool schema_is_bare(const struct schema_option *o);
/* The default in the file's own syntax; "" when there is none. */
int schema_format_default(const struct schema_option *o, struct buf *out);

/*
 * The nearest known name within the reach of a typing mistake, or NULL.
 * schema_nearest_word looks through "a|b|c" and copies what it found.
 */
const char *schema_nearest_option(enum schema_id section, const char *name);
const char *schema_nearest_section(const char *name);
const char *schema_nearest_word(const char *words, const char *text, char *out,
				size_t room);
/* The number of a word in "a|b|c", or -1. */
int schema_word_index(const char *words, const char *text);
/* Word number i of "a|b|c". */
struct slice schema_word_at(const char *words, int i);
/* True when `text` is near enough to `name` to be meant (names of any kind,
 * such as titles). */
bool schema_is_near(const char *text, const char *name);

#endif
