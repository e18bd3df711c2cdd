/*
 * Keys of the queue's tables: big-endian numbers, so that LMDB's plain order
 * of bytes is the order of numbers. Times are wall milliseconds; what lies
 * before 1970 counts as 0. Pure.
 */
#ifndef MXHOLD_STORAGE_KEY_H
#define MXHOLD_STORAGE_KEY_H

#include <stdint.h>

#include "mxhold/storage/codec.h"

enum {
	KEY_ID = 8,      /* incoming, sweep, message, history */
	KEY_RCPT = 10,   /* id, number */
	KEY_BODY = 12,   /* id, chunk */
	KEY_EXPIRE = 16, /* time, id */
	KEY_DUE = 20,    /* destination, time, id: also age */
};

static inline uint64_t key_time(int64_t ms)
{
	return ms > 0 ? (uint64_t)ms : 0;
}

static inline void key_id(uint8_t k[KEY_ID], uint64_t id)
{
	be64_put(k, id);
}

static inline void key_rcpt(uint8_t k[KEY_RCPT], uint64_t id, uint16_t n)
{
	be64_put(k, id);
	be16_put(k + 8, n);
}

static inline void key_body(uint8_t k[KEY_BODY], uint64_t id, uint32_t chunk)
{
	be64_put(k, id);
	be32_put(k + 8, chunk);
}

static inline void key_expire(uint8_t k[KEY_EXPIRE], int64_t ms, uint64_t id)
{
	be64_put(k, key_time(ms));
	be64_put(k + 8, id);
}

static inline void key_due(uint8_t k[KEY_DUE], uint32_t dest, int64_t ms,
			   uint64_t id)
{
	be32_put(k, dest);
	be64_put(k + 4, key_time(ms));
	be64_put(k + 12, id);
}

#endif
