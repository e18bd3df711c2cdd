#include "mxhold/receive/escape.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/buf.h"
#include "mxhold/base/list.h"
#include "mxhold/base/map.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/random.h"
#include "mxhold/base/siphash.h"
#include "mxhold/receive/reputation.h"

enum {
	KEY = 16
};

struct escape_rules escape_rules = {
	.tries = 3,
	.spread_ms = 10 * 60 * 1000,
	.memory_ms = INT64_C(48) * 3600 * 1000,
};

struct attempt {
	struct list by_age; /* the one heard of last stands last */
	char key[KEY];
	int64_t since_ms, last_ms;
	uint32_t tries;
};

struct escape {
	struct map attempts;
	struct list by_age;
	size_t max;
	uint64_t keys[2][2];
};

struct escape *escape_new(size_t max)
{
	struct escape *e = mem_alloc(sizeof(*e));

	MX_ASSERT(max > 0);
	map_init(&e->attempts);
	list_init(&e->by_age);
	e->max = max;
	for (size_t i = 0; i < 4; i++)
		e->keys[i / 2][i % 2] = random_u64();
	return e;
}

void escape_free(struct escape *e)
{
	if (!e)
		return;
	map_done(&e->attempts, mem_free);
	mem_free(e);
}

/* 128 bits over network, length of the sender, sender, recipient. */
static void make_key(const struct escape *e, const struct escape_try *t,
		     char key[KEY])
{
	struct buf text;
	char room[17];
	uint64_t half, n = t->sender.n;

	buf_init(&text, 4096);
	(void)buf_append_slice(&text, reputation_key(&t->network, room));
	(void)buf_append(&text, &n, sizeof(n));
	(void)buf_append_slice(&text, slice_head(t->sender, 1024));
	(void)buf_append_slice(&text, slice_head(t->rcpt, 1024));
	for (size_t i = 0; i < 2; i++) {
		half = siphash(e->keys[i], buf_slice(&text));
		memcpy(key + 8 * i, &half, 8);
	}
	buf_done(&text);
}

static void forget(struct escape *e, struct attempt *a)
{
	map_remove(&e->attempts, slice_make(a->key, KEY));
	list_remove(&a->by_age);
	mem_free(a);
}

static struct attempt *oldest(const struct escape *e)
{
	return MX_CONTAINER_OF(e->by_age.next, struct attempt, by_age);
}

static void forget_old(struct escape *e, int64_t now_ms)
{
	while (!list_empty(&e->by_age) &&
	       (e->attempts.n >= e->max ||
		now_ms - oldest(e)->last_ms > escape_rules.memory_ms))
		forget(e, oldest(e));
}

static struct attempt *find(const struct escape *e, const char key[KEY],
			    int64_t now_ms)
{
	struct attempt *a = map_get(&e->attempts, slice_make(key, KEY));

	return a && now_ms - a->last_ms <= escape_rules.memory_ms ? a : NULL;
}

static struct attempt *add(struct escape *e, const char key[KEY],
			   int64_t now_ms)
{
	struct attempt *a;

	forget_old(e, now_ms);
	a = mem_alloc(sizeof(*a));
	memcpy(a->key, key, KEY);
	a->since_ms = now_ms;
	list_append(&e->by_age, &a->by_age);
	map_put(&e->attempts, slice_make(key, KEY), a);
	return a;
}

bool escape_count(struct escape *e, const struct escape_try *t, int64_t now_ms)
{
	struct attempt *a;
	char key[KEY];

	make_key(e, t, key);
	a = find(e, key, now_ms);
	if (a) {
		list_remove(&a->by_age);
		list_append(&e->by_age, &a->by_age);
	} else {
		a = add(e, key, now_ms);
	}
	a->last_ms = now_ms;
	if (a->tries < UINT32_MAX)
		a->tries++;
	return a->tries >= escape_rules.tries &&
	       now_ms - a->since_ms >= escape_rules.spread_ms;
}

uint32_t escape_tries(const struct escape *e, const struct escape_try *t,
		      int64_t now_ms, int64_t *since_ms)
{
	const struct attempt *a;
	char key[KEY];

	make_key(e, t, key);
	a = find(e, key, now_ms);
	if (!a)
		return 0;
	*since_ms = a->since_ms;
	return a->tries;
}

size_t escape_size(const struct escape *e)
{
	return e->attempts.n;
}
