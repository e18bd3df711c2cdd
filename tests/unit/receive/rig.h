/*
 * A temporary directory with a configuration and, when wanted, a real queue
 * and a real directory in it. One a test.
 */
#ifndef MXHOLD_TESTS_UNIT_RECEIVE_RIG_H
#define MXHOLD_TESTS_UNIT_RECEIVE_RIG_H

#include <stdio.h>
#include <stdlib.h>

#include "mxhold/config/config.h"
#include "mxhold/storage/directory.h"
#include "mxhold/storage/reader.h"
#include "mxhold/storage/writer.h"
#include "unit/base/suite.h"

struct rig {
	char dir[64];
	struct config *config;
	struct store *store;
	struct writer *writer;
	struct directory *directory;
};

void rig_init(struct rig *r);
/* Closes what is open; removes the directory. */
void rig_done(struct rig *r);

/* A file in the directory. */
void rig_write(struct rig *r, const char *name, const char *text);
const char *rig_path(struct rig *r, const char *name); /* static room */
/*
 * Example.com with the recipients joe, "joe.doe", !never; `before` and
 * `within` (the domain) are added. Replaces r->config.
 */
void rig_configure(struct rig *r, const char *before, const char *within);
/* The queue and the directory, the list loaded, no writer's thread. */
void rig_open_store(struct rig *r);

struct queue_counts rig_counts(struct rig *r);
/* The content of the n-th message, as stored; NUL behind it; free() it. */
char *rig_content(struct rig *r, size_t n, size_t *size);

#endif
