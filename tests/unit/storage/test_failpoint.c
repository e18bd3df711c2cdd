/*
 * Death and failure at every named step of the writer: after it the queue is
 * whole, what was acknowledged is there, what was not is there whole or not
 * at all. Test builds only.
 */
#include "fixture.h"

#include <sys/wait.h>

#include "mxhold/storage/failpoint.h"

static struct settle_rcpt failed = {.what = SETTLE_FAILED, .reply = "550 no"};

/* What the child does: every kind of job, each acknowledged in a pipe. */
static void work(int ack)
{
	struct job_part part = {.job.kind = JOB_PART, .id_at = SIZE_MAX};
	struct job_settle s = {.job.kind = JOB_SETTLE,
			       .rcpts = &failed,
			       .n_rcpts = 1,
			       .now_ms = T0};
	struct job_change c = {
		.job.kind = JOB_CHANGE, .change = CHANGE_DELETE, .n = 1};
	struct mail m, report;

	s.id = put_mail(9000);
	if (write(ack, "1", 1) != 1)
		_exit(3);
	fill_body(&part.body, 3 * CHUNK_SIZE, 1);
	mail_init(&m, 100, 1);
	mail_rcpt(&m, "u", "a.test");
	if (run(&part.job) == STORE_OK) {
		m.add.up = part.up;
		if (run(&m.add.job) == STORE_OK && write(ack, "2", 1) != 1)
			_exit(3);
	}
	mail_init(&report, 100, 1);
	mail_rcpt(&report, "s", "s.test");
	report.add.report_dest = true;
	s.report = &report.add;
	s.dest = dest_of("a.test");
	if (run(&s.job) == STORE_OK && write(ack, "s", 1) != 1)
		_exit(3);
	c.ids[0] = m.add.up.id;
	if (run(&c.job) == STORE_OK && write(ack, "d", 1) != 1)
		_exit(3);
	_exit(0);
}

static const struct {
	const char *spec;
	const char *acked;    /* how far it may come */
	uint64_t least, most; /* messages after */
} deaths[] = {
	{"chunk-put", "", 0, 0},
	{"chunk-put:3", "", 0, 0},
	{"chunk-put:5", "1", 1, 1},
	{"chunk-commit", "1", 1, 1},
	{"envelope-put", "", 0, 0},
	{"envelope-put:2", "1", 1, 1},
	{"before-commit", "", 0, 0},
	{"before-commit:2", "1", 1, 1},
	{"before-commit:3", "1", 1, 1},
	{"before-commit:4", "12", 2, 2},
	{"after-commit-before-250", "", 1, 1},
	{"after-commit-before-250:2", "1", 2, 2},
	{"dsn-put", "12", 2, 2},
	{"after-delivered-commit", "12", 2, 2},
	{"delete-batch", "12s", 2, 2},
	{"nothing", "12sd", 1, 1},
};

