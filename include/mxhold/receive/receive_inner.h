/*
 * The inside of the front door's main-loop side, shared by its files only:
 * receive.c (life, accepting, notes), receive_watch.c (what is watched over
 * all sessions), receive_simulate.c. Main loop.
 */
#ifndef MXHOLD_RECEIVE_RECEIVE_INNER_H
#define MXHOLD_RECEIVE_RECEIVE_INNER_H

#include "mxhold/receive/client_dns.h"
#include "mxhold/receive/escape.h"
#include "mxhold/receive/gate.h"
#include "mxhold/receive/magnet.h"
#include "mxhold/receive/notes.h"
#include "mxhold/receive/primaries.h"
#include "mxhold/receive/receive.h"
#include "mxhold/receive/worker.h"

enum {
	RECEIVE_ESCAPE_MAX = 32768
};

struct receive {
	struct receive_parts parts;
	const struct config *config;
	struct gate *gate;
	struct primaries *primaries;
	struct client_dns *client_dns;
	struct escape *escape;
	struct magnet *magnet;
	struct map states; /* of primaries by name: struct worker_primary */
	size_t n_up;       /* of them */
	bool is_pressed;   /* as the workers were told */
	struct mailbox *home;
	struct timer *look_at_primaries;
	struct doors *doors;
	struct worker **workers;
	size_t n_workers, n_started, n_stopped;
	uint64_t last_sid;
	bool stopping;
	void (*on_stopped)(void *data);
	void *on_stopped_data;
};

/* receive.c */
bool receive_is_in(const struct config_cidrs *nets, const struct inet_addr *a);

/* receive_watch.c */
/* After each admission and leave: has the load become high or low? */
void receive_look_at_load(struct receive *r);
/* Turned away with 421 instead of a greeting. */
void receive_count_door(struct receive *r, const struct inet_addr *client);
void receive_take_dns(struct receive *r, struct note_dns *n);
void receive_take_visits(struct receive *r, struct note_visits *v);
void receive_take_escape(struct receive *r, struct ticket *t);
/* Also its up-time clock; 0 while nothing was told. NULL: none is up. */
bool receive_primary_is_up(const struct receive *r,
			   const struct config_primary *primary,
			   int64_t *up_ms);
void receive_take_state(struct receive *r, const char *primary, bool is_up,
			int64_t up_ms);
/* May it be asked about at block lists, and held against it? */
bool receive_is_judged(const struct receive *r, const struct inet_addr *a);

#endif
