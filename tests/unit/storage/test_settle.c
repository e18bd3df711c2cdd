/* What became of an attempt. */
#include "fixture.h"

#include <limits.h>

static struct settle_rcpt what[8];

static struct job_settle settle_of(uint64_t id, const char *domain)
{
	struct job_settle j = {
		.job.kind = JOB_SETTLE,
		.id = id,
		.dest = dest_of(domain),
		.rcpts = what,
		.now_ms = T0 + 100,
		.count_attempt = true,
		.primary = "mx1.a.test",
	};

	memset(what, 0, sizeof(what));
	return j;
}

static void add_rcpt(struct job_settle *j, uint16_t n, enum settle s,
		     const char *reply)
{
	struct settle_rcpt *r = &j->rcpts[j->n_rcpts++];

	r->n = n;
	r->what = s;
	snprintf(r->reply, sizeof(r->reply), "%s", reply);
}

START_TEST(settle__last_delivery_removes_the_message)
{
	uint64_t id = put_mail(9000);
	struct job_settle j = settle_of(id, "a.test");

	add_rcpt(&j, 0, SETTLE_DELIVERED, "250 2.0.0 ok");
	ck_assert_int_eq(run(&j.job), STORE_OK);
	ck_assert(j.gone);
	ck_assert(is_gone(id));
	ck_assert_uint_eq(counts().messages, 0);
	ck_assert_uint_eq(counts().bytes, 0);
	ck_assert_int_eq(counts().oldest_ms, 0);
	ck_assert_uint_eq(counts_of("a.test").messages, 0);
	for (int t = TABLE_INCOMING; t < TABLE_HISTORY; t++)
		ck_assert_uint_eq(rows_in((enum table)t), 0);
	ck_assert_uint_eq(history_of(id, HISTORY_FORWARDED), 1);
	check_whole();
}
END_TEST

START_TEST(settle__one_destination_leaves_the_other)
{
	uint64_t id = put_three();
	struct job_settle j = settle_of(id, "a.test");

	add_rcpt(&j, 0, SETTLE_DELIVERED, "250 ok");
	add_rcpt(&j, 1, SETTLE_DELIVERED, "250 ok");
	ck_assert_int_eq(run(&j.job), STORE_OK);
	ck_assert(!j.gone);
	ck_assert_uint_eq(counts().messages, 1);
	ck_assert_uint_eq(counts_of("a.test").messages, 0);
	ck_assert_uint_eq(counts_of("b.test").messages, 1);
	ck_assert_uint_eq(count_due("a.test", INT64_MAX), 0);
	ck_assert_uint_eq(count_due("b.test", INT64_MAX), 1);
	ck_assert_int_eq(get(id).rcpts[0].state, RCPT_DELIVERED);
	ck_assert_int_eq(get(id).rcpts[2].state, RCPT_PENDING);
	check_whole();
}
END_TEST

START_TEST(settle__deferral_moves_the_due_row)
{
	uint64_t id = put_mail(100);
	struct job_settle j = settle_of(id, "a.test");
	struct queue_message m;

	j.next_attempt_ms = INT64_MAX / 2;
	strcpy(j.reason, "450 busy");
	add_rcpt(&j, 0, SETTLE_DEFERRED, "450 busy");
	ck_assert_int_eq(run(&j.job), STORE_OK);
	ck_assert(!j.gone);
	m = get(id);
	ck_assert_int_eq(m.next_attempt_ms, INT64_MAX / 2);
	ck_assert_int_eq(m.state, QUEUE_RETRY);
	ck_assert_uint_eq(m.attempts, 1);
	ck_assert_uint_eq(m.rcpts[0].attempts, 1);
	ck_assert_int_eq(m.rcpts[0].last_attempt_ms, T0 + 100);
	ck_assert_int_eq(m.rcpts[0].first_5xx_ms, 0);
	ck_assert(slice_eq(m.rcpts[0].reply, SLICE("450 busy")));
	ck_assert(slice_eq(m.rcpts[0].remote, SLICE("mx1.a.test")));
	ck_assert(slice_eq(m.reason, SLICE("450 busy")));
	ck_assert_uint_eq(count_due("a.test", INT64_MAX / 2 - 1), 0);
	ck_assert_uint_eq(count_due("a.test", INT64_MAX / 2), 1);
	check_whole();
}
END_TEST

