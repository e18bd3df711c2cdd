/* A one-shot timer of a loop, in milliseconds. */
#ifndef MXHOLD_NET_TIMER_H
#define MXHOLD_NET_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/net/loop.h"

struct timer;

struct timer *timer_new(struct loop *l, void (*cb)(void *data), void *data);
void timer_start(struct timer *t, int64_t after_ms); /* restarts */
void timer_stop(struct timer *t);
bool timer_is_active(const struct timer *t);
/* No callback comes any more; freed later by the loop. NULL is fine. */
void timer_free(struct timer *t);

#endif
