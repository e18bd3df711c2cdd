/* Short snapshots: pages of listings, counts, bodies. */
#include "fixture.h"

static uint64_t put_for(const char *domain, int64_t arrived_ms)
{
	struct mail m;

	mail_init(&m, 100, 1);
	mail_rcpt(&m, "u", domain);
	m.env.arrived_at_ms = arrived_ms;
	ck_assert_int_eq(run(&m.add.job), STORE_OK);
	mail_done(&m);
	return m.add.up.id;
}

START_TEST(reader__empty_queue_has_nothing)
{
	struct dest_info d;
	struct due_row row;
	int64_t ms;
	uint64_t id;
	uint32_t dest;
	size_t n = 1;

	ck_assert_uint_eq(counts().messages, 0);
	ck_assert_int_eq(counts().oldest_ms, 0);
	ck_assert_int_eq(reader_ids(reader, 0, &id, &n), 1);
	n = 1;
	ck_assert_int_eq(reader_dests(reader, 0, &d, &n), 1);
	n = 1;
	ck_assert_int_eq(reader_due(reader, 1, 0, 0, INT64_MAX, &row, &n), 1);
	ck_assert_int_eq(reader_next_due(reader, 1, &ms), 1);
	ck_assert_int_eq(reader_dest(reader, 1, &d), 1);
	ck_assert_int_eq(reader_dest_find(reader, DEST_DOMAIN, "x", &dest), 1);
	ck_assert(is_gone(1));
}
END_TEST

START_TEST(reader__ids_come_in_pages)
{
	uint64_t ids[10], page[4], after = 0;
	size_t n = 4, seen = 0;

	for (int i = 0; i < 10; i++)
		ids[i] = put_mail(10);
	while (reader_ids(reader, after, page, &n) == 0) {
		for (size_t i = 0; i < n; i++)
			ck_assert_uint_eq(page[i], ids[seen++]);
		after = page[n - 1];
		n = 4;
	}
	ck_assert_uint_eq(seen, 10);
	n = 1;
	ck_assert_int_eq(reader_ids(reader, UINT64_MAX, page, &n), 1);
}
END_TEST

START_TEST(reader__listing_goes_on_while_messages_are_deleted)
{
	uint64_t page[3], after = 0;
	size_t n = 3, seen = 0;

	for (int i = 0; i < 30; i++)
		put_mail(10);
	while (reader_ids(reader, after, page, &n) == 0) {
		struct job_change c = {.job.kind = JOB_CHANGE,
				       .change = CHANGE_DELETE,
				       .n = n};

		memcpy(c.ids, page, n * sizeof(*page));
		ck_assert_int_eq(run(&c.job), STORE_OK);
		seen += c.changed;
		after = page[n - 1];
		n = 3;
	}
	ck_assert_uint_eq(seen, 30);
	ck_assert_uint_eq(counts().messages, 0);
}
END_TEST

START_TEST(reader__due_rows_come_in_order_of_time_and_in_pages)
{
	struct due_row page[3];
	int64_t after_ms = 0, last = 0;
	uint64_t after_id = 0;
	size_t n = 3, seen = 0;

	for (int i = 0; i < 11; i++)
		put_for("a.test", T0 + (i * 7) % 11 / 2);
	put_for("b.test", T0);
	while (reader_due(reader, dest_of("a.test"), after_ms, after_id,
			  T0 + 100, page, &n) == 0) {
		for (size_t i = 0; i < n; i++) {
			ck_assert_int_ge(page[i].due_ms, last);
			last = page[i].due_ms;
			seen++;
		}
		after_ms = page[n - 1].due_ms;
		after_id = page[n - 1].id;
		n = 3;
	}
	ck_assert_uint_eq(seen, 11);
}
END_TEST

START_TEST(reader__next_due_is_the_destinations_own)
{
	int64_t ms;

	put_for("a.test", T0 + 50);
	put_for("b.test", T0 + 10);
	ck_assert_int_eq(reader_next_due(reader, dest_of("a.test"), &ms), 0);
	ck_assert_int_eq(ms, T0 + 50);
}
END_TEST

START_TEST(reader__oldest_is_found_in_each_and_in_all)
{
	put_for("a.test", T0 + 50);
	put_for("a.test", T0 + 20);
	put_for("b.test", T0 + 10);
	put_for("c.test", T0 + 90);
	ck_assert_int_eq(counts_of("a.test").oldest_ms, T0 + 20);
	ck_assert_int_eq(counts_of("c.test").oldest_ms, T0 + 90);
	ck_assert_int_eq(counts().oldest_ms, T0 + 10);
}
END_TEST

