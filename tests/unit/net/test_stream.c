/* A stream in clear, against a bare socket or another stream. */
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mxhold/base/mem.h"
#include "unit/net/rig.h"
#include "unit/net/twice.h"

static struct rig rig;
static struct witness w;
static int fd[2]; /* [1] is the test's own, blocking */

static void open_pair(void (*pair)(int[2]))
{
	rig_open(&rig);
	pair(fd);
	witness_open(&w, &rig, fd[0]);
}

static void close_all(void)
{
	witness_done(&w);
	rig_close(&rig);
	close(fd[1]);
}

static void send_str(const char *s)
{
	ck_assert_int_eq(write(fd[1], s, strlen(s)), (ssize_t)strlen(s));
}

static void reset_peer(void)
{
	struct linger l = {1, 0};
	setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd[1]);
	fd[1] = -1;
}

START_TEST(stream__gives_what_comes_and_writes_what_is_said)
{
	char got[16] = "";
	open_pair(_i ? pair_tcp : pair_unix);
	w.echo = true;
	send_str("hello");
	witness_until(&w, "drained");
	ck_assert_uint_eq(read_all(fd[1], got, 5), 5);
	ck_assert_str_eq(got, "hello");
	ck_assert_slice_eq(buf_slice(&w.story), "data(hello) drained ");
	close_all();
}
END_TEST

static void write_three(struct witness *x, struct slice bytes MX_UNUSED)
{
	char c;
	stream_write(x->s, SLICE("one "));
	stream_write(x->s, SLICE("two "));
	stream_write(x->s, SLICE("three"));
	ck_assert_int_eq(recv(fd[1], &c, 1, MSG_DONTWAIT), -1);
	ck_assert_uint_eq(stream_queued(x->s), 13);
}

START_TEST(stream__sends_the_writes_of_one_turn_together)
{
	char got[64] = "";
	open_pair(pair_unix);
	w.also = write_three;
	send_str("x");
	witness_until(&w, "drained");
	ck_assert_int_eq(recv(fd[1], got, sizeof(got), 0), 13);
	ck_assert_str_eq(got, "one two three");
	/* one drained: they were one write, not three */
	ck_assert_slice_eq(buf_slice(&w.story), "data(x) drained ");
	close_all();
}
END_TEST

START_TEST(stream__keeps_what_the_owner_leaves_until_it_resumes)
{
	open_pair(pair_unix);
	w.take = 2;
	send_str("abcdef");
	witness_until(&w, "data(ab)");
	rig_settle(&rig);
	ck_assert_slice_eq(buf_slice(&w.got), "ab");
	ck_assert_uint_eq(stream_pending(w.s), 4);
	stream_resume(w.s);
	ck_assert_slice_eq(buf_slice(&w.got), "ab"); /* not within the call */
	witness_until(&w, "data(cd)");
	w.take = SIZE_MAX;
	stream_resume(w.s);
	witness_until(&w, "data(ef)");
	ck_assert_uint_eq(stream_pending(w.s), 0);
	send_str("gh");
	witness_until(&w, "data(gh)");
	ck_assert_slice_eq(buf_slice(&w.got), "abcdefgh");
	close_all();
}
END_TEST

static void resume_always(struct witness *x, struct slice bytes MX_UNUSED)
{
	stream_resume(x->s);
}

START_TEST(stream__asks_again_when_resumed_within_the_upcall)
{
	open_pair(pair_unix);
	w.take = 1;
	w.also = resume_always;
	send_str("abcdef");
	witness_until_got(&w, 6);
	ck_assert_slice_eq(buf_slice(&w.got), "abcdef");
	ck_assert_uint_eq(w.deepest, 1);
	close_all();
}
END_TEST

static void pause_resume(struct witness *x, struct slice bytes MX_UNUSED)
{
	stream_pause(x->s);
	stream_resume(x->s);
	stream_resume(x->s);
}

START_TEST(stream__gives_every_byte_once_however_the_owner_dithers)
{
	char sent[50000];
	open_pair(pair_tcp);
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (char)(i * 31 >> 3);
	w.take = 777;
	w.brief = true;
	w.also = pause_resume;
	ck_assert_int_eq(write(fd[1], sent, sizeof(sent)), sizeof(sent));
	witness_until_got(&w, sizeof(sent));
	rig_settle(&rig);
	ck_assert_uint_eq(w.got.n, sizeof(sent));
	ck_assert_mem_eq(buf_slice(&w.got).p, sent, sizeof(sent));
	close_all();
}
END_TEST

