#include "fixture.h"

#include "mxhold/base/random.h"
#include "mxhold/storage/directory_parts.h"
#include "mxhold/storage/record.h"

static uint8_t room[RECORD_MESSAGE_MAX], again[RECORD_MESSAGE_MAX];
static uint8_t dests[QUEUE_RCPT_MAX * RECORD_DEST_SIZE];
static char texts[16][RECORD_TEXT_MAX];

/* Some text of random octets; mostly short, now and then of the most. */
static struct slice some_text(unsigned slot)
{
	size_t n = random_below(20) == 0 ? RECORD_TEXT_MAX : random_below(60);

	for (size_t i = 0; i < n; i++)
		texts[slot][i] = (char)random_u64();
	return slice_make(texts[slot], n);
}

static bool some_bool(void)
{
	return random_below(2);
}

static void some_client(struct endpoint *c)
{
	static const uint8_t families[] = {0, 4, 6};

	c->addr.family = families[random_below(3)];
	for (int i = 0; i < 16; i++)
		c->addr.bytes[i] = (uint8_t)random_u64();
	if (c->addr.family != 6)
		memset(c->addr.bytes + 4, 0, 12);
	if (c->addr.family == 0)
		memset(c, 0, sizeof(*c));
	else
		c->port = (uint16_t)random_u64();
}

static void some_message(struct message_record *m)
{
	struct envelope *e = &m->env;

	memset(m, 0, sizeof(*m));
	m->size = random_u64() >> (32 + random_below(32));
	m->chunks = (uint32_t)((m->size + CHUNK_SIZE - 1) / CHUNK_SIZE);
	m->crc = (uint32_t)random_u64();
	m->attempts = (uint32_t)random_u64();
	m->expire_ms = (int64_t)random_u64();
	m->maybe_duplicate = some_bool();
	m->held = some_bool();
	m->quarantined = some_bool();
	m->message_id = some_text(0);
	m->reason = some_text(1);
	e->sender = some_text(2);
	e->envid = some_text(3);
	e->client_name = some_text(4);
	e->helo = some_text(5);
	e->protocol = some_text(6);
	e->tls = some_text(7);
	e->ret = (enum dsn_ret)random_below(3);
	e->body = (enum body_type)random_below(4);
	e->smtputf8 = some_bool();
	e->requiretls = some_bool();
	e->eight_bit = some_bool();
	e->utf8_header = some_bool();
	e->tls_optional = some_bool();
	e->is_report = some_bool();
	e->arrived_at_ms = (int64_t)random_u64();
	some_client(&e->client);
	m->n_rcpts = (uint16_t)(random_below(50) ? 1 + random_below(20)
						 : QUEUE_RCPT_MAX);
	m->n_dests = (uint16_t)(1 + random_below(m->n_rcpts));
	m->dests = dests;
	for (size_t i = 0; i < m->n_dests; i++) {
		struct record_dest d = {
			.dest = (uint32_t)random_u64(),
			.open = (uint16_t)(1 + random_below(m->n_rcpts)),
			.due_ms = some_bool() ? RECORD_NOT_DUE
					      : (int64_t)(random_u64() >> 1)};

		record_dest_set(dests, i, &d);
	}
}

static void check_texts(const struct message_record *a,
			const struct message_record *b)
{
	ck_assert(slice_eq(a->env.sender, b->env.sender));
	ck_assert(slice_eq(a->env.envid, b->env.envid));
	ck_assert(slice_eq(a->env.client_name, b->env.client_name));
	ck_assert(slice_eq(a->env.helo, b->env.helo));
	ck_assert(slice_eq(a->env.protocol, b->env.protocol));
	ck_assert(slice_eq(a->env.tls, b->env.tls));
	ck_assert(slice_eq(a->message_id, b->message_id));
	ck_assert(slice_eq(a->reason, b->reason));
}

static void check_flags(const struct message_record *a,
			const struct message_record *b)
{
	ck_assert(a->maybe_duplicate == b->maybe_duplicate);
	ck_assert(a->held == b->held);
	ck_assert(a->quarantined == b->quarantined);
	ck_assert(a->env.smtputf8 == b->env.smtputf8);
	ck_assert(a->env.requiretls == b->env.requiretls);
	ck_assert(a->env.eight_bit == b->env.eight_bit);
	ck_assert(a->env.utf8_header == b->env.utf8_header);
	ck_assert(a->env.tls_optional == b->env.tls_optional);
	ck_assert(a->env.is_report == b->env.is_report);
	ck_assert(a->env.ret == b->env.ret);
	ck_assert(a->env.body == b->env.body);
}

