/*
 * Stored records: a decoder takes nothing but what its encoder writes, so
 * what was taken is written again octet for octet, and points nowhere but
 * into its input. And what stands in a record that was encoded comes back.
 *
 * Input: an octet that chooses the record, then its octets; or, above 0x7f,
 * the texts of a record that is to be encoded.
 */
#include "fuzz.h"
#include "mxhold/storage/directory_parts.h"
#include "mxhold/storage/record.h"

static uint8_t again[RECORD_MESSAGE_MAX];

static void check_same(struct slice raw, size_t n)
{
	FUZZ_CHECK(slice_eq(slice_make(again, n), raw));
}

/* --- queue ------------------------------------------------------------- */

static void decode_message(struct slice raw)
{
	struct message_record m;
	const struct envelope *e = &m.env;
	struct record_dest d;

	if (record_decode_message(raw, &m))
		return;
	FUZZ_CHECK(fuzz_is_within(e->sender, raw) &&
		   fuzz_is_within(e->envid, raw) &&
		   fuzz_is_within(e->client_name, raw) &&
		   fuzz_is_within(e->helo, raw) &&
		   fuzz_is_within(e->protocol, raw) &&
		   fuzz_is_within(e->tls, raw) &&
		   fuzz_is_within(m.message_id, raw) &&
		   fuzz_is_within(m.reason, raw));
	FUZZ_CHECK(fuzz_is_within(
		slice_make(m.dests, (size_t)m.n_dests * RECORD_DEST_SIZE),
		raw));
	FUZZ_CHECK(m.n_dests <= m.n_rcpts && m.n_rcpts <= QUEUE_RCPT_MAX);
	for (size_t i = 0; i < m.n_dests; i++) {
		record_dest_get(m.dests, i, &d);
		FUZZ_CHECK(d.open > 0 && d.open <= m.n_rcpts);
		FUZZ_CHECK(d.due_ms >= RECORD_NOT_DUE);
	}
	record_next_due(&m);
	check_same(raw, record_encode_message(again, sizeof(again), &m));
}

static void decode_recipient(struct slice raw)
{
	struct recipient_record r;

	if (record_decode_recipient(raw, &r))
		return;
	FUZZ_CHECK(fuzz_is_within(r.rcpt.address, raw) &&
		   fuzz_is_within(r.rcpt.domain, raw) &&
		   fuzz_is_within(r.rcpt.orcpt, raw) &&
		   fuzz_is_within(r.reply, raw) &&
		   fuzz_is_within(r.remote, raw));
	FUZZ_CHECK(!r.kept || r.state == RCPT_FAILED);
	check_same(raw, record_encode_recipient(again, sizeof(again), &r));
}

static void decode_dest(struct slice raw)
{
	struct dest_record d;

	if (record_decode_dest(raw, &d))
		return;
	FUZZ_CHECK(fuzz_is_within(d.domain, raw) && d.domain.n <= 255);
	check_same(raw, record_encode_dest(again, RECORD_SMALL_MAX, &d));
}

static void decode_meta(struct slice raw)
{
	struct meta_record m;

	if (record_decode_meta(raw, &m) == 0)
		check_same(raw,
			   record_encode_meta(again, RECORD_SMALL_MAX, &m));
}

static void decode_chunks(struct slice raw)
{
	uint32_t chunks;

	if (record_decode_chunks(raw, &chunks) == 0)
		check_same(raw, record_encode_chunks(again, RECORD_SMALL_MAX,
						     chunks));
}

/* Its key comes first. */
static void decode_history(struct slice raw)
{
	uint64_t seq = fuzz_u64(&raw);
	struct history_row h;

	if (record_decode_history(raw, seq, &h))
		return;
	FUZZ_CHECK(fuzz_is_within(h.sender, raw) &&
		   fuzz_is_within(h.rcpt, raw) &&
		   fuzz_is_within(h.message_id, raw) &&
		   fuzz_is_within(h.text, raw));
	FUZZ_CHECK(history_what_name(h.what) != NULL);
	check_same(raw,
		   record_encode_history(again, RECORD_HISTORY_MAX, seq, &h));
}

/* --- directory --------------------------------------------------------- */

