/* The relay whole: queue, writer's thread, prober, sessions, a real peer. */
#include "unit/relay/steps.h"

/* --- the way out --------------------------------------------------------- */

/* TX-49 */
START_TEST(relay__hands_over_in_order_with_one_canary)
{
	struct rig r;
	char content[64];

	rig_init(
		&r,
		"drain { retry_message = {\"200ms\"}  max_connections = 1 }\n");
	for (int i = 0; i < 50; i++) {
		snprintf(content, sizeof(content), "Subject: %d\r\n\r\nx\r\n",
			 i);
		rig_add(&r, &(struct rig_mail){.content = content});
	}
	rig_start(&r);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 50);
	for (int i = 0; i < 50; i++) {
		snprintf(content, sizeof(content), "Subject: %d\r\n\r\nx\r\n",
			 i);
		ck_assert_str_eq(r.sink.messages[i].body, content);
	}
	rig_done(&r);
}
END_TEST

/* TX-49 */
START_TEST(relay__opens_up_to_its_connections_and_no_further)
{
	struct rig r;

	rig_init(
		&r,
		"drain { retry_message = {\"200ms\"}  max_connections = 4 }\n");
	for (int i = 0; i < 300; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 300);
	ck_assert_uint_gt(r.sink.most_open, 2);
	ck_assert_uint_le(r.sink.most_open, 5); /* and a probe */
	rig_done(&r);
}
END_TEST

static const unsigned widths[] = {1, 8};

/* TX-49: one message that comes late is not read ahead and then passed by all
 * that is older. */
START_TEST(relay__lets_fresh_mail_in_between_the_old)
{
	char more[100];
	unsigned at = 0;
	struct rig r;

	snprintf(more, sizeof(more), "drain { max_connections = %u }\n",
		 widths[_i]);
	rig_init(&r, more);
	for (int i = 0; i < 300; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until_got(&r, 60);
	sink_set(&r.sink, &r.sink.holds, 1000);
	r.wanted = widths[_i];
	rig_until(&r, are_held);
	rig_add(&r, &(struct rig_mail){.from = "fresh@client.test"});
	pass_time(&r, 100); /* it is noticed */
	sink_let_go(&r.sink);
	rig_until_got(&r, 301);
	while (strcmp(r.sink.messages[at].from, "fresh@client.test") != 0)
		at++;
	ck_assert_uint_lt(at, 60 + 5 * widths[_i] + 50);
	rig_done(&r);
}
END_TEST

START_TEST(relay__reuses_a_connection_up_to_per_connection)
{
	struct rig r;
	unsigned per[64] = {0};

	rig_init(&r, "drain { max_connections = 1  per_connection = 7 }\n");
	for (int i = 0; i < 21; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until(&r, rig_is_empty);
	for (unsigned i = 0; i < r.sink.n_messages; i++)
		per[r.sink.messages[i].session % 64]++;
	for (size_t i = 0; i < MX_ARRAY_SIZE(per); i++)
		ck_assert(per[i] == 0 || per[i] == 7);
	rig_done(&r);
}
END_TEST

static const size_t sizes[] = {0, 100, 4080, 261000, 262000, 3000000};

START_TEST(relay__hands_over_content_of_any_size_unchanged)
{
	struct rig r;
	struct buf want;

	rig_init(&r, QUICK);
	buf_init(&want, 64 << 20);
	buf_append_str(&want, "Subject: big\r\n\r\n.dot\r\n");
	for (size_t n = 0; n < sizes[_i]; n += 64)
		buf_printf(&want, "%062zu\r\n", n);
	rig_add(&r,
		&(struct rig_mail){.content = "Subject: big\r\n\r\n.dot\r\n",
				   .pad = sizes[_i]});
	rig_start(&r);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(r.sink.messages[0].n, want.n);
	ck_assert(memcmp(r.sink.messages[0].body, want.mem, want.n) == 0);
	buf_done(&want);
	rig_done(&r);
}
END_TEST

START_TEST(relay__passes_on_mail_that_comes_while_the_primary_is_up)
{
	struct rig r;

	rig_init(&r, QUICK);
	rig_start(&r);
	rig_until(&r, is_up);
	for (unsigned i = 1; i <= 5; i++) {
		rig_add(&r, &(struct rig_mail){0});
		rig_until_got(&r, i);
	}
	rig_until(&r, rig_is_empty);
	rig_done(&r);
}
END_TEST

/* --- recipients ---------------------------------------------------------- */

/* TX-7 */
START_TEST(relay__settles_each_recipient_on_its_own)
{
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, NEVER "breaker { first_5xx = \"0s\" }\n"
			   "bounce { send = \"none\" otherwise = \"drop\" }\n");
	rig_list(&r);
	id = rig_add(&r, &(struct rig_mail){.rcpts = "user1@example.test "
						     "later1@example.test "
						     "gone1@example.test"});
	rig_start(&r);
	until_tried(&r, id, 1);
	ck_assert(look(&r, id, &m));
	ck_assert_int_eq(m.rcpts[0].state, RCPT_DELIVERED);
	ck_assert_int_eq(m.rcpts[1].state, RCPT_PENDING);
	ck_assert_int_eq(m.rcpts[2].state, RCPT_FAILED);
	ck_assert_slice_eq(m.rcpts[1].reply, "450 4.2.0 later");
	ck_assert_slice_eq(m.rcpts[2].reply, "550 5.1.1 no such user");
	ck_assert_int_eq(m.state, QUEUE_RETRY);
	ck_assert_uint_eq(r.sink.messages[0].n_rcpts, 1);
	rig_done(&r);
}
END_TEST

/* TX-19 */
START_TEST(relay__doubts_a_5xx_for_a_listed_recipient_and_no_other)
{
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, SURE "bounce { send = \"none\" otherwise = \"drop\" }\n");
	rig_list(&r);
	id = rig_add(&r, &(struct rig_mail){
				 .rcpts = "gone1@example.test "
					  "gone-and-unlisted@example.test"});
	rig_start(&r);
	until_tried(&r, id, 1);
	ck_assert(look(&r, id, &m));
	ck_assert_int_eq(m.rcpts[0].state, RCPT_PENDING);
	ck_assert_int_ne(m.rcpts[0].first_5xx_ms, 0);
	ck_assert_int_eq(m.rcpts[1].state, RCPT_FAILED);
	rig_done(&r);
}
END_TEST