static void check_same(const struct message_record *a,
		       const struct message_record *b)
{
	check_texts(a, b);
	check_flags(a, b);
	ck_assert_uint_eq(a->size, b->size);
	ck_assert_uint_eq(a->chunks, b->chunks);
	ck_assert_uint_eq(a->crc, b->crc);
	ck_assert_uint_eq(a->attempts, b->attempts);
	ck_assert_int_eq(a->expire_ms, b->expire_ms);
	ck_assert_int_eq(a->env.arrived_at_ms, b->env.arrived_at_ms);
	ck_assert(inet_eq(&a->env.client.addr, &b->env.client.addr));
	ck_assert_uint_eq(a->env.client.port, b->env.client.port);
	ck_assert_uint_eq(a->n_rcpts, b->n_rcpts);
	ck_assert_uint_eq(a->n_dests, b->n_dests);
	ck_assert_mem_eq(a->dests, b->dests,
			 (size_t)a->n_dests * RECORD_DEST_SIZE);
}

START_TEST(record__random_messages_come_back)
{
	struct message_record m, back;
	size_t n;

	random_seed(4711);
	for (int i = 0; i < 2000; i++) {
		some_message(&m);
		n = record_encode_message(room, sizeof(room), &m);
		ck_assert_uint_gt(n, 0);
		ck_assert_int_eq(
			record_decode_message(slice_make(room, n), &back), 0);
		check_same(&m, &back);
	}
}
END_TEST

START_TEST(record__greatest_message_fits)
{
	struct message_record m;
	struct slice most = slice_make(texts[0], RECORD_TEXT_MAX);

	random_seed(1);
	some_message(&m);
	m.n_rcpts = m.n_dests = QUEUE_RCPT_MAX;
	m.message_id = m.reason = m.env.sender = m.env.envid = most;
	m.env.client_name = m.env.helo = m.env.protocol = m.env.tls = most;
	ck_assert_uint_gt(record_encode_message(room, sizeof(room), &m), 0);
	m.reason.n++;
	ck_assert_uint_eq(record_encode_message(room, sizeof(room), &m), 0);
}
END_TEST

/* What a decoder takes, the encoder writes the same way again: there is one
 * form of everything, and nonsense is never half believed. */
static void check_if_taken(struct slice raw)
{
	struct message_record m;
	size_t n;

	if (record_decode_message(raw, &m))
		return;
	n = record_encode_message(again, sizeof(again), &m);
	ck_assert(slice_eq(slice_make(again, n), raw));
}

START_TEST(record__damaged_message_is_refused_or_means_itself)
{
	struct message_record m;

	random_seed(12);
	for (int i = 0; i < 3000; i++) {
		size_t n;

		do
			some_message(&m);
		while (m.n_dests > 20);
		n = record_encode_message(room, sizeof(room), &m);
		for (int k = 0; k < 3; k++)
			room[random_below((uint32_t)n)] ^=
				(uint8_t)(1u << random_below(8));
		check_if_taken(slice_make(room, n));
	}
}
END_TEST

START_TEST(record__cut_message_is_refused)
{
	struct message_record m, back;
	size_t n;

	random_seed(5);
	do
		some_message(&m);
	while (m.n_dests != 1);
	n = record_encode_message(room, sizeof(room), &m);
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_eq(
			record_decode_message(slice_make(room, cut), &back),
			-1);
	room[n] = 0;
	ck_assert_int_eq(record_decode_message(slice_make(room, n + 1), &back),
			 -1);
}
END_TEST

START_TEST(record__newer_version_of_a_record_is_refused)
{
	struct dest_record d = {.domain = SLICE("a.test")}, back;
	size_t n = record_encode_dest(room, sizeof(room), &d);

	ck_assert_int_eq(record_decode_dest(slice_make(room, n), &back), 0);
	room[0]++;
	ck_assert_int_eq(record_decode_dest(slice_make(room, n), &back), -1);
}
END_TEST

static void check_recipient(const struct recipient_record *r)
{
	struct recipient_record back;
	size_t n = record_encode_recipient(room, RECORD_RCPT_MAX, r);

	ck_assert_uint_gt(n, 0);
	ck_assert_int_eq(record_decode_recipient(slice_make(room, n), &back),
			 0);
	ck_assert(slice_eq(r->rcpt.address, back.rcpt.address));
	ck_assert(slice_eq(r->rcpt.domain, back.rcpt.domain));
	ck_assert(slice_eq(r->rcpt.orcpt, back.rcpt.orcpt));
	ck_assert(slice_eq(r->reply, back.reply));
	ck_assert(slice_eq(r->remote, back.remote));
	ck_assert_uint_eq(r->rcpt.notify, back.rcpt.notify);
	ck_assert_uint_eq(r->dest, back.dest);
	ck_assert_int_eq(r->state, back.state);
	ck_assert(r->kept == back.kept);
	ck_assert_uint_eq(r->attempts, back.attempts);
	ck_assert_int_eq(r->last_attempt_ms, back.last_attempt_ms);
	ck_assert_int_eq(r->first_5xx_ms, back.first_5xx_ms);
}

