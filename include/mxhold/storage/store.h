/*
 * The queue's LMDB environment: opened once a process, default flags only
 * (no WRITEMAP, NOSYNC, NOMETASYNC, MAPASYNC, DUPSORT), NOTLS for readers.
 * Tables are listed in docs/queue.md. Opening checks nothing that grows with
 * the queue. See also writer.h (changes) and reader.h (snapshots).
 */
#ifndef MXHOLD_STORAGE_STORE_H
#define MXHOLD_STORAGE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/error.h"

struct store;

struct store_options {
	const char *state_dir; /* queue/ and directory/ lie below it */
	uint64_t map_size;     /* address space; 0 = from max_bytes */
	uint64_t max_bytes;    /* 0 = 80 % of the file system */
	uint64_t reserve;      /* free bytes to keep on the file system */
	bool read_only;	       /* the CLI beside a daemon or without one */
};

/*
 * Creates state_dir (0700) when its parent exists, takes the lock that
 * forbids a second daemon (unless read_only), opens or creates queue/,
 * refuses network file systems and newer record versions, sweeps what a
 * crash left half received (recover). Main thread, before any loop runs.
 * 0, or -1 with a sentence; STORE_EPERM in err->sys terms is errno.
 */
int store_open(struct store **out, const struct store_options *options,
	       struct error *err);
void store_close(struct store *s);

struct store_space {
	uint64_t used;	    /* bytes of pages in use in the queue */
	uint64_t max_bytes; /* the limit in force */
	uint64_t disk_free; /* of the file system */
	uint64_t disk_total;
	uint64_t reserve;
	uint64_t file_bytes; /* length of data.mdb */
};

/* Cheap; any thread. */
void store_space(struct store *s, struct store_space *out);
/* May `bytes` more be taken in? False = 452 4.3.1. Any thread, cheap (the
 * file system is asked at most once a second). */
bool store_has_room(struct store *s, uint64_t bytes);
/* True after a commit failed and until one has succeeded: raise an alarm. */
bool store_is_failing(struct store *s);

#endif