/* TX-15 */
START_TEST(relay__sends_the_rest_at_once_when_told_of_too_many_recipients)
{
	char rcpts[1024] = "";
	struct rig r;
	unsigned all = 0;

	rig_init(&r, NEVER);
	r.sink.rcpt_max = 3;
	for (int i = 1; i <= 8; i++)
		snprintf(rcpts + strlen(rcpts), 64, "%suser%d@example.test",
			 i > 1 ? " " : "", i);
	rig_add(&r, &(struct rig_mail){.rcpts = rcpts});
	rig_start(&r);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 3);
	for (int i = 0; i < 3; i++) {
		all += r.sink.messages[i].n_rcpts;
		ck_assert_uint_eq(r.sink.messages[i].session,
				  r.sink.messages[0].session);
	}
	ck_assert_uint_eq(all, 8);
	rig_done(&r);
}
END_TEST

/* TX-21 */
START_TEST(relay__sends_more_than_a_hundred_recipients_in_several_transactions)
{
	char *rcpts = calloc(1, 250 * 32);
	struct rig r;
	unsigned all = 0;

	rig_init(&r, NEVER);
	for (int i = 1; i <= 250; i++)
		snprintf(rcpts + strlen(rcpts), 32, "%su%d@example.test",
			 i > 1 ? " " : "", i);
	rig_add(&r, &(struct rig_mail){.rcpts = rcpts, .pad = 300000});
	rig_start(&r);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 3);
	for (int i = 0; i < 3; i++) {
		all += r.sink.messages[i].n_rcpts;
		ck_assert_uint_eq(r.sink.messages[i].n, r.sink.messages[0].n);
	}
	ck_assert_uint_eq(all, 250);
	free(rcpts);
	rig_done(&r);
}
END_TEST

