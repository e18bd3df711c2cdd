/*
 * Small memory that lives exactly as long as a configuration (or as the
 * reading of one). Aborts when there is none: who writes the configuration
 * decides its size.
 */
#ifndef MXHOLD_CONFIG_POOL_H
#define MXHOLD_CONFIG_POOL_H

#include <stddef.h>

struct pool_block;

struct pool {
	struct pool_block *blocks;
};

void *pool_array(struct pool *p, size_t count, size_t size); /* zeroed */
char *pool_strdup(struct pool *p, const char *s);
char *pool_strndup(struct pool *p, const char *s, size_t n);
char *pool_printf(struct pool *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void pool_done(struct pool *p);

#endif
