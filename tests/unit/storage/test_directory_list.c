/* Lists page by page, differences, and what is known of sources. */
#include "fixture.h"
#include "unit/base/suite.h"

#include "mxhold/base/buf.h"
#include "mxhold/storage/codec.h"
#include "mxhold/storage/directory_parts.h"

static struct directory *d;
static struct buf text;

static void setup_directory(void)
{
	struct error err = {0};

	test_make_dir();
	ck_assert_msg(directory_open(&d, test_dir, false, &err) == 0, "%s",
		      err.text);
	buf_init(&text, 1 << 20);
}

static void teardown_directory(void)
{
	buf_done(&text);
	directory_close(d);
	test_remove_dir();
}

/* Entries parted by blanks. */
static struct directory_load *gather(const char *entries)
{
	struct directory_load *l = directory_load_begin(d, "a.test");
	struct slice s = slice_str(entries);

	while (s.n) {
		ptrdiff_t n = slice_index(s, ' ');
		struct slice entry = n < 0 ? s : slice_head(s, (size_t)n);

		ck_assert_int_eq(directory_load_add(l, entry), 0);
		s = slice_skip(s, entry.n + 1);
	}
	return l;
}

static void load(const char *entries)
{
	ck_assert_int_eq(directory_load_finish(gather(entries), 1, NULL), 0);
}

static struct directory_load *numbers(unsigned from, unsigned to)
{
	struct directory_load *l = directory_load_begin(d, "a.test");
	char entry[64];

	for (unsigned i = from; i < to; i++) {
		snprintf(entry, sizeof(entry), "user%06u@a.test", i);
		ck_assert_int_eq(directory_load_add(l, slice_str(entry)), 0);
	}
	return l;
}

static size_t read_pages(bool change_meanwhile)
{
	static struct directory_page page;
	size_t n = 0, pages = 0;

	memset(&page, 0, sizeof(page));
	for (;;) {
		ck_assert_int_eq(directory_page_next(d, "a.test", &page), 0);
		if (page.n == 0)
			return n;
		for (size_t i = 0; i < page.n; i++) {
			char entry[DIRECTORY_ENTRY_MAX];

			directory_key_text(&page.keys[i], "a.test", entry);
			buf_printf(&text, "%s ", entry);
		}
		n += page.n;
		if (pages++ == 0 && change_meanwhile)
			ck_assert_int_eq(
				directory_load_finish(numbers(0, 900), 2, NULL),
				0);
	}
}

START_TEST(directory_list__gives_entries_as_they_were_added)
{
	static const char all[] =
		"joe@a.test zoe@a.test @ "
		"sha256:000102030405060708090a0b0c0d0e0f"
		"101112131415161718191a1b1c1d1e1f !never@a.test";

	load(all);
	ck_assert_uint_eq(read_pages(false), 5);
	buf_truncate(&text, text.n - 1);
	ck_assert_slice_eq(buf_slice(&text), all);
}
END_TEST

START_TEST(directory_list__without_a_list_has_no_page)
{
	ck_assert_uint_eq(read_pages(false), 0);
}
END_TEST

START_TEST(directory_list__has_many_pages_each_entry_once)
{
	ck_assert_int_eq(directory_load_finish(numbers(0, 1000), 1, NULL), 0);
	ck_assert_uint_eq(read_pages(false), 1000);
	ck_assert_ptr_nonnull(strstr(buf_slice(&text).p, "user000999@"));
}
END_TEST

START_TEST(directory_list__goes_on_in_the_list_that_took_its_place)
{
	ck_assert_int_eq(directory_load_finish(numbers(0, 1000), 1, NULL), 0);
	ck_assert_uint_eq(read_pages(true), 900);
}
END_TEST

