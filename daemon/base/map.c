#include "mxhold/base/map.h"

#include "mxhold/base/mem.h"
#include "mxhold/base/random.h"
#include "mxhold/base/siphash.h"

enum {
	FIRST_BUCKETS = 16
};

struct map_entry {
	struct map_entry *next;
	uint64_t hash;
	void *value;
	size_t n;
	char key[];
};

void map_init(struct map *m)
{
	*m = (struct map){0};
	random_key(m->key);
}

void map_done(struct map *m, void (*free_value)(void *))
{
	for (size_t i = 0; i < m->n_buckets; i++) {
		struct map_entry *e = m->buckets[i], *next;

		for (; e; e = next) {
			next = e->next;
			if (free_value)
				free_value(e->value);
			mem_free(e);
		}
	}
	mem_free(m->buckets);
	m->buckets = NULL;
	m->n_buckets = m->n = 0;
}

/* Where the pointer to the entry is, or would be appended. */
static struct map_entry **find(const struct map *m, struct slice key,
			       uint64_t hash)
{
	struct map_entry **at = &m->buckets[hash & (m->n_buckets - 1)];

	while (*at && ((*at)->hash != hash ||
		       !slice_eq(slice_make((*at)->key, (*at)->n), key)))
		at = &(*at)->next;
	return at;
}

void *map_get(const struct map *m, struct slice key)
{
	struct map_entry *e;

	if (m->n == 0)
		return NULL;
	e = *find(m, key, siphash(m->key, key));
	return e ? e->value : NULL;
}

static void grow(struct map *m)
{
	size_t n = m->n_buckets ? m->n_buckets * 2 : FIRST_BUCKETS;
	struct map_entry **buckets = mem_array(n, sizeof(struct map_entry *));

	for (size_t i = 0; i < m->n_buckets; i++) {
		struct map_entry *e = m->buckets[i], *next;

		for (; e; e = next) {
			next = e->next;
			e->next = buckets[e->hash & (n - 1)];
			buckets[e->hash & (n - 1)] = e;
		}
	}
	mem_free(m->buckets);
	m->buckets = buckets;
	m->n_buckets = n;
}

void *map_put(struct map *m, struct slice key, void *value)
{
	uint64_t hash = siphash(m->key, key);
	struct map_entry **at, *e;

	if (m->n >= m->n_buckets)
		grow(m);
	at = find(m, key, hash);
	if (*at) {
		void *old = (*at)->value;

		(*at)->value = value;
		return old;
	}
	e = mem_alloc(sizeof(*e) + key.n);
	e->hash = hash;
	e->value = value;
	e->n = key.n;
	if (key.n)
		memcpy(e->key, key.p, key.n);
	*at = e;
	m->n++;
	return NULL;
}

void *map_remove(struct map *m, struct slice key)
{
	struct map_entry **at, *e;
	void *value;

	if (m->n == 0)
		return NULL;
	at = find(m, key, siphash(m->key, key));
	e = *at;
	if (!e)
		return NULL;
	*at = e->next;
	value = e->value;
	mem_free(e);
	m->n--;
	return value;
}

int map_each(struct map *m,
	     int (*fn)(void *data, struct slice key, void *value), void *data)
{
	for (size_t i = 0; i < m->n_buckets; i++) {
		struct map_entry *e = m->buckets[i], *next;

		for (; e; e = next) {
			int ret;

			next = e->next;
			ret = fn(data, slice_make(e->key, e->n), e->value);
			if (ret)
				return ret;
		}
	}
	return 0;
}