START_TEST(record__random_recipients_come_back)
{
	random_seed(99);
	for (int i = 0; i < 2000; i++) {
		struct recipient_record r = {
			.dest = (uint32_t)random_u64(),
			.state = (enum rcpt_state)random_below(3),
			.rcpt = {.address = some_text(0),
				 .domain = some_text(1),
				 .orcpt = some_text(2),
				 .notify = (uint8_t)random_below(16)},
			.attempts = (uint32_t)random_u64(),
			.last_attempt_ms = (int64_t)random_u64(),
			.first_5xx_ms = (int64_t)random_u64(),
			.reply = some_text(3),
			.remote = some_text(4),
		};

		r.kept = r.state == RCPT_FAILED && some_bool();
		check_recipient(&r);
	}
}
END_TEST

START_TEST(record__domain_that_ends_the_address_is_not_stored_twice)
{
	struct recipient_record r = {
		.rcpt = {.address = SLICE("\"a@b\"@example.test"),
			 .domain = SLICE("example.test")}};
	size_t n = record_encode_recipient(room, sizeof(room), &r);

	check_recipient(&r);
	r.rcpt.domain = SLICE("EXAMPLE.test");
	ck_assert_uint_eq(record_encode_recipient(room, sizeof(room), &r),
			  n + 13);
	check_recipient(&r);
}
END_TEST

/* What no encoder writes is damage, however harmless. */
START_TEST(record__domain_that_is_written_for_nothing_is_refused)
{
	struct recipient_record r = {
		.rcpt = {.address = SLICE("a@b"), .domain = SLICE("c")}};
	struct recipient_record back;
	size_t n = record_encode_recipient(room, RECORD_RCPT_MAX, &r);
	uint8_t *c = memchr(room, 'c', n);

	*c = 'b';
	ck_assert_int_eq(record_decode_recipient(slice_make(room, n), &back),
			 -1);
}
END_TEST

/* Without marks, as the first version wrote it. */
START_TEST(record__a_peer_of_version_1_is_read)
{
	struct peer_record p = {.up_ms = 77}, back;
	size_t n = dir_encode_peer(room, DIR_RECORD_MAX, &p);

	room[0] = 1;
	ck_assert_int_eq(dir_decode_peer(slice_make(room, n - 1), &back), 0);
	ck_assert_int_eq(back.up_ms, 77);
	ck_assert_uint_eq(back.n_marks, 0);
	room[0] = 3;
	ck_assert_int_eq(dir_decode_peer(slice_make(room, n), &back), -1);
}
END_TEST

START_TEST(record__fullest_peer_fits)
{
	struct peer_record p = {.n_good = PEER_HOSTS_MAX,
				.n_marks = PEER_MARKS_MAX,
				.since_ms = INT64_MIN,
				.ehlo_size = UINT64_MAX};
	struct peer_record back;
	size_t n;

	memset(p.last_result, 'x', sizeof(p.last_result) - 1);
	for (size_t i = 0; i < PEER_HOSTS_MAX; i++)
		p.good[i].family = 6;
	for (size_t i = 0; i < PEER_MARKS_MAX; i++)
		p.marks[i].wall_ms = p.marks[i].up_ms = INT64_MIN;
	n = dir_encode_peer(room, DIR_RECORD_MAX, &p);
	ck_assert_uint_gt(n, 0);
	ck_assert_int_eq(dir_decode_peer(slice_make(room, n), &back), 0);
	ck_assert_mem_eq(back.marks, p.marks, sizeof(p.marks));
	p.n_marks++;
	ck_assert_uint_eq(dir_encode_peer(room, DIR_RECORD_MAX, &p), 0);
}
END_TEST

START_TEST(record__result_of_a_probe_with_a_nul_is_refused)
{
	struct peer_record p = {.last_result = "fine"}, back;
	size_t n = dir_encode_peer(room, DIR_RECORD_MAX, &p);

	ck_assert_int_eq(dir_decode_peer(slice_make(room, n), &back), 0);
	*(char *)memchr(room, 'f', n) = '\0';
	ck_assert_int_eq(dir_decode_peer(slice_make(room, n), &back), -1);
}
END_TEST

