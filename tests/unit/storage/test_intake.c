/* Messages come in: whole, in parts, or not to the end. */
#include "fixture.h"

#include "mxhold/base/clock.h"
#include "mxhold/base/id.h"

static struct buf body_of(uint64_t id)
{
	struct buf b;
	uint32_t next = 0;

	buf_init(&b, 1 << 30);
	do
		ck_assert_int_eq(reader_body(reader, id, next, 64, &b, &next),
				 0);
	while (next);
	return b;
}

static const size_t sizes[] = {0,    1,     4079,   4080,   4081,
			       8160, 10240, 261120, 261121, 1000000};

START_TEST(intake__content_comes_back_octet_for_octet)
{
	struct mail m;
	struct buf b;

	mail_init(&m, sizes[_i], 17);
	mail_rcpt(&m, "u", "a.test");
	ck_assert_int_eq(run(&m.add.job), STORE_OK);
	b = body_of(m.add.up.id);
	ck_assert(slice_eq(buf_slice(&b), buf_slice(&m.add.body)));
	ck_assert_uint_eq(get(m.add.up.id).crc,
			  crc32c(0, buf_slice(&b).p, b.n));
	ck_assert_uint_eq(get(m.add.up.id).size, sizes[_i]);
	buf_done(&b);
	mail_done(&m);
	check_whole();
}
END_TEST

START_TEST(intake__id_is_filled_in_before_the_sum)
{
	char text[ID_TEXT_LEN + 1];
	struct mail m;
	struct buf b;

	mail_init(&m, 9000, 1);
	mail_rcpt(&m, "u", "a.test");
	m.add.id_at = CHUNK_SIZE - 5; /* across two chunks */
	ck_assert_int_eq(run(&m.add.job), STORE_OK);
	id_format(m.add.up.id, text);
	b = body_of(m.add.up.id);
	ck_assert_mem_eq(buf_slice(&b).p + CHUNK_SIZE - 5, text, ID_TEXT_LEN);
	buf_done(&b);
	mail_done(&m);
	check_whole();
}
END_TEST

static void fill_envelope(struct mail *m)
{
	m->env.envid = SLICE("env+20id");
	m->env.ret = DSN_RET_HDRS;
	m->env.body = BODY_8BITMIME;
	m->env.smtputf8 = m->env.requiretls = true;
	m->env.client_name = SLICE("mail.client.test");
	m->env.helo = SLICE("helo.client.test");
	m->env.protocol = SLICE("ESMTPS");
	m->env.tls = SLICE("TLSv1.3 X");
	m->env.client.addr.family = 4;
	memcpy(m->env.client.addr.bytes, "\300\000\002\001", 4);
	m->env.client.port = 4711;
	m->rcpts[0].orcpt = SLICE("rfc822;u@a.test");
	m->rcpts[0].notify = DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY;
}

START_TEST(intake__envelope_comes_back)
{
	struct queue_message q;
	struct mail m;

	mail_init(&m, 100, 1);
	mail_rcpt(&m, "u", "a.test");
	fill_envelope(&m);
	ck_assert_int_eq(run(&m.add.job), STORE_OK);
	q = get(m.add.up.id);
	ck_assert(slice_eq(q.env.sender, m.env.sender));
	ck_assert(slice_eq(q.env.envid, m.env.envid));
	ck_assert(slice_eq(q.env.client_name, m.env.client_name));
	ck_assert(slice_eq(q.env.helo, m.env.helo));
	ck_assert(slice_eq(q.env.protocol, m.env.protocol));
	ck_assert(slice_eq(q.env.tls, m.env.tls));
	ck_assert(slice_eq(q.message_id, m.add.message_id));
	ck_assert(inet_eq(&q.env.client.addr, &m.env.client.addr));
	ck_assert_uint_eq(q.env.client.port, 4711);
	ck_assert(q.env.smtputf8 && q.env.requiretls && !q.env.is_report);
	ck_assert_int_eq(q.env.ret, DSN_RET_HDRS);
	ck_assert_int_eq(q.env.body, BODY_8BITMIME);
	ck_assert_int_eq(q.env.arrived_at_ms, T0);
	ck_assert_uint_eq(q.n_rcpts, 1);
	ck_assert(slice_eq(q.rcpts[0].rcpt.address, SLICE("u@a.test")));
	ck_assert(slice_eq(q.rcpts[0].rcpt.orcpt, m.rcpts[0].orcpt));
	ck_assert_uint_eq(q.rcpts[0].rcpt.notify, m.rcpts[0].notify);
	ck_assert_int_eq(q.rcpts[0].state, RCPT_PENDING);
	ck_assert_int_eq(q.state, QUEUE_READY);
	ck_assert_int_eq(q.next_attempt_ms, T0);
	mail_done(&m);
}
END_TEST