/* An owner that resumes without taking anything must not hold the loop. */
START_TEST(stream__lets_the_loop_live_with_an_owner_that_takes_nothing)
{
	open_pair(pair_unix);
	w.take = 0;
	w.brief = true;
	w.also = resume_always;
	send_str("abc");
	rig_settle(&rig);
	ck_assert_uint_gt(w.calls, 0);
	w.take = SIZE_MAX;
	witness_until_got(&w, 3);
	ck_assert_slice_eq(buf_slice(&w.got), "abc");
	close_all();
}
END_TEST

START_TEST(stream__gives_nothing_while_paused)
{
	open_pair(pair_unix);
	stream_pause(w.s);
	send_str("abc");
	rig_settle(&rig);
	ck_assert_uint_eq(w.calls, 0);
	ck_assert_uint_eq(stream_pending(w.s), 3);
	send_str("def");
	rig_settle(&rig);
	ck_assert_uint_eq(stream_pending(w.s),
			  3); /* the rest is the kernel's */
	stream_resume(w.s);
	witness_until_got(&w, 6);
	ck_assert_slice_eq(buf_slice(&w.got), "abcdef");
	close_all();
}
END_TEST

START_TEST(stream__stops_a_peer_that_sends_more_than_the_owner_takes)
{
	static char block[1 << 16];
	open_pair(pair_tcp);
	stream_pause(w.s);
	set_blocking(fd[1], false);
	size_t sent = 0;
	for (;;) {
		ssize_t n = write(fd[1], block, sizeof(block));
		if (n > 0) {
			sent += (size_t)n;
			rig_settle(&rig);
			ck_assert_uint_le(stream_pending(w.s), 1 << 16);
			continue;
		}
		rig_settle(&rig);
		if (write(fd[1], block, 1) < 0)
			break;
		sent++;
	}
	w.brief = true;
	stream_resume(w.s);
	witness_until_got(&w, sent);
	ck_assert_uint_eq(w.got.n, sent);
	close_all();
}
END_TEST

START_TEST(stream__queues_what_the_peer_does_not_read_and_tells_when_it_has)
{
	enum {
		N = 3 * 1000 * 1000
	};
	char *block = mem_alloc(N), *got = mem_alloc(N);
	open_pair(pair_tcp);
	small_send_buffer(fd[0]);
	for (size_t i = 0; i < N; i++)
		block[i] = (char)(i * 7 >> 5);
	for (size_t at = 0; at < N; at += 1000)
		stream_write(w.s, slice_make(block + at, 1000));
	rig_settle(&rig);
	ck_assert_uint_gt(stream_queued(w.s), 0);
	ck_assert_uint_eq(w.story.n, 0);
	set_blocking(fd[1], false);
	size_t n = 0;
	while (n < N) {
		ssize_t more = read(fd[1], got + n, N - n);
		if (more > 0)
			n += (size_t)more;
		else
			rig_settle(&rig);
	}
	ck_assert_mem_eq(got, block, N);
	witness_until(&w, "drained");
	ck_assert_uint_eq(stream_queued(w.s), 0);
	mem_free(block);
	mem_free(got);
	close_all();
}
END_TEST

START_TEST(stream__tells_the_end_after_the_last_bytes)
{
	open_pair(_i ? pair_tcp : pair_unix);
	send_str("bye");
	shutdown(fd[1], SHUT_WR);
	witness_until(&w, "end");
	ck_assert_slice_eq(buf_slice(&w.story), "data(bye) end(eof) ");
	close_all();
}
END_TEST

START_TEST(stream__tells_the_end_only_when_the_owner_has_taken_all)
{
	open_pair(pair_unix);
	w.take = 1;
	send_str("ab");
	witness_until(&w, "data(a)");
	shutdown(fd[1], SHUT_WR);
	rig_settle(&rig);
	ck_assert_slice_eq(buf_slice(&w.story), "data(a) ");
	stream_resume(w.s);
	witness_until(&w, "end");
	ck_assert_slice_eq(buf_slice(&w.story), "data(a) data(b) end(eof) ");
	close_all();
}
END_TEST

/* A client that shuts down its side after QUIT still waits for the reply. */
START_TEST(stream__does_not_tell_the_end_to_an_owner_that_is_busy)
{
	char got[16] = "";
	open_pair(pair_tcp);
	stream_pause(w.s);
	shutdown(fd[1], SHUT_WR);
	rig_settle(&rig);
	ck_assert_uint_eq(w.story.n, 0);
	stream_resume(w.s);
	witness_until(&w, "end(eof)");
	stream_write(w.s, SLICE("250 kept"));
	witness_until(&w, "drained");
	ck_assert_uint_eq(read_all(fd[1], got, 8), 8);
	ck_assert_str_eq(got, "250 kept");
	close_all();
}
END_TEST

