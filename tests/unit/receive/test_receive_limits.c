#include "mxhold/receive/receive.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door.h"
#include "mxhold/base/log.h"
#include "mxhold/base/stats.h"

static struct door_rig door;

/* ---- limits ---- */

START_TEST(receive__a_crowded_network_hears_421)
{
	int a, b, c;

	door_open(&door, "smtp { max_sessions_per_ip = 2 }", "");
	a = client_ready(&door);
	b = client_ready(&door);
	c = client_open(&door);
	client_expect(c, "421 4.7.0");
	client_expect_end(c);
	close(c);
	client_say(b, "QUIT", "221");
	client_expect_end(b);
	close(b);
	while (stats.sessions_open > 1)
		usleep(1000);
	c = client_ready(&door);
	close(a);
	close(c);
	door_close(&door);
}
END_TEST

/* REP-2 */
START_TEST(receive__a_full_house_says_421)
{
	int a, b;

	door_open(&door, "smtp { max_sessions = 1 }", "");
	a = client_ready(&door);
	b = client_open(&door);
	client_expect(b, "421 4.3.2");
	client_expect_end(b);
	close(a);
	close(b);
	door_close(&door);
}
END_TEST

START_TEST(receive__a_used_up_budget_closes_the_door_for_a_while)
{
	int fd;

	door_open(&door, "policy { unknown_budget = 3 }", "");
	fd = client_ready(&door);
	client_say(fd, "MAIL FROM:<a@b.test>", "250");
	for (int i = 0; i < 3; i++)
		client_say(fd, "RCPT TO:<nobody@example.com>", "550 5.1.1");
	client_say(fd, "RCPT TO:<nobody@example.com>", "421 4.7.0");
	client_expect_end(fd);
	close(fd);
	while (counter_get(&stats.sessions_refused) == 0) {
		fd = client_open(&door);
		client_reply(fd);
		close(fd);
	}
	fd = client_open(&door);
	client_expect(fd, "421 4.7.0");
	close(fd);
	door_close(&door);
}
END_TEST

/* However many sessions it has open. */
START_TEST(receive__a_used_up_budget_ends_every_transaction_of_the_network)
{
	int one, other, fd;

	door_open(&door, "policy { unknown_budget = 3 }", "");
	one = client_ready(&door);
	other = client_ready(&door);
	client_say(other, "MAIL FROM:<a@b.test>", "250");
	client_say(other, "RCPT TO:<joe@example.com>", "250");
	client_say(one, "MAIL FROM:<a@b.test>", "250");
	for (int i = 0; i < 3; i++)
		client_say(one, "RCPT TO:<nobody@example.com>", "550 5.1.1");
	client_say(one, "RCPT TO:<nobody@example.com>", "421 4.7.0");
	/* When the door is closed, every loop has been told. */
	while (counter_get(&stats.sessions_refused) == 0) {
		fd = client_open(&door);
		client_reply(fd);
		close(fd);
	}
	client_say(other, "RCPT TO:<joe@example.com>", "421 4.7.0");
	client_expect_end(other);
	close(one);
	close(other);
	door_close(&door);
}
END_TEST

static const struct {
	const char *action, *reply;
} actions[] = {
	{"defer", "450 4.7.1"},
	{"reject", "550 5.7.1"},
	{"record", "250 2.1.0"},
};

/* REP-12 */
START_TEST(receive__a_network_that_sends_too_much_is_slowed)
{
	char text[128];
	int fd;

	snprintf(text, sizeof(text), "policy { max_rate = 2 action = \"%s\" }",
		 actions[_i].action);
	door_open(&door, text, "");
	fd = client_ready(&door);
	for (int i = 0; i < 2; i++) {
		client_to_data(fd);
		client_say(fd, "S: x\r\n\r\n.", "250 2.0.0");
	}
	client_say(fd, "MAIL FROM:<a@b.test>", actions[_i].reply);
	close(fd);
	door_close(&door);
}
END_TEST

/* REP-12, RX-46 */
START_TEST(receive__who_talks_before_the_greeting_is_deferred)
{
	int fd;

	door_open(&door, "policy { pregreet = \"200ms\" }", "");
	fd = client_open(&door);
	client_send(fd, "EHLO c.test\r\n");
	client_expect(fd, "220");
	client_expect(fd, "250");
	client_say(fd, "MAIL FROM:<a@b.test>", "450 4.7.1");
	close(fd);
	fd = client_ready(&door); /* waits for the banner */
	client_say(fd, "MAIL FROM:<a@b.test>", "250");
	close(fd);
	door_close(&door);
}
END_TEST

