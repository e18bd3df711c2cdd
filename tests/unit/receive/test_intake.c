#include "mxhold/receive/intake.h"

#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/net/loop.h"
#include "mxhold/storage/verify.h"
#include "rig.h"

static struct rig rig;
static struct loop *loop;
static struct intake_host host;
static struct intake *in;
static size_t expected; /* jobs on their way home */
static unsigned ready, done, kept;
static struct smtp_reply said;

static void on_note(void *data, struct mpsc_node *note)
{
	(void)data;
	intake_on_note(note);
	if (--expected == 0)
		loop_stop(loop);
}

static void on_ready(void *data)
{
	(void)data;
	ready++;
}

static void on_done(void *data, const struct smtp_reply *reply)
{
	(void)data;
	done++;
	said = *reply;
}

static void on_kept(void *data, const struct envelope *env)
{
	(void)data;
	ck_assert_uint_gt(env->n_rcpts, 0);
	kept++;
}

static const struct intake_events events = {on_ready, on_done};

static void add(const char *address)
{
	const struct recipient params = {
		.orcpt = SLICE("rfc822;x@y.test"),
		.notify = DSN_NOTIFY_FAILURE,
	};

	ck_assert_int_eq(
		intake_add(in, slice_str(address), "example.com", &params), 0);
}

static const struct envelope facts = {
	.sender = SLICE("a@b.test"),
	.envid = SLICE("QQ"),
	.ret = DSN_RET_HDRS,
	.client = {.addr = {.family = 4, .bytes = {192, 0, 2, 9}}, .port = 99},
	.helo = SLICE("client.test"),
	.protocol = SLICE("ESMTP"),
	.arrived_at_ms = 1000000000000,
};

static void open_message(void)
{
	in = intake_new(&host, "sid", 100, &events, NULL);
	add("joe@example.com");
	ck_assert_int_eq(intake_begin(in, &facts, "mx2.example.net", 0), 0);
}

static void begin(void)
{
	struct error err;

	rig_init(&rig);
	rig_configure(&rig, "", "");
	rig_open_store(&rig);
	loop = loop_new(&err);
	host = (struct intake_host){
		.writer = rig.writer,
		.jobs = mailbox_new(loop, on_note, NULL),
		.on_kept = on_kept,
	};
	open_message();
}

/* One batch of the writer, and its reports back home. */
static void pump(void)
{
	expected = writer_run_batch(rig.writer);
	if (expected)
		loop_run(loop);
}

static void pump_all(void)
{
	do
		pump();
	while (writer_waiting(rig.writer) > 0);
	pump();
}

static void finish(void)
{
	struct verify_result v;

	pump_all();
	ck_assert_uint_eq(host.live, 0);
	ck_assert_int_eq(verify_queue(rig.store, &v, NULL, NULL), 0);
	ck_assert_uint_eq(v.problems, 0);
	mailbox_free(host.jobs);
	loop_free(loop);
	rig_done(&rig);
}

static enum intake_step take(const char *text)
{
	return intake_take(in, slice_str(text));
}

static bool commit(void)
{
	const struct intake_end end = {.max_hops = 100};

	return intake_commit(in, &end, &said);
}

/* The content behind our trace line; checks that the line is there. */
static char *behind_trace(char *content)
{
	char *at = content;

	ck_assert_int_eq(strncmp(content, "Received: ", 10), 0);
	while ((at = strstr(at, "\r\n")) != NULL) {
		at += 2;
		if (*at != ' ' && *at != '\t')
			return at;
	}
	ck_abort_msg("the trace line has no end");
	return NULL;
}

static void check_content(const char *want)
{
	size_t size;
	char *content = rig_content(&rig, 0, &size);

	ck_assert_str_eq(behind_trace(content), want);
	free(content);
}

START_TEST(intake__keeps_a_message_behind_its_trace_line)
{
	size_t size;
	char *content, qid[ID_TEXT_LEN + 1];

	begin();
	ck_assert_int_eq(take("Subject: x\r\n\r\nbo"), INTAKE_GO);
	ck_assert_int_eq(take("dy\r\n"), INTAKE_GO);
	ck_assert(!commit());
	ck_assert_uint_eq(done, 0);
	pump();
	ck_assert_uint_eq(done, 1);
	ck_assert_uint_eq(kept, 1);
	ck_assert_int_eq(said.code, 250);
	ck_assert_str_eq(said.enhanced, "2.0.0");
	ck_assert_int_eq(strncmp(said.text, "kept as ", 8), 0);
	check_content("Subject: x\r\n\r\nbody\r\n");
	memcpy(qid, said.text + 8, sizeof(qid));
	content = rig_content(&rig, 0, &size);
	ck_assert_ptr_nonnull(strstr(content, qid));
	ck_assert_ptr_nonnull(strstr(content, "by mx2.example.net"));
	free(content);
	finish();
}
END_TEST