START_TEST(directory_list__same_entries_have_the_same_sum)
{
	struct directory_load *one = gather("joe@a.test ann@a.test");
	struct directory_load *two = gather("ann@a.test joe@a.test");
	struct directory_load *three = gather("ann@a.test joe@a.test");

	ck_assert_uint_eq(directory_load_sum(one), directory_load_sum(two));
	directory_load_salt(three, SLICE("x"));
	ck_assert_uint_ne(directory_load_sum(two), directory_load_sum(three));
	directory_load_add(two, SLICE("bob@a.test"));
	ck_assert_uint_ne(directory_load_sum(one), directory_load_sum(two));
	directory_load_abort(one);
	directory_load_abort(two);
	directory_load_abort(three);
}
END_TEST

START_TEST(directory_list__written_is_not_in_force)
{
	struct directory_load *l;
	struct directory_list list;
	MDB_txn *txn;
	MDB_stat st;

	ck_assert_int_eq(directory_list_get(d, "a.test", &list), 1);
	load("joe@a.test");
	l = gather("ann@a.test ann@a.test bob@a.test");
	ck_assert_uint_eq(directory_load_count(l), 3);
	ck_assert_int_eq(directory_load_write(l, NULL), 0);
	ck_assert_uint_eq(directory_load_count(l), 2);
	ck_assert_uint_eq(directory_count(d, "a.test"), 1);
	directory_load_abort(l);
	ck_assert_uint_eq(directory_count(d, "a.test"), 1);
	ck_assert_int_eq(mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn), 0);
	ck_assert_int_eq(mdb_stat(txn, d->dbi[DIR_ENTRY], &st), 0);
	mdb_txn_abort(txn);
	ck_assert_uint_eq(st.ms_entries, 1); /* what was written is swept */
	l = gather("ann@a.test bob@a.test");
	ck_assert_int_eq(directory_load_write(l, NULL), 0);
	ck_assert_int_eq(directory_load_finish(l, 7, NULL), 0);
	ck_assert_int_eq(directory_list_get(d, "a.test", &list), 0);
	ck_assert_uint_eq(list.entries, 2);
	ck_assert_int_eq(list.loaded_ms, 7);
	ck_assert(list.has_sum);
}
END_TEST

static const struct {
	const char *before, *after, *diff;
} differences[] = {
	{"", "", ""},
	{"a@a.test b@a.test", "a@a.test b@a.test", ""},
	{"a@a.test c@a.test", "b@a.test c@a.test d@a.test",
	 "-a@a.test +b@a.test +d@a.test "},
	{"", "a@a.test a@a.test", "+a@a.test "},
	{"a@a.test @ !x@a.test", "", "-a@a.test -@ -!x@a.test "},
};

START_TEST(directory_list__tells_what_would_change)
{
	struct directory_diff *x;
	struct directory_key key;
	bool is_new;
	int more;

	load(differences[_i].before);
	x = directory_diff_new(gather(differences[_i].after), NULL);
	while ((more = directory_diff_next(x, &is_new, &key)) == 1) {
		char entry[DIRECTORY_ENTRY_MAX];

		directory_key_text(&key, "a.test", entry);
		buf_printf(&text, "%c%s ", is_new ? '+' : '-', entry);
	}
	ck_assert_int_eq(more, 0);
	directory_diff_free(x);
	ck_assert_slice_eq(buf_slice(&text), differences[_i].diff);
}
END_TEST

START_TEST(directory_list__tells_differences_over_many_pages)
{
	struct directory_diff *x;
	struct directory_key key;
	unsigned added = 0, gone = 0;
	bool is_new;

	ck_assert_int_eq(directory_load_finish(numbers(0, 1000), 1, NULL), 0);
	x = directory_diff_new(numbers(10, 1020), NULL);
	while (directory_diff_next(x, &is_new, &key) == 1)
		*(is_new ? &added : &gone) += 1;
	directory_diff_free(x);
	ck_assert_uint_eq(added, 20);
	ck_assert_uint_eq(gone, 10);
}
END_TEST

