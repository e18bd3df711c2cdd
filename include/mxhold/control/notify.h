/* sd_notify(3) messages; nothing happens without $NOTIFY_SOCKET. */
#ifndef MXHOLD_CONTROL_NOTIFY_H
#define MXHOLD_CONTROL_NOTIFY_H

#include "mxhold/net/loop.h"

void notify_ready(const char *status);
void notify_reloading(void);
void notify_stopping(void);
/* WATCHDOG=1 at half of $WATCHDOG_USEC from this loop, when it is for us. */
struct notify_watchdog;
struct notify_watchdog *notify_watchdog_start(struct loop *loop); /* or NULL */
void notify_watchdog_stop(struct notify_watchdog *w);

#endif
