#include "mxhold/receive/receive.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door.h"
#include "mxhold/base/stats.h"

static struct door_rig door;

static void check_one_message(const char *contains)
{
	size_t size;
	char *content;

	door_wait_messages(&door, 1);
	ck_assert_uint_eq(rig_counts(&door.rig).messages, 1);
	content = rig_content(&door.rig, 0, &size);
	ck_assert_msg(strstr(content, contains), "%s", content);
	free(content);
}

START_TEST(receive__keeps_a_message_and_says_its_id)
{
	int fd;

	door_open(&door, "", "");
	fd = client_ready(&door);
	client_to_data(fd);
	client_say(fd, "Subject: x\r\n\r\nhello\r\n.", "250 2.0.0 kept as ");
	client_say(fd, "QUIT", "221 2.0.0");
	client_expect_end(fd);
	close(fd);
	check_one_message("ESMTP id");
	check_one_message("[127.0.0.1]");
	check_one_message("for <joe@example.com>");
	check_one_message("\r\nSubject: x\r\n\r\nhello\r\n");
	door_wait_empty(&door);
	while (door.kicks == 0)
		usleep(1000);
	door_close(&door);
}
END_TEST

START_TEST(receive__answers_a_whole_dialogue_sent_at_once)
{
	int fd;

	door_open(&door, "", "");
	fd = client_open(&door);
	client_send(fd, "EHLO c.test\r\nMAIL FROM:<>\r\n"
			"RCPT TO:<joe@example.com>\r\n"
			"RCPT TO:<nobody@example.com>\r\n"
			"RCPT TO:<joe@out.test>\r\nDATA\r\n"
			"S: x\r\n\r\n..\r\n.\r\nRSET\r\nNOOP\r\nQUIT\r\n");
	shutdown(fd, SHUT_WR);
	client_expect(fd, "220 ");
	client_expect(fd, "250 ");
	client_expect(fd, "250 2.1.0");
	client_expect(fd, "250 2.1.5");
	client_expect(fd, "550 5.1.1");
	client_expect(fd, "550 5.7.1");
	client_expect(fd, "354");
	client_expect(fd, "250 2.0.0 kept as ");
	client_expect(fd, "250 2.0.0");
	client_expect(fd, "250 2.0.0");
	client_expect(fd, "221 2.0.0");
	client_expect_end(fd);
	close(fd);
	check_one_message("S: x\r\n\r\n.\r\n");
	door_close(&door);
}
END_TEST

START_TEST(receive__takes_bdat_chunks)
{
	int fd;

	door_open(&door, "", "");
	fd = client_ready(&door);
	client_say(fd, "MAIL FROM:<a@b.test>", "250");
	client_say(fd, "RCPT TO:<joe@example.com>", "250");
	client_send(fd, "BDAT 6\r\nS: x\r\nBDAT 9 LAST\r\n\r\n.\r\nhi\r\n");
	client_expect(fd, "250 2.0.0");
	client_expect(fd, "250 2.0.0 kept as ");
	close(fd);
	check_one_message("S: x\r\n\r\n.\r\nhi\r\n");
	door_close(&door);
}
END_TEST

static void *send_many(void *data)
{
	int fd = client_ready(&door);

	(void)data;
	for (int i = 0; i < 50; i++) {
		client_send(fd, "MAIL FROM:<a@b.test>\r\n"
				"RCPT TO:<joe@example.com>\r\nDATA\r\n");
		client_expect(fd, "250");
		client_expect(fd, "250");
		client_expect(fd, "354");
		client_say(fd, "S: x\r\n\r\nhello\r\n.", "250 2.0.0");
	}
	client_say(fd, "QUIT", "221");
	close(fd);
	return NULL;
}

START_TEST(receive__serves_many_at_once)
{
	pthread_t threads[8];

	door_open(&door, "policy { max_rate = 100000 }", "");
	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, send_many, NULL);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(rig_counts(&door.rig).messages, 400);
	ck_assert_uint_eq(counter_get(&stats.messages_kept), 400);
	door_close(&door);
}
END_TEST

/* ---- large ---- */

static char *big_text(size_t n)
{
	char *text = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + i % 23);
	for (size_t i = 70; i + 2 < n; i += 72)
		memcpy(text + i, "\r\n", 2);
	memcpy(text, "S:x\r\n\r\n", 7);
	memcpy(text + n - 2, "\r\n", 2);
	text[n] = '\0';
	return text;
}

