#include "mxhold/control/import.h"

#include <stdio.h>
#include <string.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/text.h"

enum {
	ARENA_CAP = 64 << 20, /* one envelope with all its recipients */
};

struct import {
	struct arena arena;
	struct parcel parcel;
	const struct config *config;
	struct upload up;
	uint64_t size; /* octets taken */
	uint32_t crc;
	bool last; /* the job under way is the last */
	char *reason;
	struct job_part part;
	struct job_add add;
};

struct import *import_new(const json_t *parcel, const struct config *config,
			  struct error *err)
{
	struct import *i = mem_alloc(sizeof(*i));

	arena_init(&i->arena, ARENA_CAP);
	i->config = config_ref(config);
	if (parcel_parse(parcel, &i->arena, &i->parcel, err) == 0) {
		i->reason = mem_strndup(i->parcel.reason.p, i->parcel.reason.n);
		return i;
	}
	import_drop(i, NULL);
	return NULL;
}

const struct parcel *import_parcel(const struct import *i)
{
	return &i->parcel;
}

/* --- a piece ----------------------------------------------------------- */

/* As for mail that arrives, but from when it arrived there. */
static int64_t hard_limit(const struct import *i)
{
	int64_t longest = 0;

	for (size_t k = 0; k < i->parcel.env.n_rcpts; k++) {
		const struct config_domain *d =
			map_get(&i->config->domain_index,
				i->parcel.env.rcpts[k].domain);

		longest = MX_MAX(longest, d ? d->queue.hard_limit
					    : i->config->queue.hard_limit);
	}
	return i->parcel.env.arrived_at_ms + longest;
}

static int64_t expire_ms(const struct import *i)
{
	const struct config_domain *d = map_get(&i->config->domain_index,
						i->parcel.env.rcpts[0].domain);

	if (!i->parcel.quarantined)
		return hard_limit(i);
	return clock_wall_ms() +
	       (d ? d->bounce.quarantine : i->config->bounce.quarantine);
}

static struct job *make_part(struct import *i)
{
	i->part = (struct job_part){
		.job.kind = JOB_PART, .up = i->up, .id_at = SIZE_MAX};
	buf_init(&i->part.body, PART_SIZE);
	return &i->part.job;
}

static struct job *make_add(struct import *i)
{
	i->add = (struct job_add){
		.job.kind = JOB_ADD,
		.up = i->up,
		.id_at = SIZE_MAX,
		.env = &i->parcel.env,
		.message_id = i->parcel.message_id,
		.report_dest = i->parcel.env.is_report,
		.hold = i->parcel.held,
		.quarantine = i->parcel.quarantined,
		.reason = i->reason,
		.expire_ms = expire_ms(i),
		.past = &i->parcel.past,
	};
	buf_init(&i->add.body, PART_SIZE);
	return &i->add.job;
}

static struct buf *body_of(struct import *i)
{
	return i->last ? &i->add.body : &i->part.body;
}

static int fill(struct buf *body, struct slice hex)
{
	size_t n = hex.n / 2;

	if (n == 0)
		return 0;
	if (buf_reserve(body, n) < 0 ||
	    text_unhex(hex, (uint8_t *)body->mem + body->start, n) < 0)
		return -1;
	body->n = n;
	return 0;
}

static int check(struct import *i, struct slice piece, struct error *err)
{
	const struct queue_past *past = &i->parcel.past;

	i->size += piece.n;
	i->crc = crc32c(i->crc, piece.p, piece.n);
	if (!i->last && (piece.n == 0 || piece.n % CHUNK_SIZE))
		return error_set(err, "a piece of %zu octets", piece.n);
	if (i->size > past->size || (i->last && i->size != past->size))
		return error_set(err,
				 "its content is %s than the %llu octets that "
				 "its envelope tells",
				 i->size > past->size ? "longer" : "shorter",
				 (unsigned long long)past->size);
	if (i->last && i->crc != past->crc)
		return error_set(err, "the checksum of its content is wrong");
	return 0;
}

struct job *import_take(struct import *i, struct slice hex, bool last,
			struct error *err)
{
	struct job *job;
	struct buf *body;

	i->last = last;
	job = last ? make_add(i) : make_part(i);
	body = body_of(i);
	if (hex.n / 2 > PART_SIZE || fill(body, hex) < 0)
		error_set(err, "what came is no piece of content");
	else if (check(i, buf_slice(body), err) == 0)
		return job;
	buf_done(body);
	return NULL;
}

/* --- what became of it ------------------------------------------------- */

static const char *why(enum store_result result)
{
	switch (result) {
	case STORE_FULL:
		return "there is no room in the queue";
	case STORE_ABSENT:
		return "it took too long and was swept";
	case STORE_OK:
	case STORE_FAILED:
		break;
	}
	return "the queue cannot be written";
}

enum import_end import_taken(struct import *i, uint64_t *id, struct error *err)
{
	const struct job *job = i->last ? &i->add.job : &i->part.job;

	buf_done(body_of(i));
	if (job->result != STORE_OK) {
		error_set(err, "%s", why(job->result));
		return IMPORT_FAILED;
	}
	if (!i->last) {
		i->up = i->part.up;
		return IMPORT_MORE;
	}
	i->up = (struct upload){0}; /* nothing to be removed any more */
	*id = i->add.twin ? i->add.twin : i->add.up.id;
	return i->add.twin ? IMPORT_TWIN : IMPORT_DONE;
}

/* --- the end ----------------------------------------------------------- */

/* On the writer's thread; nobody waits for it. */
static void on_discarded(struct job *job)
{
	mem_free(MX_CONTAINER_OF(job, struct job_discard, job));
}

static void discard(const struct upload *up, struct writer *writer)
{
	struct job_discard *d = mem_alloc(sizeof(*d));

	*d = (struct job_discard){
		.job = {.kind = JOB_DISCARD, .report = on_discarded},
		.id = up->id,
		.chunks = up->chunks,
	};
	writer_submit(writer, &d->job);
}

void import_drop(struct import *i, struct writer *writer)
{
	if (!i)
		return;
	if (i->up.id)
		discard(&i->up, writer);
	arena_done(&i->arena);
	config_unref(i->config);
	mem_free(i->reason);
	mem_free(i);
}
