#include "mxhold/base/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic unsigned long fail_at;

static _Noreturn void out_of_memory(size_t n)
{
	fprintf(stderr, "out of memory: %zu bytes wanted\n", n);
	abort();
}

void *mem_alloc(size_t n)
{
	return mem_array(1, n);
}

void *mem_array(size_t count, size_t size)
{
	void *p;

	if (!count || !size)
		count = size = 1; /* every pointer can be told from NULL */
	p = calloc(count, size);
	if (!p)
		out_of_memory(size);
	return p;
}

char *mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *mem_strndup(const char *s, size_t n)
{
	char *copy;

	if (n == SIZE_MAX)
		out_of_memory(n);
	copy = mem_alloc(n + 1);
	if (n)
		memcpy(copy, s, n);
	return copy;
}

/* Counts down to the one call that the test wants to fail. */
static int must_fail(void)
{
	unsigned long n = atomic_load_explicit(&fail_at, memory_order_relaxed);

	while (n && !atomic_compare_exchange_weak(&fail_at, &n, n - 1))
		;
	return n == 1;
}

void *mem_try_alloc(size_t n)
{
	return must_fail() ? NULL : malloc(n ? n : 1);
}

void *mem_try_realloc(void *p, size_t n)
{
	return must_fail() ? NULL : realloc(p, n ? n : 1);
}

void mem_free(void *p)
{
	free(p);
}

void mem_fail_at(unsigned long n)
{
	atomic_store(&fail_at, n);
}
