#include "mxhold/net/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mxhold/base/attr.h"
#include "mxhold/base/buf.h"
#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/text.h"

enum {
	TURN_MS = 100, /* how long a wish to stop may go unheard */
	SAID_MAX = 200,
	VARS_MAX = 16,
};

struct running {
	const struct program *p;
	pid_t pid;
	int out, err; /* our ends; -1 = at its end */
	int64_t deadline_ms;
	uint64_t size;
	struct buf said; /* on its standard error: the beginning */
};

/* --- starting ---------------------------------------------------------- */

/* Words of text, which is written to. 0 = none, or too many. */
static size_t split(char *text, char *words[PROGRAM_WORDS_MAX + 1])
{
	char *rest = text, *word;
	size_t n = 0;

	while ((word = strsep(&rest, " \t"))) {
		if (!*word)
			continue;
		if (n == PROGRAM_WORDS_MAX)
			return 0;
		words[n++] = word;
	}
	words[n] = NULL;
	return n;
}

static void set_files(posix_spawn_file_actions_t *a, int out, int err)
{
	posix_spawn_file_actions_init(a);
	posix_spawn_file_actions_addopen(a, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(a, out, 1);
	posix_spawn_file_actions_adddup2(a, err, 2);
	posix_spawn_file_actions_addclosefrom_np(a, 3);
	posix_spawn_file_actions_addchdir_np(a, "/");
}

/* Signals as by default, whatever the daemon ignores or blocks. */
static void set_attributes(posix_spawnattr_t *a)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(a);
	posix_spawnattr_setpgroup(a, 0);
	posix_spawnattr_setsigmask(a, &none);
	posix_spawnattr_setsigdefault(a, &all);
	posix_spawnattr_setflags(a, POSIX_SPAWN_SETPGROUP |
					    POSIX_SPAWN_SETSIGMASK |
					    POSIX_SPAWN_SETSIGDEF);
}

static int spawn(pid_t *pid, const struct program *p, char **words, int out,
		 int err)
{
	char *vars[VARS_MAX + 2] = {
		(char *)"PATH=/usr/local/sbin:/usr/local/bin:"
			"/usr/sbin:/usr/bin:/sbin:/bin"};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int rc;

	for (size_t i = 0; p->vars && p->vars[i] && i < VARS_MAX; i++)
		vars[i + 1] = (char *)p->vars[i];
	set_files(&files, out, err);
	set_attributes(&attributes);
	rc = posix_spawn(pid, words[0], &files, &attributes, words, vars);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	return rc;
}

/* Our ends never block: poll says when there is something. */
static int make_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC))
		return -1;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static int start_with(struct running *r, char **words, struct error *err)
{
	int out[2], complaints[2], rc;

	if (make_pipe(out))
		return error_sys(err, errno, "a pipe");
	if (make_pipe(complaints)) {
		rc = errno;
		close(out[0]);
		close(out[1]);
		return error_sys(err, rc, "a pipe");
	}
	rc = spawn(&r->pid, r->p, words, out[1], complaints[1]);
	close(out[1]);
	close(complaints[1]);
	r->out = out[0];
	r->err = complaints[0];
	return rc ? error_sys(err, rc, "cannot be run") : 0;
}

static int start(struct running *r, struct error *err)
{
	char *text = mem_strdup(r->p->command);
	char *words[PROGRAM_WORDS_MAX + 1];
	int rc;

	if (split(text, words) == 0)
		rc = error_set(err, "not a command of 1 to %d words",
			       PROGRAM_WORDS_MAX);
	else
		rc = start_with(r, words, err);
	mem_free(text);
	return rc;
}

/* --- listening --------------------------------------------------------- */

static void end_of(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int take_output(struct running *r, struct slice bytes, struct error *err)
{
	r->size += bytes.n;
	if (r->size > r->p->max_size)
		return error_set(err, "prints more than %llu bytes",
				 (unsigned long long)r->p->max_size);
	return r->p->on_bytes(r->p->data, bytes, err);
}

/* What is there now. */
static int listen_to(struct running *r, int *fd, struct error *err)
{
	char bytes[65536];
	ssize_t n = read(*fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		end_of(fd);
		return 0;
	}
	if (fd == &r->out)
		return take_output(r, slice_make(bytes, (size_t)n), err);
	buf_append(&r->said, bytes, MX_MIN((size_t)n, buf_left(&r->said)));
	return 0;
}

static int check_time(const struct running *r, struct error *err)
{
	if (r->p->cancelled && atomic_load(r->p->cancelled))
		return error_sys(err, ECANCELED, "broken off");
	if (clock_mono_ms() >= r->deadline_ms)
		return error_set(err, "did not end within %lld s",
				 (long long)(r->p->timeout_ms + 999) / 1000);
	return 0;
}

static int listen_on(struct running *r, struct error *err)
{
	while (r->out >= 0 || r->err >= 0) {
		struct pollfd fds[] = {{r->out, POLLIN, 0},
				       {r->err, POLLIN, 0}};

		if (check_time(r, err))
			return -1;
		if (poll(fds, 2, TURN_MS) <= 0)
			continue;
		if (fds[0].revents && listen_to(r, &r->out, err))
			return -1;
		if (fds[1].revents)
			listen_to(r, &r->err, err);
	}
	return 0;
}

/* --- ending ------------------------------------------------------------ */

/* It may have closed its output and still be at work. */
static int wait_for_end(struct running *r, int *status, struct error *err)
{
	struct timespec turn = {.tv_nsec = 5 * 1000 * 1000};
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		/* Its id stays ours until its group has been killed. */
		if (waitid(P_PID, (id_t)r->pid, &info,
			   WEXITED | WNOHANG | WNOWAIT) < 0)
			return error_sys(err, errno, "waiting for it");
		if (info.si_pid == r->pid)
			break;
		if (check_time(r, err))
			return -1;
		nanosleep(&turn, NULL);
	}
	*status = info.si_status;
	if (info.si_code == CLD_EXITED && *status == 0)
		return 0;
	return error_set(err,
			 info.si_code == CLD_EXITED ? "ended with status %d"
						    : "was killed by signal %d",
			 *status);
}

static void kill_group(struct running *r)
{
	int status;

	kill(-r->pid, SIGKILL);
	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		continue;
}

static void add_complaint(const struct running *r, struct error *err)
{
	struct slice said = buf_slice(&r->said);
	ptrdiff_t line = slice_index(said, '\n');
	struct buf safe;

	said = slice_trim(line < 0 ? said : slice_head(said, (size_t)line));
	if (!err || said.n == 0)
		return;
	buf_init(&safe, 4 * SAID_MAX);
	text_append_safe(&safe, said, SAID_MAX);
	snprintf(err->text + strlen(err->text),
		 sizeof(err->text) - strlen(err->text), ": %.*s", (int)safe.n,
		 buf_slice(&safe).p);
	buf_done(&safe);
}

int program_run(const struct program *p, struct error *err)
{
	struct running r = {.p = p, .out = -1, .err = -1};
	int status, rc;

	r.deadline_ms = clock_mono_ms() + p->timeout_ms;
	buf_init(&r.said, SAID_MAX);
	rc = start(&r, err);
	if (rc == 0) {
		rc = listen_on(&r, err);
		if (rc == 0)
			rc = wait_for_end(&r, &status, err);
		kill_group(&r);
		if (rc)
			add_complaint(&r, err);
	}
	end_of(&r.out);
	end_of(&r.err);
	buf_done(&r.said);
	return rc;
}