START_TEST(reader__destinations_come_in_pages)
{
	struct dest_info page[2];
	uint32_t from = 0;
	size_t n = 2, seen = 0;
	char domain[32];

	for (int i = 0; i < 5; i++) {
		snprintf(domain, sizeof(domain), "d%d.test", i);
		put_for(domain, T0);
	}
	while (reader_dests(reader, from, page, &n) == 0) {
		for (size_t i = 0; i < n; i++) {
			snprintf(domain, sizeof(domain), "d%zu.test", seen++);
			ck_assert_str_eq(page[i].domain, domain);
			ck_assert_int_eq(page[i].kind, DEST_DOMAIN);
		}
		from = page[n - 1].dest + 1;
		n = 2;
	}
	ck_assert_uint_eq(seen, 5);
}
END_TEST

START_TEST(reader__body_comes_in_slices)
{
	uint64_t id = put_mail(200 * CHUNK_SIZE + 5);
	uint32_t next = 0;
	struct buf b;

	buf_init(&b, 1 << 20);
	ck_assert_int_eq(reader_body(reader, id, 0, 10, &b, &next), 0);
	ck_assert_uint_eq(b.n, 10 * CHUNK_SIZE);
	ck_assert_uint_eq(next, 10);
	buf_clear(&b);
	ck_assert_int_eq(reader_body(reader, id, 10, 1000, &b, &next), 0);
	ck_assert_uint_eq(b.n, 64 * CHUNK_SIZE);
	ck_assert_uint_eq(next, 74);
	buf_clear(&b);
	ck_assert_int_eq(reader_body(reader, id, 200, 64, &b, &next), 0);
	ck_assert_uint_eq(b.n, 5);
	ck_assert_uint_eq(next, 0);
	buf_clear(&b);
	ck_assert_int_eq(reader_body(reader, id, 4711, 64, &b, &next), 0);
	ck_assert_uint_eq(b.n, 0);
	ck_assert_int_eq(reader_body(reader, id + 1, 0, 64, &b, &next), 1);
	buf_done(&b);
}
END_TEST

START_TEST(reader__body_that_does_not_fit_the_buffer_fails)
{
	uint64_t id = put_mail(10 * CHUNK_SIZE);
	uint32_t next;
	struct buf b;

	buf_init(&b, CHUNK_SIZE);
	ck_assert_int_eq(reader_body(reader, id, 0, 10, &b, &next), -1);
	buf_done(&b);
}
END_TEST

START_TEST(reader__message_that_does_not_fit_the_arena_fails)
{
	uint64_t id = put_three();
	struct queue_message m;
	struct arena small;

	arena_init(&small, 32);
	ck_assert_int_eq(reader_message(reader, id, &small, &m), -1);
	arena_done(&small);
}
END_TEST

START_TEST(reader__holds_no_page_between_calls)
{
	uint64_t before;
	struct store_space space;

	put_mail(1000);
	counts();
	for (int i = 0; i < 20; i++) {
		struct job_change c = {.job.kind = JOB_CHANGE,
				       .change = CHANGE_DELETE,
				       .ids = {put_mail(1 << 20)},
				       .n = 1};

		run(&c.job);
		counts();
	}
	store_disk_is_full(store);
	store_space(store, &space);
	before = space.file_bytes;
	ck_assert_uint_lt(before, 8 << 20);
}
END_TEST

START_TEST(reader__more_readers_than_slots_are_refused)
{
	struct reader *r[200];
	int n = 0;

	while (n < 200 && (r[n] = reader_new(store)))
		n++;
	ck_assert_int_gt(n, 100);
	ck_assert_int_lt(n, 200);
	while (n-- > 0)
		reader_free(r[n]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("reader");
	TCase *t = tcase_create("reader");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, reader__empty_queue_has_nothing);
	tcase_add_test(t, reader__ids_come_in_pages);
	tcase_add_test(t, reader__listing_goes_on_while_messages_are_deleted);
	tcase_add_test(t, reader__due_rows_come_in_order_of_time_and_in_pages);
	tcase_add_test(t, reader__next_due_is_the_destinations_own);
	tcase_add_test(t, reader__oldest_is_found_in_each_and_in_all);
	tcase_add_test(t, reader__destinations_come_in_pages);
	tcase_add_test(t, reader__body_comes_in_slices);
	tcase_add_test(t, reader__body_that_does_not_fit_the_buffer_fails);
	tcase_add_test(t, reader__message_that_does_not_fit_the_arena_fails);
	tcase_add_test(t, reader__holds_no_page_between_calls);
	tcase_add_test(t, reader__more_readers_than_slots_are_refused);
	suite_add_tcase(s, t);
	return run_suite(s);
}
