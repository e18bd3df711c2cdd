#include "mxhold/storage/directory_parts.h"

#include <string.h>

#include "mxhold/storage/codec.h"

static size_t finish(const struct encoder *e)
{
	return e->bad ? 0 : e->n;
}

static void decode_version(struct decoder *d)
{
	if (decode_u8(d) != DIR_VERSION)
		d->bad = true;
}

size_t dir_encode_domain(void *p, size_t room, const struct domain_record *d)
{
	struct encoder e = encoder_make(p, room);

	encode_u8(&e, DIR_DOMAIN_VERSION);
	encode_u32(&e, d->generation);
	encode_varint(&e, d->count);
	encode_signed(&e, d->loaded_ms);
	encode_u8(&e, d->has_hash);
	encode_u8(&e, d->has_never);
	encode_u8(&e, d->has_catchall);
	encode_text(&e, d->salt);
	encode_u64(&e, d->sum);
	return d->salt.n > DIR_SALT_MAX ? 0 : finish(&e);
}

int dir_decode_domain(struct slice raw, struct domain_record *out)
{
	struct decoder d = decoder_make(raw);
	unsigned version = decode_u8(&d);

	memset(out, 0, sizeof(*out));
	if (version < 1 || version > DIR_DOMAIN_VERSION)
		d.bad = true;
	out->generation = decode_u32(&d);
	out->count = decode_varint(&d, UINT64_MAX);
	out->loaded_ms = decode_signed(&d);
	out->has_hash = decode_bool(&d);
	out->has_never = decode_bool(&d);
	out->has_catchall = decode_bool(&d);
	out->salt = decode_text(&d, DIR_SALT_MAX);
	out->has_sum = version >= 2;
	if (out->has_sum)
		out->sum = decode_u64(&d);
	return decode_end(&d);
}

size_t dir_encode_generation(void *p, size_t room,
			     const struct generation_record *g)
{
	struct encoder e = encoder_make(p, room);

	encode_u8(&e, DIR_VERSION);
	encode_u8(&e, g->old);
	encode_u32(&e, g->pid);
	encode_u64(&e, g->token);
	return finish(&e);
}

int dir_decode_generation(struct slice raw, struct generation_record *out)
{
	struct decoder d = decoder_make(raw);

	memset(out, 0, sizeof(*out));
	decode_version(&d);
	out->old = decode_bool(&d);
	out->pid = decode_u32(&d);
	out->token = decode_u64(&d);
	return decode_end(&d);
}

static size_t family_bytes(unsigned family)
{
	return family == 4 ? 4 : family == 6 ? 16 : 0;
}

size_t dir_encode_peer(void *p, size_t room, const struct peer_record *r)
{
	struct encoder e = encoder_make(p, room);
	size_t n = strnlen(r->last_result, sizeof(r->last_result) - 1);

	encode_u8(&e, DIR_PEER_VERSION);
	encode_u8(&e, r->state);
	encode_signed(&e, r->since_ms);
	encode_signed(&e, r->last_probe_ms);
	encode_varint(&e, r->last_probe_took_ms);
	encode_text(&e, slice_make(r->last_result, n));
	encode_varint(&e, r->ehlo_ext);
	encode_varint(&e, r->ehlo_size);
	encode_signed(&e, r->up_ms);
	encode_signed(&e, r->last_up_ms);
	encode_signed(&e, r->good_at_ms);
	encode_u8(&e, r->n_good);
	if (r->n_good > PEER_HOSTS_MAX || r->n_marks > PEER_MARKS_MAX)
		return 0;
	for (size_t i = 0; i < r->n_good; i++) {
		encode_u8(&e, r->good[i].family);
		encode_bytes(&e, r->good[i].bytes,
			     family_bytes(r->good[i].family));
		encode_u16(&e, r->good[i].port);
	}
	encode_u8(&e, r->n_marks);
	for (size_t i = 0; i < r->n_marks; i++) {
		encode_signed(&e, r->marks[i].wall_ms);
		encode_signed(&e, r->marks[i].up_ms);
	}
	return finish(&e);
}

static void decode_good(struct decoder *d, struct endpoint_record *g)
{
	const uint8_t *p;

	g->family = decode_u8(d);
	p = decode_bytes(d, family_bytes(g->family));
	if (!p || !family_bytes(g->family)) {
		d->bad = true;
		return;
	}
	memcpy(g->bytes, p, family_bytes(g->family));
	g->port = decode_u16(d);
}

static void decode_marks(struct decoder *d, struct peer_record *out)
{
	unsigned n = decode_u8(d);

	if (n > PEER_MARKS_MAX) {
		d->bad = true;
		return;
	}
	out->n_marks = (uint8_t)n;
	for (unsigned i = 0; i < n; i++) {
		out->marks[i].wall_ms = decode_signed(d);
		out->marks[i].up_ms = decode_signed(d);
	}
}

int dir_decode_peer(struct slice raw, struct peer_record *out)
{
	struct decoder d = decoder_make(raw);
	unsigned version = decode_u8(&d);
	struct slice result;

	memset(out, 0, sizeof(*out));
	if (version < 1 || version > DIR_PEER_VERSION)
		d.bad = true;
	out->state = decode_u8(&d);
	out->since_ms = decode_signed(&d);
	out->last_probe_ms = decode_signed(&d);
	out->last_probe_took_ms = (uint32_t)decode_varint(&d, UINT32_MAX);
	result = decode_text(&d, sizeof(out->last_result) - 1);
	memcpy(out->last_result, result.p, result.n);
	if (slice_index(result, '\0') >= 0)
		d.bad = true;
	out->ehlo_ext = (uint32_t)decode_varint(&d, UINT32_MAX);
	out->ehlo_size = decode_varint(&d, UINT64_MAX);
	out->up_ms = decode_signed(&d);
	out->last_up_ms = decode_signed(&d);
	out->good_at_ms = decode_signed(&d);
	out->n_good = decode_u8(&d);
	if (out->n_good > PEER_HOSTS_MAX) {
		out->n_good = 0;
		return -1;
	}
	for (size_t i = 0; i < out->n_good; i++)
		decode_good(&d, &out->good[i]);
	if (version >= 2)
		decode_marks(&d, out);
	return decode_end(&d);
}

