#include "mxhold/storage/record.h"

#include "mxhold/storage/codec.h"

/* Bits of a message's flags. */
enum {
	FLAG_SMTPUTF8 = 1 << 0,
	FLAG_REQUIRETLS = 1 << 1,
	FLAG_EIGHT_BIT = 1 << 2,
	FLAG_UTF8_HEADER = 1 << 3,
	FLAG_TLS_OPTIONAL = 1 << 4,
	FLAG_REPORT = 1 << 5,
	FLAG_MAYBE_DUPLICATE = 1 << 6,
	FLAG_HELD = 1 << 7,
	FLAG_QUARANTINED = 1 << 8,
	FLAG_GIVEN_UP = 1 << 9,
	FLAG_TOLD = 1 << 10,
	FLAGS_KNOWN = (1 << 11) - 1,
};

/* Bits of a recipient's state. */
enum {
	RCPT_STATE_MASK = 3,
	RCPT_KEPT = 1 << 2,
	RCPT_DOMAIN_WRITTEN = 1 << 3, /* else it ends the address */
	RCPT_KNOWN = (1 << 4) - 1,
};

void record_dest_get(const uint8_t *dests, size_t i, struct record_dest *out)
{
	const uint8_t *p = dests + i * RECORD_DEST_SIZE;

	out->dest = be32_get(p);
	out->open = be16_get(p + 4);
	out->due_ms = (int64_t)(be64_get(p + 6) - 1);
}

void record_dest_set(uint8_t *dests, size_t i, const struct record_dest *d)
{
	uint8_t *p = dests + i * RECORD_DEST_SIZE;

	be32_put(p, d->dest);
	be16_put(p + 4, d->open);
	be64_put(p + 6, (uint64_t)d->due_ms + 1);
}

int64_t record_next_due(const struct message_record *m)
{
	int64_t next = RECORD_NOT_DUE;
	struct record_dest d;

	for (size_t i = 0; i < m->n_dests; i++) {
		record_dest_get(m->dests, i, &d);
		if (d.due_ms != RECORD_NOT_DUE &&
		    (next == RECORD_NOT_DUE || d.due_ms < next))
			next = d.due_ms;
	}
	return next;
}

static size_t finish(const struct encoder *e)
{
	return e->bad ? 0 : e->n;
}

static void encode_checked(struct encoder *e, struct slice s)
{
	if (s.n > RECORD_TEXT_MAX)
		e->bad = true;
	else
		encode_text(e, s);
}

static struct slice decode_checked(struct decoder *d)
{
	return decode_text(d, RECORD_TEXT_MAX);
}

static void decode_version(struct decoder *d)
{
	if (decode_u8(d) != RECORD_VERSION)
		d->bad = true;
}

/* --- message ----------------------------------------------------------- */

static uint16_t message_flags(const struct message_record *m)
{
	const struct envelope *e = &m->env;

	return (uint16_t)((e->smtputf8 ? FLAG_SMTPUTF8 : 0) |
			  (e->requiretls ? FLAG_REQUIRETLS : 0) |
			  (e->eight_bit ? FLAG_EIGHT_BIT : 0) |
			  (e->utf8_header ? FLAG_UTF8_HEADER : 0) |
			  (e->tls_optional ? FLAG_TLS_OPTIONAL : 0) |
			  (e->is_report ? FLAG_REPORT : 0) |
			  (m->maybe_duplicate ? FLAG_MAYBE_DUPLICATE : 0) |
			  (m->held ? FLAG_HELD : 0) |
			  (m->quarantined ? FLAG_QUARANTINED : 0) |
			  (m->given_up ? FLAG_GIVEN_UP : 0) |
			  (m->told ? FLAG_TOLD : 0));
}

