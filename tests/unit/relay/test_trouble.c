/* A primary that breaks, leaves or refuses, and a queue that is damaged. */
#include "mxhold/storage/key.h"
#include "mxhold/storage/tables.h"
#include "unit/relay/steps.h"

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

/* TX-13 */
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

/* TX-48 */
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

static bool was_pressed(struct rig *r)
{
	const struct lane *l =
		lane_find(r->relay, r->config->primaries[0]->name);

	return l->window.halved_ms != INT64_MIN;
}

/* Also where a session says so that has carried mail. */
START_TEST(relay__halves_its_connections_when_it_hears_421)
{
	const struct lane *l;
	struct rig r;

	rig_init(&r, "drain { retry_message = {\"200ms\"}  canary = 0 }\n");
	for (int i = 0; i < 200; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	l = lane_find(r.relay, r.config->primaries[0]->name);
	rig_until_got(&r, 60); /* past the ramp */
	sink_set(&r.sink, &r.sink.holds, 1000);
	r.wanted = 8;
	rig_until(&r, are_held);
	ck_assert_uint_eq(window_limit(&l->window), 8);
	ck_assert_int_eq(l->window.halved_ms, INT64_MIN);
	sink_set(&r.sink, &r.sink.dot_times, 1);
	r.sink.dot = 421;
	sink_let_pass(&r.sink);
	rig_until(&r, was_pressed);
	ck_assert_uint_lt(window_limit(&l->window), 8);
	sink_let_go(&r.sink);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 200);
	rig_done(&r);
}
END_TEST

static bool has_failed_to_open(struct rig *r)
{
	struct lane *l = lane_find(r->relay, r->config->primaries[0]->name);

	return l && l->failures > 0 && l->pool.n == 0;
}

/* Or eight at once would mean a pause of half a minute, in which the primary
 * comes back and nobody looks. */
START_TEST(relay__counts_connections_that_fail_together_as_one_failure)
{
	const struct lane *l;
	struct rig r;

	rig_init(&r, "drain { retry_message = {\"1d\"} per_connection = 1 }\n");
	for (int i = 0; i < 50; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until(&r, rig_is_empty);
	r.sink.banner = 421;
	for (int i = 0; i < 20; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_until(&r, has_failed_to_open);
	l = lane_find(r.relay, r.config->primaries[0]->name);
	ck_assert_uint_gt(window_limit(&l->window), 1);
	ck_assert_int_ne(l->window.halved_ms, INT64_MIN);
	ck_assert_uint_eq(l->failures, 1);
	rig_done(&r);
}
END_TEST

/* Neither a timer for the message that met the limit, which would be a day,
 * nor a place behind the others. */
START_TEST(relay__blames_no_message_for_a_limit_of_messages_a_connection)
{
	struct rig r;
	char content[64];

	rig_init(&r,
		 "drain { retry_message = {\"1d\"} max_connections = 1 }\n");
	r.sink.max_mails = 1;
	for (int i = 0; i < 6; i++) {
		snprintf(content, sizeof(content), "Subject: %d\r\n\r\nx\r\n",
			 i);
		rig_add(&r, &(struct rig_mail){.content = content});
	}
	rig_start(&r);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 6);
	ck_assert_uint_eq(r.sink.limited, 1); /* and it was learned */
	for (int i = 0; i < 6; i++) {
		snprintf(content, sizeof(content), "Subject: %d\r\n\r\nx\r\n",
			 i);
		ck_assert_str_eq(r.sink.messages[i].body, content);
	}
	rig_done(&r);
}
END_TEST

/* TX-28: it is never asked for more, not by one message either. */
START_TEST(relay__gives_a_session_no_more_mails_than_limits_says)
{
	unsigned all = 0;
	struct rig r;

	rig_init(&r, NEVER);
	r.sink.limits = "MAILMAX=2 RCPTMAX=3";
	r.sink.max_mails = 2;
	rig_add(&r, &(struct rig_mail){.rcpts = "a@example.test b@example.test "
						"c@example.test d@example.test "
						"e@example.test f@example.test "
						"g@example.test h@example.test "
						"i@example.test"});
	for (int i = 0; i < 5; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 8);
	for (int i = 0; i < 8; i++)
		all += r.sink.messages[i].n_rcpts;
	ck_assert_uint_eq(all, 14);
	ck_assert_uint_eq(r.sink.limited, 0);
	rig_done(&r);
}
END_TEST

/* Nobody of it is delivered, and more of it would go over another session. */
START_TEST(relay__waits_with_a_message_that_no_session_gets_on_with)
{
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, NEVER);
	r.sink.limits = "MAILMAX=1 RCPTMAX=1";
	r.sink.dot = 450;
	r.sink.dot_times = -1;
	id = rig_add(&r, &(struct rig_mail){
				 .rcpts = "a@example.test b@example.test"});
	rig_start(&r);
	until_tried(&r, id, 1);
	ck_assert(look(&r, id, &m));
	ck_assert_int_eq(m.state, QUEUE_RETRY);
	ck_assert_uint_le(r.sink.mails, 2);
	rig_done(&r);
}
END_TEST

