/* Recipients that were learned. */
#include "fixture.h"

#include "mxhold/storage/directory_lesson.h"

enum {
	MINUTE = 60 * 1000,
	HOUR = 60 * MINUTE,
	DAY = 24 * HOUR,
};

static struct directory *d;
static struct directory_reader *look;
static const char *primary;
static int64_t up_ms; /* its clock */

static void open_directory(void)
{
	struct error err = {0};

	ck_assert_msg(directory_open(&d, test_dir, false, &err) == 0, "%s",
		      err.text);
	look = directory_reader_new(d, NULL);
	ck_assert_ptr_nonnull(look);
}

static void close_directory(void)
{
	directory_reader_free(look);
	directory_close(d);
}

static void setup_directory(void)
{
	test_make_dir();
	open_directory();
	primary = "mx1";
	up_ms = 1000 * (int64_t)DAY;
}

static void teardown_directory(void)
{
	close_directory();
	test_remove_dir();
}

static struct learned_terms terms(void)
{
	return (struct learned_terms){
		.primary = primary,
		.up_ms = up_ms,
		.learn_ttl = 60 * (int64_t)DAY,
		.forget_ttl = 10 * MINUTE,
		.doubt = DAY,
	};
}

static struct lesson lesson(enum lesson_kind what, const char *address,
			    const char *base)
{
	struct lesson l = {
		.what = what,
		.by = LEARNED_BY_FORWARD,
		.terms = terms(),
		.wall_ms = T0,
	};

	snprintf(l.domain, sizeof(l.domain), "%s", strchr(address, '@') + 1);
	snprintf(l.canonical, sizeof(l.canonical), "%s", address);
	snprintf(l.base, sizeof(l.base), "%s", base ? base : address);
	snprintf(l.primary, sizeof(l.primary), "%s", primary);
	return l;
}

/* True: it was not known so before. */
static bool learn(enum lesson_kind what, const char *address)
{
	struct lesson l = lesson(what, address, NULL);
	struct error err = {0};

	ck_assert_msg(directory_learn(d, &l, 1, &err) == 0, "%s", err.text);
	return l.changed;
}

static enum learned known(const char *address, const char *base)
{
	struct learned_terms t = terms();

	return directory_learned(look, "a.test", address, base ? base : address,
				 &t);
}

START_TEST(learned__knows_nothing_at_first)
{
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_NOTHING);
	ck_assert(!directory_learned_known(look, "a.test", "anna@a.test",
					   "anna@a.test"));
}
END_TEST

START_TEST(learned__keeps_who_was_taken_and_who_was_refused)
{
	ck_assert(learn(LESSON_TAKEN, "anna@a.test"));
	ck_assert(learn(LESSON_REFUSED, "ghost@a.test"));
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_TAKEN);
	ck_assert_int_eq(known("ghost@a.test", NULL), LEARNED_REFUSED);
	ck_assert_int_eq(known("bert@a.test", NULL), LEARNED_NOTHING);
	close_directory();
	open_directory();
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_TAKEN);
	ck_assert_int_eq(known("ghost@a.test", NULL), LEARNED_REFUSED);
}
END_TEST

START_TEST(learned__domains_do_not_mix)
{
	learn(LESSON_TAKEN, "anna@b.test");
	learn(LESSON_REFUSED, "anna@a.test");
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_REFUSED);
	ck_assert(directory_learned_known(look, "b.test", "anna@b.test",
					  "anna@b.test"));
}
END_TEST

START_TEST(learned__a_base_that_was_taken_stands_for_its_details)
{
	learn(LESSON_TAKEN, "anna@a.test");
	learn(LESSON_REFUSED, "ghost@a.test");
	ck_assert_int_eq(known("anna+x@a.test", "anna@a.test"), LEARNED_TAKEN);
	ck_assert_int_eq(known("ghost+x@a.test", "ghost@a.test"),
			 LEARNED_NOTHING);
	learn(LESSON_REFUSED, "anna+x@a.test");
	ck_assert_int_eq(known("anna+x@a.test", "anna@a.test"),
			 LEARNED_REFUSED);
}
END_TEST

static size_t count(const char *domain)
{
	struct learned_row rows[LEARNED_PAGE];
	struct learned_terms t = terms();
	char after[ADDRESS_MAX + 1] = "";
	size_t n, all = 0;
	int more = 1;

	while (more) {
		more = directory_learned_page(d, domain, &t, after, rows, &n);
		ck_assert_int_ge(more, 0);
		all += n;
	}
	return all;
}