START_TEST(receive__keeps_a_large_message_whole)
{
	size_t n = 5000000, size;
	char *text = big_text(n), *content;
	int fd;

	door_open(&door, "", "");
	fd = client_ready(&door);
	client_to_data(fd);
	client_send_n(fd, text, n);
	client_say(fd, ".", "250 2.0.0");
	close(fd);
	content = rig_content(&door.rig, 0, &size);
	ck_assert_uint_gt(size, n);
	ck_assert_int_eq(memcmp(content + size - n, text, n), 0);
	free(content);
	free(text);
	door_close(&door);
}
END_TEST

START_TEST(receive__a_client_waits_while_the_writer_does)
{
	size_t n = 3000000, sent = 0;
	char *text = big_text(n);
	ssize_t got;
	int fd;

	door_open_held(&door, "", "");
	fd = client_ready(&door);
	client_to_data(fd);
	/* Until nobody takes any more: sockets' buffers and two parts. */
	while (sent < n && (got = send(fd, text + sent, n - sent,
				       MSG_DONTWAIT | MSG_NOSIGNAL)) > 0) {
		sent += (size_t)got;
		usleep(10000);
	}
	ck_assert_uint_lt(writer_waiting(door.rig.writer), 300000);
	door_start_writer(&door);
	client_send_n(fd, text + sent, n - sent);
	client_say(fd, ".", "250 2.0.0");
	close(fd);
	free(text);
	door_close(&door);
}
END_TEST

START_TEST(receive__too_large_is_refused_in_step)
{
	char *text = big_text(300000);
	int fd;

	door_open(&door, "smtp { max_size = \"100K\" }", "");
	fd = client_ready(&door);
	client_to_data(fd);
	client_send_n(fd, text, 300000);
	client_say(fd, ".", "552 5.3.4");
	client_to_data(fd);
	client_say(fd, "S: x\r\n\r\n.", "250 2.0.0");
	client_say(fd, "MAIL FROM:<a@b.test> SIZE=200000", "552 5.3.4");
	close(fd);
	free(text);
	check_one_message("S: x");
	door_close(&door);
}
END_TEST

/* ---- clients that vanish ---- */

START_TEST(receive__a_client_that_vanishes_in_mid_body_leaves_nothing)
{
	char *text = big_text(1000000);
	int fd;

	door_open(&door, "", "");
	fd = client_ready(&door);
	client_to_data(fd);
	client_send_n(fd, text, _i ? 1000000 : 1000);
	client_reset(fd);
	door_wait_empty(&door);
	free(text);
	door_begin_stop(&door, 0);
	door_wait_stopped(&door); /* the parts are gone by then */
	ck_assert_uint_eq(rig_counts(&door.rig).messages, 0);
	door_close(&door);
}
END_TEST

/* RFC 5321 4.1.1.10 */
START_TEST(receive__a_client_that_vanishes_during_commit_leaves_its_message)
{
	int fd;

	door_open_held(&door, "", "");
	fd = client_ready(&door);
	client_to_data(fd);
	client_send(fd, "S: x\r\n\r\nbye\r\n.\r\n");
	while (writer_waiting(door.rig.writer) == 0)
		usleep(1000);
	client_reset(fd);
	door_wait_empty(&door);
	door_start_writer(&door);
	check_one_message("bye");
	door_close(&door);
}
END_TEST

static unsigned count_lines(int fd)
{
	static char room[65536];
	ssize_t n = recv(fd, room, sizeof(room), 0);
	unsigned lines = 0;

	ck_assert_int_gt(n, 0);
	for (ssize_t i = 0; i < n; i++)
		lines += room[i] == '\n';
	return lines;
}

