/* From a domain or a host name to addresses, against a DNS of the test. */
#include "mxhold/outbound/lookup.h"

#include "rig.h"
#include "support/dns_server.h"
#include "unit/base/suite.h"

static const struct dns_row rows[] = {
	{"one.example.org", DNS_ROW_MX, 10, "mx1.example.org"},
	{"mx1.example.org", DNS_ROW_A, 0, "198.51.100.1"},
	{"mx1.example.org", DNS_ROW_AAAA, 0, "2001:db8::1"},
	{"mx2.example.org", DNS_ROW_A, 0, "198.51.100.2"},
	{"mx3.example.org", DNS_ROW_A, 0, "198.51.100.3"},
	{"fails.example.org", DNS_ROW_A, 0, "SERVFAIL"},
	{"fails.example.org", DNS_ROW_AAAA, 0, "SERVFAIL"},
	{"silent.example.org", DNS_ROW_A, 0, "SILENCE"},
	{"silent.example.org", DNS_ROW_AAAA, 0, "SILENCE"},
	{"fails4.example.org", DNS_ROW_A, 0, "SERVFAIL"},
	{"fails6.example.org", DNS_ROW_AAAA, 0, "SERVFAIL"},
	{"us.example.org", DNS_ROW_A, 0, "192.0.2.9"},
	{"private.example.org", DNS_ROW_A, 0, "10.1.2.3"},
	{"alias.example.org", DNS_ROW_CNAME, 0, "mx1.example.org"},
	{"text.example.org", DNS_ROW_MX, 10, "nowhere.example.org"},
	{"text.example.org", DNS_ROW_A, 0, "198.51.100.9"},

	{"order.example.org", DNS_ROW_MX, 30, "mx3.example.org"},
	{"order.example.org", DNS_ROW_MX, 10, "mx1.example.org"},
	{"order.example.org", DNS_ROW_MX, 20, "mx2.example.org"},

	{"named.example.org", DNS_ROW_MX, 10, "mx1.example.org"},
	{"named.example.org", DNS_ROW_MX, 20, "backup.example.com"},
	{"named.example.org", DNS_ROW_MX, 30, "mx3.example.org"},

	{"between.example.org", DNS_ROW_MX, 10, "mx1.example.org"},
	{"between.example.org", DNS_ROW_MX, 20, "us.example.org"},
	{"between.example.org", DNS_ROW_MX, 20, "mx2.example.org"},
	{"between.example.org", DNS_ROW_MX, 30, "mx3.example.org"},

	{"behind.example.org", DNS_ROW_MX, 10, "us.example.org"},
	{"behind.example.org", DNS_ROW_MX, 20, "mx2.example.org"},

	{"half.example.org", DNS_ROW_MX, 10, "fails.example.org"},
	{"half.example.org", DNS_ROW_MX, 20, "mx2.example.org"},

	{"dead.example.org", DNS_ROW_MX, 10, "fails.example.org"},
	{"dead.example.org", DNS_ROW_MX, 20, "nowhere.example.org"},

	{"null.example.org", DNS_ROW_MX, 0, "."},
	{"null.example.org", DNS_ROW_A, 0, "198.51.100.9"},

	{"implicit.example.org", DNS_ROW_A, 0, "198.51.100.4"},

	{"cname.example.org", DNS_ROW_MX, 10, "alias.example.org"},
	{"number.example.org", DNS_ROW_MX, 10, "198.51.100.1"},

	{"closed.example.org", DNS_ROW_MX, 10, "private.example.org"},

	{"mapped.example.org", DNS_ROW_AAAA, 0, "::ffff:192.0.2.9"},
	{"self.example.org", DNS_ROW_A, 0, "127.0.0.1"},
	{"none.example.org", DNS_ROW_A, 0, "0.0.0.0"},
	{"group.example.org", DNS_ROW_A, 0, "224.0.0.1"},
	{"group.example.org", DNS_ROW_A, 0, "0.1.2.3"},
	{"group.example.org", DNS_ROW_A, 0, "240.0.0.1"},
	{"group.example.org", DNS_ROW_A, 0, "255.255.255.255"},
	{"group.example.org", DNS_ROW_AAAA, 0, "ff02::1"},
	{"group.example.org", DNS_ROW_AAAA, 0, "::ffff:224.0.0.1"},

	{"mute.example.org", DNS_ROW_MX, 0, "SILENCE"},
	{"broken.example.org", DNS_ROW_MX, 0, "SERVFAIL"},
	{NULL, 0, 0, NULL},
};

