/* A session goes on while what it has carried is being settled. */
#include "unit/relay/steps.h"

#include "mxhold/relay/delivery.h"
#include "mxhold/storage/failpoint.h"
#include "unit/relay/gate.h"

#define ONE_SESSION                                   \
	"drain { max_connections = 1  canary = 0 }\n" \
	"probe { interval_down = \"200ms\"  interval_up = \"1h\" }\n"

static uint64_t first, second;

static const struct delivery *under_way(const struct rig *r, uint64_t id)
{
	return map_get(&r->relay->in_flight, relay_id_key(&id));
}

/* The primary has answered its DATA, and its end is not given. */
static bool waits_with_its_end(struct rig *r)
{
	const struct delivery *d = under_way(r, second);

	return d && d->state == DELIVERY_SENDING && d->body_wanted &&
	       !d->reading && d->next_chunk == 0;
}

/* The first is with the primary, which says so when the writer is busy; the
 * second goes as far as it may. */
static void send_two(struct rig *r, struct gate *g, size_t pad)
{
	r->sink.holds = 1;
	first = rig_add(r, &(struct rig_mail){.content = "A: 1\r\n\r\n"});
	second = rig_add(
		r, &(struct rig_mail){.content = "A: 2\r\n\r\n", .pad = pad});
	rig_start(r);
	rig_until(r, is_held);
	gate_shut(g, r);
	sink_let_go(&r->sink);
	rig_until(r, waits_with_its_end);
}

static const size_t second_sizes[] = {0, 900000};

/* TX-11 */
START_TEST(relay__gives_no_end_before_the_last_message_is_settled)
{
	struct gate g;
	struct rig r;

	rig_init(&r, ONE_SESSION);
	send_two(&r, &g, second_sizes[_i]);
	ck_assert_uint_eq(sink_count(&r.sink), 1);
	ck_assert_uint_eq(rig_queued(&r), 2);
	ck_assert(!under_way(&r, second)->end_given);
	ck_assert(under_way(&r, first)->passed);
	gate_open(&g);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 2);
	ck_assert_uint_eq(r.sink.messages[0].session,
			  r.sink.messages[1].session);
	rig_done(&r);
}
END_TEST

/* One that was taken and could not be settled for each session, no more. */
START_TEST(relay__ends_a_session_whose_message_could_not_be_settled)
{
	struct gate g;
	struct rig r;

	failpoint_set("after-primary-250-before-commit:1=eio");
	rig_init(&r, ONE_SESSION);
	send_two(&r, &g, second_sizes[_i]);
	gate_open(&g);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 2);
	ck_assert_uint_ne(r.sink.messages[0].session,
			  r.sink.messages[1].session);
	ck_assert_ptr_nonnull(strstr(r.sink.messages[1].body, "A: 2"));
	rig_done(&r);
	failpoint_set(NULL);
}
END_TEST

static bool is_refused(struct rig *r)
{
	const struct delivery *d = under_way(r, second);

	return d && d->state == DELIVERY_SETTLING;
}

/* Refused before its end, it keeps the session until it is settled itself. */
START_TEST(relay__goes_on_over_a_session_that_owes_when_the_next_is_refused)
{
	struct gate g;
	struct rig r;

	rig_init(&r, ONE_SESSION);
	r.sink.holds = 1;
	first = rig_add(&r, &(struct rig_mail){0});
	second =
		rig_add(&r, &(struct rig_mail){.rcpts = "later1@example.test"});
	rig_add(&r, &(struct rig_mail){.content = "A: 3\r\n\r\n"});
	rig_start(&r);
	rig_until(&r, is_held);
	gate_shut(&g, &r);
	sink_let_go(&r.sink);
	rig_until(&r, is_refused);
	ck_assert_ptr_nonnull(under_way(&r, second)->link);
	gate_open(&g);
	rig_until_got(&r, 2);
	until_tried(&r, second, 1);
	ck_assert_uint_eq(r.sink.messages[0].session,
			  r.sink.messages[1].session);
	rig_done(&r);
}
END_TEST

static bool is_settling(struct rig *r)
{
	const struct delivery *d = under_way(r, first);

	return d && d->state == DELIVERY_SETTLING;
}

