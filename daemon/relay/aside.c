/*
 * A message that hangs at the primary may do so for ten minutes (RFC 5321
 * 4.5.3.2.6), and must not stall the others: not even where it holds the only
 * place, as a canary, or when the primary was pressed. After a tenth of
 * data_timeout in which no place has become free the one that hangs longest
 * steps aside: it goes on, but another has its place, over a session of its
 * own. There are never more sessions than max_connections.
 */
#include <string.h>

#include "mxhold/base/clock.h"
#include "mxhold/relay/delivery.h"

enum {
	SHARE = 10 /* of data_timeout */
};

struct hanging {
	size_t n;
	struct delivery *oldest;
	int64_t newest_ms; /* mono */
};

static struct hanging look(const struct lane *l)
{
	struct hanging h = {0};

	LIST_FOR_EACH (it, &l->deliveries) {
		struct delivery *d = MX_CONTAINER_OF(it, struct delivery, item);

		if (d->state != DELIVERY_SENDING || d->era != l->pool.era ||
		    d->link->aside)
			continue;
		h.n++;
		h.newest_ms = MX_MAX(h.newest_ms, d->sent_ms);
		if (!h.oldest || d->sent_ms < h.oldest->sent_ms)
			h.oldest = d;
	}
	return h;
}

int64_t aside_look(struct lane *l, int64_t mono_ms)
{
	int64_t patience = lane_drain(l)->data_timeout / SHARE;
	struct hanging h = look(l);

	if (l->is_report || h.n == 0 || h.n < lane_limit(l) ||
	    pool_count_any(&l->pool) + pool_count_aside(&l->pool) >=
		    l->window.max)
		return INT64_MAX;
	if (mono_ms - h.newest_ms < patience)
		return h.newest_ms + patience - mono_ms;
	h.oldest->link->aside = true;
	return patience;
}

/* Whatever has stepped aside, or hangs from before an outage, too. */
void aside_view(const struct lane *l, struct relay_view *out)
{
	const struct delivery *oldest = NULL;

	LIST_FOR_EACH (it, &l->deliveries) {
		const struct delivery *d =
			MX_CONTAINER_OF(it, struct delivery, item);

		if (d->state == DELIVERY_SENDING &&
		    (!oldest || d->sent_ms < oldest->sent_ms))
			oldest = d;
	}
	if (!oldest)
		return;
	memcpy(out->oldest_id, oldest->qid, sizeof(out->oldest_id));
	out->oldest_ms = clock_wall_ms() - (clock_mono_ms() - oldest->sent_ms);
}