static void encode_string(struct encoder *e, const char *s, size_t room)
{
	encode_text(e, slice_make(s, strnlen(s, room - 1)));
}

static void decode_string(struct decoder *d, char *out, size_t room)
{
	struct slice s = decode_text(d, room - 1);

	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

size_t dir_encode_list(void *p, size_t room, const struct list_state *s)
{
	struct encoder e = encoder_make(p, room);

	encode_u8(&e, DIR_VERSION);
	encode_u64(&e, s->fingerprint);
	encode_signed(&e, s->tried_ms);
	encode_signed(&e, s->good_ms);
	encode_u8(&e, s->refused);
	encode_u8(&e, s->accepted);
	encode_varint(&e, s->refused_entries);
	encode_u64(&e, s->refused_sum);
	encode_signed(&e, s->refused_ms);
	encode_string(&e, s->problem, sizeof(s->problem));
	return finish(&e);
}

int dir_decode_list(struct slice raw, struct list_state *out)
{
	struct decoder d = decoder_make(raw);

	memset(out, 0, sizeof(*out));
	decode_version(&d);
	out->fingerprint = decode_u64(&d);
	out->tried_ms = decode_signed(&d);
	out->good_ms = decode_signed(&d);
	out->refused = decode_bool(&d);
	out->accepted = decode_bool(&d);
	out->refused_entries = decode_varint(&d, UINT64_MAX);
	out->refused_sum = decode_u64(&d);
	out->refused_ms = decode_signed(&d);
	decode_string(&d, out->problem, sizeof(out->problem));
	return decode_end(&d);
}

size_t dir_encode_source(void *p, size_t room, const struct source_state *s)
{
	struct encoder e = encoder_make(p, room);

	encode_u8(&e, DIR_VERSION);
	encode_u64(&e, s->id);
	encode_signed(&e, s->tried_ms);
	encode_signed(&e, s->good_ms);
	encode_varint(&e, s->entries);
	encode_u64(&e, s->sum);
	encode_string(&e, s->etag, sizeof(s->etag));
	encode_string(&e, s->modified, sizeof(s->modified));
	encode_string(&e, s->problem, sizeof(s->problem));
	return finish(&e);
}

int dir_decode_source(struct slice raw, struct source_state *out)
{
	struct decoder d = decoder_make(raw);

	memset(out, 0, sizeof(*out));
	decode_version(&d);
	out->id = decode_u64(&d);
	out->tried_ms = decode_signed(&d);
	out->good_ms = decode_signed(&d);
	out->entries = decode_varint(&d, UINT64_MAX);
	out->sum = decode_u64(&d);
	decode_string(&d, out->etag, sizeof(out->etag));
	decode_string(&d, out->modified, sizeof(out->modified));
	decode_string(&d, out->problem, sizeof(out->problem));
	return decode_end(&d);
}

size_t dir_encode_learned_domain(void *p, size_t room,
				 const struct learned_domain *d)
{
	struct encoder e = encoder_make(p, room);

	encode_u8(&e, DIR_VERSION);
	encode_u32(&e, d->number);
	encode_u64(&e, d->primary);
	encode_signed(&e, d->shift);
	encode_signed(&e, d->clock_ms);
	for (int kind = LEARNED_TAKEN; kind < LEARNED_KINDS; kind++)
		encode_varint(&e, d->n[kind]);
	return finish(&e);
}

int dir_decode_learned_domain(struct slice raw, struct learned_domain *out)
{
	struct decoder d = decoder_make(raw);

	memset(out, 0, sizeof(*out));
	decode_version(&d);
	out->number = decode_u32(&d);
	out->primary = decode_u64(&d);
	out->shift = decode_signed(&d);
	out->clock_ms = decode_signed(&d);
	for (int kind = LEARNED_TAKEN; kind < LEARNED_KINDS; kind++)
		out->n[kind] = decode_varint(&d, UINT64_MAX);
	return decode_end(&d);
}

size_t dir_encode_learned(void *p, size_t room, const struct learned_record *r)
{
	struct encoder e = encoder_make(p, room);

	encode_u8(&e, DIR_VERSION);
	encode_u8(&e, (uint8_t)r->kind);
	encode_u8(&e, (uint8_t)r->by);
	encode_signed(&e, r->at_ms);
	encode_signed(&e, r->wall_ms);
	encode_signed(&e, r->doubt_ms);
	return finish(&e);
}

int dir_decode_learned(struct slice raw, struct learned_record *out)
{
	struct decoder d = decoder_make(raw);
	uint8_t kind, by;

	memset(out, 0, sizeof(*out));
	decode_version(&d);
	kind = decode_u8(&d);
	by = decode_u8(&d);
	out->at_ms = decode_signed(&d);
	out->wall_ms = decode_signed(&d);
	out->doubt_ms = decode_signed(&d);
	if (kind <= LEARNED_NOTHING || kind >= LEARNED_KINDS ||
	    by > LEARNED_BY_OPERATOR)
		return -1;
	out->kind = (enum learned)kind;
	out->by = (enum learned_by)by;
	return decode_end(&d);
}
