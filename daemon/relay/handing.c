/*
 * Jobs on their way to the writer. To wake it costs much, and a commit costs
 * much the same for one message as for ten: what was heard in one turn of the
 * loop goes together.
 */
#include "mxhold/base/mem.h"
#include "mxhold/relay/inner.h"

struct handing {
	struct writer *writer;
	struct timer *turn;
	struct mpsc_node *jobs, **jobs_end;
};

static void on_turn(void *data);

struct handing *handing_new(struct relay *r)
{
	struct handing *h = mem_alloc(sizeof(*h));

	h->writer = r->parts.writer;
	h->turn = timer_new(r->parts.loop, on_turn, h);
	h->jobs_end = &h->jobs;
	return h;
}

void handing_free(struct handing *h)
{
	timer_free(h->turn);
	mem_free(h);
}

void handing_submit(struct handing *h, struct job *job)
{
	job->node.next = NULL;
	*h->jobs_end = &job->node;
	h->jobs_end = &job->node.next;
	if (!timer_is_active(h->turn))
		timer_start(h->turn, 0);
}

static void on_turn(void *data)
{
	struct handing *h = data;
	struct mpsc_node *next = h->jobs;

	h->jobs = NULL;
	h->jobs_end = &h->jobs;
	while (next) {
		struct job *job = MX_CONTAINER_OF(next, struct job, node);

		next = next->next;
		writer_submit(h->writer, job);
	}
}
