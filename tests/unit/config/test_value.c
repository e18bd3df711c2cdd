#include <check.h>
#include <string.h>

#include "mxhold/config/value.h"

/* Sets an option of drain{} or queue{} and writes it again. */
static const struct {
	enum schema_id section;
	const char *name, *text, *want; /* want NULL: a complaint */
} rows[] = {
	{SCHEMA_DRAIN, "rate", "0", "0"},
	{SCHEMA_DRAIN, "rate", "100000000", "100000000"},
	{SCHEMA_DRAIN, "rate", "100000001", NULL},
	{SCHEMA_DRAIN, "rate", "-1", NULL},
	{SCHEMA_DRAIN, "rate", "0x10", NULL},
	{SCHEMA_DRAIN, "rate", "18446744073709551616", NULL},
	{SCHEMA_DRAIN, "rate", "", NULL},
	{SCHEMA_DRAIN, "hold", "Yes", "true"},
	{SCHEMA_DRAIN, "hold", "1", NULL},
	{SCHEMA_DRAIN, "connect_timeout", "90", "\"90s\""},
	{SCHEMA_DRAIN, "connect_timeout", "2m", "\"2m\""},
	{SCHEMA_DRAIN, "connect_timeout", "1500ms", "\"1500ms\""},
	{SCHEMA_DRAIN, "connect_timeout", "11m", NULL},
	{SCHEMA_DRAIN, "retry_message", "2h", "\"2h\""},
	{SCHEMA_QUEUE, "max_bytes", "auto", "\"auto\""},
	{SCHEMA_QUEUE, "max_bytes", "3M", "\"3M\""},
	{SCHEMA_QUEUE, "max_bytes", "3000001", "\"3000001\""},
	{SCHEMA_QUEUE, "max_bytes", "1", NULL},
	{SCHEMA_QUEUE, "max_bytes", "99999999999G", NULL},
	{SCHEMA_QUEUE, "reserve", "auto", NULL},
	{SCHEMA_QUEUE, "clock", "wall", "\"wall\""},
	{SCHEMA_QUEUE, "clock", "Wall", NULL},
};

START_TEST(value__reads_and_writes)
{
	union {
		struct config_drain drain;
		struct config_queue queue;
	} base = {0};
	struct complaints all;
	struct pool pool = {0};
	struct value_target t = {
		.base = &base,
		.pool = &pool,
		.complaints = &all,
		.at = {"f", 7},
		.label = "x",
	};
	const struct schema_option *o =
		schema_find(rows[_i].section, rows[_i].name);
	char *text = (char *)rows[_i].text;
	struct buf out;

	complaints_init(&all);
	buf_init(&out, 1000);
	value_set(&t, o, &text, 1);
	if (rows[_i].want) {
		ck_assert_uint_eq(all.errors, 0);
		value_format(o, &base, &out);
		ck_assert(slice_eq(buf_slice(&out), slice_str(rows[_i].want)));
	} else {
		ck_assert_uint_eq(all.errors, 1);
		ck_assert(strncmp(buf_slice(&all.text).p, "f:7: x: ", 8) == 0);
	}
	buf_done(&out);
	complaints_done(&all);
	pool_done(&pool);
}
END_TEST

START_TEST(value__quotes_what_would_be_expanded)
{
	struct buf out;

	buf_init(&out, 1000);
	value_quote(&out, "a\"b\\c${D}$e");
	ck_assert(slice_eq(buf_slice(&out), SLICE("\"a\\\"b\\\\c\\${D}$e\"")));
	buf_done(&out);
}
END_TEST

START_TEST(value__quotes_controls)
{
	struct buf out;

	buf_init(&out, 1000);
	value_quote(&out, "a\n1\x1b[m\x7f");
	ck_assert(slice_eq(buf_slice(&out), SLICE("\"a\\x0a1\\x1b[m\\x7f\"")));
	buf_done(&out);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("value");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, value__reads_and_writes, 0, MX_ARRAY_SIZE(rows));
	tcase_add_test(t, value__quotes_what_would_be_expanded);
	tcase_add_test(t, value__quotes_controls);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
