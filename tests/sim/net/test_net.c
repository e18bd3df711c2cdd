/* The simulated net keeps the promises of the real one. */
#include "mxhold/net/listener.h"
#include "mxhold/net/stream.h"
#include "mxhold/net/timer.h"
#include "unit/base/suite.h"
#include "wire.h"

enum {
	MANY = 300 * 1000
};

static const struct endpoint here = {{4, {10, 0, 0, 2}}, 25};

/* A stream of the daemon behind a listener, a bare wire calling it. */
struct rig {
	struct loop *loop;
	struct listener *listener;
	struct stream *stream;
	struct wire_end *wire;
	struct buf heard, told; /* by the stream; by the wire */
	size_t sent;
	size_t most; /* the stream takes so much at once; 0 = all */
	bool has_ended, was_reset;
	enum stream_end end;
};

static int64_t commit_us(void)
{
	return 1;
}

static const struct sim_world nobody = {.commit_us = commit_us};
const struct sim_world *sim_world = &nobody;

static size_t on_data(void *data, struct slice bytes)
{
	struct rig *r = data;

	if (r->most)
		bytes = slice_head(bytes, r->most);
	buf_append_slice(&r->heard, bytes);
	if (r->most)
		stream_resume(r->stream);
	return bytes.n;
}

static void on_end(void *data, enum stream_end how, const char *why)
{
	struct rig *r = data;

	(void)why;
	r->has_ended = true;
	r->end = how;
	loop_stop(r->loop);
}

static const struct stream_events stream_events = {
	.on_data = on_data,
	.on_end = on_end,
};

static void on_accept(void *data, int fd, const struct endpoint *peer)
{
	struct rig *r = data;

	(void)peer;
	r->stream = stream_new(r->loop, fd, &stream_events, r, NULL);
	loop_stop(r->loop);
}

static size_t on_bytes(void *owner, struct slice bytes)
{
	struct rig *r = owner;

	buf_append_slice(&r->told, bytes);
	return bytes.n;
}

static void send_more(void *owner)
{
	struct rig *r = owner;
	char bytes[1000];

	while (r->sent < MANY) {
		size_t some = MX_MIN(sizeof(bytes), MANY - r->sent), n;

		for (size_t i = 0; i < some; i++)
			bytes[i] = (char)((r->sent + i) % 251);
		n = wire_send(r->wire, slice_make(bytes, some));
		r->sent += n;
		if (n < some)
			return;
	}
	wire_shutdown(r->wire);
}

static void on_over(void *owner)
{
	struct rig *r = owner;

	r->was_reset = true;
	loop_stop(r->loop);
}

static const struct wire_events wire_events = {
	.on_bytes = on_bytes,
	.on_room = send_more,
	.on_eof = on_over,
	.on_reset = on_over,
};

static void open_rig_of(uint64_t seed, struct rig *r, size_t segment)
{
	struct wire_options o = {
		.latency_us = 1000, .segment = segment, .to = here};

	memset(r, 0, sizeof(*r));
	sim_begin(seed, 0, 0);
	buf_init(&r->heard, 2 * MANY);
	buf_init(&r->told, 2 * MANY);
	r->loop = loop_new(NULL);
	r->listener = listener_open(r->loop, &here, on_accept, r, NULL);
	ck_assert(wire_call(&o, &r->wire));
	wire_own(r->wire, NULL, &wire_events, r);
	loop_run(r->loop);
	ck_assert(r->stream);
}

static void open_rig(struct rig *r, size_t segment)
{
	open_rig_of(7, r, segment);
}

static void close_rig(struct rig *r, bool has_wire)
{
	if (has_wire) /* the first to be freed while the loop still turns */
		wire_close(r->wire);
	stream_close(r->stream);
	listener_close(r->listener);
	loop_free(r->loop);
	buf_done(&r->heard);
	buf_done(&r->told);
}

static const size_t segments[] = {0, 1, 1460, 20000};

START_TEST(sim_stream__survives_any_cut_of_a_long_text)
{
	struct rig r;
	struct slice all;

	open_rig(&r, segments[_i]);
	r.most = _i % 2 ? 777 : 0;
	send_more(&r);
	loop_run(r.loop);
	ck_assert_int_eq(r.end, STREAM_EOF);
	all = buf_slice(&r.heard);
	ck_assert_uint_eq(all.n, MANY);
	for (size_t i = 0; i < all.n; i++)
		ck_assert_int_eq((unsigned char)all.p[i], i % 251);
	close_rig(&r, true);
}
END_TEST

START_TEST(sim_stream__gives_all_bytes_before_the_eof)
{
	struct rig r;

	open_rig(&r, 100);
	wire_send(r.wire, SLICE("hello"));
	wire_shutdown(r.wire);
	loop_run(r.loop);
	ck_assert_int_eq(r.end, STREAM_EOF);
	ck_assert(slice_eq(buf_slice(&r.heard), SLICE("hello")));
	close_rig(&r, true);
}
END_TEST

