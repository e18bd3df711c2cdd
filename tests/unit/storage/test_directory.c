/* Recipients listed, and what is known of primaries. */
#include "fixture.h"

#include "mxhold/base/random.h"
#include "mxhold/storage/directory_parts.h"

static struct directory *d;
static struct directory_reader *look;

/* Not a hash anybody should use: enough to see salt and address go in. */
static void fake_sha256(const void *p, size_t n, uint8_t out[32])
{
	memset(out, 0, 32);
	for (size_t i = 0; i < n; i++)
		out[i % 32] =
			(uint8_t)(out[i % 32] * 31 + ((const uint8_t *)p)[i]);
}

static void open_directory(void)
{
	struct error err = {0};

	ck_assert_msg(directory_open(&d, test_dir, false, &err) == 0, "%s",
		      err.text);
	look = directory_reader_new(d, fake_sha256);
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
}

static void teardown_directory(void)
{
	close_directory();
	test_remove_dir();
}

static enum listed lookup(const char *address, const char *base)
{
	return directory_lookup(look, "a.test", address, base ? base : address);
}

/* Entries parted by blanks become the list of a.test. */
static void load(const char *entries, const char *salt)
{
	struct directory_load *l = directory_load_begin(d, "a.test");
	struct slice s = slice_str(entries);
	struct error err = {0};

	ck_assert_int_eq(directory_load_salt(l, slice_str(salt)), 0);
	while (s.n) {
		ptrdiff_t n = slice_index(s, ' ');
		struct slice entry = n < 0 ? s : slice_head(s, (size_t)n);

		ck_assert_int_eq(directory_load_add(l, entry), 0);
		s = slice_skip(s, entry.n + 1);
	}
	ck_assert_msg(directory_load_finish(l, 1000, &err) == 0, "%s",
		      err.text);
}

static size_t entries_stored(void)
{
	MDB_txn *txn;
	MDB_stat st;

	ck_assert_int_eq(mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn), 0);
	ck_assert_int_eq(mdb_stat(txn, d->dbi[DIR_ENTRY], &st), 0);
	mdb_txn_abort(txn);
	return st.ms_entries;
}

START_TEST(directory__without_a_list_says_so)
{
	ck_assert_int_eq(lookup("u@a.test", NULL), LISTED_NO_LIST);
	ck_assert_uint_eq(directory_count(d, "a.test"), 0);
}
END_TEST

START_TEST(directory__empty_list_lists_nobody)
{
	load("", "");
	ck_assert_int_eq(lookup("u@a.test", NULL), LISTED_NO);
}
END_TEST

static const struct {
	const char *list, *address, *base;
	enum listed want;
} cases[] = {
	{"u@a.test", "u@a.test", NULL, LISTED_YES},
	{"u@a.test", "v@a.test", NULL, LISTED_NO},
	{"u@a.test", "u@b.test", NULL, LISTED_NO},
	{"u@a.test", "u+x@a.test", "u@a.test", LISTED_YES},
	{"u+x@a.test", "u+x@a.test", "u@a.test", LISTED_YES},
	{"u+x@a.test", "u+y@a.test", "u@a.test", LISTED_NO},
	{"@", "any@a.test", NULL, LISTED_CATCHALL},
	{"@ u@a.test", "u@a.test", NULL, LISTED_YES},
	{"@ !u@a.test", "u@a.test", NULL, LISTED_NEVER},
	{"@ !u@a.test", "u+x@a.test", "u@a.test", LISTED_NEVER},
	{"u@a.test !u@a.test", "u@a.test", NULL, LISTED_NEVER},
	{"!u@a.test", "v@a.test", NULL, LISTED_NO},
	{"u+x@a.test !u@a.test", "u+x@a.test", "u@a.test", LISTED_NEVER},
	{"\\!u@a.test", "!u@a.test", NULL, LISTED_YES},
	{"\\!u@a.test", "u@a.test", NULL, LISTED_NO},
	{"!!u@a.test @", "!u@a.test", NULL, LISTED_NEVER},
	{"!!u@a.test @", "u@a.test", NULL, LISTED_CATCHALL},
	{"\"a@b\"@a.test", "\"a@b\"@a.test", NULL, LISTED_YES},
};

