#include "mxhold/base/buf.h"

#include <stdio.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"

enum {
	FIRST_ROOM = 64
};

void buf_init(struct buf *b, size_t cap)
{
	*b = (struct buf){.cap = cap};
}

void buf_done(struct buf *b)
{
	mem_free(b->mem);
	buf_init(b, b->cap);
}

void buf_clear(struct buf *b)
{
	b->start = b->n = 0;
}

void buf_move(struct buf *to, struct buf *from)
{
	mem_free(to->mem);
	*to = *from;
	buf_init(from, from->cap);
}

static void to_front(struct buf *b)
{
	if (b->start && b->n)
		memmove(b->mem, b->mem + b->start, b->n);
	b->start = 0;
}

/* Doubled, so that appending byte by byte stays linear. */
static size_t next_room(const struct buf *b, size_t wanted)
{
	size_t room = b->room < FIRST_ROOM / 2 ? FIRST_ROOM / 2 : b->room;

	room = room > b->cap / 2 ? b->cap : room * 2;
	return MX_MAX(room, wanted);
}

int buf_reserve(struct buf *b, size_t more)
{
	size_t wanted, room;
	char *mem;

	if (more > b->cap - b->n)
		return -1;
	wanted = b->n + more;
	if (wanted <= b->room - b->start)
		return 0;
	to_front(b);
	/* Half full at least: grow, or each append would move everything. */
	if (wanted <= b->room / 2 || (wanted <= b->room && b->room == b->cap))
		return 0;
	room = next_room(b, wanted);
	mem = mem_try_realloc(b->mem, room);
	if (!mem)
		return wanted <= b->room ? 0 : -1;
	b->mem = mem;
	b->room = room;
	return 0;
}

int buf_append(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return 0;
	if (buf_reserve(b, n))
		return -1;
	memcpy(b->mem + b->start + b->n, p, n);
	b->n += n;
	return 0;
}

int buf_append_slice(struct buf *b, struct slice s)
{
	return buf_append(b, s.p, s.n);
}

int buf_append_str(struct buf *b, const char *s)
{
	return buf_append(b, s, strlen(s));
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = buf_vprintf(b, fmt, ap);
	va_end(ap);
	return ret;
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	char little[256], *big;
	va_list again;
	int n, ret;

	va_copy(again, ap);
	n = vsnprintf(little, sizeof(little), fmt, ap);
	if (n < 0) {
		ret = -1;
	} else if ((size_t)n < sizeof(little)) {
		ret = buf_append(b, little, (size_t)n);
	} else if ((size_t)n > buf_left(b)) {
		ret = -1;
	} else {
		big = mem_try_alloc((size_t)n + 1);
		ret = -1;
		if (big && vsnprintf(big, (size_t)n + 1, fmt, again) == n)
			ret = buf_append(b, big, (size_t)n);
		mem_free(big);
	}
	va_end(again);
	return ret;
}

void buf_consume(struct buf *b, size_t n)
{
	MX_ASSERT(n <= b->n);
	b->start += n;
	b->n -= n;
	if (b->n == 0)
		b->start = 0;
}

void buf_truncate(struct buf *b, size_t n)
{
	MX_ASSERT(n <= b->n);
	b->n = n;
	if (n == 0)
		b->start = 0;
}
