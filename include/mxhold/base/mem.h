/*
 * Memory. mem_alloc and its kin are for small, fixed sizes: they abort when
 * there is none. mem_try_* are for sizes a peer decides: they may return NULL.
 * Any thread.
 */
#ifndef MXHOLD_BASE_MEM_H
#define MXHOLD_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t n);                  /* zeroed */
void *mem_array(size_t count, size_t size); /* zeroed, overflow checked */
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n); /* copies n bytes, adds NUL */
void *mem_try_alloc(size_t n);              /* not zeroed; NULL on failure */
void *mem_try_realloc(void *p, size_t n);
void mem_free(void *p); /* NULL is fine */

/* Test hook: the n-th mem_try_* call from now fails, once; 0 = never. */
void mem_fail_at(unsigned long n);

#endif
