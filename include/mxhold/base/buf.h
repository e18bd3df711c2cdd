/*
 * A growing byte buffer with a cap given at birth. Appending beyond the cap,
 * or when memory is short, fails with -1 and leaves the buffer as it was.
 * One thread at a time; the buffer owns its bytes.
 */
#ifndef MXHOLD_BASE_BUF_H
#define MXHOLD_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "mxhold/base/attr.h"
#include "mxhold/base/slice.h"

struct buf {
	char *mem;
	size_t start; /* first live byte in mem */
	size_t n;     /* live bytes */
	size_t room;  /* bytes allocated */
	size_t cap;   /* n never passes this */
};

void buf_init(struct buf *b, size_t cap);        /* allocates nothing yet */
void buf_done(struct buf *b);                    /* frees; may be used again */
void buf_clear(struct buf *b);                   /* n = 0; memory is kept */
void buf_move(struct buf *to, struct buf *from); /* from is left empty */
int buf_reserve(struct buf *b, size_t more);     /* room for n + more */
int buf_append(struct buf *b, const void *p, size_t n);
int buf_append_slice(struct buf *b, struct slice s);
int buf_append_str(struct buf *b, const char *s);
int buf_printf(struct buf *b, const char *fmt, ...) MX_PRINTF(2, 3);
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) MX_PRINTF(2, 0);
void buf_consume(struct buf *b, size_t n);  /* drop n bytes from the front */
void buf_truncate(struct buf *b, size_t n); /* keep the first n bytes */

static inline struct slice buf_slice(const struct buf *b)
{
	return slice_make(b->mem ? b->mem + b->start : "", b->n);
}

/* Bytes that may still be appended before the cap. */
static inline size_t buf_left(const struct buf *b)
{
	return b->cap - b->n;
}

#endif