START_TEST(relay__begins_nothing_behind_a_canary_before_it_is_settled)
{
	struct gate g;
	struct rig r;

	rig_init(&r, "drain { max_connections = 1  canary = 1 }\n");
	r.sink.holds = 1;
	first = rig_add(&r, &(struct rig_mail){0});
	second = rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until(&r, is_held);
	gate_shut(&g, &r);
	sink_let_go(&r.sink);
	rig_until(&r, is_settling);
	ck_assert(!under_way(&r, first)->passed);
	ck_assert_ptr_nonnull(under_way(&r, first)->link);
	ck_assert_ptr_null(under_way(&r, second));
	gate_open(&g);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 2);
	rig_done(&r);
}
END_TEST

START_TEST(relay__a_message_that_hangs_stalls_no_other)
{
	struct rig r;

	rig_init(&r, "drain { max_connections = 4  canary = 0 }\n");
	for (int i = 0; i < 200; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until_got(&r, 20); /* past the ramp */
	sink_set(&r.sink, &r.sink.holds, 1);
	rig_until_got(&r, 199);
	ck_assert_uint_eq(sink_held(&r.sink), 1);
	sink_let_go(&r.sink);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 200);
	rig_done(&r);
}
END_TEST

/* The only place there is. */
START_TEST(relay__a_canary_that_hangs_stalls_no_other)
{
	struct rig r;

	rig_init(&r, "drain { max_connections = 2  canary = 1\n"
		     "	data_timeout = \"50s\" }\n"
		     "probe { interval_down = \"200ms\"  interval_up = "
		     "\"1h\" }\n");
	r.sink.holds = 1;
	for (int i = 0; i < 50; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until_got(&r, 49);
	ck_assert_uint_eq(sink_held(&r.sink), 1);
	sink_let_go(&r.sink);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 50);
	ck_assert_uint_eq(r.sink.most_open, 2);
	rig_done(&r);
}
END_TEST

/* What stepped aside has a session still, and counts among the most. */
START_TEST(relay__opens_no_session_too_many_beside_what_hangs)
{
	struct rig r;

	rig_init(&r, "drain { max_connections = 3  canary = 1\n"
		     "	data_timeout = \"10s\"  per_connection = 1000 }\n"
		     "probe { interval_up = \"1h\" }\n");
	r.sink.holds = 1;
	for (int i = 0; i < 300; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until_got(&r, 299);
	ck_assert_uint_eq(sink_held(&r.sink), 1);
	ck_assert_uint_eq(r.sink.most_open, 3);
	sink_let_go(&r.sink);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 300);
	ck_assert_uint_eq(r.sink.most_open, 3);
	rig_done(&r);
}
END_TEST

static void add_of(struct rig *r, int n_rcpts)
{
	char *rcpts = calloc(1, (size_t)n_rcpts * 32);

	for (int i = 1; i <= n_rcpts; i++)
		snprintf(rcpts + strlen(rcpts), 32, "%su%d@example.test",
			 i > 1 ? " " : "", i);
	first = rig_add(r, &(struct rig_mail){.rcpts = rcpts});
	free(rcpts);
}

/* The first one hangs while 20 others pass. */
static void send_beside(struct rig *r, int n_rcpts)
{
	rig_init(r, "drain { max_connections = 2  canary = 1\n"
		    "	data_timeout = \"10s\"  retry_message = {\"1s\"} }\n");
	r->sink.holds = 1;
	add_of(r, n_rcpts);
	for (int i = 0; i < 20; i++)
		rig_add(r, &(struct rig_mail){0});
	rig_start(r);
	rig_until_got(r, 20);
	ck_assert(under_way(r, first)->link->aside);
}

START_TEST(relay__ends_in_all_its_transactions_what_stepped_aside)
{
	unsigned all = 0;
	struct rig r;

	send_beside(&r, 150);
	sink_let_go(&r.sink);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 22);
	for (int i = 20; i < 22; i++)
		all += r.sink.messages[i].n_rcpts;
	ck_assert_uint_eq(all, 150);
	rig_done(&r);
}
END_TEST

START_TEST(relay__sends_again_what_broke_when_it_had_stepped_aside)
{
	struct queue_message m;
	struct rig r;

	send_beside(&r, 1);
	sink_set(&r.sink, &r.sink.drop_times, 1);
	r.sink.drop = SINK_DOT;
	sink_let_go(&r.sink);
	until_tried(&r, first, 1);
	ck_assert(look(&r, first, &m));
	ck_assert(m.maybe_duplicate);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 22);
	rig_done(&r);
}
END_TEST

