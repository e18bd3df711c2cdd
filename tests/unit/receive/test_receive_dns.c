/* Clients that are judged: by their reverse names, by block lists, by when
 * they come. They come through a proxy, so that they have addresses. */
#include <stdio.h>
#include <unistd.h>

#include "door.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/stats.h"
#include "mxhold/receive/escape.h"
#include "mxhold/receive/magnet.h"
#include "support/fake_dns.h"

static const struct fake_record zone[] = {
	{"44.33.22.11.in-addr.arpa", "PTR", "good.test", 0},
	{"good.test", "A", "11.22.33.44", 0},
	{"44.33.22.11.two.test", "A", "127.0.0.4", 0},
	{"45.33.22.11.in-addr.arpa", "PTR", NULL, FAKE_SILENT},
	{NULL, NULL, NULL, 0},
};

static struct door_rig door;
static struct fake_dns *dns;

static void make_resolver(struct door_rig *d)
{
	struct error err;

	dns = fake_dns_start(zone, NULL);
	d->resolver = resolver_new(
		d->loop,
		&(struct resolver_options){
			.servers = (const char *[]){fake_dns_server(dns)},
			.n_servers = 1,
			.trust_anchor = "none"},
		&err);
	ck_assert_msg(d->resolver, "%s", err.text);
}

static void finish(void)
{
	door_close(&door);
	if (dns)
		fake_dns_stop(dns);
}

static void begin(const char *policy, const char *within)
{
	char text[512];

	snprintf(text, sizeof(text), "+proxy_from = \"127.0.0.0/8\" }\n%s",
		 policy);
	door_open_after(&door, make_resolver, text, within);
}

static int come_from(const char *client)
{
	int fd = client_open(&door);
	char text[128];

	snprintf(text, sizeof(text), "PROXY TCP4 %s 192.0.2.1 4711 25\r\n",
		 client);
	client_send(fd, text);
	client_expect(fd, "220");
	client_say(fd, "EHLO c.test", "250");
	return fd;
}

static void rcpt(const char *client, const char *to, const char *reply)
{
	int fd = come_from(client);
	char text[128];

	client_say(fd, "MAIL FROM:<a@b.test>", "250");
	snprintf(text, sizeof(text), "RCPT TO:<%s>", to);
	client_say(fd, text, reply);
	client_say(fd, "QUIT", "221");
	close(fd);
}

/* RFC 5321 4.4: the TCP-info of our trace line. */
START_TEST(receive__writes_a_confirmed_name_into_the_trace)
{
	int fd;

	begin("", "");
	fd = come_from("11.22.33.44");
	client_to_data(fd);
	client_say(fd, "S: x\r\n\r\n.", "250 2.0.0");
	close(fd);
	door_check_one_message(&door, "from c.test (good.test [11.22.33.44])");
	finish();
}
END_TEST

START_TEST(receive__does_not_name_who_has_no_confirmed_name)
{
	int fd;

	begin("", "");
	fd = come_from("11.22.33.46");
	client_to_data(fd);
	client_say(fd, "S: x\r\n\r\n.", "250 2.0.0");
	close(fd);
	door_check_one_message(&door, "from c.test (unknown [11.22.33.46])");
	finish();
}
END_TEST

static const struct {
	const char *policy, *listed, *nameless;
} actions[] = {
	{"", "250 2.1.5", "250 2.1.5"},
	{"policy { dnsbl = \"two.test:3\" }",
	 "450 4.7.1 [11.22.33.44] is listed by two.test", "250 2.1.5"},
	{"policy { dnsbl = \"two.test:2\" }", "250 2.1.5", "250 2.1.5"},
	{"policy { dnsbl = \"two.test\" dnsbl_threshold = 1 action = "
	 "\"reject\" }",
	 "550 5.7.1 [11.22.33.44] is listed by two.test", "250 2.1.5"},
	{"policy { dnsbl = \"two.test:3\" action = \"record\" }", "250 2.1.5",
	 "250 2.1.5"},
	{"policy { require_fcrdns = true }", "250 2.1.5",
	 "450 4.7.1 no reverse name of [11.22.33.46]"},
	{"policy { require_fcrdns = true action = \"reject\" }", "250 2.1.5",
	 "550 5.7.25 no reverse name of [11.22.33.46]"},
};

