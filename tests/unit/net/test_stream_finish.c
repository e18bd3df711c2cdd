/* The orderly end: the last reply must arrive, whatever the peer does. */
#include <sys/socket.h>
#include <unistd.h>

#include "mxhold/base/mem.h"
#include "unit/net/rig.h"
#include "unit/net/twice.h"

static struct rig rig;
static struct witness w;
static int fd[2];

static void open_pair(void (*pair)(int[2]))
{
	rig_open(&rig);
	pair(fd);
	witness_open(&w, &rig, fd[0]);
}

/* loop_free returns only when the stream has ended. */
static void close_all(void)
{
	witness_done(&w);
	rig_close(&rig);
	close(fd[1]);
}

static void finish(void)
{
	stream_finish(w.s);
	w.s = NULL;
}

START_TEST(finish__sends_what_is_queued_and_then_the_end)
{
	char got[64] = "";
	open_pair(_i ? pair_tcp : pair_unix);
	stream_write(w.s, SLICE("221 bye"));
	finish();
	rig_settle(&rig);
	ck_assert_uint_eq(read_all(fd[1], got, sizeof(got)), 7); /* then EOF */
	ck_assert_str_eq(got, "221 bye");
	close(fd[1]);
	fd[1] = -1;
	close_all();
	ck_assert_uint_eq(w.story.n, 0); /* no upcall came */
}
END_TEST

/* Closing with unread input would make the system send a reset, and the reply
 * could be lost with it (RFC 2525 2.17). */
START_TEST(finish__reaches_a_peer_that_is_still_sending)
{
	static char block[1 << 16], got[64];
	open_pair(pair_tcp);
	stream_pause(w.s);
	set_blocking(fd[1], false);
	while (write(fd[1], block, sizeof(block)) > 0)
		;
	stream_write(w.s, SLICE("552 too much"));
	finish();
	rig_settle(&rig);
	/* more comes after the end: it is read and dropped, not reset */
	for (int i = 0; i < 50; i++) {
		ck_assert(write(fd[1], block, sizeof(block)) > 0);
		rig_settle(&rig);
	}
	set_blocking(fd[1], true);
	ck_assert_uint_eq(read_all(fd[1], got, sizeof(got)), 12);
	ck_assert_str_eq(got, "552 too much");
	close(fd[1]);
	fd[1] = -1;
	close_all();
}
END_TEST

START_TEST(finish__writes_a_long_queue_to_the_end)
{
	enum {
		N = 400000
	};
	char *block = mem_alloc(N), *got = mem_alloc(N + 1);
	open_pair(pair_tcp);
	small_send_buffer(fd[0]);
	memset(block, 'x', N);
	stream_write(w.s, slice_make(block, N));
	finish();
	set_blocking(fd[1], false);
	size_t n = 0;
	for (ssize_t more = 1; more != 0;) {
		more = read(fd[1], got + n, N + 1 - n);
		if (more > 0)
			n += (size_t)more;
		else
			rig_settle(&rig);
	}
	ck_assert_uint_eq(n, N);
	mem_free(block);
	mem_free(got);
	close(fd[1]);
	fd[1] = -1;
	close_all();
}
END_TEST

static const enum rig_event events[] = {RIG_DATA, RIG_DRAINED, RIG_END};

START_TEST(finish__may_be_asked_within_any_upcall)
{
	char got[16] = "";
	open_pair(pair_tcp);
	w.finish_at = events[_i];
	w.echo = true;
	ck_assert_int_eq(write(fd[1], "abc", 3), 3);
	shutdown(fd[1], SHUT_WR);
	while (w.s)
		loop_run(rig.loop);
	rig_settle(&rig);
	ck_assert_uint_eq(read_all(fd[1], got, sizeof(got)), 3);
	ck_assert_str_eq(got, "abc");
	close_all();
}
END_TEST

START_TEST(finish__gives_up_a_connection_that_is_broken)
{
	struct linger l = {1, 0};
	open_pair(pair_tcp);
	setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd[1]);
	fd[1] = -1;
	if (_i)
		witness_until(&w, "end(error)");
	stream_write(w.s, SLICE("hello?"));
	finish();
	close_all(); /* comes back */
}
END_TEST

START_TEST(finish__ends_a_connection_after_its_deadline)
{
	char got[16] = "";
	open_pair(pair_tcp);
	stream_deadline(w.s, 1);
	witness_until(&w, "end(timeout)");
	finish();
	rig_settle(&rig);
	ck_assert_uint_eq(read_all(fd[1], got, sizeof(got)), 0);
	close(fd[1]);
	fd[1] = -1;
	close_all();
}
END_TEST

/* The peer neither reads nor hangs up: two limits of seconds, then it ends. */
START_TEST(finish__does_not_wait_for_ever)
{
	static char block[1 << 20];
	open_pair(pair_tcp);
	if (_i) {
		small_send_buffer(fd[0]);
		stream_write(w.s, slice_make(block, sizeof(block)));
	}
	finish();
	close_all();
}
END_TEST

int main(void)
{
	return RUN_TESTS("finish",
			 TWICE(finish__sends_what_is_queued_and_then_the_end),
			 TEST(finish__reaches_a_peer_that_is_still_sending),
			 TEST(finish__writes_a_long_queue_to_the_end),
			 LOOP(finish__may_be_asked_within_any_upcall, events),
			 TWICE(finish__gives_up_a_connection_that_is_broken),
			 TEST(finish__ends_a_connection_after_its_deadline),
			 TWICE(finish__does_not_wait_for_ever));
}
