/* The relay whole: queue, writer's thread, prober, sessions, a real peer. */
#include "unit/relay/rig.h"

#include "mxhold/base/id.h"
#include "mxhold/base/stats.h"
#include "mxhold/relay/inner.h"

#define QUICK "drain { retry_message = {\"200ms\"} }\n"
#define NEVER "drain { retry_message = {\"1d\"} }\n"

static struct arena arena;

static bool look(struct rig *r, uint64_t id, struct queue_message *m)
{
	arena_done(&arena);
	arena_init(&arena, 1 << 20);
	return rig_look(r, id, &arena, m);
}

/* Waits until the first message has been tried so many times. */
static uint64_t watched;

static bool was_tried(struct rig *r)
{
	struct queue_message m;

	return look(r, watched, &m) && m.attempts >= r->wanted;
}

static void until_tried(struct rig *r, uint64_t id, unsigned times)
{
	watched = id;
	r->wanted = times;
	rig_until(r, was_tried);
}

static bool is_quarantined(struct rig *r)
{
	struct queue_message m;

	return look(r, watched, &m) && m.quarantined;
}

static bool is_up(struct rig *r)
{
	struct primary_view v;

	return prober_view_at(r->prober, 0, &v) && v.health.state == HEALTH_UP;
}

static bool is_down(struct rig *r)
{
	struct primary_view v;

	return prober_view_at(r->prober, 0, &v) &&
	       v.health.state == HEALTH_DOWN;
}

static bool is_breaker_open(struct rig *r)
{
	struct relay_view v;

	return relay_view(r->relay, r->config->primaries[0]->name, &v) &&
	       v.breaker_open;
}

static bool is_breaker_shut(struct rig *r)
{
	return !is_breaker_open(r);
}

/* --- the way out --------------------------------------------------------- */

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

START_TEST(relay__doubts_a_5xx_for_a_listed_recipient_and_no_other)
{
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, NEVER "bounce { send = \"none\" otherwise = \"drop\" }\n");
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
	for (int i = 0; i < 3; i++)
		all += r.sink.messages[i].n_rcpts;
	ck_assert_uint_eq(all, 8);
	rig_done(&r);
}
END_TEST

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

/* --- trouble ------------------------------------------------------------- */

static const enum sink_stage stages[] = {SINK_MAIL, SINK_RCPT, SINK_DATA,
					 SINK_BODY};

START_TEST(relay__leaves_a_message_as_it_was_when_the_connection_breaks)
{
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, NEVER);
	r.sink.drop = stages[_i];
	r.sink.drop_times = 1;
	/* large enough that the dot cannot be out when the line breaks */
	id = rig_add(&r, &(struct rig_mail){.pad = stages[_i] == SINK_BODY
							   ? 30 << 20
							   : 1000});
	rig_start(&r);
	rig_until(&r, rig_is_empty); /* its timer would be a day */
	ck_assert_uint_eq(sink_count(&r.sink), 1);
	ck_assert(!look(&r, id, &m));
	rig_done(&r);
}
END_TEST

START_TEST(relay__gives_a_message_a_timer_when_it_always_breaks_the_connection)
{
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, NEVER);
	r.sink.drop = SINK_DATA;
	r.sink.drop_times = 2;
	id = rig_add(&r, &(struct rig_mail){0});
	rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	until_tried(&r, id, 1);
	ck_assert(look(&r, id, &m));
	ck_assert_slice_eq(slice_head(m.rcpts[0].reply, 9), "451 4.4.2");
	rig_until_got(&r, 1);
	ck_assert(look(&r, id, &m));
	ck_assert_int_eq(m.state, QUEUE_RETRY);
	rig_done(&r);
}
END_TEST

START_TEST(relay__sends_again_what_got_no_reply_after_its_dot)
{
	uint64_t before = counter_get(&stats.maybe_duplicate);
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, "drain { retry_message = {\"1s\"} }\n");
	r.sink.drop = SINK_DOT;
	r.sink.drop_times = 1;
	id = rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	until_tried(&r, id, 1);
	ck_assert(look(&r, id, &m));
	ck_assert(m.maybe_duplicate);
	ck_assert_uint_eq(counter_get(&stats.maybe_duplicate), before + 1);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 2);
	ck_assert_str_eq(r.sink.messages[0].body, r.sink.messages[1].body);
	rig_done(&r);
}
END_TEST

