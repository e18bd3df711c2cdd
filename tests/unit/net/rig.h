/*
 * One loop, and streams that write down what they are told. A test acts, runs
 * the loop until something was written down, and compares; no test waits for
 * a time to pass, except for deadlines it set itself.
 */
#ifndef MXHOLD_TESTS_UNIT_NET_RIG_H
#define MXHOLD_TESTS_UNIT_NET_RIG_H

#include "mxhold/base/buf.h"
#include "mxhold/net/loop.h"
#include "mxhold/net/stream.h"
#include "mxhold/net/timer.h"
#include "unit/base/suite.h"

struct rig {
	struct loop *loop;
};

enum rig_event {
	RIG_NEVER,
	RIG_DATA,
	RIG_DRAINED,
	RIG_TLS,
	RIG_END
};

/* A stream with its story: "data(abc) drained tls end(eof) ". */
struct witness {
	struct rig *rig;
	struct stream *s;
	struct buf story;
	struct buf got; /* all bytes taken */
	size_t take;    /* at most this many an upcall */
	bool echo;      /* send back what was taken */
	bool brief;     /* do not write data into the story */
	enum rig_event close_at, finish_at; /* within that upcall */
	char why[256];
	/* Called first within on_data, may be NULL. */
	void (*also)(struct witness *w, struct slice bytes);
	unsigned calls; /* of on_data */
	unsigned depth, deepest;
};

void rig_open(struct rig *r);
void rig_close(struct rig *r); /* frees the loop: proves that all is closed */

/* Takes fd; an fd that is no socket fails the test. */
void witness_open(struct witness *w, struct rig *r, int fd);
/* Closes the stream if it is still open, frees. */
void witness_done(struct witness *w);
/* Runs the loop until the story contains this. */
void witness_until(struct witness *w, const char *text);
void witness_until_got(struct witness *w, size_t n);
/* Runs as many turns as it takes to do all that is due now. */
void rig_settle(struct rig *r);

/* Connected pairs; [0] non-blocking, [1] as asked. */
void pair_unix(int fd[2]);
void pair_tcp(int fd[2]);
void set_blocking(int fd, bool on);
void small_send_buffer(int fd);
/* Reads from a blocking fd until n bytes or its end; returns how many. */
size_t read_all(int fd, void *p, size_t n);

#endif
