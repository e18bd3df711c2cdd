/*
 * What was written, by section and option, with the place of each: the
 * outcome of reading files through libConfuse, before anything is judged
 * but names. libConfuse keeps its lexer in globals: one reading at a time
 * in a process.
 */
#ifndef MXHOLD_CONFIG_TREE_H
#define MXHOLD_CONFIG_TREE_H

#include "mxhold/config/complaints.h"
#include "mxhold/config/pool.h"
#include "mxhold/config/schema.h"

struct tree_value {
	struct tree_value *next;
	const struct schema_option *option;
	struct place at;
	char **texts;
	size_t n;
};

struct tree_section {
	struct tree_section *next;
	const struct schema_section *kind;
	char *title; /* NULL when untitled */
	struct place at;
	struct tree_section *parent; /* the domain{} it stands in, or NULL */
	struct tree_value *values;
};

struct tree {
	struct pool *pool;
	struct tree_section *sections, **tail; /* in the order of reading */
	struct complaints *complaints;
	bool broken; /* some file could not be read to its end */
};

void tree_init(struct tree *t, struct pool *pool,
	       struct complaints *complaints);
/* Adds what a file says. */
void tree_read(struct tree *t, const char *file);
/* The next section of a kind after `after` (NULL: the first), children of
 * `parent` only (NULL: those outside of all others). */
struct tree_section *tree_next(const struct tree *t,
			       const struct tree_section *after,
			       enum schema_id kind,
			       const struct tree_section *parent);
/* NULL when it was not said there. */
const struct tree_value *tree_value(const struct tree_section *s,
				    const char *option);
/* "smtp.max_rcpt", "domain \"x\".drain.rate": for complaints; in the pool. */
const char *tree_label(const struct tree *t, const struct tree_section *s,
		       const char *option);

#endif