static void set_message_flags(struct message_record *m, unsigned flags)
{
	struct envelope *e = &m->env;

	e->smtputf8 = flags & FLAG_SMTPUTF8;
	e->requiretls = flags & FLAG_REQUIRETLS;
	e->eight_bit = flags & FLAG_EIGHT_BIT;
	e->utf8_header = flags & FLAG_UTF8_HEADER;
	e->tls_optional = flags & FLAG_TLS_OPTIONAL;
	e->is_report = flags & FLAG_REPORT;
	m->maybe_duplicate = flags & FLAG_MAYBE_DUPLICATE;
	m->held = flags & FLAG_HELD;
	m->quarantined = flags & FLAG_QUARANTINED;
	m->given_up = flags & FLAG_GIVEN_UP;
	m->told = flags & FLAG_TOLD;
}

static size_t family_bytes(unsigned family)
{
	return family == 4 ? 4 : family == 6 ? 16 : 0;
}

static void encode_client(struct encoder *e, const struct endpoint *c)
{
	encode_u8(e, c->addr.family);
	encode_bytes(e, c->addr.bytes, family_bytes(c->addr.family));
	if (c->addr.family)
		encode_u16(e, c->port);
}

static void decode_client(struct decoder *d, struct endpoint *c)
{
	const uint8_t *p;

	c->addr.family = decode_u8(d);
	if (c->addr.family != 0 && !family_bytes(c->addr.family)) {
		d->bad = true;
		return;
	}
	p = decode_bytes(d, family_bytes(c->addr.family));
	if (p)
		memcpy(c->addr.bytes, p, family_bytes(c->addr.family));
	if (c->addr.family)
		c->port = decode_u16(d);
}

size_t record_encode_message(void *p, size_t room,
			     const struct message_record *m)
{
	struct encoder e = encoder_make(p, room);
	const struct envelope *env = &m->env;

	encode_u8(&e, RECORD_VERSION);
	encode_u16(&e, message_flags(m));
	encode_u8(&e, (uint8_t)(env->ret << 4 | env->body));
	encode_varint(&e, m->size);
	encode_varint(&e, m->chunks);
	encode_u32(&e, m->crc);
	encode_varint(&e, m->attempts);
	encode_signed(&e, env->arrived_at_ms);
	encode_signed(&e, m->expire_ms);
	encode_client(&e, &env->client);
	encode_checked(&e, env->sender);
	encode_checked(&e, env->envid);
	encode_checked(&e, env->client_name);
	encode_checked(&e, env->helo);
	encode_checked(&e, env->protocol);
	encode_checked(&e, env->tls);
	encode_checked(&e, m->message_id);
	encode_checked(&e, m->reason);
	encode_u16(&e, m->n_rcpts);
	encode_u16(&e, m->n_dests);
	encode_bytes(&e, m->dests, (size_t)m->n_dests * RECORD_DEST_SIZE);
	return finish(&e);
}

static void decode_message_numbers(struct decoder *d, struct message_record *m)
{
	unsigned flags, kinds;

	decode_version(d);
	flags = decode_u16(d);
	kinds = decode_u8(d);
	if (flags & ~(unsigned)FLAGS_KNOWN || kinds >> 4 > DSN_RET_HDRS ||
	    (kinds & 15) > BODY_BINARYMIME)
		d->bad = true;
	set_message_flags(m, flags);
	m->env.ret = (enum dsn_ret)(kinds >> 4);
	m->env.body = (enum body_type)(kinds & 15);
	m->size = decode_varint(d, UINT64_MAX);
	m->chunks = (uint32_t)decode_varint(d, UINT32_MAX);
	m->crc = decode_u32(d);
	m->attempts = (uint32_t)decode_varint(d, UINT32_MAX);
	m->env.arrived_at_ms = decode_signed(d);
	m->expire_ms = decode_signed(d);
	/* Every chunk but the last is full. */
	if (m->chunks != m->size / CHUNK_SIZE + (m->size % CHUNK_SIZE != 0))
		d->bad = true;
}

