#include "wire.h"

#include "loop_inside.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"

struct wire_end {
	struct wire_end *other; /* NULL: it is gone */
	const struct wire_events *events;
	void *owner;
	struct buf flight; /* on its way here, or waiting to be taken */
	struct sim_event arrive, room;
	struct wire_options o;
	bool caller;
	bool fin, fin_told; /* the other side has shut down */
	bool reset;
	bool stalled;    /* the owner did not take all */
	bool wants_room; /* the owner sent short */
	bool silent;
	int64_t watch_us; /* given up after so much silence; 0 = never */
	bool closed;      /* the owner is gone */
};

static void run_arrive(struct sim_event *e);
static void run_room(struct sim_event *e);

static struct wire_end *new_end(const struct wire_options *o, bool caller)
{
	struct wire_end *e = mem_alloc(sizeof(*e));

	e->o = *o;
	e->caller = caller;
	buf_init(&e->flight, WIRE_WINDOW);
	sim_event_init(&e->arrive, SIM_BYTES, NULL, run_arrive);
	sim_event_init(&e->room, SIM_ROOM, NULL, run_room);
	return e;
}

void wire_new(const struct wire_options *o, struct wire_end *ends[2])
{
	ends[0] = new_end(o, true);
	ends[1] = new_end(o, false);
	ends[0]->other = ends[1];
	ends[1]->other = ends[0];
}

static void free_end(struct wire_end *e)
{
	sim_cancel(&e->arrive);
	sim_cancel(&e->room);
	buf_done(&e->flight);
	mem_free(e);
}

static int64_t delay(const struct wire_end *e)
{
	return e->o.latency_us + sim_between(0, e->o.latency_us / 8 + 10);
}

/* What lies there comes after the delay, or sooner with what came before. */
static void wake(struct wire_end *e, int64_t after_us)
{
	if (!e->silent && !sim_is_scheduled(&e->arrive))
		sim_schedule(&e->arrive, after_us);
}

void wire_own(struct wire_end *e, struct loop *l,
	      const struct wire_events *events, void *owner)
{
	e->events = events;
	e->owner = owner;
	e->arrive.loop = e->room.loop = l;
	wake(e, 0);
}

/* --- arriving ------------------------------------------------------------ */

static struct slice segment_of(struct wire_end *e)
{
	struct slice all = buf_slice(&e->flight);
	size_t most = e->o.segment ? e->o.segment : WIRE_WINDOW;

	if (all.n <= 1)
		return all;
	return slice_head(all, (size_t)sim_between(1, (int64_t)most));
}

static void tell_room(struct wire_end *e)
{
	struct wire_end *sender = e->other;

	if (!sender || !sender->wants_room || sim_is_scheduled(&sender->room))
		return;
	sim_schedule(&sender->room, delay(sender));
}

/* The owner may close the end within. */
static bool give(struct wire_end *e)
{
	struct slice bytes = segment_of(e);
	size_t n;

	e->stalled = false;
	n = e->events->on_bytes(e->owner, bytes);
	if (e->closed)
		return false;
	MX_ASSERT(n <= bytes.n);
	buf_consume(&e->flight, n);
	e->stalled = n < bytes.n;
	if (e->flight.n == 0)
		buf_done(&e->flight);
	tell_room(e);
	return true;
}

/* Small segments cost events, but no time to speak of. */
static int64_t gap_us(const struct wire_end *e)
{
	return e->o.segment ? (int64_t)MX_MIN(5 + e->o.segment / 8, 200U) : 200;
}

static void run_arrive(struct sim_event *event)
{
	struct wire_end *e = MX_CONTAINER_OF(event, struct wire_end, arrive);

	if (e->closed) {
		free_end(e);
		return;
	}
	if (!e->events)
		return;
	if (e->reset || e->silent) { /* silent: its watch has had enough */
		e->events->on_reset(e->owner);
	} else if (e->flight.n > 0) {
		if (!give(e))
			return;
		if (!e->stalled && (e->flight.n > 0 || e->fin))
			wake(e, sim_between(gap_us(e) / 2, gap_us(e)));
	} else if (e->fin && !e->fin_told) {
		e->fin_told = true;
		e->events->on_eof(e->owner);
	}
}

static void run_room(struct sim_event *event)
{
	struct wire_end *e = MX_CONTAINER_OF(event, struct wire_end, room);

	e->wants_room = false;
	if (!e->closed && e->events)
		e->events->on_room(e->owner);
}

void wire_resume(struct wire_end *e)
{
	e->stalled = false;
	if (e->flight.n > 0 || e->fin)
		wake(e, 0);
}

/* --- sending ------------------------------------------------------------- */

static void hit_by_reset(struct wire_end *e)
{
	if (e->reset)
		return;
	e->reset = true;
	wake(e, delay(e));
}

size_t wire_send(struct wire_end *e, struct slice bytes)
{
	struct wire_end *to = e->other;
	struct slice some;

	if (!to) { /* nobody is there any more */
		hit_by_reset(e);
		return bytes.n;
	}
	some = slice_head(bytes, buf_left(&to->flight));
	if (buf_append_slice(&to->flight, some) < 0)
		sim_broken("no memory for a wire");
	e->wants_room = some.n < bytes.n;
	if (!to->stalled && some.n > 0)
		wake(to, delay(to));
	return some.n;
}

void wire_shutdown(struct wire_end *e)
{
	if (!e->other)
		return;
	e->other->fin = true;
	if (!e->other->stalled)
		wake(e->other, delay(e->other));
}

/* Freed by its own event, so that it may be closed within a callback. */
static void leave(struct wire_end *e)
{
	if (e->other)
		e->other->other = NULL;
	e->other = NULL;
	e->closed = true;
	e->arrive.loop = NULL;
	sim_cancel(&e->room);
	sim_schedule(&e->arrive, 0);
}

void wire_reset(struct wire_end *e)
{
	if (e->other)
		hit_by_reset(e->other);
	leave(e);
}

void wire_close(struct wire_end *e)
{
	if (e->other && e->flight.n > 0)
		hit_by_reset(e->other);
	else
		wire_shutdown(e);
	leave(e);
}

static void give_up_later(struct wire_end *e)
{
	if (e->watch_us)
		sim_schedule(&e->arrive,
			     e->watch_us + sim_between(0, e->watch_us / 4));
}

void wire_silence(struct wire_end *e)
{
	struct wire_end *both[2] = {e, e->other};

	for (int i = 0; i < 2; i++) {
		if (!both[i])
			continue;
		both[i]->silent = true;
		if (both[i]->closed)
			continue;
		sim_cancel(&both[i]->arrive);
		give_up_later(both[i]);
	}
}

void wire_watch(struct wire_end *e, int64_t silence_us)
{
	e->watch_us = silence_us;
	if (e->silent && !e->closed)
		give_up_later(e);
}

bool wire_is_silent(const struct wire_end *e)
{
	return e->silent;
}

struct endpoint wire_peer(const struct wire_end *e)
{
	return e->caller ? e->o.to : e->o.from;
}

struct endpoint wire_local(const struct wire_end *e)
{
	return e->caller ? e->o.from : e->o.to;
}
