/*
 * mxholdctl: how the daemon is looked at and told things. See mxholdctl(8).
 * Reads through the daemon when it answers and from the store when it does
 * not; acts through the daemon only.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"

#define CONFIG_FILE "/etc/mxholdd/mxholdd.conf"

static void wait_s(double s)
{
	struct timespec t = {
		.tv_sec = (time_t)s,
		.tv_nsec = (long)((s - (double)(time_t)s) * 1e9),
	};

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		continue;
}

/* Again and again, until interrupted. */
static void watch(struct ctl *c)
{
	for (;;) {
		if (isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		c->command->run(c);
		fflush(stdout);
		wait_s(c->watch_s);
	}
}

int main(int argc, char **argv)
{
	struct ctl c = {.config_file = CONFIG_FILE};
	enum exit_code exit = EXIT_USAGE;

	if (ctl_parse(&c, argc, argv) == 0) {
		if (c.watch)
			watch(&c);
		exit = c.command->run(&c);
	}
	json_decref(c.args);
	config_unref(c.config);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		ctl_complain("the output could not be written");
		return EXIT_FAILED;
	}
	return (int)exit;
}