static void decode_domain(struct slice raw)
{
	struct domain_record d;
	size_t n;

	if (dir_decode_domain(raw, &d))
		return;
	FUZZ_CHECK(fuzz_is_within(d.salt, raw));
	FUZZ_CHECK(d.has_sum == (raw.p[0] == DIR_DOMAIN_VERSION));
	n = dir_encode_domain(again, DIR_RECORD_MAX, &d);
	if (d.has_sum)
		check_same(raw, n);
	else /* an older version: what it did not have is added */
		FUZZ_CHECK(n == raw.n + sizeof(d.sum) &&
			   memcmp(again + 1, raw.p + 1, raw.n - 1) == 0);
}

static void decode_generation(struct slice raw)
{
	struct generation_record g;

	if (dir_decode_generation(raw, &g) == 0)
		check_same(raw,
			   dir_encode_generation(again, DIR_RECORD_MAX, &g));
}

static void decode_peer(struct slice raw)
{
	struct peer_record p;
	size_t n;

	if (dir_decode_peer(raw, &p))
		return;
	FUZZ_CHECK(p.n_good <= PEER_HOSTS_MAX && p.n_marks <= PEER_MARKS_MAX);
	n = dir_encode_peer(again, DIR_RECORD_MAX, &p);
	if (raw.p[0] == DIR_PEER_VERSION)
		check_same(raw, n);
	else /* an older version: it had no marks, and now none */
		FUZZ_CHECK(n == raw.n + 1 && again[raw.n] == 0 &&
			   memcmp(again + 1, raw.p + 1, raw.n - 1) == 0);
}

static void decode_learned_domain(struct slice raw)
{
	struct learned_domain d;

	if (dir_decode_learned_domain(raw, &d) == 0)
		check_same(raw, dir_encode_learned_domain(again, DIR_RECORD_MAX,
							  &d));
}

static void decode_learned(struct slice raw)
{
	struct learned_record r;

	if (dir_decode_learned(raw, &r))
		return;
	FUZZ_CHECK(r.kind > LEARNED_NOTHING && r.kind < LEARNED_KINDS);
	check_same(raw, dir_encode_learned(again, DIR_RECORD_MAX, &r));
}

/* --- there and back ---------------------------------------------------- */

static struct slice some_text(struct slice *in)
{
	return slice_head(fuzz_field(in), RECORD_TEXT_MAX);
}

static void encode_message(struct slice in)
{
	struct message_record m = {
		.size = fuzz_u64(&in) >> 20,
		.crc = (uint32_t)fuzz_u64(&in),
		.expire_ms = (int64_t)fuzz_u64(&in),
		.env = {.arrived_at_ms = (int64_t)fuzz_u64(&in),
			.client.addr.family = 4,
			.client.port = 25,
			.sender = some_text(&in),
			.envid = some_text(&in),
			.client_name = some_text(&in),
			.helo = some_text(&in),
			.protocol = some_text(&in),
			.tls = some_text(&in)},
		.message_id = some_text(&in),
		.reason = some_text(&in),
	};
	struct message_record back;
	size_t n;

	m.chunks = (uint32_t)(m.size / CHUNK_SIZE + (m.size % CHUNK_SIZE != 0));
	if (m.size > (uint64_t)UINT32_MAX * CHUNK_SIZE)
		return;
	n = record_encode_message(again, sizeof(again), &m);
	FUZZ_CHECK(n > 0);
	FUZZ_CHECK(record_decode_message(slice_make(again, n), &back) == 0);
	FUZZ_CHECK(back.size == m.size && back.crc == m.crc &&
		   back.expire_ms == m.expire_ms &&
		   back.env.arrived_at_ms == m.env.arrived_at_ms);
	FUZZ_CHECK(slice_eq(back.env.sender, m.env.sender) &&
		   slice_eq(back.env.envid, m.env.envid) &&
		   slice_eq(back.env.client_name, m.env.client_name) &&
		   slice_eq(back.env.helo, m.env.helo) &&
		   slice_eq(back.env.protocol, m.env.protocol) &&
		   slice_eq(back.env.tls, m.env.tls) &&
		   slice_eq(back.message_id, m.message_id) &&
		   slice_eq(back.reason, m.reason));
}

