/*
 * A message outside of a queue: its content in one file, and beside it what
 * SMTP said about it and how far it had come, as JSON (mxholdctl(8), queue
 * export). Octets that are no UTF-8 are told as {"hex":"..."}, so that
 * nothing is lost on the way. Pure.
 */
#ifndef MXHOLD_CONTROL_PARCEL_H
#define MXHOLD_CONTROL_PARCEL_H

#include <jansson.h>

#include "mxhold/base/arena.h"
#include "mxhold/base/error.h"
#include "mxhold/storage/queue.h"

/* A new reference. */
json_t *parcel_format(const struct queue_message *m);

/* Slices lie in the arena that it was parsed with. */
struct parcel {
	struct envelope env;
	struct queue_past past; /* its rcpts are those of env, in order */
	struct slice message_id, reason;
	bool held, quarantined;
};

/*
 * Whatever the file holds: addresses must be addresses, domains canonical,
 * no text has controls, one recipient at least must be open. 0, or -1 with
 * a sentence that names the field.
 */
int parcel_parse(const json_t *json, struct arena *arena, struct parcel *out,
		 struct error *err);

#endif
