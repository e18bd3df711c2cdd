/* What probes find, and what becomes of it. */
#include "bench.h"
#include "unit/base/suite.h"

/* --- up and down ------------------------------------------------------- */

START_TEST(prober__finds_a_primary_that_is_up)
{
	struct bench b;

	init(&b, up);
	start_prober(&b);
	ck_assert_uint_eq(prober_count(b.prober), 1);
	ck_assert(prober_view_at(b.prober, 0, &b.view));
	ck_assert_int_eq(b.view.health.state, HEALTH_UNKNOWN);
	wait_for_state(&b, HEALTH_UP);
	ck_assert_str_eq(b.view.name, "mx1");
	ck_assert_str_eq(b.view.last_result, "ok");
	ck_assert_uint_eq(b.view.n_good, 1);
	ck_assert_uint_eq(b.view.good[0].port, b.server.at.port);
	ck_assert(b.view.ehlo_ext & EXT_8BITMIME);
	ck_assert(b.view.ehlo_ext & EXT_HEARD);
	ck_assert_int_gt(b.view.last_probe_ms, 0);
	ck_assert(!b.view.held);
	ck_assert(scripted_heard(&b.server, "MAIL FROM:<>"));
	ck_assert(
		scripted_heard(&b.server, "RCPT TO:<postmaster@example.com>"));
	ck_assert(!scripted_heard(&b.server, "DATA"));
	done(&b);
}
END_TEST

static bool has_quit(struct bench *b)
{
	return scripted_heard(&b->server, "QUIT");
}

START_TEST(prober__says_quit)
{
	struct bench b;

	init(&b, up);
	start_prober(&b);
	wait_for(&b, has_quit);
	done(&b);
}
END_TEST

/* TX-47 */
START_TEST(prober__sees_a_primary_go_and_come_back)
{
	uint16_t port;
	struct bench b;

	init(&b, up);
	port = b.server.at.port;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	scripted_stop(&b.server);
	wait_for_state(&b, HEALTH_DOUBTFUL);
	wait_for_state(&b, HEALTH_DOWN);
	ck_assert_ptr_nonnull(strstr(b.view.last_result, "connect: "));
	ck_assert_uint_eq(b.view.n_good, 1);
	scripted_start_at(&b.server, b.loop, port, up, NULL);
	wait_for_state(&b, HEALTH_UP);
	ck_assert_uint_ge(b.server.n_clients, 2); /* up_after */
	ck_assert_uint_ge(b.changes, 3);
	done(&b);
}
END_TEST

static bool has_three(struct bench *b)
{
	return b->server.n_clients >= 3;
}

/* One that hangs must not keep the next probe from starting. */
START_TEST(prober__does_not_wait_for_a_probe_that_hangs)
{
	static const char *const silent[] = {"STALL", NULL};
	static const char *const *const scripts[] = {silent, silent, mild,
						     NULL};
	struct bench b;

	init(&b, scripts);
	b.config.probe.timeout = 50000;
	b.config.probe.up_after = 1;
	start_prober(&b);
	wait_for(&b, has_three);
	wait_for_state(&b, HEALTH_UP);
	done(&b);
}
END_TEST

static bool has_hung_up(struct bench *b)
{
	return list_empty(&b->server.open);
}

/* The one that hung ends after another was good: old news. */
START_TEST(prober__does_not_believe_old_bad_news)
{
	static const char *const silent[] = {"STALL", NULL};
	static const char *const *const scripts[] = {silent, mild, NULL};
	struct bench b;

	init(&b, scripts);
	b.config.probe.timeout = 1500;
	b.config.probe.interval_up = 3600000;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	wait_for(&b, has_hung_up);
	ck_assert(is_known(&b));
	ck_assert_int_eq(b.view.health.state, HEALTH_UP);
	ck_assert_str_eq(b.view.last_result, "ok");
	ck_assert_uint_eq(b.changes, 1);
	done(&b);
}
END_TEST

static bool has_four(struct bench *b)
{
	return b->server.n_clients >= 4;
}