START_TEST(learned__a_detail_of_who_is_known_takes_no_entry)
{
	struct lesson l;
	struct error err;

	learn(LESSON_TAKEN, "anna@a.test");
	for (int i = 0; i < 10; i++) {
		char detail[64];

		snprintf(detail, sizeof(detail), "anna+%d@a.test", i);
		l = lesson(LESSON_TAKEN, detail, "anna@a.test");
		ck_assert_int_eq(directory_learn(d, &l, 1, &err), 0);
	}
	ck_assert_uint_eq(count("a.test"), 1);
	l = lesson(LESSON_TAKEN, "bert+x@a.test", "bert@a.test");
	ck_assert_int_eq(directory_learn(d, &l, 1, &err), 0);
	ck_assert_uint_eq(count("a.test"), 2);
	ck_assert_int_eq(known("bert@a.test", NULL), LEARNED_NOTHING);
}
END_TEST

START_TEST(learned__expires_on_the_clock_of_the_primary_alone)
{
	learn(LESSON_TAKEN, "anna@a.test");
	learn(LESSON_REFUSED, "ghost@a.test");
	up_ms += 10 * MINUTE - 1;
	ck_assert_int_eq(known("ghost@a.test", NULL), LEARNED_REFUSED);
	up_ms += 1;
	ck_assert_int_eq(known("ghost@a.test", NULL), LEARNED_NOTHING);
	up_ms += 60 * (int64_t)DAY - 10 * MINUTE - 1;
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_TAKEN);
	up_ms += 1;
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_NOTHING);
	/* A 5xx for who was known once is doubted even so. */
	ck_assert(directory_learned_known(look, "a.test", "anna@a.test",
					  "anna@a.test"));
}
END_TEST

START_TEST(learned__a_delivery_makes_it_last_anew)
{
	learn(LESSON_TAKEN, "anna@a.test");
	up_ms += 59 * (int64_t)DAY;
	ck_assert(!learn(LESSON_TAKEN, "anna@a.test"));
	up_ms += 59 * (int64_t)DAY;
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_TAKEN);
}
END_TEST

START_TEST(learned__another_primary_goes_on_with_the_clock)
{
	learn(LESSON_TAKEN, "anna@a.test");
	primary = "mx9";
	up_ms = 5;
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_TAKEN);
	learn(LESSON_TAKEN, "anna@a.test"); /* too fresh to be written */
	up_ms += 60 * (int64_t)DAY;
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_NOTHING);
}
END_TEST

START_TEST(learned__a_clock_that_was_lost_goes_on_too)
{
	learn(LESSON_TAKEN, "anna@a.test");
	up_ms = 0;
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_TAKEN);
	learn(LESSON_TAKEN, "bert@a.test");
	up_ms += 60 * (int64_t)DAY;
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_NOTHING);
}
END_TEST

START_TEST(learned__who_was_taken_is_doubted_long_before_he_is_refused)
{
	learn(LESSON_TAKEN, "anna@a.test");
	up_ms += HOUR;
	ck_assert(!learn(LESSON_REFUSED, "anna@a.test"));
	up_ms += DAY - 1;
	ck_assert(!learn(LESSON_REFUSED, "anna@a.test"));
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_TAKEN);
	up_ms += 1;
	ck_assert(learn(LESSON_REFUSED, "anna@a.test"));
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_REFUSED);
}
END_TEST

START_TEST(learned__one_delivery_ends_all_doubt)
{
	learn(LESSON_TAKEN, "anna@a.test");
	learn(LESSON_REFUSED, "anna@a.test");
	up_ms += DAY - 1;
	learn(LESSON_TAKEN, "anna@a.test");
	up_ms += HOUR;
	learn(LESSON_REFUSED, "anna@a.test");
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_TAKEN);
}
END_TEST

START_TEST(learned__who_was_refused_may_be_taken_at_once)
{
	learn(LESSON_REFUSED, "new@a.test");
	ck_assert(learn(LESSON_TAKEN, "new@a.test"));
	ck_assert_int_eq(known("new@a.test", NULL), LEARNED_TAKEN);
	ck_assert_uint_eq(count("a.test"), 1);
}
END_TEST