struct looked_up {
	struct rig r;
	struct dns_server dns;
	struct resolver *resolver;
	struct inet_addr external;
	struct lookup_result result;
	unsigned done;
};

static void on_done(void *data, const struct lookup_result *result)
{
	struct looked_up *l = data;

	l->result = *result;
	l->done++;
	loop_stop(l->r.loop);
}

static void init(struct looked_up *l)
{
	const char *servers[1];
	struct resolver_options options = {
		.servers = servers, .n_servers = 1, .trust_anchor = "none"};
	struct error err = {0};

	memset(l, 0, sizeof(*l));
	dns_server_start(&l->dns, rows);
	servers[0] = l->dns.at;
	rig_init(&l->r);
	l->resolver = resolver_new(l->r.loop, &options, &err);
	ck_assert_msg(l->resolver != NULL, "%s", err.text);
	outbound_free(l->r.outbound);
	l->external = (struct inet_addr){4, {192, 0, 2, 9}};
	l->r.config.external = &l->external;
	l->r.config.n_external = 1;
	l->r.outbound = outbound_new(l->r.loop, l->resolver, &l->r.config);
	l->r.target.connect_timeout = 20000;
}

static void done(struct looked_up *l)
{
	resolver_free(l->resolver);
	rig_done(&l->r);
	dns_server_stop(&l->dns);
}

static void run(struct looked_up *l)
{
	lookup_start(l->r.outbound, &l->r.target, on_done, l);
	ck_assert_uint_eq(l->done, 0);
	rig_run(&l->r);
	ck_assert_uint_eq(l->done, 1);
}

static void by_mx(struct looked_up *l, const char *domain)
{
	l->r.primary.by_mx = true;
	l->r.primary.mx_domain = (char *)(uintptr_t)domain;
}

/* "mx1 2001:db8::1 198.51.100.1; mx2 ..." */
static void format(const struct lookup_result *result, char *out, size_t room)
{
	char text[INET_TEXT_MAX];
	size_t n = 0;

	out[0] = 0;
	for (size_t i = 0; i < result->n; i++) {
		const struct lookup_host *h = &result->hosts[i];

		n += (size_t)snprintf(out + n, room - n, "%s%s", i ? "; " : "",
				      h->name);
		for (size_t j = 0; j < h->n; j++) {
			inet_format(&h->at[j].addr, text);
			n += (size_t)snprintf(out + n, room - n, " %s", text);
		}
	}
}

static const struct {
	const char *domain;
	enum session_fault fault;
	const char *hosts;
	const char *mistake;
} domains[] = {
	{"one.example.org", FAULT_NONE,
	 "mx1.example.org 2001:db8::1 198.51.100.1", ""},
	{"order.example.org", FAULT_NONE,
	 "mx1.example.org 2001:db8::1 198.51.100.1; "
	 "mx2.example.org 198.51.100.2; mx3.example.org 198.51.100.3",
	 ""},
	/* DNS-9 by name and by address */
	{"named.example.org", FAULT_NONE,
	 "mx1.example.org 2001:db8::1 198.51.100.1", ""},
	{"between.example.org", FAULT_NONE,
	 "mx1.example.org 2001:db8::1 198.51.100.1", ""},
	{"behind.example.org", FAULT_LOOP, "", ""},
	/* DNS-14 */
	{"half.example.org", FAULT_NONE, "mx2.example.org 198.51.100.2", ""},
	/* DNS-13 */
	{"dead.example.org", FAULT_TEMPORARY, "", ""},
	{"text.example.org", FAULT_NO_ROUTE, "", ""}, /* DNS-5 too */
	{"fails4.example.org", FAULT_TEMPORARY, "", ""},
	{"fails6.example.org", FAULT_TEMPORARY, "", ""},
	/* DNS-5, DNS-6 */
	{"null.example.org", FAULT_NO_ROUTE, "", ""},
	/* DNS-4 */
	{"implicit.example.org", FAULT_NONE,
	 "implicit.example.org 198.51.100.4", ""},
	{"us.example.org", FAULT_LOOP, "", ""},
	/* DNS-3 */
	{"nowhere.example.org", FAULT_NO_ROUTE, "", ""},
	{"broken.example.org", FAULT_TEMPORARY, "", ""},
	/* DNS-12 */
	{"cname.example.org", FAULT_NONE,
	 "alias.example.org 2001:db8::1 198.51.100.1",
	 "alias.example.org is a CNAME"},
	{"number.example.org", FAULT_NO_ROUTE, "",
	 "198.51.100.1 is an address, not a name, ignored"},
	/* DNS-2: it is the domain that is one */
	{"alias.example.org", FAULT_NONE,
	 "alias.example.org 2001:db8::1 198.51.100.1", ""},
	/* what an operator's own zone says is his business */
	{"closed.example.org", FAULT_NONE, "private.example.org 10.1.2.3", ""},
	/* DNS-9 in disguise */
	{"mapped.example.org", FAULT_LOOP, "", ""},
	{"self.example.org", FAULT_LOOP, "", ""},
	{"none.example.org", FAULT_LOOP, "", ""},
	/* nobody's address */
	{"group.example.org", FAULT_NO_ROUTE, "", ""},
};