static bool is_done(struct bench *b)
{
	return b->done > 0;
}

START_TEST(prober__starts_no_more_than_a_few_at_once)
{
	static const char *const silent[] = {"STALL", NULL};
	static const char *const *const scripts[] = {silent, NULL};
	struct bench b;

	init(&b, scripts);
	b.config.probe.timeout = 3000;
	start_prober(&b);
	wait_for(&b, has_four);
	/* A fifth joins the fourth. */
	ck_assert(prober_probe_now(b.prober, "mx1", on_done, &b));
	wait_for(&b, is_done);
	ck_assert_ptr_nonnull(strstr(b.view.last_result, "banner: "));
	ck_assert_int_eq(b.view.health.state, HEALTH_DOWN);
	done(&b);
}
END_TEST

static void stop_idling(void *data)
{
	struct bench *b = data;

	loop_stop(b->loop);
}

static bool has_five(struct bench *b)
{
	return b->server.n_clients >= 5;
}

static void idle(struct bench *b, int64_t ms)
{
	struct timer *stop = timer_new(b->loop, stop_idling, b);

	timer_start(stop, ms);
	loop_run(b->loop);
	timer_free(stop);
}

/* What hangs will tell soon enough whether the doubt is right. */
START_TEST(prober__starts_no_other_while_in_doubt)
{
	static const char *const silent[] = {"STALL", NULL};
	static const char *const *const scripts[] = {mild, silent, NULL};
	unsigned before;
	struct bench b;

	init(&b, scripts);
	b.config.probe.timeout = 50000;
	b.config.probe.interval_up = 20;
	start_prober(&b);
	wait_for(&b, has_five);
	prober_tell(b.prober, "mx1", HEALTH_BAD, "lost", NULL);
	ck_assert(prober_view(b.prober, "mx1", &b.view));
	ck_assert_int_eq(b.view.health.state, HEALTH_DOUBTFUL);
	idle(&b, 50); /* what was on its way */
	before = b.server.n_clients;
	idle(&b, 200);
	ck_assert_uint_eq(b.server.n_clients, before);
	done(&b);
}
END_TEST

static bool has_one(struct bench *b)
{
	return b->server.n_clients >= 1;
}

/* Not by the one that hangs. */
START_TEST(prober__tells_who_asked_by_the_probe_of_his_own)
{
	static const char *const silent[] = {"STALL", NULL};
	static const char *const *const scripts[] = {silent, mild, NULL};
	struct bench b;

	init(&b, scripts);
	b.config.probe.timeout = 3600000;
	b.config.probe.interval_down = b.config.probe.interval_up = 3600000;
	start_prober(&b);
	wait_for(&b, has_one);
	ck_assert(prober_probe_now(b.prober, "mx1", on_done, &b));
	wait_for(&b, is_done);
	ck_assert_str_eq(b.view.last_result, "ok");
	done(&b);
}
END_TEST

/* TX-47: it is back, and the next look is an hour away. */
START_TEST(prober__confirms_soon_what_is_back)
{
	static const char *const busy[] = {"S:421 busy", "CLOSE", NULL};
	static const char *const *const scripts[] = {busy, mild, NULL};
	struct bench b;

	init(&b, scripts);
	b.config.probe.interval_down = 3600000;
	start_prober(&b);
	wait_for_state(&b, HEALTH_DOWN);
	ck_assert(prober_probe_now(b.prober, "mx1", on_done, &b));
	wait_for(&b, is_done);
	ck_assert_int_eq(b.view.health.state, HEALTH_DOWN);
	wait_for_state(&b, HEALTH_UP);
	ck_assert_uint_ge(b.server.n_clients, 3);
	done(&b);
}
END_TEST

static bool has_six(struct bench *b)
{
	return b->server.n_clients >= 6;
}

/* Four hang, and would for a minute: it is found by the fifth or sixth. Who
 * waits for one that makes way is told by the oldest. */
