/*
 * From the text of an option to the value in its struct, and back. One
 * parser a type of the schema, used for what was written and for defaults.
 */
#ifndef MXHOLD_CONFIG_VALUE_H
#define MXHOLD_CONFIG_VALUE_H

#include "mxhold/config/complaints.h"
#include "mxhold/config/config.h"
#include "mxhold/config/pool.h"
#include "mxhold/config/schema.h"

struct value_target {
	void *base;        /* the section's struct */
	struct pool *pool; /* for what the value points to */
	struct complaints *complaints;
	struct place at;
	const char *label; /* of the option, for complaints */
};

/*
 * Sets the option; texts are the elements of a list, or one. What is wrong
 * is said through complaints and leaves the option as it was (a list without
 * its wrong elements). SCHEMA_RAW and SCHEMA_RAWS are none of its business.
 */
void value_set(const struct value_target *t, const struct schema_option *o,
	       char **texts, size_t n);
/* Sets the default of the table. */
void value_set_default(const struct value_target *t,
		       const struct schema_option *o);
/* The value in the file's syntax, as value_set would take it. */
int value_format(const struct schema_option *o, const void *base,
		 struct buf *out);
/* A string in the file's syntax, quoted. */
int value_quote(struct buf *out, const char *text);
/* "{"a", "b"}", or the one element alone. */
int value_quote_list(struct buf *out, char *const *texts, size_t n);

#endif
