/* The resolver against a name server of our own. */
#include "mxhold/net/resolver.h"

#include <stdio.h>
#include <unistd.h>

#include "dns_context.h"
#include "support/fake_dns.h"
#include "unit/net/twice.h"

static const struct fake_record zone[] = {
	{"mx.test", "A", "192.0.2.1", 0},
	{"mx.test", "A", "192.0.2.2", 0},
	{"mx.test", "AAAA", "2001:db8::1", 0},
	{"example.test", "MX", "20 MX2.Example.test", 0},
	{"example.test", "MX", "10 mx1.example.test", 0},
	{"null.test", "MX", "0 .", 0},
	{"alias.test", "CNAME", "mx.test", 0},
	{"loop.test", "CNAME", "loop.test", 0},
	{"text.test", "TXT", "v=STSv1; |id=1", 0},
	{"_25._tcp.mx.test", "TLSA",
	 "3 1 1 "
	 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	 0},
	{"1.0.0.127.in-addr.arpa", "PTR", "client.test", 0},
	{"9.8.168.192.in-addr.arpa", "PTR", "lan.test", 0},
	{"gone.test", "A", NULL, FAKE_NXDOMAIN},
	{"servfail.test", "A", NULL, FAKE_SERVFAIL},
	{"silent.test", "A", NULL, FAKE_SILENT},
	{"silent2.test", "A", NULL, FAKE_SILENT},
	{"garbage.test", "A", NULL, FAKE_GARBAGE},
	{"cut.test", "A", NULL, FAKE_TRUNCATED},
	{"unsigned.test", "A", "192.0.2.6", 0},
	{"host.signed.test", "A", "192.0.2.7", 0},
	{"forged.signed.test", "A", "192.0.2.8", FAKE_FORGED},
	{NULL, NULL, NULL, 0},
};

static struct loop *loop;
static struct fake_dns *dns;
static struct resolver *r;
static struct error err;
static struct dns_answer a;
static int answers, wanted;

static void open_with(const char *anchor, const char *signed_zone,
		      int64_t timeout_ms)
{
	loop = loop_new(NULL);
	dns = fake_dns_start(zone, signed_zone);
	const char *server = fake_dns_server(dns);
	char file[] = "/tmp/mxhold-anchor-XXXXXX";
	if (!anchor) {
		close(mkstemp(file));
		fake_dns_write_anchor(dns, file);
		anchor = file;
	}
	struct resolver_options o = {.servers = &server,
				     .n_servers = 1,
				     .trust_anchor = anchor,
				     .timeout_ms = timeout_ms};
	r = resolver_new(loop, &o, &err);
	ck_assert_msg(r != NULL, "%s", err.text);
	if (anchor == file)
		unlink(file);
}

static void close_all(void)
{
	resolver_free(r);
	loop_free(loop);
	fake_dns_stop(dns);
}

static void on_answer(void *data MX_UNUSED, const struct dns_answer *answer)
{
	a = *answer;
	if (++answers == wanted)
		loop_stop(loop);
}

static void ask(const char *name, enum dns_type type)
{
	wanted = answers + 1;
	resolver_ask(r, name, type, on_answer, NULL);
	ck_assert_int_lt(answers, wanted); /* never within the call */
	while (answers < wanted)
		loop_run(loop);
}

static void check_addr(size_t i, const char *text)
{
	char got[INET_TEXT_MAX];
	inet_format(&a.records[i].addr, got);
	ck_assert_str_eq(got, text);
}

START_TEST(resolver__finds_addresses)
{
	open_with("none", NULL, 0);
	ask("mx.test", DNS_A);
	ck_assert_int_eq(a.status, DNS_OK);
	ck_assert_uint_eq(a.n, 2);
	ck_assert(!a.secure);
	ck_assert(!resolver_validates(r));
	ck_assert_uint_gt(a.ttl_s, 0);
	ask("mx.test", DNS_AAAA);
	ck_assert_uint_eq(a.n, 1);
	check_addr(0, "2001:db8::1");
	close_all();
}
END_TEST