START_TEST(receive__a_client_that_never_reads_is_not_served_on)
{
	static const char noops[] = "NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n"
				    "NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n";
	size_t octets = 0;
	unsigned sent, heard;
	ssize_t n;
	int fd;

	door_open(&door, "", "");
	fd = client_ready(&door);
	/* Until nobody takes any more for a while: then all buffers between
	 * are full. A command cut in two is completed later. */
	for (int calm = 0; calm < 20; calm++) {
		while ((n = send(fd, noops + octets % 48, 48 - octets % 48,
				 MSG_DONTWAIT | MSG_NOSIGNAL)) > 0) {
			octets += (size_t)n;
			calm = 0;
		}
		usleep(5000);
	}
	sent = (unsigned)(octets / 6);
	ck_assert_uint_gt(sent, 1000);
	for (heard = 0; heard < sent; heard += count_lines(fd))
		;
	ck_assert_uint_eq(heard, sent);
	close(fd);
	door_close(&door);
}
END_TEST

START_TEST(receive__an_idle_client_hears_421_at_its_deadline)
{
	int fd;

	door_open(&door, "smtp { command_timeout = \"1s\" }", "");
	fd = client_ready(&door);
	client_send(fd, "NO"); /* a part of a command is none */
	client_expect(fd, "421 4.4.2");
	client_expect_end(fd);
	close(fd);
	door_close(&door);
}
END_TEST

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

static const struct {
	const char *action, *reply;
} actions[] = {
	{"defer", "450 4.7.1"},
	{"reject", "550 5.7.1"},
	{"record", "250 2.1.0"},
};

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
	check_one_message("[203.0.113.7]");
	door_close(&door);
}
END_TEST

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
	check_one_message("[IPv6:2001:db8::7]");
	check_one_message("from far-helo.test (far.test");
	door_close(&door);
}
END_TEST

START_TEST(receive__etrn_is_for_primaries_only)
{
	int fd;

	door_open(&door, "", "");
	fd = client_ready(&door);
	client_say(fd, "ETRN example.com", "459");
	close(fd);
	door_reload(&door,
		    "domain \"c.test\" { primary = \"127.0.0.1\" "
		    "recipients = \"learn\" }",
		    "");
	fd = client_ready(&door);
	client_say(fd, "ETRN @Example.com", "250 2.0.0");
	client_say(fd, "ETRN other.test", "459 4.5.0");
	client_say(fd, "NOOP", "250");
	ck_assert_uint_eq(door.etrns, 2);
	close(fd);
	door_close(&door);
}
END_TEST

static void primary_is_up(struct door_rig *d)
{
	receive_primary_state(d->receive,
			      d->rig.config->domains[0].primary->name, true);
}

