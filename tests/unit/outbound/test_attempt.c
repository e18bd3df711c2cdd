/* From look-up to READY: each stage refused, dropped, stalled, and the next
 * address or host after it. */
#include "rig.h"
#include "unit/base/suite.h"

#define EHLO_PLAIN "C:EHLO backup.example.com", "S:250 fake"
#define EHLO_TLS   "C:EHLO ", "S:250-fake", "S:250 STARTTLS"

static const char *const good[] = {"S:220 fake", EHLO_PLAIN, "AUTO", NULL};

static void assert_fits(const struct scripted *s)
{
	ck_assert_str_eq(s->misfit, "");
}

/* DNS-1 */
START_TEST(attempt__opens_a_session)
{
	static const char *const *const scripts[] = {good, NULL};
	struct scripted server;
	char host[80];
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	rig_add(&r, &server);
	rig_must_open(&r);
	snprintf(host, sizeof(host), "[127.0.0.1]:%u", server.at.port);
	ck_assert_str_eq(session_host(r.session), host);
	ck_assert_uint_eq(session_peer(r.session)->port, server.at.port);
	ck_assert_str_eq(rig_proof(&r), "");
	ck_assert(session_ehlo(r.session)->esmtp);
	assert_fits(&server);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* What a single host can do before MAIL, and what is told of it. */
static const struct {
	const char *script[12];
	enum session_stage stage;
	enum session_fault fault;
	int code;
	const char *text; /* a part of it */
	enum primary_tls tls;
} refusals[] = {
	{{"S:554 no"}, STAGE_BANNER, FAULT_PERMANENT, 554, "no", 0},
	{{"S:421 busy", "CLOSE"},
	 STAGE_BANNER,
	 FAULT_TEMPORARY,
	 421,
	 "busy",
	 0},
	{{"S:451 later"}, STAGE_BANNER, FAULT_TEMPORARY, 451, "later", 0},
	{{"CLOSE"}, STAGE_BANNER, FAULT_TEMPORARY, 0, "lost", 0},
	{{"DROP"}, STAGE_BANNER, FAULT_TEMPORARY, 0, "lost", 0},
	{{"STALL"}, STAGE_BANNER, FAULT_TEMPORARY, 0, "no answer within", 0},
	{{"S:garbage"}, STAGE_BANNER, FAULT_TEMPORARY, 0, "", 0},
	{{"S:220 hi", "C:EHLO", "S:550 no", "C:HELO", "S:550 never"},
	 STAGE_EHLO,
	 FAULT_PERMANENT,
	 550,
	 "never",
	 0},
	{{"S:220 hi", "C:EHLO", "S:250 Backup.example.com at your service"},
	 STAGE_EHLO,
	 FAULT_LOOP,
	 0,
	 "leads back to us",
	 0},
	{{"S:220 hi", "C:EHLO", "S:421 no"},
	 STAGE_EHLO,
	 FAULT_TEMPORARY,
	 421,
	 "no",
	 0},
	{{"S:220 hi", "C:EHLO", "S:450 no"},
	 STAGE_EHLO,
	 FAULT_TEMPORARY,
	 450,
	 "no",
	 0},
	{{"S:220 hi", "C:EHLO", "CLOSE"},
	 STAGE_EHLO,
	 FAULT_TEMPORARY,
	 0,
	 "lost",
	 0},
	{{"S:220 hi", "C:EHLO", "STALL"},
	 STAGE_EHLO,
	 FAULT_TEMPORARY,
	 0,
	 "no answer within",
	 0},
	{{"S:220 hi", "C:EHLO", "R:250-a\r\n350 b\r\n"},
	 STAGE_EHLO,
	 FAULT_TEMPORARY,
	 0,
	 "",
	 0},
	{{"S:220 hi", EHLO_PLAIN},
	 STAGE_TLS,
	 FAULT_TEMPORARY,
	 0,
	 "not offered",
	 PRIMARY_TLS_REQUIRE},
	{{"S:220 hi", EHLO_TLS, "C:STARTTLS", "S:454 no"},
	 STAGE_TLS,
	 FAULT_TEMPORARY,
	 454,
	 "no",
	 PRIMARY_TLS_REQUIRE},
	{{"S:220 hi", EHLO_TLS, "C:STARTTLS", "S:220 go", "SWALLOW",
	  "R:no TLS at all\r\n"},
	 STAGE_TLS,
	 FAULT_TEMPORARY,
	 0,
	 "TLS",
	 PRIMARY_TLS_REQUIRE},
	{{"S:220 hi", EHLO_TLS, "C:STARTTLS", "S:220 go", "CLOSE"},
	 STAGE_TLS,
	 FAULT_TEMPORARY,
	 0,
	 "TLS",
	 PRIMARY_TLS_REQUIRE},
	{{"S:220 hi", EHLO_TLS, "C:STARTTLS", "S:220 go", "STALL"},
	 STAGE_TLS,
	 FAULT_TEMPORARY,
	 0,
	 "no answer within",
	 PRIMARY_TLS_REQUIRE},
	{{"S:220 hi"}, STAGE_TLS, FAULT_TEMPORARY, 0, "DANE", PRIMARY_TLS_DANE},
};

/* TX-1, DNS-10 */
START_TEST(attempt__tells_how_far_it_got)
{
	const char *const *scripts[] = {refusals[_i].script, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	rig_add(&r, &server);
	r.primary.tls = refusals[_i].tls;
	r.target.command_timeout = scripted_stalls(scripts[0]) ? 1000 : 30000;
	rig_open(&r);
	ck_assert_uint_eq(r.opened, 0);
	ck_assert_uint_eq(r.failed, 1);
	ck_assert_str_eq(session_stage_name(r.failure.stage),
			 session_stage_name(refusals[_i].stage));
	ck_assert_int_eq(r.failure.fault, refusals[_i].fault);
	ck_assert_int_eq(r.failure.reply.code, refusals[_i].code);
	ck_assert_msg(strstr(r.failure.text, refusals[_i].text) != NULL, "%s",
		      r.failure.text);
	assert_fits(&server);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* TX-18, DNS-16: the same refusals with a second host that is well. */
START_TEST(attempt__goes_on_to_the_next_host)
{
	static const char *const *const well[] = {good, NULL};
	const char *const *scripts[] = {refusals[_i].script, NULL};
	struct scripted bad, fine;
	struct rig r;

	if (refusals[_i].tls != PRIMARY_TLS_MAY)
		return; /* the second has no TLS either */
	rig_init(&r);
	scripted_start(&bad, r.loop, scripts, NULL);
	scripted_start(&fine, r.loop, well, NULL);
	rig_add(&r, &bad);
	rig_add(&r, &fine);
	r.target.command_timeout = scripted_stalls(scripts[0]) ? 1000 : 30000;
	rig_must_open(&r);
	ck_assert_uint_eq(session_peer(r.session)->port, fine.at.port);
	ck_assert_uint_eq(bad.n_clients, 1);
	scripted_stop(&bad);
	scripted_stop(&fine);
	rig_done(&r);
}
END_TEST

START_TEST(attempt__goes_on_when_nobody_listens)
{
	static const char *const *const scripts[] = {good, NULL};
	struct scripted gone, fine;
	struct rig r;

	rig_init(&r);
	scripted_start(&gone, r.loop, scripts, NULL);
	scripted_start(&fine, r.loop, scripts, NULL);
	rig_add(&r, &gone);
	rig_add(&r, &fine);
	scripted_stop(&gone);
	rig_must_open(&r);
	ck_assert_uint_eq(session_peer(r.session)->port, fine.at.port);
	scripted_stop(&fine);
	rig_done(&r);
}
END_TEST

/* TLS-28 */
START_TEST(attempt__prefers_the_first_host)
{
	static const char *const *const scripts[] = {good, NULL};
	struct scripted first, second;
	struct rig r;

	rig_init(&r);
	scripted_start(&first, r.loop, scripts, NULL);
	scripted_start(&second, r.loop, scripts, NULL);
	rig_add(&r, &first);
	rig_add(&r, &second);
	rig_must_open(&r);
	ck_assert_uint_eq(session_peer(r.session)->port, first.at.port);
	ck_assert_uint_eq(second.n_clients, 0);
	scripted_stop(&first);
	scripted_stop(&second);
	rig_done(&r);
}
END_TEST

#define EHLO_EIGHT "C:EHLO ", "S:250-fake", "S:250 8BITMIME"

static const char *const lacking[] = {"S:220 fake", EHLO_PLAIN, "AUTO", NULL};
static const char *const having[] = {"S:220 fake", EHLO_EIGHT, "AUTO", NULL};

/* TX-44: whether it is the second host that has it, the first, or none. */
static const struct {
	const char *const *first, *const *second;
	size_t chosen;
	unsigned first_seen, second_seen; /* clients */
} wanted[] = {
	{lacking, having, 1, 1, 1},
	{having, lacking, 0, 1, 0},
	{lacking, lacking, 0, 2, 1},
};

START_TEST(attempt__looks_for_a_keyword_at_the_next_host)
{
	const char *const *one[] = {wanted[_i].first, wanted[_i].first, NULL};
	const char *const *two[] = {wanted[_i].second, NULL};
	struct scripted s[2];
	struct rig r;

	rig_init(&r);
	scripted_start(&s[0], r.loop, one, NULL);
	scripted_start(&s[1], r.loop, two, NULL);
	rig_add(&r, &s[0]);
	rig_add(&r, &s[1]);
	r.target.wants = EXT_8BITMIME;
	rig_must_open(&r);
	ck_assert_uint_eq(session_peer(r.session)->port,
			  s[wanted[_i].chosen].at.port);
	ck_assert_uint_eq(s[0].n_clients, wanted[_i].first_seen);
	ck_assert_uint_eq(s[1].n_clients, wanted[_i].second_seen);
	scripted_stop(&s[0]);
	scripted_stop(&s[1]);
	rig_done(&r);
}
END_TEST

START_TEST(attempt__takes_the_only_host_as_it_is)
{
	static const char *const *const scripts[] = {lacking, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	rig_add(&r, &server);
	r.target.wants = EXT_8BITMIME;
	rig_must_open(&r);
	ck_assert_uint_eq(server.n_clients, 1);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* A 5yz is not hidden by a second host that nobody listens at. */
START_TEST(attempt__tells_the_failure_that_got_furthest)
{
	static const char *const refusing[] = {"S:554 go away", NULL};
	static const char *const *const scripts[] = {refusing, NULL};
	struct scripted first, second;
	struct rig r;

	rig_init(&r);
	scripted_start(&first, r.loop, scripts, NULL);
	scripted_start(&second, r.loop, scripts, NULL);
	rig_add(&r, &first);
	rig_add(&r, &second);
	scripted_stop(&second);
	rig_open(&r);
	ck_assert_uint_eq(r.failed, 1);
	ck_assert_int_eq(r.failure.fault, FAULT_PERMANENT);
	ck_assert_int_eq(r.failure.reply.code, 554);
	scripted_stop(&first);
	rig_done(&r);
}
END_TEST

/* TX-1 */
START_TEST(attempt__ends_in_its_total_time)
{
	static const char *const silent[] = {"STALL", NULL};
	static const char *const *const scripts[] = {silent, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	rig_add(&r, &server);
	r.target.total_timeout = 200;
	rig_open(&r);
	ck_assert_uint_eq(r.failed, 1);
	ck_assert_int_eq(r.failure.stage, STAGE_BANNER);
	ck_assert_ptr_nonnull(strstr(r.failure.text, "200 ms"));
	while (!list_empty(&server.open))
		rig_idle(&r, 10);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* TX-3 */
START_TEST(attempt__falls_back_to_helo)
{
	static const char *const old[] = {
		"S:220 old",   "C:EHLO",
		"S:502 what?", "C:HELO backup.example.com",
		"S:250 hi",    NULL};
	static const char *const *const scripts[] = {old, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	rig_add(&r, &server);
	rig_must_open(&r);
	ck_assert(!session_ehlo(r.session)->esmtp);
	assert_fits(&server);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* --- how deep ---------------------------------------------------------- */

static const struct {
	enum probe_depth depth;
	bool ehlo, starttls;
} depths[] = {
	{PROBE_TCP, false, false}, {PROBE_BANNER, false, false},
	{PROBE_EHLO, true, false}, {PROBE_TLS, true, true},
	{PROBE_RCPT, true, true},
};

START_TEST(attempt__goes_as_deep_as_asked)
{
	static const char *const script[] = {
		"S:220 fake", EHLO_TLS, "C:STARTTLS", "S:220 go",
		"TLS",        "AUTO",   NULL};
	static const char *const *const scripts[] = {script, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	rig_make_tls(&r);
	scripted_start(&server, r.loop, scripts, r.tls);
	rig_add(&r, &server);
	r.target.depth = depths[_i].depth;
	rig_must_open(&r);
	session_quit(r.session);
	r.session = NULL;
	while (server.n_clients == 0 || !list_empty(&server.open))
		rig_idle(&r, 10);
	ck_assert_int_eq(scripted_heard(&server, "QUIT"),
			 depths[_i].depth != PROBE_TCP);
	ck_assert_int_eq(scripted_heard(&server, "EHLO"), depths[_i].ehlo);
	ck_assert_int_eq(scripted_heard(&server, "STARTTLS"),
			 depths[_i].starttls);
	ck_assert(!scripted_heard(&server, "MAIL"));
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* TX-2 */
START_TEST(attempt__says_no_word_before_the_banner)
{
	static const char *const silent[] = {NULL};
	static const char *const *const scripts[] = {silent, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	rig_add(&r, &server);
	r.target.depth = PROBE_TCP;
	rig_must_open(&r);
	session_quit(r.session);
	r.session = NULL;
	rig_idle(&r, 200);
	ck_assert_uint_eq(server.heard.n, 0);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* --- leaving ----------------------------------------------------------- */

START_TEST(attempt__may_be_closed_at_any_time)
{
	static const char *const script[] = {
		"S:220 fake", EHLO_TLS, "C:STARTTLS", "S:220 go",
		"TLS",        "AUTO",   NULL};
	static const char *const *const scripts[] = {script, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	rig_make_tls(&r);
	scripted_start(&server, r.loop, scripts, r.tls);
	rig_add(&r, &server);
	r.session = session_open(r.outbound, &r.target, &rig_events, &r);
	if (_i > 0)
		rig_idle(&r, _i);
	session_close(r.session);
	r.session = NULL;
	r.opened = 0;
	rig_idle(&r, 50);
	ck_assert_uint_eq(r.opened + r.failed, 0);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

START_TEST(attempt__may_be_closed_within_its_upcall)
{
	const char *const *scripts[] = {_i ? refusals[0].script : good, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	rig_add(&r, &server);
	r.close_in_upcall = true;
	rig_open(&r);
	ck_assert_uint_eq(r.opened + r.failed, 1);
	ck_assert_ptr_null(r.session);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* TX-20 */
START_TEST(attempt__says_quit)
{
	static const char *const *const scripts[] = {good, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	rig_add(&r, &server);
	rig_must_open(&r);
	session_quit(r.session);
	r.session = NULL;
	while (!list_empty(&server.open))
		rig_idle(&r, 10);
	ck_assert(scripted_heard(&server, "QUIT"));
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* TX-20: Good-byes under way must not outlive the owner of all sessions. */
START_TEST(attempt__leaves_nothing_behind_when_quit_hangs)
{
	static const char *const script[] = {"S:220 a", EHLO_PLAIN, NULL};
	static const char *const *const scripts[] = {script, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	rig_add(&r, &server);
	rig_must_open(&r);
	session_quit(r.session);
	r.session = NULL;
	scripted_stop(&server);
	rig_done(&r); /* loop_free asserts that nothing is open */
}
END_TEST

/* --- ourselves --------------------------------------------------------- */

/* DNS-23 */
START_TEST(attempt__never_connects_to_our_own_listener)
{
	static const char *const *const scripts[] = {good, NULL};
	struct config_listen listen = {0};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	listen.addresses = &server.at;
	listen.n_addresses = 1;
	r.config.listens = &listen;
	r.config.n_listens = 1;
	rig_add(&r, &server);
	rig_open(&r);
	ck_assert_uint_eq(r.failed, 1);
	ck_assert_int_eq(r.failure.fault, FAULT_LOOP);
	ck_assert_int_eq(r.failure.stage, STAGE_DNS);
	ck_assert_uint_eq(server.n_clients, 0);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* A report's recipient may not send us to the neighbours. */
static const char *const private_domains[] = {
	"[127.0.0.1]", "[10.1.2.3]",     "[192.168.1.1]",
	"[IPv6:::1]",  "[IPv6:fe80::1]",
};

/* DNS-23 */
START_TEST(attempt__sends_no_report_to_private_addresses)
{
	struct rig r;

	rig_init(&r);
	r.target.primary = NULL;
	r.target.domain = private_domains[_i];
	rig_open(&r);
	ck_assert_uint_eq(r.failed, 1);
	ck_assert_int_eq(r.failure.fault, FAULT_NO_ROUTE);
	rig_done(&r);
}
END_TEST

START_TEST(attempt__uses_the_last_good_address_when_dns_is_silent)
{
	static const char *const *const scripts[] = {good, NULL};
	static char name[] = "mx1.example.org";
	struct scripted server;
	struct rig r;

	rig_init(&r); /* without a resolver */
	scripted_start(&server, r.loop, scripts, NULL);
	r.hosts[0] = (struct config_host){.name = name, .port = 25};
	r.primary.n_hosts = 1;
	r.target.last_good = &server.at;
	r.target.n_last_good = 1;
	rig_must_open(&r);
	ck_assert_uint_eq(session_peer(r.session)->port, server.at.port);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

START_TEST(attempt__waits_when_dns_is_silent_and_nothing_is_known)
{
	static char name[] = "mx1.example.org";
	struct rig r;

	rig_init(&r);
	r.hosts[0] = (struct config_host){.name = name, .port = 25};
	r.primary.n_hosts = 1;
	rig_open(&r);
	ck_assert_uint_eq(r.failed, 1);
	ck_assert_int_eq(r.failure.fault, FAULT_TEMPORARY);
	ck_assert_int_eq(r.failure.stage, STAGE_DNS);
	rig_done(&r);
}
END_TEST

/* TX-53 */
START_TEST(attempt__binds_its_source_address)
{
	static const char *const *const scripts[] = {good, NULL};
	struct scripted_client *c;
	struct scripted server;
	struct endpoint peer;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	rig_add(&r, &server);
	r.primary.has_source = true;
	r.primary.source = (struct inet_addr){4, {127, 0, 0, 7}};
	rig_must_open(&r);
	c = MX_CONTAINER_OF(server.open.next, struct scripted_client, link);
	ck_assert(stream_peer(c->stream, &peer));
	ck_assert(inet_eq(&peer.addr, &r.primary.source));
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"attempt", TEST(attempt__opens_a_session),
		LOOP(attempt__tells_how_far_it_got, refusals),
		LOOP(attempt__goes_on_to_the_next_host, refusals),
		TEST(attempt__goes_on_when_nobody_listens),
		TEST(attempt__prefers_the_first_host),
		LOOP(attempt__looks_for_a_keyword_at_the_next_host, wanted),
		TEST(attempt__takes_the_only_host_as_it_is),
		TEST(attempt__tells_the_failure_that_got_furthest),
		TEST(attempt__ends_in_its_total_time),
		TEST(attempt__falls_back_to_helo),
		LOOP(attempt__goes_as_deep_as_asked, depths),
		TEST(attempt__says_no_word_before_the_banner),
		{.fn = attempt__may_be_closed_at_any_time, .rows = 25},
		{.fn = attempt__may_be_closed_within_its_upcall, .rows = 2},
		TEST(attempt__says_quit),
		TEST(attempt__leaves_nothing_behind_when_quit_hangs),
		TEST(attempt__never_connects_to_our_own_listener),
		LOOP(attempt__sends_no_report_to_private_addresses,
		     private_domains),
		TEST(attempt__uses_the_last_good_address_when_dns_is_silent),
		TEST(attempt__waits_when_dns_is_silent_and_nothing_is_known),
		TEST(attempt__binds_its_source_address));
}