/* Runs work in a child that dies there; what it acknowledged. */
static void run_child(const char *spec, char acked[16])
{
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	test_close();
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		test_open();
		failpoint_set(spec);
		work(ends[1]);
	}
	close(ends[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	n = read(ends[0], acked, 15);
	acked[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	ck_assert_int_eq(WIFSIGNALED(status), strcmp(spec, "nothing") != 0);
	test_open();
}

START_TEST(failpoint__death_there_loses_nothing)
{
	char acked[16];

	run_child(deaths[_i].spec, acked);
	ck_assert_str_eq(acked, deaths[_i].acked);
	ck_assert_uint_ge(counts().messages, deaths[_i].least);
	ck_assert_uint_le(counts().messages, deaths[_i].most);
	check_whole();
	run_all();
	ck_assert_uint_eq(rows_in(TABLE_INCOMING), 0);
	check_whole();
}
END_TEST

static const struct {
	const char *spec;
	enum store_result want;
	bool alarm;
} failures[] = {
	{"chunk-put=eio", STORE_FAILED, false},
	{"chunk-put=enospc", STORE_FULL, false},
	{"envelope-put=eio", STORE_FAILED, false},
	{"envelope-put=enospc", STORE_FULL, false},
	{"before-commit=eio", STORE_FAILED, true},
	{"before-commit=enospc", STORE_FULL, true},
};

START_TEST(failpoint__failure_there_is_reported)
{
	struct mail m;

	mail_init(&m, 9000, 1);
	mail_rcpt(&m, "u", "a.test");
	failpoint_set(failures[_i].spec);
	ck_assert_int_eq(run(&m.add.job), failures[_i].want);
	ck_assert(store_is_failing(store) == failures[_i].alarm);
	ck_assert_uint_eq(counts().messages, 0);
	ck_assert_int_eq(run(&m.add.job), STORE_OK);
	ck_assert(!store_is_failing(store));
	mail_done(&m);
	check_whole();
}
END_TEST

static struct mail mails[10];

static void submit_ten(void)
{
	for (size_t i = 0; i < 10; i++) {
		mail_init(&mails[i], 5000, (unsigned)i);
		mail_rcpt(&mails[i], "u", "a.test");
		writer_submit(writer, &mails[i].add.job);
	}
}

static unsigned count_results(enum store_result r)
{
	unsigned n = 0;

	for (size_t i = 0; i < 10; i++)
		n += mails[i].add.job.result == r;
	return n;
}

START_TEST(failpoint__failing_disk_fails_the_whole_batch_once)
{
	submit_ten();
	failpoint_set("before-commit=eio");
	ck_assert_uint_eq(writer_run_batch(writer), 10);
	ck_assert_uint_eq(count_results(STORE_FAILED), 10);
	ck_assert_uint_eq(counts().messages, 0);
}
END_TEST

START_TEST(failpoint__full_disk_replays_one_by_one)
{
	submit_ten();
	failpoint_set("before-commit=enospc");
	ck_assert_uint_eq(writer_run_batch(writer), 10);
	ck_assert_uint_eq(count_results(STORE_OK), 10);
	ck_assert_uint_eq(counts().messages, 10);
	check_whole();
}
END_TEST

START_TEST(failpoint__disk_that_stays_full_refuses_each)
{
	submit_ten();
	failpoint_set("before-commit:1+=enospc");
	writer_run_batch(writer);
	ck_assert_uint_eq(count_results(STORE_FULL), 10);
	ck_assert(store_is_failing(store));
	failpoint_set(NULL);
	put_mail(10);
	ck_assert(!store_is_failing(store));
}
END_TEST

START_TEST(failpoint__one_failed_put_replays_one_by_one)
{
	submit_ten();
	failpoint_set("chunk-put:3=enospc");
	writer_run_batch(writer);
	ck_assert_uint_eq(count_results(STORE_OK), 10);
	check_whole();
}
END_TEST

START_TEST(failpoint__acknowledging_early_can_be_seen)
{
	submit_ten();
	failpoint_set("ack-early");
	n_reported = 0;
	ck_assert_uint_eq(writer_run_batch(writer), 10);
	ck_assert_uint_eq(n_reported, 10);
	ck_assert_uint_eq(writer_waiting(writer), 0);
	ck_assert_uint_eq(counts().messages, 10);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("failpoint");
	TCase *t = tcase_create("failpoint");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, failpoint__death_there_loses_nothing, 0,
			    MX_ARRAY_SIZE(deaths));
	tcase_add_loop_test(t, failpoint__failure_there_is_reported, 0,
			    MX_ARRAY_SIZE(failures));
	tcase_add_test(t, failpoint__failing_disk_fails_the_whole_batch_once);
	tcase_add_test(t, failpoint__full_disk_replays_one_by_one);
	tcase_add_test(t, failpoint__disk_that_stays_full_refuses_each);
	tcase_add_test(t, failpoint__one_failed_put_replays_one_by_one);
	tcase_add_test(t, failpoint__acknowledging_early_can_be_seen);
	suite_add_tcase(s, t);
	return run_suite(s);
}
