/* Reverse names and block lists, against a name server of our own. */
#include "mxhold/receive/client_dns.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "mxhold/base/log.h"
#include "rig.h"
#include "support/fake_dns.h"

#define V6 "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.a.0.0.0.a.2."

static const struct fake_record zone[] = {
	{"44.33.22.11.in-addr.arpa", "PTR", "good.test", 0},
	{"good.test", "A", "11.22.33.44", 0},
	{"45.33.22.11.in-addr.arpa", "PTR", "liar.test", 0},
	{"liar.test", "A", "11.22.33.99", 0},
	{"47.33.22.11.in-addr.arpa", "PTR", "silent.test", 0},
	{"silent.test", "A", NULL, FAKE_SERVFAIL},
	{"48.33.22.11.in-addr.arpa", "PTR", NULL, FAKE_SERVFAIL},
	{"49.33.22.11.in-addr.arpa", "PTR", "liar.test", 0},
	{"49.33.22.11.in-addr.arpa", "PTR", "second.test", 0},
	{"second.test", "A", "11.22.33.1", 0},
	{"second.test", "A", "11.22.33.49", 0},
	{"50.33.22.11.in-addr.arpa", "PTR", "localhost", 0},
	{V6 "ip6.arpa", "PTR", "six.test", 0},
	{"six.test", "AAAA", "2a00:a00::7", 0},
	{"44.33.22.11.one.test", "A", "127.0.0.2", 0},
	{"44.33.22.11.two.test", "A", "127.0.0.4", 0},
	{"45.33.22.11.two.test", "A", "127.255.255.254", 0},
	{"46.33.22.11.two.test", "A", "192.0.2.1", 0},
	{"47.33.22.11.one.test", "A", NULL, FAKE_SERVFAIL},
	{"51.33.22.11.one.test", "A", NULL, FAKE_SILENT},
	{"51.33.22.11.two.test", "A", "127.0.0.2", 0},
	{V6 "one.test", "A", "127.0.0.3", 0},
	{NULL, NULL, NULL, 0},
};

static struct rig rig;
static struct loop *loop;
static struct fake_dns *dns;
static struct resolver *resolver;
static struct client_dns *c;
static struct client_facts facts;
static int answers, wanted;

static void open_with(const char *policy)
{
	struct error err;

	rig_init(&rig);
	rig_configure(&rig, policy, "");
	loop = loop_new(NULL);
	dns = fake_dns_start(zone, NULL);
	resolver = resolver_new(
		loop,
		&(struct resolver_options){
			.servers = (const char *[]){fake_dns_server(dns)},
			.n_servers = 1,
			.trust_anchor = "none"},
		&err);
	ck_assert_msg(resolver, "%s", err.text);
	c = client_dns_new(loop, resolver, rig.config);
}

static void open_lists(void)
{
	open_with("policy { dnsbl = {\"one.test\", \"two.test:2\"} }");
}

static void close_all(void)
{
	client_facts_done(&facts);
	client_dns_free(c);
	resolver_free(resolver);
	loop_free(loop);
	fake_dns_stop(dns);
	rig_done(&rig);
}

static void on_facts(struct client_dns_wait *w, const struct client_facts *f)
{
	(void)w;
	client_facts_done(&facts);
	client_facts_copy(&facts, f);
	if (++answers == wanted)
		loop_stop(loop);
}

static struct inet_addr addr(const char *text)
{
	struct inet_addr a;

	ck_assert_int_eq(inet_parse(slice_str(text), &a), 0);
	return a;
}

static void ask_as(const char *client, bool is_judged)
{
	struct client_dns_wait w = {.on_facts = on_facts};
	struct inet_addr a = addr(client);

	wanted = answers + 1;
	client_dns_ask(c, &a, is_judged, &w);
	while (answers < wanted)
		loop_run(loop);
}

static void ask(const char *client)
{
	ask_as(client, true);
}

/* ---- reverse names ---- */

