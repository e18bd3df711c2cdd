/*
 * The looks of the check, each in short snapshots; what one snapshot
 * shows is consistent, whatever the daemon does meanwhile. Private to
 * storage.
 */
#ifndef MXHOLD_STORAGE_VERIFY_PARTS_H
#define MXHOLD_STORAGE_VERIFY_PARTS_H

#include "mxhold/base/attr.h"
#include "mxhold/storage/snapshot.h"
#include "mxhold/storage/verify.h"

struct verify {
	struct reader *r;
	struct verify_result *out;
	void (*found)(void *data, const char *what);
	void *data;
};

/* A walk in pages: after each the snapshot ends and the key is kept. */
struct verify_walk {
	struct verify *v;
	enum table table;
	uint8_t first;   /* octet of the keys wanted; 0 = the whole table */
	size_t key_size; /* 0 = any */
	void (*check)(struct verify_walk *w, const uint8_t *key);
	/* of the row looked at, and then where to go on */
	const MDB_val *value;
	uint8_t key[KEY_DEST_MAX + 1];
	size_t kn;
	unsigned rows;
};

/* 0 or -1. */
int verify_walk(struct verify_walk *w);

void verify_problem(struct verify *v, const char *fmt, ...) MX_PRINTF(2, 3);
/* "message 0abc...: " before it. */
void verify_message_problem(struct verify *v, uint64_t id, const char *fmt, ...)
	MX_PRINTF(3, 4);

/* Within a snapshot: one message from its record to all that it names. */
void verify_message(struct verify *v, uint64_t id);
/* Rows that no message names. 0 or -1. */
int verify_rows(struct verify *v);
/* Names, last numbers given, uploads, history, marks of imports. 0 or -1. */
int verify_refs(struct verify *v);
/* Counters against a recount. 0 or -1. */
int verify_counters(struct verify *v);

#endif
