/*
 * Tells senders that their mail is late (bounce.delay_dsn; off by default).
 * A message that nobody has tried yet lies in the due table at the time of
 * its arrival, so that those which have just become late are the rows between
 * the edge of the last look and the edge of this one: each is told once, and
 * a look costs what is new. What was tried is told of by the attempt that is
 * the first beyond the edge (settling.c). What became late while the daemon
 * was not running is not told of.
 */
#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/relay/delivery.h"

enum {
	DELAY_PAGE = 64
};

struct delay {
	struct relay *relay;
	size_t dest; /* being looked at: index */
	struct due_row rows[DELAY_PAGE];
	size_t n, at;
	bool looking, busy;
};

static void go_on(struct delay *y);

struct delay *delay_new(struct relay *r)
{
	struct delay *y = mem_alloc(sizeof(*y));

	y->relay = r;
	return y;
}

void delay_free(struct delay *y)
{
	mem_free(y);
}

static void on_told(struct relay *r, enum delivery_expired how MX_UNUSED)
{
	r->delay->busy = false;
	go_on(r->delay);
}

/* The next page of what has become late there; 0: no more. */
static size_t read_page(struct delay *y, struct dest *d)
{
	const struct config_domain *domain = relay_domain(y->relay, d);
	int64_t edge;
	size_t n = DELAY_PAGE;

	if (!domain || !bounce_wants_delayed(&domain->bounce))
		return 0;
	edge = clock_wall_ms() - domain->bounce.delay_dsn;
	if (!d->told_ms) { /* the first look tells nobody */
		d->told_ms = edge;
		d->told_id = UINT64_MAX;
	}
	if (reader_due(y->relay->reader, d->number, d->told_ms, d->told_id,
		       edge, y->rows, &n))
		return 0;
	d->told_ms = y->rows[n - 1].due_ms;
	d->told_id = y->rows[n - 1].id;
	return n;
}

static void start(struct delay *y)
{
	uint64_t id = y->rows[y->at++].id;

	if (map_get(&y->relay->in_flight, relay_id_key(&id)))
		return; /* tried right now: its outcome tells */
	y->busy = true;
	delivery_tell_late(y->relay, id, y->relay->dests[y->dest]->number,
			   on_told);
}

static void go_on(struct delay *y)
{
	struct relay *r = y->relay;

	while (!y->busy && !r->stopping && y->dest < r->n_dests) {
		if (y->at < y->n) {
			start(y);
			continue;
		}
		y->at = 0;
		y->n = read_page(y, r->dests[y->dest]);
		if (!y->n)
			y->dest++;
	}
	if (!y->busy)
		y->looking = false;
}

void delay_look(struct delay *y)
{
	if (y->looking)
		return;
	y->looking = true;
	y->dest = 0;
	go_on(y);
}