START_TEST(settle__message_of_last_hour_is_ready)
{
	uint64_t id = put_mail(100);
	struct job_settle j = settle_of(id, "a.test");

	j.next_attempt_ms = T0 + 5000; /* long ago by the clock */
	add_rcpt(&j, 0, SETTLE_DEFERRED, "450 busy");
	run(&j.job);
	ck_assert_int_eq(get(id).state, QUEUE_READY);
}
END_TEST

START_TEST(settle__failed_connection_leaves_no_mark)
{
	uint64_t id = put_mail(100);
	struct job_settle j = settle_of(id, "a.test");
	struct queue_message m;

	j.count_attempt = false;
	add_rcpt(&j, 0, SETTLE_DEFERRED, "connection refused");
	ck_assert_int_eq(run(&j.job), STORE_OK);
	m = get(id);
	ck_assert_uint_eq(m.attempts, 0);
	ck_assert_uint_eq(m.rcpts[0].attempts, 0);
	ck_assert_int_eq(m.rcpts[0].last_attempt_ms, 0);
	ck_assert_int_eq(m.next_attempt_ms, T0);
	check_whole();
}
END_TEST

START_TEST(settle__first_5xx_is_remembered)
{
	uint64_t id = put_mail(100);
	struct job_settle j = settle_of(id, "a.test");

	j.next_attempt_ms = T0 + 200;
	add_rcpt(&j, 0, SETTLE_DEFERRED, "550 5.1.1 who");
	run(&j.job);
	j.now_ms = T0 + 900;
	run(&j.job);
	ck_assert_int_eq(get(id).rcpts[0].first_5xx_ms, T0 + 100);
	ck_assert_uint_eq(get(id).rcpts[0].attempts, 2);
}
END_TEST

START_TEST(settle__same_deferral_is_told_once)
{
	uint64_t id = put_mail(100);
	struct job_settle j = settle_of(id, "a.test");

	j.next_attempt_ms = T0 + 200;
	add_rcpt(&j, 0, SETTLE_DEFERRED, "450 busy");
	run(&j.job);
	run(&j.job);
	ck_assert_uint_eq(history_of(id, HISTORY_DEFERRED), 1);
	strcpy(what[0].reply, "451 other");
	run(&j.job);
	ck_assert_uint_eq(history_of(id, HISTORY_DEFERRED), 2);
}
END_TEST

START_TEST(settle__recipients_of_one_destination_part_ways)
{
	uint64_t id = put_three();
	struct job_settle j = settle_of(id, "a.test");

	j.next_attempt_ms = T0 + 300;
	j.maybe_duplicate = true;
	add_rcpt(&j, 0, SETTLE_FAILED, "550 no");
	add_rcpt(&j, 1, SETTLE_DEFERRED, "450 later");
	ck_assert_int_eq(run(&j.job), STORE_OK);
	ck_assert_int_eq(get(id).rcpts[0].state, RCPT_FAILED);
	ck_assert_int_eq(get(id).rcpts[1].state, RCPT_PENDING);
	ck_assert(get(id).maybe_duplicate);
	ck_assert_uint_eq(counts_of("a.test").messages, 1);
	ck_assert_uint_eq(count_due("a.test", T0 + 299), 0);
	ck_assert_uint_eq(history_of(id, HISTORY_FAILED), 1);
	check_whole();
}
END_TEST

START_TEST(settle__what_was_settled_stays_so)
{
	uint64_t id = put_three();
	struct job_settle j = settle_of(id, "a.test");

	j.next_attempt_ms = T0 + 300;
	add_rcpt(&j, 0, SETTLE_FAILED, "550 no");
	run(&j.job);
	j.n_rcpts = 0;
	add_rcpt(&j, 0, SETTLE_DELIVERED, "250 ok");
	add_rcpt(&j, 2, SETTLE_DELIVERED, "250 of another destination");
	add_rcpt(&j, 99, SETTLE_DELIVERED, "250 nobody");
	ck_assert_int_eq(run(&j.job), STORE_OK);
	ck_assert_int_eq(get(id).rcpts[0].state, RCPT_FAILED);
	ck_assert_int_eq(get(id).rcpts[2].state, RCPT_PENDING);
	check_whole();
}
END_TEST

START_TEST(settle__recipient_named_twice_counts_once)
{
	uint64_t id = put_three();
	struct job_settle j = settle_of(id, "a.test");

	add_rcpt(&j, 0, SETTLE_DELIVERED, "250 ok");
	add_rcpt(&j, 0, SETTLE_DELIVERED, "250 ok");
	run(&j.job);
	ck_assert_int_eq(get(id).rcpts[1].state, RCPT_PENDING);
	ck_assert_uint_eq(counts_of("a.test").messages, 1);
	check_whole();
}
END_TEST