START_TEST(directory__look_up_follows_the_list)
{
	load(cases[_i].list, "");
	ck_assert_int_eq(lookup(cases[_i].address, cases[_i].base),
			 cases[_i].want);
}
END_TEST

static const char *const refused[] = {
	"",        "u",       "u@b.test",  "!",         "!u",
	"@a.test", "sha256:", "sha256:00", "u@xa.test", "u@a.testx",
};

START_TEST(directory__entry_of_no_known_form_is_refused)
{
	struct directory_load *l = directory_load_begin(d, "a.test");

	ck_assert_int_eq(directory_load_add(l, slice_str(refused[_i])), -1);
	ck_assert_uint_eq(directory_load_count(l), 0);
	directory_load_abort(l);
}
END_TEST

static void hash_entry(char entry[80], const char *salted)
{
	uint8_t sum[32];

	fake_sha256(salted, strlen(salted), sum);
	strcpy(entry, "sha256:");
	text_hex(sum, 32, entry + 7);
}

START_TEST(directory__hashed_entry_matches_with_its_salt)
{
	char entry[80];

	hash_entry(entry, "pepperu@a.test");
	load(entry, "pepper");
	ck_assert_int_eq(lookup("u@a.test", NULL), LISTED_YES);
	ck_assert_int_eq(lookup("u+x@a.test", "u@a.test"), LISTED_YES);
	ck_assert_int_eq(lookup("v@a.test", NULL), LISTED_NO);
	load(entry, "other");
	ck_assert_int_eq(lookup("u@a.test", NULL), LISTED_NO);
}
END_TEST

START_TEST(directory__hashed_entry_needs_a_hash_function)
{
	struct directory_reader *r = directory_reader_new(d, NULL);
	char entry[80];

	hash_entry(entry, "u@a.test");
	load(entry, "");
	ck_assert_int_eq(directory_lookup(r, "a.test", "u@a.test", "u@a.test"),
			 LISTED_NO);
	directory_reader_free(r);
}
END_TEST

START_TEST(directory__new_list_replaces_the_old_one_whole)
{
	load("u@a.test v@a.test w@a.test", "");
	ck_assert_uint_eq(directory_count(d, "a.test"), 3);
	load("w@a.test x@a.test", "");
	ck_assert_uint_eq(directory_count(d, "a.test"), 2);
	ck_assert_int_eq(lookup("u@a.test", NULL), LISTED_NO);
	ck_assert_int_eq(lookup("w@a.test", NULL), LISTED_YES);
	ck_assert_int_eq(lookup("x@a.test", NULL), LISTED_YES);
	ck_assert_uint_eq(entries_stored(), 2);
}
END_TEST

START_TEST(directory__duplicates_count_once)
{
	load("u@a.test u@a.test v@a.test u@a.test", "");
	ck_assert_uint_eq(directory_count(d, "a.test"), 2);
}
END_TEST

START_TEST(directory__aborted_load_changes_nothing)
{
	struct directory_load *l;

	load("u@a.test", "");
	l = directory_load_begin(d, "a.test");
	directory_load_add(l, SLICE("v@a.test"));
	directory_load_abort(l);
	ck_assert_int_eq(lookup("u@a.test", NULL), LISTED_YES);
	ck_assert_int_eq(lookup("v@a.test", NULL), LISTED_NO);
}
END_TEST

START_TEST(directory__lists_of_two_domains_do_not_meet)
{
	struct directory_load *l = directory_load_begin(d, "b.test");

	load("u@a.test", "");
	directory_load_add(l, SLICE("v@b.test"));
	ck_assert_int_eq(directory_load_finish(l, 1, NULL), 0);
	ck_assert_int_eq(
		directory_lookup(look, "b.test", "v@b.test", "v@b.test"),
		LISTED_YES);
	ck_assert_int_eq(
		directory_lookup(look, "b.test", "u@b.test", "u@b.test"),
		LISTED_NO);
	ck_assert_int_eq(lookup("v@a.test", NULL), LISTED_NO);
}
END_TEST

START_TEST(directory__list_outlives_a_restart)
{
	load("u@a.test", "");
	close_directory();
	open_directory();
	ck_assert_int_eq(lookup("u@a.test", NULL), LISTED_YES);
}
END_TEST

