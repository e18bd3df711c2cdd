#include <stdio.h>
#include <string.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "prober_internal.h"

enum {
	/* Deliveries that fail together tell one thing, not eight. */
	BAD_TOGETHER_MS = 2000,
	INTERVAL_MIN_MS = 10
};

/* --- life -------------------------------------------------------------- */

static void on_next(void *data)
{
	struct peer *peer = data;

	probe_next(peer);
	peer_arm(peer);
}

/* The first domain names the recipient of a probe. It starts held when every
 * domain of it is to wait for an operator. */
static bool find_domains(struct peer *peer)
{
	const struct config *c = peer->p->config;
	bool hold = true;

	peer->domain = NULL;
	for (size_t i = 0; i < c->n_domains; i++) {
		const struct config_domain *d = &c->domains[i];

		if (d->primary != peer->primary)
			continue;
		if (!peer->domain)
			peer->domain = d;
		hold &= d->drain.hold;
	}
	return peer->domain ? hold : c->drain.hold;
}

static void restore(struct peer *peer)
{
	struct peer_record rec;

	memset(&rec, 0, sizeof(rec));
	health_init(&peer->health, clock_wall_ms());
	if (!peer->p->directory)
		return;
	if (directory_peer_get(peer->p->directory, peer->name, &rec) == 0)
		peer_record_restore(peer, &rec);
}

struct peer *peer_new(struct prober *p, const struct config_primary *primary)
{
	struct peer *peer = mem_alloc(sizeof(*peer));

	peer->p = p;
	peer->name = mem_strdup(primary->name);
	peer->primary = primary;
	list_init(&peer->probes);
	peer->bad_ms = INT64_MIN / 2;
	peer->next = timer_new(p->loop, on_next, peer);
	restore(peer);
	peer->held = find_domains(peer) || peer->held_by_operator;
	timer_start(peer->next, 0);
	return peer;
}

void peer_free(struct peer *peer)
{
	probe_cancel_all(peer);
	peer_record_last_words(peer);
	timer_free(peer->next);
	mem_free(peer->name);
	mem_free(peer);
}

static bool is_same_host(const struct config_host *a,
			 const struct config_host *b)
{
	return a->port == b->port && strcmp(a->name, b->name) == 0;
}

static bool is_same_place(const struct config_primary *a,
			  const struct config_primary *b)
{
	const char *x = a->mx_domain ? a->mx_domain : "";
	const char *y = b->mx_domain ? b->mx_domain : "";

	if (a->n_hosts != b->n_hosts || a->port != b->port ||
	    a->by_mx != b->by_mx || (a->by_mx && strcmp(x, y) != 0))
		return false;
	for (size_t i = 0; i < a->n_hosts; i++) {
		if (!is_same_host(&a->hosts[i], &b->hosts[i]))
			return false;
	}
	return true;
}

void peer_adopt(struct peer *peer, const struct config_primary *primary)
{
	bool same = is_same_place(peer->primary, primary);

	peer->primary = primary;
	find_domains(peer);
	if (same) {
		peer_arm(peer); /* the intervals may be new */
		return;
	}
	probe_cancel_all(peer);
	peer->n_good = 0;
	timer_start(peer->next, 0);
}

/* --- news -------------------------------------------------------------- */

int64_t peer_wait_ms(const struct peer *peer)
{
	int64_t next =
		health_next_probe_ms(&peer->health, &peer->p->config->probe);
	int64_t at = peer->base_ms + MX_MAX(next, (int64_t)INTERVAL_MIN_MS);

	return MX_MAX(at - loop_now_ms(peer->p->loop), 0);
}

void peer_arm(struct peer *peer)
{
	timer_start(peer->next, peer_wait_ms(peer));
}

static void log_state(const struct peer *peer, const char *from, const char *to,
		      const char *why, enum log_level level)
{
	struct log_line l;

	log_begin(&l, level, "primary.state");
	log_str(&l, "primary", peer->name);
	log_str(&l, "from", from);
	log_str(&l, "to", to);
	log_str(&l, "why", why);
	log_end(&l);
}

void peer_note(struct peer *peer, enum health_event e, const char *why)
{
	enum health_state from = peer->health.state;
	enum health_state to;
	int64_t wall = clock_wall_ms();
	bool changed =
		health_note(&peer->health, e, &peer->p->config->probe, wall);

	to = peer->health.state;
	if (e == HEALTH_GOOD)
		peer->last_up_ms = wall;
	if (!changed)
		return;
	log_state(peer, health_state_name(from), health_state_name(to), why,
		  to == HEALTH_UP ? LOG_INFO : LOG_WARNING);
	prober_announce(peer);
	peer_save(peer);
}

void peer_hold(struct peer *peer, bool hold, const char *why,
	       const struct peer_waiter *who)
{
	const char *state = health_state_name(peer->health.state);
	bool changed = peer->held != hold;

	peer->held = peer->held_by_operator = hold;
	peer_save_for(peer, who);
	if (!changed)
		return;
	log_state(peer, hold ? state : "held", hold ? "held" : state, why,
		  LOG_INFO);
	prober_announce(peer);
}

static bool is_same(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && inet_eq(&a->addr, &b->addr);
}

/* To the front; the oldest falls off. */
static void learn_address(struct peer *peer, const struct endpoint *e)
{
	size_t i = 0;

	while (i < peer->n_good && !is_same(&peer->good[i], e))
		i++;
	if (i == peer->n_good) {
		if (peer->n_good < PEER_HOSTS_MAX)
			peer->n_good++;
		i = peer->n_good - 1;
	}
	memmove(&peer->good[1], &peer->good[0], i * sizeof(peer->good[0]));
	peer->good[0] = *e;
	peer->good_at_ms = clock_wall_ms();
}

void peer_learn(struct peer *peer, const struct session *s)
{
	const struct smtp_ehlo *ehlo = session_ehlo(s);
	const struct endpoint *at = session_peer(s);

	if (at->addr.family)
		learn_address(peer, at);
	if (!session_is_ready(s))
		return;
	session_protection(s, &peer->protection);
	/* A server that knows HELO only has no extension. */
	peer->ehlo_ext = EXT_HEARD | (ehlo->esmtp ? ehlo->ext : 0);
	peer->ehlo_size = ehlo->esmtp ? ehlo->size : 0;
}

bool peer_has_good(const struct peer *peer)
{
	int64_t age = clock_wall_ms() - peer->good_at_ms;

	return peer->n_good > 0 && age <= peer->p->config->dns.last_good;
}

/* A delivery says so; one of several that broke together is enough. */
static bool is_repeated(struct peer *peer, enum health_event e)
{
	int64_t now = loop_now_ms(peer->p->loop);
	int64_t apart = MX_MIN(peer->p->config->probe.interval_down,
			       (int64_t)BAD_TOGETHER_MS);
	bool repeated = e == HEALTH_BAD && now - peer->bad_ms < apart;

	if (e == HEALTH_BAD && !repeated)
		peer->bad_ms = now;
	return repeated;
}

void peer_tell(struct peer *peer, enum health_event e, const char *why,
	       const struct session *s)
{
	enum health_state before = peer->health.state;

	if (is_repeated(peer, e))
		return;
	if (e == HEALTH_GOOD) {
		if (s)
			peer_learn(peer, s);
		peer->good_seq = peer->seq;
		peer->base_ms = loop_now_ms(peer->p->loop);
	}
	peer_note(peer, e, why);
	if (e == HEALTH_GOOD || peer->health.state == before)
		peer_arm(peer);
	else
		timer_start(peer->next, 0); /* is it true? */
}