START_TEST(learned__a_pin_stays_until_it_is_removed)
{
	learn(LESSON_REFUSED, "anna@a.test");
	ck_assert(learn(LESSON_PIN, "anna@a.test"));
	learn(LESSON_REFUSED, "anna@a.test");
	up_ms += 1000 * (int64_t)DAY;
	learn(LESSON_REFUSED, "anna@a.test");
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_PINNED);
	ck_assert(learn(LESSON_FORGET, "anna@a.test"));
	ck_assert(!learn(LESSON_FORGET, "anna@a.test"));
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_NOTHING);
	ck_assert_uint_eq(count("a.test"), 0);
}
END_TEST

START_TEST(learned__without_forget_ttl_no_refusal_is_kept)
{
	struct lesson l = lesson(LESSON_REFUSED, "ghost@a.test", NULL);
	struct error err;

	l.terms.forget_ttl = 0;
	ck_assert_int_eq(directory_learn(d, &l, 1, &err), 0);
	ck_assert_uint_eq(count("a.test"), 0);
}
END_TEST

START_TEST(learned__the_one_not_confirmed_for_longest_makes_room)
{
	char address[64];

	d->learned_max[LEARNED_TAKEN] = 10;
	learn(LESSON_PIN, "pinned@a.test");
	for (int i = 0; i < 30; i++) {
		snprintf(address, sizeof(address), "user%d@a.test", i);
		learn(LESSON_TAKEN, address);
		up_ms += 2 * HOUR;
		learn(LESSON_TAKEN, "user0@a.test");
	}
	ck_assert_uint_eq(count("a.test"), 11);
	ck_assert_int_eq(known("user0@a.test", NULL), LEARNED_TAKEN);
	ck_assert_int_eq(known("user20@a.test", NULL), LEARNED_NOTHING);
	ck_assert_int_eq(known("user21@a.test", NULL), LEARNED_TAKEN);
	ck_assert_int_eq(known("pinned@a.test", NULL), LEARNED_PINNED);
}
END_TEST

START_TEST(learned__what_has_expired_leaves_the_disk)
{
	struct learned_domain dom;
	char address[64];
	MDB_val k = env_val("a.test", 6), v;
	MDB_txn *txn;

	for (int i = 0; i < 100; i++) {
		snprintf(address, sizeof(address), "ghost%d@a.test", i);
		learn(LESSON_REFUSED, address);
	}
	for (int i = 0; i < 10; i++) {
		up_ms += HOUR;
		learn(LESSON_REFUSED, "last@a.test");
	}
	ck_assert_int_eq(mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn), 0);
	ck_assert_int_eq(mdb_get(txn, d->dbi[DIR_LEARNED_DOMAIN], &k, &v), 0);
	ck_assert_int_eq(dir_decode_learned_domain(env_slice(&v), &dom), 0);
	mdb_txn_abort(txn);
	ck_assert_uint_eq(dom.n[LEARNED_REFUSED], 1);
}
END_TEST

static size_t last_txn(void)
{
	MDB_envinfo info;

	mdb_env_info(d->env, &info);
	return info.me_last_txnid;
}

START_TEST(learned__what_is_no_news_is_not_written)
{
	size_t before;

	learn(LESSON_TAKEN, "anna@a.test");
	before = last_txn();
	for (int i = 0; i < 50; i++) {
		up_ms += MINUTE;
		learn(LESSON_TAKEN, "anna@a.test");
	}
	ck_assert_uint_eq(last_txn(), before);
}
END_TEST

START_TEST(learned__a_batch_is_one_transaction)
{
	struct lesson batch[100];
	size_t before = last_txn();
	struct error err;

	for (int i = 0; i < 100; i++) {
		char address[64];

		snprintf(address, sizeof(address), "user%d@%c.test", i,
			 'a' + i % 2);
		batch[i] = lesson(LESSON_TAKEN, address, NULL);
	}
	ck_assert_int_eq(directory_learn(d, batch, 100, &err), 0);
	ck_assert_uint_eq(last_txn(), before + 1);
	ck_assert_uint_eq(count("a.test") + count("b.test"), 100);
}
END_TEST

