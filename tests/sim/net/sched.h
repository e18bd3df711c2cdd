/*
 * Virtual time. All that happens in a simulated run is an event in one heap,
 * ordered by time and then by the order of scheduling; the clock moves only
 * when nothing is due. Every event costs two microseconds of virtual time, so
 * that a daemon that spins shows as one whose second never ends.
 *
 * One thread runs everything: the main loop, the receive loops, the work pool
 * and the writer's thread are owners of events here, nothing more.
 */
#ifndef MXHOLD_SIM_SCHED_H
#define MXHOLD_SIM_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For the log and the hash of a run. */
enum sim_kind {
	SIM_TIMER = 't',
	SIM_TURN = '.',
	SIM_NOTE = 'n',
	SIM_WORK = 'w',
	SIM_DONE = 'd',
	SIM_BYTES = 'b',
	SIM_ROOM = 'r',
	SIM_CONNECT = 'c',
	SIM_ACCEPT = 'a',
	SIM_DNS = 'q',
	SIM_SIGNAL = 's',
	SIM_COMMIT = 'C',
	SIM_WORLD = 'W',
};

struct loop;

/* Embedded in whatever wants to run; run may free it. */
struct sim_event {
	int64_t at_us;
	uint64_t seq;
	size_t place;      /* in the heap, from 1; 0 = not scheduled */
	struct loop *loop; /* whose thread it runs on; NULL: nobody's */
	void (*run)(struct sim_event *e);
	enum sim_kind kind;
};

/* A new world: empty heap, time as given. */
void sim_begin(uint64_t seed, int64_t mono_us, int64_t wall_ms);
/* What ran so far: equal for two runs of one seed. */
uint64_t sim_hash(void);
uint64_t sim_count(void);
int64_t sim_now_us(void);
int64_t sim_wall_ms(void);
void sim_set_wall_ms(int64_t wall_ms); /* somebody sets the clock */

/* The world's own chance, apart from the daemon's. */
uint64_t sim_random(void);
/* lo .. hi, both included. */
int64_t sim_between(int64_t lo, int64_t hi);

void sim_event_init(struct sim_event *e, enum sim_kind kind, struct loop *l,
		    void (*run)(struct sim_event *e));
/* Moves one that is scheduled. Never runs within the call. */
void sim_schedule(struct sim_event *e, int64_t after_us);
void sim_cancel(struct sim_event *e);
bool sim_is_scheduled(const struct sim_event *e);

/*
 * Runs events until done says so. May be nested: then what belongs to loops
 * that are in a callback waits, as their threads do.
 */
void sim_run(bool (*done)(void *data), void *data);

/* Called before each event; the world counts, crashes, ends the run. */
extern void (*sim_before_event)(const struct sim_event *e);
/* Something that must never be; does not return. */
_Noreturn void sim_broken(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

#endif
