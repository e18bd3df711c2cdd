/* Messages that were in another queue before. */
#include "fixture.h"

#include "mxhold/base/clock.h"

enum {
	THERE = 0x123456789
};

static struct mail m;
static struct queue_past past;
static struct queue_rcpt was[8];

/* u and v at a.test, w at b.test. */
static void prepare(size_t size)
{
	mail_init(&m, size, 9);
	mail_rcpt(&m, "u", "a.test");
	mail_rcpt(&m, "v", "a.test");
	mail_rcpt(&m, "w", "b.test");
	memset(was, 0, sizeof(was));
	past = (struct queue_past){
		.id = THERE,
		.size = size,
		.crc = crc32c(0, buf_slice(&m.add.body).p, size),
		.attempts = 7,
		.maybe_duplicate = true,
		.rcpts = was,
	};
	m.add.past = &past;
}

static uint64_t import(void)
{
	ck_assert_int_eq(run(&m.add.job), STORE_OK);
	mail_done(&m);
	return m.add.up.id;
}

START_TEST(imported__message_is_as_far_as_it_was)
{
	struct queue_message got;
	uint64_t id;

	prepare(5000);
	was[0].state = RCPT_DELIVERED;
	was[0].reply = SLICE("250 2.0.0 thanks");
	was[1].attempts = 3;
	was[1].last_attempt_ms = T0 + 5;
	was[1].first_5xx_ms = T0 + 4;
	was[1].reply = SLICE("450 4.2.0 later");
	was[1].remote = SLICE("mx1");
	id = import();
	check_whole();
	got = get(id);
	ck_assert_uint_eq(got.attempts, 7);
	ck_assert(got.maybe_duplicate);
	ck_assert_uint_eq(got.crc, past.crc);
	ck_assert_int_eq(got.rcpts[0].state, RCPT_DELIVERED);
	ck_assert_int_eq(got.rcpts[1].state, RCPT_PENDING);
	ck_assert_uint_eq(got.rcpts[1].attempts, 3);
	ck_assert_int_eq(got.rcpts[1].last_attempt_ms, T0 + 5);
	ck_assert_int_eq(got.rcpts[1].first_5xx_ms, T0 + 4);
	ck_assert(slice_eq(got.rcpts[1].reply, was[1].reply));
	ck_assert(slice_eq(got.rcpts[1].remote, was[1].remote));
	ck_assert_int_eq(got.rcpts[2].state, RCPT_PENDING);
	ck_assert_uint_eq(count_due("a.test", INT64_MAX), 1);
	ck_assert_uint_eq(history_of(id, HISTORY_IMPORTED), 2);
	ck_assert_uint_eq(history_of(id, HISTORY_KEPT), 0);
}
END_TEST

START_TEST(imported__destination_without_open_recipients_has_no_mail)
{
	uint32_t dest;

	prepare(100);
	was[0].state = was[1].state = RCPT_DELIVERED;
	import();
	check_whole();
	ck_assert_int_eq(reader_dest_find(reader, DEST_DOMAIN, "a.test", &dest),
			 1);
	ck_assert_uint_eq(counts_of("b.test").messages, 1);
}
END_TEST

START_TEST(imported__kept_recipients_wait_in_quarantine)
{
	struct job_change c = {.job.kind = JOB_CHANGE,
			       .change = CHANGE_RELEASE,
			       .n = 1,
			       .now_ms = T0};

	prepare(100);
	m.add.quarantine = true;
	was[2].state = RCPT_FAILED;
	was[2].kept = true;
	c.ids[0] = import();
	check_whole();
	ck_assert_int_eq(get(c.ids[0]).state, QUEUE_QUARANTINE);
	ck_assert(get(c.ids[0]).rcpts[2].kept);
	ck_assert_uint_eq(count_due("b.test", INT64_MAX), 0);
	ck_assert_int_eq(run(&c.job), STORE_OK);
	check_whole();
	ck_assert_int_eq(get(c.ids[0]).rcpts[2].state, RCPT_PENDING);
	ck_assert_uint_eq(count_due("b.test", INT64_MAX), 1);
}
END_TEST

START_TEST(imported__second_time_adds_nothing)
{
	uint64_t first, twin;

	prepare(100);
	ck_assert_int_eq(reader_imported(reader, &past, &twin), 1);
	first = import();
	prepare(100);
	ck_assert_int_eq(reader_imported(reader, &past, &twin), 0);
	ck_assert_uint_eq(twin, first);
	import();
	ck_assert_uint_eq(m.add.twin, first);
	ck_assert_uint_eq(counts().messages, 1);
	check_whole();
}
END_TEST

