/*
 * The three looks of the check, each in short snapshots; what one snapshot
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
	bool online;
	struct verify_result *out;
	void (*found)(void *data, const char *what);
	void *data;
};

void verify_problem(struct verify *v, const char *fmt, ...) MX_PRINTF(2, 3);
/* "message 0abc...: " before it. */
void verify_message_problem(struct verify *v, uint64_t id, const char *fmt, ...)
	MX_PRINTF(3, 4);

/* Within a snapshot: one message from its record to all that it names. */
void verify_message(struct verify *v, uint64_t id);
/* Rows that no message names. 0 or -1. */
int verify_rows(struct verify *v);
/* Counters against a recount. 0 or -1. */
int verify_counters(struct verify *v);

#endif