/* TX-55 */
START_TEST(lookup__finds_the_hosts_of_a_domain)
{
	struct looked_up l;
	char got[1024];

	init(&l);
	by_mx(&l, domains[_i].domain);
	run(&l);
	ck_assert_msg(l.result.fault == domains[_i].fault, "%d: %s",
		      l.result.fault, l.result.text);
	format(&l.result, got, sizeof(got));
	ck_assert_str_eq(got, domains[_i].hosts);
	ck_assert_str_eq(l.result.mistakes, domains[_i].mistake);
	ck_assert_str_eq(
		l.result.status,
		strcmp(domains[_i].domain, "null.example.org") == 0 ? "5.1.10"
		: strcmp(domains[_i].domain, "nowhere.example.org") == 0
			? "5.1.2"
			: "");
	if (l.result.fault == FAULT_NONE)
		ck_assert_uint_eq(l.result.hosts[0].at[0].port, 25);
	else
		ck_assert_str_ne(l.result.text, "");
	done(&l);
}
END_TEST

START_TEST(lookup__gives_reports_global_addresses_only)
{
	struct looked_up l;

	init(&l);
	l.r.target.primary = NULL;
	l.r.target.domain = "closed.example.org";
	run(&l);
	ck_assert_int_eq(l.result.fault, FAULT_NO_ROUTE);
	done(&l);
}
END_TEST

static void configured(struct looked_up *l, size_t i, const char *name,
		       uint16_t port)
{
	struct config_host *h = &l->r.hosts[i];

	h->name = (char *)(uintptr_t)name;
	h->port = port;
	h->is_address = inet_parse(slice_str(name), &h->addr) == 0;
	l->r.primary.n_hosts = MX_MAX(l->r.primary.n_hosts, i + 1);
}

static const struct {
	const char *domain; /* whose MX; NULL: the hosts are configured */
	const char *hosts[2];
	const char *text;
} empty[] = {
	{"nowhere.example.org", {NULL}, "nowhere.example.org does not exist"},
	{"text.example.org",
	 {NULL},
	 "no MX of text.example.org exists in DNS: nowhere.example.org"},
	{"group.example.org", {NULL}, "no host of group.example.org has a"},
	{NULL, {"nowhere.example.org"}, "nowhere.example.org does not exist"},
	{NULL, {"group.example.org"}, "no host of group.example.org has a"},
	{NULL,
	 {"nowhere.example.org", "group.example.org"},
	 "no host of nowhere.example.org has a usable address"},
};

START_TEST(lookup__says_what_is_not_there)
{
	struct looked_up l;

	init(&l);
	if (empty[_i].domain)
		by_mx(&l, empty[_i].domain);
	for (size_t i = 0; i < 2 && empty[_i].hosts[i]; i++)
		configured(&l, i, empty[_i].hosts[i], 25);
	run(&l);
	ck_assert_int_eq(l.result.fault, FAULT_NO_ROUTE);
	ck_assert_ptr_nonnull(strstr(l.result.text, empty[_i].text));
	done(&l);
}
END_TEST

