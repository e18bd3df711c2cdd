/*
 * Reads from the store on the work pool. A page fault of the map would stall
 * a loop and every session on it, so messages and contents are read by
 * threads of the pool, each with a reader of its own: a seat. There are few
 * seats; what finds none waits in line.
 *
 * To wake a thread costs more than to read a small message from memory: what
 * is asked for in one turn of the loop shares a seat. While reads have to wait
 * for the disk, each has one to itself, and they wait together.
 *
 * Main loop only; `fn` alone runs on a thread of the pool.
 */
#ifndef MXHOLD_RELAY_SHELF_H
#define MXHOLD_RELAY_SHELF_H

#include "mxhold/base/list.h"
#include "mxhold/net/loop.h"
#include "mxhold/storage/directory.h"
#include "mxhold/storage/reader.h"

enum {
	SHELF_SEATS = 8,
	SHELF_SHARE = 8 /* tasks in one seat at most */
};

struct shelf;

struct shelf_seat {
	struct list item;
	struct shelf *shelf;
	struct reader *reader;
	struct directory_reader *directory;
	struct list tasks; /* of this sitting */
	size_t n;
	int64_t took_us;
};

/* Embedded by its owner, who must live until done was called. */
struct shelf_task {
	struct list item;
	void (*fn)(void *data, struct shelf_seat *seat);
	void (*done)(void *data);
	void *data;
};

struct shelf *shelf_new(struct loop *l, struct store *store,
			struct directory *directory);
void shelf_submit(struct shelf *s, struct shelf_task *task);
void shelf_free(struct shelf *s); /* when nothing is under way */

#endif