static void encode_recipient(struct slice in)
{
	struct recipient_record r = {
		.dest = (uint32_t)fuzz_u64(&in),
		.state = (enum rcpt_state)(fuzz_u8(&in) % 3),
		.rcpt = {.address = some_text(&in),
			 .domain = some_text(&in),
			 .orcpt = some_text(&in),
			 .notify = fuzz_u8(&in) & 15},
		.last_attempt_ms = (int64_t)fuzz_u64(&in),
		.reply = some_text(&in),
		.remote = some_text(&in),
	};
	struct recipient_record back;
	size_t n = record_encode_recipient(again, RECORD_RCPT_MAX, &r);

	FUZZ_CHECK(n > 0);
	FUZZ_CHECK(record_decode_recipient(slice_make(again, n), &back) == 0);
	FUZZ_CHECK(back.dest == r.dest && back.state == r.state &&
		   back.rcpt.notify == r.rcpt.notify &&
		   back.last_attempt_ms == r.last_attempt_ms);
	FUZZ_CHECK(slice_eq(back.rcpt.address, r.rcpt.address) &&
		   slice_eq(back.rcpt.domain, r.rcpt.domain) &&
		   slice_eq(back.rcpt.orcpt, r.rcpt.orcpt) &&
		   slice_eq(back.reply, r.reply) &&
		   slice_eq(back.remote, r.remote));
}

static void encode_history(struct slice in)
{
	uint64_t seq = fuzz_u64(&in);
	struct history_row h = {
		.at_ms = (int64_t)fuzz_u64(&in),
		.id = fuzz_u64(&in),
		.what = (enum history_what)(fuzz_u8(&in) %
					    (HISTORY_IMPORTED + 1)),
		.sender = fuzz_field(&in),
		.rcpt = fuzz_field(&in),
		.message_id = fuzz_field(&in),
		.text = fuzz_field(&in),
	};
	struct history_row back;
	size_t n = record_encode_history(again, RECORD_HISTORY_MAX, seq, &h);

	FUZZ_CHECK(n > 0);
	FUZZ_CHECK(record_decode_history(slice_make(again, n), seq, &back) ==
		   0);
	FUZZ_CHECK(back.at_ms == h.at_ms && back.id == h.id &&
		   back.what == h.what);
	FUZZ_CHECK(
		slice_eq(back.sender, slice_head(h.sender, HISTORY_TEXT_MAX)));
	FUZZ_CHECK(slice_eq(back.text, slice_head(h.text, HISTORY_TEXT_MAX)));
}

static void encode_peer(struct slice in)
{
	struct peer_record p = {
		.state = (uint8_t)fuzz_u8(&in),
		.since_ms = (int64_t)fuzz_u64(&in),
		.ehlo_size = fuzz_u64(&in),
		.n_good = 1,
		.good = {{.family = 6, .port = 25}},
	};
	struct slice result = slice_head(in, sizeof(p.last_result) - 1);
	struct peer_record back;
	size_t n;

	memcpy(p.last_result, result.p, result.n);
	n = dir_encode_peer(again, DIR_RECORD_MAX, &p);
	FUZZ_CHECK(n > 0);
	FUZZ_CHECK(dir_decode_peer(slice_make(again, n), &back) == 0);
	FUZZ_CHECK(strcmp(back.last_result, p.last_result) == 0);
	FUZZ_CHECK(back.state == p.state && back.since_ms == p.since_ms &&
		   back.ehlo_size == p.ehlo_size && back.n_good == 1);
	FUZZ_CHECK(back.good[0].family == 6 && back.good[0].port == 25);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const decoders[])(struct slice) = {
		decode_message,        decode_recipient,  decode_dest,
		decode_meta,           decode_chunks,     decode_history,
		decode_domain,         decode_generation, decode_peer,
		decode_learned_domain, decode_learned,
	};
	static void (*const encoders[])(struct slice) = {
		encode_message, encode_recipient, encode_history, encode_peer};
	struct slice in = slice_make(data, size);
	unsigned kind = fuzz_u8(&in);

	if (kind > 0x7f)
		encoders[kind % MX_ARRAY_SIZE(encoders)](in);
	else
		decoders[kind % MX_ARRAY_SIZE(decoders)](in);
	return 0;
}
