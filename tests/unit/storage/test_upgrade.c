/* Queues of other versions. */
#include "fixture.h"

#include "mxhold/storage/record.h"
#include "mxhold/storage/upgrade.h"

static char steps_run[8];

static int step(struct store *s, MDB_txn *txn, const char *name)
{
	MDB_val k = env_val(name, 1), v = env_val("here", 4);

	strcat(steps_run, name);
	return mdb_put(txn, s->dbi[TABLE_META], &k, &v, 0);
}

static int step_a(struct store *s, MDB_txn *txn)
{
	return step(s, txn, "a");
}

static int step_b(struct store *s, MDB_txn *txn)
{
	return step(s, txn, "b");
}

static int step_fails(struct store *s, MDB_txn *txn)
{
	step(s, txn, "f");
	return MDB_MAP_FULL;
}

static const upgrade_step good[] = {step_a, step_b};
static const upgrade_step bad[] = {step_a, step_fails};
static const struct upgrade_path to_three = {good, 2}, breaks = {bad, 2};

static void set_format(uint32_t version)
{
	uint8_t record[RECORD_SMALL_MAX];

	damage(TABLE_META, "format", 6, record,
	       record_encode_chunks(record, sizeof(record), version));
}

/* As opening does it. */
static int check(const struct upgrade_path *path, struct error *err)
{
	MDB_txn *txn;
	int rc;

	steps_run[0] = '\0';
	ck_assert_int_eq(mdb_txn_begin(store->env, NULL, 0, &txn), 0);
	rc = upgrade_check(store, txn, path, err);
	if (rc)
		mdb_txn_abort(txn);
	else
		ck_assert_int_eq(mdb_txn_commit(txn), 0);
	return rc;
}

static bool is_there(const char *key)
{
	MDB_val k = env_val(key, 1), v;
	MDB_txn *txn;
	int rc;

	ck_assert_int_eq(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn), 0);
	rc = mdb_get(txn, store->dbi[TABLE_META], &k, &v);
	mdb_txn_abort(txn);
	return rc == 0;
}

START_TEST(upgrade__runs_every_missing_step_in_order_and_once)
{
	struct error err = {0};

	set_format(1);
	ck_assert_msg(check(&to_three, &err) == 0, "%s", err.text);
	ck_assert_str_eq(steps_run, "ab");
	ck_assert(is_there("a") && is_there("b"));
	ck_assert_int_eq(check(&to_three, &err), 0);
	ck_assert_str_eq(steps_run, "");
}
END_TEST

START_TEST(upgrade__begins_where_the_queue_stands)
{
	set_format(2);
	ck_assert_int_eq(check(&to_three, NULL), 0);
	ck_assert_str_eq(steps_run, "b");
	ck_assert(!is_there("a"));
}
END_TEST

START_TEST(upgrade__that_fails_leaves_the_queue_as_it_was)
{
	struct error err = {0};

	set_format(1);
	ck_assert_int_eq(check(&breaks, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "it is as it was"));
	ck_assert(!is_there("a"));
	ck_assert_int_eq(check(&upgrade_path, &err), 0);
	test_reopen();
}
END_TEST

START_TEST(upgrade__result_is_refused_by_the_program_before_it)
{
	struct error err = {0};
	struct store *s;

	ck_assert_int_eq(check(&to_three, &err), 0);
	test_close();
	ck_assert_int_eq(store_open(&s, &test_options, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "newer version"));
	ck_assert_ptr_nonnull(strstr(err.text, "format 3"));
	test_options.read_only = true;
	ck_assert_int_eq(store_open(&s, &test_options, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "newer version"));
}
END_TEST

START_TEST(upgrade__is_left_to_the_daemon_by_readers)
{
	struct error err = {0};

	set_format(1);
	store->read_only = true;
	ck_assert_int_eq(check(&to_three, &err), -1);
	store->read_only = false;
	ck_assert_ptr_nonnull(strstr(err.text, "when it starts"));
	ck_assert_str_eq(steps_run, "");
}
END_TEST

static void refuse_as_newer(void)
{
	struct error err = {0};
	struct store *s;

	test_close();
	for (int i = 0; i < 2; i++) {
		test_options.read_only = i == 1;
		ck_assert_int_eq(store_open(&s, &test_options, &err), -1);
		ck_assert_ptr_nonnull(strstr(err.text, "newer version"));
		ck_assert_ptr_nonnull(strstr(err.text, "record version"));
	}
}

START_TEST(upgrade__newer_format_record_is_refused)
{
	damage(TABLE_META, "format", 6, "\2what there will be", 10);
	refuse_as_newer();
}
END_TEST

START_TEST(upgrade__newer_state_record_is_refused)
{
	damage(TABLE_META, "state", 5, "\2what there will be", 10);
	refuse_as_newer();
}
END_TEST

START_TEST(upgrade__format_nought_is_damage)
{
	struct error err = {0};

	set_format(0);
	ck_assert_int_eq(check(&upgrade_path, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "damaged"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("upgrade");
	TCase *t = tcase_create("upgrade");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, upgrade__runs_every_missing_step_in_order_and_once);
	tcase_add_test(t, upgrade__begins_where_the_queue_stands);
	tcase_add_test(t, upgrade__that_fails_leaves_the_queue_as_it_was);
	tcase_add_test(t, upgrade__result_is_refused_by_the_program_before_it);
	tcase_add_test(t, upgrade__is_left_to_the_daemon_by_readers);
	tcase_add_test(t, upgrade__newer_format_record_is_refused);
	tcase_add_test(t, upgrade__newer_state_record_is_refused);
	tcase_add_test(t, upgrade__format_nought_is_damage);
	suite_add_tcase(s, t);
	return run_suite(s);
}
