/* What is wrong, where, and what was meant: one row a mistake. */
#include "load.h"

#define HOST "hostname = \"mx2.example.com\"\n"
#define DOM                                \
	"domain \"example.com\" {\n"       \
	" primary = \"mx1.example.com\"\n" \
	" recipients = \"@/rcpt\"\n"       \
	"}\n"

static const struct {
	const char *text, *want; /* @/ stands for the directory */
} rows[] = {
	/* names */
	{HOST "hostnme = \"x\"\n" DOM,
	 "@/c:2: hostnme: no such option; did you mean hostname?\n"},
	{HOST "smtp {\n max_rcptt = 3\n}\n" DOM,
	 "@/c:3: max_rcptt: no such option in smtp; did you mean max_rcpt?\n"},
	{HOST "domian \"a.example\" {\n primary = \"x\"\n}\n" DOM,
	 "@/c:2: domian: no such option; did you mean domain?\n"},
	{HOST "smtp { retention = \"3d\" }\n" DOM,
	 "@/c:2: retention: no such option in smtp; it belongs in queue { }\n"},
	{HOST "smtp { threads = 3 }\n" DOM,
	 "@/c:2: threads: no such option in smtp; it belongs outside of all "
	 "sections\n"},
	{HOST "smtp { probe { } }\n" DOM,
	 "@/c:2: probe: no such section in smtp\n"},
	{HOST "zyxwvut = 4\n" DOM, "@/c:2: zyxwvut: no such option\n"},
	/* every complaint, not the first alone; lines behind comments */
	{HOST "# a comment\n/* another\n one */\nfoobar = {1,\n 2}\n"
	      "smtp { baz { quux = 1 } max_hops = none }\n" DOM,
	 "@/c:5: foobar: no such option\n"
	 "@/c:7: baz: no such option in smtp\n"
	 "@/c:7: smtp.max_hops: \"none\" is not a whole number\n"},
	/* values */
	{HOST "smtp {\n\n max_rcpt = 100000\n}\n" DOM,
	 "@/c:4: smtp.max_rcpt: \"100000\" is out of bounds (1 to 50000)\n"},
	{HOST "smtp { max_size = \"many\" }\n" DOM,
	 "@/c:2: smtp.max_size: \"many\" is not a size, such as 64K, 50M or "
	 "10G\n"},
	{HOST "queue { retention = \"soon\" }\n" DOM,
	 "@/c:2: queue.retention: \"soon\" is not a duration, such as 10s, "
	 "5m, 2h or 30d\n"},
	{HOST "queue { max_bytes = \"most\" }\n" DOM,
	 "@/c:2: queue.max_bytes: \"most\" is not a size, such as 64K, 50M or "
	 "10G, nor auto\n"},
	{HOST "policy { action = \"defr\" }\n" DOM,
	 "@/c:2: policy.action: \"defr\" is not one of defer, reject, record; "
	 "did you mean defer?\n"},
	{HOST "smtp { strict_helo = maybe }\n" DOM,
	 "@/c:2: smtp.strict_helo: \"maybe\" is neither true nor false\n"},
	{HOST "listen \"a\" { address = {\"1.2.3.4\"} }\n" DOM,
	 "@/c:2: listen \"a\".address: \"1.2.3.4\" is not an address with a "
	 "port, such as 192.0.2.1:25 or [2001:db8::1]:25\n"},
	{HOST "listen \"a\" { proxy_from = \"10.0.0.0/40\" }\n" DOM,
	 "@/c:2: listen \"a\".proxy_from: \"10.0.0.0/40\" is not a network, "
	 "such as 192.0.2.0/24 or 2001:db8::/32\n"},
	{HOST "policy { dnsbl = {\"zen.example:x\"} }\n" DOM,
	 "@/c:2: policy.dnsbl: \"zen.example:x\" is not a list, such as "
	 "zen.example or zen.example:2\n"},
	{HOST "tls { key = {} }\n" DOM, "@/c:2: tls.key: must not be empty\n"},
	{HOST "drain { retry_message = {\"1m\", \"never\"} }\n" DOM,
	 "@/c:2: drain.retry_message: \"never\" is not a duration, such as "
	 "10s, 5m, 2h or 30d\n"},
	{HOST "alert \"x\" { events = \"disc\" }\n" DOM,
	 "@/c:2: alert \"x\".events: warning: has no effect in this version\n"
	 "@/c:2: alert \"x\".events: \"disc\" is not one of primary, breaker, "
	 "queue, disk, recipients, tls; did you mean disk?\n"},
	{HOST "user = \"a\tb\"\n" DOM,
	 "@/c:2: user: \"a\\x09b\" holds a control character\n"},
	/* names of hosts */
	{"hostname = \"mx2\"\n" DOM,
	 "@/c:1: hostname: \"mx2\" is not a fully qualified name, such as "
	 "mx2.example.com\n"},
	{"hostname = \"192.0.2.7\"\n" DOM,
	 "@/c:1: hostname: \"192.0.2.7\" is an address; a fully qualified "
	 "name is needed, such as mx2.example.com\n"},
	{HOST "postmaster = \"root\"\n" DOM,
	 "@/c:2: postmaster: \"root\" is not an address: it does not read "
	 "local@domain\n"},
	/* domains */
	{HOST DOM "domain \"EXAMPLE.com\" { primary = \"mx\"\n"
		  " recipients = \"@/rcpt\" }\n",
	 "@/c:6: domain \"EXAMPLE.com\" is there twice; the first is at "
	 "@/c:2\n"},
	{HOST "domain \"b\xc3\xbc"
	      "cher.example\" { primary = mx recipients = learn }\n"
	      "domain \"xn--bcher-kva.example\" {\n"
	      " primary = mx recipients = learn }\n",
	 "@/c:3: domain \"xn--bcher-kva.example\" is there twice; the first "
	 "is at @/c:2\n"},
	{HOST "domain \"192.0.2.1\" { primary = mx recipients = learn }\n" DOM,
	 "@/c:2: domain \"192.0.2.1\": is an address; a domain name is "
	 "needed\n"},
	{HOST DOM "domain \"a\x1b.example\" { }\n",
	 "@/c:6: domain \"a\\x1b.example\": is not a domain name\n"},
	{HOST "domain \"a.example\" { recipients = learn }\n",
	 "@/c:2: domain \"a.example\".primary: is missing: whom is the mail "
	 "handed to?\n"},
	{HOST "domain \"a.example\" { primary = mx }\n",
	 "@/c:2: domain \"a.example\".recipients: is missing: name a file of "
	 "recipients, or \"learn\" (a file with a lone @ takes every local "
	 "part)\n"},
	{HOST "domain \"a.example\" {\n primary = mx\n"
	      " recipients = \"@/none\" }\n",
	 "@/c:4: domain \"a.example\".recipients: @/none cannot be read: No "
	 "such file or directory\n"},
	{HOST "domain \"a.example\" { primary = mx recipients = learn\n"
	      " queue { max_bytes = 4G } }\n",
	 "@/c:3: domain \"a.example\".queue.max_bytes: cannot differ by "
	 "domain\n"},
	{HOST "domain \"a.example\" { primary = mx recipients = learn\n"
	      " drain { rate = fast } }\n",
	 "@/c:3: domain \"a.example\".drain.rate: \"fast\" is not a whole "
	 "number\n"},
	/* primaries */
	{HOST
	 "primary \"mx1\" { host = \"mx1.example.com\" }\n"
	 "domain \"a.example\" { primary = \"mx11\" recipients = learn }\n",
	 "@/c:3: domain \"a.example\".primary: there is no primary \"mx11\"; "
	 "did you mean \"mx1\"?\n"
	 "@/c:2: primary \"mx1\": warning: no domain names it\n"},
	{HOST "domain \"a.example\" { primary = \"inner\" recipients = learn "
	      "}\n",
	 "@/c:2: domain \"a.example\".primary: there is no primary \"inner\"; "
	 "if it is the name of a host, write \"inner:25\"\n"},
	{HOST "domain \"a.example\" { primary = \"mx2.example.com\"\n"
	      " recipients = learn }\n",
	 "@/c:2: domain \"a.example\".primary: \"mx2.example.com\" port 25 is "
	 "this host itself: mail would go round in a loop\n"},
	{HOST "listen \"a\" { address = \"127.0.0.1:2525\" }\n"
	      "domain \"a.example\" { primary = \"127.0.0.1:2525\"\n"
	      " recipients = learn }\n",
	 "@/c:3: domain \"a.example\".primary: \"127.0.0.1\" port 2525 is this "
	 "host itself: mail would go round in a loop\n"},
	{HOST "primary \"p\" { host = \"1.2.3.4\" tls = pin }\n"
	      "domain \"a.example\" { primary = \"p\" recipients = learn }\n",
	 "@/c:2: primary \"p\".tls: \"pin\" needs the option pin, such as "
	 "sha256:...\n"},
	{HOST "primary \"p\" { host = \"1.2.3.4\" tls = pin pin = "
	      "\"sha256:00\" }\n"
	      "domain \"a.example\" { primary = \"p\" recipients = learn }\n",
	 "@/c:2: primary \"p\".pin: \"sha256:00\" is not sha256: and 64 hex "
	 "digits or 44 of base64\n"},
	{HOST "primary \"p\" { host = \"1.2.3.4\" tls = dane }\n"
	      "domain \"a.example\" { primary = \"p\" recipients = learn }\n",
	 "@/c:2: primary \"p\".host: \"1.2.3.4\" is an address; tls = \"dane\" "
	 "needs a name to check\n"},
	{HOST "primary \"p\" { host = \"1.2.3.4\" }\n"
	      "primary \"p\" { host = \"1.2.3.5\" }\n" DOM,
	 "@/c:3: primary \"p\" is there twice; the first is at @/c:2\n"
	 "@/c:2: primary \"p\": warning: no domain names it\n"},
	/* across options */
	{HOST "tls { cert = {\"@/rcpt\", \"@/rcpt\"}\n key = \"@/rcpt\" "
	      "}\n" DOM,
	 "@/c:3: tls.key: 1 keys for 2 certificates\n"},
	{HOST "tls { cert = \"@/none\"\n key = \"@/rcpt\" }\n" DOM,
	 "@/c:2: tls.cert: @/none cannot be read: No such file or "
	 "directory\n"},
	{HOST "queue { retention = 30d\n hard_limit = 2d }\n" DOM,
	 "@/c:3: queue: hard_limit is shorter than retention\n"},
	{HOST "listen \"a\" { address = \"127.0.0.1:2525\" }\n"
	      "listen \"b\" { address = \"127.0.0.1:2525\" }\n" DOM,
	 "@/c:3: listen \"b\".address: listen \"a\" has the same address\n"},
	{HOST "dns { resolver = \"ns.example\" }\n" DOM,
	 "@/c:2: dns.resolver: \"ns.example\" is not a server, such as "
	 "192.0.2.53 or 127.0.0.1@5353\n"},
	{HOST "policy { milter = \"tcp:1\" }\n" DOM,
	 "@/c:2: policy.milter: warning: has no effect in this version\n"
	 "@/c:2: policy.milter: \"tcp:1\" is not a milter, such as unix:/path "
	 "or inet:127.0.0.1:11332\n"},
	{HOST "domain \"a.example\" { primary = \"mx1.a.example\"\n"
	      "recipients = \"http://a.example/l\"\n"
	      "when_up = passthrough }\n",
	 "@/c:3: domain \"a.example\".recipients: \"http://a.example/l\": only "
	 "https:// is fetched\n"
	 "@/c:4: domain \"a.example\".when_up: warning: passthrough is taken "
	 "as accept in this version\n"},
	{HOST "domain \"a.example\" { primary = \"mx1.a.example\"\n"
	      "recipients = \"exec:/no/such/program here\" }\n",
	 "@/c:3: domain \"a.example\".recipients: /no/such/program cannot be "
	 "run: No such file or directory\n"},
	{HOST "domain \"a.example\" { primary = \"mx1.a.example\"\n"
	      "recipients = {\"https:///l\", \"https://a.example/l\"} }\n",
	 "@/c:3: domain \"a.example\".recipients: \"https:///l\" names no "
	 "host\n"},
	{HOST "user = \"no-such-user-here\"\n" DOM,
	 "@/c:2: user: there is no user \"no-such-user-here\"\n"},
	/* grammar */
	{HOST "user = \"a\nthreads = 3\n" DOM,
	 "@/c:2: the string that begins on this line is not closed on it\n"},
	{HOST "user = \"${NO_SUCH_VARIABLE_HERE}\"\n" DOM,
	 "@/c:2: ${NO_SUCH_VARIABLE_HERE} names a variable that is not set; "
	 "put a backslash before it for the characters themselves\n"},
	{HOST "user = \"${HOME\"\nstate_dir = \"/a:-}\"\n" DOM,
	 "@/c:2: the ${ on this line is never closed; put a backslash before "
	 "it for the characters themselves\n"},
	{HOST "user = \"a${\"\nstate_dir = \"/a:-}\"\n" DOM,
	 "@/c:2: the ${ on this line is never closed; put a backslash before "
	 "it for the characters themselves\n"},
	{HOST "/* open\n" DOM,
	 "@/c:2: the comment that begins here is never closed with */\n"},
	{HOST "smtp { max_hops = 3\n",
	 "@/c:2: the { on this line is never closed\n"},
	{HOST "smtp { max_hops = 3\n" DOM,
	 "@/c:2: the { on this line is never closed\n"},
	{HOST "threads = 3 }\n" DOM, "@/c:2: unexpected closing brace\n"},
	{HOST DOM "domain \"example.com\" { foo = 1 }\nbar = 2\n",
	 "@/c:6: domain \"example.com\" is there twice; the first is at "
	 "@/c:2\n@/c:7: bar: no such option\n"},
	{HOST "threads 4\n" DOM,
	 "@/c:2: missing equal sign after option 'threads'\n"},
};

