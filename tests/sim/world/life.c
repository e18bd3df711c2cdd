/* One life of the daemon: a process, until it stops, crashes or is killed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../net/loop_inside.h"
#include "../net/wire.h"
#include "life.h"
#include "world.h"

#include "../../../daemon/program/check.h"
#include "../../../daemon/program/daemon.h"

#include "mxhold/base/log.h"
#include "mxhold/base/random.h"
#include "mxhold/storage/failpoint.h"

static struct {
	struct edge {
		struct sim_event event;
		struct fault *fault;
	} edges[2 * FAULTS_MAX];
	struct sim_event look;
	int64_t done_us;  /* since when all is delivered */
	int64_t crash_in; /* so many events; 0 = not */
	bool restarts;
} life;

/* --- what happens to our own machine -------------------------------------- */

static const char *const failpoints[] = {
	"data-read:%d",
	"chunk-put:%d",
	"chunk-commit:%d",
	"envelope-put:%d",
	"before-commit:%d",
	"after-commit-before-250:%d",
	"after-250:%d",
	"before-primary-dot:%d",
	"after-primary-250-before-commit:%d",
	"after-delivered-commit:%d",
	"dsn-put:%d",
	"drain:%d",
};

static void arm_failpoint(const struct fault *f)
{
	char spec[64];
	unsigned which = (unsigned)f->value % MX_ARRAY_SIZE(failpoints);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(spec, sizeof(spec), failpoints[which],
		 1 + (int)(f->value >> 8) % 8);
#pragma GCC diagnostic pop
	say("it will die at %s", spec);
	failpoint_set(spec);
}

static void save(void)
{
	W->now_us = sim_now_us();
	W->wall_ms = sim_wall_ms();
	W->events += sim_count();
	W->hash = W->hash * 31 + sim_hash();
}

void life_crash(const char *how)
{
	say("it crashes: %s", how);
	save();
	_exit(LIFE_CRASHED);
}

static void once(struct fault *f)
{
	if (f->done)
		return;
	f->done = true;
	switch (f->kind) {
	case FAULT_CRASH:
		life.crash_in = f->value;
		break;
	case FAULT_FAILPOINT:
		arm_failpoint(f);
		break;
	case FAULT_RESTART:
		life.restarts = true;
		sim_kill(SIGTERM);
		break;
	case FAULT_RELOAD:
		sim_kill(SIGHUP);
		break;
	case FAULT_CHANGED:
		conf_change(f->value);
		sim_kill(SIGHUP);
		break;
	case FAULT_CLOCK:
		sim_set_wall_ms(sim_wall_ms() + f->value);
		break;
	default:
		break;
	}
}

static void while_it_lasts(const struct fault *f, bool on)
{
	if (f->kind == FAULT_DISK_EIO)
		failpoint_set(on ? "before-commit:1+=eio" : NULL);
	else if (f->kind == FAULT_DISK_FULL)
		failpoint_set(on ? "before-commit:1+=enospc" : NULL);
}

static void meet(struct fault *f, bool begins)
{
	truth_update();
	say("%s %d %s", fault_names[f->kind], f->primary,
	    begins ? "begins" : "ends");
	if (fault_is_operator(f->kind))
		operator_meet(f, begins);
	if (fault_is_ours(f->kind)) {
		rules_our_trouble();
		while_it_lasts(f, begins);
		if (begins)
			once(f);
		return;
	}
	if (begins)
		server_hit(f);
	rules_look(f->primary, f->kind);
}

static void run_edge(struct sim_event *e)
{
	struct edge *edge = MX_CONTAINER_OF(e, struct edge, event);
	bool begins = edge - life.edges < FAULTS_MAX;

	meet(edge->fault, begins);
}

/* What began while nobody lived is met now. */
static void plan_faults(void)
{
	for (int i = 0; i < W->n_faults; i++) {
		struct fault *f = &W->faults[i];
		struct edge *begin = &life.edges[i];
		struct edge *end = &life.edges[FAULTS_MAX + i];
		int64_t now_us = sim_now_us();

		begin->fault = end->fault = f;
		sim_event_init(&begin->event, SIM_WORLD, NULL, run_edge);
		sim_event_init(&end->event, SIM_WORLD, NULL, run_edge);
		if (f->from_us >= now_us)
			sim_schedule(&begin->event, f->from_us - now_us);
		else if (f->until_us > now_us && fault_is_ours(f->kind))
			while_it_lasts(f, true);
		if (f->until_us != NEVER && f->until_us > now_us)
			sim_schedule(&end->event, f->until_us - now_us);
	}
}

/* --- the end of the run ----------------------------------------------------
 */

static void end_run(const char *why)
{
	say("the run ends: %s", why);
	W->ended = true;
	sim_kill(SIGTERM);
}

/* Five seconds more, for what is delivered to be settled. */
static void run_look(struct sim_event *e)
{
	int64_t now_us = sim_now_us();

	if (!W->ended && now_us > W->plan_end_us && ledger_is_done()) {
		if (!life.done_us)
			life.done_us = now_us;
		else if (now_us > life.done_us + 5 * SECOND)
			end_run("all is delivered");
	}
	if (!W->ended && now_us > W->deadline_us)
		end_run("its time is over");
	sim_schedule(e, 3 * SECOND);
}

/* Whoever kills this process finds here when it was. */
static void count_event(const struct sim_event *e MX_UNUSED)
{
	W->now_us = sim_now_us();
	W->wall_ms = sim_wall_ms();
	if (W->control == CONTROL_ACK_EARLY && !sim_is_committing())
		return;
	if (life.crash_in > 0 && --life.crash_in == 0)
		life_crash("for no reason");
}

/* --- life ------------------------------------------------------------------
 */

static int run_daemon(void)
{
	struct daemon_sockets sockets = {.n = 0};
	struct error err = {0};
	char *complaints = NULL;
	struct config *config = check_load(conf_path(), CHECK_TLS, &complaints);

	if (!config)
		sim_broken("configuration: %s", complaints);
	free(complaints);
	log_configure(config->log.level, config->log.format, false);
	if (daemon_run(config, &sockets, &err) < 0)
		sim_broken("it did not start: %s", err.text);
	return life.restarts && !W->ended ? LIFE_RESTARTS : LIFE_ENDED;
}

void life_run(void)
{
	uint64_t seed = W->seed * 1000 + (uint64_t)W->lives;
	int how;

	umask(0077);
	sim_begin(seed, W->now_us, W->wall_ms);
	random_seed(seed * 7 + 1);
	sim_before_event = count_event;
	W->born_us = sim_now_us();
	truth_begin();
	failpoint_set(W->control == CONTROL_ACK_EARLY ? "ack-early" : NULL);
	plan_faults();
	rules_begin();
	client_start_all();
	operator_begin();
	sim_event_init(&life.look, SIM_WORLD, NULL, run_look);
	sim_schedule(&life.look, 3 * SECOND);
	say("life %d begins", W->lives);
	how = run_daemon();
	client_forget_all();
	operator_forget();
	save();
	exit(how);
}