/* A server that hangs up after each transaction, and takes nothing in it: it
 * is not stormed. */
START_TEST(relay__waits_with_a_message_whose_sessions_all_end_in_its_midst)
{
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, NEVER);
	r.sink.limits = "RCPTMAX=1";
	r.sink.max_mails = 1;
	r.sink.cuts = true;
	id = rig_add(&r, &(struct rig_mail){.rcpts = "later1@example.test "
						     "later2@example.test"});
	rig_start(&r);
	until_tried(&r, id, 1);
	ck_assert(look(&r, id, &m));
	ck_assert_int_eq(m.state, QUEUE_RETRY);
	ck_assert_uint_le(r.sink.mails, 4);
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

/* TX-8: nobody is listed, and nothing had to prove itself; the very refusal
 * that opens the breaker is not believed. */
START_TEST(relay__does_not_bounce_the_message_that_opens_the_breaker)
{
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, SURE "bounce { otherwise = \"drop\" }\n");
	r.sink.mail = 550;
	r.sink.mail_times = -1;
	id = rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	until_tried(&r, id, 1);
	ck_assert(is_breaker_open(&r));
	ck_assert(look(&r, id, &m));
	ck_assert_int_eq(m.rcpts[0].state, RCPT_PENDING);
	rig_done(&r);
}
END_TEST

START_TEST(relay__keeps_its_canaries_when_the_breaker_closes)
{
	struct rig r;

	rig_init(&r, "drain { retry_message = {\"200ms\"} canary = 100 }\n"
		     "breaker { retry = \"300ms\" }\n");
	rig_list(&r);
	r.sink.mail = 550;
	r.sink.mail_times = 1;
	for (int i = 0; i < 60; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until(&r, is_breaker_open);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 60);
	ck_assert_uint_le(r.sink.most_open, 2); /* and a probe */
	rig_done(&r);
}
END_TEST

/* What was refused is due again by its own timer, and so counts as fresh: with
 * one try at a time it would be tried for ever, and the rest never. */
