/* What a configuration means once it is read. */
#include "load.h"

#define HOST "hostname = \"mx2.example.com\"\n"
#define DOM                                \
	"domain \"Example.COM.\" {\n"      \
	" primary = \"mx1.example.com\"\n" \
	" recipients = \"@/rcpt\"\n"

static struct config *c;

static void setup(void)
{
	load_setup();
	c = NULL;
}

static void teardown(void)
{
	config_unref(c);
	load_teardown();
}

static void load(const char *text)
{
	c = load_text(text);
	ck_assert_msg(c != NULL, "%s", load_complaints);
}

START_TEST(config__five_lines_are_enough)
{
	const struct config_domain *d;

	load(HOST DOM "}\n");
	ck_assert_ptr_null(load_complaints);
	ck_assert_str_eq(c->hostname, "mx2.example.com");
	ck_assert_str_eq(c->postmaster, "postmaster@example.com");
	ck_assert_uint_eq(c->n_domains, 1);
	d = config_domain(c, "example.com");
	ck_assert_ptr_nonnull(d);
	ck_assert_str_eq(d->display, "Example.COM.");
	ck_assert_uint_eq(d->recipients.n, 1);
	ck_assert_str_eq(d->primary->name, "mx1.example.com");
	ck_assert_uint_eq(d->primary->n_hosts, 1);
	ck_assert_uint_eq(d->primary->hosts[0].port, 25);
	ck_assert_ptr_eq(config_primary(c, "mx1.example.com"), d->primary);
	ck_assert_ptr_null(config_domain(c, "other.example"));
}
END_TEST

START_TEST(config__defaults_are_those_of_the_manual)
{
	load(HOST DOM "}\n");
	ck_assert_str_eq(c->state_dir, "/var/lib/mxholdd");
	ck_assert_uint_gt(c->threads, 0);
	ck_assert_uint_eq(c->n_listens, 1);
	ck_assert_uint_eq(c->listens[0].n_addresses, 2);
	ck_assert(c->listens[0].etrn && c->tls.automatic);
	ck_assert_uint_eq(c->smtp.max_size, 50 << 20);
	ck_assert_int_eq(c->smtp.command_timeout, 300000);
	ck_assert(!c->smtp.reject_bare_newline);
	ck_assert_int_eq(c->policy.action, POLICY_DEFER);
	ck_assert(c->policy.milter_default_accept);
	ck_assert_int_eq(c->queue.retention, 30LL * 86400000);
	ck_assert_uint_eq(c->queue.max_bytes, 0);
	ck_assert_uint_eq(c->queue.reserve, 1 << 30);
	ck_assert_int_eq(c->probe.depth, PROBE_RCPT);
	ck_assert_str_eq(c->probe.sender, "");
	ck_assert_str_eq(c->probe.recipient, "postmaster");
	ck_assert_uint_eq(c->drain.n_retry_message, 5);
	ck_assert_int_eq(c->drain.retry_message[4], 3600000);
	ck_assert_int_eq(c->bounce.delay_dsn, 0); /* DSN-6 */
	ck_assert_str_eq(c->bounce.from, "postmaster@mx2.example.com");
	ck_assert_int_eq(c->log.level, LOG_INFO);
	ck_assert_str_eq(c->control.socket, "/run/mxholdd/control.sock");
	ck_assert_str_eq(c->metrics_listen, "");
	ck_assert_uint_eq(c->n_alerts, 0);
	ck_assert_int_eq(c->domains[0].when_up, WHEN_UP_ACCEPT);
	ck_assert_int_eq(c->domains[0].unknown_down, UNKNOWN_AUTO);
	ck_assert_str_eq(c->domains[0].subaddress, "+");
	ck_assert_int_eq(c->domains[0].primary->tls, PRIMARY_TLS_MAY);
}
END_TEST