START_TEST(intake__message_for_two_destinations_counts_once_in_all)
{
	uint64_t id = put_three();

	ck_assert_uint_eq(counts().messages, 1);
	ck_assert_uint_eq(counts().bytes, 5000);
	ck_assert_int_eq(counts().oldest_ms, T0);
	ck_assert_uint_eq(counts_of("a.test").messages, 1);
	ck_assert_uint_eq(counts_of("b.test").bytes, 5000);
	ck_assert_uint_eq(count_due("a.test", T0), 1);
	ck_assert_uint_eq(count_due("b.test", T0), 1);
	ck_assert_uint_eq(get(id).n_rcpts, 3);
	ck_assert_uint_eq(history_of(id, HISTORY_KEPT), 3);
	check_whole();
}
END_TEST

START_TEST(intake__nothing_is_due_before_it_arrived)
{
	put_mail(10);
	ck_assert_uint_eq(count_due("a.test", T0 - 1), 0);
	ck_assert_uint_eq(count_due("a.test", T0), 1);
}
END_TEST

START_TEST(intake__held_message_is_not_due)
{
	struct queue_message q;
	struct mail m;

	mail_init(&m, 100, 1);
	mail_rcpt(&m, "u", "a.test");
	m.add.hold = _i == 0;
	m.add.quarantine = _i == 1;
	m.add.reason = "looks odd";
	ck_assert_int_eq(run(&m.add.job), STORE_OK);
	q = get(m.add.up.id);
	ck_assert_int_eq(q.state, _i ? QUEUE_QUARANTINE : QUEUE_HELD);
	ck_assert_int_eq(q.next_attempt_ms, 0);
	ck_assert(slice_eq(q.reason, SLICE("looks odd")));
	ck_assert_uint_eq(count_due("a.test", INT64_MAX), 0);
	ck_assert_uint_eq(counts_of("a.test").messages, 1);
	mail_done(&m);
	check_whole();
}
END_TEST

START_TEST(intake__expire_time_has_its_row)
{
	struct due_row row;
	struct mail m;
	size_t n = 1;

	mail_init(&m, 100, 1);
	mail_rcpt(&m, "u", "a.test");
	m.add.expire_ms = T0 + 500;
	ck_assert_int_eq(run(&m.add.job), STORE_OK);
	ck_assert_int_eq(reader_expired(reader, T0 + 499, &row, &n), 1);
	n = 1;
	ck_assert_int_eq(reader_expired(reader, T0 + 500, &row, &n), 0);
	ck_assert_uint_eq(row.id, m.add.up.id);
	ck_assert_int_eq(row.due_ms, T0 + 500);
	mail_done(&m);
	check_whole();
}
END_TEST

START_TEST(intake__ids_rise_even_when_the_clock_falls)
{
	uint64_t first, second, third;

	clock_fake(0, 5000000);
	first = put_mail(10);
	clock_fake(0, 4000000);
	second = put_mail(10);
	clock_fake(0, 6000000);
	third = put_mail(10);
	clock_fake_off();
	ck_assert_uint_eq(first, UINT64_C(5000000) << 20);
	ck_assert_uint_eq(second, first + 1);
	ck_assert_uint_eq(third, UINT64_C(6000000) << 20);
	check_whole();
}
END_TEST

START_TEST(intake__ids_are_not_given_again_after_a_restart)
{
	struct job_change c = {
		.job.kind = JOB_CHANGE, .change = CHANGE_DELETE, .n = 1};

	clock_fake(0, 5000000);
	c.ids[0] = put_mail(10);
	ck_assert_int_eq(run(&c.job), STORE_OK);
	test_reopen();
	ck_assert_uint_eq(put_mail(10), c.ids[0] + 1);
	clock_fake_off();
}
END_TEST

START_TEST(intake__report_goes_to_a_destination_of_its_own_kind)
{
	struct dest_info info;
	struct mail m;
	uint32_t dest, domain;

	mail_init(&m, 100, 1);
	mail_rcpt(&m, "u", "a.test");
	m.add.report_dest = true;
	m.env.is_report = true;
	put_mail(10);
	ck_assert_int_eq(run(&m.add.job), STORE_OK);
	domain = dest_of("a.test");
	ck_assert_int_eq(reader_dest_find(reader, DEST_REPORT, "a.test", &dest),
			 0);
	ck_assert_uint_ne(dest, domain);
	ck_assert_int_eq(reader_dest(reader, dest, &info), 0);
	ck_assert_int_eq(info.kind, DEST_REPORT);
	ck_assert_str_eq(info.domain, "a.test");
	ck_assert(get(m.add.up.id).env.is_report);
	mail_done(&m);
	check_whole();
}
END_TEST

