/* Batches, replays, limits, the thread. */
#include "fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "mxhold/base/stats.h"

static struct mail mails[600];

static void submit_many(size_t from, size_t n, size_t size)
{
	for (size_t i = from; i < from + n; i++) {
		mail_init(&mails[i], size, (unsigned)i);
		mail_rcpt(&mails[i], "u", "a.test");
		writer_submit(writer, &mails[i].add.job);
	}
}

static void done_many(size_t n)
{
	for (size_t i = 0; i < n; i++)
		mail_done(&mails[i]);
}

START_TEST(writer__one_commit_serves_all_that_wait)
{
	uint64_t before = counter_get(&stats.commit_seconds.count);

	submit_many(0, 100, 500);
	ck_assert_uint_eq(writer_run_batch(writer), 100);
	ck_assert_uint_eq(n_reported, 100);
	ck_assert_uint_eq(counter_get(&stats.commit_seconds.count), before + 1);
	ck_assert_uint_eq(counts().messages, 100);
	done_many(100);
	check_whole();
}
END_TEST

/* RX-26 */
START_TEST(writer__nothing_is_reported_before_the_commit)
{
	submit_many(0, 3, 500);
	ck_assert_uint_eq(n_reported, 0);
	ck_assert_uint_eq(counts().messages, 0);
	writer_run_batch(writer);
	ck_assert_uint_eq(n_reported, 3);
	done_many(3);
}
END_TEST

START_TEST(writer__batch_holds_256_messages)
{
	submit_many(0, 600, 10);
	ck_assert_uint_eq(writer_run_batch(writer), 256);
	submit_many(0, 0, 0);
	ck_assert_uint_eq(writer_run_batch(writer), 256);
	ck_assert_uint_eq(writer_run_batch(writer), 88);
	ck_assert_uint_eq(writer_run_batch(writer), 0);
	/* In the order in which they came. */
	for (size_t i = 1; i < 600; i++)
		ck_assert_uint_lt(mails[i - 1].add.up.id, mails[i].add.up.id);
	done_many(600);
	check_whole();
}
END_TEST

START_TEST(writer__batch_holds_16_mib)
{
	submit_many(0, 5, 6 << 20);
	ck_assert_uint_eq(writer_waiting(writer), 5 * (6 << 20));
	ck_assert_uint_eq(writer_run_batch(writer), 2);
	ck_assert_uint_eq(writer_waiting(writer), 3 * (6 << 20));
	ck_assert_uint_eq(writer_run_batch(writer), 2);
	ck_assert_uint_eq(writer_run_batch(writer), 1);
	ck_assert_uint_eq(writer_waiting(writer), 0);
	done_many(5);
}
END_TEST

START_TEST(writer__change_counts_as_many_messages)
{
	static struct job_change c[3];

	for (int i = 0; i < 3; i++) {
		c[i] = (struct job_change){.job.kind = JOB_CHANGE,
					   .job.report = on_report,
					   .n = CHANGE_MAX};
		writer_submit(writer, &c[i].job);
	}
	ck_assert_uint_eq(writer_run_batch(writer), 1);
	ck_assert_uint_eq(writer_run_batch(writer), 1);
	ck_assert_uint_eq(writer_run_batch(writer), 1);
}
END_TEST

/* --- a full map -------------------------------------------------------- */

static MDB_txn *pinned;

/* A reader that keeps every freed page from being used again. */
static void fill_with_dead_pages(size_t bytes)
{
	struct job_change c = {
		.job.kind = JOB_CHANGE, .change = CHANGE_DELETE, .n = 1};

	ck_assert_int_eq(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &pinned),
			 0);
	c.ids[0] = put_mail(bytes / 2);
	run(&c.job);
	c.ids[0] = put_mail(bytes / 2);
	run(&c.job);
}

static void small_map(void)
{
	test_close();
	test_options.map_size = 8 << 20;
	test_open();
}

START_TEST(writer__only_the_culprit_of_a_full_map_fails)
{
	small_map();
	fill_with_dead_pages(6 << 20);
	n_reported = 0;
	submit_many(0, 1, 500);
	submit_many(1, 1, 3 << 20);
	submit_many(2, 1, 500);
	ck_assert_uint_eq(writer_run_batch(writer), 3);
	ck_assert_uint_eq(n_reported, 3);
	ck_assert_int_eq(mails[0].add.job.result, STORE_OK);
	ck_assert_int_eq(mails[1].add.job.result, STORE_FULL);
	ck_assert_int_eq(mails[2].add.job.result, STORE_OK);
	ck_assert_uint_eq(mails[1].add.up.id, 0);
	ck_assert_uint_eq(mails[1].add.up.chunks, 0);
	ck_assert_uint_eq(counts().messages, 2);
	mdb_txn_abort(pinned);
	check_whole();

	/* And it may be tried again, later. */
	run_all();
	ck_assert_int_eq(run(&mails[1].add.job), STORE_OK);
	done_many(3);
	check_whole();
}
END_TEST