START_TEST(resolver__finds_mail_exchangers)
{
	open_with("none", NULL, 0);
	ask("example.test", DNS_MX);
	ck_assert_uint_eq(a.n, 2);
	size_t first = a.records[0].preference == 10 ? 0 : 1;
	ck_assert_str_eq(a.records[first].name, "mx1.example.test");
	ck_assert_str_eq(a.records[!first].name, "mx2.example.test");
	ck_assert_uint_eq(a.records[!first].preference, 20);
	ask("null.test", DNS_MX);
	ck_assert_int_eq(a.status, DNS_OK);
	ck_assert_uint_eq(a.n, 1);
	ck_assert_str_eq(a.records[0].name, "");
	close_all();
}
END_TEST

/* DNS-2 */
START_TEST(resolver__follows_a_cname_and_tells_of_it)
{
	open_with("none", NULL, 0);
	ask("alias.test", DNS_A);
	ck_assert_uint_eq(a.n, 2);
	ck_assert(a.is_cname);
	ck_assert_str_eq(a.canonical, "mx.test");
	ask("loop.test", DNS_A);
	ck_assert_int_ne(a.status, DNS_OK);
	close_all();
}
END_TEST

START_TEST(resolver__finds_text_tlsa_and_pointers)
{
	open_with("none", NULL, 0);
	ask("text.test", DNS_TXT);
	ck_assert_str_eq(a.records[0].text, "v=STSv1; id=1");
	ask("_25._tcp.mx.test", DNS_TLSA);
	ck_assert(tlsa_is_usable(&a.records[0].tlsa));
	ck_assert_uint_eq(a.records[0].tlsa.data[31], 31);
	ask("1.0.0.127.in-addr.arpa", DNS_PTR);
	ck_assert_str_eq(a.records[0].name, "client.test");
	ask("9.8.168.192.in-addr.arpa", DNS_PTR);
	ck_assert_str_eq(a.records[0].name, "lan.test");
	close_all();
}
END_TEST

static const struct {
	const char *name;
	enum dns_type type;
	enum dns_status status;
} negative[] = {
	{"gone.test", DNS_A, DNS_NXDOMAIN},
	{"nowhere.test", DNS_MX, DNS_NXDOMAIN},
	{"mx.test", DNS_MX, DNS_NODATA},
	{"servfail.test", DNS_A, DNS_FAIL},
};

START_TEST(resolver__tells_what_is_not_there_from_what_failed)
{
	open_with("none", NULL, 0);
	ask(negative[_i].name, negative[_i].type);
	ck_assert_int_eq(a.status, negative[_i].status);
	ck_assert_uint_eq(a.n, 0);
	close_all();
}
END_TEST

/* A server that is silent, talks nonsense or cuts its answers must not keep a
 * query for ever. */
static const char *const lost[] = {"silent.test", "garbage.test", "cut.test"};

START_TEST(resolver__fails_a_query_at_its_deadline)
{
	open_with("none", NULL, 1000);
	ask(lost[_i], DNS_A);
	ck_assert_int_eq(a.status, DNS_FAIL);
	ck_assert_str_eq(a.canonical, lost[_i]);
	ask("mx.test", DNS_A); /* and the next one works */
	ck_assert_int_eq(a.status, DNS_OK);
	close_all();
}
END_TEST

static char long_label[80];

START_TEST(resolver__fails_what_is_no_name)
{
	static const char *const bad[] = {long_label, "a..b", "."};
	memset(long_label, 'a', 70);
	open_with("none", NULL, 5000);
	for (size_t i = 0; i < 2; i++) {
		ask(bad[i], DNS_A);
		ck_assert_int_eq(a.status, DNS_FAIL);
	}
	close_all();
}
END_TEST

START_TEST(resolver__answers_many_at_once)
{
	open_with("none", NULL, 0);
	wanted = 200;
	for (int i = 0; i < 200; i++)
		resolver_ask(r, i % 2 ? "mx.test" : "nowhere.test", DNS_A,
			     on_answer, NULL);
	while (answers < wanted)
		loop_run(loop);
	ck_assert_int_eq(answers, 200);
	close_all();
}
END_TEST

/* DNS-20 */
START_TEST(resolver__keeps_answers_for_their_time)
{
	open_with("none", NULL, 0);
	ask("mx.test", DNS_A);
	unsigned n = fake_dns_count(dns);
	ask("mx.test", DNS_A);
	ask("MX.Test.", DNS_A);
	ck_assert_uint_eq(fake_dns_count(dns), n);
	close_all();
}
END_TEST

static void never(void *data MX_UNUSED, const struct dns_answer *x MX_UNUSED)
{
	ck_abort_msg("an answer came");
}