/* --- operators and configuration ----------------------------------------- */

START_TEST(relay__holds_back_mail_of_a_domain_that_left_the_configuration)
{
	struct queue_message m;
	char alarms[8][256];
	struct rig r;
	uint64_t id;

	rig_init(&r, NEVER);
	rig_start(&r);
	rig_until(&r, is_up);
	rig_reload(&r, NEVER, "other.test");
	id = rig_add(&r, &(struct rig_mail){0});
	rig_add(&r, &(struct rig_mail){.rcpts = "user@other.test"});
	rig_until_got(&r, 1); /* the other's goes */
	ck_assert_str_eq(r.sink.messages[0].rcpts, "user@other.test");
	ck_assert(look(&r, id, &m));
	ck_assert_uint_eq(m.attempts, 0);
	ck_assert_uint_eq(relay_alarms(r.relay, alarms, 8), 1);
	ck_assert_ptr_nonnull(strstr(alarms[0], "example.test: 1 messages"));
	rig_reload(&r, NEVER, "example.test");
	rig_until_got(&r, 2);
	rig_done(&r);
}
END_TEST

/* TX-49: two domains of one primary, whose mail is all due at once. */
START_TEST(relay__keeps_the_order_of_domains_that_an_operator_lets_go)
{
	const char *const rcpts[] = {"user@other.test", "user1@example.test"};
	uint64_t ids[8];
	char more[256];
	struct rig r;

	rig_init(&r, "");
	snprintf(more, sizeof(more),
		 "drain { max_connections = 1 }\n"
		 "domain \"other.test\" { primary = \"127.0.0.1:%u\"\n"
		 "	recipients = \"learn\" }\n",
		 r.sink.port);
	config_unref(r.config);
	r.config = rig_config(&r, more, "example.test");
	outbound_reload(r.outbound, r.config);
	for (size_t i = 0; i < MX_ARRAY_SIZE(ids); i++)
		ids[i] = rig_add(&r, &(struct rig_mail){.rcpts = rcpts[i % 2]});
	rig_change_all(&r, CHANGE_RETRY, ids, MX_ARRAY_SIZE(ids));
	rig_start(&r);
	rig_until(&r, rig_is_empty);
	for (size_t i = 0; i < MX_ARRAY_SIZE(ids); i++)
		ck_assert_str_eq(r.sink.messages[i].rcpts, rcpts[i % 2]);
	rig_done(&r);
}
END_TEST

START_TEST(relay__sends_nothing_while_paused)
{
	struct rig r;

	rig_init(&r, NEVER);
	rig_start(&r);
	ck_assert(relay_pause(r.relay, "example.test", true));
	rig_add(&r, &(struct rig_mail){0});
	rig_until(&r, is_long_up);
	ck_assert_uint_eq(sink_count(&r.sink), 0);
	ck_assert(relay_pause(r.relay, "example.test", false));
	rig_until_got(&r, 1);
	ck_assert(!relay_pause(r.relay, "nobody.test", true));
	rig_done(&r);
}
END_TEST

START_TEST(relay__waits_for_drain_now_when_the_primary_is_held)
{
	struct rig r;

	rig_init(&r, "drain { hold = true }\n");
	rig_start(&r);
	rig_add(&r, &(struct rig_mail){0});
	rig_until(&r, is_long_up);
	ck_assert_uint_eq(sink_count(&r.sink), 0);
	ck_assert(relay_drain_now(r.relay, "example.test"));
	rig_until_got(&r, 1);
	rig_until(&r, rig_is_empty);
	rig_done(&r);
}
END_TEST

static int64_t waits_from_ms;

static bool has_waited(struct rig *r)
{
	return is_long_up(r) && clock_wall_ms() - waits_from_ms > 300;
}