START_TEST(writer__full_queue_refuses_and_still_drains)
{
	static uint64_t ids[600];
	struct job_change c = {.job.kind = JOB_CHANGE, .change = CHANGE_DELETE};
	struct mail m;
	size_t n = 0;

	small_map();
	for (;;) {
		mail_init(&m, 100000, 1);
		mail_rcpt(&m, "u", "a.test");
		if (run(&m.add.job) != STORE_OK)
			break;
		ids[n++] = m.add.up.id;
		mail_done(&m);
	}
	ck_assert_int_eq(m.add.job.result, STORE_FULL);
	mail_done(&m);
	ck_assert_uint_gt(n, 50);
	for (size_t i = 0; i < n; i++) {
		c.ids[0] = ids[i];
		c.n = 1;
		ck_assert_int_eq(run(&c.job), STORE_OK);
	}
	ck_assert_uint_eq(counts().messages, 0);
	put_mail(100000);
	check_whole();
}
END_TEST

START_TEST(writer__full_map_is_no_alarm)
{
	small_map();
	fill_with_dead_pages(6 << 20);
	submit_many(0, 1, 3 << 20);
	writer_run_batch(writer);
	ck_assert_int_eq(mails[0].add.job.result, STORE_FULL);
	ck_assert(!store_is_failing(store));
	mdb_txn_abort(pinned);
	done_many(1);
}
END_TEST

/* --- a broken disk ------------------------------------------------------ */

START_TEST(writer__failed_meta_page_is_the_end)
{
	writer_on_panic(writer, on_panic);
	break_meta_page();
	submit_many(0, 3, 500);
	ck_assert_uint_eq(writer_run_batch(writer), 3);
	ck_assert_uint_eq(panics, 1);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(mails[i].add.job.result, STORE_FAILED);
	ck_assert(store_is_failing(store));
	done_many(3);
}
END_TEST

/* Data pages fail cleanly: the next transaction is a new one. */
START_TEST(writer__failed_data_page_is_not)
{
	struct rlimit small = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
	struct rlimit before;

	writer_on_panic(writer, on_panic);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	submit_many(0, 3, 5000);
	ck_assert_uint_eq(writer_run_batch(writer), 3);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(mails[i].add.job.result, STORE_FAILED);
	ck_assert(store_is_failing(store));
	ck_assert_uint_eq(panics, 0);
	ck_assert_int_eq(run(&mails[0].add.job), STORE_OK);
	ck_assert(!store_is_failing(store));
	done_many(3);
	check_whole();
}
END_TEST

/* --- a crash ----------------------------------------------------------- */

START_TEST(writer__what_was_submitted_but_not_run_is_finished_by_stop)
{
	submit_many(0, 300, 500);
	test_reopen();
	ck_assert_uint_eq(n_reported, 300);
	ck_assert_uint_eq(counts().messages, 300);
	done_many(300);
	check_whole();
}
END_TEST

START_TEST(writer__aborted_transaction_leaves_no_trace)
{
	struct upload nothing = {0};
	static struct job_settle j;
	static struct settle_rcpt r;
	struct mail report;
	uint64_t id;

	small_map();
	id = put_mail(100);
	mail_init(&report, 3 << 20, 1);
	mail_rcpt(&report, "s", "s.test");
	fill_with_dead_pages(6 << 20);
	j = (struct job_settle){.job.kind = JOB_SETTLE,
				.id = id,
				.dest = dest_of("a.test"),
				.rcpts = &r,
				.n_rcpts = 1,
				.report = &report.add,
				.count_attempt = true};
	r = (struct settle_rcpt){.what = SETTLE_FAILED, .reply = "550 no"};
	ck_assert_int_eq(run(&j.job), STORE_FULL);
	ck_assert_int_eq(get(id).rcpts[0].state, RCPT_PENDING);
	ck_assert_uint_eq(get(id).attempts, 0);
	ck_assert_uint_eq(counts().messages, 1);
	ck_assert_mem_eq(&report.add.up, &nothing, sizeof(nothing));
	mdb_txn_abort(pinned);
	mail_done(&report);
	check_whole();
}
END_TEST

/* --- calls ------------------------------------------------------------- */

static enum store_result count_rows(struct job_call *c, void *txn,
				    struct store *s)
{
	MDB_stat st;

	if (mdb_stat(txn, s->dbi[TABLE_MESSAGE], &st))
		return STORE_FAILED;
	*(size_t *)c->arg = st.ms_entries;
	return STORE_OK;
}

