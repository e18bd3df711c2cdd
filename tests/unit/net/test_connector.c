#include "mxhold/net/connector.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/net/rig.h"
#include "unit/net/twice.h"

/*
 * A server that never answers is a listening socket whose queue is full: the
 * system then drops what would connect. One that refuses is a bound socket
 * that does not listen.
 */

static struct rig rig;
static struct endpoint to[8];
static int sockets[64], n_sockets;
static int calls, got_fd;
static size_t got_which;
static char got_why[256];

static void on_done(void *data MX_UNUSED, int fd, size_t which, const char *why)
{
	calls++;
	got_fd = fd;
	got_which = which;
	snprintf(got_why, sizeof(got_why), "%s", why);
	loop_stop(rig.loop);
}

static int keep(int fd)
{
	ck_assert_int_ge(fd, 0);
	sockets[n_sockets++] = fd;
	return fd;
}

static int bound(struct endpoint *e)
{
	struct sockaddr_storage sa;
	int fd = keep(socket(AF_INET, SOCK_STREAM, 0));
	*e = (struct endpoint){0};
	inet_parse(SLICE("127.0.0.1"), &e->addr);
	socklen_t n = endpoint_to_sockaddr(e, &sa);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, n), 0);
	n = sizeof(sa);
	getsockname(fd, (struct sockaddr *)&sa, &n);
	endpoint_from_sockaddr((struct sockaddr *)&sa, e);
	return fd;
}

static int listening(struct endpoint *e)
{
	int fd = bound(e);
	ck_assert_int_eq(listen(fd, 5), 0);
	return fd;
}

static void silent(struct endpoint *e)
{
	struct sockaddr_storage sa;
	int fd = bound(e);
	socklen_t n = endpoint_to_sockaddr(e, &sa);
	ck_assert_int_eq(listen(fd, 0), 0);
	for (int i = 0; i < 4; i++)
		connect(keep(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)),
			(struct sockaddr *)&sa, n);
}

static struct connector *start(size_t n, int64_t timeout_ms, int64_t stagger_ms)
{
	struct connect_options o = {.to = to,
				    .n = n,
				    .timeout_ms = timeout_ms,
				    .stagger_ms = stagger_ms};
	calls = 0;
	got_fd = -2;
	return connector_start(rig.loop, &o, on_done, NULL);
}

static void run(size_t n, int64_t timeout_ms, int64_t stagger_ms)
{
	start(n, timeout_ms, stagger_ms);
	ck_assert_int_eq(calls, 0); /* never within the call */
	while (calls == 0)
		loop_run(rig.loop);
}

static void close_all(void)
{
	if (got_fd >= 0)
		close(got_fd);
	rig_close(&rig);
	ck_assert_int_le(calls, 1);
	while (n_sockets > 0)
		close(sockets[--n_sockets]);
}

static void check_why(const struct endpoint *e, const char *words)
{
	char text[INET_TEXT_MAX];
	endpoint_format(e, text);
	ck_assert_int_eq(got_fd, -1);
	ck_assert_msg(strstr(got_why, text) != NULL, "'%s' lacks %s", got_why,
		      text);
	ck_assert_msg(strstr(got_why, words) != NULL, "'%s' lacks %s", got_why,
		      words);
}

