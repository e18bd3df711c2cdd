/* Taking a command line to pieces (RFC 5321 4.1.1). Pure, no copies. */
#ifndef MXHOLD_SMTP_COMMAND_H
#define MXHOLD_SMTP_COMMAND_H

#include <stdbool.h>

#include "mxhold/base/slice.h"

struct smtp_command {
	struct slice verb; /* up to the first space */
	struct slice arg;  /* the rest, blanks at both ends cut */
};

void smtp_command_split(struct slice line, struct smtp_command *out);

/* "FROM:<a@b> SIZE=1" with keyword "FROM:" -> "<a@b> SIZE=1". Blanks behind
 * the colon are tolerated (RFC 5321 3.3 has none). False: other keyword. */
bool smtp_command_path(struct slice arg, struct slice keyword,
		       struct slice *path);

/* The next blank-separated word of *rest, which is moved past it. */
bool smtp_command_word(struct slice *rest, struct slice *word);

/*
 * The argument of EHLO and HELO (RFC 5321 4.1.1.1): one domain or address
 * literal. Not strict: underscores, colons, a trailing dot, literals of any
 * content and text behind a literal pass, since a refusal loses real mail.
 * *name is the domain or literal alone.
 */
bool smtp_command_helo(struct slice arg, bool strict, struct slice *name);

#endif
