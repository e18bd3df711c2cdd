/*
 * A session goes on while the message it has carried is being settled: MAIL to
 * DATA of the next one, and its content but for the end. The end waits for the
 * commit. So a session is not held up by the disk, and yet, whenever we die,
 * there is at most one message for each connection that its primary has taken
 * and that still stands in the queue (docs/queue.md, "What a crash leaves").
 *
 * What goes alone keeps its session until it is settled: only then is known
 * whether another may go.
 */
#include "mxhold/relay/delivery.h"

uint32_t passing_uses_max(const struct delivery *d)
{
	uint32_t most = relay_drain_of(d->relay, d->dest)->per_connection;

	if (d->lane->carries)
		most = MX_MIN(most, d->lane->carries);
	return MX_MAX(most, 1);
}

void passing_on(struct delivery *d)
{
	struct link *link = d->link;

	if (!link || link->owes || d->more || lane_goes_alone(d->lane))
		return;
	d->link = NULL;
	d->passed = pool_pass_on(link, passing_uses_max(d));
}

bool passing_may_end(const struct delivery *d)
{
	return !d->link->owes;
}

static void told(struct delivery *d, bool kept)
{
	uint64_t serial = d->passed;

	d->passed = 0;
	if (serial)
		pool_settled(&d->lane->pool, serial, kept);
}

void passing_settled(struct delivery *d)
{
	told(d, true);
}

void passing_failed(struct delivery *d)
{
	told(d, false);
}

const struct session *passing_session(const struct delivery *d)
{
	const struct link *link = d->link;

	if (d->passed)
		link = pool_find(&d->lane->pool, d->passed);
	return link ? link->session : NULL;
}

/* A session that owes what could not be kept carries nothing more: the next
 * message was not given its end, and goes another way. */
void passing_on_settled(void *data, bool kept)
{
	struct delivery *d = data;

	if (kept) {
		reading_go_on(d);
	} else if (d->state == DELIVERY_SENDING) {
		delivery_break_off(d, false);
	} else { /* it was refused before its end */
		pool_drop(d->link);
		d->link = NULL;
		d->more = false;
	}
}
