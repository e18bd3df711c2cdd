#include "mxhold/net/mailbox.h"

#include "loop_internal.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"

struct mailbox {
	uv_async_t wake;
	struct loop *loop;
	struct mpsc queue;
	struct mpsc_node *taken; /* notes on their way to on_note */
	bool freed;
	void (*on_note)(void *data, struct mpsc_node *note);
	void *data;
};

/* The chain is kept in the mailbox, so that mailbox_free within on_note goes
 * on where this stopped. One chain a turn: a note posted by on_note wakes the
 * loop again. */
static void deliver(struct mailbox *m)
{
	while (m->taken) {
		struct mpsc_node *note = m->taken;
		m->taken = note->next;
		note->next = NULL;
		m->on_note(m->data, note);
	}
}

static void on_wake(uv_async_t *h)
{
	struct mailbox *m = MX_CONTAINER_OF(h, struct mailbox, wake);
	m->taken = mpsc_take(&m->queue);
	deliver(m);
}

static void on_closed(uv_handle_t *h)
{
	struct mailbox *m =
		MX_CONTAINER_OF((uv_async_t *)h, struct mailbox, wake);
	mpsc_done(&m->queue);
	mem_free(m);
}

struct mailbox *mailbox_new(struct loop *l,
			    void (*on_note)(void *data, struct mpsc_node *note),
			    void *data)
{
	struct mailbox *m = mem_alloc(sizeof(*m));
	m->loop = l;
	m->on_note = on_note;
	m->data = data;
	mpsc_init(&m->queue);
	int rc = uv_async_init(&l->uv, &m->wake, on_wake);
	MX_ASSERT(rc == 0);
	l->n_owned++;
	return m;
}

void mailbox_post(struct mailbox *m, struct mpsc_node *note)
{
	if (mpsc_push(&m->queue, note))
		uv_async_send(&m->wake);
}

void mailbox_free(struct mailbox *m)
{
	if (!m)
		return;
	MX_ASSERT(!m->freed);
	m->freed = true;
	deliver(m);
	while ((m->taken = mpsc_take(&m->queue)) != NULL)
		deliver(m);
	m->loop->n_owned--;
	uv_close((uv_handle_t *)&m->wake, on_closed);
}
