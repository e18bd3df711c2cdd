/*
 * Queue ids: 64 bits, time-ordered, never reused (also not after the queue
 * was deleted): milliseconds since 1970 times 2^20, or the last id plus one,
 * whichever is larger. As text: 13 characters of Crockford's base 32, lower
 * case, fixed width, an RFC 5322 atom.
 */
#ifndef MXHOLD_BASE_ID_H
#define MXHOLD_BASE_ID_H

#include <stdint.h>

#include "mxhold/base/slice.h"

enum {
	ID_TEXT_LEN = 13
};

uint64_t id_next(uint64_t last, int64_t wall_ms);
void id_format(uint64_t id, char out[ID_TEXT_LEN + 1]); /* NUL-terminated */
/* 0, or -1 when the text is no id. Upper case is taken too. */
int id_parse(struct slice text, uint64_t *id);

#endif
