/* One seed: a plan, and lives of the daemon until it is over. */
#include "run.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../net/sched.h"
#include "life.h"
#include "world.h"

enum {
	LIVES_MAX = 60,
	TAIL = 2000,
};

struct world *W;

void run_init(void)
{
	W = mmap(NULL, sizeof(*W), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (W == MAP_FAILED)
		sim_broken("no memory for a world");
}

/* --- its place ------------------------------------------------------------ */

static int remove_one(const char *path, const struct stat *st MX_UNUSED,
		      int type MX_UNUSED, struct FTW *at MX_UNUSED)
{
	return remove(path);
}

static void remove_dir(const char *path)
{
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_dir(const char *top)
{
	snprintf(W->dir, sizeof(W->dir), "%s/mxsim-%d", top, (int)getpid());
	remove_dir(W->dir);
	if (mkdir(W->dir, 0700) < 0)
		sim_broken("cannot make %s", W->dir);
}

/* What the seed means, before its story. */
static void tell_plan(void)
{
	char line[512];
	FILE *f = fopen(conf_path(), "r");

	while (f && fgets(line, sizeof(line), f))
		printf("%14s  %s", "", line);
	if (f)
		fclose(f);
	for (int p = 0; p < W->n_primaries; p++) {
		for (int i = 0; i < W->primaries[p].n_hosts; i++) {
			const struct host *h = &W->primaries[p].hosts[i];

			printf("%14s  %s: %lld us away, segments of %zu, %u "
			       "mails a session%s%s\n",
			       "", h->name, (long long)h->latency_us,
			       h->segment, h->per_session,
			       h->fails_tls ? ", no TLS" : "",
			       h->is_gone ? ", gone" : "");
		}
	}
}

/* --- lives ---------------------------------------------------------------- */

static void quiet(void)
{
	char path[320];
	int fd;

	snprintf(path, sizeof(path), "%s/log", W->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0)
		return;
	dup2(fd, STDERR_FILENO);
	close(fd);
}

static void tell_log(void)
{
	char path[320], text[TAIL + 1];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/log", W->dir);
	f = fopen(path, "r");
	if (!f)
		return;
	fseek(f, 0, SEEK_END);
	fseek(f, MX_MAX(ftell(f) - TAIL, 0), SEEK_SET);
	n = fread(text, 1, TAIL, f);
	text[n] = '\0';
	printf("%s", text);
	fclose(f);
}

/* The machine is off for a moment, or for longer. */
static int64_t off_us(void)
{
	uint64_t x = W->seed * 31 + (uint64_t)W->lives * 17;

	if (x % 10 == 0)
		return 40 * MINUTE;
	return (int64_t)(100 + x % 5000) * MS;
}

static void died(int status)
{
	bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	if (killed || code == LIFE_CRASHED)
		W->n_crashes++;
	else if (code != LIFE_ENDED && code != LIFE_RESTARTS)
		broken("life %d: the daemon died, status %x", W->lives, status);
	ledger_crash();
	W->now_us += off_us();
	W->wall_ms += off_us() / MS;
}

static void live(void)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (!W->verbose)
			quiet();
		life_run();
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		sim_broken("no process for a life");
	W->lives++;
	died(status);
}

void run_seed(uint64_t seed, const struct run_options *o)
{
	memset(W, 0, sizeof(*W));
	W->control = o->control;
	W->verbose = o->verbose;
	W->words = o->words;
	make_dir(o->top);
	plan_make(seed);
	conf_write();
	if (W->verbose)
		tell_plan();
	while (!W->ended && W->n_broken == 0 && W->lives < LIVES_MAX)
		live();
	if (!W->ended && W->n_broken == 0)
		broken("it does not come to an end");
	if (W->ended)
		judge_end();
	if (W->n_broken > 0 && o->tells)
		tell_log();
	remove_dir(W->dir);
}