START_TEST(stream__tells_a_reset)
{
	open_pair(pair_tcp);
	reset_peer();
	witness_until(&w, "end(error)");
	ck_assert_str_eq(w.why, "read: connection reset by peer");
	stream_write(w.s, SLICE("nobody hears")); /* ignored */
	ck_assert_uint_eq(stream_queued(w.s), 0);
	close_all();
}
END_TEST

/* The peer says its last words and hangs up; what we write meanwhile breaks
 * the connection, but must not hide the words. */
START_TEST(stream__gives_the_last_words_of_a_peer_that_does_not_listen)
{
	open_pair(pair_unix);
	send_str("421 too much");
	close(fd[1]);
	fd[1] = -1;
	stream_write(w.s, SLICE("MAIL FROM:<>"));
	witness_until(&w, "end");
	ck_assert_slice_eq(buf_slice(&w.story),
			   "data(421 too much) end(error) ");
	close_all();
}
END_TEST

START_TEST(stream__ends_when_its_deadline_passes)
{
	open_pair(pair_unix);
	stream_deadline(w.s, 5);
	witness_until(&w, "end");
	ck_assert_slice_eq(buf_slice(&w.story), "end(timeout) ");
	close_all();
}
END_TEST

START_TEST(stream__ends_at_its_deadline_also_with_bytes_waiting)
{
	open_pair(pair_unix);
	w.take = 1;
	send_str("abc");
	witness_until(&w, "data(a)");
	shutdown(fd[1], SHUT_WR);
	stream_deadline(w.s, 5);
	witness_until(&w, "end");
	ck_assert_slice_eq(buf_slice(&w.story), "data(a) end(timeout) ");
	close_all();
}
END_TEST

static void stop_loop(void *data)
{
	*(bool *)data = true;
	loop_stop(rig.loop);
}

/* Moved, shortened, switched off: in the order in which timers would fire. */
START_TEST(stream__moves_its_deadline_both_ways)
{
	bool fired = false;
	open_pair(pair_unix);
	struct timer *t = timer_new(rig.loop, stop_loop, &fired);
	stream_deadline(w.s, 1);
	stream_deadline(w.s, 60000);
	timer_start(t, 10);
	while (!fired)
		loop_run(rig.loop);
	ck_assert_uint_eq(w.story.n, 0);
	stream_deadline(w.s, 1);
	stream_deadline(w.s, 0);
	fired = false;
	timer_start(t, 10);
	while (!fired)
		loop_run(rig.loop);
	ck_assert_uint_eq(w.story.n, 0);
	stream_deadline(w.s, 60000);
	stream_deadline(w.s, 1);
	witness_until(&w, "end(timeout)");
	timer_free(t);
	close_all();
}
END_TEST

static const enum rig_event closing_events[] = {RIG_DATA, RIG_DRAINED, RIG_END};

START_TEST(stream__may_be_closed_within_any_upcall)
{
	open_pair(pair_tcp);
	w.close_at = closing_events[_i];
	w.echo = true;
	send_str("abc");
	shutdown(fd[1], SHUT_WR);
	while (w.s)
		loop_run(rig.loop);
	struct slice before = buf_slice(&w.story);
	rig_settle(&rig);
	ck_assert_uint_eq(w.story.n, before.n); /* nothing came after it */
	close_all();
}
END_TEST

START_TEST(stream__may_be_closed_with_a_write_in_flight)
{
	static char block[1 << 20];
	open_pair(pair_tcp);
	small_send_buffer(fd[0]);
	stream_write(w.s, slice_make(block, sizeof(block)));
	rig_settle(&rig);
	ck_assert_uint_gt(stream_queued(w.s), 0);
	stream_close(w.s);
	w.s = NULL;
	rig_settle(&rig);
	ck_assert_uint_eq(w.story.n, 0);
	close_all();
}
END_TEST

START_TEST(stream__may_be_closed_at_once)
{
	open_pair(pair_tcp);
	send_str("abc");
	stream_write(w.s, SLICE("def"));
	stream_deadline(w.s, 1);
	stream_close(w.s);
	w.s = NULL;
	rig_settle(&rig);
	ck_assert_uint_eq(w.story.n, 0);
	stream_close(NULL);
	close_all();
}
END_TEST

START_TEST(stream__refuses_what_is_no_stream_socket)
{
	struct error err;
	int p[2];
	rig_open(&rig);
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_ptr_null(stream_new(rig.loop, p[0], NULL, NULL, &err));
	ck_assert_int_eq(close(p[0]), -1); /* it was closed */
	close(p[1]);
	int dgram = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_ptr_null(stream_new(rig.loop, dgram, NULL, NULL, &err));
	ck_assert_int_eq(close(dgram), -1);
	rig_close(&rig);
}
END_TEST