/* REP-23, RX-19: postmaster is reached whatever is thought of the client. */
START_TEST(receive__judges_a_client_at_rcpt)
{
	begin(actions[_i].policy, "");
	rcpt("11.22.33.44", "joe@example.com", actions[_i].listed);
	rcpt("11.22.33.46", "joe@example.com", actions[_i].nameless);
	rcpt("11.22.33.44", "postmaster@example.com", "250 2.1.5");
	rcpt("11.22.33.46", "PostMaster", "250 2.1.5");
	rcpt("192.168.1.1", "joe@example.com", "250 2.1.5"); /* our network */
	finish();
}
END_TEST

START_TEST(receive__each_domain_has_a_policy_of_its_own)
{
	begin("policy { dnsbl = \"two.test:3\" }",
	      "policy { action = \"reject\" }");
	rcpt("11.22.33.44", "joe@example.com", "550 5.7.1");
	rcpt("11.22.33.44", "joe@out.test", "550 5.7.1 relaying denied");
	finish();
}
END_TEST

START_TEST(receive__a_primary_is_not_judged)
{
	begin("policy { dnsbl = \"two.test:3\" }\n"
	      "domain \"p.test\" { primary = \"11.22.33.44\" recipients = "
	      "\"learn\" }",
	      "");
	rcpt("11.22.33.44", "joe@example.com", "250 2.1.5");
	finish();
}
END_TEST

/* What is silent counts nothing, after a time that is bounded. */
START_TEST(receive__rcpt_waits_for_dns_but_not_for_ever)
{
	begin("policy { require_fcrdns = true }", "");
	rcpt("11.22.33.45", "joe@example.com", "250 2.1.5");
	finish();
}
END_TEST

START_TEST(receive__a_client_may_go_while_rcpt_waits)
{
	int fd;

	begin("", "");
	fd = come_from("11.22.33.45");
	client_send(fd, "MAIL FROM:<a@b.test>\r\nRCPT TO:<joe@example.com>\r\n"
			"DATA\r\n");
	client_expect(fd, "250 2.1.0");
	client_reset(fd);
	door_wait_empty(&door);
	finish();
}
END_TEST

START_TEST(receive__stops_while_rcpt_waits)
{
	int fd;

	begin("", "");
	fd = come_from("11.22.33.45");
	client_send(fd,
		    "MAIL FROM:<a@b.test>\r\nRCPT TO:<joe@example.com>\r\n");
	client_expect(fd, "250 2.1.0");
	door_begin_stop(&door, 10000);
	client_expect(fd, "250 2.1.5");
	client_expect(fd, "421 4.3.2");
	close(fd);
	door_wait_stopped(&door);
	finish();
}
END_TEST

START_TEST(receive__judges_the_client_that_xclient_names)
{
	int fd;

	door_open_after(
		&door, make_resolver,
		"+xclient_from = \"127.0.0.1\" }\n"
		"policy { dnsbl = \"two.test:3\" require_fcrdns = true }",
		"");
	fd = client_ready(&door);
	client_say(fd, "XCLIENT ADDR=11.22.33.44", "220");
	client_say(fd, "EHLO c.test", "250");
	client_say(fd, "MAIL FROM:<a@b.test>", "250");
	client_say(fd, "RCPT TO:<joe@example.com>", "450 4.7.1 [11.22.33.44]");
	client_say(fd, "RSET", "250");
	client_say(fd, "XCLIENT ADDR=11.22.33.46", "220");
	client_say(fd, "EHLO c.test", "250");
	client_say(fd, "MAIL FROM:<a@b.test>", "250");
	client_say(fd, "RCPT TO:<joe@example.com>", "450 4.7.1 no reverse");
	client_say(fd, "RSET", "250");
	client_say(fd, "XCLIENT NAME=said.test ADDR=11.22.33.46", "220");
	client_say(fd, "EHLO c.test", "250");
	client_say(fd, "MAIL FROM:<a@b.test>", "250");
	client_say(fd, "RCPT TO:<joe@example.com>", "250 2.1.5");
	close(fd);
	finish();
}
END_TEST

