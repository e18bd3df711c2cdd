/* Which host and which address comes next, how often, and what is said to the
 * one that is left. */
#include <sys/socket.h>

#include "rig.h"
#include "unit/base/suite.h"

#define EHLO_PLAIN "C:EHLO ", "S:250 fake"
#define EHLO_EIGHT "C:EHLO ", "S:250-fake", "S:250 8BITMIME"
#define EHLO_TLS   "C:EHLO ", "S:250-fake", "S:250 STARTTLS"

static const char *const good[] = {"S:220 fake", EHLO_PLAIN, "AUTO", NULL};
static const char *const busy[] = {"S:421 busy", "CLOSE", NULL};
static const char *const gone[] = {"CLOSE", NULL};
static const char *const lacking[] = {"S:220 a", EHLO_PLAIN, "AUTO", NULL};
static const char *const no_tls[] = {"S:220 a",    EHLO_TLS, "C:STARTTLS",
				     "S:220 what", "CLOSE",  NULL};
static const char *const *const all_good[] = {good, NULL};
static const char *const *const all_busy[] = {busy, NULL};
static const char *const *const bad_tls[] = {no_tls, busy, NULL};

/* One host of several addresses: DNS is silent, but they are remembered. */
static void remember(struct rig *r, struct endpoint *at, size_t n)
{
	static char name[] = "mx1.example.org";

	r->hosts[0] = (struct config_host){.name = name, .port = 25};
	r->primary.n_hosts = 1;
	r->target.last_good = at;
	r->target.n_last_good = n;
}

static uint16_t peer_port(const struct rig *r)
{
	return session_peer(r->session)->port;
}

static void wait_for_nobody(struct rig *r, const struct scripted *s)
{
	while (!list_empty(&s->open))
		rig_idle(r, 10);
}

/* --- how often --------------------------------------------------------- */

/* A farm of hosts that all say no. */
START_TEST(attempt__begins_ten_dialogues_in_all)
{
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, all_busy, NULL);
	for (int i = 0; i < 12; i++)
		rig_add(&r, &server);
	rig_open(&r);
	ck_assert_uint_eq(r.failed, 1);
	ck_assert_uint_eq(server.n_clients, 10);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

START_TEST(attempt__begins_two_dialogues_with_a_host)
{
	struct endpoint at[3];
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, all_busy, NULL);
	at[0] = at[1] = at[2] = server.at;
	remember(&r, at, 3);
	rig_open(&r);
	ck_assert_uint_eq(r.failed, 1);
	ck_assert_uint_eq(server.n_clients, 2);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* TX-44: none has what is wanted, and now the first is gone. */
