#include "mxhold/relay/retry.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/attr.h"

static const int64_t REPORT_LIFE_MS = 2 * INT64_C(86400000);

int64_t retry_wait_ms(const struct config_drain *drain, uint32_t attempts)
{
	size_t step = attempts ? attempts - 1 : 0;

	MX_ASSERT(drain->n_retry_message > 0);
	return drain->retry_message[MX_MIN(step, drain->n_retry_message - 1)];
}

int64_t retry_age_ms(const struct config_queue *queue,
		     const struct retry_age *age)
{
	int64_t wall = age->now_ms - age->arrived_ms;

	if (wall < 0) /* the clock was set back */
		return 0;
	return queue->clock_wall ? wall : MX_MIN(wall, age->up_ms);
}

bool retry_is_over(const struct config_queue *queue,
		   const struct retry_age *age)
{
	if (age->now_ms - age->arrived_ms >= queue->hard_limit)
		return true;
	return retry_age_ms(queue, age) >= queue->retention;
}

int64_t retry_limit_ms(const struct config_queue *queue)
{
	if (queue->clock_wall)
		return MX_MIN(queue->hard_limit, queue->retention);
	return queue->hard_limit;
}

bool retry_report_is_over(const struct retry_age *age)
{
	return age->now_ms - age->arrived_ms >= REPORT_LIFE_MS;
}