/* Sums came with the second version of the record. */
START_TEST(directory_list__knows_lists_of_the_first_version)
{
	uint8_t raw[] = {1, 0, 0, 0, 7, 2, 4, 0, 1, 0, 1, 'x'};
	struct domain_record rec;
	uint8_t now[DIR_RECORD_MAX];
	size_t n;

	ck_assert_int_eq(dir_decode_domain(slice_make(raw, sizeof(raw)), &rec),
			 0);
	ck_assert_uint_eq(rec.generation, 7);
	ck_assert_uint_eq(rec.count, 2);
	ck_assert(rec.has_never && !rec.has_sum);
	rec.sum = 99;
	n = dir_encode_domain(now, sizeof(now), &rec);
	ck_assert_int_eq(dir_decode_domain(slice_make(now, n), &rec), 0);
	ck_assert(rec.has_sum);
	ck_assert_uint_eq(rec.sum, 99);
	now[0] = 3;
	ck_assert_int_eq(dir_decode_domain(slice_make(now, n), &rec), -1);
}
END_TEST

START_TEST(directory_list__state_comes_back)
{
	struct list_state in = {
		.fingerprint = 1,
		.tried_ms = 2,
		.good_ms = 3,
		.refused = true,
		.accepted = true,
		.refused_entries = 4,
		.refused_sum = 5,
		.refused_ms = 6,
		.problem = "would shrink",
	};
	struct list_state out;
	struct source_state s[2] = {
		{.id = directory_source_id("https://x"),
		 .good_ms = 8,
		 .entries = 9,
		 .sum = 10,
		 .etag = "\"e\"",
		 .modified = "then",
		 .problem = "none"},
		{.id = directory_source_id("/y")},
	};
	struct source_state got;

	ck_assert_int_eq(directory_state_get(d, "a.test", &out), 1);
	ck_assert_int_eq(directory_source_get(d, "a.test", "/y", &got), 1);
	ck_assert_uint_eq(got.id, s[1].id);
	ck_assert_int_eq(directory_state_put(d, "a.test", &in, s, 2, NULL), 0);
	ck_assert_int_eq(directory_state_put(d, "a.testb", &in, s, 2, NULL), 0);
	ck_assert_int_eq(directory_state_get(d, "a.test", &out), 0);
	ck_assert_mem_eq(&in, &out, sizeof(in));
	ck_assert_int_eq(directory_source_get(d, "a.test", "https://x", &got),
			 0);
	ck_assert_mem_eq(&got, &s[0], sizeof(got));
	/* Sources that are not named any more are forgotten. */
	ck_assert_int_eq(directory_state_put(d, "a.test", &in, s, 1, NULL), 0);
	ck_assert_int_eq(directory_source_get(d, "a.test", "/y", &got), 1);
	ck_assert_int_eq(directory_source_get(d, "a.testb", "/y", &got), 0);
	ck_assert_int_eq(directory_state_put(d, "", &in, s, 1, NULL), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("directory_list");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, setup_directory, teardown_directory);
	tcase_add_test(t, directory_list__gives_entries_as_they_were_added);
	tcase_add_test(t, directory_list__without_a_list_has_no_page);
	tcase_add_test(t, directory_list__has_many_pages_each_entry_once);
	tcase_add_test(t,
		       directory_list__goes_on_in_the_list_that_took_its_place);
	tcase_add_test(t, directory_list__same_entries_have_the_same_sum);
	tcase_add_test(t, directory_list__written_is_not_in_force);
	tcase_add_loop_test(t, directory_list__tells_what_would_change, 0,
			    MX_ARRAY_SIZE(differences));
	tcase_add_test(t, directory_list__tells_differences_over_many_pages);
	tcase_add_test(t, directory_list__knows_lists_of_the_first_version);
	tcase_add_test(t, directory_list__state_comes_back);
	suite_add_tcase(s, t);
	return run_suite(s);
}
