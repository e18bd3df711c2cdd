/* Sorting more than memory holds. */
#include "fixture.h"

#include <dirent.h>

#include "mxhold/base/random.h"
#include "mxhold/storage/runs.h"

static void setup_dir(void)
{
	test_make_dir();
}

static void check_sorted(size_t limit, unsigned n)
{
	struct runs *r = runs_new(test_dir, limit);
	char text[32], last[64] = "";
	struct error err = {0};
	struct slice s;
	uint64_t sum = 0;
	unsigned seen = 0;
	int rc;

	random_seed(n);
	for (unsigned i = 0; i < n; i++) {
		uint64_t x = random_u64() >> random_below(60);

		sum += x;
		snprintf(text, sizeof(text), "%llu", (unsigned long long)x);
		ck_assert_int_eq(runs_add(r, slice_str(text), &err), 0);
	}
	ck_assert_int_eq(runs_sort(r, &err), 0);
	while ((rc = runs_next(r, &s, &err)) == 1) {
		char now[64];

		memcpy(now, s.p, s.n);
		now[s.n] = '\0';
		ck_assert_int_le(strcmp(last, now), 0);
		strcpy(last, now);
		sum -= strtoull(now, NULL, 10);
		seen++;
	}
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(seen, n);
	ck_assert_uint_eq(sum, 0);
	runs_free(r);
}

START_TEST(runs__sorts_in_memory)
{
	check_sorted(1 << 20, 1000);
}
END_TEST

START_TEST(runs__sorts_through_many_files)
{
	check_sorted(8 << 10, 20000);
}
END_TEST

START_TEST(runs__nothing_is_sorted_too)
{
	check_sorted(1 << 20, 0);
}
END_TEST

START_TEST(runs__leaves_no_file)
{
	struct dirent *e;
	DIR *dir;

	check_sorted(8 << 10, 5000);
	dir = opendir(test_dir);
	while ((e = readdir(dir)))
		ck_assert_int_eq(e->d_name[0], '.');
	closedir(dir);
}
END_TEST

START_TEST(runs__too_many_files_are_refused)
{
	struct runs *r = runs_new(test_dir, 64);
	struct error err = {0};
	int n = 0;

	while (n < 100000 &&
	       runs_add(r, SLICE("0123456789012345678901234567"), &err) == 0)
		n++;
	ck_assert_int_lt(n, 1000);
	ck_assert_ptr_nonnull(strstr(err.text, "too long"));
	runs_free(r);
}
END_TEST

START_TEST(runs__folder_that_is_not_there_fails)
{
	struct runs *r = runs_new("/nowhere/at/all", 64);
	struct error err = {0};
	int rc = 0;

	for (int i = 0; i < 10 && rc == 0; i++)
		rc = runs_add(r, SLICE("0123456789012345678901234567"), &err);
	ck_assert_int_eq(rc, -1);
	ck_assert_str_ne(err.text, "");
	runs_free(r);
}
END_TEST

START_TEST(runs__octets_of_any_value_come_back)
{
	struct runs *r = runs_new(test_dir, 1 << 10);
	uint8_t text[RUNS_STRING_MAX];
	struct slice s;

	for (int i = 255; i >= 0; i--) {
		memset(text, i, sizeof(text));
		ck_assert_int_eq(
			runs_add(r, slice_make(text, sizeof(text)), NULL), 0);
	}
	ck_assert_int_eq(runs_sort(r, NULL), 0);
	for (int i = 0; i < 256; i++) {
		memset(text, i, sizeof(text));
		ck_assert_int_eq(runs_next(r, &s, NULL), 1);
		ck_assert(slice_eq(s, slice_make(text, sizeof(text))));
	}
	ck_assert_int_eq(runs_next(r, &s, NULL), 0);
	runs_free(r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("runs");
	TCase *t = tcase_create("runs");

	tcase_add_checked_fixture(t, setup_dir, test_remove_dir);
	tcase_add_test(t, runs__sorts_in_memory);
	tcase_add_test(t, runs__sorts_through_many_files);
	tcase_add_test(t, runs__nothing_is_sorted_too);
	tcase_add_test(t, runs__leaves_no_file);
	tcase_add_test(t, runs__too_many_files_are_refused);
	tcase_add_test(t, runs__folder_that_is_not_there_fails);
	tcase_add_test(t, runs__octets_of_any_value_come_back);
	suite_add_tcase(s, t);
	return run_suite(s);
}
