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
	bool read_only;        /* the CLI beside a daemon or without one */
	bool compact;          /* first, when the file is mostly empty */
};

/*
 * Creates state_dir (0700) when its parent exists, takes the lock that
 * forbids a second daemon (unless read_only), opens or creates queue/,
 * refuses network file systems and newer record versions, sweeps what a
 * crash left half received (recover). Main thread, before any loop runs.
 * 0, or -1 with a sentence and the errno in err->sys: EWOULDBLOCK when another
 * daemon has it, EACCES or EPERM when this user may not, ENOENT when it is
 * read_only and there is no queue.
 */
int store_open(struct store **out, const struct store_options *options,
	       struct error *err);
void store_close(struct store *s);

/*
 * For root's command line before it opens read-only: a reader writes to
 * lock.mdb, and one that root made would lock the daemon out. So root
 * becomes the owner of queue/data.mdb, for good (uid, gid, no other groups);
 * does nothing when we are not root or root owns it. 0, or -1 (err->sys is
 * ENOENT when there is no queue).
 */
int store_become_owner(const char *state_dir, struct error *err);

/* 0, or -1 with ENOENT (or why it cannot be told) in err->sys. */
int store_exists(const char *state_dir, struct error *err);

struct store_space {
	uint64_t used;      /* bytes of pages in use in the queue */
	uint64_t max_bytes; /* the limit in force */
	uint64_t disk_free; /* of the file system, not of the file */
	uint64_t disk_total;
	uint64_t reserve;
	uint64_t file_bytes; /* length of data.mdb */
};

/* Cheap; any thread. */
void store_space(struct store *s, struct store_space *out);
/* May `bytes` more be taken in? False = 452 4.3.1. Any thread, cheap (the
 * file system is asked at most once a second). Pages free inside data.mdb
 * count as free space: the file never shrinks. */
bool store_has_room(struct store *s, uint64_t bytes);
/* True after a commit failed and until one has succeeded: raise an alarm. */
bool store_is_failing(struct store *s);

#endif
