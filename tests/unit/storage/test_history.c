/* What became of each message. */
#include "fixture.h"

#include "mxhold/base/clock.h"

static struct history_row rows[4];

static size_t read_page(uint64_t *before)
{
	size_t n = 4;
	int rc = history_read(reader, before, &arena, rows, &n);

	ck_assert_int_eq(rc, n ? 0 : 1);
	return n;
}

static void put_ten(void)
{
	for (int i = 0; i < 10; i++) {
		clock_fake(0, T0 + i);
		put_mail(10);
	}
	clock_fake_off();
}

START_TEST(history__comes_newest_first_in_pages)
{
	uint64_t before = 0;
	int64_t at = T0 + 9;
	size_t n, seen = 0;

	put_ten();
	while ((n = read_page(&before)) > 0) {
		for (size_t i = 0; i < n; i++) {
			ck_assert_int_eq(rows[i].at_ms, at--);
			seen++;
		}
	}
	ck_assert_uint_eq(seen, 10);
}
END_TEST

START_TEST(history__row_says_who_and_what)
{
	uint64_t before = 0, id = put_mail(10);

	ck_assert_uint_eq(read_page(&before), 1);
	ck_assert_uint_eq(rows[0].id, id);
	ck_assert_int_eq(rows[0].what, HISTORY_KEPT);
	ck_assert(slice_eq(rows[0].sender, SLICE("sender@sender.test")));
	ck_assert(slice_eq(rows[0].rcpt, SLICE("u@a.test")));
	ck_assert(slice_eq(rows[0].message_id, SLICE("<one@sender.test>")));
	ck_assert_str_eq(history_what_name(rows[0].what), "kept");
}
END_TEST

START_TEST(history__order_holds_when_the_clock_falls)
{
	uint64_t before = 0, first, second;

	clock_fake(0, T0 + 1000);
	first = put_mail(10);
	clock_fake(0, T0);
	second = put_mail(10);
	clock_fake_off();
	ck_assert_uint_eq(read_page(&before), 2);
	ck_assert_uint_eq(rows[0].id, second);
	ck_assert_int_eq(rows[0].at_ms, T0);
	ck_assert_uint_eq(rows[1].id, first);
}
END_TEST

START_TEST(history__is_trimmed_up_to_a_time)
{
	struct history_trim t;
	uint64_t before = 0;

	put_ten();
	history_trim_job(&t, T0 + 8);
	ck_assert_int_eq(run(&t.call.job), STORE_OK);
	ck_assert_uint_eq(t.removed, 8);
	ck_assert(!t.more);
	ck_assert_uint_eq(read_page(&before), 2);
	ck_assert_int_eq(rows[1].at_ms, T0 + 8);
	check_whole();
}
END_TEST

START_TEST(history__is_trimmed_in_slices)
{
	struct history_trim t;
	struct job_change c = {.job.kind = JOB_CHANGE, .n = 1, .now_ms = T0};

	c.ids[0] = put_mail(10);
	for (int i = 0; i < 1500; i++) {
		c.change = i % 2 ? CHANGE_RELEASE : CHANGE_HOLD;
		c.job.report = on_report;
		writer_submit(writer, &c.job);
		writer_run_batch(writer);
	}
	history_trim_job(&t, INT64_MAX);
	ck_assert_int_eq(run(&t.call.job), STORE_OK);
	ck_assert_uint_eq(t.removed, HISTORY_TRIM_SLICE);
	ck_assert(t.more);
	ck_assert_int_eq(run(&t.call.job), STORE_OK);
	ck_assert_uint_eq(t.removed, 501);
	ck_assert(!t.more);
	ck_assert_uint_eq(rows_in(TABLE_HISTORY), 0);
}
END_TEST

START_TEST(history__of_an_empty_queue_is_empty)
{
	uint64_t before = 0;

	ck_assert_uint_eq(read_page(&before), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("history");
	TCase *t = tcase_create("history");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, history__comes_newest_first_in_pages);
	tcase_add_test(t, history__row_says_who_and_what);
	tcase_add_test(t, history__order_holds_when_the_clock_falls);
	tcase_add_test(t, history__is_trimmed_up_to_a_time);
	tcase_add_test(t, history__is_trimmed_in_slices);
	tcase_add_test(t, history__of_an_empty_queue_is_empty);
	suite_add_tcase(s, t);
	return run_suite(s);
}