START_TEST(sim_stream__holds_the_sender_back_while_its_owner_is_slow)
{
	struct rig r;

	open_rig(&r, 0);
	stream_pause(r.stream);
	send_more(&r);
	stream_deadline(r.stream, 60 * 1000);
	loop_run(r.loop);
	ck_assert_int_eq(r.end, STREAM_TIMEOUT);
	ck_assert_uint_le(r.sent, 2 * WIRE_WINDOW);
	ck_assert_uint_eq(r.heard.n, 0);
	close_rig(&r, true);
}
END_TEST

START_TEST(sim_stream__gives_as_much_as_is_taken)
{
	struct rig r;

	open_rig(&r, 30);
	r.most = 1;
	wire_send(r.wire, SLICE("octet by octet, whatever the segments"));
	wire_shutdown(r.wire);
	loop_run(r.loop);
	ck_assert(slice_eq(buf_slice(&r.heard),
			   SLICE("octet by octet, whatever the segments")));
	close_rig(&r, true);
}
END_TEST

START_TEST(sim_stream__hears_of_a_reset)
{
	struct rig r;

	open_rig(&r, 0);
	wire_reset(r.wire);
	loop_run(r.loop);
	ck_assert_int_eq(r.end, STREAM_ERROR);
	close_rig(&r, false);
}
END_TEST

START_TEST(sim_stream__hears_nothing_over_a_silent_wire)
{
	struct rig r;

	open_rig(&r, 0);
	wire_silence(r.wire);
	wire_send(r.wire, SLICE("lost"));
	stream_deadline(r.stream, 1000);
	loop_run(r.loop);
	ck_assert_int_eq(r.end, STREAM_TIMEOUT);
	ck_assert_uint_eq(r.heard.n, 0);
	close_rig(&r, true);
}
END_TEST

START_TEST(sim_stream__gives_up_a_silent_wire_that_it_watches)
{
	struct rig r;

	open_rig(&r, 0);
	stream_watch(r.stream, 20 * 1000);
	wire_silence(r.wire);
	loop_run(r.loop);
	ck_assert_int_eq(r.end, STREAM_ERROR);
	ck_assert_int_ge(sim_now_us(), 20 * 1000 * 1000);
	close_rig(&r, true);
}
END_TEST

START_TEST(sim_stream__finish_lets_the_last_words_through)
{
	struct rig r;

	open_rig(&r, 0);
	stream_write(r.stream, SLICE("bye"));
	stream_finish(r.stream);
	r.stream = NULL;
	loop_run(r.loop);
	ck_assert(slice_eq(buf_slice(&r.told), SLICE("bye")));
	close_rig(&r, true);
}
END_TEST

/* --- time ---------------------------------------------------------------- */

struct ticks {
	struct loop *loop;
	struct timer *timers[3];
	char order[8];
};

static void on_first(void *data)
{
	strcat(((struct ticks *)data)->order, "a");
}

static void on_second(void *data)
{
	strcat(((struct ticks *)data)->order, "b");
}

static void on_last(void *data)
{
	strcat(((struct ticks *)data)->order, "c");
	loop_stop(((struct ticks *)data)->loop);
}

START_TEST(sim_time__passes_only_from_one_event_to_the_next)
{
	struct ticks t = {.order = ""};

	sim_begin(1, 0, 1000);
	t.loop = loop_new(NULL);
	t.timers[0] = timer_new(t.loop, on_last, &t);
	t.timers[1] = timer_new(t.loop, on_first, &t);
	t.timers[2] = timer_new(t.loop, on_second, &t);
	timer_start(t.timers[0], 60LL * 86400 * 1000);
	timer_start(t.timers[1], 5);
	timer_start(t.timers[2], 5);
	loop_run(t.loop);
	ck_assert_str_eq(t.order, "abc");
	ck_assert_uint_eq(sim_count(), 3);
	ck_assert_int_eq(loop_now_ms(t.loop), 60LL * 86400 * 1000);
	for (int i = 0; i < 3; i++)
		timer_free(t.timers[i]);
	loop_free(t.loop);
}
END_TEST

static uint64_t hash_of(uint64_t seed)
{
	struct rig r;
	uint64_t hash;

	open_rig_of(seed, &r, 20);
	wire_send(r.wire, SLICE("the same seed, the same cuts"));
	wire_shutdown(r.wire);
	loop_run(r.loop);
	hash = sim_hash();
	close_rig(&r, true);
	return hash;
}

START_TEST(sim_seed__decides_everything)
{
	ck_assert_uint_eq(hash_of(3), hash_of(3));
	ck_assert_uint_ne(hash_of(3), hash_of(4));
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"sim_net", TEST(sim_stream__gives_all_bytes_before_the_eof),
		LOOP(sim_stream__survives_any_cut_of_a_long_text, segments),
		TEST(sim_stream__holds_the_sender_back_while_its_owner_is_slow),
		TEST(sim_stream__gives_as_much_as_is_taken),
		TEST(sim_stream__hears_of_a_reset),
		TEST(sim_stream__hears_nothing_over_a_silent_wire),
		TEST(sim_stream__gives_up_a_silent_wire_that_it_watches),
		TEST(sim_stream__finish_lets_the_last_words_through),
		TEST(sim_time__passes_only_from_one_event_to_the_next),
		TEST(sim_seed__decides_everything));
}
