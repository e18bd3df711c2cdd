/*
 * LMDB environments as both databases need them: folders, file system check,
 * opening with default flags, errors as sentences. Private to storage.
 */
#ifndef MXHOLD_STORAGE_ENV_H
#define MXHOLD_STORAGE_ENV_H

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/attr.h"
#include "mxhold/base/error.h"
#include "mxhold/base/slice.h"

enum {
	ENV_PATH_MAX = 4096,
	ENV_PAGE = 4096,
};

/* err->sys = the errno behind rc, or 0 for LMDB's own codes. Returns -1. */
int env_error(struct error *err, int rc, const char *fmt, ...) MX_PRINTF(3, 4);

/* LMDB gave up (a failed meta page), which lasts as long as its environment:
 * logs it and _exit(1)s, so that the manager restarts us. */
void env_panic(const char *why);

/* Makes the folder (0700) if its parent is there, and syncs both. */
int env_make_dir(const char *path, struct error *err);
int env_sync_dir(const char *path, struct error *err);
/* Refuses file systems that LMDB's locks and maps do not work on. */
int env_check_fs(const char *path, struct error *err);
/* "a/b" into out; -1 when it does not fit. */
int env_join(char out[ENV_PATH_MAX], const char *a, const char *b,
	     struct error *err);

/* Takes the lock of state_dir, which is one writing process's at a time. Its
 * descriptor, or -1; err->sys is EWOULDBLOCK when somebody has it. */
int env_lock(const char *state_dir, struct error *err);

struct env_options {
	const char *dir;
	uint64_t map_size; /* ignored when read_only: the file knows it */
	unsigned max_dbs;
	bool read_only;
};

/*
 * Opens dir/data.mdb. When it is created now, it is made durable with its
 * folder before this returns. Read-only: never creates anything that would
 * have the wrong owner; err->sys is ENOENT, EACCES or EPERM as fits.
 */
int env_open(MDB_env **out, const struct env_options *o, struct error *err);

static inline MDB_val env_val(const void *p, size_t n)
{
	return (MDB_val){n, (void *)p};
}

static inline struct slice env_slice(const MDB_val *v)
{
	return slice_make(v->mv_data, v->mv_size);
}

#endif
