/*
 * A connection as the network has it: two ends, bytes on their way, a window
 * that fills, a delay, cuts anywhere. An end belongs to a stream of the
 * daemon or to a peer of the world. Nothing is told from within a call.
 */
#ifndef MXHOLD_SIM_WIRE_H
#define MXHOLD_SIM_WIRE_H

#include "mxhold/base/buf.h"
#include "mxhold/base/inet.h"
#include "sched.h"

enum {
	WIRE_WINDOW = 64 * 1024, /* one way: on its way or not taken */
};

struct wire_end;

struct wire_events {
	/* How many were taken; the others wait for wire_resume. */
	size_t (*on_bytes)(void *owner, struct slice bytes);
	void (*on_room)(void *owner); /* after a short wire_send */
	void (*on_eof)(void *owner);
	void (*on_reset)(void *owner);
};

struct wire_options {
	int64_t latency_us; /* one way */
	size_t segment;     /* the most that comes at once; 0 = any */
	struct endpoint from, to;
};

/* Ends [0] (who called) and [1]; both have no owner yet: what comes waits. */
void wire_new(const struct wire_options *o, struct wire_end *ends[2]);
void wire_own(struct wire_end *e, struct loop *l,
	      const struct wire_events *events, void *owner);
/* How many bytes fit. */
size_t wire_send(struct wire_end *e, struct slice bytes);
void wire_resume(struct wire_end *e);
void wire_shutdown(struct wire_end *e); /* nothing more is sent */
/* The owner is gone; what it had not read makes this a reset, as in TCP. */
void wire_close(struct wire_end *e);
void wire_reset(struct wire_end *e); /* and gone */
/* From now on nothing arrives at either end. */
void wire_silence(struct wire_end *e);
bool wire_is_silent(const struct wire_end *e);
/* on_reset, when nothing has arrived for so long that should. */
void wire_watch(struct wire_end *e, int64_t silence_us);
struct endpoint wire_peer(const struct wire_end *e);
struct endpoint wire_local(const struct wire_end *e);

/* --- what the world decides of the daemon's calls ------------------------- */

enum sim_answer {
	SIM_ACCEPTED,
	SIM_REFUSED,     /* a reset, at once */
	SIM_UNREACHABLE, /* an ICMP message */
	SIM_NO_ANSWER
};

struct dns_answer;

struct sim_world {
	/* Fills o (latency, segment). */
	enum sim_answer (*connect)(const struct endpoint *to,
				   struct wire_options *o);
	/* The daemon's call was taken: this end is the world's. */
	void (*connected)(const struct endpoint *to, struct wire_end *e);
	/* Microseconds until there is an answer; -1: there is none. */
	int64_t (*resolve)(const char *name, int type);
	/* The answer, when it comes; status is DNS_FAIL, all else 0. */
	void (*answer)(const char *name, int type, struct dns_answer *out);
	int64_t (*commit_us)(void); /* how long the next commit takes */
};

extern const struct sim_world *sim_world;

/* The writer sleeps between its reports and its commit (ack-early). */
bool sim_is_committing(void);

/* Somebody calls the daemon. False: nobody listens there. */
bool wire_call(const struct wire_options *o, struct wire_end **ours);

#endif
