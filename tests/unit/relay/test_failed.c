/* What has failed or has waited too long, and who is told. */
#include "unit/relay/steps.h"

#define DAY INT64_C(86400000)

/* --- what has failed ----------------------------------------------------- */

START_TEST(relay__holds_a_failed_message_in_quarantine_by_default)
{
	struct rig r;

	rig_init(&r, SURE);
	watched =
		rig_add(&r, &(struct rig_mail){.rcpts = "gone-x@example.test"});
	rig_start(&r);
	rig_until(&r, is_quarantined);
	ck_assert_uint_eq(rig_queued(&r), 1);
	rig_done(&r);
}
END_TEST

/* TX-19: a primary that comes back without its users refuses everybody. */
START_TEST(relay__believes_no_5xx_before_something_was_taken)
{
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, NEVER "bounce { send = \"all\"  otherwise = \"drop\" }\n");
	id = rig_add(&r, &(struct rig_mail){.rcpts = "gone-x@example.test"});
	rig_start(&r);
	until_tried(&r, id, 1);
	ck_assert(look(&r, id, &m));
	ck_assert_int_eq(m.rcpts[0].state, RCPT_PENDING);
	ck_assert_slice_eq(m.rcpts[0].reply, "550 5.1.1 no such user");
	rig_add(&r, &(struct rig_mail){0});
	rig_until_got(&r, 1);
	watched = rig_add(&r, &(struct rig_mail){.rcpts = "gone-y@example.test",
						 .notify = DSN_NOTIFY_NEVER});
	rig_until(&r, is_gone);
	ck_assert(look(&r, id, &m));
	rig_done(&r);
}
END_TEST

START_TEST(relay__does_not_quarantine_while_other_recipients_wait)
{
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, SURE);
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

/* DSN-5 */
START_TEST(relay__sends_a_report_by_the_primary_when_told_so)
{
	const struct sink_message *m;
	struct rig r;

	rig_init(&r, SURE "bounce { send = \"all\"  route = \"primary\" }\n");
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

/* DSN-10: of him it says nothing, in no part. */
START_TEST(relay__leaves_who_asked_for_no_report_out_of_it)
{
	const struct sink_message *m;
	struct rig r;

	rig_init(&r, SURE "bounce { send = \"all\"  route = \"primary\" }\n");
	rig_add(&r, &(struct rig_mail){.rcpts = "gone-x@example.test "
						"gone-y@example.test",
				       .never = "gone-y"});
	rig_start(&r);
	rig_until_got(&r, 1);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 1);
	m = &r.sink.messages[0];
	ck_assert_ptr_nonnull(strstr(m->body, "gone-x@example.test"));
	ck_assert_ptr_null(strstr(m->body, "gone-y"));
	rig_done(&r);
}
END_TEST

static int64_t first_sweep_ms;

static bool is_first_sweep_over(struct rig *r)
{
	(void)r;
	return clock_mono_ms() > first_sweep_ms;
}

/* Its destination is new, and nobody has looked around for a while: it must
 * not wait for the next sweep, a minute away. */
START_TEST(relay__sends_the_first_report_to_a_domain_at_once)
{
	struct rig r;

	rig_init(&r, SURE "bounce { send = \"all\"  route = \"primary\" }\n");
	sink_close(&r.sink);
	rig_add(&r, &(struct rig_mail){.rcpts = "gone-x@example.test"});
	rig_start(&r);
	first_sweep_ms = clock_mono_ms() + 1500;
	rig_until(&r, is_first_sweep_over);
	sink_open(&r.sink);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 1);
	ck_assert_str_eq(r.sink.messages[0].from, "");
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

	rig_init(&r, SURE "bounce { send = \"all\" }\n");
	rig_add(&r, &(struct rig_mail){.rcpts = "gone-x@example.test"});
	rig_start(&r);
	rig_until(&r, has_report);
	ck_assert_uint_eq(rig_queued(&r), 1);
	rig_done(&r);
}
END_TEST

static uint64_t failed_before;

/* After the commit, which others see first. */
static bool is_counted(struct rig *r MX_UNUSED)
{
	return counter_get(&stats.messages_failed) == failed_before + 1;
}