/* The last word counts: what `drain now` let go is over. */
START_TEST(relay__is_held_by_a_hold_that_comes_after_drain_now)
{
	const char *name;
	struct relay_view view;
	struct rig r;

	rig_init(&r, "");
	name = r.config->primaries[0]->name;
	rig_start(&r);
	ck_assert(relay_drain_now(r.relay, "example.test"));
	ck_assert(prober_hold(r.prober, name, true, NULL, NULL));
	relay_hold(r.relay, name, true);
	rig_add(&r, &(struct rig_mail){0});
	rig_until(&r, is_long_up);
	ck_assert_uint_eq(sink_count(&r.sink), 0);
	ck_assert(relay_drain_now(r.relay, "example.test"));
	ck_assert(relay_drain_now(r.relay, "example.test"));
	ck_assert(relay_view(r.relay, name, &view));
	ck_assert(view.released);
	rig_until_got(&r, 1);
	relay_hold(r.relay, name, true);
	rig_add(&r, &(struct rig_mail){0});
	waits_from_ms = clock_wall_ms();
	rig_until(&r, has_waited);
	ck_assert_uint_eq(sink_count(&r.sink), 1);
	rig_done(&r);
}
END_TEST

static bool is_asked_for(struct rig *r, const char *domain, uint64_t *waiting)
{
	bool held = false;

	ck_assert(relay_ask(r->relay, domain, waiting, &held));
	return !held;
}

/* EXT-44, EXT-45: ETRN starts what is ready, and overrides no operator. */
START_TEST(relay__a_primary_may_ask_for_its_mail_unless_it_is_held)
{
	uint64_t waiting = 7;
	bool held;
	struct rig r;

	rig_init(&r, "drain { hold = true }\n");
	rig_start(&r);
	ck_assert(is_asked_for(&r, "example.test", &waiting) == false);
	ck_assert_uint_eq(waiting, 0);
	rig_add(&r, &(struct rig_mail){0});
	rig_add(&r, &(struct rig_mail){0});
	ck_assert(!relay_ask(r.relay, "other.test", &waiting, &held));
	ck_assert(is_asked_for(&r, "example.test", &waiting) == false);
	ck_assert_uint_eq(waiting, 2);
	ck_assert(prober_hold(r.prober, r.config->primaries[0]->name, false,
			      NULL, NULL));
	ck_assert(relay_pause(r.relay, "example.test", true));
	ck_assert(is_asked_for(&r, "example.test", &waiting) == false);
	ck_assert(relay_pause(r.relay, "example.test", false));
	ck_assert(is_asked_for(&r, "example.test", &waiting));
	ck_assert(is_asked_for(&r, "example.test", &waiting)); /* too soon */
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 2);
	rig_done(&r);
}
END_TEST

/* EXT-44: it is looked at when it asks, and not an hour later; but not against
 * an operator's word. */
START_TEST(relay__finds_a_primary_back_that_asks_for_its_mail)
{
	uint64_t waiting;
	struct rig r;

	rig_init(&r, "probe { interval_down = \"1h\"  interval_up = \"1h\"\n"
		     "	up_after = 1  down_after = 2 }\n");
	sink_close(&r.sink);
	rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until(&r, is_down);
	sink_open(&r.sink);
	ck_assert(relay_pause(r.relay, "example.test", true));
	ck_assert(!is_asked_for(&r, "example.test", &waiting));
	pass_time(&r, 300);
	ck_assert_uint_eq(r.sink.sessions, 0);
	ck_assert(relay_pause(r.relay, "example.test", false));
	ck_assert(is_asked_for(&r, "example.test", &waiting));
	rig_until(&r, rig_is_empty);
	rig_done(&r);
}
END_TEST

START_TEST(relay__goes_by_the_rate_that_an_operator_sets)
{
	struct relay_view v;
	struct rig r;

	rig_init(&r, NEVER);
	rig_start(&r);
	ck_assert(relay_rate(r.relay, "example.test", 1)); /* a minute */
	rig_add(&r, &(struct rig_mail){0});
	rig_until_got(&r, 1);
	rig_add(&r, &(struct rig_mail){0});
	rig_until(&r, is_long_up);
	ck_assert_uint_eq(sink_count(&r.sink), 1);
	ck_assert(relay_rate(r.relay, "example.test", 0));
	rig_until_got(&r, 2);
	rig_until(&r, rig_is_empty);
	ck_assert(relay_view(r.relay, r.config->primaries[0]->name, &v));
	ck_assert_uint_eq(v.sent, 2);
	rig_done(&r);
}
END_TEST

