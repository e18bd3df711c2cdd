/*
 * When a message that was put off is tried again, and when waiting has lasted
 * long enough. Pure: every time is an argument.
 */
#ifndef MXHOLD_RELAY_RETRY_H
#define MXHOLD_RELAY_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/config/config.h"

/*
 * Milliseconds until the next attempt after `attempts` of them (1 = the first
 * has just been made): drain.retry_message, whose last entry repeats. No
 * jitter: mail of one outage was spread by its own arrival.
 */
int64_t retry_wait_ms(const struct config_drain *drain, uint32_t attempts);

struct retry_age {
	int64_t now_ms, arrived_ms; /* wall */
	int64_t up_ms; /* its primary was surely up so long since then */
};

/* How long a message has waited by the clock of queue.clock: on the wall, or
 * only while its primary was up. */
int64_t retry_age_ms(const struct config_queue *queue,
		     const struct retry_age *age);

/* True: queue.retention or queue.hard_limit is over; it may be given up. */
bool retry_is_over(const struct config_queue *queue,
		   const struct retry_age *age);

/* How long a message may wait at the most, whatever its primary does: counted
 * on the wall from its arrival. */
int64_t retry_limit_ms(const struct config_queue *queue);

/* The same for a report of ours: two days on the wall. */
bool retry_report_is_over(const struct retry_age *age);

#endif
