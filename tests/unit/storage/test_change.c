/* An operator's word. */
#include "fixture.h"

#include "mxhold/storage/key.h"

static struct job_change change_of(enum change what, uint64_t id)
{
	struct job_change c = {.job.kind = JOB_CHANGE,
			       .change = what,
			       .ids = {id},
			       .n = 1,
			       .now_ms = T0 + 700,
			       .reason = "because"};

	return c;
}

START_TEST(change__hold_takes_it_from_due)
{
	uint64_t id = put_three();
	struct job_change c = change_of(CHANGE_HOLD, id);

	ck_assert_int_eq(run(&c.job), STORE_OK);
	ck_assert(c.done[0]);
	ck_assert_uint_eq(c.changed, 1);
	ck_assert_uint_eq(c.bytes, 5000);
	ck_assert_int_eq(get(id).state, QUEUE_HELD);
	ck_assert(slice_eq(get(id).reason, SLICE("because")));
	ck_assert_uint_eq(count_due("a.test", INT64_MAX), 0);
	ck_assert_uint_eq(count_due("b.test", INT64_MAX), 0);
	ck_assert_uint_eq(history_of(id, HISTORY_HELD), 3);
	check_whole();
}
END_TEST

START_TEST(change__release_makes_it_due_now)
{
	uint64_t id = put_three();
	struct job_change c = change_of(CHANGE_HOLD, id);

	run(&c.job);
	c.change = CHANGE_RELEASE;
	run(&c.job);
	ck_assert_uint_eq(c.changed, 1);
	ck_assert_int_eq(get(id).state, QUEUE_READY);
	ck_assert_int_eq(get(id).next_attempt_ms, T0 + 700);
	ck_assert_uint_eq(count_due("b.test", T0 + 700), 1);
	ck_assert_uint_eq(history_of(id, HISTORY_RELEASED), 3);
	check_whole();
}
END_TEST

START_TEST(change__retry_moves_the_due_rows)
{
	uint64_t id = put_three();
	struct job_change c = change_of(CHANGE_RETRY, id);

	run(&c.job);
	ck_assert_uint_eq(c.changed, 1);
	ck_assert_uint_eq(count_due("a.test", T0 + 699), 0);
	ck_assert_uint_eq(count_due("a.test", T0 + 700), 1);
	check_whole();
}
END_TEST

START_TEST(change__quarantine_wins_over_hold)
{
	uint64_t id = put_mail(10);
	struct job_change c = change_of(CHANGE_HOLD, id);

	run(&c.job);
	c.change = CHANGE_QUARANTINE;
	c.expire_ms = T0 + 5;
	run(&c.job);
	ck_assert_uint_eq(c.changed, 1);
	ck_assert_int_eq(get(id).state, QUEUE_QUARANTINE);
	ck_assert_uint_eq(rows_in(TABLE_EXPIRE), 1);
	c.change = CHANGE_RELEASE;
	run(&c.job);
	ck_assert_int_eq(get(id).state, QUEUE_READY);
	check_whole();
}
END_TEST

static const enum change given_up[] = {CHANGE_EXPIRE, CHANGE_BOUNCE};

/* No attempt comes between, and it is met by who looks for what is over. */
START_TEST(change__giving_up_makes_it_over_and_not_due)
{
	uint64_t id = put_three();
	struct job_change c = change_of(given_up[_i], id);

	ck_assert_int_eq(run(&c.job), STORE_OK);
	ck_assert_uint_eq(c.changed, 1);
	ck_assert(get(id).given_up);
	ck_assert(get(id).told == (c.change == CHANGE_BOUNCE));
	ck_assert_uint_eq(count_due("a.test", INT64_MAX), 0);
	ck_assert_uint_eq(rows_in(TABLE_EXPIRE), 1);
	check_whole();
	c.change = CHANGE_RELEASE;
	c.expire_ms = T0 + 900;
	run(&c.job);
	ck_assert(!get(id).given_up && !get(id).told);
	ck_assert_int_eq(get(id).state, QUEUE_READY);
	check_whole();
}
END_TEST

START_TEST(change__extend_moves_nothing_but_the_limit)
{
	uint64_t id = put_three();
	struct job_change c = change_of(CHANGE_EXTEND, id);

	c.expire_ms = T0 + 900;
	ck_assert_int_eq(run(&c.job), STORE_OK);
	ck_assert_uint_eq(c.changed, 1);
	ck_assert_int_eq(get(id).state, QUEUE_READY);
	ck_assert_uint_eq(rows_in(TABLE_EXPIRE), 1);
	ck_assert_uint_eq(count_due("a.test", INT64_MAX), 1);
	check_whole();
}
END_TEST

