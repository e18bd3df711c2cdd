/* Parcels, and messages coming in from them. */
#include "fixture.h"
#include "mxhold/base/text.h"
#include "mxhold/control/import.h"
#include "mxhold/storage/verify.h"

static struct arena arena;
static struct queue_rcpt rcpts[3];
static struct queue_message m;
static char content[PART_SIZE + 5000];

static void prepare(size_t size)
{
	setup();
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < size; i++)
		content[i] = (char)(i * 7 + i / 256);
	memset(rcpts, 0, sizeof(rcpts));
	rcpts[0] = (struct queue_rcpt){
		.state = RCPT_DELIVERED,
		.rcpt = {.address = SLICE("u@a.example"),
			 .domain = SLICE("a.example"),
			 .orcpt = SLICE("rfc822;u@x.example"),
			 .notify = DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY},
		.attempts = 2,
		.last_attempt_ms = T0 - 1001,
		.first_5xx_ms = T0 - 2000,
		.reply = SLICE("250 2.0.0 \xff\xfe"),
		.remote = SLICE("hq"),
	};
	rcpts[1] = (struct queue_rcpt){.state = RCPT_PENDING,
				       .rcpt = {.address = SLICE("v@b.example"),
						.domain = SLICE("b.example")}};
	rcpts[2] = (struct queue_rcpt){.state = RCPT_FAILED,
				       .kept = true,
				       .rcpt = {.address = SLICE("postmaster"),
						.domain = SLICE("a.example"),
						.notify = DSN_NOTIFY_NEVER}};
	m = (struct queue_message){
		.id = 77,
		.state = QUEUE_QUARANTINE,
		.env = {.sender = SLICE("s@x.example"),
			.envid = SLICE("abc+2B"),
			.ret = DSN_RET_HDRS,
			.body = BODY_8BITMIME,
			.smtputf8 = true,
			.eight_bit = true,
			.tls_optional = true,
			.client_name = SLICE("mail.x.example"),
			.helo = SLICE("\xe9lan"),
			.protocol = SLICE("ESMTPS"),
			.tls = SLICE("TLSv1.3 TLS_AES_256_GCM_SHA384"),
			.arrived_at_ms = T0 - 5003},
		.size = size,
		.crc = crc32c(0, content, size),
		.attempts = 4,
		.maybe_duplicate = true,
		.quarantined = true,
		.message_id = SLICE("<m@x.example>"),
		.reason = SLICE("550 5.1.1 nobody"),
		.rcpts = rcpts,
		.n_rcpts = 3,
	};
	inet_parse(SLICE("2001:db8::7"), &m.env.client.addr);
	m.env.client.port = 4711;
}

static void setup_small(void)
{
	prepare(1000);
}

static void setup_large(void)
{
	prepare(sizeof(content));
}

static void teardown_all(void)
{
	arena_done(&arena);
	teardown();
}

/* --- parcels ----------------------------------------------------------- */

static void same(struct slice a, struct slice b)
{
	ck_assert_msg(slice_eq(a, b), "%.*s is not %.*s", (int)a.n, a.p,
		      (int)b.n, b.p);
}

static void same_envelope(const struct envelope *a, const struct envelope *b)
{
	same(a->sender, b->sender);
	same(a->envid, b->envid);
	same(a->client_name, b->client_name);
	same(a->helo, b->helo);
	same(a->protocol, b->protocol);
	same(a->tls, b->tls);
	ck_assert_int_eq(a->ret, b->ret);
	ck_assert_int_eq(a->body, b->body);
	ck_assert_int_eq(a->smtputf8, b->smtputf8);
	ck_assert_int_eq(a->requiretls, b->requiretls);
	ck_assert_int_eq(a->eight_bit, b->eight_bit);
	ck_assert_int_eq(a->utf8_header, b->utf8_header);
	ck_assert_int_eq(a->tls_optional, b->tls_optional);
	ck_assert_int_eq(a->is_report, b->is_report);
	ck_assert(inet_eq(&a->client.addr, &b->client.addr));
	ck_assert_uint_eq(a->client.port, b->client.port);
	ck_assert_int_eq(a->arrived_at_ms, b->arrived_at_ms);
}

static void same_rcpt(const struct queue_rcpt *a, const struct queue_rcpt *b)
{
	same(a->rcpt.address, b->rcpt.address);
	same(a->rcpt.domain, b->rcpt.domain);
	same(a->rcpt.orcpt, b->rcpt.orcpt);
	ck_assert_uint_eq(a->rcpt.notify, b->rcpt.notify);
	ck_assert_int_eq(a->state, b->state);
	ck_assert_int_eq(a->kept, b->kept);
	ck_assert_uint_eq(a->attempts, b->attempts);
	ck_assert_int_eq(a->last_attempt_ms, b->last_attempt_ms);
	ck_assert_int_eq(a->first_5xx_ms, b->first_5xx_ms);
	same(a->reply, b->reply);
	same(a->remote, b->remote);
}

