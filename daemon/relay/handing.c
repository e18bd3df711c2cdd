/*
 * Jobs on their way to the writer. A commit costs the disk, and us, much the
 * same for one message as for ten, and a session may give out the end of its
 * next message only behind it (passing.c). So what was heard in one turn of
 * the loop goes together. And where commits are slow, what is ready waits for
 * the replies that are on their way: else half of the sessions would always
 * wait for the commit of the other half. It waits half as long as a commit
 * takes, at most; and not for a reply that is late already.
 */
#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/relay/inner.h"

enum {
	WAIT_MIN_US = 1000, /* the grain of timers */
	WAIT_MAX_US = 20000
};

struct handing {
	struct writer *writer;
	struct timer *timer;
	struct list ends; /* that are out, the latest behind */
	struct mpsc_node *jobs, **jobs_end;
	int64_t since_us; /* the first of them is ready */
	int64_t given_us; /* to the writer, when last; 0 = it is back */
	int64_t took_us;  /* then and back: a commit, and what it waited for */
};

static void on_timer(void *data);

struct handing *handing_new(struct relay *r)
{
	struct handing *h = mem_alloc(sizeof(*h));

	h->writer = r->parts.writer;
	h->timer = timer_new(r->parts.loop, on_timer, h);
	h->jobs_end = &h->jobs;
	list_init(&h->ends);
	return h;
}

void handing_free(struct handing *h)
{
	timer_free(h->timer);
	mem_free(h);
}

/* --- what is on its way --------------------------------------------------- */

void handing_expect(struct handing *h, struct handing_end *e)
{
	e->at_us = clock_mono_us();
	list_append(&h->ends, &e->item);
}

void handing_heard(struct handing *h, struct handing_end *e)
{
	if (!e->at_us)
		return;
	e->at_us = 0;
	list_remove(&e->item);
	if (h->jobs && list_empty(&h->ends))
		timer_start(h->timer, 0);
}

/* As long as a commit takes, a reply may take. */
static bool is_more_coming(const struct handing *h, int64_t now_us)
{
	const struct handing_end *e =
		MX_CONTAINER_OF(h->ends.prev, struct handing_end, item);

	return !list_empty(&h->ends) && now_us - e->at_us < h->took_us;
}

/* --- to the writer -------------------------------------------------------- */

void handing_submit(struct handing *h, struct job *job)
{
	if (!h->jobs)
		h->since_us = clock_mono_us();
	job->node.next = NULL;
	*h->jobs_end = &job->node;
	h->jobs_end = &job->node.next;
	timer_start(h->timer, 0); /* with the others of this turn */
}

static void give(struct handing *h, int64_t now_us)
{
	struct mpsc_node *next = h->jobs;

	h->jobs = NULL;
	h->jobs_end = &h->jobs;
	if (!h->given_us)
		h->given_us = now_us;
	while (next) {
		struct job *job = MX_CONTAINER_OF(next, struct job, node);

		next = next->next;
		writer_submit(h->writer, job);
	}
}

static void on_timer(void *data)
{
	struct handing *h = data;
	int64_t now_us = clock_mono_us();
	int64_t wait_us = MX_MIN(h->took_us / 2, (int64_t)WAIT_MAX_US) -
			  (now_us - h->since_us);

	if (!h->jobs || (h->given_us && h->took_us >= 2 * WAIT_MIN_US))
		return;
	if (wait_us >= WAIT_MIN_US && is_more_coming(h, now_us))
		timer_start(h->timer, wait_us / 1000);
	else
		give(h, now_us);
}

void handing_done(struct handing *h)
{
	if (!h->given_us)
		return;
	h->since_us = clock_mono_us();
	h->took_us = h->since_us - h->given_us;
	h->given_us = 0;
	if (h->jobs)
		timer_start(h->timer, 0);
}
