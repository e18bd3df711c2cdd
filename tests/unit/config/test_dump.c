#include "load.h"

START_TEST(config_dump__reads_back_as_itself)
{
	struct config *c = load_text(
		"hostname = \"mx2.example.com\"\n"
		"external_addresses = \"192.0.2.9\"\n"
		"listen \"a\\n0b\\nb\" { address = {\"127.0.0.1:2525\"} }\n"
		"policy { dnsbl = \"zen.example:2\" }\n"
		"alert \"x\" { exec = '/bin/a \"${b}\"' }\n"
		"primary \"p\" { host = {\"[2001:db8::1]:26\", \"a.example\"}\n"
		" tls = require source = \"192.0.2.9\" }\n"
		"domain \"a.example\" { primary = p recipients = {\"@/rcpt\", "
		"learn}\n drain { rate = 7 } bounce { send = none } }\n"
		"domain \"b.example\" { primary = mx recipients = learn }\n"
		"domain \"c.example\" { primary = \"h.example:2525\"\n"
		" recipients = learn }\n");
	char *first, *second;

	ck_assert_msg(c != NULL, "%s", load_complaints);
	first = config_dump(c);
	config_unref(c);
	ck_assert_ptr_nonnull(strstr(first, "\tdrain {\n\t\trate = 7\n\t}\n"));
	c = load_text(first);
	ck_assert_msg(c != NULL, "%s\n%s", load_complaints, first);
	second = config_dump(c);
	ck_assert_str_eq(first, second);
	ck_assert_str_eq(c->alerts[0].exec, "/bin/a \"${b}\"");
	config_unref(c);
	free(first);
	free(second);
}
END_TEST

START_TEST(config_dump_own__leaves_out_the_defaults)
{
	struct config *c = load_text(
		"hostname = \"mx2.example.com\"\n"
		"queue { retention = 30d reserve = 2G }\n"
		"listen \"smtp\" { }\n"
		"domain \"b.example\" { primary = mx recipients = learn }\n");
	char *text, *want;

	ck_assert_msg(c != NULL, "%s", load_complaints);
	text = config_dump_own(c);
	want = load_expand("hostname = \"mx2.example.com\"\n"
			   "conf_dir = \"@/d\"\n"
			   "postmaster = \"postmaster@b.example\"\n"
			   "threads = ");
	ck_assert(strncmp(text, want, strlen(want)) == 0);
	ck_assert_ptr_nonnull(strstr(text, "\nqueue {\n\treserve = \"2G\"\n}"));
	ck_assert_ptr_nonnull(
		strstr(text, "\ndomain \"b.example\" {\n\tprimary = \"mx\"\n"
			     "\trecipients = \"learn\"\n}\n"));
	config_unref(c);
	free(text);
	free(want);
}
END_TEST

/* "mail" alone would be read as the title of a primary{}. */
START_TEST(config_dump_own__writes_a_lone_word_so_that_it_stays_a_host)
{
	struct config *c =
		load_text("hostname = \"mx2.example.com\"\n"
			  "domain \"a.example\" { primary = \"mail:25\" "
			  "recipients = learn }\n"
			  "domain \"b.example\" { primary = \"mail.\" "
			  "recipients = learn }\n");
	char *text;

	ck_assert_msg(c != NULL, "%s", load_complaints);
	text = config_dump_own(c);
	config_unref(c);
	c = load_text(text);
	ck_assert_msg(c != NULL, "%s\n%s", load_complaints, text);
	ck_assert_uint_eq(c->n_domains, 2);
	for (size_t i = 0; i < c->n_domains; i++)
		ck_assert_str_eq(c->domains[i].primary->name, "mail");
	config_unref(c);
	free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dump");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, load_setup, load_teardown);
	tcase_add_test(t, config_dump__reads_back_as_itself);
	tcase_add_test(t, config_dump_own__leaves_out_the_defaults);
	tcase_add_test(
		t, config_dump_own__writes_a_lone_word_so_that_it_stays_a_host);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