START_TEST(config_load__says_what_is_wrong_and_where)
{
	struct config *c = load_text(rows[_i].text);
	char *want = load_expand(rows[_i].want);

	ck_assert_ptr_nonnull(load_complaints);
	ck_assert_str_eq(load_complaints, want);
	ck_assert_ptr_null(c);
	free(want);
}
END_TEST

START_TEST(config_load__names_the_file_of_conf_dir)
{
	char dir[128], want[512];

	snprintf(dir, sizeof(dir), "%s/d", load_dir);
	ck_assert_int_eq(mkdir(dir, 0755), 0);
	load_write("d/b.conf", "domain \"b.example\" { prmary = mx }\n");
	load_write("d/a.conf", "hostnam = 1\n");
	load_write("d/ignored", "nonsense = 1\n");
	ck_assert_ptr_null(load_text(HOST DOM));
	snprintf(want, sizeof(want),
		 "%s/d/a.conf:1: hostnam: no such option; did you mean "
		 "hostname?\n%s/d/b.conf:1: prmary: no such option in domain; "
		 "did you mean primary?\n",
		 load_dir, load_dir);
	ck_assert_ptr_nonnull(load_complaints);
	ck_assert(strncmp(load_complaints, want, strlen(want)) == 0);
}
END_TEST

START_TEST(config_load__says_that_a_file_is_not_there)
{
	char *complaints, path[128], want[256];

	snprintf(path, sizeof(path), "%s/none", load_dir);
	snprintf(want, sizeof(want),
		 "%s: cannot be read: No such file or directory\n", path);
	ck_assert_ptr_null(config_load(path, &complaints));
	ck_assert_str_eq(complaints, want);
	free(complaints);
}
END_TEST

START_TEST(config_load__works_after_a_load_that_failed)
{
	struct config *c;

	ck_assert_ptr_null(load_text("hostname = \"abc\nsmtp {"));
	c = load_text(HOST DOM);
	ck_assert_ptr_nonnull(c);
	config_unref(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("complaints");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, load_setup, load_teardown);
	tcase_add_loop_test(t, config_load__says_what_is_wrong_and_where, 0,
			    sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(t, config_load__names_the_file_of_conf_dir);
	tcase_add_test(t, config_load__says_that_a_file_is_not_there);
	tcase_add_test(t, config_load__works_after_a_load_that_failed);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
