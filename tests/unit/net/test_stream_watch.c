/* A stream whose peer's system falls silent, or only its program. */
#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mxhold/base/mem.h"
#include "unit/net/rig.h"

static struct rig rig;
static struct witness w;
static int fd[2]; /* [1] is the test's own, blocking */

static void open_pair(void)
{
	rig_open(&rig);
	pair_tcp(fd);
	witness_open(&w, &rig, fd[0]);
}

static void close_all(void)
{
	witness_done(&w);
	rig_close(&rig);
	close(fd[1]);
}

/* As a line that is cut: what comes is dropped before TCP sees it. */
static void cut_off(int s)
{
	struct sock_filter nothing = {BPF_RET | BPF_K, 0, 0, 0};
	struct sock_fprog all = {1, &nothing};
	ck_assert_int_eq(
		setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &all, sizeof(all)),
		0);
}

static void stop_loop(void *data)
{
	*(bool *)data = true;
	loop_stop(rig.loop);
}

static void run_for(int64_t ms)
{
	bool fired = false;
	struct timer *t = timer_new(rig.loop, stop_loop, &fired);
	timer_start(t, ms);
	while (!fired)
		loop_run(rig.loop);
	timer_free(t);
}

START_TEST(stream_watch__ends_when_nothing_is_acknowledged)
{
	open_pair();
	stream_watch(w.s, 100);
	cut_off(fd[1]);
	stream_write(w.s, SLICE("MAIL FROM:<>\r\n"));
	witness_until(&w, "end(error)");
	ck_assert_str_eq(w.why, "nothing is acknowledged any more");
	close_all();
}
END_TEST

static void hear_again(int s)
{
	int unused = 0;
	ck_assert_int_eq(setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, &unused,
				    sizeof(unused)),
			 0);
}

/* Else the system would send it all the same when the line is back. */
START_TEST(stream_watch__takes_back_what_was_not_acknowledged)
{
	char got[16];
	open_pair();
	stream_watch(w.s, 100);
	cut_off(fd[1]);
	stream_write(w.s, SLICE(".\r\n"));
	witness_until(&w, "end(error)");
	hear_again(fd[1]);
	witness_done(&w);
	ck_assert_int_eq(read(fd[1], got, sizeof(got)), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	rig_close(&rig);
	close(fd[1]);
}
END_TEST

START_TEST(stream_watch__ends_when_no_probe_is_answered)
{
	open_pair();
	stream_watch(w.s, 1000);
	stream_write(w.s, SLICE("MAIL FROM:<>\r\n"));
	witness_until(&w, "drained");
	run_for(50); /* until that is acknowledged */
	cut_off(fd[1]);
	witness_until(&w, "end(error)");
	ck_assert_str_eq(w.why, "read: connection timed out");
	close_all();
}
END_TEST

START_TEST(stream_watch__waits_for_a_peer_that_is_only_busy)
{
	char got[16] = "";
	open_pair();
	stream_watch(w.s, 40);
	stream_write(w.s, SLICE("DATA\r\n"));
	run_for(400);
	ck_assert_slice_eq(buf_slice(&w.story), "drained ");
	ck_assert_uint_eq(read_all(fd[1], got, 6), 6);
	close_all();
}
END_TEST

START_TEST(stream_watch__waits_for_a_peer_whose_window_is_closed)
{
	enum {
		N = 4 << 20
	};
	char *block = mem_alloc(N);
	open_pair();
	small_send_buffer(fd[0]);
	stream_watch(w.s, 40);
	stream_write(w.s, slice_make(block, N));
	run_for(1000);
	ck_assert_uint_gt(stream_queued(w.s), 0);
	ck_assert_uint_eq(w.story.n, 0);
	mem_free(block);
	close_all();
}
END_TEST

START_TEST(stream_watch__is_nothing_for_a_unix_socket)
{
	rig_open(&rig);
	pair_unix(fd);
	witness_open(&w, &rig, fd[0]);
	stream_watch(w.s, 1);
	run_for(10);
	ck_assert_uint_eq(w.story.n, 0);
	close_all();
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"stream_watch",
		TEST(stream_watch__ends_when_nothing_is_acknowledged),
		TEST(stream_watch__takes_back_what_was_not_acknowledged),
		TEST(stream_watch__ends_when_no_probe_is_answered),
		TEST(stream_watch__waits_for_a_peer_that_is_only_busy),
		TEST(stream_watch__waits_for_a_peer_whose_window_is_closed),
		TEST(stream_watch__is_nothing_for_a_unix_socket));
}
