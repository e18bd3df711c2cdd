#include "mxhold/receive/reputation.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/list.h"
#include "mxhold/base/map.h"
#include "mxhold/base/mem.h"

enum {
	MINUTE_MS = 60000,
	EVICT_LOOK = 16, /* how far to look for one without a penalty */
};

struct standing {
	struct list by_age; /* the one heard of last stands last */
	struct inet_addr network;
	int64_t unknown_since_ms, minute_since_ms;
	int64_t penalty_until_ms, slow_until_ms;
	uint32_t unknown, kept;
};

struct reputation {
	struct map networks;
	struct list by_age;
	size_t max;
	uint32_t budget, max_rate;
	int64_t window_ms, penalty_ms;
};

struct slice reputation_key(const struct inet_addr *network, char room[17])
{
	room[0] = (char)network->family;
	memcpy(room + 1, network->bytes, 16);
	return slice_make(room, 17);
}

struct reputation *reputation_new(size_t max)
{
	struct reputation *r = mem_alloc(sizeof(*r));

	MX_ASSERT(max > 0);
	map_init(&r->networks);
	list_init(&r->by_age);
	r->max = max;
	return r;
}

void reputation_free(struct reputation *r)
{
	if (!r)
		return;
	map_done(&r->networks, mem_free);
	mem_free(r);
}

void reputation_configure(struct reputation *r,
			  const struct config_policy *policy)
{
	r->budget = policy->unknown_budget;
	r->window_ms = policy->unknown_window;
	r->penalty_ms = policy->unknown_penalty;
	r->max_rate = policy->max_rate;
}

size_t reputation_count(const struct reputation *r)
{
	return r->networks.n;
}

static struct standing *find(const struct reputation *r,
			     const struct inet_addr *network)
{
	char room[17];

	return map_get(&r->networks, reputation_key(network, room));
}

static void forget(struct reputation *r, struct standing *s)
{
	char room[17];

	map_remove(&r->networks, reputation_key(&s->network, room));
	list_remove(&s->by_age);
	mem_free(s);
}

/* Whoever floods the table with networks should not wash away those that
 * are being kept out, as long as that is cheap to see to. */
static void forget_one(struct reputation *r, int64_t now_ms)
{
	struct standing *oldest = NULL;
	int looked = 0;

	LIST_FOR_EACH (it, &r->by_age) {
		struct standing *s =
			MX_CONTAINER_OF(it, struct standing, by_age);

		if (!oldest)
			oldest = s;
		if (s->penalty_until_ms <= now_ms) {
			oldest = s;
			break;
		}
		if (++looked >= EVICT_LOOK)
			break;
	}
	if (oldest)
		forget(r, oldest);
}

static struct standing *standing_of(struct reputation *r,
				    const struct inet_addr *network,
				    int64_t now_ms)
{
	struct standing *s = find(r, network);
	char room[17];

	if (s) {
		list_remove(&s->by_age);
		list_append(&r->by_age, &s->by_age);
		return s;
	}
	if (r->networks.n >= r->max)
		forget_one(r, now_ms);
	s = mem_alloc(sizeof(*s));
	s->network = *network;
	list_append(&r->by_age, &s->by_age);
	map_put(&r->networks, reputation_key(network, room), s);
	return s;
}

/* One more in a window that begins with its first event. */
static uint32_t count_in_window(uint32_t *count, int64_t *since_ms,
				int64_t window_ms, uint32_t n, int64_t now_ms)
{
	if (*count == 0 || now_ms - *since_ms >= window_ms) {
		*since_ms = now_ms;
		*count = 0;
	}
	*count = n > UINT32_MAX - *count ? UINT32_MAX : *count + n;
	return *count;
}

bool reputation_unknown(struct reputation *r, const struct inet_addr *network,
			uint32_t n, int64_t now_ms, int64_t *until_ms)
{
	struct standing *s;

	if (n == 0)
		return false;
	s = standing_of(r, network, now_ms);
	if (count_in_window(&s->unknown, &s->unknown_since_ms, r->window_ms, n,
			    now_ms) <= r->budget)
		return false;
	s->unknown = 0;
	s->penalty_until_ms = now_ms + r->penalty_ms;
	*until_ms = s->penalty_until_ms;
	return true;
}

bool reputation_kept(struct reputation *r, const struct inet_addr *network,
		     uint32_t n, int64_t now_ms, int64_t *until_ms)
{
	struct standing *s;

	if (n == 0 || r->max_rate == 0)
		return false;
	s = standing_of(r, network, now_ms);
	if (count_in_window(&s->kept, &s->minute_since_ms, MINUTE_MS, n,
			    now_ms) < r->max_rate)
		return false;
	*until_ms = s->minute_since_ms + MINUTE_MS;
	if (s->slow_until_ms >= *until_ms)
		return false; /* known already */
	s->slow_until_ms = *until_ms;
	return true;
}

void reputation_penalise(struct reputation *r, const struct inet_addr *network,
			 int64_t until_ms)
{
	struct standing *s = standing_of(r, network, until_ms);

	if (until_ms > s->penalty_until_ms)
		s->penalty_until_ms = until_ms;
}

void reputation_slow(struct reputation *r, const struct inet_addr *network,
		     int64_t until_ms)
{
	struct standing *s = standing_of(r, network, until_ms);

	if (until_ms > s->slow_until_ms)
		s->slow_until_ms = until_ms;
}

bool reputation_is_penalised(const struct reputation *r,
			     const struct inet_addr *network, int64_t now_ms)
{
	const struct standing *s = find(r, network);

	return s && now_ms < s->penalty_until_ms;
}

bool reputation_is_slowed(const struct reputation *r,
			  const struct inet_addr *network, int64_t now_ms)
{
	const struct standing *s = find(r, network);

	return s && now_ms < s->slow_until_ms;
}
