/* An intrusive, circular, doubly linked list. One thread at a time. */
#ifndef MXHOLD_BASE_LIST_H
#define MXHOLD_BASE_LIST_H

#include <stdbool.h>

#include "mxhold/base/attr.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_append(struct list *head, struct list *item)
{
	item->prev = head->prev;
	item->next = head;
	head->prev->next = item;
	head->prev = item;
}

/* Also safe on an item that is alone. */
static inline void list_remove(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

/* All of `from` behind what `to` has. */
static inline void list_move(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define LIST_FOR_EACH(it, head) \
	for (struct list *it = (head)->next; it != (head); it = it->next)

/* The body may remove `it`. */
#define LIST_FOR_EACH_SAFE(it, head)                                \
	for (struct list *it = (head)->next, *it##_next = it->next; \
	     it != (head); it = it##_next, it##_next = it->next)

#endif