START_TEST(stream__knows_both_addresses)
{
	struct endpoint local, peer;
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);
	open_pair(pair_tcp);
	ck_assert(stream_peer(w.s, &peer));
	ck_assert(stream_local(w.s, &local));
	struct endpoint want;
	getsockname(fd[1], (struct sockaddr *)&sa, &n);
	ck_assert(endpoint_from_sockaddr((struct sockaddr *)&sa, &want));
	ck_assert_uint_eq(peer.port, want.port);
	ck_assert(inet_eq(&peer.addr, &want.addr));
	reset_peer();
	witness_until(&w, "end");
	ck_assert(stream_peer(w.s, &peer)); /* still */
	ck_assert_uint_eq(peer.port, want.port);
	uint32_t uid, gid;
	ck_assert_int_eq(stream_peer_uid(w.s, &uid, &gid), -1);
	close_all();
}
END_TEST

START_TEST(stream__knows_who_is_behind_a_unix_socket)
{
	uint32_t uid = 12345, gid = 12345;
	struct endpoint e;
	open_pair(pair_unix);
	ck_assert_int_eq(stream_peer_uid(w.s, &uid, &gid), 0);
	ck_assert_uint_eq(uid, getuid());
	ck_assert_uint_eq(gid, getgid());
	ck_assert(!stream_peer(w.s, &e));
	ck_assert(!stream_local(w.s, &e));
	close_all();
}
END_TEST

START_TEST(stream__echoes_between_two_streams)
{
	static char block[200000];
	struct witness other;
	open_pair(pair_tcp);
	int back = dup(fd[1]);
	set_blocking(back, false);
	witness_open(&other, &rig, back);
	w.echo = w.brief = other.brief = true;
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)(i % 251);
	stream_write(other.s, slice_make(block, sizeof(block)));
	witness_until_got(&other, sizeof(block));
	ck_assert_mem_eq(buf_slice(&other.got).p, block, sizeof(block));
	witness_done(&other);
	close_all();
}
END_TEST

START_TEST(stream__refuses_to_queue_without_memory)
{
	static char block[100000];
	open_pair(pair_unix);
	mem_fail_at(1);
	stream_write(w.s, slice_make(block, sizeof(block)));
	witness_until(&w, "end(error)");
	ck_assert_str_eq(w.why, "no memory for output");
	close_all();
}
END_TEST

START_TEST(stream__ends_without_memory_for_input)
{
	open_pair(pair_unix);
	w.take = 1;
	mem_fail_at(0);
	send_str("abcdefgh");
	stream_pause(w.s);
	mem_fail_at(1);
	witness_until(&w, "end(error)");
	ck_assert_str_eq(w.why, "no memory for input");
	close_all();
}
END_TEST

START_TEST(stream__dies_when_the_loop_is_freed_before_it)
{
	open_pair(pair_unix);
	loop_free(rig.loop);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"stream",
		TWICE(stream__gives_what_comes_and_writes_what_is_said),
		TEST(stream__sends_the_writes_of_one_turn_together),
		TEST(stream__keeps_what_the_owner_leaves_until_it_resumes),
		TEST(stream__asks_again_when_resumed_within_the_upcall),
		TEST(stream__gives_every_byte_once_however_the_owner_dithers),
		TEST(stream__lets_the_loop_live_with_an_owner_that_takes_nothing),
		TEST(stream__gives_nothing_while_paused),
		TEST(stream__stops_a_peer_that_sends_more_than_the_owner_takes),
		TEST(stream__queues_what_the_peer_does_not_read_and_tells_when_it_has),
		TWICE(stream__tells_the_end_after_the_last_bytes),
		TEST(stream__tells_the_end_only_when_the_owner_has_taken_all),
		TEST(stream__does_not_tell_the_end_to_an_owner_that_is_busy),
		TEST(stream__tells_a_reset),
		TEST(stream__gives_the_last_words_of_a_peer_that_does_not_listen),
		TEST(stream__ends_when_its_deadline_passes),
		TEST(stream__ends_at_its_deadline_also_with_bytes_waiting),
		TEST(stream__moves_its_deadline_both_ways),
		LOOP(stream__may_be_closed_within_any_upcall, closing_events),
		TEST(stream__may_be_closed_with_a_write_in_flight),
		TEST(stream__may_be_closed_at_once),
		TEST(stream__refuses_what_is_no_stream_socket),
		TEST(stream__knows_both_addresses),
		TEST(stream__knows_who_is_behind_a_unix_socket),
		TEST(stream__echoes_between_two_streams),
		TEST(stream__refuses_to_queue_without_memory),
		TEST(stream__ends_without_memory_for_input),
		DIES(stream__dies_when_the_loop_is_freed_before_it, SIGABRT));
}