START_TEST(relay__tries_what_nobody_refused_first_while_the_breaker_is_open)
{
	struct rig r;

	rig_init(&r, "drain { retry_message = {\"100ms\"} max_connections = 1\n"
		     "	fresh_share = 100  canary = 0 }\n"
		     "breaker { window = 2  retry = \"300ms\" }\n");
	rig_list(&r);
	for (int i = 0; i < 6; i++) {
		char from[32], to[32];

		snprintf(from, sizeof(from), "s%d@client.test", i);
		snprintf(to, sizeof(to), "gone%d@example.test", i);
		rig_add(&r, &(struct rig_mail){.from = from, .rcpts = to});
	}
	for (int i = 0; i < 3; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until_got(&r, 3);
	rig_done(&r);
}
END_TEST

static bool was_tried_often(struct rig *r)
{
	return was_tried(r) || is_breaker_open(r);
}

/* Two who are really gone, tried again and again between good mail. */
START_TEST(relay__opens_no_breaker_by_what_was_refused_before)
{
	struct rig r;

	rig_init(&r, "drain { retry_message = {\"100ms\"}  canary = 0 }\n"
		     "breaker { window = 20 }\n");
	rig_list(&r);
	for (int i = 0; i < 18; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_start(&r);
	rig_until_got(&r, 18);
	rig_until(&r, rig_is_empty);
	watched =
		rig_add(&r, &(struct rig_mail){.from = "a@client.test",
					       .rcpts = "gone1@example.test"});
	rig_add(&r, &(struct rig_mail){.from = "b@client.test",
				       .rcpts = "gone2@example.test"});
	r.wanted = 15;
	rig_until(&r, was_tried_often);
	ck_assert(!is_breaker_open(&r));
	rig_done(&r);
}
END_TEST

static unsigned place_of(struct rig *r, const char *from)
{
	unsigned i = 0;

	while (i < r->sink.n_messages &&
	       strcmp(r->sink.messages[i].from, from) != 0)
		i++;
	return i;
}

/* What came while the breaker was open has waited, as over an outage: mail
 * that comes later is fresh beside it. */
START_TEST(relay__takes_what_waited_for_the_breaker_for_old)
{
	struct rig r;

	rig_init(&r, "drain { retry_message = {\"1d\"} max_connections = 1\n"
		     "	fresh_share = 100  canary = 0 }\n"
		     "breaker { retry = \"300ms\" }\n");
	r.sink.mail = 550;
	r.sink.mail_times = 1;
	rig_add(&r, &(struct rig_mail){.from = "spam@client.test"});
	rig_start(&r);
	rig_until(&r, is_breaker_open);
	r.sink.holds = 2;
	for (int i = 0; i < 10; i++)
		rig_add(&r, &(struct rig_mail){0});
	rig_until(&r, is_held);
	sink_let_pass(&r.sink);
	r.wanted = 2;
	rig_until(&r, are_held);
	ck_assert(is_breaker_shut(&r));
	rig_add(&r, &(struct rig_mail){.from = "fresh@client.test"});
	pass_time(&r, 100); /* it is noticed */
	sink_let_go(&r.sink);
	rig_until_got(&r, 11);
	ck_assert_uint_lt(place_of(&r, "fresh@client.test"), 6);
	rig_done(&r);
}
END_TEST

START_TEST(relay__opens_the_breaker_when_known_recipients_are_refused)
{
	struct relay_view v;
	struct rig r;

	rig_init(&r, NEVER);
	rig_list(&r);
	rig_add(&r, &(struct rig_mail){.from = "a@client.test",
				       .rcpts = "gone1@example.test"});
	rig_add(&r, &(struct rig_mail){.from = "b@client.test",
				       .rcpts = "gone2@example.test"});
	rig_start(&r);
	rig_until(&r, is_breaker_open);
	ck_assert(relay_view(r.relay, r.config->primaries[0]->name, &v));
	ck_assert_str_eq(v.breaker_why, "too many 5xx for known recipients: "
					"550 5.1.1 no such user");
	ck_assert_int_gt(v.breaker_retry_ms, v.breaker_ms);
	ck_assert_uint_eq(rig_queued(&r), 2);
	rig_done(&r);
}
END_TEST

/* --- what the primary lacks ------------------------------------------------
 */

/* TX-35: a primary that has come back without 8BITMIME. */
START_TEST(relay__waits_for_a_keyword_that_the_primary_lacks)
{
	struct queue_message m;
	struct relay_view v;
	struct rig r;
	uint64_t id;

	rig_init(&r, SURE);
	r.sink.bare = true;
	id = rig_add(&r, &(struct rig_mail){.eight_bit = true});
	rig_start(&r);
	until_tried(&r, id, 1);
	ck_assert(look(&r, id, &m));
	ck_assert_int_eq(m.rcpts[0].state, RCPT_PENDING);
	ck_assert_slice_eq(m.rcpts[0].reply,
			   "451 4.6.3 the server lacks 8BITMIME");
	ck_assert_int_eq(m.rcpts[0].first_5xx_ms, 0);
	ck_assert(relay_view(r.relay, r.config->primaries[0]->name, &v));
	ck_assert_ptr_nonnull(strstr(v.lacks, "8BITMIME"));
	r.sink.bare = false;
	rig_change(&r, CHANGE_RETRY, id);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 1);
	rig_done(&r);
}
END_TEST

/* TX-38: the word alone keeps it from nobody. */
START_TEST(relay__sends_what_is_all_ascii_where_utf8_cannot_go)
{
	struct rig r;

	rig_init(&r, SURE);
	rig_add(&r, &(struct rig_mail){.smtputf8 = true});
	rig_start(&r);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 1);
	rig_done(&r);
}
END_TEST

/* TX-39 */
START_TEST(relay__spells_a_domain_in_a_labels_where_utf8_cannot_go)
{
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, SURE);
	rig_add(&r, &(struct rig_mail){.from = "a@b\xc3\xbc"
					       "cher.test",
				       .rcpts = "user1@ex\xc3\xa4mple.test",
				       .domain = "example.test",
				       .smtputf8 = true});
	id = rig_add(&r,
		     &(struct rig_mail){.rcpts = "m\xc3\xbcller@example.test",
					.smtputf8 = true});
	rig_start(&r);
	rig_until_got(&r, 1);
	ck_assert_str_eq(r.sink.messages[0].from, "a@xn--bcher-kva.test");
	ck_assert_str_eq(r.sink.messages[0].rcpts, "user1@xn--exmple-cua.test");
	until_tried(&r, id, 1);
	ck_assert(look(&r, id, &m));
	ck_assert_slice_eq(m.rcpts[0].reply,
			   "451 4.6.7 the server lacks SMTPUTF8");
	rig_done(&r);
}
END_TEST