START_TEST(imported__second_time_after_it_left_adds_nothing)
{
	struct job_change c = {
		.job.kind = JOB_CHANGE, .change = CHANGE_DELETE, .n = 1};

	prepare(100);
	c.ids[0] = import();
	ck_assert_int_eq(run(&c.job), STORE_OK);
	test_reopen();
	prepare(100);
	import();
	ck_assert_uint_eq(m.add.twin, c.ids[0]);
	ck_assert_uint_eq(counts().messages, 0);
}
END_TEST

START_TEST(imported__same_id_with_other_content_is_another)
{
	prepare(100);
	import();
	prepare(101);
	import();
	ck_assert_uint_eq(m.add.twin, 0);
	ck_assert_uint_eq(counts().messages, 2);
	check_whole();
}
END_TEST

START_TEST(imported__message_that_never_left_is_its_own_twin)
{
	uint64_t id = put_three(), twin = 0;
	struct queue_message here = get(id);

	prepare(5000);
	past.id = id;
	past.crc = here.crc;
	ck_assert_int_eq(reader_imported(reader, &past, &twin), 0);
	ck_assert_uint_eq(twin, id);
	import();
	ck_assert_uint_eq(m.add.twin, id);
	ck_assert_uint_eq(counts().messages, 1);
}
END_TEST

START_TEST(imported__twin_in_parts_leaves_no_part)
{
	struct job_part part = {.job.kind = JOB_PART, .id_at = SIZE_MAX};
	uint64_t first;

	prepare(100);
	first = import();
	fill_body(&part.body, PART_SIZE, 1);
	ck_assert_int_eq(run(&part.job), STORE_OK);
	buf_done(&part.body);
	prepare(100);
	m.add.up = part.up;
	import();
	ck_assert_uint_eq(m.add.twin, first);
	ck_assert_uint_eq(rows_in(TABLE_INCOMING), 0);
	ck_assert_uint_eq(rows_in(TABLE_BODY), 1);
	run_all();
	check_whole();
}
END_TEST

START_TEST(imported__mark_goes_with_the_history)
{
	struct history_trim t;
	uint64_t twin;
	size_t rows = rows_in(TABLE_META);

	clock_fake(0, T0);
	prepare(100);
	import();
	clock_fake(0, T0 + 10);
	prepare(200);
	past.id++;
	import();
	history_trim_job(&t, T0 + 5);
	ck_assert_int_eq(run(&t.call.job), STORE_OK);
	ck_assert(!t.more);
	ck_assert_int_eq(reader_imported(reader, &past, &twin), 0);
	prepare(100);
	ck_assert_int_eq(reader_imported(reader, &past, &twin), 1);
	mail_done(&m);
	history_trim_job(&t, T0 + 100);
	ck_assert_int_eq(run(&t.call.job), STORE_OK);
	ck_assert_uint_eq(rows_in(TABLE_META), MX_MAX(rows, (size_t)2));
	clock_fake_off();
}
END_TEST

START_TEST(imported__without_an_open_recipient_is_refused)
{
	prepare(100);
	for (int i = 0; i < 3; i++)
		was[i].state = RCPT_DELIVERED;
	ck_assert_int_eq(run(&m.add.job), STORE_FAILED);
	mail_done(&m);
	ck_assert_uint_eq(counts().messages, 0);
	check_whole();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("imported");
	TCase *t = tcase_create("imported");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, imported__message_is_as_far_as_it_was);
	tcase_add_test(
		t, imported__destination_without_open_recipients_has_no_mail);
	tcase_add_test(t, imported__kept_recipients_wait_in_quarantine);
	tcase_add_test(t, imported__second_time_adds_nothing);
	tcase_add_test(t, imported__second_time_after_it_left_adds_nothing);
	tcase_add_test(t, imported__same_id_with_other_content_is_another);
	tcase_add_test(t, imported__message_that_never_left_is_its_own_twin);
	tcase_add_test(t, imported__twin_in_parts_leaves_no_part);
	tcase_add_test(t, imported__mark_goes_with_the_history);
	tcase_add_test(t, imported__without_an_open_recipient_is_refused);
	suite_add_tcase(s, t);
	return run_suite(s);
}
