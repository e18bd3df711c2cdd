/* The socket itself: a loop in a thread, a client with a plain socket. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "fixture.h"
#include "mxhold/control/control.h"

static struct loop *loop;
static struct prober *prober;
static struct control *control;
static int reloads;

static void on_change(void *data, const char *name)
{
	(void)data;
	(void)name;
}

static void on_reload(void *data, void (*on_done)(void *, const char *),
		      void *arg)
{
	(void)data;
	reloads++;
	on_done(arg, reloads == 1 ? NULL : "c:1: hostnam: no such option\n");
}

static void on_test(void *data, const char *domain, const char *address,
		    control_on_verdict on_done, void *arg)
{
	char reply[128];

	(void)data;
	ck_assert_str_eq(domain, "a.example");
	snprintf(reply, sizeof(reply), "250 2.1.5 %s", address);
	on_done(arg, "accept", "listed", reply);
}

static size_t on_alarms(void *data, char (*out)[256], size_t max)
{
	(void)data;
	ck_assert_uint_gt(max, 0);
	snprintf(out[0], 256, "something is wrong");
	return 1;
}

static void start(void)
{
	struct error err = {0};
	struct control_parts parts = {
		.store = store,
		.writer = writer,
		.directory = directory,
		.config = config,
		.started_ms = T0 - 5000,
		.reload = on_reload,
		.test_rcpt = on_test,
		.alarms = on_alarms,
	};

	reloads = 0;
	loop = parts.loop = loop_new(&err);
	prober = parts.prober =
		prober_new(loop, NULL, directory, config, on_change, NULL);
	control = control_new(&parts, &err);
	ck_assert_msg(control != NULL, "%s", err.text);
	ck_assert_int_eq(loop_thread_start(loop, "control", &err), 0);
}

static void stop(void)
{
	loop_stop(loop);
	loop_thread_join(loop);
	control_free(control);
	prober_free(prober);
	loop_free(loop);
}

/* A configuration without primaries: nothing is probed. */
static void setup_server(void)
{
	char path[128], text[256], *complaints;

	setup();
	clock_fake_off();
	config_unref(config);
	snprintf(text, sizeof(text),
		 "hostname = \"mx2.example.com\"\nconf_dir = \"\"\n"
		 "control { socket = \"%s/s\" }\n",
		 dir);
	write_file("c", text);
	snprintf(path, sizeof(path), "%s/c", dir);
	config = config_load(path, &complaints);
	ck_assert_ptr_nonnull(config);
	free(complaints);
	start();
}

static void teardown_server(void)
{
	stop();
	teardown();
}

/* The client */

static int dial(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/s", dir);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL),
			 strlen(text));
}

/* Lines up to an end. */
static void hear_end(int fd)
{
	char line[65536];
	size_t n = 0;

	said_done();
	said = (struct said){.rows = json_array()};
	while (!said.ended) {
		ck_assert_int_eq(recv(fd, line + n, 1, 0), 1);
		if (line[n++] != '\n')
			continue;
		hear_line(slice_make(line, n - 1));
		n = 0;
	}
}

static void ask_daemon(const char *command, const char *text)
{
	json_t *args = args_of(text);
	struct buf line;
	int fd = dial();

	buf_init(&line, 65536);
	protocol_append_request(&line, command, args);
	buf_append(&line, "", 1);
	say(fd, buf_slice(&line).p);
	hear_end(fd);
	close(fd);
	buf_done(&line);
	json_decref(args);
}

START_TEST(control__answers_a_query)
{
	ask_daemon("status", "{}");
	ck_assert_int_eq(said.exit, EXIT_DONE);
	ck_assert_str_eq(json_string_value(json_array_get(
				 json_object_get(said.result, "alarms"), 0)),
			 "something is wrong");
	ck_assert(json_is_true(json_object_get(said.result, "running")));
}
END_TEST

