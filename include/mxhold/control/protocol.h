/*
 * What mxholdctl and the daemon say to each other over the control socket:
 * one JSON object a line each way, ASCII only, bounded. Pure; shared by both
 * sides.
 *
 *	-> {"v":1,"command":"queue list","args":{"domain":"example.com"}}
 *	<- {"row":{...}}        one element of a listing, any number
 *	<- {"raw":"0d0a"}       octets as hex, any number
 *	<- {"result":{...}}     the one object of other commands
 *	<- {"end":{"exit":0,"error":""}}
 *
 * queue export answers with a row for each message, its parcel (parcel.h),
 * and after it the raw lines of its content. queue import takes one message
 * in several requests, each with an answer:
 *
 *	-> "args":{"step":"begin","message":PARCEL}   <- {"twin":""} or its id
 *	-> "args":{"step":"part","raw":"0d0a"}        any number
 *	-> "args":{"step":"end","raw":""}             <- {"id":"..."}
 */
#ifndef MXHOLD_CONTROL_PROTOCOL_H
#define MXHOLD_CONTROL_PROTOCOL_H

#include <jansson.h>

#include "mxhold/base/buf.h"
#include "mxhold/base/error.h"

enum {
	PROTOCOL_REQUEST_MAX = 16 << 20, /* octets of one line */
	PROTOCOL_RESPONSE_MAX = 64 << 20,
	PROTOCOL_RAW_MAX = 64 * 1024, /* octets in one raw line */
};

enum exit_code { /* of mxholdctl; the daemon gives it */
	EXIT_DONE,
	EXIT_FAILED,
	EXIT_USAGE,
	EXIT_UNREACHABLE,
	EXIT_NO_MATCH,
	EXIT_NOT_PERMITTED,
	EXIT_PARTLY,
	EXIT_BAD_CONFIG
};

/* Appenders return 0, or -1 when the buffer is full. They do not take the
 * reference to what they write. */
int protocol_append_request(struct buf *out, const char *command, json_t *args);
int protocol_append_row(struct buf *out, json_t *row);
int protocol_append_result(struct buf *out, json_t *result);
int protocol_append_raw(struct buf *out, struct slice bytes);
int protocol_append_end(struct buf *out, enum exit_code exit,
			const char *error);

struct protocol_request {
	const char *command; /* points into root */
	json_t *args;        /* an object; points into root */
	json_t *root;
};

/* One line without its LF. 0, or -1 with a sentence. */
int protocol_parse_request(struct slice line, struct protocol_request *out,
			   struct error *err);
void protocol_request_done(struct protocol_request *r);

enum protocol_kind {
	PROTOCOL_ROW,
	PROTOCOL_RESULT,
	PROTOCOL_RAW,
	PROTOCOL_END
};

struct protocol_response {
	enum protocol_kind kind;
	json_t *value;    /* of row and result; points into root */
	struct slice hex; /* of raw */
	enum exit_code exit;
	const char *error; /* of end; "" when there is none */
	json_t *root;
};

int protocol_parse_response(struct slice line, struct protocol_response *out,
			    struct error *err);
void protocol_response_done(struct protocol_response *r);

/* A JSON string of any octets: what is no UTF-8 is escaped. */
json_t *protocol_text(struct slice s);
/* RFC 3339, or "" for 0. */
json_t *protocol_time(int64_t wall_ms);

#endif