/* A process that died while it wrote its list. */
START_TEST(directory__dead_load_is_swept)
{
	uint8_t key[DIR_KEY_MAX], value[DIR_RECORD_MAX];
	struct generation_record g = {.pid = (uint32_t)getpid(), .token = 1};
	MDB_val k = env_val(key, 4), v;
	MDB_txn *txn;
	bool more = true;

	load("u@a.test", "");
	ck_assert_int_eq(mdb_txn_begin(d->env, NULL, 0, &txn), 0);
	dir_key_entry(key, 77, DIR_ADDRESS, slice_make("", 0));
	v = env_val(value, dir_encode_generation(value, sizeof(value), &g));
	ck_assert_int_eq(mdb_put(txn, d->dbi[DIR_GENERATION], &k, &v, 0), 0);
	k = env_val(key, dir_key_entry(key, 77, DIR_ADDRESS, SLICE("dead")));
	ck_assert_int_eq(mdb_put(txn, d->dbi[DIR_ENTRY], &k, &v, 0), 0);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
	while (more)
		ck_assert_int_eq(directory_sweep(d, &more), 0);
	ck_assert_uint_eq(entries_stored(), 1);
}
END_TEST

/* A reader that looks on while lists come and go sees one or the other. */
START_TEST(directory__reader_looks_while_lists_change)
{
	MDB_txn *txn;
	struct domain_record rec;

	load("u@a.test", "");
	ck_assert_int_eq(mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn), 0);
	load("v@a.test", "");
	ck_assert_int_eq(dir_get_domain(d, txn, SLICE("a.test"), &rec), 0);
	{
		uint8_t key[DIR_KEY_MAX];
		MDB_val v, k = env_val(key,
				       dir_key_entry(key, rec.generation,
						     DIR_ADDRESS, SLICE("u")));

		ck_assert_int_eq(mdb_get(txn, d->dbi[DIR_ENTRY], &k, &v), 0);
	}
	mdb_txn_abort(txn);
	ck_assert_int_eq(lookup("u@a.test", NULL), LISTED_NO);
	ck_assert_int_eq(lookup("v@a.test", NULL), LISTED_YES);
}
END_TEST

static void load_numbers(unsigned n)
{
	struct directory_load *l = directory_load_begin(d, "a.test");
	struct error err = {0};
	char text[64];

	for (unsigned i = 0; i < n; i++) {
		/* 7919 is prime to both counts: every number once, no order. */
		snprintf(text, sizeof(text), "user%u@a.test",
			 (unsigned)((uint64_t)i * 7919 % n));
		ck_assert_int_eq(directory_load_add(l, slice_str(text)), 0);
	}
	ck_assert_msg(directory_load_finish(l, 1, &err) == 0, "%s", err.text);
}

START_TEST(directory__long_list_goes_in_many_batches)
{
	load_numbers(100000);
	ck_assert_uint_eq(directory_count(d, "a.test"), 100000);
	ck_assert_int_eq(lookup("user99999@a.test", NULL), LISTED_YES);
	ck_assert_int_eq(lookup("user100000@a.test", NULL), LISTED_NO);
	load_numbers(50000);
	ck_assert_uint_eq(directory_count(d, "a.test"), 50000);
	ck_assert_uint_eq(entries_stored(), 50000);
	ck_assert_int_eq(lookup("user99999@a.test", NULL), LISTED_NO);
	ck_assert_int_eq(lookup("user49999@a.test", NULL), LISTED_YES);
}
END_TEST

START_TEST(directory__read_only_sees_lists_and_makes_nothing)
{
	struct directory *ro;
	struct error err;

	load("u@a.test", "");
	close_directory();
	ck_assert_int_eq(directory_open(&ro, test_dir, true, &err), 0);
	ck_assert_uint_eq(directory_count(ro, "a.test"), 1);
	directory_close(ro);
	open_directory();
	ck_assert_int_eq(directory_open(&ro, "/nowhere", true, &err), -1);
}
END_TEST

/* --- primaries --------------------------------------------------------- */

