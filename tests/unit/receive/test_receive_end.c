#include "mxhold/receive/receive.h"

#include <sys/socket.h>
#include <unistd.h>

#include "door.h"
#include "mxhold/base/stats.h"

static struct door_rig door;

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
	door_check_one_message(&door, "first half, second half");
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
	door_check_one_message(&door, "last");
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
	return RUN_TESTS("receive_end",
			 TEST(receive__stop_tells_idle_clients_421),
			 TEST(receive__stop_lets_a_message_finish),
			 TEST(receive__stop_waits_for_a_commit),
			 TEST(receive__the_grace_ends),
			 TEST(receive__stop_under_load_is_clean),
			 TEST(receive__says_why_it_cannot_listen));
}
