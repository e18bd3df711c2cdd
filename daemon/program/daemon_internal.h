/*
 * The daemon's parts, shared by the files of the composition root. Main
 * thread.
 */
#ifndef MXHOLD_PROGRAM_DAEMON_INTERNAL_H
#define MXHOLD_PROGRAM_DAEMON_INTERNAL_H

#include "daemon.h"
#include "mxhold/control/control.h"
#include "mxhold/control/notify.h"
#include "mxhold/net/loop.h"
#include "mxhold/net/timer.h"
#include "mxhold/net/tls_context.h"
#include "mxhold/receive/receive.h"

struct reload_waiter { /* who asked for the reload under way */
	void (*on_done)(void *arg, const char *complaints);
	void *arg;
	struct reload_waiter *next;
};

struct daemon {
	const struct config *config;
	const struct config *first; /* what needs a restart is as in this */
	const struct daemon_sockets *sockets;
	struct loop *loop;
	struct store *store;
	struct directory *directory;
	struct directory_reader *look_up; /* for `recipients test` */
	struct writer *writer;
	struct resolver *resolver;
	struct outbound *outbound;
	struct prober *prober;
	struct relay *relay;
	struct recipients *recipients;
	struct receive *receive;
	struct control *control;
	struct tls_context *tls;
	struct loop_signal *signals[4];
	struct notify_watchdog *watchdog;
	struct timer *housekeeping;
	struct reload_waiter *waiters; /* for the reload under way */
	struct reload_waiter *later;   /* asked meanwhile: for the next */
	bool reloading, stopping;
	int64_t started_ms;
	int result;
	struct error *err;
};

/* daemon.c: for `when_up`, tells receive which primaries are up. */
void daemon_tell_door(struct daemon *d);

/* daemon_reload.c */

/* What clients are shown. The state_dir in force may not be that of c: it
 * changes with a restart. */
struct tls_context *daemon_make_tls(const struct config *c,
				    const char *state_dir, struct error *err);
/* on_done may be NULL; complaints NULL = it is in force everywhere. */
void daemon_on_reload(void *data, void (*on_done)(void *, const char *),
		      void *arg);
/* Answers who still waits: we are stopping. */
void daemon_drop_reloads(struct daemon *d);

#endif