/* DNS-1 */
START_TEST(lookup__keeps_the_order_of_configured_hosts)
{
	struct looked_up l;
	char got[1024];

	init(&l);
	configured(&l, 0, "mx3.example.org", 2525);
	configured(&l, 1, "198.51.100.77", 26);
	configured(&l, 2, "fails.example.org", 25);
	configured(&l, 3, "alias.example.org", 0);
	l.r.primary.port = 587;
	run(&l);
	format(&l.result, got, sizeof(got));
	ck_assert_str_eq(got, "mx3.example.org 198.51.100.3; "
			      "198.51.100.77 198.51.100.77; "
			      "alias.example.org 2001:db8::1 198.51.100.1");
	ck_assert_uint_eq(l.result.hosts[0].at[0].port, 2525);
	ck_assert_uint_eq(l.result.hosts[1].at[0].port, 26);
	ck_assert_uint_eq(l.result.hosts[2].at[0].port, 587);
	ck_assert_str_eq(l.result.mistakes, "");
	done(&l);
}
END_TEST

START_TEST(lookup__leaves_out_a_configured_host_that_is_us)
{
	struct looked_up l;
	char got[1024];

	init(&l);
	configured(&l, 0, "us.example.org", 25);
	configured(&l, 1, "mx2.example.org", 25);
	run(&l);
	format(&l.result, got, sizeof(got));
	ck_assert_str_eq(got, "mx2.example.org 198.51.100.2");
	done(&l);
}
END_TEST

START_TEST(lookup__sees_a_loop_behind_a_configured_name)
{
	struct looked_up l;

	init(&l);
	configured(&l, 0, "us.example.org", 25);
	run(&l);
	ck_assert_int_eq(l.result.fault, FAULT_LOOP);
	done(&l);
}
END_TEST

/* An operator may have put his primary where we might have been. */
START_TEST(lookup__takes_an_address_of_ours_where_we_do_not_listen)
{
	struct looked_up l;
	char got[1024];

	init(&l);
	configured(&l, 0, "192.0.2.9", 25);
	run(&l);
	format(&l.result, got, sizeof(got));
	ck_assert_str_eq(got, "192.0.2.9 192.0.2.9");
	done(&l);
}
END_TEST

/* TX-53: an address of one family cannot reach the other. */
static const struct {
	uint8_t family;
	const char *domain; /* whose MX; NULL: the host is configured */
	const char *host;
	const char *found;
	const char *text; /* of the failure, or of the mistakes */
} sources[] = {
	{4, NULL, "mx1.example.org", "mx1.example.org 198.51.100.1", ""},
	{6, NULL, "mx1.example.org", "mx1.example.org 2001:db8::1", ""},
	{4, NULL, "2001:db8::5", "", "no host of 2001:db8::5 has a usable"},
	{6, NULL, "mx2.example.org", "", "no host of mx2.example.org has a"},
	{4, NULL, "nowhere.example.org", "", "does not exist"},
	{6, NULL, "nowhere.example.org", "", "does not exist"},
	{4, "cname.example.org", NULL, "alias.example.org 198.51.100.1",
	 "alias.example.org is a CNAME"},
	{6, "cname.example.org", NULL, "alias.example.org 2001:db8::1",
	 "alias.example.org is a CNAME"},
};

START_TEST(lookup__asks_only_for_the_family_of_the_source)
{
	struct looked_up l;
	char got[1024];

	init(&l);
	l.r.primary.has_source = true;
	l.r.primary.source.family = sources[_i].family;
	if (sources[_i].domain)
		by_mx(&l, sources[_i].domain);
	else
		configured(&l, 0, sources[_i].host, 25);
	run(&l);
	format(&l.result, got, sizeof(got));
	ck_assert_str_eq(got, sources[_i].found);
	snprintf(got, sizeof(got), "%s%s", l.result.text, l.result.mistakes);
	ck_assert_msg(strstr(got, sources[_i].text) != NULL, "%s", got);
	done(&l);
}
END_TEST