START_TEST(parcel__comes_back_as_it_went)
{
	struct error err = {0};
	struct parcel p;
	json_t *j = parcel_format(&m);
	char *text = json_dumps(j, JSON_ENSURE_ASCII);

	json_decref(j);
	j = json_loads(text, 0, NULL);
	ck_assert_msg(parcel_parse(j, &arena, &p, &err) == 0, "%s", err.text);
	json_decref(j);
	free(text);
	same_envelope(&p.env, &m.env);
	ck_assert_uint_eq(p.env.n_rcpts, 3);
	for (size_t i = 0; i < 3; i++)
		same_rcpt(&p.past.rcpts[i], &rcpts[i]);
	same(p.message_id, m.message_id);
	same(p.reason, m.reason);
	ck_assert(p.quarantined && !p.held && p.past.maybe_duplicate);
	ck_assert_uint_eq(p.past.id, 77);
	ck_assert_uint_eq(p.past.size, 1000);
	ck_assert_uint_eq(p.past.crc, m.crc);
	ck_assert_uint_eq(p.past.attempts, 4);
}
END_TEST

/* value: JSON with ' for ", or NULL = without the key; rcpt: in recipient 1. */
static const struct {
	const char *key, *value;
	bool rcpt;
	const char *says;
} wrongs[] = {
	{"v", NULL, false, "no exported message"},
	{"v", "2", false, "newer version"},
	{"id", "'nonsense'", false, "\"id\""},
	{"size", "-1", false, "\"size\""},
	{"size", "'1'", false, "\"size\""},
	{"crc32c", "'12'", false, "\"crc32c\""},
	{"attempts", "4294967296", false, "\"attempts\""},
	{"state", "'lost'", false, "\"state\""},
	{"sender", "'a b@c d'", false, "\"sender\""},
	{"sender", "'x@y.example>\\r\\nRCPT TO:<z@y.example'", false,
	 "\"sender\""},
	{"sender", NULL, false, "\"sender\""},
	{"sender", "7", false, "\"sender\""},
	{"sender", "{'hex':'0'}", false, "\"sender\""},
	{"sender", "{'hex':'zz'}", false, "\"sender\""},
	{"envid", "'a b'", false, "\"envid\""},
	{"helo", "'a\\r\\nb'", false, "\"helo\""},
	{"client", "'300.0.0.1'", false, "\"client\""},
	{"client_port", "65536", false, "\"client_port\""},
	{"ret", "'ALL'", false, "\"ret\""},
	{"body", "'9BIT'", false, "\"body\""},
	{"smtputf8", "1", false, "\"smtputf8\""},
	{"arrived_at", "''", false, "\"arrived_at\""},
	{"arrived_at", "'yesterday'", false, "\"arrived_at\""},
	{"recipients", "[]", false, "\"recipients\""},
	{"recipients", "{}", false, "\"recipients\""},
	{"recipients", "[7]", false, "recipient 1"},
	{"address", "''", true, "\"address\""},
	{"address", "'a@b@c'", true, "\"address\""},
	{"destination", "'A.example'", true, "\"destination\""},
	{"destination", "''", true, "\"destination\""},
	{"destination", "'a.example/..'", true, "\"destination\""},
	{"orcpt", "'rfc822;a SIZE=1'", true, "\"orcpt\""},
	{"notify", "['SOMETIMES']", true, "\"notify\""},
	{"notify", "'NEVER'", true, "\"notify\""},
	{"state", "'ready'", true, "\"state\""},
	{"kept", "true", true, "\"kept\""},
	{"last_attempt_at", "'2026-13-01T00:00:00Z'", true,
	 "\"last_attempt_at\""},
};

START_TEST(parcel__refuses_what_is_wrong_and_names_it)
{
	json_t *j = parcel_format(&m), *at = j, *value;
	char text[128];
	struct error err = {0};
	struct parcel p;

	if (wrongs[_i].rcpt)
		at = json_array_get(json_object_get(j, "recipients"), 0);
	if (wrongs[_i].value) {
		snprintf(text, sizeof(text), "%s", wrongs[_i].value);
		for (char *c = text; *c; c++)
			*c = *c == '\'' ? '"' : *c;
		value = json_loads(text, JSON_DECODE_ANY, NULL);
		ck_assert_ptr_nonnull(value);
		json_object_set_new(at, wrongs[_i].key, value);
	} else {
		json_object_del(at, wrongs[_i].key);
	}
	ck_assert_int_eq(parcel_parse(j, &arena, &p, &err), -1);
	ck_assert_msg(strstr(err.text, wrongs[_i].says) != NULL, "%s",
		      err.text);
	json_decref(j);
}
END_TEST