static const struct {
	const char *client;
	enum fcrdns fcrdns;
	const char *name;
} reverses[] = {
	{"11.22.33.44", FCRDNS_CONFIRMED, "good.test"},
	{"2a00:a00::7", FCRDNS_CONFIRMED, "six.test"},
	{"11.22.33.45", FCRDNS_NONE, NULL},    /* leads elsewhere */
	{"11.22.33.46", FCRDNS_NONE, NULL},    /* there is none */
	{"11.22.33.47", FCRDNS_TROUBLE, NULL}, /* the way back is not known */
	{"11.22.33.48", FCRDNS_TROUBLE, NULL},
	{"11.22.33.49", FCRDNS_CONFIRMED, "second.test"}, /* one is enough */
	{"11.22.33.50", FCRDNS_NONE, NULL},               /* no FQDN */
};

START_TEST(client_dns__confirms_a_reverse_name_by_the_way_back)
{
	open_with("");
	ask(reverses[_i].client);
	ck_assert_int_eq(facts.fcrdns, reverses[_i].fcrdns);
	if (reverses[_i].name)
		ck_assert_str_eq(facts.name, reverses[_i].name);
	else
		ck_assert_ptr_null(facts.name);
	ck_assert_ptr_null(facts.listed);
	close_all();
}
END_TEST

/* A primary's address, which becomes known while it is looked up: it is asked
 * for both ways at once, and what came last is remembered. */
START_TEST(client_dns__looks_up_a_client_both_ways_at_once)
{
	struct client_dns_wait judged = {.on_facts = on_facts};
	struct client_dns_wait friend = {.on_facts = on_facts};
	struct inet_addr a = addr("11.22.33.44");

	open_with("policy { dnsbl = \"one.test\" }");
	wanted = answers + 2;
	client_dns_ask(c, &a, true, &judged);
	client_dns_ask(c, &a, false, &friend);
	while (answers < wanted)
		loop_run(loop);
	ask_as("11.22.33.44", true);
	ck_assert_str_eq(facts.listed, " one.test ");
	ask_as("11.22.33.44", false);
	ck_assert_ptr_null(facts.listed);
	close_all();
}
END_TEST

/* ---- block lists ---- */

static const struct {
	const char *client, *listed;
} listings[] = {
	{"11.22.33.44", "one.test two.test"},
	{"2a00:a00::7", "one.test"},
	{"11.22.33.45", NULL}, /* 127.255.255.254: an error of the list */
	{"11.22.33.46", NULL}, /* not in 127/8: a list that is no more */
	{"11.22.33.47", NULL}, /* SERVFAIL */
	{"11.22.33.50", NULL},
};

/* LINT-31: what a block list says, and what is none of its answers. */
START_TEST(client_dns__asks_block_lists)
{
	open_lists();
	ask(listings[_i].client);
	if (!listings[_i].listed) {
		ck_assert_ptr_null(facts.listed);
	} else {
		ck_assert_ptr_nonnull(facts.listed);
		ck_assert_int_eq(client_facts_is_listed(&facts, "one.test"),
				 strstr(listings[_i].listed, "one") != NULL);
		ck_assert_int_eq(client_facts_is_listed(&facts, "TWO.test"),
				 strstr(listings[_i].listed, "two") != NULL);
	}
	close_all();
}
END_TEST

START_TEST(client_dns__asks_for_nobody_who_is_not_judged)
{
	open_lists();
	ask_as("11.22.33.44", false);
	ck_assert(!facts.is_judged);
	ck_assert_ptr_null(facts.listed);
	ck_assert_str_eq(facts.name, "good.test"); /* for the trace */
	ask("11.22.33.44"); /* it is judged now: what is known is not enough */
	ck_assert_ptr_nonnull(facts.listed);
	close_all();
}
END_TEST

START_TEST(client_dns__asks_nothing_about_loopback)
{
	open_lists();
	ask("127.0.0.1");
	ask("::1");
	ck_assert_int_eq(facts.fcrdns, FCRDNS_NOT_ASKED);
	ck_assert_uint_eq(fake_dns_count(dns), 0);
	close_all();
}
END_TEST

/* One of the two never answers: the other still counts. */
START_TEST(client_dns__waits_for_a_silent_list_no_longer_than_it_may)
{
	open_lists();
	ask("11.22.33.51");
	ck_assert(!client_facts_is_listed(&facts, "one.test"));
	ck_assert(client_facts_is_listed(&facts, "two.test"));
	ck_assert_int_eq(facts.fcrdns, FCRDNS_NONE);
	close_all();
}
END_TEST

