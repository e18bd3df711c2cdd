/*
 * What is known of the primaries, at the door: at EHLO of all together, at
 * RCPT of one, at the end of the content of those who are to have it.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "door.h"
#include "mxhold/smtp/ehlo.h"

enum {
	ALL = EXT_HEARD | EXT_SIZE | EXT_8BITMIME | EXT_SMTPUTF8 | EXT_DSN |
	      EXT_CHUNKING | EXT_REQUIRETLS
};

static struct door_rig door;

/* joe@example.com is at the first primary, anybody@b.test at the second. */
static const char second[] =
	"domain \"b.test\" { primary = \"192.0.2.2\" recipients = "
	"\"learn\" unknown_down = \"accept\" }";

/* What a probe would have written. */
static void met(const char *domain, uint32_t ext, uint64_t size)
{
	struct peer_record rec = {.ehlo_ext = ext, .ehlo_size = size};
	struct error err;

	ck_assert_int_eq(
		directory_peer_put(
			door.rig.directory,
			config_domain(door.rig.config, domain)->primary->name,
			&rec, &err),
		0);
}

static void begin(const char *more, uint32_t ext, uint64_t size)
{
	door_open(&door, more, "");
	met("example.com", ext, size);
	door_reload(&door, more, ""); /* looks at the directory again */
}

static void read_ehlo(int fd, char *out, size_t room)
{
	size_t n = 0;

	client_expect(fd, "220");
	client_send(fd, "EHLO client.test\r\n");
	do {
		ssize_t got = recv(fd, out + n, room - n - 1, 0);

		ck_assert_int_gt(got, 0);
		n += (size_t)got;
		out[n] = '\0';
	} while (!strstr(out, "250 ENHANCEDSTATUSCODES\r\n"));
}

static const struct {
	uint32_t ext;
	uint64_t size;
	const char *has, *has_not;
} ehlos[] = {
	{0, 0, "250-SMTPUTF8\r\n", "250-BINARYMIME\r\n"}, /* nobody was met */
	{0, 20000, "250-SIZE 52428800\r\n", "REQUIRETLS"},
	{ALL, 20000, "250-SIZE 18464\r\n", "SIZE 52428800"},
	{ALL, 0, "250-SIZE 52428800\r\n", "BINARYMIME"},
	{ALL, UINT64_MAX, "250-SIZE 52428800\r\n", "BINARYMIME"},
	{ALL & ~EXT_SMTPUTF8, 0, "250-8BITMIME\r\n", "SMTPUTF8"},
	{ALL & ~EXT_8BITMIME, 0, "250-DSN\r\n", "8BITMIME"},
	{ALL & ~EXT_8BITMIME, 0, "250-DSN\r\n", "SMTPUTF8"},
	{ALL & ~EXT_DSN, 0, "250-8BITMIME\r\n", "DSN"},
	{ALL | EXT_BINARYMIME, 0, "250-BINARYMIME\r\n", "REQUIRETLS"},
	{EXT_HEARD, 0, "250-CHUNKING\r\n", "8BITMIME"},
	{EXT_HEARD, 0, "250-PIPELINING\r\n", "SMTPUTF8"},
};

/* EXT-26, RX-12, EXT-1, EXT-23, EXT-28 */
START_TEST(receive__announces_what_a_known_primary_takes)
{
	char text[2048];
	int fd;

	begin("", ehlos[_i].ext, ehlos[_i].size);
	fd = client_open(&door);
	read_ehlo(fd, text, sizeof(text));
	ck_assert_msg(strstr(text, ehlos[_i].has), "%s", text);
	ck_assert_msg(!strstr(text, ehlos[_i].has_not), "%s", text);
	close(fd);
	door_close(&door);
}
END_TEST

static const struct {
	uint32_t ext;
	uint64_t size;
	const char *mail, *rcpt, *reply;
} rcpts[] = {
	/* EXT-6, EXT-2 */
	{ALL, 20000, "<a@b.test> SIZE=18464", "<joe@example.com>", "250 2.1.5"},
	{ALL, 20000, "<a@b.test> SIZE=18465", "<joe@example.com>", "552 5.3.4"},
	{ALL, 20000, "<a@b.test> SIZE=18465", "<x@b.test>", "250 2.1.5"},
	{ALL, 0, "<a@b.test> SIZE=18465", "<joe@example.com>", "250 2.1.5"},
	/* EXT-29 */
	{ALL & ~EXT_SMTPUTF8, 0, "<\xc3\xa9@b.test> SMTPUTF8",
	 "<joe@example.com>", "553 5.6.7"},
	{ALL & ~EXT_SMTPUTF8, 0, "<a@b.test> SMTPUTF8",
	 "<postmaster@example.com>", "250 2.1.5"},
	{ALL & ~EXT_SMTPUTF8, 0, "<\xc3\xa9@b.test> SMTPUTF8", "<x@b.test>",
	 "250 2.1.5"},
	{ALL & ~EXT_SMTPUTF8, 0, "<a@b.test> SMTPUTF8", "<\xc3\xa9@b.test>",
	 "250 2.1.5"},
	{ALL, 0, "<\xc3\xa9@b.test> SMTPUTF8", "<joe@example.com>",
	 "250 2.1.5"},
	/* BODY=8BITMIME is said of much that has no 8-bit content. */
	{ALL & ~EXT_8BITMIME, 0, "<a@b.test> BODY=8BITMIME",
	 "<joe@example.com>", "250 2.1.5"},
	/* EXT-33: nothing is refused for DSN: we can report ourselves. */
	{ALL & ~EXT_DSN, 0, "<a@b.test> RET=HDRS", "<joe@example.com>",
	 "250 2.1.5"},
};

