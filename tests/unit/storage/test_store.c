#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "mxhold/base/clock.h"
#include "mxhold/storage/record.h"
#include "mxhold/storage/snapshot.h"

static int open_again(struct error *err)
{
	struct store *s = NULL;
	int rc = store_open(&s, &test_options, err);

	if (rc == 0)
		store_close(s);
	return rc;
}

START_TEST(store__second_daemon_is_refused)
{
	struct error err = {0};

	ck_assert_int_eq(open_again(&err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "another mxholdd"));
	ck_assert_int_eq(err.sys, EWOULDBLOCK);
}
END_TEST

START_TEST(store__lock_ends_with_the_store)
{
	struct error err = {0};

	test_close();
	ck_assert_int_eq(open_again(&err), 0);
}
END_TEST

START_TEST(store__state_dir_is_made_private)
{
	static char path[128];
	struct stat st;
	struct error err = {0};

	snprintf(path, sizeof(path), "%s/new", test_dir);
	test_options.state_dir = path;
	ck_assert_int_eq(open_again(&err), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
}
END_TEST

START_TEST(store__state_dir_without_parent_is_refused)
{
	static char path[128];
	struct error err = {0};

	snprintf(path, sizeof(path), "%s/not/there", test_dir);
	test_options.state_dir = path;
	ck_assert_int_eq(open_again(&err), -1);
	ck_assert_int_eq(err.sys, ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "not/there"));
}
END_TEST

START_TEST(store__newer_format_is_refused)
{
	uint8_t record[RECORD_SMALL_MAX];
	struct error err = {0};

	damage(TABLE_META, "format", 6, record,
	       record_encode_chunks(record, sizeof(record),
				    FORMAT_VERSION + 1));
	test_close();
	ck_assert_int_eq(open_again(&err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "newer version"));
}
END_TEST

START_TEST(store__damaged_format_is_refused)
{
	struct error err = {0};

	damage(TABLE_META, "format", 6, "x", 1);
	test_close();
	ck_assert_int_eq(open_again(&err), -1);
}
END_TEST

START_TEST(store__reader_beside_the_daemon_sees_the_queue)
{
	int status;
	pid_t pid;

	put_mail(1000);
	pid = fork();
	if (pid == 0) {
		struct store *s;
		struct error err;
		struct queue_counts c = {0};

		test_options.read_only = true;
		if (store_open(&s, &test_options, &err))
			_exit(1);
		reader_counts(reader_new(s), &c);
		_exit(c.messages == 1 ? 0 : 2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* Else a disk that others fill keeps deliveries from being taken down. */
START_TEST(store__keeps_blocks_in_hand)
{
	char probe[128];
	struct stat st;
	int fd;

	snprintf(probe, sizeof(probe), "%s/probe", test_dir);
	fd = open(probe, O_RDWR | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4096) == 0) {
		put_mail(1000);
		ck_assert_int_eq(stat(store->data_file, &st), 0);
		ck_assert_int_gt(st.st_blocks * 512, st.st_size + (1 << 20));
	}
	close(fd);
	unlink(probe);
}
END_TEST

static ino_t synced[64];
static size_t n_synced;

/* In the C library's place. */
int fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && n_synced < MX_ARRAY_SIZE(synced))
		synced[n_synced++] = st.st_ino;
	return (int)syscall(SYS_fsync, fd);
}

static bool is_synced(const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", test_dir, name);
	ck_assert_int_eq(stat(path, &st), 0);
	for (size_t i = 0; i < n_synced; i++)
		if (synced[i] == st.st_ino)
			return true;
	return false;
}

/* A process that was killed may have made or renamed what a power cut would
 * still take back: before anything is promised, its name is on disk. */
START_TEST(store__names_that_another_left_are_synced)
{
	test_close();
	n_synced = 0;
	test_open();
	ck_assert(is_synced("."));
	ck_assert(is_synced("queue"));
}
END_TEST

static int count_reader(const char *line, void *n)
{
	if (!strstr(line, "pid") && !strstr(line, "no active"))
		++*(int *)n;
	return 0;
}

static int slots_of_readers(void)
{
	int n = 0;

	ck_assert_int_ge(mdb_reader_list(store->env, count_reader, &n), 0);
	return n;
}