/* A silent DNS must not keep mail from a primary whose address we know. */
static const char *const silent[] = {"mute.example.org", "broken.example.org",
				     "dead.example.org"};

START_TEST(lookup__remembers_good_addresses_when_dns_is_silent)
{
	struct endpoint good[] = {{{4, {198, 51, 100, 8}}, 25}};
	struct looked_up l;
	char got[1024];

	init(&l);
	by_mx(&l, silent[_i]);
	l.r.target.connect_timeout = 1500;
	l.r.target.last_good = good;
	l.r.target.n_last_good = 1;
	run(&l);
	ck_assert_int_eq(l.result.fault, FAULT_NONE);
	ck_assert(l.result.from_memory);
	ck_assert_uint_eq(l.result.n, 1);
	format(&l.result, got, sizeof(got));
	ck_assert_ptr_nonnull(strstr(got, "198.51.100.8"));
	done(&l);
}
END_TEST

/* DNS-23 */
START_TEST(lookup__remembers_only_what_it_may_use)
{
	static struct endpoint ours = {{4, {198, 51, 100, 7}}, 25};
	struct endpoint good[] = {{{4, {224, 0, 0, 1}}, 25},
				  {{6, {0x20, 1, 0xd, 0xb8}}, 25},
				  ours,
				  {{4, {198, 51, 100, 8}}, 25}};
	struct config_listen listen = {.addresses = &ours, .n_addresses = 1};
	struct looked_up l;
	char got[1024];

	init(&l);
	configured(&l, 0, "fails.example.org", 25);
	l.r.config.listens = &listen;
	l.r.config.n_listens = 1;
	l.r.primary.has_source = true;
	l.r.primary.source.family = 4;
	l.r.target.last_good = good;
	l.r.target.n_last_good = MX_ARRAY_SIZE(good);
	run(&l);
	format(&l.result, got, sizeof(got));
	ck_assert_str_eq(got, "fails.example.org 198.51.100.8");
	done(&l);
}
END_TEST

/* The domain, or every host of it. */
static const char *const denied[] = {"nowhere.example.org", "null.example.org",
				     "text.example.org", "group.example.org"};

START_TEST(lookup__does_not_remember_what_dns_denies)
{
	struct endpoint good[] = {{{4, {198, 51, 100, 8}}, 25}};
	struct looked_up l;

	init(&l);
	by_mx(&l, denied[_i]);
	l.r.target.last_good = good;
	l.r.target.n_last_good = 1;
	run(&l);
	ck_assert_int_eq(l.result.fault, FAULT_NO_ROUTE);
	done(&l);
}
END_TEST

START_TEST(lookup__ends_in_time_when_a_host_is_silent)
{
	struct looked_up l;
	char got[1024];

	init(&l);
	configured(&l, 0, "silent.example.org", 25);
	configured(&l, 1, "mx2.example.org", 25);
	l.r.target.connect_timeout = 1500;
	run(&l);
	format(&l.result, got, sizeof(got));
	ck_assert_str_eq(got, "mx2.example.org 198.51.100.2");
	done(&l);
}
END_TEST

START_TEST(lookup__may_be_cancelled)
{
	static char domain[] = "order.example.org";
	struct lookup *lookup;
	struct looked_up l;

	init(&l);
	by_mx(&l, domain);
	lookup = lookup_start(l.r.outbound, &l.r.target, on_done, &l);
	if (_i > 0)
		rig_idle(&l.r, _i);
	if (l.done == 0)
		lookup_cancel(lookup);
	l.done = 0;
	rig_idle(&l.r, 50);
	ck_assert_uint_eq(l.done, 0);
	done(&l);
}
END_TEST

/* With nothing to ask there is nothing to wait for. */
START_TEST(lookup__does_not_wait_for_a_resolver_that_is_not_there)
{
	struct looked_up l;

	init(&l);
	outbound_free(l.r.outbound);
	l.r.outbound = outbound_new(l.r.loop, NULL, &l.r.config);
	l.r.target.connect_timeout = 3600000;
	if (_i)
		configured(&l, 0, "mx1.example.org", 25);
	else
		by_mx(&l, "one.example.org");
	run(&l);
	ck_assert_int_eq(l.result.fault, FAULT_TEMPORARY);
	done(&l);
}
END_TEST

