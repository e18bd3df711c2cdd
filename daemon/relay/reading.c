/*
 * A message is read: its envelope and recipients, and its content whole or
 * slice by slice. What touches the store runs on the work pool (shelf.h),
 * between reading_load or a slice asked for and its on_...; meanwhile
 * `reading` is set and the loop keeps off what it fills.
 */
#include <stdio.h>

#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/text.h"
#include "mxhold/mail/address.h"
#include "mxhold/relay/delivery.h"
#include "mxhold/storage/directory_learned.h"
#include "mxhold/storage/failpoint.h"

static void load(void *data, struct shelf_seat *seat);
static void on_loaded(void *data);
static void read_slice(void *data, struct shelf_seat *seat);
static void on_slice(void *data);

static void submit(struct delivery *d, void (*fn)(void *, struct shelf_seat *),
		   void (*done)(void *))
{
	d->task.fn = fn;
	d->task.done = done;
	d->task.data = d;
	d->reading = true;
	shelf_submit(d->relay->shelf, &d->task);
}

/* --- the message --------------------------------------------------------- */

void reading_load(struct delivery *d)
{
	submit(d, load, on_loaded);
}

/* On a thread of the pool. That its checksum is wrong, and nothing else, is
 * damage: it may be deleted while it is sent, and a store may fail. */
static enum delivery_load read_chunks(struct delivery *d, struct reader *r)
{
	struct slice bytes;
	int rc;

	buf_clear(&d->body);
	rc = reader_body(r, d->id, d->next_chunk, DELIVERY_SMALL / CHUNK_SIZE,
			 &d->body, &d->next_chunk);
	if (rc)
		return rc < 0 ? LOAD_FAILED : LOAD_ABSENT;
	bytes = buf_slice(&d->body);
	d->crc = crc32c(d->crc, bytes.p, bytes.n);
	return d->next_chunk || d->crc == d->msg.crc ? LOAD_OK : LOAD_DAMAGED;
}

/* Is the primary's 5xx for this recipient to be doubted? */
static bool is_known(const struct delivery *d, const struct recipient *r,
		     struct directory_reader *directory)
{
	const struct config_domain *domain;
	char name[256], full[ADDRESS_MAX + 1], base[ADDRESS_MAX + 1];
	struct address a;
	enum listed listed;

	if (address_parse(r->address, true, &a) != ADDRESS_OK)
		return false;
	if (address_is_postmaster(&a))
		return true;
	snprintf(name, sizeof(name), "%.*s", (int)r->domain.n, r->domain.p);
	domain = config_domain(d->config, name);
	if (!domain || address_canonical(&a, "", full, sizeof(full)) ||
	    address_canonical(&a, domain->subaddress, base, sizeof(base)))
		return false;
	listed = directory_lookup(directory, name, full, base);
	if (domain->learn && listed != LISTED_NEVER &&
	    directory_learned_known(directory, name, full, base))
		return true;
	return listed == LISTED_YES || listed == LISTED_ERROR;
}

static uint32_t first_open_dest(const struct queue_message *m)
{
	for (size_t i = 0; i < m->n_rcpts; i++) {
		if (m->rcpts[i].state == RCPT_PENDING)
			return m->rcpts[i].dest;
	}
	return 0;
}

static void pick_rcpts(struct delivery *d, struct directory_reader *directory)
{
	const struct queue_message *m = &d->msg;

	d->rcpts = mem_array(m->n_rcpts, sizeof(*d->rcpts));
	for (size_t i = 0; i < m->n_rcpts; i++) {
		const struct queue_rcpt *q = &m->rcpts[i];
		struct delivery_rcpt *r = &d->rcpts[d->n_rcpts];

		if (q->dest != d->dest_number || q->state != RCPT_PENDING)
			continue;
		r->rcpt = q;
		r->judged.known_good =
			!m->env.is_report && is_known(d, &q->rcpt, directory);
		d->n_rcpts++;
	}
}