START_TEST(relay__stops_while_something_hangs_aside)
{
	struct queue_message m;
	struct rig r;

	send_beside(&r, 1);
	rig_stop(&r, 50);
	ck_assert(look(&r, first, &m));
	ck_assert(m.maybe_duplicate);
	ck_assert_uint_eq(rig_queued(&r), 1);
	relay_free(r.relay);
	prober_free(r.prober);
	r.relay = NULL;
	rig_done(&r);
}
END_TEST

static void until_held(struct rig *r, unsigned n)
{
	r->wanted = n;
	rig_until(r, are_held);
	pass_time(r, 300); /* and no more */
	ck_assert_uint_eq(sink_held(&r->sink), n);
}

/* A drain was forced, its session hangs, and then the primary is up: what was
 * read for that session goes over another, and may hang there. */
START_TEST(relay__steps_aside_also_with_what_was_read_before_it_was_up)
{
	int64_t began_ms;
	struct rig r;

	rig_init(&r, "drain { max_connections = 4  canary = 1\n"
		     "	data_timeout = \"30s\"  command_timeout = \"30s\" }\n");
	sink_close(&r.sink);
	first = rig_add(&r, &(struct rig_mail){0});
	rig_add(&r, &(struct rig_mail){0});
	rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until(&r, is_down);
	r.sink.mutes = 1;
	r.sink.holds = 3;
	sink_open(&r.sink);
	ck_assert(relay_drain_now(r.relay, "example.test"));
	rig_until(&r, is_held);
	ck_assert_int_eq(under_way(&r, first)->state, DELIVERY_SENDING);
	began_ms = clock_mono_ms();
	sink_set(&r.sink, &r.sink.mutes, -1); /* it hangs no longer */
	until_held(&r, 2);                    /* over it, and alone */
	ck_assert_int_lt(clock_mono_ms() - began_ms, 15000);
	sink_let_go(&r.sink);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 3);
	rig_done(&r);
}
END_TEST

/* It is one of those that may be there, and no canary goes beside it. */
START_TEST(relay__counts_what_was_forced_when_the_primary_is_up)
{
	struct rig r;

	rig_init(&r, "drain { max_connections = 1  canary = 1 }\n");
	sink_close(&r.sink);
	for (int i = 0; i < 5; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until(&r, is_down);
	r.sink.holds = 2;
	ck_assert(relay_drain_now(r.relay, "example.test"));
	sink_open(&r.sink);
	rig_until(&r, is_held);
	rig_until(&r, is_up);
	until_held(&r, 1);
	sink_let_go(&r.sink);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 5);
	rig_done(&r);
}
END_TEST

#define WIDE \
	"drain { max_connections = 8  canary = 0  per_connection = 1000 }\n"
#define NARROW \
	"drain { max_connections = 2  canary = 0  per_connection = 1000 }\n"

/* TX-49: whatever was read ahead for more. */
START_TEST(relay__sends_no_more_at_once_than_it_may_from_now_on)
{
	struct rig r;

	rig_init(&r, WIDE);
	for (int i = 0; i < 200; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until_got(&r, 60); /* past the ramp */
	sink_set(&r.sink, &r.sink.holds, 1000);
	until_held(&r, 8);
	rig_reload(&r, NARROW, "example.test");
	sink_let_pass(&r.sink);
	until_held(&r, 10);
	sink_let_go(&r.sink);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 200);
	rig_done(&r);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"passing",
		LOOP(relay__gives_no_end_before_the_last_message_is_settled,
		     second_sizes),
		LOOP(relay__ends_a_session_whose_message_could_not_be_settled,
		     second_sizes),
		TEST(relay__goes_on_over_a_session_that_owes_when_the_next_is_refused),
		TEST(relay__begins_nothing_behind_a_canary_before_it_is_settled),
		TEST(relay__a_message_that_hangs_stalls_no_other),
		TEST(relay__a_canary_that_hangs_stalls_no_other),
		TEST(relay__opens_no_session_too_many_beside_what_hangs),
		TEST(relay__ends_in_all_its_transactions_what_stepped_aside),
		TEST(relay__sends_again_what_broke_when_it_had_stepped_aside),
		TEST(relay__stops_while_something_hangs_aside),
		TEST(relay__steps_aside_also_with_what_was_read_before_it_was_up),
		TEST(relay__counts_what_was_forced_when_the_primary_is_up),
		TEST(relay__sends_no_more_at_once_than_it_may_from_now_on));
}
