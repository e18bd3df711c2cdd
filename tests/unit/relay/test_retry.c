#include "mxhold/relay/retry.h"

#include "unit/base/suite.h"

#define MINUTE INT64_C(60000)
#define DAY    INT64_C(86400000)

static int64_t schedule[] = {1 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE,
			     60 * MINUTE};
static const struct config_drain drain = {.retry_message = schedule,
					  .n_retry_message = 5};

static const struct wait_row {
	uint32_t attempts;
	int64_t minutes;
} waits[] = {
	{0, 1},  {1, 1},  {2, 5},  {3, 15},
	{4, 30}, {5, 60}, {6, 60}, {4000000000u, 60},
};

/* TX-45 */
START_TEST(retry__follows_the_schedule_and_repeats_its_last_entry)
{
	const struct wait_row *row = &waits[_i];

	ck_assert_int_eq(retry_wait_ms(&drain, row->attempts),
			 row->minutes * MINUTE);
}
END_TEST

static const int64_t NOW = 1000 * DAY;

/* In days; up = its primary was up so long of them. */
static const struct age_row {
	bool clock_wall;
	int64_t age, up, counted;
} ages[] = {
	{true, 40, 0, 40},
	{true, 40, 3, 40},
	{false, 40, 0, 0}, /* down all the time: does not age */
	{false, 40, 3, 3},
	{false, 2, 300, 2}, /* never more than on the wall */
	{false, -5, 10, 0}, /* the clock was set back */
	{true, -5, 10, 0},
};

START_TEST(retry__counts_only_time_in_which_the_primary_was_up)
{
	const struct age_row *row = &ages[_i];
	const struct config_queue queue = {.clock_wall = row->clock_wall};
	const struct retry_age age = {
		.now_ms = NOW,
		.arrived_ms = NOW - row->age * DAY,
		.up_ms = row->up * DAY,
	};

	ck_assert_int_eq(retry_age_ms(&queue, &age), row->counted * DAY);
}
END_TEST

static const struct over_row {
	bool clock_wall;
	int64_t age, up;
	bool over;
} overs[] = {
	{true, 29, 0, false},  {true, 30, 0, true},  {false, 30, 0, false},
	{false, 89, 0, false}, {false, 90, 0, true}, {false, 89, 29, false},
	{false, 89, 30, true}, {true, 91, 0, true},  {false, 0, 0, false},
};

/* TX-46 */
START_TEST(retry__ends_with_retention_or_the_hard_limit)
{
	const struct over_row *row = &overs[_i];
	const struct config_queue queue = {
		.clock_wall = row->clock_wall,
		.retention = 30 * DAY,
		.hard_limit = 90 * DAY,
	};
	const struct retry_age age = {
		.now_ms = NOW,
		.arrived_ms = NOW - row->age * DAY,
		.up_ms = row->up * DAY,
	};

	ck_assert_int_eq(retry_is_over(&queue, &age), row->over);
}
END_TEST

/* TX-50 */
START_TEST(retry__gives_reports_two_days)
{
	struct retry_age age = {.now_ms = NOW, .arrived_ms = NOW - 2 * DAY};

	ck_assert(retry_report_is_over(&age));
	age.arrived_ms++;
	ck_assert(!retry_report_is_over(&age));
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"retry",
		LOOP(retry__follows_the_schedule_and_repeats_its_last_entry,
		     waits),
		LOOP(retry__counts_only_time_in_which_the_primary_was_up, ages),
		LOOP(retry__ends_with_retention_or_the_hard_limit, overs),
		TEST(retry__gives_reports_two_days));
}
