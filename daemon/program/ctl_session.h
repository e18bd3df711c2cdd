/*
 * Several requests in a row, to the daemon or to the child that stands in
 * for it. Shared by files of mxholdctl.
 */
#ifndef MXHOLD_PROGRAM_CTL_SESSION_H
#define MXHOLD_PROGRAM_CTL_SESSION_H

#include <sys/types.h>

#include "ctl.h"

struct ctl_session {
	int fd;
	pid_t child; /* 0 = the daemon */
};

/* Writing: the child opens the queue to change it. EXIT_DONE or says why. */
enum exit_code ctl_session_open(struct ctl *c, bool writing,
				struct ctl_session *s);
enum exit_code ctl_session_ask(struct ctl_session *s, const char *command,
			       json_t *args, const struct ctl_sink *sink);
void ctl_session_close(struct ctl_session *s);

/* ctl_serve.c: a descriptor, or -1 with errno. */
int ctl_serve(struct ctl *c, bool writing, pid_t *child);

/* ctl_source.c */
int ctl_send_all(int fd, struct slice s);

/* ctl_offline.c: the store as it lies, to be read. */
struct ctl_offline_parts {
	struct store *store;
	struct directory *directory; /* NULL when there is none */
};
enum exit_code ctl_offline_open(const struct ctl *c,
				struct ctl_offline_parts *o);
void ctl_offline_close(struct ctl_offline_parts *o);

#endif
