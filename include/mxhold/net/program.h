/*
 * Another program, run for what it prints: argv as it is written, no shell;
 * its environment is PATH and what is given here; /dev/null as its input, a
 * process group of its own, which ends with it. Blocks: for the work pool or
 * a command-line tool, never on a loop.
 */
#ifndef MXHOLD_NET_PROGRAM_H
#define MXHOLD_NET_PROGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#include "mxhold/base/error.h"
#include "mxhold/base/slice.h"

enum {
	PROGRAM_WORDS_MAX = 64,
};

struct program {
	const char *command;     /* words parted by blanks; a whole path */
	const char *const *vars; /* NAME=value, ends with NULL; may be NULL */
	int64_t timeout_ms;      /* then the whole group is killed */
	uint64_t max_size;       /* octets it may print */
	const atomic_bool *cancelled; /* may be NULL; heeded soon */
	/* What it prints, as it comes; not 0: stop, with the reason in err. */
	int (*on_bytes)(void *data, struct slice bytes, struct error *err);
	void *data;
};

/* 0 when it ended with status 0 in time, else -1; what it complained of on
 * its standard error stands in the sentence, cleaned and cut. */
int program_run(const struct program *p, struct error *err);

#endif
