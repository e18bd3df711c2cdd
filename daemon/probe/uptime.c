#include "mxhold/probe/uptime.h"

#include <string.h>

#include "mxhold/base/attr.h"

/* --- marks -------------------------------------------------------------- */

static void remove_mark(struct uptime *u, size_t i)
{
	memmove(&u->marks[i], &u->marks[i + 1],
		(u->n - i - 1) * sizeof(u->marks[0]));
	u->n--;
}

/* The one between neighbours that are closest: an hour of flapping becomes
 * one stretch, and an outage of days keeps its ends. */
static void make_room(struct uptime *u)
{
	size_t best = 1;
	int64_t shortest = INT64_MAX;

	for (size_t i = 1; i + 1 < u->n; i++) {
		int64_t apart =
			u->marks[i + 1].wall_ms - u->marks[i - 1].wall_ms;

		if (apart >= shortest)
			continue;
		shortest = apart;
		best = i;
	}
	remove_mark(u, best);
}

void uptime_note(struct uptime *u, int64_t wall_ms, int64_t up_ms)
{
	/* The wall clock was set back: what it said then means nothing. */
	while (u->n && u->marks[u->n - 1].wall_ms >= wall_ms)
		u->n--;
	if (u->n == UPTIME_MARKS)
		make_room(u);
	u->marks[u->n++] = (struct uptime_mark){wall_ms, up_ms};
}

/* --- the time since ----------------------------------------------------- */

/* Up at the beginning of the stretch rather than at its end: less counts. */
static int64_t rest_of(const struct uptime_mark *a, const struct uptime_mark *b,
		       int64_t from_ms)
{
	int64_t up = b->up_ms - a->up_ms;

	return MX_MAX(up - (from_ms - a->wall_ms), 0);
}

int64_t uptime_since(const struct uptime *u, int64_t from_ms,
		     struct uptime_mark now)
{
	const struct uptime_mark *next = &now;
	int64_t up;

	for (size_t i = u->n; i-- > 0;) {
		const struct uptime_mark *m = &u->marks[i];

		if (m->wall_ms <= from_ms) {
			up = now.up_ms - next->up_ms +
			     rest_of(m, next, from_ms);
			return MX_MAX(MX_MIN(up, now.wall_ms - from_ms), 0);
		}
		next = m;
	}
	up = now.up_ms - next->up_ms;
	return MX_MAX(MX_MIN(up, now.wall_ms - from_ms), 0);
}