/* --- a clock that jumps -------------------------------------------------- */

enum {
	DAY_MS = 86400 * 1000
};

static void jump(int64_t by_ms)
{
	clock_fake_off();
	if (by_ms)
		clock_fake(clock_mono_ms(), clock_wall_ms() + by_ms);
}

START_TEST(relay__does_not_wait_until_a_clock_is_where_it_was)
{
	struct rig r;

	rig_init(&r, QUICK);
	rig_add(&r, &(struct rig_mail){0});
	jump(-DAY_MS);
	rig_start(&r);
	rig_until(&r, rig_is_empty);
	jump(0);
	rig_done(&r);
}
END_TEST

START_TEST(relay__neither_bounces_nor_storms_when_the_clock_jumps)
{
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, "drain { retry_message = {\"1h\"} }\n");
	rig_list(&r);
	id = rig_add(&r, &(struct rig_mail){.rcpts = "later1@example.test"});
	rig_start(&r);
	until_tried(&r, id, 1);
	jump(DAY_MS); /* its timer is over, once */
	relay_kick(r.relay);
	until_tried(&r, id, 2);
	jump(0); /* and back: the next is a day ahead now */
	relay_kick(r.relay);
	until_tried(&r, id, 3);
	rig_add(&r, &(struct rig_mail){0});
	rig_until_got(&r, 1);
	ck_assert(look(&r, id, &m));
	ck_assert_uint_eq(m.attempts, 3);
	ck_assert_int_eq(m.state, QUEUE_RETRY);
	ck_assert(!m.quarantined);
	rig_done(&r);
}
END_TEST