/* AR-8, EXT-38 */
START_TEST(intake__keeps_the_envelope_as_it_was_said)
{
	struct queue_message m;
	struct arena arena;
	struct reader *reader;
	uint64_t id;
	size_t n = 1;

	begin();
	add("Ann@example.com");
	take("Subject: \xc3\xa9\r\nTLS-Required: No\r\n"
	     "Message-ID: <1@b.test>\r\n\r\n");
	ck_assert(!commit());
	pump();
	reader = reader_new(rig.store);
	arena_init(&arena, 1 << 20);
	ck_assert_int_eq(reader_ids(reader, 0, &id, &n), 0);
	ck_assert_int_eq(reader_message(reader, id, &arena, &m), 0);
	ck_assert_slice_eq(m.env.sender, "a@b.test");
	ck_assert_slice_eq(m.env.envid, "QQ");
	ck_assert_slice_eq(m.env.helo, "client.test");
	ck_assert_int_eq(m.env.ret, DSN_RET_HDRS);
	ck_assert_int_eq(m.env.arrived_at_ms, 1000000000000);
	ck_assert(m.env.eight_bit && m.env.utf8_header && m.env.tls_optional);
	ck_assert_slice_eq(m.message_id, "<1@b.test>");
	ck_assert_uint_eq(m.n_rcpts, 2);
	ck_assert_slice_eq(m.rcpts[1].rcpt.address, "Ann@example.com");
	ck_assert_slice_eq(m.rcpts[1].rcpt.orcpt, "rfc822;x@y.test");
	ck_assert_uint_eq(m.rcpts[1].rcpt.notify, DSN_NOTIFY_FAILURE);
	arena_done(&arena);
	reader_free(reader);
	finish();
}
END_TEST

static const struct {
	bool requiretls;
	const char *header;
	bool optional;
} tls_required[] = {
	{false, "", false},
	{false, "TLS-Required: No\r\n", true},
	{false, "tls-required:no\r\n", true},
	{true, "TLS-Required: No\r\n", false},
	{true, "", false},
	{false, "TLS-Required: Yes\r\n", false},
	{false, "TLS-Required: No\r\nTLS-Required: No\r\n", false},
	{false, "TLS-Required: No\r\nTLS-Required: Yes\r\n", false},
	{false, "X: y\r\n\r\nTLS-Required: No\r\n", false},
};

/* EXT-40, EXT-41 */
START_TEST(intake__keeps_what_is_asked_of_tls)
{
	struct envelope more = facts;
	struct queue_message m;
	struct arena arena;
	struct reader *reader;
	uint64_t id;
	size_t n = 1;

	begin();
	more.requiretls = tls_required[_i].requiretls;
	intake_abort(in);
	in = intake_new(&host, "sid", 100, &events, NULL);
	add("joe@example.com");
	ck_assert_int_eq(intake_begin(in, &more, "mx2.example.net", 0), 0);
	take("Subject: x\r\n");
	take(tls_required[_i].header);
	take("\r\nbody\r\n");
	ck_assert(!commit());
	pump();
	reader = reader_new(rig.store);
	arena_init(&arena, 1 << 20);
	ck_assert_int_eq(reader_ids(reader, 0, &id, &n), 0);
	ck_assert_int_eq(reader_message(reader, id, &arena, &m), 0);
	ck_assert_int_eq(m.env.requiretls, tls_required[_i].requiretls);
	ck_assert_int_eq(m.env.tls_optional, tls_required[_i].optional);
	arena_done(&arena);
	reader_free(reader);
	finish();
}
END_TEST

/* MSG-11 */
static const struct {
	const char *sent, *kept;
} fronts[] = {
	{"", ""},
	{"\r\n", "\r\n"},
	{"Subject: x\r\n", "Subject: x\r\n"},
	{"hello world\r\n", "\r\nhello world\r\n"},
	{" folded\r\n", "\r\n folded\r\n"},
	{"no colon", "\r\nno colon"},
	{"nocolon\r\nSubject: x\r\n", "\r\nnocolon\r\nSubject: x\r\n"},
	{".\r\n", "\r\n.\r\n"},
	{"From joe Sun\r\nX: y\r\n", "From joe Sun\r\nX: y\r\n"},
	{"From joe on\r\nhello\r\n", "\r\nFrom joe on\r\nhello\r\n"},
	{"\x80\r\n", "\r\n\x80\r\n"},
};