START_TEST(client_dns__remembers_what_it_found)
{
	unsigned questions;

	open_lists();
	ask("11.22.33.44");
	questions = fake_dns_count(dns);
	fake_dns_break(dns, 1);
	ask("11.22.33.44");
	ck_assert_str_eq(facts.name, "good.test");
	ck_assert_uint_eq(fake_dns_count(dns), questions);
	close_all();
}
END_TEST

START_TEST(client_dns__asks_once_for_several_who_wait)
{
	struct client_dns_wait w[3];
	struct inet_addr a = addr("11.22.33.44");

	open_with("");
	wanted = answers + 3;
	for (size_t i = 0; i < 3; i++) {
		w[i].on_facts = on_facts;
		client_dns_ask(c, &a, true, &w[i]);
	}
	while (answers < wanted)
		loop_run(loop);
	ck_assert_uint_eq(fake_dns_count(dns), 2); /* PTR and A */
	close_all();
}
END_TEST

START_TEST(client_dns__answers_all_when_it_is_stopped)
{
	struct client_dns_wait w = {.on_facts = on_facts};
	struct inet_addr a = addr("11.22.33.51");

	open_lists();
	client_dns_ask(c, &a, true, &w);
	ck_assert_int_eq(answers, 0);
	client_dns_stop(c);
	ck_assert_int_eq(answers, 1);
	client_dns_ask(c, &a, true, &w);
	ck_assert_int_eq(answers, 2);
	close_all();
}
END_TEST

START_TEST(client_dns__a_reload_asks_the_new_lists)
{
	open_lists();
	ask("11.22.33.44");
	rig_configure(&rig, "policy { dnsbl = \"two.test\" }", "");
	client_dns_configure(c, rig.config);
	ask("11.22.33.44");
	ck_assert(!client_facts_is_listed(&facts, "one.test"));
	ck_assert(client_facts_is_listed(&facts, "two.test"));
	close_all();
}
END_TEST

START_TEST(client_dns__asks_the_lists_of_domains_too)
{
	open_with("domain \"d.test\" { primary = \"192.0.2.9\" recipients = "
		  "\"learn\" policy { dnsbl = \"one.test\" } }");
	ask("11.22.33.44");
	ck_assert(client_facts_is_listed(&facts, "one.test"));
	close_all();
}
END_TEST

START_TEST(client_dns__without_a_resolver_knows_nothing)
{
	open_lists();
	client_dns_free(c);
	c = client_dns_new(loop, NULL, rig.config);
	ask("11.22.33.44");
	ck_assert_int_eq(facts.fcrdns, FCRDNS_NOT_ASKED);
	close_all();
}
END_TEST

/* How many log lines have this text. */
static int count_lines(const char *text)
{
	FILE *f = fopen(rig_path(&rig, "log"), "r");
	char line[1024];
	int n = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	fclose(f);
	return n;
}

START_TEST(client_dns__complains_once_of_a_list_gone_astray)
{
	int log;

	open_lists();
	log = open(rig_path(&rig, "log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
	ck_assert_int_eq(dup2(log, STDERR_FILENO), STDERR_FILENO);
	close(log);
	ask("11.22.33.45");
	ask("11.22.33.46");
	ck_assert_int_eq(count_lines("event=dnsbl.error"), 1);
	ck_assert_int_eq(count_lines("two.test"), 1);
	close_all();
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"client_dns",
		LOOP(client_dns__confirms_a_reverse_name_by_the_way_back,
		     reverses),
		TEST(client_dns__looks_up_a_client_both_ways_at_once),
		LOOP(client_dns__asks_block_lists, listings),
		TEST(client_dns__asks_for_nobody_who_is_not_judged),
		TEST(client_dns__asks_nothing_about_loopback),
		TEST(client_dns__waits_for_a_silent_list_no_longer_than_it_may),
		TEST(client_dns__remembers_what_it_found),
		TEST(client_dns__asks_once_for_several_who_wait),
		TEST(client_dns__answers_all_when_it_is_stopped),
		TEST(client_dns__a_reload_asks_the_new_lists),
		TEST(client_dns__asks_the_lists_of_domains_too),
		TEST(client_dns__without_a_resolver_knows_nothing),
		TEST(client_dns__complains_once_of_a_list_gone_astray));
}
