#include "mxhold/storage/compact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "mxhold/base/log.h"
#include "mxhold/storage/failpoint.h"
#include "mxhold/storage/record.h"
#include "mxhold/storage/upgrade.h"

enum {
	SLACK = 32 << 20, /* room to be left on the disk */
};

struct compacting {
	char queue[ENV_PATH_MAX], file[ENV_PATH_MAX], copy[ENV_PATH_MAX];
	struct compact_result *out;
	struct error *err;
};

/* An environment with its tables, to be looked at. */
struct look {
	struct store store;
	MDB_txn *txn;
};

static int prepare(struct compacting *c, const char *state_dir)
{
	return env_join(c->queue, state_dir, "queue", c->err) ||
			       env_join(c->file, c->queue, "data.mdb",
					c->err) ||
			       env_join(c->copy, c->queue, "data.mdb.new",
					c->err)
		       ? -1
		       : 0;
}

/* --- looking ----------------------------------------------------------- */

static void look_end(struct look *l)
{
	if (l->txn)
		mdb_txn_abort(l->txn);
	if (l->store.env)
		mdb_env_close(l->store.env);
	*l = (struct look){0};
}

static int begin(struct look *l, const char *path, struct error *err)
{
	int rc = mdb_txn_begin(l->store.env, NULL, MDB_RDONLY, &l->txn);

	if (!rc)
		rc = tables_open(&l->store, l->txn);
	if (rc)
		env_error(err, rc, "%s", path);
	else
		rc = upgrade_check(&l->store, l->txn, &upgrade_path, err);
	if (!rc)
		return 0;
	look_end(l);
	return -1;
}

static int look_at_queue(struct compacting *c, struct look *l)
{
	struct env_options eo = {
		.dir = c->queue, .max_dbs = TABLE_COUNT + 1, .read_only = true};

	*l = (struct look){.store.read_only = true};
	if (env_open(&l->store.env, &eo, c->err))
		return -1;
	return begin(l, c->file, c->err);
}

static int look_at_copy(struct compacting *c, struct look *l)
{
	int rc;

	*l = (struct look){.store.read_only = true};
	rc = mdb_env_create(&l->store.env);
	if (!rc)
		rc = mdb_env_set_maxdbs(l->store.env, TABLE_COUNT + 1);
	if (!rc)
		rc = mdb_env_open(l->store.env, c->copy,
				  MDB_RDONLY | MDB_NOLOCK | MDB_NOSUBDIR |
					  MDB_NOTLS,
				  0600);
	if (!rc)
		return begin(l, c->copy, c->err);
	look_end(l);
	return env_error(c->err, rc, "%s", c->copy);
}

static uint64_t count(const struct look *l, enum table t)
{
	MDB_stat st;

	return mdb_stat(l->txn, l->store.dbi[t], &st) ? UINT64_MAX
						      : st.ms_entries;
}

/* --- the copy ---------------------------------------------------------- */

