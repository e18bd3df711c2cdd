/*
 * The inside of the front door's main-loop side, shared by its files only:
 * receive.c (life, accepting, notes), receive_watch.c (what is watched over
 * all sessions). Main loop.
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
	struct map up;   /* names of primaries that are up */
	bool is_pressed; /* as the workers were told */
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
/* May it be asked about at block lists, and held against it? */
bool receive_is_judged(const struct receive *r, const struct inet_addr *a);

#endif