START_TEST(directory__peer_comes_back)
{
	struct peer_record p = {
		.state = 3,
		.since_ms = 1,
		.last_probe_ms = 2,
		.last_probe_took_ms = 3,
		.last_result = "250 ok",
		.ehlo_ext = 0xffff,
		.ehlo_size = 1 << 30,
		.up_ms = 5,
		.last_up_ms = 6,
		.good = {{.family = 4, .bytes = {192, 0, 2, 1}, .port = 25},
			 {.family = 6, .bytes = {0x20, 1}, .port = 2525}},
		.n_good = 2,
		.good_at_ms = 7,
		.marks = {{8, 9}, {1800000000000, 700000000}},
		.n_marks = 2};
	struct peer_record back;

	ck_assert_int_eq(directory_peer_get(d, "mx1", &back), 1);
	ck_assert_int_eq(directory_peer_put(d, "mx1", &p, NULL), 0);
	ck_assert_int_eq(directory_peer_get(d, "mx1", &back), 0);
	ck_assert_uint_eq(back.state, 3);
	ck_assert_int_eq(back.since_ms, 1);
	ck_assert_int_eq(back.last_probe_ms, 2);
	ck_assert_uint_eq(back.last_probe_took_ms, 3);
	ck_assert_str_eq(back.last_result, "250 ok");
	ck_assert_uint_eq(back.ehlo_ext, 0xffff);
	ck_assert_uint_eq(back.ehlo_size, 1 << 30);
	ck_assert_int_eq(back.up_ms, 5);
	ck_assert_int_eq(back.last_up_ms, 6);
	ck_assert_uint_eq(back.n_good, 2);
	ck_assert_mem_eq(back.good, p.good, sizeof(p.good));
	ck_assert_int_eq(back.good_at_ms, 7);
	ck_assert_uint_eq(back.n_marks, 2);
	ck_assert_mem_eq(back.marks, p.marks, sizeof(p.marks));
	ck_assert_int_eq(directory_peer_get(d, "mx2", &back), 1);
}
END_TEST

START_TEST(directory__peer_without_a_name_is_refused)
{
	struct peer_record p = {0};
	struct error err;
	char longer[PEER_NAME_MAX + 2];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_int_eq(directory_peer_put(d, "", &p, &err), -1);
	ck_assert_int_eq(directory_peer_put(d, longer, &p, &err), -1);
	ck_assert_int_eq(directory_peer_get(d, longer, &p), 1);
}
END_TEST

/* Else no recipient could be looked up until somebody restarts us. */
START_TEST(directory__failed_meta_page_is_the_end)
{
	struct peer_record p = {.state = 1};
	struct error err;

	load("u@a.test", "");
	directory_on_panic(d, on_panic);
	break_meta_page();
	ck_assert_int_eq(directory_peer_put(d, "mx1", &p, &err), -1);
	ck_assert_uint_eq(panics, 1);
	ck_assert_int_eq(lookup("u@a.test", NULL), LISTED_ERROR);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("directory");
	TCase *t = tcase_create("directory");

	tcase_add_checked_fixture(t, setup_directory, teardown_directory);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, directory__without_a_list_says_so);
	tcase_add_test(t, directory__empty_list_lists_nobody);
	tcase_add_loop_test(t, directory__look_up_follows_the_list, 0,
			    MX_ARRAY_SIZE(cases));
	tcase_add_loop_test(t, directory__entry_of_no_known_form_is_refused, 0,
			    MX_ARRAY_SIZE(refused));
	tcase_add_test(t, directory__hashed_entry_matches_with_its_salt);
	tcase_add_test(t, directory__hashed_entry_needs_a_hash_function);
	tcase_add_test(t, directory__new_list_replaces_the_old_one_whole);
	tcase_add_test(t, directory__duplicates_count_once);
	tcase_add_test(t, directory__aborted_load_changes_nothing);
	tcase_add_test(t, directory__lists_of_two_domains_do_not_meet);
	tcase_add_test(t, directory__list_outlives_a_restart);
	tcase_add_test(t, directory__dead_load_is_swept);
	tcase_add_test(t, directory__reader_looks_while_lists_change);
	tcase_add_test(t, directory__long_list_goes_in_many_batches);
	tcase_add_test(t, directory__read_only_sees_lists_and_makes_nothing);
	tcase_add_test(t, directory__peer_comes_back);
	tcase_add_test(t, directory__peer_without_a_name_is_refused);
	tcase_add_test(t, directory__failed_meta_page_is_the_end);
	suite_add_tcase(s, t);
	return run_suite(s);
}
