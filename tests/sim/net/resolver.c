/* net/resolver.h: the world answers. */
#include "mxhold/net/resolver.h"

#include <stdio.h>
#include <string.h>

#include "loop_inside.h"
#include "wire.h"

#include "mxhold/base/list.h"
#include "mxhold/base/mem.h"

enum {
	PATIENCE_MS = 30000
};

struct resolver {
	struct loop *loop;
	struct list queries;
	int64_t timeout_ms;
};

struct resolver_query {
	struct sim_event event;
	struct list item;
	char name[256];
	enum dns_type type;
	bool is_answered; /* else its time is up */
	void (*on_answer)(void *data, const struct dns_answer *);
	void *data;
};

struct resolver *resolver_new(struct loop *l,
			      const struct resolver_options *options,
			      struct error *err MX_UNUSED)
{
	struct resolver *r = mem_alloc(sizeof(*r));

	r->loop = l;
	r->timeout_ms = options->timeout_ms ? options->timeout_ms : PATIENCE_MS;
	list_init(&r->queries);
	l->n_owned++;
	return r;
}

void resolver_cancel(struct resolver_query *q)
{
	if (!q)
		return;
	sim_cancel(&q->event);
	list_remove(&q->item);
	mem_free(q);
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	while (!list_empty(&r->queries))
		resolver_cancel(MX_CONTAINER_OF(r->queries.next,
						struct resolver_query, item));
	r->loop->n_owned--;
	mem_free(r);
}

bool resolver_validates(const struct resolver *r MX_UNUSED)
{
	return false;
}

static void run_answer(struct sim_event *e)
{
	static struct dns_answer answer; /* large */
	struct resolver_query *q =
		MX_CONTAINER_OF(e, struct resolver_query, event);

	memset(&answer, 0, sizeof(answer));
	answer.status = DNS_FAIL;
	snprintf(answer.canonical, sizeof(answer.canonical), "%s", q->name);
	if (q->is_answered)
		sim_world->answer(q->name, (int)q->type, &answer);
	list_remove(&q->item);
	q->on_answer(q->data, &answer);
	mem_free(q);
}

struct resolver_query *
resolver_ask(struct resolver *r, const char *name, enum dns_type type,
	     void (*on_answer)(void *data, const struct dns_answer *),
	     void *data)
{
	struct resolver_query *q = mem_alloc(sizeof(*q));
	int64_t after_us = sim_world->resolve(name, (int)type);

	snprintf(q->name, sizeof(q->name), "%s", name);
	q->type = type;
	q->on_answer = on_answer;
	q->data = data;
	q->is_answered = after_us >= 0;
	list_append(&r->queries, &q->item);
	sim_event_init(&q->event, SIM_DNS, r->loop, run_answer);
	sim_schedule(&q->event,
		     q->is_answered ? after_us : r->timeout_ms * 1000);
	return q;
}
