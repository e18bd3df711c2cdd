/*
 * A look over a configuration file before libConfuse reads it. libConfuse
 * miscounts lines behind comments, takes no comment within a list, lets a
 * forgotten quote swallow the rest of the file and turns ${NAME} of an unset
 * variable into nothing. So comments are blanked here, and quotes and
 * variables are checked. Grammar is libConfuse's. Pure.
 */
#ifndef MXHOLD_CONFIG_LEXER_H
#define MXHOLD_CONFIG_LEXER_H

#include <stdbool.h>
#include <stddef.h>

#include "mxhold/config/complaints.h"
#include "mxhold/config/pool.h"

struct token {
	char kind;    /* 'w' word, 's' string, or one of { } ( ) = , */
	size_t at, n; /* within the text; quotes included */
	int line;
};

struct lexed {
	const char *file;
	char *text; /* of the caller; comments become blanks */
	struct token *tokens;
	size_t n;
};

/* 0, or -1 with complaints: libConfuse should not be shown this text. */
int lexer_scan(struct lexed *l, const char *file, char *text, struct pool *pool,
	       struct complaints *complaints);
/*
 * Blanks the statement that begins with the word `name` on `line`, such as
 * an unknown option or section with all that belongs to it. 0, or -1 when
 * there is none.
 */
int lexer_blank(struct lexed *l, const char *name, int line);
/* The n-th (from 0) statement that reads NAME "title" {, with its name and
 * line; false when there are fewer. */
bool lexer_titled(const struct lexed *l, const char *title, size_t n,
		  char *name, size_t room, int *line);
/* The line of the n-th (from 0) section `name` outside of all others. */
int lexer_section_line(const struct lexed *l, const char *name, size_t n);

#endif
