#include "mxhold/storage/store.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/storage/compact.h"
#include "mxhold/storage/tables.h"
#include "mxhold/storage/upgrade.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* --- opening ----------------------------------------------------------- */

/* For as long as the queue is open: compact.c wants to be alone with it. */
static int enter_queue(struct store *s, const char *queue, struct error *err)
{
	s->queue_fd = open(queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->queue_fd < 0)
		return error_sys(err, errno, "%s", queue);
	while (flock(s->queue_fd, LOCK_SH)) {
		if (errno != EINTR)
			return error_sys(err, errno, "%s: flock", queue);
	}
	return 0;
}

static int prepare_dirs(struct store *s, const char *queue, struct error *err)
{
	if (s->read_only)
		return 0;
	if (env_make_dir(s->state_dir, err) || env_check_fs(s->state_dir, err))
		return -1;
	s->lock_fd = env_lock(s->state_dir, err);
	if (s->lock_fd < 0)
		return -1;
	if (env_make_dir(queue, err))
		return -1;
	/* One that was killed may have made it, and not synced that. */
	return env_sync_dir(s->state_dir, err);
}

static uint64_t round_to_page(uint64_t n)
{
	return (n + ENV_PAGE - 1) / ENV_PAGE * ENV_PAGE;
}

static int choose_sizes(struct store *s, const struct store_options *o,
			struct error *err)
{
	struct statvfs fs;

	s->reserve = o->reserve;
	s->max_bytes = o->max_bytes;
	if (!s->max_bytes) {
		if (statvfs(s->state_dir, &fs))
			return error_sys(err, errno, "%s", s->state_dir);
		s->max_bytes = (uint64_t)fs.f_blocks * fs.f_frsize / 5 * 4;
	}
	s->map_size = o->map_size;
	if (!s->map_size)
		s->map_size = s->max_bytes + s->max_bytes / 4 + GIB;
	s->map_size = round_to_page(s->map_size);
	/* A map given by hand rules over the limit, not the other way. */
	if (o->map_size && s->max_bytes > s->map_size / 5 * 4)
		s->max_bytes = s->map_size / 5 * 4;
	return 0;
}

/* What is kept out of reach of new content, lest a full queue could not be
 * settled and deleted any more. */
static uint64_t kept_for_changes(uint64_t map)
{
	return MX_MIN(map / 16, GIB / 2);
}

/*
 * Limits may be made smaller than what lies here: without a free page behind
 * it nothing could be settled, and what is delivered would be again.
 */
static void fit_map_to_file(struct store *s)
{
	struct stat st;
	uint64_t file;

	if (stat(s->data_file, &st))
		return;
	file = (uint64_t)st.st_size;
	if (file + kept_for_changes(s->map_size) > s->map_size)
		s->map_size = round_to_page(file + 4 * MIB +
					    MX_MIN(file / 8, GIB / 2));
}

static int open_tables(struct store *s, struct error *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(s->env, NULL, s->read_only ? MDB_RDONLY : 0,
			       &txn);

	if (rc)
		return env_error(err, rc, "%s", s->state_dir);
	rc = tables_open(s, txn);
	if (rc) {
		mdb_txn_abort(txn);
		return env_error(err, rc, "%s: the queue's tables",
				 s->state_dir);
	}
	if (upgrade_check(s, txn, &upgrade_path, err)) {
		mdb_txn_abort(txn);
		return error_prefix(err, "%s", s->state_dir);
	}
	if (!s->read_only)
		rc = recover(s, txn);
	atomic_store(&s->used, tables_used(s, txn));
	if (rc) {
		mdb_txn_abort(txn);
		return env_error(err, rc, "%s: recovery", s->state_dir);
	}
	rc = mdb_txn_commit(txn);
	return rc ? env_error(err, rc, "%s: commit", s->state_dir) : 0;
}

static int open_queue(struct store *s, const struct store_options *o,
		      struct error *err)
{
	char queue[ENV_PATH_MAX], data[ENV_PATH_MAX];
	struct env_options eo = {.dir = queue,
				 .max_dbs = TABLE_COUNT + 1,
				 .read_only = s->read_only};

	if (env_join(queue, s->state_dir, "queue", err) ||
	    env_join(data, queue, "data.mdb", err) ||
	    prepare_dirs(s, queue, err) || choose_sizes(s, o, err))
		return -1;
	s->data_file = mem_strdup(data);
	if (o->compact)
		compact_at_start(s->state_dir);
	if (enter_queue(s, queue, err))
		return -1;
	fit_map_to_file(s);
	eo.map_size = s->map_size;
	if (env_open(&s->env, &eo, err))
		return -1;
	return open_tables(s, err);
}

int store_open(struct store **out, const struct store_options *options,
	       struct error *err)
{
	struct store *s = mem_alloc(sizeof(*s));

