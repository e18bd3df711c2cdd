/*
 * A transcript: a dialogue as text, run over a machine without sockets.
 *
 *	# comment			names the rules it shows
 *	C: text				a client's line; CRLF is added
 *	c: text				octets without CRLF
 *	c*1000: text			so many times, without CRLF
 *	S: text				a server's line; "..." at its end
 *					stands for any rest
 *	Q: text				a question the server machine asks
 *	E: text				an event of the client machine
 *	@word text			something the driver does
 *
 * \r \n \t \0 \\ and \xHH stand for octets in C, c and S lines.
 */
#ifndef MXHOLD_TESTS_SCRIPT_H
#define MXHOLD_TESTS_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mxhold/base/buf.h"

struct step {
	char kind; /* C (also c), S, Q, E, @ */
	int line;
	bool crlf;
	struct buf text; /* octets; for @ the whole rest of the line */
};

struct script {
	const char *path;
	struct step *steps;
	size_t n;
};

enum cut { /* how input is handed over */
	CUT_BLOCKS,
	CUT_WHOLE, /* all that may come at once */
	CUT_BYTES,
	CUT_RANDOM
};

int script_read(struct script *s, const char *path); /* 0, or -1: said why */
void script_done(struct script *s);
/* What one run shows: output, and questions or events, one a line. */
struct trace {
	struct buf output;
	struct buf asked;
};

void trace_init(struct trace *t);
void trace_done(struct trace *t);
/* One line of the log: text with everything odd escaped. */
void trace_text(struct buf *b, struct slice s);
/* Size of the next piece out of n octets. */
size_t cut_next(enum cut how, size_t n);
/* Compares lines; a wanted line may end in "...". 0, or -1: said why. */
int trace_compare(const struct script *s, char kind, size_t upto,
		  struct slice got);
/* The value of "key=value" in a directive, or a lone "key" as "". False when
 * it is absent. `nth` counts from 0. */
bool directive_value(struct slice text, const char *key, int nth,
		     struct slice *value);
/* Text with the escapes of C lines, as octets. */
void script_octets(struct buf *b, struct slice text);
bool directive_is(const struct step *step, const char *word,
		  struct slice *rest);

/* All that a server said is replies. 0, or -1: said why */
int check_replies(const struct script *s, struct slice output);

/* 0, or -1: said why */
int run_server(const struct script *s, enum cut how, struct trace *t);
int run_client(const struct script *s, enum cut how, struct trace *t);

#endif