START_TEST(parcel__without_an_open_recipient_is_refused)
{
	struct error err = {0};
	struct parcel p;
	json_t *j;

	m.n_rcpts = 1;
	j = parcel_format(&m);
	ck_assert_int_eq(parcel_parse(j, &arena, &p, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "settled"));
	json_decref(j);
}
END_TEST

/* --- content ----------------------------------------------------------- */

static struct import *begin(void)
{
	json_t *j = parcel_format(&m);
	struct error err = {0};
	struct import *i = import_new(j, config, &err);

	ck_assert_msg(i != NULL, "%s", err.text);
	json_decref(j);
	return i;
}

static struct error why;

static struct job *give(struct import *i, size_t from, size_t n, bool last)
{
	static char hex[2 * sizeof(content) + 1];
	struct job *job;

	text_hex((const uint8_t *)content + from, n, hex);
	job = import_take(i, slice_make(hex, 2 * n), last, &why);
	if (job)
		run_job(job);
	return job;
}

static void finish(struct import *i)
{
	import_drop(i, writer);
	while (writer_run_batch(writer) > 0)
		continue;
	writer_run_batch(writer);
}

static void check_whole(uint64_t messages)
{
	struct verify_result v;

	ck_assert_int_eq(verify_queue(store, &v, NULL, NULL), 0);
	ck_assert_uint_eq(v.problems, 0);
	ck_assert_uint_eq(v.messages, messages);
}

static uint64_t import_whole(enum import_end expected)
{
	struct import *i = begin();
	uint64_t id = 0;

	if (m.size > PART_SIZE) {
		ck_assert_ptr_nonnull(give(i, 0, PART_SIZE, false));
		ck_assert_int_eq(import_taken(i, &id, &why), IMPORT_MORE);
		ck_assert_ptr_nonnull(
			give(i, PART_SIZE, m.size - PART_SIZE, true));
	} else {
		ck_assert_ptr_nonnull(give(i, 0, m.size, true));
	}
	ck_assert_int_eq(import_taken(i, &id, &why), expected);
	finish(i);
	return id;
}

START_TEST(import__makes_the_message_from_its_pieces)
{
	struct reader *r = reader_new(store);
	struct queue_message got;
	struct buf body;
	uint32_t next;
	uint64_t id = import_whole(IMPORT_DONE);

	ck_assert_uint_ne(id, m.id);
	check_whole(1);
	ck_assert_int_eq(reader_message(r, id, &arena, &got), 0);
	same_envelope(&got.env, &m.env);
	ck_assert_int_eq(got.state, QUEUE_QUARANTINE);
	same(got.reason, m.reason);
	buf_init(&body, sizeof(content));
	ck_assert_int_eq(reader_body(r, id, 0, 64, &body, &next), 0);
	if (next)
		ck_assert_int_eq(reader_body(r, id, next, 64, &body, &next), 0);
	same(buf_slice(&body), slice_make(content, m.size));
	buf_done(&body);
	reader_free(r);
}
END_TEST

START_TEST(import__second_one_is_a_twin)
{
	uint64_t id = import_whole(IMPORT_DONE);

	ck_assert_uint_eq(import_whole(IMPORT_TWIN), id);
	check_whole(1);
}
END_TEST

START_TEST(import__dropped_half_way_leaves_nothing)
{
	struct import *i = begin();
	uint64_t id;

	ck_assert_ptr_nonnull(give(i, 0, PART_SIZE, false));
	ck_assert_int_eq(import_taken(i, &id, &why), IMPORT_MORE);
	finish(i);
	check_whole(0);
	ck_assert_uint_gt(import_whole(IMPORT_DONE), 0);
}
END_TEST

static void refuse(struct import *i, size_t from, size_t n, bool last,
		   const char *says)
{
	ck_assert_ptr_null(give(i, from, n, last));
	ck_assert_msg(strstr(why.text, says) != NULL, "%s", why.text);
	finish(i);
	check_whole(0);
}

START_TEST(import__of_other_content_is_refused)
{
	content[999] ^= 1;
	refuse(begin(), 0, m.size, true, "checksum");
}
END_TEST

START_TEST(import__of_less_content_is_refused)
{
	refuse(begin(), 0, m.size - 1, true, "shorter");
}
END_TEST