START_TEST(connector__gives_a_socket_that_a_stream_takes)
{
	rig_open(&rig);
	int at = listening(&to[0]);
	run(1, 5000, _i ? 100 : 0);
	ck_assert_int_ge(got_fd, 0);
	ck_assert_int_ne(fcntl(got_fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(got_fd, F_GETFD) & FD_CLOEXEC, 0);
	struct witness w;
	witness_open(&w, &rig, got_fd);
	got_fd = -1;
	int peer = accept(at, NULL, NULL);
	ck_assert_int_eq(write(peer, "220 hello", 9), 9);
	witness_until(&w, "data(220 hello)");
	close(peer);
	witness_done(&w);
	close_all();
}
END_TEST

/* DNS-15 */
START_TEST(connector__takes_the_next_address_when_one_refuses)
{
	rig_open(&rig);
	bound(&to[0]);
	bound(&to[1]);
	listening(&to[2]);
	listening(&to[3]);
	run(4, 5000, _i ? 60000 : 0);
	ck_assert_int_ge(got_fd, 0);
	ck_assert_uint_eq(got_which, 2);
	close_all();
}
END_TEST

START_TEST(connector__says_why_the_last_one_failed)
{
	rig_open(&rig);
	bound(&to[0]);
	bound(&to[1]);
	run(2, 5000, 0);
	check_why(&to[1], "Connection refused");
	close_all();
}
END_TEST

START_TEST(connector__gives_up_an_address_at_its_deadline)
{
	rig_open(&rig);
	silent(&to[0]);
	run(1, 10, 0);
	check_why(&to[0], "no answer in time");
	close_all();
}
END_TEST

START_TEST(connector__goes_on_after_a_deadline)
{
	rig_open(&rig);
	silent(&to[0]);
	listening(&to[1]);
	run(2, 10, 0);
	ck_assert_int_ge(got_fd, 0);
	ck_assert_uint_eq(got_which, 1);
	close_all();
}
END_TEST

/* DNS-15: With a deadline far away only the stagger can have started the
 * second. */
START_TEST(connector__does_not_wait_for_a_silent_address)
{
	rig_open(&rig);
	silent(&to[0]);
	silent(&to[1]);
	listening(&to[2]);
	run(3, 60000, 5);
	ck_assert_int_ge(got_fd, 0);
	ck_assert_uint_eq(got_which, 2);
	close_all();
}
END_TEST

START_TEST(connector__prefers_the_first_address)
{
	rig_open(&rig);
	for (int i = 0; i < 8; i++)
		listening(&to[i]);
	run(8, 5000, 50);
	ck_assert_uint_eq(got_which, 0);
	close_all();
}
END_TEST

START_TEST(connector__fails_without_an_address)
{
	rig_open(&rig);
	run(0, 5000, 0);
	ck_assert_int_eq(got_fd, -1);
	ck_assert_str_ne(got_why, "");
	close_all();
}
END_TEST

START_TEST(connector__is_silent_once_cancelled)
{
	rig_open(&rig);
	silent(&to[0]);
	silent(&to[1]);
	struct connector *c = start(2, 60000, 1);
	if (_i)
		rig_settle(&rig);
	connector_cancel(c);
	connector_cancel(NULL);
	rig_settle(&rig);
	ck_assert_int_eq(calls, 0);
	close_all();
}
END_TEST

static void run_from(const char *address, size_t n)
{
	struct inet_addr source;
	ck_assert_int_eq(inet_parse(slice_str(address), &source), 0);
	struct connect_options o = {
		.to = to, .n = n, .source = &source, .timeout_ms = 5000};
	calls = 0;
	connector_start(rig.loop, &o, on_done, NULL);
	while (calls == 0)
		loop_run(rig.loop);
}

START_TEST(connector__comes_from_the_address_asked_for)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);
	struct endpoint e;
	rig_open(&rig);
	int at = listening(&to[0]);
	run_from("127.0.0.9", 1);
	ck_assert_int_ge(got_fd, 0);
	int peer = keep(accept(at, (struct sockaddr *)&sa, &n));
	ck_assert_int_ge(peer, 0);
	endpoint_from_sockaddr((struct sockaddr *)&sa, &e);
	char text[INET_TEXT_MAX];
	inet_format(&e.addr, text);
	ck_assert_str_eq(text, "127.0.0.9");
	close_all();
}
END_TEST

START_TEST(connector__passes_over_addresses_of_the_other_family)
{
	rig_open(&rig);
	endpoint_parse(SLICE("[::1]:25"), &to[0]);
	listening(&to[1]);
	run_from("127.0.0.1", 2);
	ck_assert_int_ge(got_fd, 0);
	ck_assert_uint_eq(got_which, 1);
	close_all();
}
END_TEST

START_TEST(connector__fails_with_an_address_that_is_not_ours)
{
	rig_open(&rig);
	listening(&to[0]);
	run_from("192.0.2.1", 1);
	check_why(&to[0], "Cannot assign requested address");
	close_all();
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"connector",
		TWICE(connector__gives_a_socket_that_a_stream_takes),
		TWICE(connector__takes_the_next_address_when_one_refuses),
		TEST(connector__says_why_the_last_one_failed),
		TEST(connector__gives_up_an_address_at_its_deadline),
		TEST(connector__goes_on_after_a_deadline),
		TEST(connector__does_not_wait_for_a_silent_address),
		TEST(connector__prefers_the_first_address),
		TEST(connector__fails_without_an_address),
		TWICE(connector__is_silent_once_cancelled),
		TEST(connector__comes_from_the_address_asked_for),
		TEST(connector__passes_over_addresses_of_the_other_family),
		TEST(connector__fails_with_an_address_that_is_not_ours));
}
