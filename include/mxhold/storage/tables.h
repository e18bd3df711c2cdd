/*
 * The queue's tables and the inside of struct store. Private to storage.
 */
#ifndef MXHOLD_STORAGE_TABLES_H
#define MXHOLD_STORAGE_TABLES_H

#include <lmdb.h>
#include <stdatomic.h>

#include "mxhold/storage/env.h"
#include "mxhold/storage/store.h"

enum table {
	TABLE_META,
	TABLE_DEST,
	TABLE_INCOMING,
	TABLE_SWEEP,
	TABLE_MESSAGE,
	TABLE_RECIPIENT,
	TABLE_BODY,
	TABLE_DUE,
	TABLE_AGE,
	TABLE_EXPIRE,
	TABLE_HISTORY,
	TABLE_COUNT
};

enum {
	FORMAT_VERSION = 1, /* of the queue as a whole, in `meta` */
	KEY_DEST_MAX = 2 + 255,
};

struct store {
	MDB_env *env;
	MDB_dbi dbi[TABLE_COUNT];
	bool read_only;
	int lock_fd;  /* -1 when read_only */
	int queue_fd; /* the folder, locked against compacting */
	uint64_t map_size, max_bytes, reserve;
	char *state_dir, *data_file;
	/* any thread */
	_Atomic uint64_t used, file_bytes, disk_free, disk_total;
	_Atomic int64_t asked_at_ms;   /* monotonic: file system last asked */
	_Atomic int64_t checked_at_ms; /* monotonic: dead readers last sought */
	atomic_bool failing;
	int64_t slack_at_ms; /* the writer's: monotonic, when to look again */
};

const char *table_name(enum table t);
/* Opens every table, creating it unless read-only; an LMDB code. */
int tables_open(struct store *s, MDB_txn *txn);
/* Bytes of pages in use in all tables, as of txn. */
uint64_t tables_used(struct store *s, MDB_txn *txn);

/* Keys of `dest`: by name and by number. Return the length. */
size_t key_dest_name(uint8_t k[KEY_DEST_MAX], int kind, struct slice domain);
size_t key_dest_number(uint8_t k[KEY_DEST_MAX], uint32_t dest);
size_t key_meta(uint8_t k[16]); /* the one record of struct meta_record */

/* recover.c: what a crash left half received goes to `sweep`. LMDB code. */
int recover(struct store *s, MDB_txn *txn);

/* slack.c: keeps some blocks in hand; for the writer, after each batch. */
void slack_keep(struct store *s);

/* Room for `bytes` more in the address space, with some left over so that
 * a full queue can still change and drain. */
bool store_map_has_room(struct store *s, uint64_t bytes);
/* Asks the file system now. True: hardly anything is free. */
bool store_disk_is_full(struct store *s);
/* A reader that was killed keeps its slot, and with it every page that was
 * freed since, until somebody looks: at most once a minute. Any thread. */
void store_forget_readers(struct store *s);

#endif
