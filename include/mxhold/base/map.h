/*
 * A hash map from byte strings to pointers; keys are copied, values are the
 * caller's. Keyed hash with a random seed, so that peers cannot choose
 * collisions. One thread at a time.
 */
#ifndef MXHOLD_BASE_MAP_H
#define MXHOLD_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "mxhold/base/slice.h"

struct map_entry;

struct map {
	struct map_entry **buckets;
	size_t n_buckets;
	size_t n;
	uint64_t key[2]; /* of the hash */
};

void map_init(struct map *m);
/* Calls free_value (may be NULL) on every value. */
void map_done(struct map *m, void (*free_value)(void *));
void *map_get(const struct map *m, struct slice key); /* NULL if absent */
/* Sets or replaces; returns the old value or NULL. */
void *map_put(struct map *m, struct slice key, void *value);
void *map_remove(struct map *m, struct slice key); /* the value or NULL */
/* Calls fn for each entry until it returns non-zero; returns that. fn may
 * remove the entry it is given, no other. */
int map_each(struct map *m,
	     int (*fn)(void *data, struct slice key, void *value), void *data);

#endif