START_TEST(config__values_are_taken)
{
	load(HOST "threads = 3 # bare numbers\n"
		  "external_addresses = {\"192.0.2.9\", \"2001:db8::9\"}\n"
		  "listen \"a\" { address = \"127.0.0.1:2525\" etrn = off\n"
		  " xclient_from = {\"10.0.0.0/8\", # a comment in a list\n"
		  " \"::1\"} }\n"
		  "smtp { bare_newline = reject min_rate = 0 }\n"
		  "policy { dnsbl = {\"zen.example:2\", \"ok.example:-5\"} }\n"
		  "probe { depth = tls sender = \"<p@mx2.example.com>\" }\n"
		  "log { level = debug format = json privacy = hash }\n"
		  "queue { clock = wall max_bytes = 4G }\n"
		  "metrics { listen = \"127.0.0.1:9125\" }\n" DOM "}\n");
	ck_assert_uint_eq(c->threads, 3);
	ck_assert_uint_eq(c->n_external, 2);
	ck_assert_uint_eq(c->listens[0].addresses[0].port, 2525);
	ck_assert(!c->listens[0].etrn);
	ck_assert_uint_eq(c->listens[0].xclient_from.n, 2);
	ck_assert(c->smtp.reject_bare_newline);
	ck_assert_uint_eq(c->smtp.min_rate, 0);
	ck_assert_str_eq(c->policy.dnsbl[0].zone, "zen.example");
	ck_assert_int_eq(c->policy.dnsbl[1].weight, -5);
	ck_assert_int_eq(c->probe.depth, PROBE_TLS);
	ck_assert_str_eq(c->probe.sender, "p@mx2.example.com");
	ck_assert_int_eq(c->log.level, LOG_DEBUG);
	ck_assert_int_eq(c->log.format, LOG_JSON);
	ck_assert(c->log.hash_private && c->queue.clock_wall);
	ck_assert_uint_eq(c->queue.max_bytes, 4ULL << 30);
	ck_assert_str_eq(c->metrics_listen, "127.0.0.1:9125");
}
END_TEST

START_TEST(config__a_domain_inherits_what_it_does_not_say)
{
	const struct config_domain *d;

	load(HOST "drain { rate = 5 canary = 7 }\n" DOM " drain { rate = 10 }\n"
		  " queue { retention = 2d }\n"
		  " bounce { from = \"a@b.example\" }\n"
		  " policy { action = record }\n}\n"
		  "domain \"b.example\" { primary = mx recipients = learn }\n");
	d = config_domain(c, "example.com");
	ck_assert_uint_eq(d->drain.rate, 10);
	ck_assert_uint_eq(d->drain.canary, 7);
	ck_assert_uint_eq(c->drain.rate, 5);
	ck_assert_int_eq(d->queue.retention, 2 * 86400000);
	ck_assert_int_eq(d->queue.hard_limit, c->queue.hard_limit);
	ck_assert_str_eq(d->bounce.from, "a@b.example");
	ck_assert_int_eq(d->policy.action, POLICY_RECORD);
	d = config_domain(c, "b.example");
	ck_assert_uint_eq(d->drain.rate, 5);
	ck_assert_str_eq(d->bounce.from, "postmaster@mx2.example.com");
	ck_assert(d->learn && d->recipients.n == 0);
}
END_TEST

