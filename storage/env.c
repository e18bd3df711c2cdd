#include "mxhold/storage/env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "mxhold/base/log.h"

int env_error(struct error *err, int rc, const char *fmt, ...)
{
	char what[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (rc > 0)
		return error_sys(err, rc, "%s", what);
	error_set(err, "%s: %s", what, mdb_strerror(rc));
	return -1;
}

void env_panic(const char *why)
{
	log_why(LOG_ERROR, "database.panic",
		"a meta page could not be written; ending, to begin anew: %s",
		why);
	_exit(1);
}

int env_join(char out[ENV_PATH_MAX], const char *a, const char *b,
	     struct error *err)
{
	int n = snprintf(out, ENV_PATH_MAX, "%s/%s", a, b);

	if (n < 0 || n >= ENV_PATH_MAX)
		return error_sys(err, ENAMETOOLONG, "%s", a);
	return 0;
}

int env_sync_dir(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return error_sys(err, errno, "%s", path);
	rc = fsync(fd) ? error_sys(err, errno, "%s: fsync", path) : 0;
	close(fd);
	return rc;
}

static int sync_parent(const char *path, struct error *err)
{
	char parent[ENV_PATH_MAX];
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	while (n > 0 && path[n - 1] != '/')
		n--;
	if (n == 0)
		return env_sync_dir(".", err);
	if (n >= sizeof(parent))
		return error_sys(err, ENAMETOOLONG, "%s", path);
	memcpy(parent, path, n);
	parent[n] = '\0';
	return env_sync_dir(parent, err);
}

int env_make_dir(const char *path, struct error *err)
{
	struct stat st;

	if (mkdir(path, 0700) == 0)
		return env_sync_dir(path, err) || sync_parent(path, err) ? -1
									 : 0;
	if (errno != EEXIST)
		return error_sys(err, errno, "%s: cannot make it", path);
	if (stat(path, &st))
		return error_sys(err, errno, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return error_sys(err, ENOTDIR, "%s", path);
	return 0;
}

/* Numbers of linux/magic.h and of their file systems' sources. */
static const struct {
	unsigned long magic;
	const char *name;
} remote[] = {
	{0x6969, "NFS"},       {0xff534d42, "CIFS"},   {0xfe534d42, "SMB"},
	{0x517b, "SMB"},       {0x65735546, "FUSE"},   {0x01021997, "9P"},
	{0x5346414f, "AFS"},   {0x00c36400, "Ceph"},   {0x73757245, "Coda"},
	{0x47504653, "GPFS"},  {0x0bd00bd0, "Lustre"}, {0x01161970, "GFS2"},
	{0x7461636f, "OCFS2"},
};

int env_check_fs(const char *path, struct error *err)
{
	struct statfs fs;

	if (statfs(path, &fs))
		return error_sys(err, errno, "%s: statfs", path);
	for (size_t i = 0; i < MX_ARRAY_SIZE(remote); i++) {
		if ((unsigned long)(uint32_t)fs.f_type == remote[i].magic)
			return error_set(err,
					 "%s lies on %s: mail is only safe on "
					 "a local file system",
					 path, remote[i].name);
	}
	return 0;
}

int env_lock(const char *state_dir, struct error *err)
{
	char path[ENV_PATH_MAX];
	int fd, sys;

	if (env_join(path, state_dir, "lock", err))
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_sys(err, errno, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	sys = errno;
	close(fd);
	if (sys != EWOULDBLOCK)
		return error_sys(err, sys, "%s: flock", path);
	error_set(err, "another mxholdd already uses %s", state_dir);
	if (err)
		err->sys = sys;
	return -1;
}

/*
 * A reader writes to lock.mdb. If it had to make the file under another name
 * than the owner's, the owner could not open it any more.
 */
static int check_reader_files(const char *dir, struct error *err)
{
	char path[ENV_PATH_MAX];
	struct stat data;

	if (env_join(path, dir, "data.mdb", err))
		return -1;
	if (stat(path, &data))
		return error_sys(err, errno, "%s", path);
	if (env_join(path, dir, "lock.mdb", err))
		return -1;
	if (access(path, R_OK | W_OK) == 0)
		return 0;
	if (errno != ENOENT)
		return error_sys(err, errno, "%s", path);
	if (geteuid() != data.st_uid)
		return error_sys(err, EPERM,
				 "%s: only the owner of data.mdb may make it",
				 path);
	return 0;
}

/* Read-ahead only pushes useful pages out once the file outgrows memory. */
static unsigned read_ahead_flag(const char *data_file)
{
	struct stat st;
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) *
			  (uint64_t)sysconf(_SC_PAGESIZE);

	if (stat(data_file, &st) || (uint64_t)st.st_size <= memory)
		return 0;
	return MDB_NORDAHEAD;
}

static int open_made(MDB_env *env, const struct env_options *o,
		     struct error *err)
{
	char file[ENV_PATH_MAX];
	unsigned flags = MDB_NOTLS;
	int rc, dead;

	if (env_join(file, o->dir, "data.mdb", err))
		return -1;
	if (o->read_only && check_reader_files(o->dir, err))
		return -1;
	flags |= read_ahead_flag(file) | (o->read_only ? MDB_RDONLY : 0);
	rc = mdb_env_set_maxdbs(env, o->max_dbs);
	if (!rc)
		rc = mdb_env_set_maxreaders(env, 126);
	if (!rc && !o->read_only)
		rc = mdb_env_set_mapsize(env, o->map_size);
	if (!rc)
		rc = mdb_env_open(env, o->dir, flags, 0600);
	if (rc)
		return env_error(err, rc, "%s: cannot open the database",
				 o->dir);
	mdb_reader_check(env, &dead);
	/* It may be new, or have been renamed by one that was killed. */
	return o->read_only ? 0 : env_sync_dir(o->dir, err);
}

int env_open(MDB_env **out, const struct env_options *o, struct error *err)
{
	int rc = mdb_env_create(out);

	if (rc)
		return env_error(err, rc, "%s", o->dir);
	if (open_made(*out, o, err) == 0)
		return 0;
	mdb_env_close(*out);
	*out = NULL;
	return -1;
}
