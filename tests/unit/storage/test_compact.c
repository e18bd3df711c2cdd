/* The file made smaller, and nothing lost on the way. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "mxhold/storage/compact.h"
#include "mxhold/storage/failpoint.h"

static struct compact_result result;
static struct error err;

static uint64_t size_of(const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/queue/%s", test_dir, name);
	return stat(path, &st) ? 0 : (uint64_t)st.st_size;
}

static void remove_mail(uint64_t id)
{
	struct job_change c = {
		.job.kind = JOB_CHANGE, .change = CHANGE_DELETE, .n = 1};

	c.ids[0] = id;
	ck_assert_int_eq(run(&c.job), STORE_OK);
	run_all();
}

static uint64_t kept, last;

/* A little mail in a large file. */
static void fill(size_t large)
{
	uint64_t gone;

	kept = put_three();
	gone = put_mail(large);
	last = put_mail(700);
	remove_mail(gone);
	remove_mail(last);
}

static void check_kept(void)
{
	struct queue_message m;

	test_open();
	check_whole();
	m = get(kept);
	ck_assert_uint_eq(m.size, 5000);
	ck_assert_uint_eq(m.n_rcpts, 3);
	ck_assert_uint_eq(counts().messages, 1);
	ck_assert_uint_eq(count_due("a.test", INT64_MAX), 1);
}

START_TEST(compact__makes_the_file_small_and_keeps_the_mail)
{
	fill(8 << 20);
	test_close();
	ck_assert_msg(store_compact(test_dir, false, &result, &err) == 0, "%s",
		      err.text);
	ck_assert_uint_gt(result.before, 8 << 20);
	ck_assert_uint_lt(result.after, 1 << 20);
	ck_assert_uint_eq(result.messages, 1);
	ck_assert_uint_eq(size_of("data.mdb"), result.after);
	ck_assert_uint_eq(size_of("data.mdb.new"), 0);
	check_kept();
}
END_TEST

START_TEST(compact__gives_no_id_twice)
{
	fill(1 << 20);
	test_close();
	ck_assert_int_eq(store_compact(test_dir, false, &result, &err), 0);
	test_open();
	ck_assert_uint_gt(put_mail(10), last);
	check_whole();
}
END_TEST

START_TEST(compact__of_an_empty_queue_keeps_its_last_id)
{
	uint64_t id = put_mail(100);

	remove_mail(id);
	test_close();
	ck_assert_int_eq(store_compact(test_dir, false, &result, &err), 0);
	test_open();
	ck_assert_uint_gt(put_mail(10), id);
	check_whole();
}
END_TEST

START_TEST(compact__of_a_queue_never_used_works)
{
	test_close();
	ck_assert_msg(store_compact(test_dir, false, &result, &err) == 0, "%s",
		      err.text);
	test_open();
	check_whole();
}
END_TEST

START_TEST(compact__dry_changes_nothing)
{
	uint64_t before;

	fill(8 << 20);
	test_close();
	before = size_of("data.mdb");
	ck_assert_int_eq(store_compact(test_dir, true, &result, &err), 0);
	ck_assert_uint_eq(result.before, before);
	ck_assert_uint_lt(result.used, 1 << 20);
	ck_assert_uint_eq(result.after, 0);
	ck_assert_uint_eq(size_of("data.mdb"), before);
	test_open();
}
END_TEST

START_TEST(compact__is_refused_while_a_daemon_runs)
{
	ck_assert_int_eq(store_compact(test_dir, false, &result, &err), -1);
	ck_assert_int_eq(err.sys, EWOULDBLOCK);
}
END_TEST

START_TEST(compact__without_a_queue_makes_none)
{
	test_close();
	ck_assert_int_eq(store_compact("/nowhere", false, &result, &err), -1);
	ck_assert_int_eq(err.sys, ENOENT);
	test_open();
}
END_TEST

/* In a process of its own: LMDB's locks do not bind their owner. */
static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static int compact_now(void)
{
	return store_compact(test_dir, false, &result, &err) == 0 ? 0
	       : err.sys == EBUSY                                 ? 2
								  : 1;
}

START_TEST(compact__waits_for_no_reader)
{
	uint64_t before;

	fill(1 << 20);
	test_close();
	before = size_of("data.mdb");
	test_options.read_only = true;
	ck_assert_int_eq(store_open(&store, &test_options, &err), 0);
	ck_assert_int_eq(WEXITSTATUS(in_child(compact_now)), 2);
	ck_assert_uint_eq(size_of("data.mdb"), before);
	ck_assert_uint_eq(size_of("data.mdb.new"), 0);
	store_close(store);
	ck_assert_int_eq(in_child(compact_now), 0);
	test_options.read_only = false;
	check_kept();
}
END_TEST