/* EXT-6 */
START_TEST(receive__a_domain_over_its_quota_is_deferred)
{
	int fd;

	door_open(&door, "", "quota = \"100\"");
	fd = client_ready(&door);
	client_to_data(fd);
	client_say(fd, "S: x\r\n\r\n.", "250 2.0.0");
	client_say(fd, "MAIL FROM:<a@b.test>", "250");
	client_say(fd, "RCPT TO:<joe@example.com>", "452 4.3.1");
	close(fd);
	door_close(&door);
}
END_TEST

/* RFC 1870 6.1: what is known to be too much is refused before it is sent. */
START_TEST(receive__a_message_beyond_what_a_quota_leaves_is_deferred)
{
	int fd;

	door_open(&door, "", "quota = \"2000\"");
	fd = client_ready(&door);
	client_say(fd, "MAIL FROM:<a@b.test> SIZE=2001", "250");
	client_say(fd, "RCPT TO:<joe@example.com>", "452 4.3.1");
	client_say(fd, "RSET", "250");
	client_say(fd, "MAIL FROM:<a@b.test> SIZE=2000", "250");
	client_say(fd, "RCPT TO:<joe@example.com>", "250");
	client_say(fd, "DATA", "354");
	client_say(fd, "S: x\r\n\r\n.", "250 2.0.0");
	client_say(fd, "MAIL FROM:<a@b.test> SIZE=2000", "250");
	client_say(fd, "RCPT TO:<joe@example.com>", "452 4.3.1");
	client_say(fd, "RSET", "250");
	client_say(fd, "MAIL FROM:<a@b.test> SIZE=1000", "250");
	client_say(fd, "RCPT TO:<joe@example.com>", "250");
	close(fd);
	door_close(&door);
}
END_TEST

/* How many log lines have this text. */
static int count_lines(const char *text)
{
	FILE *f = fopen(rig_path(&door.rig, "log"), "r");
	char line[1024];
	int n = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	fclose(f);
	return n;
}

static const char *mail_of(unsigned long size)
{
	static char text[64];

	snprintf(text, sizeof(text), "MAIL FROM:<a@b.test> SIZE=%lu", size);
	return text;
}

/* There is room for 256 MiB. */
START_TEST(receive__says_once_that_there_is_no_room)
{
	int fd, log;

	door_open(&door, "smtp { max_size = \"1G\" }", "");
	log = open(rig_path(&door.rig, "log"), O_WRONLY | O_CREAT | O_APPEND,
		   0600);
	ck_assert_int_eq(dup2(log, STDERR_FILENO), STDERR_FILENO);
	close(log);
	log_configure(LOG_INFO, LOG_LOGFMT, false);
	fd = client_ready(&door);
	for (int i = 0; i < 3; i++) {
		client_say(fd, mail_of(900000000), "452 4.3.1");
		client_say(fd, mail_of(800000000), "452 4.3.1");
		client_say(fd, mail_of(1000), "250"); /* small ones fit */
		client_say(fd, "RSET", "250");
	}
	ck_assert_int_eq(count_lines("event=queue.full"), 1);
	client_say(fd, mail_of(300000000), "452 4.3.1"); /* it got worse */
	ck_assert_int_eq(count_lines("event=queue.full"), 2);
	client_say(fd, "QUIT", "221");
	close(fd);
	door_wait_empty(&door);
	ck_assert_int_eq(count_lines(" refused=7"), 1);
	door_close(&door);
}
END_TEST

/* ---- clocks ---- */

/* The replies to MAIL and RCPT are written while the commit is awaited. */
START_TEST(receive__a_slow_disk_is_not_the_clients_fault)
{
	int fd;

	door_open_held(&door, "smtp { command_timeout = \"400ms\" }", "");
	fd = client_ready(&door);
	client_send(fd, "MAIL FROM:<a@b.test>\r\nRCPT TO:<joe@example.com>\r\n"
			"BDAT 8 LAST\r\nS: x\r\n\r\n");
	client_expect(fd, "250 2.1.0");
	client_expect(fd, "250 2.1.5");
	usleep(1000000);
	door_start_writer(&door);
	client_expect(fd, "250 2.0.0 kept as ");
	close(fd);
	door_close(&door);
}
END_TEST