static void primary_is_down(struct door_rig *d)
{
	receive_primary_state(d->receive,
			      d->rig.config->domains[0].primary->name, false);
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
	client_say(fd, "RCPT TO:<joe@example.com>", "450 4.7.1");
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

/* ---- the end ---- */

START_TEST(receive__stop_tells_idle_clients_421)
{
	int fresh, idle, between;

	door_open(&door, "", "");
	fresh = client_open(&door);
	client_expect(fresh, "220");
	idle = client_ready(&door);
	between = client_ready(&door);
	client_say(between, "MAIL FROM:<a@b.test>", "250");
	door_begin_stop(&door, 20000);
	client_expect(fresh, "421 4.3.2");
	client_expect(idle, "421 4.3.2");
	client_expect(between, "421 4.3.2");
	client_expect_end(idle);
	door_wait_stopped(&door);
	close(fresh);
	close(idle);
	close(between);
	door_close(&door);
}
END_TEST

START_TEST(receive__stop_lets_a_message_finish)
{
	int fd;

	door_open(&door, "", "");
	fd = client_ready(&door);
	client_to_data(fd);
	client_send(fd, "S: x\r\n\r\nfirst half, ");
	door_begin_stop(&door, 20000);
	client_send(fd, "second half\r\n");
	client_say(fd, ".", "250 2.0.0 kept as ");
	client_expect(fd, "421 4.3.2");
	client_expect_end(fd);
	close(fd);
	door_wait_stopped(&door);
	check_one_message("first half, second half");
	door_close(&door);
}
END_TEST

START_TEST(receive__stop_waits_for_a_commit)
{
	int fd;

	door_open_held(&door, "", "");
	fd = client_ready(&door);
	client_to_data(fd);
	client_send(fd, "S: x\r\n\r\nlast\r\n.\r\n");
	while (writer_waiting(door.rig.writer) == 0)
		usleep(1000);
	door_begin_stop(&door, 20000);
	door_start_writer(&door);
	client_expect(fd, "250 2.0.0 kept as ");
	client_expect(fd, "421 4.3.2");
	door_wait_stopped(&door);
	close(fd);
	check_one_message("last");
	door_close(&door);
}
END_TEST

START_TEST(receive__the_grace_ends)
{
	int fd;

	door_open(&door, "", "");
	fd = client_ready(&door);
	client_to_data(fd);
	client_send(fd, "S: x\r\n\r\nnever the whole");
	door_begin_stop(&door, 100);
	client_expect(fd, "421 4.3.2");
	client_expect_end(fd);
	door_wait_stopped(&door);
	close(fd);
	ck_assert_uint_eq(rig_counts(&door.rig).messages, 0);
	door_close(&door);
}
END_TEST

START_TEST(receive__stop_under_load_is_clean)
{
	int fd[4];

	door_open(&door, "policy { max_rate = 100000 }", "");
	for (int i = 0; i < 4; i++) {
		fd[i] = client_ready(&door);
		client_send(fd[i], "MAIL FROM:<a@b.test>\r\n"
				   "RCPT TO:<joe@example.com>\r\nDATA\r\n"
				   "S: x\r\n\r\n.\r\nMAIL FROM:<a@b.test>\r\n"
				   "RCPT TO:<joe@example.com>\r\nDATA\r\n");
	}
	door_begin_stop(&door, 50);
	door_wait_stopped(&door);
	for (int i = 0; i < 4; i++)
		client_reset(fd[i]);
	door_close(&door);
}
END_TEST

START_TEST(receive__says_why_it_cannot_listen)
{
	struct error err = {0};
	struct receive_parts parts;
	char text[128], at[INET_TEXT_MAX];

	door_open(&door, "", "");
	endpoint_format(&door.at, at);
	snprintf(text, sizeof(text), "listen \"smtp\" { address = \"%s\" }",
		 at);
	rig_configure(&door.rig, text, "");
	parts = (struct receive_parts){
		.loop = loop_new(&err),
		.store = door.rig.store,
		.writer = door.rig.writer,
		.directory = door.rig.directory,
		.config = door.rig.config,
	};
	ck_assert_ptr_null(receive_new(&parts, &err));
	ck_assert_msg(strstr(err.text, at), "%s", err.text);
	loop_free(parts.loop);
	door_close(&door);
}
END_TEST

int main(void)
{
	static const int twice[2];

	return RUN_TESTS(
		"receive", TEST(receive__keeps_a_message_and_says_its_id),
		TEST(receive__answers_a_whole_dialogue_sent_at_once),
		TEST(receive__takes_bdat_chunks),
		TEST(receive__serves_many_at_once),
		TEST(receive__keeps_a_large_message_whole),
		TEST(receive__a_client_waits_while_the_writer_does),
		TEST(receive__too_large_is_refused_in_step),
		LOOP(receive__a_client_that_vanishes_in_mid_body_leaves_nothing,
		     twice),
		TEST(receive__a_client_that_vanishes_during_commit_leaves_its_message),
		TEST(receive__a_client_that_never_reads_is_not_served_on),
		TEST(receive__an_idle_client_hears_421_at_its_deadline),
		TEST(receive__a_crowded_network_hears_421),
		TEST(receive__a_full_house_says_421),
		TEST(receive__a_used_up_budget_closes_the_door_for_a_while),
		LOOP(receive__a_network_that_sends_too_much_is_slowed, actions),
		TEST(receive__who_talks_before_the_greeting_is_deferred),
		TEST(receive__a_domain_over_its_quota_is_deferred),
		TEST(receive__believes_a_proxy_it_knows),
		TEST(receive__a_proxy_must_speak_the_protocol),
		TEST(receive__counts_the_clients_behind_a_proxy),
		TEST(receive__takes_xclient_from_whom_it_knows),
		TEST(receive__etrn_is_for_primaries_only),
		TEST(receive__when_up_defer_sends_mail_to_the_primary),
		TEST(receive__a_reload_is_in_force_for_sessions_that_are_open),
		TEST(receive__stop_tells_idle_clients_421),
		TEST(receive__stop_lets_a_message_finish),
		TEST(receive__stop_waits_for_a_commit),
		TEST(receive__the_grace_ends),
		TEST(receive__stop_under_load_is_clean),
		TEST(receive__says_why_it_cannot_listen));
}
