/*
 * A queue with many producers and one consumer: the only mutex of the house.
 * Nodes are embedded; pushing moves ownership to the consumer.
 */
#ifndef MXHOLD_BASE_MPSC_H
#define MXHOLD_BASE_MPSC_H

#include <pthread.h>
#include <stdbool.h>

struct mpsc_node {
	struct mpsc_node *next;
};

struct mpsc {
	pthread_mutex_t lock;
	pthread_cond_t ready;
	struct mpsc_node *head, **tail;
	bool closed;
};

void mpsc_init(struct mpsc *q);
void mpsc_done(struct mpsc *q); /* must be empty */
/* Any thread. True when the queue was empty before: wake the consumer. */
bool mpsc_push(struct mpsc *q, struct mpsc_node *node);
/* Consumer: everything, oldest first, as a chain by ->next; NULL if empty. */
struct mpsc_node *mpsc_take(struct mpsc *q);
/* Consumer: waits until there is something or the queue is closed and empty
 * (then NULL). */
struct mpsc_node *mpsc_wait(struct mpsc *q);
void mpsc_close(struct mpsc *q); /* wakes mpsc_wait; pushes still work */

#endif
