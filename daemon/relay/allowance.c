#include "mxhold/relay/allowance.h"

#include "mxhold/base/attr.h"

/* Each report lets its share of an hour pass until the rest. */
static bool has_room(const struct allowance_slot *s, int64_t max,
		     int64_t mono_ms)
{
	int64_t used = MX_MAX(s->at_rest_ms - mono_ms, 0);

	return used + ALLOWANCE_HOUR_MS / max <= ALLOWANCE_HOUR_MS;
}

static void use(struct allowance_slot *s, int64_t max, int64_t mono_ms)
{
	s->at_rest_ms =
		MX_MAX(s->at_rest_ms, mono_ms) + ALLOWANCE_HOUR_MS / max;
}

/* Its own, or one at rest; NULL: none, as never happens. */
static struct allowance_slot *find(struct allowance *a, uint64_t domain,
				   int64_t mono_ms)
{
	struct allowance_slot *free = NULL;

	for (size_t i = 0; i < ALLOWANCE_SLOTS; i++) {
		struct allowance_slot *s = &a->slots[i];

		if (s->at_rest_ms <= mono_ms)
			free = s;
		else if (s->domain == domain)
			return s;
	}
	return free;
}

bool allowance_take(struct allowance *a, uint64_t domain, int64_t mono_ms)
{
	struct allowance_slot *s = find(a, domain, mono_ms);

	if (!s || !has_room(s, ALLOWANCE_DOMAIN, mono_ms) ||
	    !has_room(&a->all, ALLOWANCE_ALL, mono_ms)) {
		a->refused_ms = mono_ms;
		a->refused++;
		return false;
	}
	s->domain = domain;
	use(s, ALLOWANCE_DOMAIN, mono_ms);
	use(&a->all, ALLOWANCE_ALL, mono_ms);
	return true;
}