START_TEST(config__domains_share_the_primary_they_name)
{
	load(HOST "primary \"hq\" { host = {\"MX1.example.com\", "
		  "\"[2001:db8::1]:2525\", \"192.0.2.1\", \"b.example:26\"}\n"
		  " port = 24 source = \"192.0.2.9\" }\n"
		  "domain \"a.example\" { primary = hq recipients = learn }\n"
		  "domain \"b.example\" { primary = hq recipients = learn }\n"
		  "domain \"c.example\" { primary = \"h.example:2525\"\n"
		  " recipients = learn }\n"
		  "domain \"d.example\" { primary = \"h.example:2525\"\n"
		  " recipients = learn }\n"
		  "domain \"e.example\" { primary = mx recipients = learn }\n"
		  "domain \"f.example\" { primary = mx recipients = learn }\n");
	ck_assert_uint_eq(c->n_primaries, 4);
	ck_assert_ptr_eq(c->domains[0].primary, c->domains[1].primary);
	ck_assert_ptr_eq(c->domains[2].primary, c->domains[3].primary);
	ck_assert_str_eq(c->domains[3].primary->name, "h.example:2525");
	ck_assert_str_eq(c->domains[4].primary->name, "mx:e.example");
	ck_assert_str_eq(c->domains[5].primary->mx_domain, "f.example");
	ck_assert(c->domains[5].primary->by_mx);
	ck_assert_uint_eq(c->primaries[0]->n_hosts, 4);
	ck_assert_str_eq(c->primaries[0]->hosts[0].name, "mx1.example.com");
	ck_assert_uint_eq(c->primaries[0]->hosts[0].port, 24);
	ck_assert(c->primaries[0]->hosts[1].is_address);
	ck_assert_str_eq(c->primaries[0]->hosts[1].name, "2001:db8::1");
	ck_assert_uint_eq(c->primaries[0]->hosts[1].port, 2525);
	ck_assert_uint_eq(c->primaries[0]->hosts[2].port, 24);
	ck_assert_uint_eq(c->primaries[0]->hosts[3].port, 26);
	ck_assert(c->primaries[0]->has_source);
}
END_TEST

START_TEST(config__a_primary_without_hosts_is_found_by_mx)
{
	load(HOST "primary \"hq\" { tls = require }\n"
		  "primary \"idle\" { port = 26 }\n"
		  "domain \"a.example\" { primary = hq recipients = learn }\n"
		  "domain \"b.example\" { primary = hq recipients = learn }\n");
	ck_assert_uint_eq(c->n_primaries, 1);
	ck_assert(c->primaries[0]->by_mx);
	ck_assert_str_eq(c->primaries[0]->mx_domain, "a.example");
	ck_assert_ptr_nonnull(strstr(load_complaints,
				     "primary \"idle\": warning: no domain "
				     "names it"));
}
END_TEST

START_TEST(config__conf_dir_adds_domains_and_later_files_win)
{
	char dir[128];

	snprintf(dir, sizeof(dir), "%s/d", load_dir);
	ck_assert_int_eq(mkdir(dir, 0755), 0);
	load_write("d/20.conf", "smtp { max_hops = 22 }\n");
	load_write("d/10.conf", "smtp { max_hops = 11 max_errors = 4 }\n"
				"primary \"p\" { host = \"192.0.2.1\" }\n"
				"domain \"b.example\" { primary = p "
				"recipients = learn }\n");
	load(HOST "smtp { max_rcpt = 200 }\n" DOM "}\n");
	ck_assert_uint_eq(c->smtp.max_hops, 22);
	ck_assert_uint_eq(c->smtp.max_errors, 4);
	ck_assert_uint_eq(c->smtp.max_rcpt, 200);
	ck_assert_uint_eq(c->n_domains, 2);
}
END_TEST

/* EXT-30 */
START_TEST(config__writes_hostname_in_a_labels)
{
	load("hostname = \"MX2.b\xc3\xbc"
	     "cher.example\"\n" DOM "}\n");
	ck_assert_str_eq(c->hostname, "mx2.xn--bcher-kva.example");
}
END_TEST

START_TEST(config__strings_mean_what_they_say)
{
	setenv("MXHOLD_TEST_DIR", "/srv/x", 1);
	load(HOST
	     "state_dir = \"${MXHOLD_TEST_DIR}/state\"\n"
	     "control { socket = '/run/${not}/\\a' }\n"
	     "alert \"a\" { exec = \"/bin/a \\${x} \\\"b\\\" \\\\c\" }\n" DOM
	     "}\n");
	ck_assert_str_eq(c->state_dir, "/srv/x/state");
	ck_assert_str_eq(c->control.socket, "/run/${not}/\\a");
	ck_assert_str_eq(c->alerts[0].exec, "/bin/a ${x} \"b\" \\c");
}
END_TEST

