#include "mxhold/net/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop_internal.h"
#include "unit/net/rig.h"
#include "unit/net/twice.h"

enum {
	FDS_MAX = 256
};

static struct rig rig;
static struct listener *l;
static struct error err;
static int accepted[FDS_MAX], n_accepted, stop_at;
static struct endpoint last_peer;
static bool close_within, pause_within;

static void on_accept(void *data MX_UNUSED, int fd, const struct endpoint *peer)
{
	accepted[n_accepted++] = fd;
	last_peer = *peer;
	if (close_within) {
		listener_close(l);
		l = NULL;
	}
	if (pause_within)
		listener_pause(l);
	if (n_accepted >= stop_at)
		loop_stop(rig.loop);
}

static void until_accepted(int n)
{
	stop_at = n;
	while (n_accepted < n)
		loop_run(rig.loop);
}

static void close_all(void)
{
	listener_close(l);
	while (n_accepted > 0)
		close(accepted[--n_accepted]);
	rig_close(&rig);
}

static void open_at(const char *text)
{
	struct endpoint at;
	rig_open(&rig);
	ck_assert_int_eq(endpoint_parse(slice_str(text), &at), 0);
	l = listener_open(rig.loop, &at, on_accept, NULL, &err);
	ck_assert_msg(l != NULL, "%s", err.text);
}

static int connect_to(const struct endpoint *at)
{
	struct sockaddr_storage sa;
	socklen_t n = endpoint_to_sockaddr(at, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&sa, n) == 0)
		return fd;
	close(fd);
	return -1;
}