static int write_copy(struct compacting *c, const struct look *l)
{
	int fd = open(c->copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return error_sys(c->err, errno, "%s", c->copy);
	rc = failpoint_hit("compact-copy");
	if (!rc)
		rc = mdb_env_copyfd2(l->store.env, fd, MDB_CP_COMPACT);
	if (!rc && fsync(fd))
		rc = errno;
	if (close(fd) && !rc)
		rc = errno;
	return rc ? env_error(c->err, rc, "%s", c->copy) : 0;
}

/* The record with the last id, and the messages and octets counted. */
static int get_state(const struct look *l, MDB_val *v)
{
	uint8_t key[16];
	MDB_val k = env_val(key, key_meta(key));
	int rc = mdb_get(l->txn, l->store.dbi[TABLE_META], &k, v);

	if (rc == MDB_NOTFOUND)
		*v = env_val("", 0);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static bool is_same(const struct look *a, const struct look *b)
{
	MDB_val x, y;

	for (int t = 0; t < TABLE_COUNT; t++)
		if (count(a, (enum table)t) != count(b, (enum table)t))
			return false;
	return get_state(a, &x) == 0 && get_state(b, &y) == 0 &&
	       slice_eq(env_slice(&x), env_slice(&y));
}

static int compare(struct compacting *c, const struct look *old)
{
	struct look new;
	bool same;

	if (look_at_copy(c, &new))
		return -1;
	same = is_same(old, &new);
	look_end(&new);
	return same ? 0
		    : error_set(c->err, "%s is not what %s is", c->copy,
				c->file);
}

/* --- the switch -------------------------------------------------------- */

static int is_in_use(struct compacting *c)
{
	error_set(c->err, "something else has %s open; try again", c->queue);
	if (c->err)
		c->err->sys = EBUSY;
	return -1;
}

/* Others of LMDB's tools hold a lock on the first octet of this file. */
static int lock_out_tools(struct compacting *c, int *fd)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	char path[ENV_PATH_MAX];

	if (env_join(path, c->queue, "lock.mdb", c->err))
		return -1;
	*fd = open(path, O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		return errno == ENOENT ? 0
				       : error_sys(c->err, errno, "%s", path);
	return fcntl(*fd, F_SETLK, &lock) ? is_in_use(c) : 0;
}

static int rename_copy(struct compacting *c)
{
	int rc = failpoint_hit("compact-before-rename");

	if (!rc && rename(c->copy, c->file))
		rc = errno;
	if (rc)
		return error_sys(c->err, rc, "%s", c->copy);
	(void)failpoint_hit("compact-after-rename");
	return env_sync_dir(c->queue, c->err);
}

/*
 * A reader that had the old file open beside a daemon with the new one would
 * share its table of transactions: none may be there, nor come meanwhile.
 * Ours hold a shared lock on the folder (store.c).
 */
static int switch_files(struct compacting *c)
{
	int dir = open(c->queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int tools = -1, rc;

	if (dir < 0)
		return error_sys(c->err, errno, "%s", c->queue);
	rc = flock(dir, LOCK_EX | LOCK_NB) ? is_in_use(c) : 0;
	if (!rc)
		rc = lock_out_tools(c, &tools);
	if (!rc)
		rc = rename_copy(c);
	if (tools >= 0)
		close(tools);
	close(dir);
	return rc;
}

/* --- all of it --------------------------------------------------------- */

static uint64_t file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint64_t)st.st_size;
}

static void measure(struct compacting *c, struct look *l)
{
	c->out->before = file_size(c->file);
	c->out->used = tables_used(&l->store, l->txn);
	c->out->messages = count(l, TABLE_MESSAGE);
}

/* Takes the look over. */
static int compact(struct compacting *c, struct look *l)
{
	int rc = write_copy(c, l);

	if (!rc)
		rc = compare(c, l);
	look_end(l);
	if (!rc)
		rc = switch_files(c);
	if (rc)
		unlink(c->copy);
	else
		c->out->after = file_size(c->file);
	return rc;
}

static int compact_locked(struct compacting *c, bool dry_run)
{
	struct look l;

	if (look_at_queue(c, &l))
		return -1;
	measure(c, &l);
	if (!dry_run)
		return compact(c, &l);
	look_end(&l);
	return 0;
}

int store_compact(const char *state_dir, bool dry_run,
		  struct compact_result *out, struct error *err)
{
	struct compacting c = {.out = out, .err = err};
	int lock, rc;

	*out = (struct compact_result){0};
	if (prepare(&c, state_dir))
		return -1;
	if (access(c.file, F_OK))
		return error_sys(err, errno, "%s", c.file);
	lock = env_lock(state_dir, err);
	if (lock < 0)
		return -1;
	rc = compact_locked(&c, dry_run);
	close(lock);
	return rc;
}

/* --- at start ---------------------------------------------------------- */

static bool is_worth_it(const struct compacting *c)
{
	const struct compact_result *r = c->out;
	struct statvfs fs;

	return r->used <= r->before / COMPACT_SHARE &&
	       r->used <= COMPACT_START_MAX && statvfs(c->queue, &fs) == 0 &&
	       (uint64_t)fs.f_bavail * fs.f_frsize >= r->used + SLACK;
}

static void log_compacted(const struct compact_result *r)
{
	struct log_line l;

	log_begin(&l, LOG_INFO, "queue.compacted");
	log_int(&l, "before", (int64_t)r->before);
	log_int(&l, "after", (int64_t)r->after);
	log_int(&l, "messages", (int64_t)r->messages);
	log_end(&l);
}

void compact_at_start(const char *state_dir)
{
	struct compact_result r = {0};
	struct error err = {0};
	struct compacting c = {.out = &r, .err = &err};
	struct look l;

	if (prepare(&c, state_dir))
		return;
	unlink(c.copy); /* of one that was interrupted */
	if (file_size(c.file) < COMPACT_MIN || look_at_queue(&c, &l))
		return; /* opening it will tell why */
	measure(&c, &l);
	if (!is_worth_it(&c))
		look_end(&l);
	else if (compact(&c, &l))
		log_why(LOG_WARNING, "queue.not_compacted", "%s", err.text);
	else
		log_compacted(&r);
}
