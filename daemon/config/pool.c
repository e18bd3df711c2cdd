#include "mxhold/config/pool.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"

struct pool_block {
	struct pool_block *next;
	alignas(max_align_t) unsigned char bytes[];
};

void *pool_array(struct pool *p, size_t count, size_t size)
{
	struct pool_block *b;
	size_t n;

	MX_ASSERT(!__builtin_mul_overflow(count, size, &n));
	b = mem_alloc(sizeof(*b) + n);
	b->next = p->blocks;
	p->blocks = b;
	return b->bytes;
}

char *pool_strndup(struct pool *p, const char *s, size_t n)
{
	char *copy = pool_array(p, n + 1, 1);

	memcpy(copy, s, n);
	return copy;
}

char *pool_strdup(struct pool *p, const char *s)
{
	return pool_strndup(p, s, strlen(s));
}

char *pool_printf(struct pool *p, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	MX_ASSERT(n >= 0 && n < (int)sizeof(text));
	return pool_strdup(p, text);
}

void pool_done(struct pool *p)
{
	while (p->blocks) {
		struct pool_block *next = p->blocks->next;

		mem_free(p->blocks);
		p->blocks = next;
	}
}