START_TEST(import__of_more_content_is_refused)
{
	refuse(begin(), 0, m.size + 1, true, "longer");
}
END_TEST

START_TEST(import__of_a_broken_piece_is_refused)
{
	refuse(begin(), 0, CHUNK_SIZE - 1, false, "piece");
	refuse(begin(), 0, 0, false, "piece");
	refuse(begin(), 0, PART_SIZE + CHUNK_SIZE, false, "piece");
}
END_TEST

START_TEST(import__of_no_hex_is_refused)
{
	struct import *i = begin();

	ck_assert_ptr_null(import_take(i, SLICE("abc"), true, &why));
	ck_assert_ptr_null(import_take(i, SLICE("zz"), true, &why));
	finish(i);
}
END_TEST

/* --- queue export ------------------------------------------------------ */

START_TEST(export__tells_the_parcel_and_the_content)
{
	uint64_t id = import_whole(IMPORT_DONE);
	char text[ID_TEXT_LEN + 1];
	json_t *row;

	id_format(id, text);
	ask("queue export", "{}");
	ck_assert_int_eq(said.exit, EXIT_DONE);
	ck_assert_uint_eq(json_array_size(said.rows), 1);
	row = json_array_get(said.rows, 0);
	ck_assert_str_eq(json_string_value(json_object_get(row, "id")), text);
	same(slice_make(said.raw, said.n_raw), slice_make(content, m.size));
	ask("queue export", "{'from':'nobody@x.example'}");
	ck_assert_int_eq(said.exit, EXIT_NO_MATCH);
}
END_TEST

/* Up to the first raw line; then the message is deleted. */
START_TEST(export__says_when_a_message_leaves_meanwhile)
{
	struct job_change change = {
		.job = {.kind = JOB_CHANGE}, .change = CHANGE_DELETE, .n = 1};
	struct query_live live = {0};
	json_t *args = json_object();
	enum exit_code exit;
	struct buf out;
	struct query *q;

	change.ids[0] = import_whole(IMPORT_DONE);
	q = query_new(store, config, &live, "queue export", args, &why, &exit);
	ck_assert_ptr_nonnull(q);
	buf_init(&out, 64 << 20);
	while (!memmem(buf_slice(&out).p, out.n, "\"raw\"", 5))
		ck_assert_int_eq(query_step(q, &out), QUERY_MORE);
	run_job(&change.job);
	while (query_step(q, &out) == QUERY_MORE)
		continue;
	said_done();
	said = (struct said){.rows = json_array()};
	for (struct slice s = buf_slice(&out); s.n;) {
		ptrdiff_t lf = slice_index(s, '\n');

		if (!memmem(s.p, (size_t)lf, "\"raw\"", 5))
			hear_line(slice_head(s, (size_t)lf));
		s = slice_skip(s, (size_t)lf + 1);
	}
	ck_assert_uint_eq(json_array_size(said.rows), 2);
	ck_assert(json_is_true(
		json_object_get(json_array_get(said.rows, 1), "gone")));
	ck_assert_int_eq(said.exit, EXIT_DONE);
	buf_done(&out);
	query_free(q);
	json_decref(args);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("import");
	TCase *small = tcase_create("small"), *large = tcase_create("large");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(small, setup_small, teardown_all);
	tcase_add_checked_fixture(large, setup_large, teardown_all);
	tcase_set_timeout(small, 60);
	tcase_set_timeout(large, 60);
	tcase_add_test(small, parcel__comes_back_as_it_went);
	tcase_add_loop_test(small, parcel__refuses_what_is_wrong_and_names_it,
			    0, MX_ARRAY_SIZE(wrongs));
	tcase_add_test(small, parcel__without_an_open_recipient_is_refused);
	tcase_add_test(small, import__makes_the_message_from_its_pieces);
	tcase_add_test(large, import__makes_the_message_from_its_pieces);
	tcase_add_test(small, import__second_one_is_a_twin);
	tcase_add_test(large, import__second_one_is_a_twin);
	tcase_add_test(large, import__dropped_half_way_leaves_nothing);
	tcase_add_test(small, import__of_other_content_is_refused);
	tcase_add_test(small, import__of_less_content_is_refused);
	tcase_add_test(small, import__of_more_content_is_refused);
	tcase_add_test(large, import__of_a_broken_piece_is_refused);
	tcase_add_test(small, import__of_no_hex_is_refused);
	tcase_add_test(small, export__tells_the_parcel_and_the_content);
	tcase_add_test(large, export__says_when_a_message_leaves_meanwhile);
	suite_add_tcase(s, small);
	suite_add_tcase(s, large);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
