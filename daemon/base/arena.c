#include "mxhold/base/arena.h"

#include <stdalign.h>

#include "mxhold/base/attr.h"
#include "mxhold/base/mem.h"

enum {
	BLOCK_MIN = 1024,
	BLOCK_MAX = 65536
};

struct arena_block {
	struct arena_block *next;
	size_t used, room;
	alignas(max_align_t) char data[];
};

void arena_init(struct arena *a, size_t cap)
{
	*a = (struct arena){.cap = cap};
}

void arena_reset(struct arena *a)
{
	struct arena_block *block = a->blocks, *next;

	for (; block; block = next) {
		next = block->next;
		mem_free(block);
	}
	a->blocks = NULL;
	a->used = 0;
}

void arena_done(struct arena *a)
{
	arena_reset(a);
}

static struct arena_block *add_block(struct arena *a, size_t n)
{
	size_t room = a->blocks ? a->blocks->room * 2 : BLOCK_MIN;
	struct arena_block *block;

	room = MX_MIN(room, BLOCK_MAX);
	room = MX_MIN(room, a->cap - a->used); /* never far beyond the cap */
	room = MX_MAX(room, n);
	block = mem_try_alloc(sizeof(*block) + room);
	if (!block)
		return NULL;
	block->used = 0;
	block->room = room;
	block->next = a->blocks;
	a->blocks = block;
	return block;
}

void *arena_alloc(struct arena *a, size_t n)
{
	const size_t align = alignof(max_align_t);
	struct arena_block *block = a->blocks;
	char *p;

	if (n > a->cap - a->used)
		return NULL;
	n = (MX_MAX(n, (size_t)1) + align - 1) & ~(align - 1);
	if (n == 0 || n > a->cap - a->used)
		return NULL;
	if (!block || n > block->room - block->used)
		block = add_block(a, n);
	if (!block)
		return NULL;
	p = block->data + block->used;
	block->used += n;
	a->used += n;
	return memset(p, 0, n);
}

struct slice arena_dup(struct arena *a, struct slice s)
{
	char *p = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;

	if (!p)
		return slice_make(NULL, 0);
	if (s.n)
		memcpy(p, s.p, s.n);
	return slice_make(p, s.n);
}