/* DNS has a word for it: null MX (RFC 7505), no such domain. */
START_TEST(lookup__tells_the_session_what_dns_says)
{
	struct looked_up l;

	init(&l);
	by_mx(&l, _i ? "null.example.org" : "nowhere.example.org");
	rig_open(&l.r);
	ck_assert_uint_eq(l.r.failed, 1);
	ck_assert_int_eq(l.r.failure.stage, STAGE_DNS);
	ck_assert_str_eq(l.r.failure.status, _i ? "5.1.10" : "5.1.2");
	ck_assert_str_eq(l.r.failure.host, "mx1");
	done(&l);
}
END_TEST

/* Each of two hosts has two addresses, and says no at both. */
START_TEST(lookup__gives_each_host_two_dialogues)
{
	static const char *const busy[] = {"S:421 busy", "CLOSE", NULL};
	static const char *const *const scripts[] = {busy, NULL};
	static const struct dns_row local[] = {
		{"a.example.org", DNS_ROW_A, 0, "127.0.0.2"},
		{"a.example.org", DNS_ROW_A, 0, "127.0.0.3"},
		{"a.example.org", DNS_ROW_A, 0, "127.0.0.4"},
		{"b.example.org", DNS_ROW_A, 0, "127.0.0.5"},
		{"b.example.org", DNS_ROW_A, 0, "127.0.0.6"},
		{NULL, 0, 0, NULL}};
	struct endpoint any = {.addr = {.family = 4}};
	struct scripted server;
	struct looked_up l;

	init(&l);
	l.dns.rows = local;
	scripted_start_on(&server, l.r.loop, any, scripts, NULL);
	configured(&l, 0, "a.example.org", server.at.port);
	configured(&l, 1, "b.example.org", server.at.port);
	rig_open(&l.r);
	ck_assert_uint_eq(l.r.failed, 1);
	ck_assert_uint_eq(server.n_clients, 4);
	scripted_stop(&server);
	done(&l);
}
END_TEST

/* The name is proved by its certificate; the way there led through DNS. */
START_TEST(lookup__leads_to_a_verified_session)
{
	static const char *const script[] = {
		"S:220 a",    "C:EHLO",   "S:250-a", "S:250 STARTTLS",
		"C:STARTTLS", "S:220 go", "TLS",     "AUTO",
		NULL};
	static const char *const *const scripts[] = {script, NULL};
	static const struct dns_row local[] = {
		{"mx1.example.org", DNS_ROW_A, 0, "127.0.0.1"},
		{NULL, 0, 0, NULL}};
	struct scripted server;
	struct looked_up l;
	char ca[96];

	init(&l);
	l.dns.rows = local;
	rig_make_tls(&l.r);
	snprintf(ca, sizeof(ca), "%s/cert.pem", l.r.dir);
	scripted_start(&server, l.r.loop, scripts, l.r.tls);
	configured(&l, 0, "mx1.example.org", server.at.port);
	l.r.primary.tls = PRIMARY_TLS_VERIFY;
	l.r.primary.ca = ca;
	rig_must_open(&l.r);
	ck_assert_str_eq(rig_proof(&l.r), "name");
	scripted_stop(&server);
	done(&l);
}
END_TEST

static const struct {
	enum primary_tls tls;
	bool by_mx;
	const char *enhanced;
} routes[] = {
	{PRIMARY_TLS_PIN, true, "2.0.0"},
	{PRIMARY_TLS_VERIFY, true, "5.7.10"},
	{PRIMARY_TLS_VERIFY, false, "2.0.0"},
};

/* TLS-30: a name that anybody may have put into DNS proves nothing; a key
 * does, whatever its host is called. */