/* Its slot keeps every page that is freed from being used again. */
static void kill_a_reader(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct store *s;
		struct error err;

		test_options.read_only = true;
		if (!store_open(&s, &test_options, &err) &&
		    !snapshot_begin(reader_new(s)))
			raise(SIGKILL);
		_exit(1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
}

START_TEST(store__killed_reader_is_forgotten_within_a_minute)
{
	int64_t mono = clock_mono_ms();
	struct store_space space;
	int before;

	store_space(store, &space);
	before = slots_of_readers();
	kill_a_reader();
	ck_assert_int_gt(slots_of_readers(), before);
	clock_fake(mono + 61000, 0);
	store_space(store, &space);
	clock_fake_off();
	ck_assert_int_eq(slots_of_readers(), before);
}
END_TEST

/* While a queue drains nobody asks for room. */
START_TEST(store__killed_reader_is_forgotten_by_the_writer)
{
	int64_t mono = clock_mono_ms();
	int before;

	put_mail(1000);
	before = slots_of_readers();
	kill_a_reader();
	put_mail(1000);
	ck_assert_int_gt(slots_of_readers(), before);
	clock_fake(mono + 61000, T0);
	put_mail(1000);
	clock_fake_off();
	ck_assert_int_eq(slots_of_readers(), before);
}
END_TEST

START_TEST(store__reader_copes_without_a_daemon)
{
	struct queue_counts c;
	struct store_space space;
	struct error err = {0};
	struct reader *r;

	put_mail(1000);
	test_close();
	test_options.read_only = true;
	ck_assert_msg(store_open(&store, &test_options, &err) == 0, "%s",
		      err.text);
	r = reader_new(store);
	ck_assert_int_eq(reader_counts(r, &c), 0);
	ck_assert_uint_eq(c.messages, 1);
	store_space(store, &space);
	ck_assert_uint_gt(space.used, 0);
	reader_free(r);
	store_close(store);
	store = NULL;
}
END_TEST

START_TEST(store__reader_makes_nothing)
{
	static char path[128];
	struct error err = {0};

	snprintf(path, sizeof(path), "%s/empty", test_dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	test_options.state_dir = path;
	test_options.read_only = true;
	ck_assert_int_eq(open_again(&err), -1);
	ck_assert_int_eq(err.sys, ENOENT);
	ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

/* Root opening the queue of a user must not leave a lock.mdb of root's. */
START_TEST(store__root_makes_no_lock_file_for_another_owner)
{
	char data[128], lock[128];
	struct stat st;
	struct error err = {0};

	if (geteuid() != 0)
		return; /* only root can try it */
	test_close();
	snprintf(data, sizeof(data), "%s/queue/data.mdb", test_dir);
	snprintf(lock, sizeof(lock), "%s/queue/lock.mdb", test_dir);
	ck_assert_int_eq(chown(data, 12345, 12345), 0);
	ck_assert_int_eq(unlink(lock), 0);
	test_options.read_only = true;
	ck_assert_int_eq(open_again(&err), -1);
	ck_assert_int_eq(err.sys, EPERM);
	ck_assert_int_eq(stat(lock, &st), -1);
}
END_TEST

START_TEST(store__root_becomes_the_owner)
{
	char data[128];
	int status;
	pid_t pid;

	if (geteuid() != 0)
		return;
	test_close();
	snprintf(data, sizeof(data), "%s/queue/data.mdb", test_dir);
	ck_assert_int_eq(chown(data, 12345, 12346), 0);
	pid = fork();
	if (pid == 0) {
		struct error err;

		if (store_become_owner(test_dir, &err))
			_exit(1);
		_exit(getuid() == 12345 && getegid() == 12346 ? 0 : 2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(store__map_follows_from_the_limit)
{
	struct store_space space;

	test_close();
	test_options.map_size = 0;
	test_options.max_bytes = UINT64_C(1) << 30;
	test_open();
	ck_assert_uint_eq(store->map_size, (UINT64_C(9) << 30) / 4);
	store_space(store, &space);
	ck_assert_uint_eq(space.max_bytes, UINT64_C(1) << 30);
}
END_TEST

START_TEST(store__limit_follows_from_a_map_given)
{
	struct store_space space;

	store_space(store, &space);
	ck_assert_uint_eq(space.max_bytes, TEST_MAP / 5 * 4);
}
END_TEST

/* Else nothing of it could be delivered or deleted any more. */
START_TEST(store__what_lies_beyond_a_smaller_limit_can_still_leave)
{
	uint64_t ids[40];
	struct job_change c = {
		.job.kind = JOB_CHANGE, .change = CHANGE_DELETE, .n = 1};
	struct mail m;

	for (size_t i = 0; i < MX_ARRAY_SIZE(ids); i++)
		ids[i] = put_mail(1 << 20);
	test_options.map_size = 8 << 20;
	test_reopen();
	mail_init(&m, 1000, 1);
	mail_rcpt(&m, "u", "a.test");
	ck_assert_int_eq(run(&m.add.job), STORE_FULL); /* but no more of it */
	mail_done(&m);
	ck_assert(!store_has_room(store, 1000));
	for (size_t i = 0; i < MX_ARRAY_SIZE(ids); i++) {
		c.ids[0] = ids[i];
		ck_assert_int_eq(run(&c.job), STORE_OK);
	}
	run_all();
	ck_assert_uint_eq(counts().messages, 0);
	put_mail(1000);
	check_whole();
}
END_TEST

START_TEST(store__auto_limit_is_most_of_the_file_system)
{
	struct store_space space;

	test_close();
	test_options.map_size = 0;
	test_open();
	store_space(store, &space);
	ck_assert_uint_eq(space.max_bytes, space.disk_total / 5 * 4);
}
END_TEST

START_TEST(store__has_no_room_beyond_its_limit)
{
	ck_assert(store_has_room(store, 1 << 20));
	ck_assert(!store_has_room(store, TEST_MAP));
	ck_assert(!store_has_room(store, UINT64_MAX));
}
END_TEST

START_TEST(store__has_no_room_within_the_reserve)
{
	test_close();
	test_options.reserve = UINT64_C(1) << 60;
	test_open();
	ck_assert(!store_has_room(store, 1));
}
END_TEST

START_TEST(store__used_goes_up_and_down_with_the_mail)
{
	struct store_space empty, full, after;
	struct job_change c = {
		.job.kind = JOB_CHANGE, .change = CHANGE_DELETE, .n = 1};

	store_space(store, &empty);
	c.ids[0] = put_mail(1 << 20);
	store_space(store, &full);
	ck_assert_uint_gt(full.used, empty.used + (1 << 20));
	ck_assert_int_eq(run(&c.job), STORE_OK);
	store_space(store, &after);
	ck_assert_uint_lt(after.used, empty.used + (64 << 10));
}
END_TEST

/* A file that has grown once must not refuse mail for ever. */
START_TEST(store__free_pages_of_the_file_count_as_free)
{
	struct job_change c = {
		.job.kind = JOB_CHANGE, .change = CHANGE_DELETE, .n = 1};
	struct store_space space;

	c.ids[0] = put_mail(8 << 20);
	run(&c.job);
	store->reserve = 0;
	clock_fake(1000, 1000);
	ck_assert(!store_is_failing(store));
	atomic_store(&store->asked_at_ms, 1000);
	atomic_store(&store->file_bytes, 9 << 20);
	atomic_store(&store->disk_free, 0);
	store_space(store, &space);
	ck_assert_uint_eq(space.disk_free, 0);
	ck_assert(store_has_room(store, 1 << 20));
	store->reserve = 9 << 20;
	ck_assert(!store_has_room(store, 1 << 20));
	clock_fake_off();
}
END_TEST

START_TEST(store__names_of_states_are_the_contract)
{
	ck_assert_str_eq(queue_state_name(QUEUE_READY), "ready");
	ck_assert_str_eq(queue_state_name(QUEUE_RETRY), "retry");
	ck_assert_str_eq(queue_state_name(QUEUE_HELD), "held");
	ck_assert_str_eq(queue_state_name(QUEUE_QUARANTINE), "quarantine");
	ck_assert_str_eq(rcpt_state_name(RCPT_PENDING), "pending");
	ck_assert_str_eq(rcpt_state_name(RCPT_DELIVERED), "delivered");
	ck_assert_str_eq(rcpt_state_name(RCPT_FAILED), "failed");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("store");
	TCase *t = tcase_create("store");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, store__second_daemon_is_refused);
	tcase_add_test(t, store__lock_ends_with_the_store);
	tcase_add_test(t, store__state_dir_is_made_private);
	tcase_add_test(t, store__state_dir_without_parent_is_refused);
	tcase_add_test(t, store__newer_format_is_refused);
	tcase_add_test(t, store__damaged_format_is_refused);
	tcase_add_test(t, store__reader_beside_the_daemon_sees_the_queue);
	tcase_add_test(t, store__keeps_blocks_in_hand);
	tcase_add_test(t, store__names_that_another_left_are_synced);
	tcase_add_test(t, store__killed_reader_is_forgotten_within_a_minute);
	tcase_add_test(t, store__killed_reader_is_forgotten_by_the_writer);
	tcase_add_test(t, store__reader_copes_without_a_daemon);
	tcase_add_test(t, store__reader_makes_nothing);
	tcase_add_test(t, store__root_makes_no_lock_file_for_another_owner);
	tcase_add_test(t, store__root_becomes_the_owner);
	tcase_add_test(t, store__map_follows_from_the_limit);
	tcase_add_test(t, store__limit_follows_from_a_map_given);
	tcase_add_test(t,
		       store__what_lies_beyond_a_smaller_limit_can_still_leave);
	tcase_add_test(t, store__auto_limit_is_most_of_the_file_system);
	tcase_add_test(t, store__has_no_room_beyond_its_limit);
	tcase_add_test(t, store__has_no_room_within_the_reserve);
	tcase_add_test(t, store__used_goes_up_and_down_with_the_mail);
	tcase_add_test(t, store__free_pages_of_the_file_count_as_free);
	tcase_add_test(t, store__names_of_states_are_the_contract);
	suite_add_tcase(s, t);
	return run_suite(s);
}