/* TRC-5: With a second primary that takes all, and says so. */
START_TEST(receive__refuses_at_rcpt_what_one_primary_lacks)
{
	char command[256];
	int fd;

	door_open(&door, second, "");
	met("example.com", rcpts[_i].ext, rcpts[_i].size);
	met("b.test", ALL, 0);
	door_reload(&door, second, "");
	fd = client_ready(&door);
	snprintf(command, sizeof(command), "MAIL FROM:%s", rcpts[_i].mail);
	client_say(fd, command, "250 2.1.0");
	snprintf(command, sizeof(command), "RCPT TO:%s", rcpts[_i].rcpt);
	client_say(fd, command, rcpts[_i].reply);
	close(fd);
	door_close(&door);
}
END_TEST

static const struct {
	uint32_t ext;
	uint64_t size;
	const char *mail, *content, *reply;
} ends[] = {
	{ALL & ~EXT_8BITMIME, 0, "<a@b.test>", "S: x\r\n\r\n\xe9\r\n",
	 "554 5.6.3"},
	{ALL & ~EXT_8BITMIME, 0, "<a@b.test> BODY=8BITMIME",
	 "S: x\r\n\r\nascii\r\n", "250 2.0.0"},
	/* MSG-18: without the parameter it is 8-bit, and no more. */
	{ALL & ~EXT_SMTPUTF8, 0, "<a@b.test>", "S: \xc3\xa9\r\n\r\n",
	 "250 2.0.0"},
	{ALL & ~EXT_SMTPUTF8, 0, "<a@b.test> SMTPUTF8", "S: \xc3\xa9\r\n\r\n",
	 "554 5.6.9"},
	{ALL & ~EXT_SMTPUTF8, 0, "<a@b.test> SMTPUTF8",
	 "S: x\r\n\r\n\xc3\xa9\r\n", "250 2.0.0"},
	{ALL, 100, "<a@b.test>", "S: x\r\n\r\n", "552 5.3.4"},
	{ALL, 800, "<a@b.test>", "S: x\r\n\r\n", "250 2.0.0"},
};

/* REP-18, EXT-29, EXT-6: now rather than a report in a week; and when one
 * recipient can have it, it is taken for all (RX-29). */
START_TEST(receive__refuses_at_the_end_what_no_primary_takes)
{
	char command[256];
	int fd;

	door_open(&door, second, "");
	met("example.com", ends[_i].ext, ends[_i].size);
	met("b.test", ALL, 0);
	door_reload(&door, second, "");
	fd = client_ready(&door);
	for (int both = 0; both < 2; both++) {
		snprintf(command, sizeof(command), "MAIL FROM:%s",
			 ends[_i].mail);
		client_say(fd, command, "250 2.1.0");
		client_say(fd, "RCPT TO:<joe@example.com>", "250 2.1.5");
		if (both)
			client_say(fd, "RCPT TO:<x@b.test>", "250 2.1.5");
		client_say(fd, "DATA", "354");
		client_send(fd, ends[_i].content);
		client_say(fd, ".", both ? "250 2.0.0" : ends[_i].reply);
	}
	close(fd);
	door_close(&door);
}
END_TEST

/* EXT-23: kept to the last bit, also what would be a bare newline. */
START_TEST(receive__keeps_binary_content_untouched)
{
	static const char content[] =
		"MIME-Version: 1.0\r\n\r\na\nb\rc\r\n\r\0\xff\n.\r\n.\r\nd\r";
	char command[64], *kept;
	size_t n = sizeof(content) - 1, size;
	int fd;

	begin("", ALL | EXT_BINARYMIME, 0);
	fd = client_ready(&door);
	client_say(fd, "MAIL FROM:<a@b.test> BODY=BINARYMIME", "250");
	client_say(fd, "RCPT TO:<joe@example.com>", "250");
	client_say(fd, "DATA", "503 5.5.1");
	snprintf(command, sizeof(command), "BDAT %zu LAST\r\n", n);
	client_send(fd, command);
	client_send_n(fd, content, n);
	client_expect(fd, "250 2.0.0 kept as ");
	close(fd);
	door_wait_messages(&door, 1);
	kept = rig_content(&door.rig, 0, &size);
	ck_assert_uint_gt(size, n);
	ck_assert_mem_eq(kept + size - n, content, n);
	free(kept);
	door_close(&door);
}
END_TEST

/* A primary that lost it since EHLO: no silent conversion. */
START_TEST(receive__refuses_binary_for_a_primary_that_lacks_it)
{
	int fd;

	begin("", ALL | EXT_BINARYMIME, 0);
	fd = client_ready(&door);
	met("example.com", ALL, 0);
	client_say(fd, "MAIL FROM:<a@b.test> BODY=BINARYMIME", "250");
	client_say(fd, "RCPT TO:<joe@example.com>", "550 5.6.3");
	close(fd);
	door_close(&door);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"receive_lacks",
		LOOP(receive__announces_what_a_known_primary_takes, ehlos),
		LOOP(receive__refuses_at_rcpt_what_one_primary_lacks, rcpts),
		LOOP(receive__refuses_at_the_end_what_no_primary_takes, ends),
		TEST(receive__keeps_binary_content_untouched),
		TEST(receive__refuses_binary_for_a_primary_that_lacks_it));
}