START_TEST(receive__who_sends_too_much_has_time_to_finish)
{
	int fd;

	door_open(&door, "smtp { max_size = \"1K\" data_timeout = \"1500ms\" }",
		  "");
	fd = client_ready(&door);
	client_to_data(fd);
	for (int i = 0; i < 200; i++)
		client_send(fd, "0123456789\r\n");
	for (int i = 0; i < 8; i++) { /* is being dropped */
		usleep(300000);
		client_send(fd, "0123456789\r\n");
	}
	client_say(fd, ".", "552 5.3.4");
	client_say(fd, "NOOP", "250");
	client_send(fd, "BDAT 20 LAST\r\n"); /* without MAIL */
	for (int i = 0; i < 10; i++) {
		usleep(200000);
		client_send(fd, "xy");
	}
	client_expect(fd, "503");
	close(fd);
	door_close(&door);
}
END_TEST

/* ---- proxies and primaries ---- */

START_TEST(receive__believes_a_proxy_it_knows)
{
	int fd;

	door_open(&door, "+proxy_from = \"127.0.0.0/8\" }", "");
	fd = client_open(&door);
	client_send(fd, "PROXY TCP4 203.0.113.7 ");
	usleep(20000); /* in two packets */
	client_send(fd, "192.0.2.1 4711 25\r\n");
	client_expect(fd, "220");
	client_say(fd, "EHLO c.test", "250");
	client_to_data(fd);
	client_say(fd, "S: x\r\n\r\n.", "250 2.0.0");
	close(fd);
	door_check_one_message(&door, "[203.0.113.7]");
	door_close(&door);
}
END_TEST

/* PP-1 */
START_TEST(receive__a_proxy_must_speak_the_protocol)
{
	int fd;

	door_open(&door, "+proxy_from = \"127.0.0.0/8\" }", "");
	fd = client_open(&door);
	client_send(fd, "EHLO c.test\r\n");
	client_expect_end(fd);
	close(fd);
	door_wait_empty(&door);
	door_close(&door);
}
END_TEST

/* PP-2: nothing is said before the header is whole, and not for ever. */
START_TEST(receive__a_silent_proxy_hears_no_banner)
{
	int fd;

	door_open(&door, "+proxy_from = \"127.0.0.0/8\" }", "");
	fd = client_open(&door);
	client_send(fd, "PROXY TCP4 203.0.113.7 ");
	client_expect_end(fd);
	close(fd);
	door_wait_empty(&door);
	door_close(&door);
}
END_TEST

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static const struct {
	const char *p;
	size_t n;
	const char *client;
} spoken[] = {
#define IN(s) s, sizeof(s) - 1
	{IN("PROXY UNKNOWN\r\n"), "[127.0.0.1]"},
	{IN("PROXY UNKNOWN 203.0.113.7 192.0.2.1 1 25\r\n"), "[127.0.0.1]"},
	{IN(SIGNATURE "\x20\0\0\0"), "[127.0.0.1]"},
	{IN(SIGNATURE "\x20\x11\0\3xyz"), "[127.0.0.1]"},
	/* with the TLV that says the client came by TLS 1.3 */
	{IN(SIGNATURE "\x21\x11\0\x1e"
		      "\xcb\0\x71\7\xc0\0\2\1\x12\x67\0\x19"
		      "\x20\0\x0f\1\0\0\0\0\x21\0\7TLSv1.3"),
	 "[203.0.113.7]"},
};

/* PP-4, PP-6: the proxy itself is the client; PP-8: its TLS is not ours. */
START_TEST(receive__a_proxy_may_speak_for_itself)
{
	char *content;
	size_t size;
	int fd;

	door_open(&door, "+proxy_from = \"127.0.0.0/8\" }", "");
	fd = client_open(&door);
	client_send_n(fd, spoken[_i].p, spoken[_i].n);
	client_expect(fd, "220");
	client_say(fd, "EHLO c.test", "250");
	client_to_data(fd);
	client_say(fd, "S: x\r\n\r\n.", "250 2.0.0");
	close(fd);
	door_check_one_message(&door, spoken[_i].client);
	content = rig_content(&door.rig, 0, &size);
	ck_assert_ptr_null(strstr(content, "ESMTPS"));
	free(content);
	door_close(&door);
}
END_TEST