START_TEST(resolver__gives_no_answer_to_a_cancelled_query)
{
	open_with("none", NULL, 0);
	struct resolver_query *q =
		resolver_ask(r, "mx.test", DNS_A, never, NULL);
	resolver_cancel(q);
	resolver_cancel(NULL);
	q = resolver_ask(r, "silent.test", DNS_A, never, NULL);
	ask("example.test", DNS_MX);
	resolver_cancel(q);
	ask("mx.test", DNS_AAAA);
	close_all();
}
END_TEST

START_TEST(resolver__may_be_freed_with_queries_open)
{
	open_with("none", NULL, 0);
	resolver_ask(r, "silent.test", DNS_A, never, NULL);
	resolver_ask(r, "mx.test", DNS_A, never, NULL);
	close_all();
}
END_TEST

static void free_within(void *data MX_UNUSED,
			const struct dns_answer *x MX_UNUSED)
{
	answers++;
	resolver_free(r);
	r = NULL;
	loop_stop(loop);
}

START_TEST(resolver__may_be_freed_within_an_answer)
{
	open_with("none", NULL, 200);
	for (int i = 0; i < 3; i++)
		resolver_ask(r, _i ? "silent.test" : "mx.test", DNS_A,
			     free_within, NULL);
	loop_run(loop);
	close_all();
	ck_assert_int_eq(answers, 1);
}
END_TEST

static void ask_again(void *data, const struct dns_answer *x MX_UNUSED)
{
	resolver_cancel(data); /* another query */
	resolver_ask(r, "mx.test", DNS_A, on_answer, NULL);
}

START_TEST(resolver__may_be_asked_within_an_answer)
{
	open_with("none", NULL, 0);
	struct resolver_query *q =
		resolver_ask(r, "silent.test", DNS_A, never, NULL);
	wanted = 1;
	resolver_ask(r, "example.test", DNS_MX, ask_again, q);
	loop_run(loop);
	ck_assert_uint_eq(a.n, 2);
	close_all();
}
END_TEST

/* ---- DNSSEC ---- */

/* DNS-22 */
START_TEST(resolver__believes_what_is_signed)
{
	open_with(NULL, "signed.test", 0);
	ck_assert(resolver_validates(r));
	ask("host.signed.test", DNS_A);
	ck_assert_int_eq(a.status, DNS_OK);
	ck_assert(a.secure);
	check_addr(0, "192.0.2.7");
	ask("unsigned.test", DNS_A); /* below no anchor: neither */
	ck_assert_int_eq(a.status, DNS_OK);
	ck_assert(!a.secure);
	close_all();
}
END_TEST

/* DNS-22 */
START_TEST(resolver__calls_forgery_bogus)
{
	open_with(NULL, "signed.test", 0);
	ask("forged.signed.test", DNS_A);
	ck_assert_int_eq(a.status, DNS_BOGUS);
	ck_assert(!a.secure);
	ck_assert_uint_eq(a.n, 0);
	close_all();
}
END_TEST

/* TLS-17: The anchor is for a zone that the server does not sign. */
START_TEST(resolver__calls_stripped_signatures_bogus_under_a_given_anchor)
{
	char file[] = "/tmp/mxhold-anchor-XXXXXX";
	struct fake_dns *other = fake_dns_start(zone, "signed.test");
	close(mkstemp(file));
	fake_dns_write_anchor(other, file);
	open_with(file, NULL, 0);
	ask("host.signed.test", DNS_A);
	ck_assert_int_eq(a.status, DNS_BOGUS);
	unlink(file);
	fake_dns_stop(other);
	close_all();
}
END_TEST

/* DNS-22: "auto" with a server that knows nothing of the root's keys: it goes
 * on without validation, and queries that waited for the check are answered. */
START_TEST(resolver__goes_on_without_validation_when_the_server_strips_it)
{
	open_with("auto", NULL, 0);
	ask("mx.test", DNS_A);
	ck_assert_int_eq(a.status, DNS_OK);
	ck_assert(!a.secure);
	ck_assert(!resolver_validates(r));
	close_all();
}
END_TEST

/* A root of our own, with its key where the root's key is looked for. */
static char root_anchor[] = "/tmp/mxhold-anchor-XXXXXX";