static void decode_message_dests(struct decoder *d, struct message_record *m)
{
	struct record_dest dest;

	m->n_rcpts = decode_u16(d);
	m->n_dests = decode_u16(d);
	m->dests = decode_bytes(d, (size_t)m->n_dests * RECORD_DEST_SIZE);
	if (d->bad || m->n_dests > m->n_rcpts || m->n_rcpts > QUEUE_RCPT_MAX) {
		d->bad = true;
		return;
	}
	for (size_t i = 0; i < m->n_dests; i++) {
		record_dest_get(m->dests, i, &dest);
		if (dest.open == 0 || dest.open > m->n_rcpts ||
		    dest.due_ms < RECORD_NOT_DUE)
			d->bad = true;
	}
}

int record_decode_message(struct slice raw, struct message_record *out)
{
	struct decoder d = decoder_make(raw);

	memset(out, 0, sizeof(*out));
	decode_message_numbers(&d, out);
	decode_client(&d, &out->env.client);
	out->env.sender = decode_checked(&d);
	out->env.envid = decode_checked(&d);
	out->env.client_name = decode_checked(&d);
	out->env.helo = decode_checked(&d);
	out->env.protocol = decode_checked(&d);
	out->env.tls = decode_checked(&d);
	out->message_id = decode_checked(&d);
	out->reason = decode_checked(&d);
	decode_message_dests(&d, out);
	return decode_end(&d);
}

/* --- recipient --------------------------------------------------------- */

/* What follows the last "@" of the address; empty without one. */
static struct slice address_domain(struct slice address)
{
	for (size_t i = address.n; i > 0; i--) {
		if (address.p[i - 1] == '@')
			return slice_skip(address, i);
	}
	return slice_make("", 0);
}

size_t record_encode_recipient(void *p, size_t room,
			       const struct recipient_record *r)
{
	struct encoder e = encoder_make(p, room);
	bool written =
		!slice_eq(r->rcpt.domain, address_domain(r->rcpt.address));

	encode_u8(&e, RECORD_VERSION);
	encode_u8(&e, (uint8_t)(r->state | (r->kept ? RCPT_KEPT : 0) |
				(written ? RCPT_DOMAIN_WRITTEN : 0)));
	encode_u8(&e, r->rcpt.notify);
	encode_varint(&e, r->dest);
	encode_checked(&e, r->rcpt.address);
	if (written)
		encode_checked(&e, r->rcpt.domain);
	encode_checked(&e, r->rcpt.orcpt);
	encode_varint(&e, r->attempts);
	encode_signed(&e, r->last_attempt_ms);
	encode_signed(&e, r->first_5xx_ms);
	encode_checked(&e, r->reply);
	encode_checked(&e, r->remote);
	return finish(&e);
}

int record_decode_recipient(struct slice raw, struct recipient_record *out)
{
	struct decoder d = decoder_make(raw);
	unsigned flags;

	memset(out, 0, sizeof(*out));
	decode_version(&d);
	flags = decode_u8(&d);
	out->state = (enum rcpt_state)(flags & RCPT_STATE_MASK);
	out->kept = flags & RCPT_KEPT;
	out->rcpt.notify = decode_u8(&d);
	out->dest = (uint32_t)decode_varint(&d, UINT32_MAX);
	out->rcpt.address = decode_checked(&d);
	out->rcpt.domain = flags & RCPT_DOMAIN_WRITTEN
				   ? decode_checked(&d)
				   : address_domain(out->rcpt.address);
	out->rcpt.orcpt = decode_checked(&d);
	out->attempts = (uint32_t)decode_varint(&d, UINT32_MAX);
	out->last_attempt_ms = decode_signed(&d);
	out->first_5xx_ms = decode_signed(&d);
	out->reply = decode_checked(&d);
	out->remote = decode_checked(&d);
	if (flags & ~(unsigned)RCPT_KNOWN || out->state > RCPT_FAILED ||
	    (out->kept && out->state != RCPT_FAILED) || out->rcpt.notify > 15)
		d.bad = true;
	if (flags & RCPT_DOMAIN_WRITTEN &&
	    slice_eq(out->rcpt.domain, address_domain(out->rcpt.address)))
		d.bad = true;
	return decode_end(&d);
}

/* --- small ones -------------------------------------------------------- */