START_TEST(relay__waits_while_the_primary_is_away_and_touches_no_message)
{
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, NEVER);
	rig_start(&r);
	rig_until(&r, is_up);
	sink_close(&r.sink);
	rig_until(&r, is_down);
	id = rig_add(&r, &(struct rig_mail){0});
	for (int i = 0; i < 20; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_until(&r, is_down);
	ck_assert(look(&r, id, &m));
	ck_assert_uint_eq(m.attempts, 0);
	ck_assert_int_eq(m.state, QUEUE_READY);
	sink_open(&r.sink);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 21);
	rig_done(&r);
}
END_TEST

static bool is_half(struct rig *r)
{
	return sink_count(&r->sink) >= 100;
}

START_TEST(relay__goes_on_where_it_was_when_the_primary_leaves_amid_a_drain)
{
	unsigned unacked = 0;
	struct rig r;

	rig_init(&r, QUICK);
	for (int i = 0; i < 300; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until(&r, is_half);
	sink_close(&r.sink);
	rig_until(&r, is_down);
	sink_open(&r.sink);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_ge(sink_count(&r.sink), 300);
	/* No more copies than replies that were cut off. */
	ck_assert_uint_le(sink_count(&r.sink), 300 + 9 + unacked);
	rig_done(&r);
}
END_TEST

START_TEST(relay__backs_off_when_connections_are_refused_with_421)
{
	struct rig r;

	rig_init(&r, QUICK);
	r.sink.max_sessions = 2;
	for (int i = 0; i < 100; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 100);
	rig_done(&r);
}
END_TEST

/* --- a broken primary ---------------------------------------------------- */

START_TEST(relay__opens_the_breaker_on_5xx_at_mail_and_bounces_nothing)
{
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, QUICK "breaker { retry = \"300ms\" }\n");
	rig_list(&r);
	r.sink.mail = 550;
	r.sink.mail_times = 2;
	id = rig_add(&r, &(struct rig_mail){0});
	for (int i = 0; i < 5; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until(&r, is_breaker_open);
	ck_assert(look(&r, id, &m));
	ck_assert(!m.quarantined);
	rig_until(&r, is_breaker_shut);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 6);
	rig_done(&r);
}
END_TEST

START_TEST(relay__opens_the_breaker_when_known_recipients_are_refused)
{
	char alarms[8][256];
	struct rig r;

	rig_init(&r, NEVER);
	rig_list(&r);
	rig_add(&r, &(struct rig_mail){.from = "a@client.test",
				       .rcpts = "gone1@example.test"});
	rig_add(&r, &(struct rig_mail){.from = "b@client.test",
				       .rcpts = "gone2@example.test"});
	rig_start(&r);
	rig_until(&r, is_breaker_open);
	ck_assert_uint_eq(relay_alarms(r.relay, alarms, 8), 1);
	ck_assert_ptr_nonnull(strstr(alarms[0], "breaker open"));
	ck_assert_uint_eq(rig_queued(&r), 2);
	rig_done(&r);
}
END_TEST

/* --- what has failed ----------------------------------------------------- */

START_TEST(relay__holds_a_failed_message_in_quarantine_by_default)
{
	struct rig r;

	rig_init(&r, NEVER);
	watched =
		rig_add(&r, &(struct rig_mail){.rcpts = "gone-x@example.test"});
	rig_start(&r);
	rig_until(&r, is_quarantined);
	ck_assert_uint_eq(rig_queued(&r), 1);
	rig_done(&r);
}
END_TEST

START_TEST(relay__does_not_quarantine_while_other_recipients_wait)
{
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, NEVER);
	id = rig_add(&r, &(struct rig_mail){.rcpts = "gone-x@example.test "
						     "later@example.test"});
	rig_start(&r);
	until_tried(&r, id, 1);
	ck_assert(look(&r, id, &m));
	ck_assert(!m.quarantined);
	ck_assert_int_eq(m.rcpts[0].state, RCPT_PENDING);
	rig_done(&r);
}
END_TEST