START_TEST(intake__text_without_a_header_does_not_become_one)
{
	begin();
	take(fronts[_i].sent);
	commit();
	pump();
	check_content(fronts[_i].kept);
	finish();
}
END_TEST

START_TEST(intake__the_front_is_the_same_octet_by_octet)
{
	begin();
	for (const char *p = fronts[_i].sent; *p; p++)
		intake_take(in, slice_make(p, 1));
	commit();
	pump();
	check_content(fronts[_i].kept);
	finish();
}
END_TEST

static const struct {
	int hops;
	int code;
} hops[] = {{99, 250}, {100, 250}, {101, 554}};

/* MSG-20 */
START_TEST(intake__too_many_hops_are_a_loop)
{
	begin();
	for (int i = 0; i < hops[_i].hops; i++)
		take("Received: from a by b; date\r\n");
	take("\r\nReceived: in the body\r\n");
	if (commit()) {
		ck_assert_int_eq(said.code, 554);
		ck_assert_str_eq(said.enhanced, "5.4.6");
	}
	pump();
	ck_assert_int_eq(said.code, hops[_i].code);
	ck_assert_uint_eq(rig_counts(&rig).messages, said.code == 250);
	finish();
}
END_TEST

/* ---- parts ---- */

static char *big; /* header and n octets in all */

static void make_big(size_t n)
{
	big = malloc(n + 1);
	for (size_t i = 0; i < n; i++)
		big[i] = (char)('a' + i % 23);
	for (size_t i = 0; i + 2 < n; i += 78)
		memcpy(big + i, "\r\n", 2);
	memcpy(big, "S:x\r\n\r\n", 7);
	big[n] = '\0';
}

/* Everything, in slices as the machine gives them; batches when it must. */
static void take_big_from(size_t at, size_t n)
{
	while (at < n) {
		size_t slice = MX_MIN(n - at, (size_t)16384);
		unsigned before = ready;

		if (intake_take(in, slice_make(big + at, slice)) == INTAKE_WAIT)
			while (ready == before)
				pump();
		at += slice;
	}
}

static void take_big(size_t n)
{
	take_big_from(0, n);
}

static const size_t sizes[] = {
	PART_SIZE - 1000,  PART_SIZE,         PART_SIZE + 1,
	2 * PART_SIZE - 1, 5 * PART_SIZE + 7, 20 * PART_SIZE,
};

START_TEST(intake__a_large_message_comes_out_as_it_went_in)
{
	size_t n = sizes[_i];

	begin();
	make_big(n);
	take_big(n);
	ck_assert(!commit());
	pump_all();
	ck_assert_int_eq(said.code, 250);
	check_content(big);
	free(big);
	finish();
}
END_TEST

START_TEST(intake__waits_for_the_writer_with_two_parts)
{
	size_t n = 3 * PART_SIZE, at = 0;

	begin();
	make_big(n);
	while (at < n &&
	       intake_take(in, slice_make(big + at, 16000)) == INTAKE_GO)
		at += 16000;
	ck_assert_uint_lt(at, 2 * PART_SIZE);
	ck_assert_uint_ge(at, 2 * PART_SIZE - 32000);
	ck_assert_uint_eq(ready, 0);
	pump();
	ck_assert_uint_eq(ready, 1);
	ck_assert_int_eq(intake_take(in, slice_make(big, 16000)), INTAKE_GO);
	intake_abort(in);
	free(big);
	finish();
}
END_TEST

/* A thousand who drip their content hold little each; when they have gone,
 * it goes on with large parts. */
START_TEST(intake__one_of_many_holds_less)
{
	size_t n = 9 * PART_SIZE + 7, at = 0;

	begin();
	host.live += 1000;
	make_big(n);
	while (at < n &&
	       intake_take(in, slice_make(big + at, 16000)) == INTAKE_GO)
		at += 16000;
	ck_assert_uint_lt(at, PART_SIZE);
	while (ready == 0)
		pump();
	take_big_from(at + 16000, 3 * PART_SIZE);
	host.live -= 1000;
	take_big_from(3 * PART_SIZE, 6 * PART_SIZE);
	host.live += 1000;
	take_big_from(6 * PART_SIZE, n);
	ck_assert(!commit());
	pump_all();
	ck_assert_int_eq(said.code, 250);
	check_content(big);
	host.live -= 1000;
	free(big);
	finish();
}
END_TEST

