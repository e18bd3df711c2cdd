/*
 * Stored records of the queue: what stands behind each key of docs/queue.md.
 * Encoding fails (0) when the room is too small or a text too long; decoding
 * is bounded, allocates nothing, points into its input and refuses (-1) all
 * that this program could not have written. Pure; any thread.
 */
#ifndef MXHOLD_STORAGE_RECORD_H
#define MXHOLD_STORAGE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mxhold/base/slice.h"
#include "mxhold/mail/envelope.h"
#include "mxhold/storage/history.h"
#include "mxhold/storage/queue.h"

enum {
	RECORD_VERSION = 1,
	RECORD_TEXT_MAX = 4096,
	RECORD_DEST_SIZE = 14, /* one entry of message_record.dests */
	RECORD_MESSAGE_MAX =
		9 * RECORD_TEXT_MAX + 256 + QUEUE_RCPT_MAX * RECORD_DEST_SIZE,
	RECORD_RCPT_MAX = 6 * RECORD_TEXT_MAX,
	RECORD_SMALL_MAX = 512, /* meta, destination, sweep */
	RECORD_HISTORY_MAX = 4 * HISTORY_TEXT_MAX + 64,
};

/* A destination of a message that still has open recipients. */
struct record_dest {
	uint32_t dest;
	uint16_t open;  /* recipients not settled */
	int64_t due_ms; /* its row in `due`, or RECORD_NOT_DUE */
};

#define RECORD_NOT_DUE INT64_C(-1)

struct message_record {
	struct envelope env; /* rcpts is not part of it */
	uint64_t size;
	uint32_t chunks;
	uint32_t crc;
	uint32_t attempts;
	int64_t expire_ms; /* its row in `expire`; 0 = none */
	bool maybe_duplicate;
	bool held;
	bool quarantined;
	bool given_up; /* by an operator: fails without another attempt */
	bool told;     /* and its sender is to have a report */
	struct slice message_id;
	struct slice reason;
	uint16_t n_rcpts;     /* rows in `recipient`, numbered from 0 */
	uint16_t n_dests;     /* entries in dests */
	const uint8_t *dests; /* encoded: record_dest_get */
};

struct recipient_record {
	uint32_t dest;
	enum rcpt_state state;
	bool kept; /* failed, but the message is kept in quarantine: open */
	struct recipient rcpt;
	uint32_t attempts;
	int64_t last_attempt_ms;
	int64_t first_5xx_ms;
	struct slice reply;
	struct slice remote;
};

struct dest_record {
	enum dest_kind kind;
	struct slice domain;
	uint64_t messages;
	uint64_t bytes;
};

/* What goes on from transaction to transaction. */
struct meta_record {
	uint64_t last_id;
	uint64_t last_history;
	uint32_t last_dest;
	uint64_t messages;
	uint64_t bytes;
};

static inline bool recipient_is_open(const struct recipient_record *r)
{
	return r->state == RCPT_PENDING || r->kept;
}

void record_dest_get(const uint8_t *dests, size_t i, struct record_dest *out);
void record_dest_set(uint8_t *dests, size_t i, const struct record_dest *d);
/* The earliest due time of all its destinations, or RECORD_NOT_DUE. */
int64_t record_next_due(const struct message_record *m);

/* Encoders: bytes written, or 0. */
size_t record_encode_message(void *p, size_t room,
			     const struct message_record *m);
size_t record_encode_recipient(void *p, size_t room,
			       const struct recipient_record *r);
size_t record_encode_dest(void *p, size_t room, const struct dest_record *d);
size_t record_encode_meta(void *p, size_t room, const struct meta_record *m);
/* `seq` is the row's key: times are stored as the distance from it. Texts
 * are cut to HISTORY_TEXT_MAX. */
size_t record_encode_history(void *p, size_t room, uint64_t seq,
			     const struct history_row *h);
/* Rows of `incoming` and `sweep`: how many chunks were written. */
size_t record_encode_chunks(void *p, size_t room, uint32_t chunks);

/* Decoders: 0, or -1 and *out is not to be used. */
int record_decode_message(struct slice raw, struct message_record *out);
int record_decode_recipient(struct slice raw, struct recipient_record *out);
int record_decode_dest(struct slice raw, struct dest_record *out);
int record_decode_meta(struct slice raw, struct meta_record *out);
int record_decode_history(struct slice raw, uint64_t seq,
			  struct history_row *out);
int record_decode_chunks(struct slice raw, uint32_t *chunks);

#endif