/* As mdb_stat would: it knows nothing of our lock on the folder. */
START_TEST(compact__notices_other_tools)
{
	char path[128];
	MDB_env *env;

	fill(1 << 20);
	test_close();
	snprintf(path, sizeof(path), "%s/queue", test_dir);
	ck_assert_int_eq(mdb_env_create(&env), 0);
	ck_assert_int_eq(mdb_env_open(env, path, MDB_RDONLY, 0600), 0);
	ck_assert_int_eq(WEXITSTATUS(in_child(compact_now)), 2);
	mdb_env_close(env);
	ck_assert_int_eq(in_child(compact_now), 0);
	check_kept();
}
END_TEST

static void large_file(void)
{
	test_close();
	test_options.map_size = 512 << 20;
	test_open();
	fill(72 << 20);
	test_close();
	test_options.compact = true;
}

START_TEST(compact__at_start_when_mostly_empty)
{
	large_file();
	ck_assert_uint_gt(size_of("data.mdb"), COMPACT_MIN);
	check_kept();
	ck_assert_uint_lt(size_of("data.mdb"), 1 << 20);
}
END_TEST

START_TEST(compact__not_at_start_of_a_small_or_full_file)
{
	uint64_t before;

	fill(8 << 20);
	test_close();
	test_options.compact = true;
	before = size_of("data.mdb");
	check_kept();
	ck_assert_uint_eq(size_of("data.mdb"), before);
	test_close();
	test_options.map_size = 512 << 20;
	test_open();
	put_mail(72 << 20);
	test_close();
	before = size_of("data.mdb");
	test_open();
	ck_assert_uint_eq(size_of("data.mdb"), before);
}
END_TEST

START_TEST(compact__at_start_removes_what_an_interrupted_one_left)
{
	char path[128];
	FILE *f;

	fill(1 << 20);
	test_close();
	snprintf(path, sizeof(path), "%s/queue/data.mdb.new", test_dir);
	f = fopen(path, "w");
	fputs("half", f);
	fclose(f);
	test_options.compact = true;
	check_kept();
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

#ifdef MX_FAILPOINTS
static const char *const points[] = {"compact-copy", "compact-before-rename",
				     "compact-after-rename"};

START_TEST(compact__killed_anywhere_leaves_a_whole_file)
{
	int status;

	fill(1 << 20);
	test_close();
	failpoint_set(points[_i]);
	status = in_child(compact_now);
	failpoint_set(NULL);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGKILL);
	check_kept();
	ck_assert_uint_gt(put_mail(10), last);
	test_close();
	ck_assert_int_eq(store_compact(test_dir, false, &result, &err), 0);
	test_open();
	check_whole();
}
END_TEST

START_TEST(compact__that_fails_leaves_the_old_file)
{
	static const char *const specs[] = {"compact-copy=enospc",
					    "compact-before-rename=eio"};
	uint64_t before;

	fill(1 << 20);
	test_close();
	before = size_of("data.mdb");
	failpoint_set(specs[_i]);
	ck_assert_int_eq(store_compact(test_dir, false, &result, &err), -1);
	failpoint_set(NULL);
	ck_assert_uint_eq(size_of("data.mdb"), before);
	ck_assert_uint_eq(size_of("data.mdb.new"), 0);
	check_kept();
}
END_TEST
#endif

int main(void)
{
	Suite *s = suite_create("compact");
	TCase *t = tcase_create("compact");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, compact__makes_the_file_small_and_keeps_the_mail);
	tcase_add_test(t, compact__gives_no_id_twice);
	tcase_add_test(t, compact__of_an_empty_queue_keeps_its_last_id);
	tcase_add_test(t, compact__of_a_queue_never_used_works);
	tcase_add_test(t, compact__dry_changes_nothing);
	tcase_add_test(t, compact__is_refused_while_a_daemon_runs);
	tcase_add_test(t, compact__without_a_queue_makes_none);
	tcase_add_test(t, compact__waits_for_no_reader);
	tcase_add_test(t, compact__notices_other_tools);
	tcase_add_test(t, compact__at_start_when_mostly_empty);
	tcase_add_test(t, compact__not_at_start_of_a_small_or_full_file);
	tcase_add_test(t,
		       compact__at_start_removes_what_an_interrupted_one_left);
#ifdef MX_FAILPOINTS
	tcase_add_loop_test(t, compact__killed_anywhere_leaves_a_whole_file, 0,
			    3);
	tcase_add_loop_test(t, compact__that_fails_leaves_the_old_file, 0, 2);
#endif
	suite_add_tcase(s, t);
	return run_suite(s);
}
