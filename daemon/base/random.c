#include "mxhold/base/random.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "mxhold/base/assert.h"

enum {
	POOL_WORDS = 32 /* getrandom never returns short up to 256 bytes */
};

static _Atomic uint64_t seed;
static _Atomic uint32_t seeding; /* 0 = not seeded, else counts the seeds */

static _Thread_local struct {
	uint64_t pool[POOL_WORDS];
	unsigned left;
	uint32_t seeding; /* the one that `state` comes from */
	uint64_t state;
} mine;

static void fill(void *p, size_t n)
{
	ssize_t got;

	do {
		got = getrandom(p, n, 0);
	} while (got < 0 && errno == EINTR);
	if (got != (ssize_t)n) {
		perror("getrandom");
		abort();
	}
}

/* Vigna's splitmix64: any state gives a full period. */
static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15U);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

uint64_t random_u64(void)
{
	uint32_t now = atomic_load_explicit(&seeding, memory_order_acquire);

	if (now) {
		if (mine.seeding != now) {
			mine.seeding = now;
			mine.state = atomic_load(&seed);
		}
		return splitmix(&mine.state);
	}
	if (mine.left == 0) {
		fill(mine.pool, sizeof(mine.pool));
		mine.left = POOL_WORDS;
	}
	return mine.pool[--mine.left];
}

uint32_t random_below(uint32_t limit)
{
	uint64_t fair, x;

	MX_ASSERT(limit > 0);
	/* The largest multiple of limit; what lies above would be biased. */
	fair = UINT64_MAX - UINT64_MAX % limit;
	do {
		x = random_u64();
	} while (x >= fair);
	return (uint32_t)(x % limit);
}

void random_seed(uint64_t to)
{
	atomic_store(&seed, to);
	atomic_fetch_add_explicit(&seeding, 1, memory_order_release);
}

static uint64_t process_key[2];

static void draw_key(void)
{
	fill(process_key, sizeof(process_key));
}

void random_key(uint64_t key[2])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (atomic_load_explicit(&seeding, memory_order_acquire)) {
		uint64_t state = ~atomic_load(&seed);

		key[0] = splitmix(&state);
		key[1] = splitmix(&state);
		return;
	}
	pthread_once(&once, draw_key);
	key[0] = process_key[0];
	key[1] = process_key[1];
}
