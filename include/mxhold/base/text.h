/*
 * Small readers and writers of text: numbers, durations, sizes, escapes.
 * Pure; any thread.
 */
#ifndef MXHOLD_BASE_TEXT_H
#define MXHOLD_BASE_TEXT_H

#include <stdint.h>

#include "mxhold/base/buf.h"
#include "mxhold/base/slice.h"

/* Decimal digits only, whole slice, checked for overflow. 0 or -1. */
int text_parse_u64(struct slice s, uint64_t *out);
/* "10s 5m 2h 30d 2w", also "500ms"; a number without unit is seconds. To ms. */
int text_parse_duration(struct slice s, int64_t *ms);
/* "64K 50M 10G 1T"; a number without unit is bytes. */
int text_parse_size(struct slice s, uint64_t *bytes);
/* "2026-11-22T02:19:16Z" (RFC 3339, UTC), with ".123" when ms is not 0. */
enum {
	TEXT_TIME_MAX = 40
};
void text_format_rfc3339(int64_t wall_ms, char out[TEXT_TIME_MAX]);
/* What text_format_rfc3339 writes, of the years 1970 to 9999. 0 or -1. */
int text_parse_rfc3339(struct slice s, int64_t *wall_ms);
/* "3d 4h", "12m 5s", "0s": the two largest units. */
void text_format_age(int64_t ms, char out[TEXT_TIME_MAX]);
/* "1.2 MiB", "812 B". */
void text_format_size(uint64_t bytes, char out[TEXT_TIME_MAX]);
/* The words of a misspelt name: Damerau-Levenshtein distance, capped at 99. */
int text_distance(const char *a, const char *b);
/* What a terminal or a log may see: C0, C1, DEL, bidi controls and invalid
 * UTF-8 become \xHH; a backslash becomes \\. Cut to `max` bytes of s. */
int text_append_safe(struct buf *b, struct slice s, size_t max);
bool text_is_utf8(struct slice s); /* valid, shortest form, no surrogates */
bool text_is_ascii(struct slice s);
/* Hex, lower case; out holds 2n + 1. */
void text_hex(const uint8_t *p, size_t n, char *out);
int text_unhex(struct slice s, uint8_t *out, size_t n); /* exactly n bytes */
/* Castagnoli's CRC (RFC 3720 B.4); the first crc is 0, and the crc of one
 * piece is where the next goes on. Uses SSE4.2 where the processor has it. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
/* The same without the processor's help. */
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n);
/*
 * The character at the front of s: how many octets it takes (1-4), or 0 when
 * s is empty or begins with no valid UTF-8. *code may be NULL.
 */
size_t text_utf8_next(struct slice s, uint32_t *code);
/* C0, DEL, C1, line separators and bidi controls: not to be shown raw. */
bool text_is_control(uint32_t code);

#endif