START_TEST(settle__message_deleted_meanwhile_is_absent)
{
	uint64_t id = put_mail(100);
	struct job_settle j = settle_of(id, "a.test");
	struct job_change c = {.job.kind = JOB_CHANGE,
			       .change = CHANGE_DELETE,
			       .ids = {id},
			       .n = 1};

	add_rcpt(&j, 0, SETTLE_DELIVERED, "250 ok");
	run(&c.job);
	ck_assert_int_eq(run(&j.job), STORE_ABSENT);
	ck_assert(j.gone);
	ck_assert_uint_eq(history_of(id, HISTORY_FORWARDED), 0);
}
END_TEST

START_TEST(settle__message_held_meanwhile_stays_held)
{
	uint64_t id = put_mail(100);
	struct job_settle j = settle_of(id, "a.test");
	struct job_change c = {.job.kind = JOB_CHANGE,
			       .change = CHANGE_HOLD,
			       .ids = {id},
			       .n = 1};

	run(&c.job);
	j.next_attempt_ms = T0 + 300;
	add_rcpt(&j, 0, SETTLE_DEFERRED, "450 later");
	ck_assert_int_eq(run(&j.job), STORE_OK);
	ck_assert_int_eq(get(id).state, QUEUE_HELD);
	ck_assert_uint_eq(count_due("a.test", INT64_MAX), 0);
	check_whole();
}
END_TEST

START_TEST(settle__expired_recipient_is_told_so)
{
	uint64_t id = put_mail(100);
	struct job_settle j = settle_of(id, "a.test");

	j.expired = true;
	add_rcpt(&j, 0, SETTLE_FAILED, "450 for too long");
	run(&j.job);
	ck_assert_uint_eq(history_of(id, HISTORY_EXPIRED), 1);
	ck_assert_uint_eq(history_of(id, HISTORY_FAILED), 0);
}
END_TEST

/* --- reports ----------------------------------------------------------- */

static void report_init(struct mail *r, struct job_settle *j)
{
	mail_init(r, 3000, 9);
	mail_rcpt(r, "sender", "sender.test");
	r->env.sender = slice_make("", 0);
	r->env.is_report = true;
	r->add.report_dest = true;
	j->report = &r->add;
}

START_TEST(settle__report_comes_with_the_failure)
{
	uint64_t id = put_mail(100);
	struct job_settle j = settle_of(id, "a.test");
	struct mail r;
	uint32_t dest;

	report_init(&r, &j);
	add_rcpt(&j, 0, SETTLE_FAILED, "550 no");
	ck_assert_int_eq(run(&j.job), STORE_OK);
	ck_assert(j.gone && is_gone(id));
	ck_assert(!is_gone(r.add.up.id));
	ck_assert_uint_eq(counts().messages, 1);
	ck_assert_int_eq(
		reader_dest_find(reader, DEST_REPORT, "sender.test", &dest), 0);
	ck_assert_uint_eq(history_of(id, HISTORY_REPORTED), 1);
	mail_done(&r);
	check_whole();
}
END_TEST

START_TEST(settle__report_of_a_deleted_message_is_not_made)
{
	uint64_t id = put_mail(100);
	struct job_settle j = settle_of(id, "a.test");
	struct job_change c = {.job.kind = JOB_CHANGE,
			       .change = CHANGE_DELETE,
			       .ids = {id},
			       .n = 1};
	struct mail r;

	run(&c.job);
	report_init(&r, &j);
	add_rcpt(&j, 0, SETTLE_FAILED, "550 no");
	ck_assert_int_eq(run(&j.job), STORE_ABSENT);
	ck_assert_uint_eq(counts().messages, 0);
	ck_assert_uint_eq(r.add.up.id, 0);
	mail_done(&r);
}
END_TEST