/* TX-19: in the day in which nobody was there nobody could mend it. */
START_TEST(relay__counts_first_5xx_while_its_primary_is_up)
{
	struct queue_message m;
	struct rig r;
	uint64_t id;

	rig_init(&r, QUICK);
	rig_list(&r);
	id = rig_add(&r, &(struct rig_mail){.rcpts = "gone1@example.test"});
	rig_start(&r);
	until_tried(&r, id, 1);
	sink_close(&r.sink);
	rig_until(&r, is_down);
	ck_assert(look(&r, id, &m));
	jump(2 * DAY_MS);
	sink_open(&r.sink);
	until_tried(&r, id, m.attempts + 1);
	ck_assert(look(&r, id, &m));
	ck_assert_int_eq(m.rcpts[0].state, RCPT_PENDING);
	ck_assert(!m.quarantined);
	jump(0);
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

/* Takes one row out of the queue behind everybody's back. */
static void lose(struct rig *r, enum table table, void *k, size_t n)
{
	MDB_val key = {.mv_data = k, .mv_size = n};
	MDB_txn *txn;

	ck_assert_int_eq(mdb_txn_begin(r->store->env, NULL, 0, &txn), 0);
	ck_assert_int_eq(mdb_del(txn, r->store->dbi[table], &key, NULL), 0);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
}

static bool is_left_alone(struct rig *r)
{
	return !relay_in_flight(r->relay, watched);
}

START_TEST(relay__ends_quietly_when_what_it_sends_is_gone_from_the_queue)
{
	char alarms[8][256];
	struct rig r;

	rig_init(&r, NEVER);
	r.sink.stalls = true;
	watched = rig_add(&r, &(struct rig_mail){.pad = 30 << 20});
	rig_start(&r);
	rig_until(&r, is_held);
	rig_change(&r, CHANGE_DELETE, watched);
	sink_let_go(&r.sink);
	rig_until(&r, is_left_alone);
	rig_add(&r, &(struct rig_mail){0});
	rig_until_got(&r, 1);
	rig_until(&r, rig_is_empty);
	ck_assert_uint_eq(sink_count(&r.sink), 1); /* the other */
	ck_assert_uint_eq(relay_alarms(r.relay, alarms, 8), 0);
	rig_done(&r);
}
END_TEST

START_TEST(relay__defers_what_the_store_cannot_give)
{
	struct queue_message m;
	char alarms[8][256];
	uint8_t key[KEY_BODY];
	struct rig r;

	rig_init(&r, NEVER);
	watched = rig_add(&r, &(struct rig_mail){.pad = damaged_sizes[_i]});
	key_body(key, watched, _i == 0 ? 0 : 150);
	lose(&r, TABLE_BODY, key, sizeof(key));
	rig_start(&r);
	until_tried(&r, watched, 1);
	ck_assert(look(&r, watched, &m));
	ck_assert_int_eq(m.state, QUEUE_RETRY);
	ck_assert(!m.quarantined);
	ck_assert_slice_eq(slice_head(m.rcpts[0].reply, 9), "451 4.3.0");
	ck_assert_uint_eq(sink_count(&r.sink), 0);
	ck_assert_uint_eq(relay_alarms(r.relay, alarms, 8), 1);
	ck_assert_ptr_nonnull(strstr(alarms[0], "tried again later"));
	clock_fake(clock_mono_ms() + 2 * 3600000, clock_wall_ms());
	ck_assert_uint_eq(relay_alarms(r.relay, alarms, 8), 0);
	clock_fake_off();
	rig_done(&r);
}
END_TEST

START_TEST(relay__passes_over_a_due_row_that_has_lost_its_message)
{
	char alarms[8][256];
	uint8_t key[KEY_ID];
	struct rig r;

	rig_init(&r, NEVER);
	key_id(key, rig_add(&r, &(struct rig_mail){0}));
	rig_add(&r, &(struct rig_mail){0});
	lose(&r, TABLE_MESSAGE, key, sizeof(key));
	rig_start(&r);
	rig_until_got(&r, 1);
	ck_assert_uint_eq(relay_alarms(r.relay, alarms, 8), 1);
	ck_assert_ptr_nonnull(strstr(alarms[0], "1 damaged"));
	rig_add(&r, &(struct rig_mail){0});
	rig_until_got(&r, 2);
	ck_assert_uint_eq(relay_alarms(r.relay, alarms, 8), 1);
	ck_assert_ptr_nonnull(strstr(alarms[0], "1 damaged"));
	rig_done(&r);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"trouble",
		LOOP(relay__leaves_a_message_as_it_was_when_the_connection_breaks,
		     stages),
		TEST(relay__gives_a_message_a_timer_when_it_always_breaks_the_connection),
		TEST(relay__sends_again_what_got_no_reply_after_its_dot),
		TEST(relay__waits_while_the_primary_is_away_and_touches_no_message),
		TEST(relay__goes_on_where_it_was_when_the_primary_leaves_amid_a_drain),
		TEST(relay__backs_off_when_connections_are_refused_with_421),
		TEST(relay__halves_its_connections_when_it_hears_421),
		TEST(relay__counts_connections_that_fail_together_as_one_failure),
		TEST(relay__blames_no_message_for_a_limit_of_messages_a_connection),
		TEST(relay__gives_a_session_no_more_mails_than_limits_says),
		TEST(relay__waits_with_a_message_that_no_session_gets_on_with),
		TEST(relay__waits_with_a_message_whose_sessions_all_end_in_its_midst),
		TEST(relay__opens_the_breaker_on_5xx_at_mail_and_bounces_nothing),
		TEST(relay__does_not_bounce_the_message_that_opens_the_breaker),
		TEST(relay__keeps_its_canaries_when_the_breaker_closes),
		TEST(relay__tries_what_nobody_refused_first_while_the_breaker_is_open),
		TEST(relay__opens_no_breaker_by_what_was_refused_before),
		TEST(relay__takes_what_waited_for_the_breaker_for_old),
		TEST(relay__opens_the_breaker_when_known_recipients_are_refused),
		TEST(relay__waits_for_a_keyword_that_the_primary_lacks),
		TEST(relay__sends_what_is_all_ascii_where_utf8_cannot_go),
		TEST(relay__spells_a_domain_in_a_labels_where_utf8_cannot_go),
		TEST(relay__does_not_wait_until_a_clock_is_where_it_was),
		TEST(relay__neither_bounces_nor_storms_when_the_clock_jumps),
		TEST(relay__counts_first_5xx_while_its_primary_is_up),
		LOOP(relay__never_sends_a_damaged_message, damaged_sizes),
		TEST(relay__ends_quietly_when_what_it_sends_is_gone_from_the_queue),
		LOOP(relay__defers_what_the_store_cannot_give, damaged_sizes),
		TEST(relay__passes_over_a_due_row_that_has_lost_its_message));
}