size_t record_encode_dest(void *p, size_t room, const struct dest_record *d)
{
	struct encoder e = encoder_make(p, room);

	encode_u8(&e, RECORD_VERSION);
	encode_u8(&e, (uint8_t)d->kind);
	encode_checked(&e, d->domain);
	encode_varint(&e, d->messages);
	encode_varint(&e, d->bytes);
	return finish(&e);
}

int record_decode_dest(struct slice raw, struct dest_record *out)
{
	struct decoder d = decoder_make(raw);
	unsigned kind;

	memset(out, 0, sizeof(*out));
	decode_version(&d);
	kind = decode_u8(&d);
	if (kind > DEST_REPORT)
		d.bad = true;
	out->kind = (enum dest_kind)kind;
	out->domain = decode_text(&d, 255);
	out->messages = decode_varint(&d, UINT64_MAX);
	out->bytes = decode_varint(&d, UINT64_MAX);
	return decode_end(&d);
}

size_t record_encode_meta(void *p, size_t room, const struct meta_record *m)
{
	struct encoder e = encoder_make(p, room);

	encode_u8(&e, RECORD_VERSION);
	encode_u64(&e, m->last_id);
	encode_u64(&e, m->last_history);
	encode_u32(&e, m->last_dest);
	encode_u64(&e, m->messages);
	encode_u64(&e, m->bytes);
	return finish(&e);
}

int record_decode_meta(struct slice raw, struct meta_record *out)
{
	struct decoder d = decoder_make(raw);

	memset(out, 0, sizeof(*out));
	decode_version(&d);
	out->last_id = decode_u64(&d);
	out->last_history = decode_u64(&d);
	out->last_dest = decode_u32(&d);
	out->messages = decode_u64(&d);
	out->bytes = decode_u64(&d);
	return decode_end(&d);
}

size_t record_encode_chunks(void *p, size_t room, uint32_t chunks)
{
	struct encoder e = encoder_make(p, room);

	encode_u8(&e, RECORD_VERSION);
	encode_u32(&e, chunks);
	return finish(&e);
}

int record_decode_chunks(struct slice raw, uint32_t *chunks)
{
	struct decoder d = decoder_make(raw);

	decode_version(&d);
	*chunks = decode_u32(&d);
	return decode_end(&d);
}

/* --- history ----------------------------------------------------------- */

/* Ids and sequence numbers are milliseconds times 2^20 (base/id.h). */
static int64_t seq_ms(uint64_t seq)
{
	return (int64_t)(seq >> 20);
}

static void encode_cut(struct encoder *e, struct slice s)
{
	encode_text(e, slice_head(s, HISTORY_TEXT_MAX));
}

size_t record_encode_history(void *p, size_t room, uint64_t seq,
			     const struct history_row *h)
{
	struct encoder e = encoder_make(p, room);

	encode_u8(&e, RECORD_VERSION);
	encode_u8(&e, (uint8_t)h->what);
	encode_signed(&e, (int64_t)((uint64_t)h->at_ms - (seq >> 20)));
	encode_u64(&e, h->id);
	encode_cut(&e, h->sender);
	encode_cut(&e, h->rcpt);
	encode_cut(&e, h->message_id);
	encode_cut(&e, h->text);
	return finish(&e);
}

int record_decode_history(struct slice raw, uint64_t seq,
			  struct history_row *out)
{
	struct decoder d = decoder_make(raw);
	unsigned what;

	memset(out, 0, sizeof(*out));
	decode_version(&d);
	what = decode_u8(&d);
	if (what > HISTORY_IMPORTED)
		d.bad = true;
	out->what = (enum history_what)what;
	out->at_ms =
		(int64_t)((uint64_t)decode_signed(&d) + (uint64_t)seq_ms(seq));
	out->id = decode_u64(&d);
	out->sender = decode_text(&d, HISTORY_TEXT_MAX);
	out->rcpt = decode_text(&d, HISTORY_TEXT_MAX);
	out->message_id = decode_text(&d, HISTORY_TEXT_MAX);
	out->text = decode_text(&d, HISTORY_TEXT_MAX);
	return decode_end(&d);
}
