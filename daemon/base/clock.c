#include "mxhold/base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

static atomic_bool is_fake;
static _Atomic int64_t fake_mono_ms, fake_wall_ms;

static int64_t read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
	if (atomic_load_explicit(&is_fake, memory_order_acquire))
		return atomic_load(&fake_mono_ms) * 1000;
	return read_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t clock_wall_ms(void)
{
	if (atomic_load_explicit(&is_fake, memory_order_acquire))
		return atomic_load(&fake_wall_ms);
	return read_us(CLOCK_REALTIME) / 1000;
}

void clock_fake(int64_t mono_ms, int64_t wall_ms)
{
	atomic_store(&fake_mono_ms, mono_ms);
	atomic_store(&fake_wall_ms, wall_ms);
	atomic_store_explicit(&is_fake, true, memory_order_release);
}

void clock_fake_off(void)
{
	atomic_store(&is_fake, false);
}
