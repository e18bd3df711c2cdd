/*
 * The daemon's parts, shared by the files of the composition root. Main
 * thread.
 */
#ifndef MXHOLD_PROGRAM_DAEMON_INTERNAL_H
#define MXHOLD_PROGRAM_DAEMON_INTERNAL_H

#include <stdatomic.h>

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
	struct learning *learning;
	struct receive *receive;
	struct control *control;
	struct tls_context *tls;
	struct own_certs *certs; /* when they end */
	struct loop_signal *signals[4];
	struct notify_watchdog *watchdog;
	struct timer *housekeeping;
	struct reload_waiter *waiters; /* for the reload under way */
	struct reload_waiter *later;   /* asked meanwhile: for the next */
	bool reloading, stopping;
	atomic_bool cancelled; /* what the work pool does, when we stop */
	int64_t started_ms;
	int result;
	struct error *err;
};

/* daemon.c: tells receive which primaries are up. */
void daemon_tell_door(struct daemon *d);

/* daemon_rcpt.c: who is ours, between the door, the relay and the primaries. */
struct learning *daemon_make_learning(struct daemon *d);
/* Of the relay's primaries: what they said of a recipient. */
void daemon_on_rcpt(void *data, const char *domain, struct slice address,
		    const struct smtp_reply *reply);
/* Of the control socket. */
void daemon_test_rcpt(void *data, const char *domain, const char *address,
		      control_on_verdict on_done, void *arg);
void daemon_order_rcpt(void *data, const char *domain, const char *address,
		       bool pin, control_on_ordered on_done, void *arg);

/* daemon_door.c: for the control server (control.h) */
json_t *daemon_on_magnet(void *data, const char *domain, int64_t since_ms);
void daemon_on_simulate(void *data, const json_t *args,
			void (*on_done)(void *arg, json_t *result,
					const char *why),
			void *arg);

/* daemon_certs.c: what we show to others, from the files in force. */
void daemon_read_certs(struct daemon *d);  /* at the start, after a reload */
void daemon_watch_certs(struct daemon *d); /* from time to time: the log */
size_t daemon_cert_alarms(const struct daemon *d, char (*out)[256], size_t max);
void daemon_free_certs(struct daemon *d);

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