	s->lock_fd = s->queue_fd = -1;
	s->read_only = options->read_only;
	s->state_dir = mem_strdup(options->state_dir);
	atomic_store(&s->asked_at_ms, INT64_MIN);
	atomic_store(&s->checked_at_ms, INT64_MIN);
	if (open_queue(s, options, err)) {
		store_close(s);
		return -1;
	}
	slack_keep(s);
	store_disk_is_full(s);
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->env)
		mdb_env_close(s->env);
	if (s->queue_fd >= 0)
		close(s->queue_fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	mem_free(s->data_file);
	mem_free(s->state_dir);
	mem_free(s);
}

int store_become_owner(const char *state_dir, struct error *err)
{
	char path[ENV_PATH_MAX];
	struct stat st;

	if (geteuid() != 0)
		return 0;
	if (env_join(path, state_dir, "queue/data.mdb", err))
		return -1;
	if (stat(path, &st))
		return error_sys(err, errno, "%s", path);
	if (st.st_uid == 0)
		return 0;
	if (setgroups(0, NULL) || setresgid(st.st_gid, st.st_gid, st.st_gid) ||
	    setresuid(st.st_uid, st.st_uid, st.st_uid))
		return error_sys(err, errno, "cannot become the owner of %s",
				 path);
	return 0;
}

int store_exists(const char *state_dir, struct error *err)
{
	char path[ENV_PATH_MAX];

	if (env_join(path, state_dir, "queue/data.mdb", err))
		return -1;
	return access(path, F_OK) ? error_sys(err, errno, "%s", path) : 0;
}

/* --- room -------------------------------------------------------------- */

static void ask_file_system(struct store *s)
{
	struct statvfs fs;
	struct stat st;

	if (statvfs(s->state_dir, &fs) == 0) {
		atomic_store(&s->disk_free,
			     (uint64_t)fs.f_bavail * fs.f_frsize);
		atomic_store(&s->disk_total,
			     (uint64_t)fs.f_blocks * fs.f_frsize);
	}
	if (stat(s->data_file, &st) == 0)
		atomic_store(&s->file_bytes, (uint64_t)st.st_size);
}

/* One thread every so many milliseconds; the others go on with what is. */
static bool is_time(_Atomic int64_t *last_ms, int64_t every_ms)
{
	int64_t now = clock_mono_ms();
	int64_t last = atomic_load(last_ms);

	if (last != INT64_MIN && now >= last && now - last < every_ms)
		return false;
	return atomic_compare_exchange_strong(last_ms, &last, now);
}

void store_forget_readers(struct store *s)
{
	int dead;

	if (!s->read_only && is_time(&s->checked_at_ms, 60000))
		mdb_reader_check(s->env, &dead);
}

static void ask_now_and_then(struct store *s)
{
	if (is_time(&s->asked_at_ms, 1000))
		ask_file_system(s);
	store_forget_readers(s);
}

bool store_disk_is_full(struct store *s)
{
	ask_file_system(s);
	atomic_store(&s->asked_at_ms, clock_mono_ms());
	return atomic_load(&s->disk_free) < 32 * MIB;
}

/* The daemon's writer keeps `used`; beside it one has to look. */
static void refresh_used(struct store *s)
{
	MDB_txn *txn;

	if (mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn))
		return;
	atomic_store(&s->used, tables_used(s, txn));
	mdb_txn_abort(txn);
}

void store_space(struct store *s, struct store_space *out)
{
	ask_now_and_then(s);
	if (s->read_only)
		refresh_used(s);
	out->used = atomic_load(&s->used);
	out->max_bytes = s->max_bytes;
	out->disk_free = atomic_load(&s->disk_free);
	out->disk_total = atomic_load(&s->disk_total);
	out->reserve = s->reserve;
	out->file_bytes = atomic_load(&s->file_bytes);
}

/* A message of n octets with its rows, as pages. */
static uint64_t pages_for(uint64_t n)
{
	return n / 4080 * ENV_PAGE + 2 * ENV_PAGE;
}

bool store_has_room(struct store *s, uint64_t bytes)
{
	struct store_space now;
	uint64_t need, inside, free;

	if (bytes > UINT64_MAX / 4)
		return false;
	store_space(s, &now);
	need = pages_for(bytes);
	if (now.used + need > now.max_bytes || !store_map_has_room(s, bytes))
		return false;
	/* The file never shrinks: pages free inside it count as free. */
	inside = now.file_bytes > now.used ? now.file_bytes - now.used : 0;
	free = now.disk_free + inside;
	return free >= need && free - need >= now.reserve;
}

bool store_map_has_room(struct store *s, uint64_t bytes)
{
	return atomic_load(&s->used) + pages_for(bytes) +
		       kept_for_changes(s->map_size) <=
	       s->map_size;
}

bool store_is_failing(struct store *s)
{
	return atomic_load(&s->failing);
}