START_TEST(lookup__sends_requiretls_mail_to_no_host_of_an_unsigned_mx)
{
	static const char *const script[] = {
		"S:220 a",    "C:EHLO",           "S:250-a", "S:250 STARTTLS",
		"C:STARTTLS", "S:220 go",         "TLS",     "C:EHLO",
		"S:250-a",    "S:250 REQUIRETLS", "C:MAIL",  "S:250 ok",
		"C:RCPT",     "S:250 ok",         "C:DATA",  "S:354 go",
		"BODY",       "S:250 2.0.0 ok",   NULL};
	static const char *const *const scripts[] = {script, NULL};
	static const struct dns_row local[] = {
		{"example.org", DNS_ROW_MX, 10, "mx1.example.org"},
		{"mx1.example.org", DNS_ROW_A, 0, "127.0.0.1"},
		{NULL, 0, 0, NULL}};
	struct recipient to = {.address = SLICE("b@example.com")};
	struct smtp_send m = {.sender = SLICE("a@example.org"),
			      .rcpts = &to,
			      .n_rcpts = 1,
			      .size = 10,
			      .requiretls = true};
	struct scripted server;
	struct looked_up l;
	char ca[96], pin[96];

	init(&l);
	l.dns.rows = local;
	rig_make_tls(&l.r);
	snprintf(ca, sizeof(ca), "%s/cert.pem", l.r.dir);
	ck_assert(rig_pin(&l.r, pin, sizeof(pin)));
	scripted_start(&server, l.r.loop, scripts, l.r.tls);
	if (routes[_i].by_mx)
		by_mx(&l, "example.org");
	else
		configured(&l, 0, "mx1.example.org", 0);
	l.r.primary.port = server.at.port;
	l.r.primary.tls = routes[_i].tls;
	l.r.primary.ca = ca;
	l.r.primary.pin = pin;
	rig_must_open(&l.r);
	session_send(l.r.session, &m, NULL);
	rig_run(&l.r);
	ck_assert_str_eq(l.r.result.final.code ? l.r.result.final.enhanced
					       : l.r.result.mail.enhanced,
			 routes[_i].enhanced);
	scripted_stop(&server);
	done(&l);
}
END_TEST

/* TLS-29, TLS-18: without proof nothing is sent, and the reason is told. */
START_TEST(lookup__proves_nothing_without_validation)
{
	static const char *const script[] = {"S:220 a", "AUTO", NULL};
	static const char *const *const scripts[] = {script, NULL};
	static const struct dns_row local[] = {
		{"mx1.example.org", DNS_ROW_A, 0, "127.0.0.1"},
		{NULL, 0, 0, NULL}};
	struct scripted server;
	struct looked_up l;

	init(&l);
	l.dns.rows = local;
	scripted_start(&server, l.r.loop, scripts, NULL);
	configured(&l, 0, "mx1.example.org", server.at.port);
	l.r.primary.tls = PRIMARY_TLS_DANE;
	rig_open(&l.r);
	ck_assert_uint_eq(l.r.failed, 1);
	ck_assert_int_eq(l.r.failure.fault, FAULT_TEMPORARY);
	ck_assert_ptr_nonnull(strstr(l.r.failure.text, "does not validate"));
	ck_assert_uint_eq(server.n_clients, 0);
	scripted_stop(&server);
	done(&l);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"lookup", LOOP(lookup__finds_the_hosts_of_a_domain, domains),
		LOOP(lookup__says_what_is_not_there, empty),
		TEST(lookup__gives_reports_global_addresses_only),
		TEST(lookup__keeps_the_order_of_configured_hosts),
		TEST(lookup__leaves_out_a_configured_host_that_is_us),
		TEST(lookup__sees_a_loop_behind_a_configured_name),
		TEST(lookup__takes_an_address_of_ours_where_we_do_not_listen),
		LOOP(lookup__asks_only_for_the_family_of_the_source, sources),
		LOOP(lookup__remembers_good_addresses_when_dns_is_silent,
		     silent),
		TEST(lookup__remembers_only_what_it_may_use),
		LOOP(lookup__does_not_remember_what_dns_denies, denied),
		TEST(lookup__ends_in_time_when_a_host_is_silent),
		{.fn = lookup__may_be_cancelled, .rows = 4},
		{.fn = lookup__does_not_wait_for_a_resolver_that_is_not_there,
		 .rows = 2},
		{.fn = lookup__tells_the_session_what_dns_says, .rows = 2},
		TEST(lookup__gives_each_host_two_dialogues),
		TEST(lookup__leads_to_a_verified_session),
		LOOP(lookup__sends_requiretls_mail_to_no_host_of_an_unsigned_mx,
		     routes),
		TEST(lookup__proves_nothing_without_validation));
}