START_TEST(prober__finds_what_is_back_while_as_many_as_may_be_hang)
{
	static const char *const silent[] = {"STALL", NULL};
	static const char *const *const scripts[] = {
		silent, silent, silent, silent, silent, mild, NULL};
	struct bench b;

	init(&b, scripts);
	b.config.probe.timeout = 50000;
	b.config.probe.up_after = 1;
	start_prober(&b);
	wait_for(&b, has_four);
	ck_assert(prober_probe_now(b.prober, "mx1", on_done, &b));
	wait_for(&b, has_six);
	wait_for_state(&b, HEALTH_UP);
	ck_assert_uint_eq(b.done, 0);
	done(&b);
}
END_TEST

/* --- verdicts ---------------------------------------------------------- */

#define TO_EHLO "S:220 a", "C:EHLO", "S:250 a"
#define TO_RCPT TO_EHLO, "C:MAIL", "S:250 ok", "C:RCPT"

static const struct {
	const char *script[14];
	enum health_state state;
	const char *result; /* a part of it */
} verdicts[] = {
	{{"S:554 5.3.2 no"}, HEALTH_REFUSING, "banner: "},
	{{"S:421 busy", "CLOSE"}, HEALTH_DOWN, "banner: "},
	{{"S:220 a", "C:EHLO", "S:550 no", "C:HELO", "S:550 no"},
	 HEALTH_REFUSING,
	 "ehlo: "},
	{{TO_EHLO, "C:MAIL", "S:550 no"}, HEALTH_REFUSING, "mail: 550"},
	{{TO_EHLO, "C:MAIL", "S:451 no"}, HEALTH_DOWN, "mail: 451"},
	{{TO_EHLO, "C:MAIL", "S:421 no", "CLOSE"}, HEALTH_DOWN, "mail: 421"},
	{{TO_EHLO, "C:MAIL", "CLOSE"}, HEALTH_DOWN, "rcpt: "},
	/* any answer to RCPT but 421 means up */
	{{TO_RCPT, "S:250 ok", "C:RSET", "S:250 ok"}, HEALTH_UP, "ok"},
	{{TO_RCPT, "S:450 later", "C:RSET", "S:250 ok"}, HEALTH_UP, "ok"},
	{{TO_RCPT, "S:550 who?", "C:RSET", "S:250 ok"}, HEALTH_UP, "ok"},
	{{TO_RCPT, "S:421 no", "CLOSE"}, HEALTH_DOWN, "rcpt: 421"},
	{{TO_RCPT, "S:250 ok", "C:RSET", "CLOSE"}, HEALTH_UP, "ok"},
	{{TO_RCPT, "CLOSE"}, HEALTH_DOWN, "rcpt: "},
	{{TO_RCPT, "STALL"}, HEALTH_DOWN, "rcpt: no answer in time"},
	{{"STALL"}, HEALTH_DOWN, "banner: no session within 1200 ms"},
};

START_TEST(prober__judges_what_it_hears)
{
	static const char *const *scripts[2];
	struct bench b;

	scripts[0] = verdicts[_i].script;
	init(&b, scripts);
	b.config.probe.timeout =
		scripted_stalls(verdicts[_i].script) ? 1200 : 30000;
	b.config.probe.interval_down = 60000;
	b.config.probe.interval_up = 60000;
	start_prober(&b);
	wait_for(&b, is_known);
	ck_assert_str_eq(health_state_name(b.view.health.state),
			 health_state_name(verdicts[_i].state));
	ck_assert_msg(strstr(b.view.last_result, verdicts[_i].result) != NULL,
		      "%s", b.view.last_result);
	ck_assert_str_eq(b.server.misfit, "");
	done(&b);
}
END_TEST

static const enum probe_depth depths[] = {PROBE_TCP, PROBE_BANNER, PROBE_EHLO,
					  PROBE_TLS};

START_TEST(prober__goes_as_deep_as_configured)
{
	struct bench b;

	init(&b, up);
	b.config.probe.depth = depths[_i];
	b.config.probe.interval_up = 60000;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	ck_assert(!scripted_heard(&b.server, "MAIL"));
	ck_assert_int_eq(b.view.ehlo_ext != 0, depths[_i] >= PROBE_EHLO);
	ck_assert_uint_eq(b.view.n_good, 1);
	done(&b);
}
END_TEST

