/*
 * The fields of an exported message, shared by its writer (parcel.c) and its
 * reader (parcel_parse.c). Private to control.
 */
#ifndef MXHOLD_CONTROL_PARCEL_PARTS_H
#define MXHOLD_CONTROL_PARCEL_PARTS_H

#include "mxhold/control/parcel.h"

enum parcel_kind {      /* what may stand in a text */
	PARCEL_ANY,     /* as a peer said it */
	PARCEL_LINE,    /* no line ends */
	PARCEL_WORD,    /* no controls and no blanks */
	PARCEL_ADDRESS, /* or empty */
};

struct parcel_text {
	const char *key;
	size_t at; /* of a struct slice in the struct */
	enum parcel_kind kind;
};

struct parcel_flag {
	const char *key;
	size_t at; /* of a bool in struct envelope */
};

struct parcel_notify {
	const char *key;
	uint8_t bit;
};

enum {
	PARCEL_BODIES = BODY_BINARYMIME + 1,
	PARCEL_RETS = DSN_RET_HDRS + 1,
	PARCEL_ENV_TEXTS = 6,
	PARCEL_RCPT_TEXTS = 5,
	PARCEL_MESSAGE_TEXTS = 2,
	PARCEL_FLAGS = 6,
	PARCEL_NOTIFIES = 4,
};

extern const char *const parcel_bodies[PARCEL_BODIES];
extern const char *const parcel_rets[PARCEL_RETS];
/* Of struct envelope, struct queue_rcpt, struct parcel. */
extern const struct parcel_text parcel_env_texts[PARCEL_ENV_TEXTS];
extern const struct parcel_text parcel_rcpt_texts[PARCEL_RCPT_TEXTS];
extern const struct parcel_text parcel_message_texts[PARCEL_MESSAGE_TEXTS];
extern const struct parcel_flag parcel_flags[PARCEL_FLAGS];
extern const struct parcel_notify parcel_notifies[PARCEL_NOTIFIES];

#endif
