#include "mxhold/control/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "mxhold/base/mem.h"
#include "mxhold/net/timer.h"

/* Failing to reach the manager is no reason to stop keeping mail. */
static void tell(const char *text)
{
	sd_notify(0, text);
}

void notify_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

/* Type=notify-reload wants the time in the same datagram. */
void notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
		   (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void notify_stopping(void)
{
	tell("STOPPING=1\nSTATUS=stopping");
}

struct notify_watchdog {
	struct timer *timer;
	int64_t every_ms;
};

/* From the loop itself: a loop that hangs says nothing. */
static void on_timer(void *data)
{
	struct notify_watchdog *w = data;

	tell("WATCHDOG=1");
	timer_start(w->timer, w->every_ms);
}

struct notify_watchdog *notify_watchdog_start(struct loop *loop)
{
	struct notify_watchdog *w;
	uint64_t usec = 0;

	if (sd_watchdog_enabled(0, &usec) <= 0 || usec == 0)
		return NULL;
	w = mem_alloc(sizeof(*w));
	w->every_ms = (int64_t)(usec / 2000);
	if (w->every_ms < 1)
		w->every_ms = 1;
	w->timer = timer_new(loop, on_timer, w);
	on_timer(w);
	return w;
}

void notify_watchdog_stop(struct notify_watchdog *w)
{
	if (!w)
		return;
	timer_free(w->timer);
	mem_free(w);
}