START_TEST(relay__sends_a_report_by_the_primary_when_told_so)
{
	const struct sink_message *m;
	struct rig r;

	rig_init(&r, NEVER "bounce { send = \"all\"  route = \"primary\" }\n");
	rig_add(&r, &(struct rig_mail){.rcpts = "gone-x@example.test "
						"gone-y@example.test"});
	rig_start(&r);
	rig_until_got(&r, 1);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 1);
	m = &r.sink.messages[0];
	ck_assert_str_eq(m->from, "");
	ck_assert_str_eq(m->rcpts, "sender@client.test");
	ck_assert_ptr_nonnull(strstr(m->body, "multipart/report"));
	ck_assert_ptr_nonnull(strstr(m->body, "gone-x@example.test"));
	ck_assert_ptr_nonnull(strstr(m->body, "gone-y@example.test"));
	ck_assert_ptr_nonnull(strstr(m->body, "Status: 5.1.1"));
	ck_assert_ptr_nonnull(strstr(m->body, "Subject: hello"));
	ck_assert_ptr_null(strstr(m->body, "\r\nbody\r\n"));
	rig_done(&r);
}
END_TEST

static bool has_report(struct rig *r)
{
	uint32_t dest;

	return reader_dest_find(r->reader, DEST_REPORT, "client.test", &dest) ==
	       0;
}

START_TEST(relay__keeps_a_report_while_the_senders_mx_cannot_be_found)
{
	struct rig r;

	rig_init(&r, NEVER "bounce { send = \"all\" }\n");
	rig_add(&r, &(struct rig_mail){.rcpts = "gone-x@example.test"});
	rig_start(&r);
	rig_until(&r, has_report);
	ck_assert_uint_eq(rig_queued(&r), 1);
	rig_done(&r);
}
END_TEST

START_TEST(relay__drops_what_nobody_wants_a_report_of)
{
	static const struct rig_mail mails[] = {
		{.from = "", .rcpts = "gone-x@example.test"},
		{.rcpts = "gone-x@example.test", .notify = DSN_NOTIFY_NEVER},
	};
	uint64_t before = counter_get(&stats.messages_failed);
	struct rig r;

	rig_init(&r, NEVER "bounce { send = \"all\"  route = \"primary\" }\n");
	rig_add(&r, &mails[_i]);
	rig_start(&r);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 0);
	ck_assert_uint_eq(counter_get(&stats.messages_failed), before + 1);
	rig_done(&r);
}
END_TEST

static const bool offers_dsn[] = {false, true};

START_TEST(relay__reports_success_itself_where_the_primary_knows_no_dsn)
{
	bool dsn = offers_dsn[_i];
	struct rig r;

	rig_init(&r, NEVER "bounce { send = \"all\"  route = \"primary\" }\n");
	r.sink.dsn = dsn;
	rig_add(&r, &(struct rig_mail){.notify = DSN_NOTIFY_SUCCESS});
	rig_start(&r);
	rig_until_got(&r, dsn ? 1 : 2);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), dsn ? 1 : 2);
	if (!dsn)
		ck_assert_ptr_nonnull(
			strstr(r.sink.messages[1].body, "Action: relayed"));
	rig_done(&r);
}
END_TEST

#define LATE                                             \
	"drain { retry_message = {\"1d\"} }\n"           \
	"bounce { send = \"all\"  route = \"primary\"\n" \
	"	delay_dsn = \"1h\" }\n"

static const struct {
	int64_t ago_ms;
	uint8_t notify;
	bool told;
} lates[] = {
	{1000, 0, true},
	{1000, DSN_NOTIFY_DELAY, true},
	{1000, DSN_NOTIFY_FAILURE, false},
	{7200000, 0, false}, /* tried beyond the edge from the first */
};

START_TEST(relay__tells_the_sender_once_of_the_attempt_that_makes_it_late)
{
	bool told = lates[_i].told;
	struct rig r;

	rig_init(&r, LATE);
	rig_start(&r);
	watched =
		rig_add(&r, &(struct rig_mail){.rcpts = "later@example.test",
					       .notify = lates[_i].notify,
					       .arrived_ms = clock_wall_ms() -
							     lates[_i].ago_ms});
	until_tried(&r, watched, 1);
	clock_fake(clock_mono_ms(), clock_wall_ms() + 3600000);
	rig_change(&r, CHANGE_RETRY, watched);
	until_tried(&r, watched, 2);
	rig_until_got(&r, told);
	rig_change(&r, CHANGE_RETRY, watched);
	until_tried(&r, watched, 3);
	clock_fake_off();
	rig_change(&r, CHANGE_DELETE, watched);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), told);
	if (told)
		ck_assert_ptr_nonnull(
			strstr(r.sink.messages[0].body, "Action: delayed"));
	rig_done(&r);
}
END_TEST

