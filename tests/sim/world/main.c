/*
 * The simulator: seeds, one after the other or many at once.
 *
 *	sim [-vo] [-j JOBS] [-d DIR] [-c CONTROL] FIRST [COUNT]
 *
 * -v tells the story; -o: an operator takes part
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../net/sched.h"
#include "run.h"

enum {
	JOBS_MAX = 64,
};

static const char *const control_names[CONTROLS] = {
	[CONTROL_NONE] = "none",   [CONTROL_ACK_EARLY] = "ack-early",
	[CONTROL_LOSE] = "lose",   [CONTROL_TWICE] = "twice",
	[CONTROL_ALTER] = "alter", [CONTROL_LATE] = "late",
	[CONTROL_CROWD] = "crowd", [CONTROL_CANARY] = "canary",
	[CONTROL_ORDER] = "order", [CONTROL_STUCK] = "stuck",
	[CONTROL_WORDS] = "words",
};

/* Of all jobs. */
struct totals {
	_Atomic uint64_t seeds, failed, mails, acked, taken, crashes, lives,
		duplicates, reports, seconds, events, given_up, recoveries;
	_Atomic int64_t worst_first_us;
	_Atomic uint64_t faults[FAULT_KINDS];
};

static struct totals *all;

static int usage(void)
{
	fprintf(stderr, "usage: sim [-vo] [-j JOBS] [-d DIR] [-c CONTROL] "
			"FIRST [COUNT]\ncontrols:");
	for (size_t i = 0; i < CONTROLS; i++)
		fprintf(stderr, " %s", control_names[i]);
	fputc('\n', stderr);
	return 2;
}

/* --- one seed --------------------------------------------------------------
 */

static void sum_up(void)
{
	int64_t worst = atomic_load(&all->worst_first_us);

	all->seeds++;
	all->failed += W->n_broken > 0;
	all->mails += (uint64_t)W->n_mails;
	all->taken += (uint64_t)W->n_taken;
	all->crashes += W->n_crashes;
	all->lives += (uint64_t)W->lives;
	all->duplicates += W->n_duplicates;
	all->reports += W->n_reports;
	all->recoveries += W->n_recoveries;
	all->seconds += (uint64_t)(W->now_us / SECOND);
	all->events += W->events;
	for (int i = 0; i < W->n_mails; i++) {
		all->acked += W->mails[i].acked != 0;
		all->given_up += W->mails[i].failed != 0;
	}
	for (int i = 0; i < W->n_faults; i++)
		all->faults[W->faults[i].kind]++;
	while (worst < W->worst_first_us &&
	       !atomic_compare_exchange_weak(&all->worst_first_us, &worst,
					     W->worst_first_us))
		continue;
}

static void tell_failure(uint64_t seed, const struct run_options *o)
{
	printf("seed %" PRIu64 " FAILED; replay: %s -v%s%s%s %" PRIu64 "\n",
	       seed, program_invocation_name, o->words ? "o" : "",
	       o->control ? " -c " : "",
	       o->control ? control_names[o->control] : "", seed);
	for (int i = 0; i < W->n_broken; i++)
		printf("    %s\n", W->broken[i]);
	fflush(stdout);
}

static void run_one(uint64_t seed, const struct run_options *o)
{
	run_seed(seed, o);
	sum_up();
	if (W->n_broken)
		tell_failure(seed, o);
	if (o->verbose)
		printf("seed %" PRIu64 ": hash %016" PRIx64 "\n", seed,
		       W->hash);
}

/* --- many ------------------------------------------------------------------
 */

static void run_share(uint64_t first, uint64_t count, unsigned job,
		      unsigned jobs, const struct run_options *o)
{
	run_init();
	for (uint64_t i = job; i < count; i += jobs)
		run_one(first + i, o);
}

static void run_jobs(uint64_t first, uint64_t count, unsigned jobs,
		     const struct run_options *o)
{
	pid_t pids[JOBS_MAX];

	fflush(stdout);
	for (unsigned i = 0; i < jobs; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			run_share(first, count, i, jobs, o);
			exit(0);
		}
	}
	for (unsigned i = 0; i < jobs; i++) {
		int status = 0;

		waitpid(pids[i], &status, 0);
		if (status != 0)
			all->failed++;
	}
}

static void tell_totals(void)
{
	printf("sim: %" PRIu64 " seeds, %" PRIu64 " failed\n", all->seeds,
	       all->failed);
	printf("  mails sent %" PRIu64 ", acknowledged %" PRIu64
	       ", deliveries %" PRIu64 ", given up by the rules %" PRIu64 "\n",
	       all->mails, all->acked, all->taken, all->given_up);
	printf("  copies after a lost reply %" PRIu64 ", reports %" PRIu64
	       ", lives %" PRIu64 ", of them crashed %" PRIu64 "\n",
	       all->duplicates, all->reports, all->lives, all->crashes);
	printf("  virtual time %.2f years, events %" PRIu64
	       ", recoveries timed %" PRIu64
	       ", slowest of those within 30 s %.1f s\n ",
	       (double)all->seconds / 86400 / 365.25, all->events,
	       all->recoveries, (double)all->worst_first_us / 1e6);
	for (size_t i = 0; i < FAULT_KINDS; i++)
		printf(" %s %" PRIu64, fault_names[i], all->faults[i]);
	putchar('\n');
}

static int find_control(const char *name)
{
	for (int i = 0; i < CONTROLS; i++) {
		if (strcmp(control_names[i], name) == 0)
			return i;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct run_options o = {.top = "/dev/shm"};
	uint64_t first, count = 1;
	int opt, control = 0;
	unsigned jobs = 1;

	if (getenv("TMPDIR"))
		o.top = getenv("TMPDIR");
	while ((opt = getopt(argc, argv, "voj:d:c:")) != -1) {
		if (opt == 'v')
			o.verbose = true;
		else if (opt == 'o')
			o.words = true;
		else if (opt == 'j')
			jobs = (unsigned)strtoul(optarg, NULL, 10);
		else if (opt == 'd')
			o.top = optarg;
		else if (opt == 'c')
			control = find_control(optarg);
		else
			return usage();
	}
	if (optind >= argc || control < 0 || jobs < 1 || jobs > JOBS_MAX)
		return usage();
	o.control = (enum control)control;
	o.words |= control == CONTROL_WORDS;
	first = strtoull(argv[optind], NULL, 10);
	if (optind + 1 < argc)
		count = strtoull(argv[optind + 1], NULL, 10);
	o.tells = !o.control;
	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		sim_broken("no memory");
	run_jobs(first, count, jobs, &o);
	tell_totals();
	return all->failed ? 1 : 0;
}
