#include <check.h>
#include <string.h>

#include "mxhold/config/schema.h"

START_TEST(schema__names_are_unique_in_their_section)
{
	for (size_t i = 0; i < schema_n_options; i++)
		ck_assert_ptr_eq(schema_find(schema_options[i].section,
					     schema_options[i].name),
				 &schema_options[i]);
}
END_TEST

START_TEST(schema__every_option_has_help_and_a_place)
{
	const struct schema_option *o = &schema_options[_i];

	ck_assert(strlen(o->help) > 5);
	ck_assert_int_lt(o->section, SCHEMA_SECTIONS);
	ck_assert(o->def || o->section == SCHEMA_DOMAIN);
	if (o->type == SCHEMA_WORD || o->type == SCHEMA_FLAG)
		ck_assert_int_ge(schema_word_index(o->words, o->def), 0);
}
END_TEST

START_TEST(schema__finds_the_nearest_name)
{
	char out[32];

	ck_assert_str_eq(schema_nearest_option(SCHEMA_SMTP, "max_session"),
			 "max_sessions");
	ck_assert_str_eq(schema_nearest_section("brekaer"), "breaker");
	ck_assert_ptr_null(schema_nearest_option(SCHEMA_SMTP, "elephant"));
	ck_assert_str_eq(schema_nearest_word("defer|reject|record", "regect",
					     out, sizeof(out)),
			 "reject");
	ck_assert_ptr_null(
		schema_nearest_word("defer|reject", "x", out, sizeof(out)));
}
END_TEST

START_TEST(schema__writes_defaults_as_the_file_has_them)
{
	static const struct {
		enum schema_id section;
		const char *name, *want;
	} rows[] = {
		{SCHEMA_LISTEN, "address", "{\"0.0.0.0:25\", \"[::]:25\"}"},
		{SCHEMA_LISTEN, "proxy_from", "{}"},
		{SCHEMA_LISTEN, "etrn", "true"},
		{SCHEMA_SMTP, "max_rcpt", "100"},
		{SCHEMA_SMTP, "min_rate", "\"500\""},
		{SCHEMA_TLS, "cert", "\"auto\""},
		{SCHEMA_DOMAIN, "primary", ""},
	};
	struct buf out;

	buf_init(&out, 1000);
	for (size_t i = 0; i < MX_ARRAY_SIZE(rows); i++) {
		buf_clear(&out);
		schema_format_default(
			schema_find(rows[i].section, rows[i].name), &out);
		ck_assert(slice_eq(buf_slice(&out), slice_str(rows[i].want)));
	}
	buf_done(&out);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("schema");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_test(t, schema__names_are_unique_in_their_section);
	tcase_add_loop_test(t, schema__every_option_has_help_and_a_place, 0,
			    (int)schema_n_options);
	tcase_add_test(t, schema__finds_the_nearest_name);
	tcase_add_test(t, schema__writes_defaults_as_the_file_has_them);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