START_TEST(intake__a_client_that_vanishes_leaves_no_part)
{
	begin();
	make_big(3 * PART_SIZE);
	take_big(3 * PART_SIZE - 16384);
	if (_i)
		pump(); /* nothing is under way */
	intake_abort(in);
	pump_all();
	ck_assert_uint_eq(done, 0);
	ck_assert_uint_eq(kept, 0);
	ck_assert_uint_eq(rig_counts(&rig).messages, 0);
	free(big);
	finish();
}
END_TEST

/* RFC 5321 4.1.1.10 */
START_TEST(intake__a_client_that_vanishes_during_commit_leaves_its_message)
{
	begin();
	take("S:x\r\n\r\n");
	ck_assert(!commit());
	intake_abort(in);
	pump();
	ck_assert_uint_eq(done, 0);
	ck_assert_uint_eq(kept, 1);
	ck_assert_uint_eq(rig_counts(&rig).messages, 1);
	finish();
}
END_TEST

START_TEST(intake__commit_waits_for_the_part_before_it)
{
	begin();
	make_big(PART_SIZE + 100);
	take_big(PART_SIZE + 100); /* the part is under way */
	ck_assert(!commit());
	pump();
	ck_assert_uint_eq(done, 0);
	pump();
	ck_assert_uint_eq(done, 1);
	check_content(big);
	free(big);
	finish();
}
END_TEST

START_TEST(intake__an_abort_before_anything_costs_nothing)
{
	begin();
	intake_abort(in);
	ck_assert_uint_eq(host.live, 0);
	intake_abort(NULL);
	finish();
}
END_TEST

/* ---- failures ---- */

static void fill_store(void)
{
	struct store_options options = {
		.state_dir = rig.config->state_dir,
		.map_size = 2 << 20,
		.max_bytes = 1 << 20,
	};
	struct error err;

	writer_stop(rig.writer);
	store_close(rig.store);
	rig.writer = NULL;
	ck_assert_int_eq(store_open(&rig.store, &options, &err), 0);
	rig.writer = writer_new(rig.store);
	host.writer = rig.writer;
}

START_TEST(intake__a_full_store_says_452_and_keeps_nothing)
{
	size_t n = 20 * PART_SIZE;

	begin();
	fill_store();
	make_big(n);
	take_big(n);
	if (!commit())
		pump_all();
	ck_assert_int_eq(said.code, 452);
	ck_assert_str_eq(said.enhanced, "4.3.1");
	pump_all();
	ck_assert_uint_eq(rig_counts(&rig).messages, 0);
	ck_assert_uint_eq(kept, 0);
	free(big);
	finish();
}
END_TEST

START_TEST(intake__no_memory_says_451_and_keeps_nothing)
{
	begin();
	make_big(4 * PART_SIZE);
	mem_fail_at((unsigned long)_i + 1);
	take_big(4 * PART_SIZE);
	mem_fail_at(0);
	if (!commit())
		pump_all();
	if (said.code != 250) {
		ck_assert_int_eq(said.code, 451);
		pump_all();
		ck_assert_uint_eq(rig_counts(&rig).messages, 0);
	} else {
		check_content(big); /* the failure was made up for */
	}
	free(big);
	finish();
}
END_TEST

START_TEST(intake__takes_as_many_recipients_as_it_was_told)
{
	char text[300];

	begin();
	for (int i = 1; i < 100; i++) {
		memset(text, 'x', sizeof(text));
		snprintf(text + 240, 60, "%d@example.com", i);
		add(text);
	}
	intake_abort(in);
	finish();
}
END_TEST

int main(void)
{
	static const int times[8];

	return RUN_TESTS(
		"intake", TEST(intake__keeps_a_message_behind_its_trace_line),
		TEST(intake__keeps_the_envelope_as_it_was_said),
		LOOP(intake__keeps_what_is_asked_of_tls, tls_required),
		LOOP(intake__text_without_a_header_does_not_become_one, fronts),
		LOOP(intake__the_front_is_the_same_octet_by_octet, fronts),
		LOOP(intake__too_many_hops_are_a_loop, hops),
		LOOP(intake__a_large_message_comes_out_as_it_went_in, sizes),
		TEST(intake__waits_for_the_writer_with_two_parts),
		TEST(intake__one_of_many_holds_less),
		{.fn = intake__a_client_that_vanishes_leaves_no_part,
		 .rows = 2},
		TEST(intake__a_client_that_vanishes_during_commit_leaves_its_message),
		TEST(intake__commit_waits_for_the_part_before_it),
		TEST(intake__an_abort_before_anything_costs_nothing),
		TEST(intake__a_full_store_says_452_and_keeps_nothing),
		LOOP(intake__no_memory_says_451_and_keeps_nothing, times),
		TEST(intake__takes_as_many_recipients_as_it_was_told));
}