START_TEST(prober__takes_a_whole_address_as_it_is)
{
	static char whole[] = "probe@other.example";
	struct bench b;

	init(&b, up);
	b.config.probe.recipient = whole;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	ck_assert(scripted_heard(&b.server, "RCPT TO:<probe@other.example>"));
	done(&b);
}
END_TEST

/* --- asked and told ---------------------------------------------------- */

START_TEST(prober__probes_when_asked)
{
	struct bench b;

	init(&b, up);
	b.config.probe.interval_up = 3600000;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	ck_assert(prober_probe_now(b.prober, "mx1", on_done, &b));
	ck_assert_uint_eq(b.done, 0);
	wait_for(&b, is_done);
	ck_assert_uint_eq(b.server.n_clients, 2);
	ck_assert_uint_eq(b.done, 1);
	ck_assert_str_eq(b.view.name, "mx1");
	ck_assert(!prober_probe_now(b.prober, "nobody", on_done, &b));
	done(&b);
}
END_TEST

START_TEST(prober__believes_deliveries)
{
	struct bench b;

	init(&b, up);
	b.config.probe.interval_down = 3600000;
	b.config.probe.interval_up = 3600000;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	prober_tell(b.prober, "mx1", HEALTH_REFUSED, "554 at MAIL", NULL);
	ck_assert(prober_view(b.prober, "mx1", &b.view));
	ck_assert_int_eq(b.view.health.state, HEALTH_REFUSING);
	prober_tell(b.prober, "mx1", HEALTH_GOOD, "delivered", NULL);
	prober_tell(b.prober, "mx1", HEALTH_GOOD, "delivered", NULL);
	ck_assert(prober_view(b.prober, "mx1", &b.view));
	ck_assert_int_eq(b.view.health.state, HEALTH_UP);
	prober_tell(b.prober, "nobody", HEALTH_GOOD, "", NULL);
	done(&b);
}
END_TEST

static bool is_due_soon(struct bench *b)
{
	return prober_view(b->prober, "mx1", &b->view) &&
	       b->view.next_probe_ms - clock_wall_ms() < 700;
}

/* And asks nothing while they say it. */
START_TEST(prober__puts_its_next_probe_off_with_every_delivery)
{
	struct bench b;

	init(&b, up);
	b.config.probe.interval_up = 1000;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	wait_for(&b, is_due_soon);
	prober_tell(b.prober, "mx1", HEALTH_GOOD, "delivered", NULL);
	ck_assert(!is_due_soon(&b));
	done(&b);
}
END_TEST

static bool is_old(struct bench *b)
{
	return prober_view(b->prober, "mx1", &b->view) && b->view.n_good == 0;
}

START_TEST(prober__forgets_good_addresses_after_their_time)
{
	struct bench b;

	init(&b, up);
	b.config.probe.interval_up = 3600000;
	b.config.dns.last_good = 1500;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	ck_assert_uint_eq(b.view.n_good, 1);
	wait_for(&b, is_old);
	done(&b);
}
END_TEST

/* Eight connections that break together are one failure, and asked about. */
START_TEST(prober__takes_failures_together_for_one)
{
	struct bench b;

	init(&b, up);
	b.config.probe.interval_down = 3600000;
	b.config.probe.interval_up = 3600000;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	for (int i = 0; i < 8; i++)
		prober_tell(b.prober, "mx1", HEALTH_BAD, "lost", NULL);
	ck_assert(prober_view(b.prober, "mx1", &b.view));
	ck_assert_int_eq(b.view.health.state, HEALTH_DOUBTFUL);
	wait_for(&b, has_two);
	wait_for_state(&b, HEALTH_UP);
	done(&b);
}
END_TEST