START_TEST(relay__keeps_the_breaker_as_an_operator_wants_it)
{
	struct rig r;

	rig_init(&r, NEVER);
	rig_start(&r);
	ck_assert(relay_breaker(r.relay, "example.test", true));
	rig_add(&r, &(struct rig_mail){0});
	rig_until(&r, is_long_up);
	ck_assert_uint_eq(sink_count(&r.sink), 0);
	ck_assert(relay_breaker(r.relay, "example.test", false));
	rig_until_got(&r, 1);
	ck_assert(!relay_breaker(r.relay, "nobody.test", false));
	rig_done(&r);
}
END_TEST

/* As when a try closes it: from one session on. */
START_TEST(relay__goes_gently_when_an_operator_closes_the_breaker)
{
	struct relay_view v;
	struct rig r;

	rig_init(&r, "drain { max_connections = 8  canary = 0 }\n");
	for (int i = 0; i < 300; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until_got(&r, 100);
	ck_assert(relay_breaker(r.relay, "example.test", true));
	ck_assert(relay_breaker(r.relay, "example.test", false));
	ck_assert(relay_view(r.relay, r.config->primaries[0]->name, &v));
	ck_assert_uint_eq(v.limit, 1);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 300);
	rig_done(&r);
}
END_TEST

START_TEST(relay__takes_up_what_an_operator_releases_or_retries)
{
	struct rig r;
	uint64_t held, later;

	rig_init(&r, NEVER);
	rig_start(&r);
	held = rig_add(&r, &(struct rig_mail){0});
	rig_change(&r, CHANGE_HOLD, held);
	later = rig_add(&r, &(struct rig_mail){.rcpts = "later@example.test"});
	until_tried(&r, later, 1);
	ck_assert_uint_eq(sink_count(&r.sink), 0);
	rig_change(&r, CHANGE_RELEASE, held);
	rig_until_got(&r, 1);
	rig_change(&r, CHANGE_RETRY, later);
	until_tried(&r, later, 2);
	rig_done(&r);
}
END_TEST

static bool is_flown(struct rig *r)
{
	return !relay_in_flight(r->relay, watched);
}

START_TEST(relay__takes_it_when_a_message_is_deleted_while_it_is_sent)
{
	struct rig r;

	rig_init(&r, NEVER);
	r.sink.holds = 1;
	watched = rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until(&r, is_held);
	ck_assert(relay_in_flight(r.relay, watched));
	rig_change(&r, CHANGE_DELETE, watched);
	sink_let_go(&r.sink);
	rig_until(&r, is_flown);
	ck_assert_uint_eq(rig_queued(&r), 0);
	ck_assert_uint_eq(sink_count(&r.sink), 1);
	rig_done(&r);
}
END_TEST

static const int dot_replies[] = {0, 450};

START_TEST(relay__removes_a_message_when_the_attempt_under_way_has_ended)
{
	uint64_t before = counter_get(&stats.messages_removed);
	struct rig r;

	rig_init(&r, NEVER);
	r.sink.holds = 1;
	r.sink.dot = dot_replies[_i];
	r.sink.dot_times = -1;
	watched = rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	ck_assert(!relay_remove(r.relay, watched));
	rig_until(&r, is_held);
	ck_assert(relay_remove(r.relay, watched));
	ck_assert_uint_eq(rig_queued(&r), 1);
	sink_let_go(&r.sink);
	rig_until(&r, is_flown);
	ck_assert_uint_eq(rig_queued(&r), 0);
	ck_assert_uint_eq(sink_count(&r.sink), dot_replies[_i] ? 0 : 1);
	ck_assert_uint_eq(counter_get(&stats.messages_removed) - before,
			  dot_replies[_i] ? 1 : 0);
	rig_done(&r);
}
END_TEST

static bool is_refusing(struct rig *r)
{
	struct primary_view v;

	return prober_view_at(r->prober, 0, &v) &&
	       v.health.state == HEALTH_REFUSING;
}