START_TEST(receive__counts_the_clients_behind_a_proxy)
{
	int fd[3];

	door_open(&door,
		  "+proxy_from = \"127.0.0.0/8\" }\n"
		  "smtp { max_sessions_per_ip = 2 }",
		  "");
	for (int i = 0; i < 3; i++) {
		fd[i] = client_open(&door);
		client_send(fd[i], "PROXY TCP4 203.0.113.7 192.0.2.1 1 25\r\n");
		client_expect(fd[i], i < 2 ? "220" : "421 4.7.0");
	}
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	door_wait_empty(&door);
	door_close(&door);
}
END_TEST

/* XC-1 */
START_TEST(receive__takes_xclient_from_whom_it_knows)
{
	int fd;

	door_open(&door, "+xclient_from = \"127.0.0.1\" }", "");
	fd = client_ready(&door);
	client_say(fd,
		   "XCLIENT ADDR=IPV6:2001:db8::7 NAME=far.test "
		   "HELO=far-helo.test PROTO=SMTP",
		   "220");
	client_say(fd, "EHLO near.test", "250");
	client_to_data(fd);
	client_say(fd, "S: x\r\n\r\n.", "250 2.0.0");
	client_say(fd, "XCLIENT ADDR=nonsense", "501 5.5.4");
	close(fd);
	door_check_one_message(&door, "[IPv6:2001:db8::7]");
	door_check_one_message(&door, "from far-helo.test (far.test");
	door_close(&door);
}
END_TEST

/* XC-3: attributes stay until they are overwritten, also by nothing. */
START_TEST(receive__xclient_attributes_stay_until_overwritten)
{
	int fd;

	door_open(&door, "+xclient_from = \"127.0.0.1\" }", "");
	fd = client_ready(&door);
	client_say(fd, "XCLIENT NAME=far.test HELO=far-helo.test", "220");
	client_say(fd, "XCLIENT ADDR=203.0.113.9 HELO=[UNAVAILABLE]", "220");
	client_say(fd, "EHLO near.test", "250");
	client_to_data(fd);
	client_say(fd, "S: x\r\n\r\n.", "250 2.0.0");
	close(fd);
	door_check_one_message(&door, "from near.test (far.test");
	door_check_one_message(&door, "[203.0.113.9]");
	door_close(&door);
}
END_TEST

static const char primary_here[] =
	"domain \"c.test\" { primary = \"127.0.0.1\" "
	"recipients = \"learn\" }\n"
	"domain \"sub.Example.com\" { primary = \"192.0.2.2\" "
	"recipients = \"learn\" }\n"
	"domain \"notexample.com\" { primary = \"192.0.2.3\" "
	"recipients = \"learn\" }";

/* EXT-45: from a primary's own address, and from nowhere else. */
START_TEST(receive__etrn_is_for_primaries_only)
{
	int fd;

	door_open(&door, "", "");
	fd = client_ready(&door);
	client_say(fd, "ETRN example.com", "459");
	close(fd);
	door.etrn = ETRN_STARTED;
	door_reload(&door, primary_here, "");
	fd = client_ready(&door);
	client_say(fd, "ETRN Example.com", "253 2.0.0");
	ck_assert_uint_eq(door.etrns, 1);
	client_say(fd, "ETRN other.test", "459 4.5.0");
	client_say(fd, "ETRN a..b", "459 4.5.0");
	client_say(fd, "NOOP", "250");
	ck_assert_uint_eq(door.etrns, 1);
	close(fd);
	door_close(&door);
}
END_TEST

static const struct {
	enum etrn_outcome outcome;
	const char *command, *reply;
	unsigned asked;
} etrns[] = {
	{ETRN_STARTED, "ETRN example.com", "253 2.0.0 7 messages", 1},
	{ETRN_NOTHING, "ETRN example.com", "251 2.0.0", 1},
	{ETRN_HELD, "ETRN example.com", "458 4.5.0", 1},
	{ETRN_UNKNOWN, "ETRN example.com", "459 4.5.0", 1},
	{ETRN_STARTED, "ETRN @example.com", "253 2.0.0 14 messages", 2},
	{ETRN_STARTED, "ETRN @com", "253 2.0.0 21 messages", 3},
	{ETRN_STARTED, "ETRN @xample.com", "459 4.5.0", 0},
	{ETRN_STARTED, "ETRN sub.example.com", "251 2.0.0", 1},
	{ETRN_STARTED, "ETRN #example.com", "458 4.5.0", 0},
};