START_TEST(settle__empty_report_destination_leaves_no_row)
{
	struct mail m;
	struct job_settle j = {.job.kind = JOB_SETTLE,
			       .rcpts = what,
			       .n_rcpts = 1,
			       .now_ms = T0};
	size_t before = rows_in(TABLE_DEST);

	memset(what, 0, sizeof(what));
	what[0].what = SETTLE_DELIVERED;
	mail_init(&m, 10, 1);
	mail_rcpt(&m, "x", "gone.test");
	m.add.report_dest = true;
	run(&m.add.job);
	ck_assert_uint_eq(rows_in(TABLE_DEST), before + 2);
	ck_assert_int_eq(
		reader_dest_find(reader, DEST_REPORT, "gone.test", &j.dest), 0);
	j.id = m.add.up.id;
	ck_assert_int_eq(run(&j.job), STORE_OK);
	ck_assert_uint_eq(rows_in(TABLE_DEST), before);

	/* Its number is not given again. */
	m.add.up = (struct upload){0};
	run(&m.add.job);
	uint32_t dest = 0;

	reader_dest_find(reader, DEST_REPORT, "gone.test", &dest);
	ck_assert_uint_eq(dest, j.dest + 1);
	mail_done(&m);
	check_whole();
}
END_TEST

/* --- quarantine -------------------------------------------------------- */

START_TEST(settle__failure_without_report_goes_to_quarantine)
{
	uint64_t id = put_three();
	struct job_settle j = settle_of(id, "a.test");
	struct due_row row;
	size_t n = 1;

	j.quarantine = true;
	j.expire_ms = T0 + 1000;
	strcpy(j.reason, "no way to tell the sender");
	add_rcpt(&j, 0, SETTLE_FAILED, "550 no");
	add_rcpt(&j, 1, SETTLE_DELIVERED, "250 ok");
	ck_assert_int_eq(run(&j.job), STORE_OK);
	ck_assert(!j.gone);
	ck_assert_int_eq(get(id).state, QUEUE_QUARANTINE);
	ck_assert(get(id).quarantined);
	ck_assert_int_eq(get(id).rcpts[0].state, RCPT_FAILED);
	ck_assert_uint_eq(count_due("a.test", INT64_MAX), 0);
	ck_assert_uint_eq(count_due("b.test", INT64_MAX), 0);
	ck_assert_uint_eq(counts_of("a.test").messages, 1);
	ck_assert_int_eq(reader_expired(reader, T0 + 1000, &row, &n), 0);
	ck_assert_uint_eq(row.id, id);
	check_whole();
}
END_TEST

START_TEST(settle__release_from_quarantine_tries_again)
{
	uint64_t id = put_mail(100);
	struct job_settle j = settle_of(id, "a.test");
	struct job_change c = {.job.kind = JOB_CHANGE,
			       .change = CHANGE_RELEASE,
			       .ids = {id},
			       .n = 1,
			       .now_ms = T0 + 5000};

	j.quarantine = true;
	add_rcpt(&j, 0, SETTLE_FAILED, "550 no");
	run(&j.job);
	ck_assert_int_eq(run(&c.job), STORE_OK);
	ck_assert_uint_eq(c.changed, 1);
	ck_assert_int_eq(get(id).rcpts[0].state, RCPT_PENDING);
	ck_assert_uint_eq(count_due("a.test", T0 + 5000), 1);
	check_whole();
	j.quarantine = false;
	what[0].what = SETTLE_DELIVERED;
	ck_assert_int_eq(run(&j.job), STORE_OK);
	ck_assert(j.gone);
	check_whole();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("settle");
	TCase *t = tcase_create("settle");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, settle__last_delivery_removes_the_message);
	tcase_add_test(t, settle__one_destination_leaves_the_other);
	tcase_add_test(t, settle__deferral_moves_the_due_row);
	tcase_add_test(t, settle__message_of_last_hour_is_ready);
	tcase_add_test(t, settle__failed_connection_leaves_no_mark);
	tcase_add_test(t, settle__first_5xx_is_remembered);
	tcase_add_test(t, settle__same_deferral_is_told_once);
	tcase_add_test(t, settle__recipients_of_one_destination_part_ways);
	tcase_add_test(t, settle__what_was_settled_stays_so);
	tcase_add_test(t, settle__recipient_named_twice_counts_once);
	tcase_add_test(t, settle__message_deleted_meanwhile_is_absent);
	tcase_add_test(t, settle__message_held_meanwhile_stays_held);
	tcase_add_test(t, settle__expired_recipient_is_told_so);
	tcase_add_test(t, settle__report_comes_with_the_failure);
	tcase_add_test(t, settle__report_of_a_deleted_message_is_not_made);
	tcase_add_test(t, settle__empty_report_destination_leaves_no_row);
	tcase_add_test(t, settle__failure_without_report_goes_to_quarantine);
	tcase_add_test(t, settle__release_from_quarantine_tries_again);
	suite_add_tcase(s, t);
	return run_suite(s);
}
