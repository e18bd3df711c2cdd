/* net/connector.h: addresses in turn, each with a deadline, staggered. */
#include "mxhold/net/connector.h"

#include <stdio.h>

#include "loop_inside.h"
#include "wire.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"

enum {
	WHY_MAX = 192
};

struct attempt {
	struct sim_event event; /* its answer, or its deadline */
	struct connector *c;
	size_t which;
	bool is_open;
	enum sim_answer answer;
	struct wire_options o;
};

struct connector {
	struct sim_event turn; /* the next address */
	struct loop *loop;
	connector_on_done on_done;
	void *data;
	struct endpoint to[CONNECT_ADDRESSES_MAX];
	struct attempt attempts[CONNECT_ADDRESSES_MAX];
	size_t n, next, n_open;
	struct inet_addr source;
	int64_t timeout_ms, stagger_ms;
	char why[WHY_MAX];
};

static void run_turn(struct sim_event *e);
static void run_attempt(struct sim_event *e);

struct connector *connector_start(struct loop *l,
				  const struct connect_options *options,
				  connector_on_done on_done, void *data)
{
	struct connector *c = mem_alloc(sizeof(*c));

	MX_ASSERT(options->n <= CONNECT_ADDRESSES_MAX);
	c->loop = l;
	c->on_done = on_done;
	c->data = data;
	c->n = options->n;
	for (size_t i = 0; i < c->n; i++)
		c->to[i] = options->to[i];
	if (options->source)
		c->source = *options->source;
	c->timeout_ms = options->timeout_ms;
	c->stagger_ms = options->stagger_ms;
	snprintf(c->why, sizeof(c->why), "there is no address to connect to");
	l->n_owned++;
	sim_event_init(&c->turn, SIM_TURN, l, run_turn);
	sim_schedule(&c->turn, 0);
	return c;
}

void connector_cancel(struct connector *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->next; i++)
		sim_cancel(&c->attempts[i].event);
	sim_cancel(&c->turn);
	c->loop->n_owned--;
	mem_free(c);
}

static void done(struct connector *c, int fd, size_t which)
{
	connector_on_done on_done = c->on_done;
	void *data = c->data;
	char why[WHY_MAX];

	snprintf(why, sizeof(why), "%s", fd < 0 ? c->why : "");
	connector_cancel(c);
	on_done(data, fd, which, why);
}

static void start_attempt(struct connector *c)
{
	struct attempt *a = &c->attempts[c->next];
	int64_t deadline_us = c->timeout_ms * 1000, answer_us;

	a->c = c;
	a->which = c->next;
	a->o.to = c->to[c->next++];
	a->o.from = (struct endpoint){c->source, 1024};
	a->answer = sim_world->connect(&a->o.to, &a->o);
	answer_us = 2 * a->o.latency_us + sim_between(10, 100);
	if (a->answer == SIM_NO_ANSWER || answer_us > deadline_us) {
		a->answer = SIM_NO_ANSWER;
		answer_us = deadline_us;
	}
	a->is_open = true;
	c->n_open++;
	sim_event_init(&a->event, SIM_CONNECT, c->loop, run_attempt);
	sim_schedule(&a->event, answer_us);
}

static void go_on(struct connector *c)
{
	if (c->next < c->n) {
		start_attempt(c);
		if (c->next < c->n && c->stagger_ms > 0)
			sim_schedule(&c->turn, c->stagger_ms * 1000);
	} else if (c->n_open == 0) {
		done(c, -1, 0);
	}
}

static void run_turn(struct sim_event *e)
{
	go_on(MX_CONTAINER_OF(e, struct connector, turn));
}

static void note_failure(struct connector *c, const struct attempt *a)
{
	static const char *const whys[] = {
		[SIM_REFUSED] = "Connection refused",
		[SIM_UNREACHABLE] = "No route to host",
		[SIM_NO_ANSWER] = "no answer in time",
	};
	char text[INET_TEXT_MAX];

	endpoint_format(&a->o.to, text);
	snprintf(c->why, sizeof(c->why), "%s: %s", text, whys[a->answer]);
}

static void run_attempt(struct sim_event *e)
{
	struct attempt *a = MX_CONTAINER_OF(e, struct attempt, event);
	struct connector *c = a->c;
	struct wire_end *ends[2];

	a->is_open = false;
	c->n_open--;
	if (a->answer != SIM_ACCEPTED) {
		note_failure(c, a);
		go_on(c);
		return;
	}
	wire_new(&a->o, ends);
	sim_world->connected(&a->o.to, ends[1]);
	done(c, sim_fd_new(ends[0]), a->which);
}