/* ---- while the primary is up ---- */

static void primary_is_up(struct door_rig *d)
{
	receive_primary_state(d->receive,
			      d->rig.config->domains[0].primary->name, true, 0);
}

/* DNS-free: the third try, spread over as long as the rules say. */
START_TEST(receive__who_comes_again_and_again_is_let_in)
{
	escape_rules.spread_ms = 0;
	begin("", "when_up = \"defer\"");
	door_call(&door, primary_is_up);
	rcpt("11.22.33.46", "joe@example.com", "451 4.3.2 192.0.2.1 is up");
	rcpt("11.22.33.46", "joe@example.com", "451 4.3.2");
	rcpt("11.22.33.47", "joe@example.com", "451 4.3.2");
	rcpt("11.22.33.46", "Joe@example.com", "250 2.1.5");
	rcpt("11.22.33.46", "joe.doe@example.com", "451 4.3.2");
	rcpt("11.22.33.46", "nobody@example.com", "550 5.1.1");
	finish();
}
END_TEST

static struct magnet_row *rows;
static size_t n_rows;

static void look_at_magnet(struct door_rig *d)
{
	int64_t since_ms = 0;

	mem_free(rows);
	rows = receive_magnet(d->receive, "example.com", &since_ms, &n_rows);
}

START_TEST(receive__counts_who_comes_while_the_primary_is_up)
{
	begin("policy { dnsbl = \"two.test:3\" }", "");
	rcpt("11.22.33.46", "joe@example.com", "250"); /* it is down */
	door_call(&door, primary_is_up);
	rcpt("11.22.33.46", "joe@example.com", "250");
	rcpt("11.22.33.46", "nobody@example.com", "550");
	rcpt("11.22.33.44", "joe@example.com", "450");
	do {
		usleep(1000);
		door_call(&door, look_at_magnet);
	} while (n_rows < 2);
	ck_assert_uint_eq(rows[0].total, 2);
	ck_assert_uint_eq(rows[0].counts[MAGNET_ACCEPTED], 1);
	ck_assert_uint_eq(rows[0].counts[MAGNET_REFUSED + RCPT_REFUSED_UNKNOWN],
			  1);
	ck_assert_uint_eq(rows[1].counts[MAGNET_REFUSED + RCPT_REFUSED_DNSBL],
			  1);
	mem_free(rows);
	finish();
}
END_TEST

/* ---- load ---- */

static char alarms[2][256];
static size_t n_alarms;

static void look_at_alarms(struct door_rig *d)
{
	n_alarms = receive_alarms(d->receive, alarms, 2);
}

START_TEST(receive__has_no_pregreet_delay_under_load)
{
	int fd[10];

	door_open(&door,
		  "smtp { max_sessions = 10 }\npolicy { pregreet = \"5m\" }",
		  "");
	for (int i = 0; i < 10; i++)
		fd[i] = client_open(&door);
	for (int i = 0; i < 10; i++) /* also those that came before */
		client_expect(fd[i], "220");
	door_call(&door, look_at_alarms);
	ck_assert_uint_eq(n_alarms, 1);
	ck_assert_ptr_nonnull(strstr(alarms[0], "10 of 10 sessions"));
	for (int i = 0; i < 10; i++)
		close(fd[i]);
	door_wait_empty(&door);
	door_call(&door, look_at_alarms);
	ck_assert_uint_eq(n_alarms, 0);
	finish();
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"receive_dns",
		TEST(receive__writes_a_confirmed_name_into_the_trace),
		TEST(receive__does_not_name_who_has_no_confirmed_name),
		LOOP(receive__judges_a_client_at_rcpt, actions),
		TEST(receive__each_domain_has_a_policy_of_its_own),
		TEST(receive__a_primary_is_not_judged),
		TEST(receive__rcpt_waits_for_dns_but_not_for_ever),
		TEST(receive__a_client_may_go_while_rcpt_waits),
		TEST(receive__stops_while_rcpt_waits),
		TEST(receive__judges_the_client_that_xclient_names),
		TEST(receive__who_comes_again_and_again_is_let_in),
		TEST(receive__counts_who_comes_while_the_primary_is_up),
		TEST(receive__has_no_pregreet_delay_under_load));
}