START_TEST(record__random_history_comes_back_cut)
{
	random_seed(3);
	for (int i = 0; i < 1000; i++) {
		struct history_row h = {
			.at_ms = (int64_t)random_u64() >> 1,
			.id = random_u64(),
			.what = (enum history_what)random_below(9),
			.sender = some_text(0),
			.rcpt = some_text(1),
			.message_id = some_text(2),
			.text = some_text(3)};
		struct history_row back;
		uint64_t seq = random_u64();
		size_t n = record_encode_history(room, RECORD_HISTORY_MAX, seq,
						 &h);

		ck_assert_uint_gt(n, 0);
		ck_assert_int_eq(
			record_decode_history(slice_make(room, n), seq, &back),
			0);
		ck_assert_int_eq(h.at_ms, back.at_ms);
		ck_assert_uint_eq(h.id, back.id);
		ck_assert_int_eq(h.what, back.what);
		ck_assert(slice_eq(slice_head(h.sender, HISTORY_TEXT_MAX),
				   back.sender));
		ck_assert(slice_eq(slice_head(h.text, HISTORY_TEXT_MAX),
				   back.text));
	}
}
END_TEST

START_TEST(record__noise_is_refused_by_every_decoder)
{
	struct message_record m;
	struct recipient_record r;
	struct dest_record d;
	struct meta_record meta;
	struct history_row h;
	struct domain_record dom;
	struct generation_record g;
	struct peer_record p;
	struct learned_domain ld;
	struct learned_record lr;
	unsigned taken = 0;
	uint32_t chunks;

	random_seed(7);
	for (int i = 0; i < 20000; i++) {
		struct slice s = slice_make(room, random_below(80));

		for (size_t k = 0; k < s.n; k++)
			room[k] = (uint8_t)random_u64();
		if (s.n)
			room[0] = RECORD_VERSION;
		check_if_taken(s);
		taken += record_decode_message(s, &m) == 0;
		taken += record_decode_recipient(s, &r) == 0;
		record_decode_dest(s, &d);
		record_decode_meta(s, &meta);
		record_decode_history(s, 0, &h);
		record_decode_chunks(s, &chunks);
		dir_decode_domain(s, &dom);
		dir_decode_generation(s, &g);
		dir_decode_peer(s, &p);
		dir_decode_learned_domain(s, &ld);
		dir_decode_learned(s, &lr);
	}
	ck_assert_uint_lt(taken, 20);
}
END_TEST

START_TEST(record__size_and_chunks_must_agree)
{
	struct message_record m, back;
	size_t n;

	random_seed(8);
	some_message(&m);
	m.chunks++;
	n = record_encode_message(room, sizeof(room), &m);
	ck_assert_int_eq(record_decode_message(slice_make(room, n), &back), -1);
}
END_TEST

START_TEST(record__next_due_is_the_earliest)
{
	struct message_record m = {.n_dests = 3, .dests = dests};
	struct record_dest d = {.dest = 1, .open = 1, .due_ms = 500};

	record_dest_set(dests, 0, &d);
	d.due_ms = RECORD_NOT_DUE;
	record_dest_set(dests, 1, &d);
	d.due_ms = 300;
	record_dest_set(dests, 2, &d);
	ck_assert_int_eq(record_next_due(&m), 300);
	m.n_dests = 0;
	ck_assert_int_eq(record_next_due(&m), RECORD_NOT_DUE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("record");
	TCase *t = tcase_create("record");

	tcase_add_test(t, record__random_messages_come_back);
	tcase_add_test(t, record__greatest_message_fits);
	tcase_add_test(t, record__damaged_message_is_refused_or_means_itself);
	tcase_add_test(t, record__cut_message_is_refused);
	tcase_add_test(t, record__newer_version_of_a_record_is_refused);
	tcase_add_test(t, record__random_recipients_come_back);
	tcase_add_test(
		t, record__domain_that_ends_the_address_is_not_stored_twice);
	tcase_add_test(t,
		       record__domain_that_is_written_for_nothing_is_refused);
	tcase_add_test(t, record__a_peer_of_version_1_is_read);
	tcase_add_test(t, record__fullest_peer_fits);
	tcase_add_test(t, record__result_of_a_probe_with_a_nul_is_refused);
	tcase_add_test(t, record__random_history_comes_back_cut);
	tcase_add_test(t, record__noise_is_refused_by_every_decoder);
	tcase_add_test(t, record__size_and_chunks_must_agree);
	tcase_add_test(t, record__next_due_is_the_earliest);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return run_suite(s);
}
