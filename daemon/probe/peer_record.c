/* What is kept of a primary over a restart, and its way to disk. */
#include <stdio.h>
#include <string.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "prober_internal.h"

_Static_assert((int)UPTIME_MARKS <= (int)PEER_MARKS_MAX, "all can be kept");

struct peer_job { /* owns all it needs: it may outlive peer and prober */
	struct peer *peer; /* NULL: gone */
	struct loop *loop;
	struct directory *directory; /* NULL: nothing is kept */
	char *name;
	struct peer_record rec;
	struct peer_waiter *waiters;
	struct peer_record last_words; /* of a peer that is gone */
	bool has_last_words;
	struct peer_waiter *waiters_of_last;
	struct error err;
	int rc;
};

enum health_state peer_record_state(const struct peer_record *rec, bool *held)
{
	uint8_t state = rec->state & (uint8_t)~PEER_STATE_HELD;

	*held = rec->state & PEER_STATE_HELD;
	return state <= HEALTH_REFUSING ? (enum health_state)state
					: HEALTH_UNKNOWN;
}

static void encode_good(const struct peer *peer, struct peer_record *rec)
{
	rec->n_good = (uint8_t)peer->n_good;
	rec->good_at_ms = peer->good_at_ms;
	for (size_t i = 0; i < peer->n_good; i++) {
		rec->good[i].family = peer->good[i].addr.family;
		rec->good[i].port = peer->good[i].port;
		memcpy(rec->good[i].bytes, peer->good[i].addr.bytes,
		       sizeof(rec->good[i].bytes));
	}
}

static void encode_marks(const struct uptime *u, struct peer_record *rec)
{
	rec->n_marks = (uint8_t)u->n;
	for (size_t i = 0; i < u->n; i++) {
		rec->marks[i].wall_ms = u->marks[i].wall_ms;
		rec->marks[i].up_ms = u->marks[i].up_ms;
	}
}

static void decode_marks(const struct peer_record *rec, struct uptime *u)
{
	u->n = 0;
	for (size_t i = 0; i < rec->n_marks; i++)
		uptime_note(u, rec->marks[i].wall_ms, rec->marks[i].up_ms);
}

static void encode(const struct peer *peer, struct peer_record *rec)
{
	memset(rec, 0, sizeof(*rec));
	rec->state = (uint8_t)peer->health.state;
	if (peer->held_by_operator)
		rec->state |= PEER_STATE_HELD;
	rec->since_ms = peer->health.since_ms;
	rec->up_ms = health_up_ms(&peer->health, clock_wall_ms());
	encode_marks(&peer->health.uptime, rec);
	rec->last_probe_ms = peer->last_probe_ms;
	rec->last_probe_took_ms = peer->last_probe_took_ms;
	memcpy(rec->last_result, peer->last_result, sizeof(rec->last_result));
	rec->ehlo_ext = peer->ehlo_ext;
	rec->ehlo_size = peer->ehlo_size;
	rec->last_up_ms = peer->last_up_ms;
	encode_good(peer, rec);
}

void peer_record_restore(struct peer *peer, const struct peer_record *rec)
{
	enum health_state state;
	struct uptime uptime;

	state = peer_record_state(rec, &peer->held_by_operator);
	decode_marks(rec, &uptime);
	health_restore(&peer->health, state, rec->since_ms, rec->up_ms, &uptime,
		       clock_wall_ms());
	peer->last_probe_ms = rec->last_probe_ms;
	peer->last_probe_took_ms = rec->last_probe_took_ms;
	snprintf(peer->last_result, sizeof(peer->last_result), "%.255s",
		 rec->last_result);
	peer->ehlo_ext = rec->ehlo_ext;
	peer->ehlo_size = rec->ehlo_size;
	peer->last_up_ms = rec->last_up_ms;
	peer->good_at_ms = rec->good_at_ms;
	peer->n_good = MX_MIN((size_t)rec->n_good, (size_t)PEER_HOSTS_MAX);
	for (size_t i = 0; i < peer->n_good; i++) {
		peer->good[i].addr.family = rec->good[i].family;
		peer->good[i].port = rec->good[i].port;
		memcpy(peer->good[i].addr.bytes, rec->good[i].bytes,
		       sizeof(rec->good[i].bytes));
	}
}

static void do_save(void *data)
{
	struct peer_job *job = data;

	if (job->directory)
		job->rc = directory_peer_put(job->directory, job->name,
					     &job->rec, &job->err);
}

static void tell_waiters(struct peer_job *job)
{
	struct peer_waiter *w = job->waiters;

	job->waiters = NULL;
	while (w) {
		struct peer_waiter *next = w->next;

		w->on_kept(w->data, job->rc < 0 ? job->err.text : NULL);
		mem_free(w);
		w = next;
	}
}

static void on_saved(void *data)
{
	struct peer_job *job = data;
	struct peer *peer = job->peer;

	if (job->rc < 0)
		log_why(LOG_WARNING, "peer.unsaved", "%s: %s", job->name,
			job->err.text);
	tell_waiters(job);
	if (job->has_last_words) {
		job->rec = job->last_words;
		job->waiters = job->waiters_of_last;
		job->has_last_words = false;
		loop_work(job->loop, do_save, on_saved, job);
		return;
	}
	mem_free(job->name);
	mem_free(job);
	if (!peer)
		return;
	peer->job = NULL;
	if (peer->dirty)
		peer_save(peer);
}

void peer_save(struct peer *peer)
{
	struct peer_job *job;

	peer->dirty = true;
	if (peer->job || !(peer->p->directory || peer->waiters))
		return;
	peer->dirty = false;
	job = peer->job = mem_alloc(sizeof(*job));
	job->waiters = peer->waiters;
	peer->waiters = NULL;
	job->peer = peer;
	job->loop = peer->p->loop;
	job->directory = peer->p->directory;
	job->name = mem_strdup(peer->name);
	encode(peer, &job->rec);
	loop_work(job->loop, do_save, on_saved, job);
}

void peer_save_for(struct peer *peer, const struct peer_waiter *who)
{
	struct peer_waiter *w;

	if (who && who->on_kept) {
		w = mem_alloc(sizeof(*w));
		*w = *who;
		w->next = peer->waiters;
		peer->waiters = w;
	}
	peer_save(peer);
}

/* Behind a write that is under way, so that it is the last one. */
void peer_record_last_words(struct peer *peer)
{
	peer_save(peer);
	if (!peer->job)
		return;
	if (peer->dirty) {
		encode(peer, &peer->job->last_words);
		peer->job->has_last_words = true;
		peer->job->waiters_of_last = peer->waiters;
	}
	peer->job->peer = NULL;
}