static void load(void *data, struct shelf_seat *seat)
{
	struct delivery *d = data;
	int rc = reader_message(seat->reader, d->id, &d->arena, &d->msg);

	if (rc) {
		d->load = rc < 0 ? LOAD_UNREADABLE : LOAD_ABSENT;
		return;
	}
	/* Not by d->lane, which the loop may take away meanwhile. */
	if (d->on_expired && !d->is_late)
		d->dest_number = first_open_dest(&d->msg);
	pick_rcpts(d, seat->directory);
	d->load = read_chunks(d, seat->reader);
	d->whole = !d->next_chunk && d->load != LOAD_FAILED;
	if (!d->whole)
		buf_append_slice(&d->head, slice_head(buf_slice(&d->body),
						      BOUNCE_CONTENT_MAX));
}

static void note_unreadable(struct delivery *d)
{
	struct relay *r = d->relay;
	struct log_line l;

	if (dest_passes_over(r, d->dest_number, d->id))
		return;
	r->unreadable[r->unreadable_at] = (struct passed_over){
		.id = d->id,
		.dest = d->dest_number,
	};
	r->unreadable_at = (r->unreadable_at + 1) % UNREADABLE_MAX;
	r->n_damaged++;
	log_begin(&l, LOG_ERROR, "message.unreadable");
	log_str(&l, "qid", d->qid);
	log_str(&l, "why",
		d->load == LOAD_ABSENT
			? "it is due, but not there; it is passed over"
			: "its record cannot be read; it is passed over");
	log_end(&l);
}

/* One that was deleted has taken its row along. */
static bool has_lost_its_message(const struct delivery *d)
{
	struct due_row row = {.id = d->id, .due_ms = d->due_ms};

	return d->load == LOAD_ABSENT && d->lane && dest_has_row(d->dest, &row);
}

static void on_loaded(void *data)
{
	struct delivery *d = data;

	d->reading = false;
	if (d->state == DELIVERY_ENDED) {
		delivery_forget(d);
		return;
	}
	if (d->state != DELIVERY_LOADING) /* not wanted, and being removed */
		return;
	/* A due row of a message without such recipients is no better. */
	if (d->load == LOAD_OK && d->lane && d->n_rcpts == 0)
		d->load = LOAD_UNREADABLE;
	if (d->load == LOAD_UNREADABLE || has_lost_its_message(d))
		note_unreadable(d);
	delivery_loaded(d);
}

/* --- slice by slice ------------------------------------------------------ */

static void give_slice(struct delivery *d)
{
	bool last = d->next_chunk == 0;

	if (last && failpoint_hit("before-primary-dot")) {
		session_body_failed(d->link->session);
		return;
	}
	d->end_given = last;
	session_body(d->link->session, buf_slice(&d->body), last);
	if (!last)
		submit(d, read_slice, on_slice);
}

/* What the session waits for, once it is there and may be given. */
void reading_go_on(struct delivery *d)
{
	if (d->state != DELIVERY_SENDING || d->reading || !d->body_wanted)
		return;
	if (d->next_chunk == 0 && d->load == LOAD_OK && !passing_may_end(d))
		return;
	d->body_wanted = false;
	if (d->load == LOAD_OK)
		give_slice(d);
	else
		session_body_failed(d->link->session);
}

void reading_on_body(void *data)
{
	struct delivery *d = data;

	d->body_wanted = true;
	reading_go_on(d);
}

static void read_slice(void *data, struct shelf_seat *seat)
{
	struct delivery *d = data;

	d->slice = read_chunks(d, seat->reader);
}

/* The end of what is not whole is never given out (nor its dot). */
static void on_slice(void *data)
{
	struct delivery *d = data;

	d->reading = false;
	if (d->slice != LOAD_OK)
		d->load = d->slice;
	if (d->state == DELIVERY_ENDED) {
		delivery_forget(d);
		return;
	}
	reading_go_on(d);
}

/* For another transaction: from the beginning. */
void reading_restart(struct delivery *d)
{
	if (d->whole)
		return;
	d->next_chunk = 0;
	d->crc = 0;
	submit(d, read_slice, on_slice);
}
