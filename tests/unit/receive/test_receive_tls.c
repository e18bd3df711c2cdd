#include <openssl/ssl.h>
#include <unistd.h>

#include "door.h"
#include "mxhold/base/stats.h"

static struct door_rig door;
static SSL_CTX *ctx;

static SSL *start_tls(int fd)
{
	SSL *ssl;

	ctx = SSL_CTX_new(TLS_client_method());
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	return ssl;
}

static void end_tls(SSL *ssl)
{
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

/* The last line of the next reply. */
static void tls_expect(SSL *ssl, const char *reply)
{
	char line[1024];
	int n;

	do {
		for (n = 0; n < 1023; n++)
			if (SSL_read(ssl, line + n, 1) != 1 || line[n] == '\n')
				break;
		line[n] = '\0';
	} while (n > 3 && line[3] == '-');
	ck_assert_msg(strncmp(line, reply, strlen(reply)) == 0,
		      "got '%s', want '%s'", line, reply);
}

static void tls_say(SSL *ssl, const char *command, const char *reply)
{
	ck_assert_int_gt(SSL_write(ssl, command, (int)strlen(command)), 0);
	tls_expect(ssl, reply);
}

/* TLS-3 */
START_TEST(receive_tls__keeps_a_message_that_came_by_tls)
{
	SSL *ssl;
	int fd;

	door_open_tls(&door, "", "");
	fd = client_ready(&door);
	client_say(fd, "STARTTLS", "220 2.0.0");
	ssl = start_tls(fd);
	ck_assert_int_eq(SSL_connect(ssl), 1);
	tls_say(ssl, "MAIL FROM:<a@b.test>\r\n", "503"); /* RFC 3207 4.2 */
	tls_say(ssl, "EHLO c.test\r\n", "250");
	tls_say(ssl, "STARTTLS\r\n", "503");
	tls_say(ssl, "MAIL FROM:<a@b.test>\r\n", "250");
	tls_say(ssl, "RCPT TO:<joe@example.com>\r\n", "250");
	tls_say(ssl, "DATA\r\n", "354");
	tls_say(ssl, "S: x\r\n\r\nsecret\r\n.\r\n", "250 2.0.0 kept as ");
	tls_say(ssl, "QUIT\r\n", "221");
	end_tls(ssl);
	close(fd);
	door_check_one_message(&door, "ESMTPS id");
	door_check_one_message(&door, "TLSv1.3");
	door_wait_empty(&door);
	door_close(&door);
}
END_TEST

/* EXT-39, EXT-40: inside TLS only; the tag is kept. */
START_TEST(receive_tls__keeps_requiretls)
{
	struct queue_message m;
	struct reader *reader;
	struct arena arena;
	uint64_t id;
	size_t n = 1;
	SSL *ssl;
	int fd;

	door_open_tls(&door, "", "");
	fd = client_ready(&door);
	client_say(fd, "MAIL FROM:<a@b.test> REQUIRETLS", "555 5.5.4");
	client_say(fd, "STARTTLS", "220 2.0.0");
	ssl = start_tls(fd);
	ck_assert_int_eq(SSL_connect(ssl), 1);
	tls_say(ssl, "EHLO c.test\r\n", "250");
	tls_say(ssl, "MAIL FROM:<a@b.test> REQUIRETLS\r\n", "250");
	tls_say(ssl, "RCPT TO:<joe@example.com>\r\n", "250");
	tls_say(ssl, "DATA\r\n", "354");
	tls_say(ssl, "S: x\r\n\r\nsecret\r\n.\r\n", "250 2.0.0 kept as ");
	end_tls(ssl);
	close(fd);
	reader = reader_new(door.rig.store);
	arena_init(&arena, 1 << 20);
	ck_assert_int_eq(reader_ids(reader, 0, &id, &n), 0);
	ck_assert_int_eq(reader_message(reader, id, &arena, &m), 0);
	ck_assert(m.env.requiretls);
	arena_done(&arena);
	reader_free(reader);
	door_wait_empty(&door);
	door_close(&door);
}
END_TEST

/* TLS-2; RFC 3207 4.2: what came in clear is never a command inside TLS. */
START_TEST(receive_tls__octets_behind_starttls_end_the_session)
{
	int fd;

	door_open_tls(&door, "", "");
	fd = client_ready(&door);
	client_send(fd, "NOOP\r\nSTARTTLS\r\nNOOP\r\n");
	client_expect(fd, "250 2.0.0");
	client_expect(fd, "554 5.5.1");
	client_expect_end(fd);
	close(fd);
	door_wait_empty(&door);
	ck_assert_uint_eq(counter_get(&stats.sessions_failed), 1);
	door_close(&door);
}
END_TEST

/* TLS-5 */
START_TEST(receive_tls__a_broken_handshake_ends_the_session)
{
	int fd;

	door_open_tls(&door, "", "");
	fd = client_ready(&door);
	client_say(fd, "STARTTLS", "220 2.0.0");
	client_send(fd, "EHLO in.the.clear\r\n");
	door_wait_empty(&door);
	close(fd);
	ck_assert_uint_eq(counter_get(&stats.sessions_failed), 1);
	door_close(&door);
}
END_TEST

START_TEST(receive_tls__stop_within_a_handshake_is_clean)
{
	int fd;

	door_open_tls(&door, "", "");
	fd = client_ready(&door);
	client_say(fd, "STARTTLS", "220 2.0.0");
	door_begin_stop(&door, 20000);
	door_wait_stopped(&door);
	close(fd);
	door_close(&door);
}
END_TEST

START_TEST(receive_tls__is_not_offered_without_a_certificate)
{
	int fd;

	door_open(&door, "", "");
	fd = client_ready(&door);
	client_say(fd, "STARTTLS", "502");
	close(fd);
	door_close(&door);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"receive_tls",
		TEST(receive_tls__keeps_a_message_that_came_by_tls),
		TEST(receive_tls__keeps_requiretls),
		TEST(receive_tls__octets_behind_starttls_end_the_session),
		TEST(receive_tls__a_broken_handshake_ends_the_session),
		TEST(receive_tls__stop_within_a_handshake_is_clean),
		TEST(receive_tls__is_not_offered_without_a_certificate));
}