START_TEST(control__socket_is_for_its_owner_and_group)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/s", dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0660);
}
END_TEST

START_TEST(control__answers_requests_in_their_order)
{
	int fd = dial();

	say(fd, "{\"v\":1,\"command\":\"queue count\",\"args\":{}}\n"
		"nonsense\n"
		"{\"v\":1,\"command\":\"queue count\",\"args\":{}}\n");
	hear_end(fd);
	ck_assert_int_eq(said.exit, EXIT_DONE);
	hear_end(fd);
	ck_assert_int_eq(said.exit, EXIT_USAGE);
	hear_end(fd);
	ck_assert_int_eq(said.exit, EXIT_DONE);
	close(fd);
}
END_TEST

START_TEST(control__takes_a_request_in_pieces)
{
	static const char text[] =
		"{\"v\":1,\"command\":\"queue count\",\"args\":{}}\n";
	int fd = dial();

	for (size_t i = 0; text[i]; i++) {
		ck_assert_int_eq(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
		if (i % 16 == 0)
			usleep(1000);
	}
	hear_end(fd);
	ck_assert_int_eq(said.exit, EXIT_DONE);
	close(fd);
}
END_TEST

START_TEST(control__refuses_an_endless_line)
{
	char block[65536];
	int fd = dial();
	ssize_t n = 1;

	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 2 * PROTOCOL_REQUEST_MAX / 65536 && n > 0; i++)
		n = send(fd, block, sizeof(block), MSG_NOSIGNAL);
	hear_end(fd);
	ck_assert_int_eq(said.exit, EXIT_USAGE);
	close(fd);
	ask_daemon("queue count", "{}");
	ck_assert_int_eq(said.exit, EXIT_DONE);
}
END_TEST

START_TEST(control__survives_clients_that_go_away)
{
	for (int i = 0; i < 50; i++) {
		int fd = dial();

		say(fd, "{\"v\":1,\"command\":\"queue list\",\"args\":{}}\n");
		close(fd);
	}
	ask_daemon("queue count", "{}");
	ck_assert_int_eq(said.exit, EXIT_DONE);
}
END_TEST

START_TEST(control__reload_says_what_is_wrong)
{
	ask_daemon("config reload", "{}");
	ck_assert_int_eq(said.exit, EXIT_DONE);
	ask_daemon("config reload", "{}");
	ck_assert_int_eq(said.exit, EXIT_BAD_CONFIG);
	ck_assert_str_eq(said.error, "c:1: hostnam: no such option\n");
}
END_TEST

START_TEST(control__tests_a_recipient)
{
	ask_daemon("recipients test",
		   "{'domain':'a.example','address':'u@a.example'}");
	ck_assert_int_eq(said.exit, EXIT_DONE);
	ck_assert_str_eq(
		json_string_value(json_object_get(said.result, "reply")),
		"250 2.1.5 u@a.example");
}
END_TEST

START_TEST(control__knows_no_such_primary)
{
	ask_daemon("primary hold", "{'name':'mx9'}");
	ck_assert_int_eq(said.exit, EXIT_NO_MATCH);
	ask_daemon("primary probe", "{'name':'mx9'}");
	ck_assert_int_eq(said.exit, EXIT_NO_MATCH);
	ask_daemon("nonsense", "{}");
	ck_assert_int_eq(said.exit, EXIT_USAGE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("server");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup_server, teardown_server);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, control__answers_a_query);
	tcase_add_test(t, control__socket_is_for_its_owner_and_group);
	tcase_add_test(t, control__answers_requests_in_their_order);
	tcase_add_test(t, control__takes_a_request_in_pieces);
	tcase_add_test(t, control__refuses_an_endless_line);
	tcase_add_test(t, control__survives_clients_that_go_away);
	tcase_add_test(t, control__reload_says_what_is_wrong);
	tcase_add_test(t, control__tests_a_recipient);
	tcase_add_test(t, control__knows_no_such_primary);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