/* Only what failed together is one; what comes between says something else. */
static const struct {
	enum health_event first, second;
	enum health_state state;
} tellings[] = {
	{HEALTH_BAD, HEALTH_BAD, HEALTH_DOUBTFUL},
	{HEALTH_BAD, HEALTH_GOOD, HEALTH_UP},
	{HEALTH_BAD, HEALTH_REFUSED, HEALTH_REFUSING},
	{HEALTH_GOOD, HEALTH_BAD, HEALTH_DOUBTFUL},
	{HEALTH_REFUSED, HEALTH_BAD, HEALTH_DOWN},
};

START_TEST(prober__believes_each_kind_of_news)
{
	struct bench b;

	init(&b, up);
	b.config.probe.down_after = _i == 4 ? 1 : 2;
	b.config.probe.interval_down = 3600000;
	b.config.probe.interval_up = 3600000;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	prober_tell(b.prober, "mx1", tellings[_i].first, "first", NULL);
	prober_tell(b.prober, "mx1", tellings[_i].second, "second", NULL);
	ck_assert(prober_view(b.prober, "mx1", &b.view));
	ck_assert_str_eq(health_state_name(b.view.health.state),
			 health_state_name(tellings[_i].state));
	done(&b);
}
END_TEST

/* A probe hung when mail got through. */
START_TEST(prober__believes_a_delivery_more_than_a_probe_that_hung)
{
	static const char *const silent[] = {"STALL", NULL};
	static const char *const *const scripts[] = {mild, silent, NULL};
	struct bench b;

	init(&b, scripts);
	b.config.probe.timeout = 1500;
	b.config.probe.interval_up = 3600000;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	ck_assert(prober_probe_now(b.prober, "mx1", on_done, &b));
	wait_for(&b, has_two);
	prober_tell(b.prober, "mx1", HEALTH_GOOD, "delivered", NULL);
	wait_for(&b, is_done);
	ck_assert_int_eq(b.view.health.state, HEALTH_UP);
	ck_assert_str_eq(b.view.last_result, "ok");
	done(&b);
}
END_TEST

static bool has_changed(struct bench *b)
{
	return b->changes > 0;
}

START_TEST(prober__tells_of_changes_later_never_at_once)
{
	struct bench b;

	init(&b, up);
	b.config.probe.interval_up = 3600000;
	start_prober(&b);
	wait_for(&b, has_changed);
	ck_assert(is_known(&b));
	b.changes = 0;
	ck_assert(prober_hold(b.prober, "mx1", true, NULL, NULL));
	ck_assert_uint_eq(b.changes, 0);
	wait_for(&b, has_changed);
	ck_assert(prober_view(b.prober, "mx1", &b.view));
	ck_assert(b.view.held);
	ck_assert_int_eq(b.view.health.state, HEALTH_UP);
	done(&b);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"prober", TEST(prober__finds_a_primary_that_is_up),
		TEST(prober__says_quit),
		TEST(prober__sees_a_primary_go_and_come_back),
		TEST(prober__does_not_wait_for_a_probe_that_hangs),
		TEST(prober__does_not_believe_old_bad_news),
		TEST(prober__starts_no_more_than_a_few_at_once),
		TEST(prober__starts_no_other_while_in_doubt),
		TEST(prober__tells_who_asked_by_the_probe_of_his_own),
		TEST(prober__confirms_soon_what_is_back),
		TEST(prober__finds_what_is_back_while_as_many_as_may_be_hang),
		LOOP(prober__judges_what_it_hears, verdicts),
		LOOP(prober__goes_as_deep_as_configured, depths),
		TEST(prober__takes_a_whole_address_as_it_is),
		TEST(prober__probes_when_asked),
		TEST(prober__believes_deliveries),
		TEST(prober__puts_its_next_probe_off_with_every_delivery),
		TEST(prober__forgets_good_addresses_after_their_time),
		TEST(prober__takes_failures_together_for_one),
		LOOP(prober__believes_each_kind_of_news, tellings),
		TEST(prober__believes_a_delivery_more_than_a_probe_that_hung),
		TEST(prober__tells_of_changes_later_never_at_once));
}
