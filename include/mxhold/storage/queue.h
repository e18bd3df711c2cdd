/*
 * What lies in the queue: values shared by writer, reader and their callers.
 */
#ifndef MXHOLD_STORAGE_QUEUE_H
#define MXHOLD_STORAGE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/id.h"
#include "mxhold/base/slice.h"
#include "mxhold/mail/envelope.h"

enum {
	CHUNK_SIZE = 4080,           /* one LMDB page with its header */
	PART_SIZE = 64 * CHUNK_SIZE, /* of a streamed message */
	QUEUE_RCPT_MAX = 10000,      /* recipients of one message */
};

/* A destination: a small number for a recipient domain, or for the sender
 * domain that a report goes to. Numbers are never reused. */
enum dest_kind {
	DEST_DOMAIN,
	DEST_REPORT
};

enum queue_state {   /* of a message, as the CLI shows it */
	QUEUE_READY, /* waits only for its primary */
	QUEUE_RETRY, /* waits for its own timer */
	QUEUE_HELD,  /* by an operator */
	QUEUE_QUARANTINE
};

enum rcpt_state {
	RCPT_PENDING,
	RCPT_DELIVERED,
	RCPT_FAILED
};

struct queue_rcpt {
	uint16_t n; /* number within the message */
	uint32_t dest;
	enum rcpt_state state;
	bool kept; /* failed, but open: its message is in quarantine */
	struct recipient rcpt;
	uint32_t attempts;
	int64_t last_attempt_ms; /* wall; 0 = none yet */
	int64_t first_5xx_ms;    /* wall; 0 = none yet */
	struct slice reply;      /* last reply "450 4.2.0 text", or why */
	struct slice remote;     /* who said it, or empty */
};

struct queue_message {
	uint64_t id;
	enum queue_state state;
	struct envelope env; /* rcpts NULL: see rcpts below */
	uint64_t size;       /* octets of content, our Received included */
	uint32_t chunks;
	uint32_t crc;            /* CRC32C of the content */
	uint32_t attempts;       /* transactions tried */
	int64_t next_attempt_ms; /* wall; 0 when held */
	bool maybe_duplicate;    /* a reply after the final dot was lost */
	bool quarantined;
	bool given_up;           /* by an operator: no attempt is made */
	bool told;               /* and its sender is to have a report */
	struct slice message_id; /* "<...>" or empty */
	struct slice reason;     /* last failure or why it is held */
	struct queue_rcpt *rcpts;
	size_t n_rcpts;
};

/* What a message brings along that was in a queue before. */
struct queue_past {
	uint64_t id; /* there */
	uint64_t size;
	uint32_t crc;
	uint32_t attempts;
	bool maybe_duplicate;
	const struct queue_rcpt *rcpts; /* one for each of the envelope's;
					 * one at least is open */
};

struct queue_counts {
	uint64_t messages;
	uint64_t bytes;
	int64_t oldest_ms; /* wall time of the oldest arrival; 0 = none */
};

const char *queue_state_name(enum queue_state s);
const char *rcpt_state_name(enum rcpt_state s);

#endif
