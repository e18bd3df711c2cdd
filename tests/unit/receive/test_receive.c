#include "mxhold/receive/receive.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door.h"
#include "mxhold/base/stats.h"

static struct door_rig door;

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
	door_check_one_message(&door, "ESMTP id");
	door_check_one_message(&door, "[127.0.0.1]");
	door_check_one_message(&door, "for <joe@example.com>");
	door_check_one_message(&door, "\r\nSubject: x\r\n\r\nhello\r\n");
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
	door_check_one_message(&door, "S: x\r\n\r\n.\r\n");
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
	door_check_one_message(&door, "S: x\r\n\r\n.\r\nhi\r\n");
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
	door_check_one_message(&door, "S: x");
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

/* RX-30: RFC 5321 4.1.1.10 */
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
	door_check_one_message(&door, "bye");
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
		TEST(receive__an_idle_client_hears_421_at_its_deadline));
}