/* EXT-44: each reply; "@" is what lies below, too. */
START_TEST(receive__etrn_says_what_it_starts)
{
	int fd;

	door_open(&door, "", "");
	door.etrn = etrns[_i].outcome;
	door.waiting = 7;
	door_reload(&door, primary_here, "");
	fd = client_ready(&door);
	client_say(fd, etrns[_i].command, etrns[_i].reply);
	client_say(fd, "NOOP", "250");
	ck_assert_uint_eq(door.etrns, etrns[_i].asked);
	close(fd);
	door_close(&door);
}
END_TEST

/* EXT-45, XC-3: who stands behind a primary's address is not the primary. */
START_TEST(receive__etrn_is_not_for_whom_xclient_names)
{
	int fd;

	door_open(&door, "+xclient_from = \"127.0.0.1\" }", "");
	door_reload(&door,
		    "+xclient_from = \"127.0.0.1\" }\n"
		    "domain \"c.test\" { primary = \"127.0.0.1\" "
		    "recipients = \"learn\" }",
		    "");
	fd = client_ready(&door);
	client_say(fd, "XCLIENT ADDR=203.0.113.9", "220");
	client_say(fd, "EHLO c.test", "250");
	client_say(fd, "ETRN example.com", "459 4.7.1");
	ck_assert_uint_eq(door.etrns, 0);
	close(fd);
	door_close(&door);
}
END_TEST

static void primary_is_up(struct door_rig *d)
{
	receive_primary_state(d->receive,
			      d->rig.config->domains[0].primary->name, true, 0);
}

static void primary_is_down(struct door_rig *d)
{
	receive_primary_state(
		d->receive, d->rig.config->domains[0].primary->name, false, 0);
}

START_TEST(receive__when_up_defer_sends_mail_to_the_primary)
{
	int fd;

	door_open(&door, "", "when_up = \"defer\"");
	fd = client_ready(&door);
	client_say(fd, "MAIL FROM:<a@b.test>", "250");
	client_say(fd, "RCPT TO:<joe@example.com>", "250");
	door_call(&door, primary_is_up);
	close(fd);
	fd = client_ready(&door);
	client_say(fd, "MAIL FROM:<a@b.test>", "250");
	client_say(fd, "RCPT TO:<joe@example.com>", "451 4.3.2");
	door_call(&door, primary_is_down);
	close(fd);
	fd = client_ready(&door);
	client_to_data(fd);
	close(fd);
	door_close(&door);
}
END_TEST

START_TEST(receive__a_reload_is_in_force_for_sessions_that_are_open)
{
	int fd;

	door_open(&door, "", "");
	fd = client_ready(&door);
	client_say(fd, "MAIL FROM:<a@b.test>", "250");
	client_say(fd, "RCPT TO:<x@new.test>", "550 5.7.1");
	door_reload(&door,
		    "domain \"new.test\" { primary = \"192.0.2.9\" "
		    "recipients = \"learn\" unknown_down = \"accept\" }",
		    "");
	client_say(fd, "RCPT TO:<x@new.test>", "250 2.1.5");
	close(fd);
	door_close(&door);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"receive_limits", TEST(receive__a_crowded_network_hears_421),
		TEST(receive__a_full_house_says_421),
		TEST(receive__a_used_up_budget_closes_the_door_for_a_while),
		TEST(receive__a_used_up_budget_ends_every_transaction_of_the_network),
		LOOP(receive__a_network_that_sends_too_much_is_slowed, actions),
		TEST(receive__who_talks_before_the_greeting_is_deferred),
		TEST(receive__a_domain_over_its_quota_is_deferred),
		TEST(receive__a_message_beyond_what_a_quota_leaves_is_deferred),
		TEST(receive__says_once_that_there_is_no_room),
		TEST(receive__a_slow_disk_is_not_the_clients_fault),
		TEST(receive__who_sends_too_much_has_time_to_finish),
		TEST(receive__believes_a_proxy_it_knows),
		TEST(receive__a_proxy_must_speak_the_protocol),
		TEST(receive__a_silent_proxy_hears_no_banner),
		LOOP(receive__a_proxy_may_speak_for_itself, spoken),
		TEST(receive__counts_the_clients_behind_a_proxy),
		TEST(receive__takes_xclient_from_whom_it_knows),
		TEST(receive__xclient_attributes_stay_until_overwritten),
		TEST(receive__etrn_is_for_primaries_only),
		LOOP(receive__etrn_says_what_it_starts, etrns),
		TEST(receive__etrn_is_not_for_whom_xclient_names),
		TEST(receive__when_up_defer_sends_mail_to_the_primary),
		TEST(receive__a_reload_is_in_force_for_sessions_that_are_open));
}
