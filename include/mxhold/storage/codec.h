/*
 * Bytes of stored records: big-endian numbers, shortest-form varints, counted
 * texts. An encoder that runs out of room and a decoder that meets nonsense
 * turn `bad` and stay so; the caller asks once, at the end. Pure.
 */
#ifndef MXHOLD_STORAGE_CODEC_H
#define MXHOLD_STORAGE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "mxhold/base/slice.h"

static inline void be16_put(uint8_t *p, uint16_t v)
{
	v = __builtin_bswap16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void be32_put(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void be64_put(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, sizeof(v));
}

static inline uint16_t be16_get(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}

static inline uint32_t be32_get(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline uint64_t be64_get(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap64(v);
}

struct encoder {
	uint8_t *p;
	size_t n, room;
	bool bad;
};

static inline struct encoder encoder_make(void *p, size_t room)
{
	return (struct encoder){p, 0, room, false};
}

/* Where the next n bytes go, or NULL. */
static inline uint8_t *encode_room(struct encoder *e, size_t n)
{
	if (e->bad || e->room - e->n < n) {
		e->bad = true;
		return NULL;
	}
	e->n += n;
	return e->p + e->n - n;
}

static inline void encode_u8(struct encoder *e, uint8_t v)
{
	uint8_t *p = encode_room(e, 1);

	if (p)
		*p = v;
}

static inline void encode_u16(struct encoder *e, uint16_t v)
{
	uint8_t *p = encode_room(e, 2);

	if (p)
		be16_put(p, v);
}

static inline void encode_u32(struct encoder *e, uint32_t v)
{
	uint8_t *p = encode_room(e, 4);

	if (p)
		be32_put(p, v);
}

static inline void encode_u64(struct encoder *e, uint64_t v)
{
	uint8_t *p = encode_room(e, 8);

	if (p)
		be64_put(p, v);
}

static inline void encode_bytes(struct encoder *e, const void *bytes, size_t n)
{
	uint8_t *p = encode_room(e, n);

	if (p && n)
		memcpy(p, bytes, n);
}

/* Seven bits a byte, low ones first. */
static inline void encode_varint(struct encoder *e, uint64_t v)
{
	while (v >= 0x80) {
		encode_u8(e, (uint8_t)(v | 0x80));
		v >>= 7;
	}
	encode_u8(e, (uint8_t)v);
}

/* Signed: small magnitudes are short. */
static inline void encode_signed(struct encoder *e, int64_t v)
{
	encode_varint(e, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

static inline void encode_text(struct encoder *e, struct slice s)
{
	encode_varint(e, s.n);
	encode_bytes(e, s.p, s.n);
}

struct decoder {
	const uint8_t *p;
	size_t n; /* what is left */
	bool bad;
};

static inline struct decoder decoder_make(struct slice s)
{
	return (struct decoder){(const uint8_t *)s.p, s.n, false};
}

static inline const uint8_t *decode_bytes(struct decoder *d, size_t n)
{
	if (d->bad || d->n < n) {
		d->bad = true;
		return NULL;
	}
	d->p += n;
	d->n -= n;
	return d->p - n;
}

static inline uint8_t decode_u8(struct decoder *d)
{
	const uint8_t *p = decode_bytes(d, 1);

	return p ? *p : 0;
}

static inline uint16_t decode_u16(struct decoder *d)
{
	const uint8_t *p = decode_bytes(d, 2);

	return p ? be16_get(p) : 0;
}

static inline uint32_t decode_u32(struct decoder *d)
{
	const uint8_t *p = decode_bytes(d, 4);

	return p ? be32_get(p) : 0;
}

static inline uint64_t decode_u64(struct decoder *d)
{
	const uint8_t *p = decode_bytes(d, 8);

	return p ? be64_get(p) : 0;
}

/* Only the shortest form is a varint: one value, one encoding. */
static inline uint64_t decode_varint(struct decoder *d, uint64_t max)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = decode_u8(d);

		if (d->bad || (shift == 63 && byte > 1))
			break;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if ((byte == 0 && shift > 0) || v > max)
			break;
		return v;
	}
	d->bad = true;
	return 0;
}

static inline int64_t decode_signed(struct decoder *d)
{
	uint64_t v = decode_varint(d, UINT64_MAX);

	return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}

static inline struct slice decode_text(struct decoder *d, size_t max)
{
	size_t n = (size_t)decode_varint(d, max);
	const uint8_t *p = decode_bytes(d, n);

	return slice_make(p ? (const void *)p : "", p ? n : 0);
}

static inline bool decode_bool(struct decoder *d)
{
	uint8_t v = decode_u8(d);

	if (v > 1)
		d->bad = true;
	return v == 1;
}

/* 0 when all was read and nothing was wrong, else -1. */
static inline int decode_end(const struct decoder *d)
{
	return d->bad || d->n ? -1 : 0;
}

#endif
