#include "sched.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop_inside.h"

#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"

enum {
	EVENT_COST_US = 2,
	/* In a second, octets on wires apart: nobody has that much to do. */
	SPIN_EVENTS = 100000,
};

static struct {
	struct sim_event **heap; /* from 1 */
	size_t n, room;
	uint64_t seq, count, hash, random;
	int64_t now_us, wall_offset_ms;
	int64_t second, in_second;
	unsigned of_kind[128];  /* in that second */
	struct sim_event *held; /* by nested runs */
} world;

void (*sim_before_event)(const struct sim_event *e);

_Noreturn void sim_broken(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "sim: BROKEN at %.3f s: ", (double)world.now_us / 1e6);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

/* --- time ---------------------------------------------------------------- */

static void show_clock(void)
{
	clock_fake(world.now_us / 1000,
		   world.now_us / 1000 + world.wall_offset_ms);
}

void sim_begin(uint64_t seed, int64_t mono_us, int64_t wall_ms)
{
	world.n = 0;
	world.seq = world.count = 0;
	world.random = seed;
	world.hash = 14695981039346656037U;
	world.now_us = mono_us;
	world.second = world.in_second = 0;
	sim_set_wall_ms(wall_ms);
}

uint64_t sim_hash(void)
{
	return world.hash;
}

uint64_t sim_count(void)
{
	return world.count;
}

int64_t sim_now_us(void)
{
	return world.now_us;
}

int64_t sim_wall_ms(void)
{
	return world.now_us / 1000 + world.wall_offset_ms;
}

void sim_set_wall_ms(int64_t wall_ms)
{
	world.wall_offset_ms = wall_ms - world.now_us / 1000;
	show_clock();
}

/* --- chance -------------------------------------------------------------- */

/* Vigna's splitmix64. */
uint64_t sim_random(void)
{
	uint64_t z = (world.random += 0x9e3779b97f4a7c15U);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

int64_t sim_between(int64_t lo, int64_t hi)
{
	if (hi <= lo)
		return lo;
	return lo + (int64_t)(sim_random() % (uint64_t)(hi - lo + 1));
}

/* --- the heap ------------------------------------------------------------ */

static bool is_sooner(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_us < b->at_us || (a->at_us == b->at_us && a->seq < b->seq);
}

static void put(size_t i, struct sim_event *e)
{
	world.heap[i] = e;
	e->place = i;
}

static void sift_up(size_t i, struct sim_event *e)
{
	for (; i > 1 && is_sooner(e, world.heap[i / 2]); i /= 2)
		put(i, world.heap[i / 2]);
	put(i, e);
}

static void sift_down(size_t i, struct sim_event *e)
{
	for (;;) {
		size_t child = 2 * i;

		if (child > world.n)
			break;
		if (child < world.n &&
		    is_sooner(world.heap[child + 1], world.heap[child]))
			child++;
		if (!is_sooner(world.heap[child], e))
			break;
		put(i, world.heap[child]);
		i = child;
	}
	put(i, e);
}

static void push(struct sim_event *e)
{
	if (world.n + 2 > world.room) {
		size_t room = world.room ? world.room * 2 : 256;
		struct sim_event **grown = mem_array(room, sizeof(*grown));

		for (size_t i = 1; i <= world.n; i++)
			grown[i] = world.heap[i];
		mem_free(world.heap);
		world.heap = grown;
		world.room = room;
	}
	sift_up(++world.n, e);
}

void sim_event_init(struct sim_event *e, enum sim_kind kind, struct loop *l,
		    void (*run)(struct sim_event *e))
{
	*e = (struct sim_event){.kind = kind, .loop = l, .run = run};
}

bool sim_is_scheduled(const struct sim_event *e)
{
	return e->place > 0;
}

void sim_cancel(struct sim_event *e)
{
	struct sim_event *last;
	size_t i = e->place;

	if (!i)
		return;
	e->place = 0;
	last = world.heap[world.n--];
	if (last == e)
		return;
	if (i > 1 && is_sooner(last, world.heap[i / 2]))
		sift_up(i, last);
	else
		sift_down(i, last);
}

void sim_schedule(struct sim_event *e, int64_t after_us)
{
	sim_cancel(e);
	e->at_us = world.now_us + (after_us > 0 ? after_us : 0);
	e->seq = ++world.seq;
	push(e);
}

/* --- running ------------------------------------------------------------- */

/* The first whose thread is free; the others stay where they are. */
static struct sim_event *take_next(void)
{
	struct sim_event *busy[64];
	size_t n = 0;
	struct sim_event *e = NULL;

	while (world.n > 0 && n < 64) {
		e = world.heap[1];
		sim_cancel(e);
		if (!e->loop || !e->loop->running)
			break;
		busy[n++] = e;
		e = NULL;
	}
	while (n > 0)
		push(busy[--n]);
	return e;
}

static void mix(uint64_t x)
{
	world.hash = (world.hash ^ x) * 1099511628211U;
}

static char worst_kind(void)
{
	int worst = 0;

	for (int i = 1; i < 128; i++) {
		if (i != SIM_BYTES && world.of_kind[i] > world.of_kind[worst])
			worst = i;
	}
	return (char)worst;
}

static void look_for_spin(const struct sim_event *e)
{
	int64_t second = world.now_us / 1000000;

	if (second != world.second) {
		world.second = second;
		world.in_second = 0;
		memset(world.of_kind, 0, sizeof(world.of_kind));
	}
	world.of_kind[e->kind]++;
	if (e->kind != SIM_BYTES && ++world.in_second > SPIN_EVENTS)
		sim_broken("it spins: %d events in one second, mostly '%c'",
			   SPIN_EVENTS, worst_kind());
}

static void run_one(struct sim_event *e)
{
	struct loop *l = e->loop;

	if (e->at_us > world.now_us)
		world.now_us = e->at_us;
	show_clock();
	look_for_spin(e);
	world.count++;
	mix((uint64_t)world.now_us);
	mix((uint64_t)e->kind);
	if (sim_before_event)
		sim_before_event(e);
	if (l)
		l->running++;
	e->run(e);
	if (l)
		l->running--;
	world.now_us += EVENT_COST_US;
}

void sim_run(bool (*done)(void *data), void *data)
{
	while (!done(data)) {
		struct sim_event *e = take_next();

		if (!e)
			sim_broken("nothing is left that could happen");
		run_one(e);
	}
}