START_TEST(writer__call_sees_what_was_submitted_before_it)
{
	size_t rows = 0;
	struct job_call c = {
		.job.kind = JOB_CALL, .call = count_rows, .arg = &rows};

	submit_many(0, 4, 10);
	ck_assert_int_eq(run(&c.job), STORE_OK);
	ck_assert_uint_eq(rows, 4);
	done_many(4);
}
END_TEST

static enum store_result fail_call(struct job_call *c, void *txn,
				   struct store *s)
{
	(void)c;
	(void)txn;
	(void)s;
	return STORE_FAILED;
}

START_TEST(writer__failing_call_fails_alone)
{
	struct job_call c = {.job.kind = JOB_CALL, .call = fail_call};

	submit_many(0, 2, 10);
	ck_assert_int_ne(run(&c.job), STORE_OK);
	ck_assert_uint_eq(counts().messages, 2);
	done_many(2);
}
END_TEST

/* --- the thread -------------------------------------------------------- */

enum {
	PRODUCERS = 4,
	EACH = 100
};

static atomic_uint good;

static void count_good(struct job *job)
{
	if (job->result == STORE_OK)
		atomic_fetch_add(&good, 1);
}

static void *produce(void *data)
{
	size_t from = (size_t)data;

	for (size_t i = from; i < from + EACH; i++) {
		mail_init(&mails[i], 700, (unsigned)i);
		mail_rcpt(&mails[i], "u", i % 2 ? "a.test" : "b.test");
		mails[i].add.job.report = count_good;
		writer_submit(writer, &mails[i].add.job);
	}
	return NULL;
}

START_TEST(writer__thread_serves_many_producers)
{
	pthread_t threads[PRODUCERS];
	struct error err;

	ck_assert_int_eq(writer_start(writer, &err), 0);
	for (size_t i = 0; i < PRODUCERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, produce,
						(void *)(i * EACH)),
				 0);
	for (size_t i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	test_reopen(); /* stop finishes what was submitted */
	ck_assert_uint_eq(atomic_load(&good), PRODUCERS * EACH);
	ck_assert_uint_eq(counts().messages, PRODUCERS * EACH);
	ck_assert_uint_eq(counts_of("a.test").messages, PRODUCERS * EACH / 2);
	done_many(PRODUCERS * EACH);
	check_whole();
}
END_TEST

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;
static bool reported;

static void wake(struct job *job)
{
	(void)job;
	pthread_mutex_lock(&lock);
	reported = true;
	pthread_cond_signal(&ready);
	pthread_mutex_unlock(&lock);
}

static void run_on_thread(struct job *job)
{
	job->report = wake;
	reported = false;
	writer_submit(writer, job);
	pthread_mutex_lock(&lock);
	while (!reported)
		pthread_cond_wait(&ready, &lock);
	pthread_mutex_unlock(&lock);
}

START_TEST(writer__thread_sweeps_when_idle)
{
	struct job_change c = {
		.job.kind = JOB_CHANGE, .change = CHANGE_DELETE, .n = 1};
	struct error err;
	int rounds = 0;

	c.ids[0] = put_mail(5000 * CHUNK_SIZE);
	ck_assert_int_eq(writer_start(writer, &err), 0);
	run_on_thread(&c.job);
	while (rows_in(TABLE_SWEEP) > 0 && rounds++ < 3000)
		usleep(10000);
	ck_assert_uint_eq(rows_in(TABLE_SWEEP), 0);
	ck_assert_uint_eq(rows_in(TABLE_BODY), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("writer");
	TCase *t = tcase_create("writer");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, writer__one_commit_serves_all_that_wait);
	tcase_add_test(t, writer__nothing_is_reported_before_the_commit);
	tcase_add_test(t, writer__batch_holds_256_messages);
	tcase_add_test(t, writer__batch_holds_16_mib);
	tcase_add_test(t, writer__change_counts_as_many_messages);
	tcase_add_test(t, writer__only_the_culprit_of_a_full_map_fails);
	tcase_add_test(t, writer__full_queue_refuses_and_still_drains);
	tcase_add_test(t, writer__full_map_is_no_alarm);
	tcase_add_test(
		t, writer__what_was_submitted_but_not_run_is_finished_by_stop);
	tcase_add_test(t, writer__aborted_transaction_leaves_no_trace);
	tcase_add_test(t, writer__call_sees_what_was_submitted_before_it);
	tcase_add_test(t, writer__failing_call_fails_alone);
	tcase_add_test(t, writer__thread_serves_many_producers);
	tcase_add_test(t, writer__thread_sweeps_when_idle);
	tcase_add_test(t, writer__failed_meta_page_is_the_end);
	tcase_add_test(t, writer__failed_data_page_is_not);
	suite_add_tcase(s, t);
	return run_suite(s);
}
