/*
 * A view of bytes that somebody else owns. May hold NUL; never terminated.
 * Valid only as long as what it looks at. Any thread.
 */
#ifndef MXHOLD_BASE_SLICE_H
#define MXHOLD_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *p;
	size_t n;
};

#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})

static inline struct slice slice_make(const void *p, size_t n)
{
	return (struct slice){p, n};
}

static inline struct slice slice_str(const char *s)
{
	return (struct slice){s, s ? strlen(s) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII letters only; other bytes must be equal. */
bool slice_eq_nocase(struct slice a, struct slice b);
bool slice_starts_nocase(struct slice s, struct slice prefix);
int slice_cmp(struct slice a, struct slice b); /* like memcmp, shorter first */

/* s without its first n bytes (n is cut to s.n). */
static inline struct slice slice_skip(struct slice s, size_t n)
{
	n = n < s.n ? n : s.n;
	return (struct slice){s.n ? s.p + n : s.p, s.n - n};
}

/* The first n bytes of s (n is cut to s.n). */
static inline struct slice slice_head(struct slice s, size_t n)
{
	return (struct slice){s.p, n < s.n ? n : s.n};
}

/* Index of byte c, or -1. */
static inline ptrdiff_t slice_index(struct slice s, char c)
{
	const char *at = s.n ? memchr(s.p, (unsigned char)c, s.n) : NULL;
	return at ? at - s.p : -1;
}

struct slice slice_trim(struct slice s); /* blanks and tabs at both ends */

#endif