static void open_with_root(bool broken)
{
	loop = loop_new(NULL);
	dns = fake_dns_start(zone, "");
	fake_dns_break(dns, broken);
	close(mkstemp(root_anchor));
	fake_dns_write_anchor(dns, root_anchor);
	resolver_check.anchor = root_anchor;
	resolver_check.again_silent_ms = 20;
	const char *server = fake_dns_server(dns);
	struct resolver_options o = {
		.servers = &server, .n_servers = 1, .trust_anchor = "auto"};
	r = resolver_new(loop, &o, &err);
	ck_assert_msg(r != NULL, "%s", err.text);
}

START_TEST(resolver__validates_when_the_server_passes_the_roots_keys)
{
	open_with_root(false);
	ask("host.signed.test", DNS_A);
	ck_assert_int_eq(a.status, DNS_OK);
	ck_assert(a.secure);
	ck_assert(resolver_validates(r));
	ask("forged.signed.test", DNS_A);
	ck_assert_int_eq(a.status, DNS_BOGUS);
	unlink(root_anchor);
	close_all();
}
END_TEST

/* The daemon may be up before the network is. */
START_TEST(resolver__validates_later_when_the_first_check_failed)
{
	open_with_root(true);
	ask("host.signed.test", DNS_A);
	ck_assert_int_eq(a.status, DNS_FAIL);
	ck_assert(!resolver_validates(r));
	fake_dns_break(dns, false);
	while (!resolver_validates(r))
		ask("unsigned.test", DNS_TXT);
	ask("host.signed.test", DNS_A);
	ck_assert_int_eq(a.status, DNS_OK);
	ck_assert(a.secure);
	unlink(root_anchor);
	close_all();
}
END_TEST

START_TEST(resolver__may_be_freed_while_it_checks)
{
	open_with("auto", NULL, 0);
	struct resolver_query *q =
		resolver_ask(r, "mx.test", DNS_A, never, NULL);
	resolver_ask(r, "mx.test", DNS_A, never, NULL);
	resolver_cancel(q);
	close_all();
}
END_TEST

/* ---- settings ---- */

START_TEST(resolver__refuses_settings_that_make_no_sense)
{
	static const char *const nonsense[] = {"not an address"};
	static const char *const fine[] = {"127.0.0.1@53"};
	loop = loop_new(NULL);
	struct resolver_options o = {
		.servers = nonsense, .n_servers = 1, .trust_anchor = "none"};
	ck_assert_ptr_null(resolver_new(loop, &o, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "not an address"));
	o.servers = fine;
	o.trust_anchor = "/nonexistent/anchor";
	ck_assert_ptr_null(resolver_new(loop, &o, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/anchor"));
	o.trust_anchor = "/etc/passwd";
	ck_assert_ptr_null(resolver_new(loop, &o, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "/etc/passwd"));
	loop_free(loop);
}
END_TEST

START_TEST(resolver__takes_the_settings_of_the_system)
{
	loop = loop_new(NULL);
	struct resolver_options o = {.trust_anchor = "none"};
	r = resolver_new(loop, &o, &err);
	ck_assert_msg(r != NULL, "%s", err.text);
	resolver_free(r);
	resolver_free(NULL);
	loop_free(loop);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"resolver", TEST(resolver__finds_addresses),
		TEST(resolver__finds_mail_exchangers),
		TEST(resolver__follows_a_cname_and_tells_of_it),
		TEST(resolver__finds_text_tlsa_and_pointers),
		LOOP(resolver__tells_what_is_not_there_from_what_failed,
		     negative),
		LOOP(resolver__fails_a_query_at_its_deadline, lost),
		TEST(resolver__fails_what_is_no_name),
		TEST(resolver__answers_many_at_once),
		TEST(resolver__keeps_answers_for_their_time),
		TEST(resolver__gives_no_answer_to_a_cancelled_query),
		TEST(resolver__may_be_freed_with_queries_open),
		TWICE(resolver__may_be_freed_within_an_answer),
		TEST(resolver__may_be_asked_within_an_answer),
		TEST(resolver__believes_what_is_signed),
		TEST(resolver__calls_forgery_bogus),
		TEST(resolver__calls_stripped_signatures_bogus_under_a_given_anchor),
		TEST(resolver__goes_on_without_validation_when_the_server_strips_it),
		TEST(resolver__validates_when_the_server_passes_the_roots_keys),
		TEST(resolver__validates_later_when_the_first_check_failed),
		TEST(resolver__may_be_freed_while_it_checks),
		TEST(resolver__refuses_settings_that_make_no_sense),
		TEST(resolver__takes_the_settings_of_the_system));
}