START_TEST(relay__tells_the_sender_of_mail_that_gets_late_while_nobody_is_up)
{
	struct queue_message m;
	struct rig r;

	rig_init(&r, LATE);
	sink_close(&r.sink);
	watched = rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until(&r, is_down);
	delay_look(r.relay->delay);
	clock_fake(clock_mono_ms(), clock_wall_ms() + 3600000);
	delay_look(r.relay->delay);
	rig_until(&r, has_report);
	ck_assert_uint_eq(rig_queued(&r), 2);
	ck_assert(look(&r, watched, &m));
	ck_assert_uint_eq(m.attempts, 0);
	ck_assert_int_eq(m.state, QUEUE_READY);
	sink_open(&r.sink);
	rig_until(&r, rig_is_empty);
	clock_fake_off();
	ck_assert_uint_eq(sink_count(&r.sink), 2);
	rig_done(&r);
}
END_TEST

/* --- time ---------------------------------------------------------------- */

START_TEST(relay__gives_up_by_the_clock_with_the_last_reply)
{
	uint64_t before = counter_get(&stats.messages_expired);
	struct rig r;

	rig_init(&r, NEVER "queue { retention = \"1h\"  clock = \"wall\" }\n"
			   "bounce { send = \"all\"  route = \"primary\" }\n");
	rig_add(&r,
		&(struct rig_mail){.rcpts = "later@example.test",
				   .arrived_ms = clock_wall_ms() - 7200000});
	rig_start(&r);
	rig_until_got(&r, 1);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(counter_get(&stats.messages_expired), before + 1);
	ck_assert_ptr_nonnull(strstr(r.sink.messages[0].body, "Status: 4.2.0"));
	ck_assert_ptr_nonnull(
		strstr(r.sink.messages[0].body, "Action: failed"));
	rig_done(&r);
}
END_TEST

START_TEST(relay__gives_up_at_the_hard_limit_while_the_primary_is_away)
{
	struct rig r;

	rig_init(&r,
		 NEVER "bounce { send = \"none\"  otherwise = \"drop\" }\n");
	sink_close(&r.sink);
	rig_add(&r, &(struct rig_mail){.expire_ms = clock_wall_ms() - 1});
	rig_start(&r);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 0);
	rig_done(&r);
}
END_TEST

START_TEST(relay__removes_a_message_when_its_quarantine_has_ended)
{
	struct rig r;

	rig_init(&r, NEVER "bounce { quarantine = \"0s\" }\n");
	watched =
		rig_add(&r, &(struct rig_mail){.rcpts = "gone-x@example.test"});
	rig_start(&r);
	rig_until(&r, rig_is_empty);
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

static bool is_long_up(struct rig *r)
{
	struct primary_view v;

	return prober_view_at(r->prober, 0, &v) &&
	       v.health.state == HEALTH_UP &&
	       clock_wall_ms() - v.health.since_ms > 300;
}

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

static bool is_held(struct rig *r)
{
	return sink_held(&r->sink) >= 1;
}

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

static bool is_refusing(struct rig *r)
{
	struct primary_view v;

	return prober_view_at(r->prober, 0, &v) &&
	       v.health.state == HEALTH_REFUSING;
}

START_TEST(relay__does_not_wait_for_what_hangs_from_before_an_outage)
{
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
	sink_let_go(&r.sink);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 2);
	rig_done(&r);
}
END_TEST

/* --- damage -------------------------------------------------------------- */

/* Changes octets of the queue's file behind its back. */
static void damage(struct rig *r, const char *mark)
{
	char path[160], *file;
	struct stat st;
	FILE *f;
	size_t n = strlen(mark), changed = 0;

	snprintf(path, sizeof(path), "%s/state/queue/data.mdb", r->dir);
	f = fopen(path, "r+");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fstat(fileno(f), &st), 0);
	file = malloc((size_t)st.st_size);
	ck_assert_uint_eq(fread(file, 1, (size_t)st.st_size, f),
			  (size_t)st.st_size);
	for (off_t i = 0; i + (off_t)n <= st.st_size; i++) {
		if (memcmp(file + i, mark, n) != 0)
			continue;
		fseeko(f, i, SEEK_SET);
		fputc('#', f);
		changed++;
	}
	fclose(f);
	free(file);
	ck_assert_uint_gt(changed, 0);
}