START_TEST(relay__drops_what_nobody_wants_a_report_of)
{
	static const struct rig_mail mails[] = {
		{.from = "", .rcpts = "gone-x@example.test"},
		{.rcpts = "gone-x@example.test", .notify = DSN_NOTIFY_NEVER},
	};
	struct rig r;

	failed_before = counter_get(&stats.messages_failed);
	rig_init(&r, SURE "bounce { send = \"all\"  route = \"primary\" }\n");
	rig_add(&r, &mails[_i]);
	rig_start(&r);
	rig_until(&r, is_counted);
	ck_assert(rig_is_empty(&r));
	ck_assert_uint_eq(sink_count(&r.sink), 0);
	rig_done(&r);
}
END_TEST

static const bool offers_dsn[] = {false, true};

/* DSN-7, DSN-8, TX-40 */
START_TEST(relay__reports_success_itself_where_the_primary_knows_no_dsn)
{
	bool dsn = offers_dsn[_i];
	struct rig r;

	rig_init(&r, SURE "bounce { send = \"all\"  route = \"primary\" }\n");
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

/* DSN-6 */
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

/* DSN-6 */
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

/* DSN-13, TX-54 */
START_TEST(relay__gives_up_by_the_clock_with_the_last_reply)
{
	uint64_t before = counter_get(&stats.messages_expired);
	struct rig r;

	rig_init(&r, SURE "queue { retention = \"1h\"  clock = \"wall\" }\n"
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

static bool has_report_of_it(struct rig *r)
{
	return sink_count(&r->sink) >= 1 && rig_is_empty(r);
}

/* DSN-13, TX-54: also of one that fails without another attempt. */
START_TEST(relay__says_what_was_heard_last_when_nobody_is_asked_any_more)
{
	struct rig r;
	uint64_t id;

	rig_init(&r, NEVER "bounce { send = \"all\"  route = \"primary\" }\n");
	id = rig_add(&r, &(struct rig_mail){.rcpts = "later@example.test"});
	rig_start(&r);
	until_tried(&r, id, 1);
	rig_change(&r, CHANGE_EXPIRE, id);
	relay_give_up(r.relay);
	rig_until(&r, has_report_of_it);
	ck_assert_ptr_nonnull(strstr(r.sink.messages[0].body, "Status: 4.2.0"));
	ck_assert_ptr_nonnull(strstr(r.sink.messages[0].body,
				     "Diagnostic-Code: smtp; 450 4.2.0 later"));
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
	rig_add(&r, &(struct rig_mail){.arrived_ms = clock_wall_ms() - 91 * DAY,
				       .expire_ms = clock_wall_ms() - 1});
	rig_start(&r);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 0);
	rig_done(&r);
}
END_TEST

static bool is_extended(struct rig *r)
{
	struct due_row row;
	size_t n = 1;
	int rc =
		reader_expired(r->reader, clock_wall_ms() + 30 * DAY, &row, &n);

	ck_assert_int_ge(rc, 0);
	return rc == 1;
}

/* On the worst day an operator raises it, for what waits already. */
START_TEST(relay__goes_by_the_hard_limit_of_now)
{
	struct queue_message m;
	struct rig r;

	rig_init(&r, NEVER "queue { hard_limit = \"180d\" }\n");
	sink_close(&r.sink);
	watched = rig_add(
		&r, &(struct rig_mail){.arrived_ms = clock_wall_ms() - 91 * DAY,
				       .expire_ms = clock_wall_ms() - 1});
	rig_start(&r);
	rig_until(&r, is_extended);
	ck_assert(look(&r, watched, &m));
	ck_assert_int_eq(m.state, QUEUE_READY);
	rig_done(&r);
}
END_TEST

/* --- an operator gives it up ---------------------------------------------- */

static void give_up(struct rig *r, enum change how)
{
	sink_close(&r->sink);
	watched = rig_add(r, &(struct rig_mail){0});
	rig_start(r);
	rig_until(r, is_down);
	rig_change(r, how, watched);
	relay_give_up(r->relay);
}

START_TEST(relay__treats_what_an_operator_expires_as_if_its_time_were_over)
{
	struct queue_message m;
	struct rig r;

	rig_init(&r, NEVER);
	give_up(&r, CHANGE_EXPIRE);
	rig_until(&r, is_quarantined);
	ck_assert(look(&r, watched, &m));
	ck_assert_uint_eq(rig_queued(&r), 1);
	/* and again from there, this time with a report */
	rig_change(&r, CHANGE_BOUNCE, watched);
	relay_give_up(r.relay);
	rig_until(&r, is_gone);
	ck_assert_uint_eq(rig_queued(&r), 1);
	rig_done(&r);
}
END_TEST

START_TEST(relay__reports_what_an_operator_bounces_whatever_send_says)
{
	struct rig r;

	rig_init(&r, NEVER "bounce { send = \"none\"  route = \"primary\" }\n");
	give_up(&r, CHANGE_BOUNCE);
	rig_until(&r, is_gone);
	sink_open(&r.sink);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 1);
	ck_assert_str_eq(r.sink.messages[0].from, "");
	ck_assert_ptr_nonnull(
		strstr(r.sink.messages[0].body, "Action: failed"));
	rig_done(&r);
}
END_TEST

static bool is_deferred(struct rig *r)
{
	struct queue_message m;

	return look(r, watched, &m) && m.attempts > 0;
}

/* RFC 3464 2.3.4: a status is no status without its digits. */
START_TEST(relay__fails_an_expired_one_with_the_status_it_heard)
{
	struct queue_message m;
	struct rig r;

	rig_init(&r, NEVER);
	watched =
		rig_add(&r, &(struct rig_mail){.rcpts = "later@example.test"});
	rig_start(&r);
	rig_until(&r, is_deferred);
	rig_change(&r, CHANGE_EXPIRE, watched);
	relay_give_up(r.relay);
	rig_until(&r, is_quarantined);
	ck_assert(look(&r, watched, &m));
	ck_assert_slice_eq(m.rcpts[0].reply, "450 4.2.0 later");
	rig_done(&r);
}
END_TEST

START_TEST(relay__removes_a_message_when_its_quarantine_has_ended)
{
	struct rig r;

	rig_init(&r, SURE "bounce { quarantine = \"0s\" }\n");
	watched =
		rig_add(&r, &(struct rig_mail){.rcpts = "gone-x@example.test"});
	rig_start(&r);
	rig_until(&r, rig_is_empty);
	rig_done(&r);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"failed",
		TEST(relay__holds_a_failed_message_in_quarantine_by_default),
		TEST(relay__believes_no_5xx_before_something_was_taken),
		TEST(relay__does_not_quarantine_while_other_recipients_wait),
		TEST(relay__sends_a_report_by_the_primary_when_told_so),
		TEST(relay__leaves_who_asked_for_no_report_out_of_it),
		TEST(relay__sends_the_first_report_to_a_domain_at_once),
		TEST(relay__keeps_a_report_while_the_senders_mx_cannot_be_found),
		LOOP(relay__drops_what_nobody_wants_a_report_of, offers_dsn),
		LOOP(relay__reports_success_itself_where_the_primary_knows_no_dsn,
		     offers_dsn),
		LOOP(relay__tells_the_sender_once_of_the_attempt_that_makes_it_late,
		     lates),
		TEST(relay__tells_the_sender_of_mail_that_gets_late_while_nobody_is_up),
		TEST(relay__gives_up_by_the_clock_with_the_last_reply),
		TEST(relay__says_what_was_heard_last_when_nobody_is_asked_any_more),
		TEST(relay__gives_up_at_the_hard_limit_while_the_primary_is_away),
		TEST(relay__goes_by_the_hard_limit_of_now),
		TEST(relay__treats_what_an_operator_expires_as_if_its_time_were_over),
		TEST(relay__reports_what_an_operator_bounces_whatever_send_says),
		TEST(relay__fails_an_expired_one_with_the_status_it_heard),
		TEST(relay__removes_a_message_when_its_quarantine_has_ended));
}
