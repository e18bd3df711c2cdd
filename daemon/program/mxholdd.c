/*
 * mxholdd: the daemon's main(). Reads the configuration, takes sockets from
 * systemd or binds them while it is still root, drops privileges, runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "check.h"
#include "daemon.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/net/listener.h"

enum {
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_CONFIG = 7,
};

static const char *const default_file = "/etc/mxholdd/mxholdd.conf";

static void usage(FILE *to)
{
	fprintf(to,
		"usage: mxholdd [-c FILE] [-t]\n"
		"  -c FILE  configuration (default %s)\n"
		"  -t       check the configuration and exit: 0 good, 7 not\n"
		"  -V       print the version and exit\n"
		"mxholdd stays in the foreground and logs to stderr; see "
		"mxholdd(8).\n",
		default_file);
}

/* Low ports must be had before root is given up. */
static int bind_all(const struct config *c, struct daemon_sockets *s,
		    struct error *err)
{
	for (size_t i = 0; i < c->n_listens; i++) {
		const struct config_listen *l = &c->listens[i];

		for (size_t j = 0; j < l->n_addresses; j++) {
			int fd;

			if (s->n == MX_ARRAY_SIZE(s->fds))
				return error_set(err, "too many addresses");
			fd = listener_bind(&l->addresses[j], err);
			if (fd < 0)
				return -1;
			s->fds[s->n++] = fd;
		}
	}
	return 0;
}

/* The folder above may be root's, so it is made while we are root. One that is
 * there stays as it is; a link put in its place meanwhile is not followed. */
static int make_dir(const char *path, mode_t mode, uid_t user, gid_t group,
		    struct error *err)
{
	int fd, ret = 0;

	if (mkdir(path, 0700) < 0)
		return errno == EEXIST
			       ? 0
			       : error_sys(err, errno, "cannot make %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, user, group) < 0 || fchmod(fd, mode) < 0)
		ret = error_sys(err, errno, "cannot make %s", path);
	if (fd >= 0)
		close(fd);
	return ret;
}

/* Members of control.group must be able to enter the folder of the socket. */
static int make_socket_dir(const struct config *c, const struct passwd *pw,
			   struct error *err)
{
	struct group *gr =
		c->control.group[0] ? getgrnam(c->control.group) : NULL;
	char *path = mem_strdup(c->control.socket);
	int ret = make_dir(dirname(path), 0750, pw->pw_uid,
			   gr ? gr->gr_gid : pw->pw_gid, err);

	mem_free(path);
	return ret;
}

static int become_user(const struct config *c, struct error *err)
{
	struct passwd *pw = getpwnam(c->user);

	if (!pw)
		return error_set(err, "user: there is no user \"%s\"", c->user);
	if (make_dir(c->state_dir, 0700, pw->pw_uid, pw->pw_gid, err) < 0 ||
	    make_socket_dir(c, pw, err) < 0)
		return -1;
	if (initgroups(c->user, pw->pw_gid) < 0 || setgid(pw->pw_gid) < 0 ||
	    setuid(pw->pw_uid) < 0)
		return error_sys(err, errno, "become user %s", c->user);
	return 0;
}

static int take_sockets(const struct config *c, struct daemon_sockets *s,
			struct error *err)
{
	int n = sd_listen_fds(1);

	for (int i = 0; i < n && s->n < MX_ARRAY_SIZE(s->fds); i++)
		s->fds[s->n++] = SD_LISTEN_FDS_START + i;
	if (geteuid() != 0)
		return 0;
	if (!c->user[0]) {
		log_why(LOG_WARNING, "running_as_root",
			"set `user` or start mxholdd as an ordinary user");
		return 0;
	}
	if (n <= 0 && bind_all(c, s, err) < 0)
		return -1;
	return become_user(c, err);
}

static void raise_file_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

static int fail(const struct error *err)
{
	log_why(LOG_ERROR, "not_started", "%s", err->text);
	return EXIT_FAILED;
}

static int run(const struct config *config)
{
	struct daemon_sockets sockets = {.n = 0};
	struct error err = {0};

	log_configure(config->log.level, config->log.format,
		      config->log.hash_private);
	raise_file_limit();
	umask(0077);
	if (take_sockets(config, &sockets, &err) < 0) {
		config_unref(config);
		return fail(&err);
	}
	/* TLS keys are in our memory: no core dumps, no ptrace by our user. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (daemon_run(config, &sockets, &err) < 0)
		return fail(&err);
	return 0;
}

int main(int argc, char **argv)
{
	const char *file = default_file;
	char *complaints = NULL;
	struct config *config;
	bool test = false;
	int opt;

	while ((opt = getopt(argc, argv, "c:thV")) != -1) {
		switch (opt) {
		case 'c':
			file = optarg;
			break;
		case 't':
			test = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'V':
			puts("mxholdd " MX_VERSION);
			return 0;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return EXIT_USAGE;
	}
	config = check_load(file, test ? CHECK_FILES : CHECK_TLS, &complaints);
	if (complaints)
		fputs(complaints, stderr);
	free(complaints);
	if (!config)
		return EXIT_CONFIG;
	if (test) {
		printf("%s: good\n", file);
		config_unref(config);
		return 0;
	}
	return run(config);
}