START_TEST(intake__message_without_recipients_is_refused)
{
	struct mail m;

	mail_init(&m, 100, 1);
	ck_assert_int_eq(run(&m.add.job), STORE_FAILED);
	ck_assert_uint_eq(counts().messages, 0);
	mail_done(&m);
	check_whole();
}
END_TEST

START_TEST(intake__text_too_long_for_a_record_fails_its_message_alone)
{
	static char longer[5000];
	struct mail bad, good;

	mail_init(&bad, 100, 1);
	mail_rcpt(&bad, "u", "a.test");
	bad.env.helo = slice_make(longer, sizeof(longer));
	mail_init(&good, 100, 1);
	mail_rcpt(&good, "u", "b.test");
	writer_submit(writer, &bad.add.job);
	ck_assert_int_eq(run(&good.add.job), STORE_OK);
	ck_assert_int_eq(bad.add.job.result, STORE_FAILED);
	ck_assert_uint_eq(bad.add.up.id, 0);
	ck_assert_uint_eq(counts().messages, 1);
	mail_done(&bad);
	mail_done(&good);
	check_whole();
}
END_TEST

/* --- in parts ---------------------------------------------------------- */

static void part_init(struct job_part *p, size_t chunks, unsigned seed)
{
	memset(p, 0, sizeof(*p));
	p->job.kind = JOB_PART;
	p->id_at = SIZE_MAX;
	fill_body(&p->body, chunks * CHUNK_SIZE, seed);
}

START_TEST(intake__parts_make_one_message)
{
	struct job_part a, b;
	struct buf all, back;
	struct mail m;

	part_init(&a, 64, 1);
	part_init(&b, 3, 2);
	mail_init(&m, 777, 3);
	mail_rcpt(&m, "u", "a.test");
	a.id_at = 20;
	ck_assert_int_eq(run(&a.job), STORE_OK);
	ck_assert_uint_ne(a.up.id, 0);
	put_mail(10); /* another one between: ours is not the newest any more */
	b.up = a.up;
	ck_assert_int_eq(run(&b.job), STORE_OK);
	ck_assert_uint_eq(counts().messages, 1);
	m.add.up = b.up;
	ck_assert_int_eq(run(&m.add.job), STORE_OK);
	ck_assert_uint_eq(m.add.up.id, a.up.id);

	buf_init(&all, 1 << 30);
	buf_append_slice(&all, buf_slice(&a.body));
	buf_append_slice(&all, buf_slice(&b.body));
	buf_append_slice(&all, buf_slice(&m.add.body));
	back = body_of(a.up.id);
	ck_assert(slice_eq(buf_slice(&all), buf_slice(&back)));
	ck_assert_uint_eq(rows_in(TABLE_INCOMING), 0);
	buf_done(&all);
	buf_done(&back);
	buf_done(&a.body);
	buf_done(&b.body);
	mail_done(&m);
	check_whole();
}
END_TEST

START_TEST(intake__parts_alone_are_no_message)
{
	struct job_part a;

	part_init(&a, 2, 1);
	ck_assert_int_eq(run(&a.job), STORE_OK);
	ck_assert(is_gone(a.up.id));
	ck_assert_uint_eq(counts().messages, 0);
	ck_assert_uint_eq(rows_in(TABLE_BODY), 2);
	ck_assert_uint_eq(rows_in(TABLE_INCOMING), 1);
	buf_done(&a.body);
	check_whole();
}
END_TEST

START_TEST(intake__discard_removes_the_parts)
{
	struct job_discard d = {.job.kind = JOB_DISCARD};
	struct job_part a;

	part_init(&a, 2, 1);
	run(&a.job);
	d.id = a.up.id;
	d.chunks = a.up.chunks;
	ck_assert_int_eq(run(&d.job), STORE_OK);
	ck_assert_uint_eq(rows_in(TABLE_BODY), 0);
	ck_assert_uint_eq(rows_in(TABLE_INCOMING), 0);
	ck_assert_int_eq(run(&d.job), STORE_ABSENT);
	buf_done(&a.body);
}
END_TEST