START_TEST(attempt__begins_again_once)
{
	static const char *const *const scripts[] = {lacking, lacking, gone,
						     NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	rig_add(&r, &server);
	rig_add(&r, &server);
	r.target.wants = EXT_8BITMIME;
	rig_open(&r);
	ck_assert_uint_eq(r.failed, 1);
	ck_assert_uint_eq(server.n_clients, 4);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* Ten were asked for a keyword; each may be asked for a session as well. */
START_TEST(attempt__counts_anew_when_it_begins_again)
{
	static const char *const *const scripts[] = {
		lacking, lacking, lacking, lacking, lacking, lacking, lacking,
		lacking, lacking, lacking, gone,    lacking, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	for (int i = 0; i < 10; i++)
		rig_add(&r, &server);
	r.target.wants = EXT_8BITMIME;
	rig_must_open(&r);
	ck_assert_uint_eq(server.n_clients, 12);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* --- the next address -------------------------------------------------- */

/* DNS-15 */
START_TEST(attempt__goes_on_behind_the_address_that_answered)
{
	struct scripted none, no, fine;
	struct endpoint at[3];
	struct rig r;

	rig_init(&r);
	scripted_start(&none, r.loop, all_good, NULL);
	scripted_start(&no, r.loop, all_busy, NULL);
	scripted_start(&fine, r.loop, all_good, NULL);
	at[0] = none.at;
	at[1] = no.at;
	at[2] = fine.at;
	scripted_stop(&none);
	remember(&r, at, 3);
	rig_must_open(&r);
	ck_assert_uint_eq(peer_port(&r), fine.at.port);
	ck_assert_uint_eq(no.n_clients, 1);
	scripted_stop(&no);
	scripted_stop(&fine);
	rig_done(&r);
}
END_TEST

/* Listens, but its queue is full: a SYN gets no answer. */
static struct endpoint be_silent(int fds[4])
{
	struct endpoint at = {.addr = {4, {127, 0, 0, 1}}};
	struct sockaddr_storage sa;
	socklen_t n = endpoint_to_sockaddr(&at, &sa);

	for (int i = 0; i < 4; i++)
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(fds[0], (struct sockaddr *)&sa, n), 0);
	ck_assert_int_eq(listen(fds[0], 0), 0);
	getsockname(fds[0], (struct sockaddr *)&sa, &n);
	endpoint_from_sockaddr((struct sockaddr *)&sa, &at);
	for (int i = 1; i < 4; i++)
		connect(fds[i], (struct sockaddr *)&sa, n);
	return at;
}

/* DNS-15: no longer than RFC 8305 says; the time-out is far away. */
START_TEST(attempt__does_not_wait_for_a_silent_address)
{
	struct endpoint at[2];
	struct scripted fine;
	struct rig r;
	int fds[4];

	rig_init(&r);
	scripted_start(&fine, r.loop, all_good, NULL);
	at[0] = be_silent(fds);
	at[1] = fine.at;
	remember(&r, at, 2);
	r.target.connect_timeout = 50000;
	rig_must_open(&r);
	ck_assert_uint_eq(peer_port(&r), fine.at.port);
	scripted_stop(&fine);
	rig_done(&r);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}
END_TEST

/* TX-1 */
START_TEST(attempt__waits_no_longer_than_it_may_for_a_connection)
{
	struct endpoint at;
	struct rig r;
	int fds[4];

	rig_init(&r);
	at = be_silent(fds);
	remember(&r, &at, 1);
	r.target.connect_timeout = 100;
	rig_open(&r);
	ck_assert_uint_eq(r.failed, 1);
	ck_assert_int_eq(r.failure.stage, STAGE_CONNECT);
	ck_assert_int_eq(r.failure.fault, FAULT_TEMPORARY);
	ck_assert_str_eq(r.failure.host, "mx1.example.org");
	rig_done(&r);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}
END_TEST

/* --- in clear ---------------------------------------------------------- */

/* TLS-13: one address that cannot do TLS says nothing of the next. */
START_TEST(attempt__goes_in_clear_to_one_address_only)
{
	static const char *const with_tls[] = {
		"S:220 a", EHLO_TLS,   "C:STARTTLS", "S:220 go",
		"TLS",     EHLO_PLAIN, "AUTO",       NULL};
	static const char *const *const well[] = {with_tls, NULL};
	struct scripted first, second;
	struct endpoint at[2];
	struct rig r;

	rig_init(&r);
	rig_make_tls(&r);
	scripted_start(&first, r.loop, bad_tls, NULL);
	scripted_start(&second, r.loop, well, r.tls);
	at[0] = first.at;
	at[1] = second.at;
	remember(&r, at, 2);
	rig_must_open(&r);
	ck_assert_uint_eq(first.n_clients, 2);
	ck_assert_uint_eq(peer_port(&r), second.at.port);
	ck_assert_str_eq(rig_proof(&r), "no");
	scripted_stop(&first);
	scripted_stop(&second);
	rig_done(&r);
}
END_TEST

static void stop_listening(void *data)
{
	struct scripted *s = data;

	listener_close(s->listener);
	s->listener = NULL;
}

/* It is gone when it is asked again, in clear. */
START_TEST(attempt__goes_on_when_nobody_listens_in_clear)
{
	static const char *const *const broken[] = {no_tls, NULL};
	struct scripted first, second;
	struct endpoint at[2];
	struct rig r;

	rig_init(&r);
	scripted_start(&first, r.loop, broken, NULL);
	scripted_start(&second, r.loop, all_good, NULL);
	first.on_client = stop_listening;
	first.data = &first;
	at[0] = first.at;
	at[1] = second.at;
	remember(&r, at, 2);
	rig_must_open(&r);
	ck_assert_uint_eq(first.n_clients, 1);
	ck_assert_uint_eq(peer_port(&r), second.at.port);
	scripted_stop(&first);
	scripted_stop(&second);
	rig_done(&r);
}
END_TEST

/* TX-44 */
START_TEST(attempt__looks_at_the_next_host_for_what_is_lacking_in_clear)
{
	static const char *const having[] = {"S:220 b", EHLO_EIGHT, "AUTO",
					     NULL};
	static const char *const *const broken[] = {no_tls, lacking, NULL};
	static const char *const *const well[] = {having, NULL};
	struct scripted first, second;
	struct rig r;

	rig_init(&r);
	scripted_start(&first, r.loop, broken, NULL);
	scripted_start(&second, r.loop, well, NULL);
	rig_add(&r, &first);
	rig_add(&r, &second);
	r.target.wants = EXT_8BITMIME;
	rig_must_open(&r);
	ck_assert_uint_eq(first.n_clients, 2);
	ck_assert_uint_eq(peer_port(&r), second.at.port);
	scripted_stop(&first);
	scripted_stop(&second);
	rig_done(&r);
}
END_TEST

/* --- what is told ------------------------------------------------------ */

static const char *const early[] = {"S:554 early", NULL};
static const char *const late[] = {"S:220 a", "C:EHLO",     "S:550 a",
				   "C:HELO",  "S:550 late", NULL};
static const char *const same[] = {"S:451 same", NULL};

/* In clear it did not work either: that it has no TLS is what is wrong. */
START_TEST(attempt__tells_of_broken_tls_when_clear_fails_too)
{
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, bad_tls, NULL);
	rig_add(&r, &server);
	rig_open(&r);
	ck_assert_uint_eq(server.n_clients, 2);
	ck_assert_int_eq(r.failure.stage, STAGE_TLS);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* That of the furthest; of two that got as far, that of the last. */
static const struct {
	const char *const *first, *const *second;
	const char *text;
} failures[] = {
	{early, late, "late"},
	{late, early, "late"},
	{early, same, "same"},
	{same, early, "early"},
};

START_TEST(attempt__tells_of_two_failures_the_later_one)
{
	const char *const *one[] = {failures[_i].first, NULL};
	const char *const *two[] = {failures[_i].second, NULL};
	struct scripted first, second;
	struct rig r;

	rig_init(&r);
	scripted_start(&first, r.loop, one, NULL);
	scripted_start(&second, r.loop, two, NULL);
	rig_add(&r, &first);
	rig_add(&r, &second);
	rig_open(&r);
	ck_assert_uint_eq(r.failed, 1);
	ck_assert_msg(strstr(r.failure.text, failures[_i].text) != NULL, "%s",
		      r.failure.text);
	scripted_stop(&first);
	scripted_stop(&second);
	rig_done(&r);
}
END_TEST

/* --- good-bye ---------------------------------------------------------- */

static const struct {
	const char *script[8];
	bool quits;
} partings[] = {
	{{"S:554 no"}, true},
	{{"S:421 no"}, false}, /* it closes by itself */
	{{"S:220 a", "C:EHLO", "S:450 no"}, true},
	{{"S:220 a", "C:EHLO", "S:421 no"}, false},
	{{"S:220 a", "C:EHLO", "S:250 backup.example.com"}, true},
	{{"S:220 a", EHLO_TLS, "C:STARTTLS", "S:454 no"}, true},
	{{"S:220 a", EHLO_TLS, "C:STARTTLS", "S:421 no"}, false},
	{{"S:220 a", EHLO_PLAIN}, true}, /* lacks what is wanted */
	{{"S:hello?"}, false},
};

/* TX-14, TX-20 */
START_TEST(attempt__says_quit_to_whom_it_leaves)
{
	const char *const *scripts[] = {partings[_i].script, gone, NULL};
	struct scripted left, fine;
	struct rig r;

	rig_init(&r);
	scripted_start(&left, r.loop, scripts, NULL);
	scripted_start(&fine, r.loop, all_good, NULL);
	rig_add(&r, &left);
	rig_add(&r, &fine);
	r.target.wants = _i == 7 ? EXT_8BITMIME : 0;
	rig_open(&r);
	wait_for_nobody(&r, &left);
	ck_assert_int_eq(scripted_heard(&left, "QUIT"), partings[_i].quits);
	scripted_stop(&left);
	scripted_stop(&fine);
	rig_done(&r);
}
END_TEST

/* TX-20: not long. */
START_TEST(attempt__waits_a_while_for_the_answer_to_quit)
{
	static const char *const mute[] = {"S:220 a", EHLO_PLAIN, "STALL",
					   NULL};
	static const char *const *const scripts[] = {mute, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	rig_add(&r, &server);
	r.target.command_timeout = 1000;
	rig_must_open(&r);
	session_quit(r.session);
	r.session = NULL;
	wait_for_nobody(&r, &server);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* --- once it is open --------------------------------------------------- */

static void be_patient(struct rig *r)
{
	rig_idle(r, 1200);
	ck_assert_uint_eq(r->failed + r->idle_ends, 0);
}

/* The times are for answers that are owed. */
START_TEST(attempt__leaves_an_idle_session_in_peace)
{
	struct smtp_send large = {.sender = SLICE("a@example.org"),
				  .eight_bit = true};
	static const char *const *const scripts[] = {good, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	rig_add(&r, &server);
	r.target.total_timeout = r.target.command_timeout = 1000;
	r.target.data_timeout = 1000;
	rig_must_open(&r);
	be_patient(&r);
	rig_send(&r, 1, NULL);
	ck_assert_int_eq(r.result.final.code, 250);
	be_patient(&r);
	session_send(r.session, &large, NULL);
	rig_run(&r);
	ck_assert_int_eq(r.result.mail.code, 554);
	be_patient(&r);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"attempt_hosts", TEST(attempt__begins_ten_dialogues_in_all),
		TEST(attempt__begins_two_dialogues_with_a_host),
		TEST(attempt__begins_again_once),
		TEST(attempt__counts_anew_when_it_begins_again),
		TEST(attempt__goes_on_behind_the_address_that_answered),
		TEST(attempt__does_not_wait_for_a_silent_address),
		TEST(attempt__waits_no_longer_than_it_may_for_a_connection),
		TEST(attempt__goes_in_clear_to_one_address_only),
		TEST(attempt__goes_on_when_nobody_listens_in_clear),
		TEST(attempt__looks_at_the_next_host_for_what_is_lacking_in_clear),
		TEST(attempt__tells_of_broken_tls_when_clear_fails_too),
		LOOP(attempt__tells_of_two_failures_the_later_one, failures),
		LOOP(attempt__says_quit_to_whom_it_leaves, partings),
		TEST(attempt__waits_a_while_for_the_answer_to_quit),
		TEST(attempt__leaves_an_idle_session_in_peace));
}