static const size_t damaged_sizes[] = {1000, 900000};

START_TEST(relay__never_sends_a_damaged_message)
{
	struct queue_message m;
	char alarms[8][256];
	struct rig r;

	rig_init(&r, NEVER);
	watched = rig_add(&r, &(struct rig_mail){.content = "A: b\r\n\r\n"
							    "MARK-OF-THIS\r\n",
						 .pad = damaged_sizes[_i]});
	rig_add(&r, &(struct rig_mail){0});
	damage(&r, "MARK-OF-THIS");
	rig_start(&r);
	rig_until(&r, is_quarantined);
	rig_until_got(&r, 1); /* the other */
	ck_assert_uint_eq(sink_count(&r.sink), 1);
	ck_assert(look(&r, watched, &m));
	ck_assert_int_eq(m.rcpts[0].state, RCPT_PENDING);
	ck_assert_uint_eq(relay_alarms(r.relay, alarms, 8), 1);
	ck_assert_ptr_nonnull(strstr(alarms[0], "damaged"));
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
		TEST(relay__reuses_a_connection_up_to_per_connection),
		LOOP(relay__hands_over_content_of_any_size_unchanged, sizes),
		TEST(relay__passes_on_mail_that_comes_while_the_primary_is_up),
		TEST(relay__settles_each_recipient_on_its_own),
		TEST(relay__doubts_a_5xx_for_a_listed_recipient_and_no_other),
		TEST(relay__sends_the_rest_at_once_when_told_of_too_many_recipients),
		TEST(relay__sends_more_than_a_hundred_recipients_in_several_transactions),
		LOOP(relay__leaves_a_message_as_it_was_when_the_connection_breaks,
		     stages),
		TEST(relay__gives_a_message_a_timer_when_it_always_breaks_the_connection),
		TEST(relay__sends_again_what_got_no_reply_after_its_dot),
		TEST(relay__waits_while_the_primary_is_away_and_touches_no_message),
		TEST(relay__goes_on_where_it_was_when_the_primary_leaves_amid_a_drain),
		TEST(relay__backs_off_when_connections_are_refused_with_421),
		TEST(relay__opens_the_breaker_on_5xx_at_mail_and_bounces_nothing),
		TEST(relay__opens_the_breaker_when_known_recipients_are_refused),
		TEST(relay__holds_a_failed_message_in_quarantine_by_default),
		TEST(relay__does_not_quarantine_while_other_recipients_wait),
		TEST(relay__sends_a_report_by_the_primary_when_told_so),
		TEST(relay__keeps_a_report_while_the_senders_mx_cannot_be_found),
		LOOP(relay__drops_what_nobody_wants_a_report_of, offers_dsn),
		LOOP(relay__reports_success_itself_where_the_primary_knows_no_dsn,
		     offers_dsn),
		LOOP(relay__tells_the_sender_once_of_the_attempt_that_makes_it_late,
		     lates),
		TEST(relay__tells_the_sender_of_mail_that_gets_late_while_nobody_is_up),
		TEST(relay__gives_up_by_the_clock_with_the_last_reply),
		TEST(relay__gives_up_at_the_hard_limit_while_the_primary_is_away),
		TEST(relay__removes_a_message_when_its_quarantine_has_ended),
		TEST(relay__holds_back_mail_of_a_domain_that_left_the_configuration),
		TEST(relay__sends_nothing_while_paused),
		TEST(relay__waits_for_drain_now_when_the_primary_is_held),
		TEST(relay__takes_up_what_an_operator_releases_or_retries),
		TEST(relay__goes_by_the_rate_that_an_operator_sets),
		TEST(relay__keeps_the_breaker_as_an_operator_wants_it),
		TEST(relay__takes_it_when_a_message_is_deleted_while_it_is_sent),
		TEST(relay__does_not_wait_for_what_hangs_from_before_an_outage),
		LOOP(relay__never_sends_a_damaged_message, damaged_sizes),
		TEST(relay__says_that_a_reply_was_not_waited_for_when_it_stops),
		TEST(relay__ends_in_order_while_a_drain_is_under_way));
}