/* No session is left that nobody counts. */
static bool are_all_of_now(struct rig *r)
{
	struct lane *l = lane_find(r->relay, r->config->primaries[0]->name);

	return pool_count_any(&l->pool) == l->pool.n;
}

START_TEST(relay__does_not_wait_for_what_hangs_from_before_an_outage)
{
	int64_t began_ms;
	struct rig r;

	rig_init(&r, NEVER);
	r.sink.holds = 1;
	rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until(&r, is_held);
	sink_set(&r.sink, &r.sink.banner, 554);
	rig_until(&r, is_refusing);
	rig_add(&r, &(struct rig_mail){0});
	sink_set(&r.sink, &r.sink.banner, 0);
	rig_until_got(&r, 1); /* the other one */
	ck_assert(!are_all_of_now(&r));
	sink_let_go(&r.sink);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 2);
	began_ms = clock_mono_ms();
	rig_until(&r, are_all_of_now);
	ck_assert_int_lt(clock_mono_ms() - began_ms, POOL_IDLE_MS / 2);
	rig_done(&r);
}
END_TEST

/* --- the end ------------------------------------------------------------- */

START_TEST(relay__says_that_a_reply_was_not_waited_for_when_it_stops)
{
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, NEVER);
	r.sink.holds = 1;
	id = rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until(&r, is_held);
	rig_stop(&r, 50);
	ck_assert(look(&r, id, &m));
	ck_assert(m.maybe_duplicate);
	relay_free(r.relay);
	prober_free(r.prober);
	r.relay = NULL;
	rig_done(&r);
}
END_TEST

START_TEST(relay__ends_in_order_while_a_drain_is_under_way)
{
	unsigned got;
	struct rig r;

	rig_init(&r, QUICK);
	for (int i = 0; i < 500; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until(&r, is_half);
	rig_stop(&r, 5000);
	got = sink_count(&r.sink);
	ck_assert_uint_lt(got, 500);
	ck_assert_uint_eq(rig_queued(&r), 500 - got);
	relay_free(r.relay);
	prober_free(r.prober);
	r.relay = NULL;
	rig_done(&r);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"relay", TEST(relay__hands_over_in_order_with_one_canary),
		TEST(relay__opens_up_to_its_connections_and_no_further),
		LOOP(relay__lets_fresh_mail_in_between_the_old, widths),
		TEST(relay__reuses_a_connection_up_to_per_connection),
		LOOP(relay__hands_over_content_of_any_size_unchanged, sizes),
		TEST(relay__passes_on_mail_that_comes_while_the_primary_is_up),
		TEST(relay__settles_each_recipient_on_its_own),
		TEST(relay__doubts_a_5xx_for_a_listed_recipient_and_no_other),
		TEST(relay__sends_the_rest_at_once_when_told_of_too_many_recipients),
		TEST(relay__sends_more_than_a_hundred_recipients_in_several_transactions),
		TEST(relay__holds_back_mail_of_a_domain_that_left_the_configuration),
		TEST(relay__keeps_the_order_of_domains_that_an_operator_lets_go),
		TEST(relay__sends_nothing_while_paused),
		TEST(relay__waits_for_drain_now_when_the_primary_is_held),
		TEST(relay__is_held_by_a_hold_that_comes_after_drain_now),
		TEST(relay__a_primary_may_ask_for_its_mail_unless_it_is_held),
		TEST(relay__finds_a_primary_back_that_asks_for_its_mail),
		TEST(relay__goes_by_the_rate_that_an_operator_sets),
		TEST(relay__keeps_the_breaker_as_an_operator_wants_it),
		TEST(relay__goes_gently_when_an_operator_closes_the_breaker),
		TEST(relay__takes_up_what_an_operator_releases_or_retries),
		TEST(relay__takes_it_when_a_message_is_deleted_while_it_is_sent),
		LOOP(relay__removes_a_message_when_the_attempt_under_way_has_ended,
		     dot_replies),
		TEST(relay__does_not_wait_for_what_hangs_from_before_an_outage),
		TEST(relay__says_that_a_reply_was_not_waited_for_when_it_stops),
		TEST(relay__ends_in_order_while_a_drain_is_under_way));
}
