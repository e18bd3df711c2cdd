/*
 * The composition root: makes every part, connects them, starts, reloads and
 * stops them in order. Main thread.
 */
#ifndef MXHOLD_PROGRAM_DAEMON_H
#define MXHOLD_PROGRAM_DAEMON_H

#include "mxhold/base/error.h"
#include "mxhold/config/config.h"

struct daemon_sockets { /* listening sockets: systemd's, or bound as root */
	int fds[64];
	size_t n;
};

/* Runs until SIGTERM or SIGINT. 0 = stopped in order, -1 = could not start
 * (err says why). Takes the reference to config over. */
int daemon_run(const struct config *config,
	       const struct daemon_sockets *sockets, struct error *err);

#endif
