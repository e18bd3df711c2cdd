#include "mxhold/base/mpsc.h"

#include <stddef.h>

#include "mxhold/base/assert.h"

void mpsc_init(struct mpsc *q)
{
	int failed = pthread_mutex_init(&q->lock, NULL);

	failed |= pthread_cond_init(&q->ready, NULL);
	MX_ASSERT(!failed);
	q->head = NULL;
	q->tail = &q->head;
	q->closed = false;
}

void mpsc_done(struct mpsc *q)
{
	MX_ASSERT(!q->head);
	pthread_cond_destroy(&q->ready);
	pthread_mutex_destroy(&q->lock);
}

bool mpsc_push(struct mpsc *q, struct mpsc_node *node)
{
	bool was_empty;

	node->next = NULL;
	pthread_mutex_lock(&q->lock);
	was_empty = !q->head;
	*q->tail = node;
	q->tail = &node->next;
	if (was_empty)
		pthread_cond_signal(&q->ready);
	pthread_mutex_unlock(&q->lock);
	return was_empty;
}

static struct mpsc_node *take_locked(struct mpsc *q)
{
	struct mpsc_node *all = q->head;

	q->head = NULL;
	q->tail = &q->head;
	return all;
}

struct mpsc_node *mpsc_take(struct mpsc *q)
{
	struct mpsc_node *all;

	pthread_mutex_lock(&q->lock);
	all = take_locked(q);
	pthread_mutex_unlock(&q->lock);
	return all;
}

struct mpsc_node *mpsc_wait(struct mpsc *q)
{
	struct mpsc_node *all;

	pthread_mutex_lock(&q->lock);
	while (!q->head && !q->closed)
		pthread_cond_wait(&q->ready, &q->lock);
	all = take_locked(q);
	pthread_mutex_unlock(&q->lock);
	return all;
}

void mpsc_close(struct mpsc *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_cond_signal(&q->ready);
	pthread_mutex_unlock(&q->lock);
}