static const struct {
	enum change before, change;
	bool done;
} again[] = {
	{CHANGE_HOLD, CHANGE_HOLD, false},
	{CHANGE_HOLD, CHANGE_RETRY, false},
	{CHANGE_HOLD, CHANGE_RELEASE, true},
	{CHANGE_RETRY, CHANGE_RELEASE, false},
	{CHANGE_RETRY, CHANGE_RETRY, true},
	{CHANGE_QUARANTINE, CHANGE_QUARANTINE, false},
	{CHANGE_QUARANTINE, CHANGE_HOLD, true},
	{CHANGE_DELETE, CHANGE_HOLD, false},
	{CHANGE_DELETE, CHANGE_DELETE, false},
	{CHANGE_QUARANTINE, CHANGE_EXPIRE, true},
	{CHANGE_QUARANTINE, CHANGE_BOUNCE, true},
	{CHANGE_EXPIRE, CHANGE_RETRY, false},
	{CHANGE_HOLD, CHANGE_EXTEND, false},
};

START_TEST(change__says_what_it_changed)
{
	uint64_t id = put_mail(10);
	struct job_change c = change_of(again[_i].before, id);

	run(&c.job);
	c.change = again[_i].change;
	ck_assert_int_eq(run(&c.job), STORE_OK);
	ck_assert(c.done[0] == again[_i].done);
	ck_assert_uint_eq(c.changed, again[_i].done);
	check_whole();
}
END_TEST

START_TEST(change__delete_leaves_nothing_but_history)
{
	uint64_t id = put_three();
	struct job_change c = change_of(CHANGE_DELETE, id);

	run(&c.job);
	ck_assert(is_gone(id));
	for (int t = TABLE_INCOMING; t < TABLE_HISTORY; t++)
		ck_assert_uint_eq(rows_in((enum table)t), 0);
	ck_assert_uint_eq(history_of(id, HISTORY_REMOVED), 3);
	ck_assert_uint_eq(counts().messages, 0);
	check_whole();
}
END_TEST

START_TEST(change__many_at_once_skips_what_is_absent)
{
	struct job_change c = change_of(CHANGE_DELETE, 0);

	c.n = 0;
	for (int i = 0; i < 5; i++) {
		c.ids[c.n++] = put_mail(100);
		c.ids[c.n++] = 4711;
	}
	ck_assert_int_eq(run(&c.job), STORE_OK);
	ck_assert_uint_eq(c.changed, 5);
	ck_assert_uint_eq(c.bytes, 500);
	ck_assert(c.done[0] && !c.done[1]);
	ck_assert_uint_eq(counts().messages, 0);
	check_whole();
}
END_TEST

START_TEST(change__large_bodies_are_swept_later)
{
	struct job_change c =
		change_of(CHANGE_DELETE, put_mail(3000 * CHUNK_SIZE));

	c.job.report = on_report;
	writer_submit(writer, &c.job);
	writer_run_batch(writer);
	ck_assert(is_gone(c.ids[0]));
	ck_assert_uint_eq(counts().messages, 0);
	ck_assert_uint_eq(rows_in(TABLE_SWEEP), 1);
	check_whole();
	run_all();
	ck_assert_uint_eq(rows_in(TABLE_SWEEP), 0);
	ck_assert_uint_eq(rows_in(TABLE_BODY), 0);
}
END_TEST

/* What the check complains about must still be able to leave. */
START_TEST(change__damaged_message_can_be_deleted)
{
	uint8_t key[KEY_DUE];
	uint64_t id = put_three();
	struct job_change c = change_of(CHANGE_DELETE, id);

	key_due(key, dest_of("a.test"), T0, id);
	damage(TABLE_DUE, key, KEY_DUE, NULL, 0);
	damage(TABLE_AGE, key, KEY_DUE, NULL, 0);
	key_rcpt(key, id, 0);
	damage(TABLE_RECIPIENT, key, KEY_RCPT, "junk", 4);
	key_rcpt(key, id, 1);
	damage(TABLE_RECIPIENT, key, KEY_RCPT, NULL, 0);
	key_body(key, id, 0);
	damage(TABLE_BODY, key, KEY_BODY, NULL, 0);
	ck_assert_int_eq(run(&c.job), STORE_OK);
	ck_assert(is_gone(id));
	check_whole();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("change");
	TCase *t = tcase_create("change");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, change__hold_takes_it_from_due);
	tcase_add_test(t, change__release_makes_it_due_now);
	tcase_add_test(t, change__retry_moves_the_due_rows);
	tcase_add_test(t, change__quarantine_wins_over_hold);
	tcase_add_loop_test(t, change__giving_up_makes_it_over_and_not_due, 0,
			    MX_ARRAY_SIZE(given_up));
	tcase_add_test(t, change__extend_moves_nothing_but_the_limit);
	tcase_add_loop_test(t, change__says_what_it_changed, 0,
			    MX_ARRAY_SIZE(again));
	tcase_add_test(t, change__delete_leaves_nothing_but_history);
	tcase_add_test(t, change__many_at_once_skips_what_is_absent);
	tcase_add_test(t, change__large_bodies_are_swept_later);
	tcase_add_test(t, change__damaged_message_can_be_deleted);
	suite_add_tcase(s, t);
	return run_suite(s);
}