START_TEST(learned__pages_run_through_all_in_order)
{
	struct learned_row rows[LEARNED_PAGE];
	struct learned_terms t = terms();
	char after[ADDRESS_MAX + 1] = "", last[ADDRESS_MAX + 1] = "";
	size_t n, all = 0, pages = 0;
	int more = 1;

	for (int i = 0; i < 2 * LEARNED_PAGE + 1; i++) {
		char address[64];

		snprintf(address, sizeof(address), "user%d@a.test", i);
		learn(LESSON_TAKEN, address);
	}
	learn(LESSON_TAKEN, "user@b.test");
	for (; more; pages++, all += n) {
		more = directory_learned_page(d, "a.test", &t, after, rows, &n);
		ck_assert_int_ge(more, 0);
		for (size_t i = 0; i < n; i++) {
			ck_assert_int_gt(strcmp(rows[i].local, last), 0);
			memcpy(last, rows[i].local, sizeof(last));
			ck_assert_int_eq(rows[i].left_ms, t.learn_ttl);
		}
	}
	ck_assert_uint_eq(all, 2 * LEARNED_PAGE + 1);
	ck_assert_uint_eq(pages, 3);
}
END_TEST

START_TEST(learned__a_record_that_is_damaged_counts_as_none)
{
	uint8_t key[4 + 4];
	MDB_val k = env_val(key, sizeof(key)), v = env_val("\1\77", 2);
	MDB_txn *txn;

	learn(LESSON_TAKEN, "anna@a.test");
	memcpy(key, "\0\0\0\1anna", sizeof(key));
	ck_assert_int_eq(mdb_txn_begin(d->env, NULL, 0, &txn), 0);
	ck_assert_int_eq(mdb_put(txn, d->dbi[DIR_LEARNED], &k, &v, 0), 0);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_NOTHING);
	learn(LESSON_TAKEN, "anna@a.test");
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_TAKEN);
}
END_TEST

START_TEST(learned__who_only_reads_may_come_before_the_tables)
{
	struct directory *old;
	struct error err = {0};
	MDB_txn *txn;

	ck_assert_int_eq(mdb_txn_begin(d->env, NULL, 0, &txn), 0);
	for (int t = DIR_LEARNED_DOMAIN; t < DIR_COUNT; t++)
		ck_assert_int_eq(mdb_drop(txn, d->dbi[t], 1), 0);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
	close_directory();
	ck_assert_msg(directory_open(&old, test_dir, true, &err) == 0, "%s",
		      err.text);
	look = directory_reader_new(old, NULL);
	ck_assert_int_eq(known("anna@a.test", NULL), LEARNED_NOTHING);
	directory_reader_free(look);
	directory_close(old);
	open_directory();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("learned");
	TCase *c = tcase_create("learned");

	tcase_add_checked_fixture(c, setup_directory, teardown_directory);
	tcase_add_test(c, learned__knows_nothing_at_first);
	tcase_add_test(c, learned__keeps_who_was_taken_and_who_was_refused);
	tcase_add_test(c, learned__domains_do_not_mix);
	tcase_add_test(c,
		       learned__a_base_that_was_taken_stands_for_its_details);
	tcase_add_test(c, learned__a_detail_of_who_is_known_takes_no_entry);
	tcase_add_test(c, learned__expires_on_the_clock_of_the_primary_alone);
	tcase_add_test(c, learned__a_delivery_makes_it_last_anew);
	tcase_add_test(c, learned__another_primary_goes_on_with_the_clock);
	tcase_add_test(c, learned__a_clock_that_was_lost_goes_on_too);
	tcase_add_test(
		c, learned__who_was_taken_is_doubted_long_before_he_is_refused);
	tcase_add_test(c, learned__one_delivery_ends_all_doubt);
	tcase_add_test(c, learned__who_was_refused_may_be_taken_at_once);
	tcase_add_test(c, learned__a_pin_stays_until_it_is_removed);
	tcase_add_test(c, learned__without_forget_ttl_no_refusal_is_kept);
	tcase_add_test(c,
		       learned__the_one_not_confirmed_for_longest_makes_room);
	tcase_add_test(c, learned__what_has_expired_leaves_the_disk);
	tcase_add_test(c, learned__what_is_no_news_is_not_written);
	tcase_add_test(c, learned__a_batch_is_one_transaction);
	tcase_add_test(c, learned__pages_run_through_all_in_order);
	tcase_add_test(c, learned__a_record_that_is_damaged_counts_as_none);
	tcase_add_test(c, learned__who_only_reads_may_come_before_the_tables);
	suite_add_tcase(s, c);
	return run_suite(s);
}
