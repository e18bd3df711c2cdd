#include "mxhold/receive/pace.h"

void pace_begin(struct pace *p, int64_t now_ms)
{
	p->since_ms = now_ms > 0 ? now_ms : 1;
	p->bytes = 0;
}

void pace_end(struct pace *p)
{
	p->since_ms = 0;
}

bool pace_is_on(const struct pace *p)
{
	return p->since_ms != 0;
}

void pace_count(struct pace *p, uint64_t bytes)
{
	p->bytes += bytes;
}

int64_t pace_look_ms(const struct pace *p)
{
	return p->since_ms ? p->since_ms + PACE_MS : 0;
}

bool pace_is_slow(struct pace *p, uint64_t min_rate, int64_t now_ms)
{
	if (!p->since_ms || now_ms - p->since_ms < PACE_MS)
		return false;
	if (p->bytes / (PACE_MS / 1000) < min_rate)
		return true;
	pace_begin(p, now_ms);
	return false;
}