START_TEST(intake__large_discard_goes_in_slices)
{
	struct job_discard d = {.job.kind = JOB_DISCARD};
	struct job_part a;

	memset(&a, 0, sizeof(a));
	for (int i = 0; i < 3; i++) {
		struct upload up = a.up;

		part_init(&a, 1000, 1);
		a.up = up;
		ck_assert_int_eq(run(&a.job), STORE_OK);
		buf_done(&a.body);
	}
	d.id = a.up.id;
	d.chunks = a.up.chunks;
	d.job.report = on_report;
	writer_submit(writer, &d.job);
	ck_assert_uint_eq(writer_run_batch(writer), 1);
	ck_assert_uint_eq(rows_in(TABLE_BODY), 3000);
	ck_assert_uint_eq(rows_in(TABLE_SWEEP), 1);
	check_whole();
	writer_run_batch(writer);
	ck_assert_uint_eq(rows_in(TABLE_BODY), 1000);
	writer_run_batch(writer);
	ck_assert_uint_eq(rows_in(TABLE_BODY), 0);
	ck_assert_uint_eq(rows_in(TABLE_SWEEP), 0);
}
END_TEST

START_TEST(intake__crash_between_parts_is_swept_at_the_next_start)
{
	struct job_part a;
	uint64_t id = put_mail(5000);
	uint64_t kept = rows_in(TABLE_BODY);

	part_init(&a, 10, 1);
	run(&a.job);
	test_reopen();
	ck_assert_uint_eq(rows_in(TABLE_INCOMING), 0);
	check_whole();
	run_all();
	ck_assert_uint_eq(rows_in(TABLE_BODY), kept);
	ck_assert(!is_gone(id));
	buf_done(&a.body);
	check_whole();
}
END_TEST

START_TEST(intake__crash_in_the_middle_of_sweeping_is_finished)
{
	struct job_discard d = {.job.kind = JOB_DISCARD};
	struct job_part a;

	part_init(&a, 3000, 1);
	run(&a.job);
	d.id = a.up.id;
	d.chunks = 3000;
	d.job.report = on_report;
	writer_submit(writer, &d.job);
	writer_run_batch(writer);
	writer_run_batch(writer); /* 1,000 are left */
	test_reopen();
	ck_assert_uint_eq(rows_in(TABLE_BODY), 1000);
	run_all();
	ck_assert_uint_eq(rows_in(TABLE_BODY), 0);
	ck_assert_uint_eq(rows_in(TABLE_SWEEP), 0);
	buf_done(&a.body);
}
END_TEST

START_TEST(intake__upload_from_before_a_restart_is_absent)
{
	struct job_part a, b;
	struct mail m;

	part_init(&a, 2, 1);
	part_init(&b, 2, 1);
	mail_init(&m, 10, 1);
	mail_rcpt(&m, "u", "a.test");
	run(&a.job);
	test_reopen();
	b.up = m.add.up = a.up;
	ck_assert_int_eq(run(&b.job), STORE_ABSENT);
	ck_assert_int_eq(run(&m.add.job), STORE_ABSENT);
	ck_assert_uint_eq(counts().messages, 0);
	buf_done(&a.body);
	buf_done(&b.body);
	mail_done(&m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("intake");
	TCase *t = tcase_create("intake");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, intake__content_comes_back_octet_for_octet, 0,
			    MX_ARRAY_SIZE(sizes));
	tcase_add_test(t, intake__id_is_filled_in_before_the_sum);
	tcase_add_test(t, intake__envelope_comes_back);
	tcase_add_test(t,
		       intake__message_for_two_destinations_counts_once_in_all);
	tcase_add_test(t, intake__nothing_is_due_before_it_arrived);
	tcase_add_loop_test(t, intake__held_message_is_not_due, 0, 2);
	tcase_add_test(t, intake__expire_time_has_its_row);
	tcase_add_test(t, intake__ids_rise_even_when_the_clock_falls);
	tcase_add_test(t, intake__ids_are_not_given_again_after_a_restart);
	tcase_add_test(t, intake__report_goes_to_a_destination_of_its_own_kind);
	tcase_add_test(t, intake__message_without_recipients_is_refused);
	tcase_add_test(
		t, intake__text_too_long_for_a_record_fails_its_message_alone);
	tcase_add_test(t, intake__parts_make_one_message);
	tcase_add_test(t, intake__parts_alone_are_no_message);
	tcase_add_test(t, intake__discard_removes_the_parts);
	tcase_add_test(t, intake__large_discard_goes_in_slices);
	tcase_add_test(t,
		       intake__crash_between_parts_is_swept_at_the_next_start);
	tcase_add_test(t, intake__crash_in_the_middle_of_sweeping_is_finished);
	tcase_add_test(t, intake__upload_from_before_a_restart_is_absent);
	suite_add_tcase(s, t);
	return run_suite(s);
}