START_TEST(config__counts_who_uses_it)
{
	struct config *again;

	load(HOST DOM "}\n");
	again = config_ref(c);
	ck_assert_ptr_eq(again, c);
	config_unref(c);
	ck_assert_str_eq(again->hostname, "mx2.example.com");
}
END_TEST

START_TEST(config__says_what_needs_a_restart)
{
	struct config *d;
	char names[256];

	load(HOST "threads = 2\n" DOM "}\n");
	d = load_text(HOST "threads = 2\nsmtp { max_hops = 9 }\n" DOM "}\n");
	config_needs_restart(c, d, names, sizeof(names));
	ck_assert_str_eq(names, "");
	config_unref(d);
	d = load_text(HOST "threads = 3 state_dir = \"/x\"\n"
			   "listen \"smtp\" { etrn = false }\n"
			   "control { socket = \"/x/s\" }\n" DOM "}\n");
	config_needs_restart(c, d, names, sizeof(names));
	ck_assert_str_eq(names, "listen, state_dir, threads, control.socket");
	config_unref(d);
}
END_TEST

START_TEST(config__says_what_has_no_effect_yet)
{
	char want[256];

	load(HOST "policy {\n milter_timeout = \"5s\"\n}\n" DOM "}\n");
	snprintf(want, sizeof(want),
		 "%s/c:3: policy.milter_timeout: warning: has no effect in "
		 "this version\n",
		 load_dir);
	ck_assert_ptr_nonnull(load_complaints);
	ck_assert_str_eq(load_complaints, want);
}
END_TEST

/* As if somebody had taken the # off every option. */
START_TEST(config__the_example_file_is_valid_as_a_whole)
{
	FILE *in = fopen("systemd/mxholdd.conf.example", "r");
	char path[128], line[512];
	FILE *out;

	ck_assert_ptr_nonnull(in);
	snprintf(path, sizeof(path), "%s/example", load_dir);
	out = fopen(path, "w");
	while (fgets(line, sizeof(line), in)) {
		bool option = line[0] == '#' && line[1] != ' ';

		if (strncmp(line, "#hostname", 9) == 0)
			fputs("hostname = \"mx2.example.com\"\n", out);
		else
			fputs(line + option, out);
	}
	fclose(in);
	fclose(out);
	c = config_peek(path, &load_complaints);
	ck_assert_msg(c != NULL, "%s", load_complaints);
	ck_assert_str_eq(c->domains[0].primary->name, "mx1");
}
END_TEST

START_TEST(config__without_domains_is_a_warning)
{
	load(HOST);
	ck_assert_str_eq(c->postmaster, "postmaster@mx2.example.com");
	ck_assert_ptr_nonnull(
		strstr(load_complaints, "no domain is configured"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("load");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, config__five_lines_are_enough);
	tcase_add_test(t, config__defaults_are_those_of_the_manual);
	tcase_add_test(t, config__values_are_taken);
	tcase_add_test(t, config__a_domain_inherits_what_it_does_not_say);
	tcase_add_test(t, config__domains_share_the_primary_they_name);
	tcase_add_test(t, config__a_primary_without_hosts_is_found_by_mx);
	tcase_add_test(t, config__conf_dir_adds_domains_and_later_files_win);
	tcase_add_test(t, config__writes_hostname_in_a_labels);
	tcase_add_test(t, config__strings_mean_what_they_say);
	tcase_add_test(t, config__counts_who_uses_it);
	tcase_add_test(t, config__says_what_needs_a_restart);
	tcase_add_test(t, config__says_what_has_no_effect_yet);
	tcase_add_test(t, config__the_example_file_is_valid_as_a_whole);
	tcase_add_test(t, config__without_domains_is_a_warning);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