static int connect_here(void)
{
	struct endpoint at;
	ck_assert_int_eq(listener_address(l, &at), 0);
	int fd = connect_to(&at);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static const char *const addresses[] = {"127.0.0.1:0", "[::1]:0", "0.0.0.0:0"};

START_TEST(listener__gives_out_descriptors_that_are_ready_for_a_loop)
{
	int on = 0;
	socklen_t n = sizeof(on);
	open_at(addresses[_i]);
	int fd = _i == 2 ? -1 : connect_here();
	if (_i == 2) {
		struct endpoint at;
		listener_address(l, &at);
		inet_parse(SLICE("127.0.0.1"), &at.addr);
		fd = connect_to(&at);
	}
	until_accepted(1);
	ck_assert_int_ne(fcntl(accepted[0], F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(accepted[0], F_GETFD) & FD_CLOEXEC, 0);
	getsockopt(accepted[0], IPPROTO_TCP, TCP_NODELAY, &on, &n);
	ck_assert_int_eq(on, 1);
	struct sockaddr_storage sa;
	struct endpoint mine;
	n = sizeof(sa);
	getsockname(fd, (struct sockaddr *)&sa, &n);
	endpoint_from_sockaddr((struct sockaddr *)&sa, &mine);
	ck_assert(inet_eq(&mine.addr, &last_peer.addr));
	ck_assert_uint_eq(mine.port, last_peer.port);
	close(fd);
	close_all();
}
END_TEST

START_TEST(listener__binds_both_families_to_one_port)
{
	struct endpoint at;
	open_at("0.0.0.0:0");
	ck_assert_int_eq(listener_address(l, &at), 0);
	inet_parse(SLICE("::"), &at.addr);
	struct listener *six =
		listener_open(rig.loop, &at, on_accept, NULL, &err);
	ck_assert_msg(six != NULL, "%s", err.text);
	listener_close(six);
	close_all();
}
END_TEST

START_TEST(listener__says_why_it_cannot_bind)
{
	struct endpoint at;
	char text[INET_TEXT_MAX];
	open_at("127.0.0.1:0");
	ck_assert_int_eq(listener_address(l, &at), 0);
	ck_assert_ptr_null(listener_open(rig.loop, &at, on_accept, NULL, &err));
	endpoint_format(&at, text);
	ck_assert_ptr_nonnull(strstr(err.text, text));
	ck_assert_ptr_nonnull(strstr(err.text, "Address already in use"));
	close_all();
}
END_TEST

START_TEST(listener__frees_its_port_when_closed)
{
	struct endpoint at;
	open_at("127.0.0.1:0");
	ck_assert_int_eq(listener_address(l, &at), 0);
	int fd = connect_here();
	until_accepted(1);
	listener_close(l);
	ck_assert_int_eq(connect_to(&at), -1);
	l = listener_open(rig.loop, &at, on_accept, NULL, &err);
	ck_assert_msg(l != NULL, "%s", err.text);
	close(fd);
	close_all();
}
END_TEST

START_TEST(listener__accepts_more_than_one_burst)
{
	int fds[100];
	open_at("127.0.0.1:0");
	for (int i = 0; i < 100; i++)
		fds[i] = connect_here();
	until_accepted(100);
	for (int i = 0; i < 100; i++)
		close(fds[i]);
	close_all();
}
END_TEST

START_TEST(listener__accepts_nothing_while_paused)
{
	open_at("127.0.0.1:0");
	listener_pause(l);
	int fd = connect_here();
	rig_settle(&rig);
	ck_assert_int_eq(n_accepted, 0);
	listener_resume(l);
	until_accepted(1);
	close(fd);
	close_all();
}
END_TEST

START_TEST(listener__stops_within_a_burst_when_paused_or_closed)
{
	int a, b;
	open_at("127.0.0.1:0");
	a = connect_here();
	b = connect_here();
	close_within = _i;
	pause_within = !_i;
	until_accepted(1);
	rig_settle(&rig);
	ck_assert_int_eq(n_accepted, 1);
	close(a);
	close(b);
	close_all();
}
END_TEST

/* ---- out of descriptors ---- */

static int turns;

static void on_turn(uv_check_t *h MX_UNUSED)
{
	turns++;
}

/* The peers wait in the kernel's queue; the loop lives on, without spinning,
 * and accepts them when there is room again. */
START_TEST(listener__waits_when_descriptors_run_out)
{
	struct rlimit limit;
	int spare[FDS_MAX], n = 0;
	open_at("127.0.0.1:0");
	int a = connect_here(), b = connect_here();
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 64;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (n < FDS_MAX && (spare[n] = dup(a)) >= 0)
		n++;
	uv_check_t check;
	uv_check_init(&rig.loop->uv, &check);
	rig_settle(&rig);
	uv_check_start(&check, on_turn);
	rig_settle(&rig);
	ck_assert_int_lt(turns, 50);
	uv_close((uv_handle_t *)&check, NULL);
	ck_assert_int_eq(n_accepted, 0);
	close(spare[--n]);
	until_accepted(1);
	rig_settle(&rig);
	ck_assert_int_eq(n_accepted, 1);
	close(spare[--n]);
	until_accepted(2);
	while (n > 0)
		close(spare[--n]);
	close(a);
	close(b);
	close_all();
}
END_TEST

/* Who came when it was short still gets in; who comes when it still is hears
 * so, and the descriptor kept for that is there for the next one, too. */
START_TEST(listener__turns_peers_away_when_descriptors_stay_out)
{
	struct rlimit limit;
	int spare[FDS_MAX], peers[4], n = 0;
	char text[32];
	open_at("127.0.0.1:0");
	listener_say_when_short(l, "421 full\r\n");
	for (int i = 0; i < 4; i++)
		peers[i] = connect_here();
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 64;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (n < FDS_MAX && (spare[n] = dup(peers[0])) >= 0)
		n++;
	for (int i = 0; i < 4; i++) {
		ssize_t got;
		do {
			rig_settle(&rig);
			got = recv(peers[i], text, sizeof(text), MSG_DONTWAIT);
		} while (got < 0 && errno == EAGAIN);
		ck_assert_int_eq(got, 10);
		ck_assert_int_eq(memcmp(text, "421 full\r\n", 10), 0);
		ck_assert_int_eq(recv(peers[i], text, sizeof(text), 0), 0);
	}
	ck_assert_int_eq(n_accepted, 0);
	while (n > 0)
		close(spare[--n]);
	close(peers[0]);
	peers[0] = connect_here();
	until_accepted(1);
	for (int i = 0; i < 4; i++)
		close(peers[i]);
	close_all();
}
END_TEST

/* ---- unix ---- */

static char dir[] = "/tmp/mxhold-sock-XXXXXX", path[64];

static void open_path(mode_t mode)
{
	if (!path[0]) {
		ck_assert_ptr_nonnull(mkdtemp(dir));
		snprintf(path, sizeof(path), "%s/s", dir);
		rig_open(&rig);
	}
	l = listener_open_unix(rig.loop, path, mode, getgid(), on_accept, NULL,
			       &err);
}

static int connect_path(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static const mode_t modes[] = {0600, 0660, 0666};

START_TEST(unix_listener__has_the_mode_asked_for_and_goes_when_closed)
{
	struct stat st;
	open_path(modes[_i]);
	ck_assert_msg(l != NULL, "%s", err.text);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, modes[_i]);
	int fd = connect_path();
	until_accepted(1);
	ck_assert_uint_eq(last_peer.addr.family, 0);
	ck_assert_int_eq(listener_address(l, &last_peer), -1);
	close(fd);
	close_all();
	ck_assert_int_eq(access(path, F_OK), -1);
	rmdir(dir);
}
END_TEST

/* A crash leaves the socket behind; the next one takes its place, and the old
 * one, closed late, does not take it away again. */
START_TEST(unix_listener__replaces_an_old_socket)
{
	open_path(0600);
	struct listener *old = l;
	open_path(0600);
	ck_assert_msg(l != NULL, "%s", err.text);
	listener_close(old);
	int fd = connect_path();
	until_accepted(1);
	close(fd);
	close_all();
	rmdir(dir);
}
END_TEST

START_TEST(unix_listener__does_not_replace_a_file)
{
	open_path(0600);
	listener_close(l);
	FILE *f = fopen(path, "w");
	fclose(f);
	open_path(0600);
	ck_assert_ptr_null(l);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	ck_assert_int_eq(unlink(path), 0);
	close_all();
	rmdir(dir);
}
END_TEST

START_TEST(unix_listener__refuses_a_path_that_is_too_long)
{
	char name[200];
	rig_open(&rig);
	memset(name, 'a', sizeof(name));
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	ck_assert_ptr_null(listener_open_unix(rig.loop, name, 0600, (gid_t)-1,
					      on_accept, NULL, &err));
	close_all();
}
END_TEST

/* ---- inherited ---- */

START_TEST(inherited_listener__accepts_and_leaves_the_socket_alive)
{
	struct endpoint at;
	open_at("127.0.0.1:0");
	listener_address(l, &at);
	listener_close(l);
	struct sockaddr_storage sa;
	socklen_t n = endpoint_to_sockaddr(&at, &sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, n), 0);
	ck_assert_int_eq(listen(fd, 5), 0);
	int systemds = dup(fd);
	l = listener_inherit(rig.loop, fd, on_accept, NULL, &err);
	ck_assert_msg(l != NULL, "%s", err.text);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	int a = connect_here();
	until_accepted(1);
	listener_close(l);
	l = NULL;
	int b = connect_to(&at); /* systemd still listens with its own */
	ck_assert_int_ge(b, 0);
	close(a);
	close(b);
	close(systemds);
	close_all();
}
END_TEST

START_TEST(inherited_listener__refuses_what_does_not_listen)
{
	int fd[2], p[2];
	rig_open(&rig);
	pair_tcp(fd);
	ck_assert_int_eq(pipe(p), 0);
	int udp = socket(AF_INET, SOCK_DGRAM, 0);
	int idle = socket(AF_INET, SOCK_STREAM, 0);
	const int bad[] = {fd[0], p[0], udp, idle, 9999};
	for (size_t i = 0; i < MX_ARRAY_SIZE(bad); i++)
		ck_assert_ptr_null(listener_inherit(rig.loop, bad[i], on_accept,
						    NULL, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "9999"));
	ck_assert_int_eq(close(idle), 0); /* still the caller's */
	close(fd[0]);
	close(fd[1]);
	close(p[0]);
	close(p[1]);
	close(udp);
	close_all();
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"listener",
		LOOP(listener__gives_out_descriptors_that_are_ready_for_a_loop,
		     addresses),
		TEST(listener__binds_both_families_to_one_port),
		TEST(listener__says_why_it_cannot_bind),
		TEST(listener__frees_its_port_when_closed),
		TEST(listener__accepts_more_than_one_burst),
		TEST(listener__accepts_nothing_while_paused),
		TWICE(listener__stops_within_a_burst_when_paused_or_closed),
		TEST(listener__waits_when_descriptors_run_out),
		TEST(listener__turns_peers_away_when_descriptors_stay_out),
		LOOP(unix_listener__has_the_mode_asked_for_and_goes_when_closed,
		     modes),
		TEST(unix_listener__replaces_an_old_socket),
		TEST(unix_listener__does_not_replace_a_file),
		TEST(unix_listener__refuses_a_path_that_is_too_long),
		TEST(inherited_listener__accepts_and_leaves_the_socket_alive),
		TEST(inherited_listener__refuses_what_does_not_listen));
}
