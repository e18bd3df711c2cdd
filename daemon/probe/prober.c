#include "mxhold/probe/prober.h"

#include <stdio.h>
#include <string.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "prober_internal.h"

enum {
	MINUTE_MS = 60 * 1000
};

static void on_minute(void *data);
static void on_soon(void *data);

static struct peer *find(const struct prober *p, const char *name)
{
	for (size_t i = 0; i < p->n_peers; i++) {
		if (p->peers[i] && strcmp(p->peers[i]->name, name) == 0)
			return p->peers[i];
	}
	return NULL;
}

struct prober *prober_new(struct loop *loop, struct outbound *outbound,
			  struct directory *directory,
			  const struct config *config,
			  void (*on_change)(void *data, const char *name),
			  void *data)
{
	struct prober *p = mem_alloc(sizeof(*p));

	p->loop = loop;
	p->outbound = outbound;
	p->directory = directory;
	p->config = config_ref(config);
	p->on_change = on_change;
	p->data = data;
	p->minute = timer_new(loop, on_minute, p);
	p->soon = timer_new(loop, on_soon, p);
	p->peers = mem_array(config->n_primaries + 1, sizeof(p->peers[0]));
	for (size_t i = 0; i < config->n_primaries; i++)
		p->peers[p->n_peers++] = peer_new(p, config->primaries[i]);
	timer_start(p->minute, MINUTE_MS);
	return p;
}

static void free_peers(struct peer **peers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (peers[i])
			peer_free(peers[i]);
	}
	mem_free(peers);
}

/* Takes the peer of that name out of the old table. */
static struct peer *take(struct peer **old, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		struct peer *peer = old[i];

		if (!peer || strcmp(peer->name, name) != 0)
			continue;
		old[i] = NULL;
		return peer;
	}
	return NULL;
}

void prober_reload(struct prober *p, const struct config *config)
{
	const struct config *old_config = p->config;
	struct peer **old = p->peers;
	size_t n_old = p->n_peers;

	p->config = config_ref(config);
	p->n_peers = 0;
	p->peers = mem_array(config->n_primaries + 1, sizeof(p->peers[0]));
	for (size_t i = 0; i < config->n_primaries; i++) {
		const struct config_primary *c = config->primaries[i];
		struct peer *peer = take(old, n_old, c->name);

		if (peer)
			peer_adopt(peer, c);
		else
			peer = peer_new(p, c);
		p->peers[p->n_peers++] = peer;
	}
	free_peers(old, n_old);
	config_unref(old_config);
}

void prober_free(struct prober *p)
{
	if (!p)
		return;
	p->is_closing = true;
	free_peers(p->peers, p->n_peers);
	timer_free(p->minute);
	timer_free(p->soon);
	config_unref(p->config);
	mem_free(p);
}

static void on_minute(void *data)
{
	struct prober *p = data;

	for (size_t i = 0; i < p->n_peers; i++) {
		health_tick(&p->peers[i]->health, clock_wall_ms());
		peer_save(p->peers[i]);
	}
	timer_start(p->minute, MINUTE_MS);
}

/* --- who is told ------------------------------------------------------- */

void prober_announce(struct peer *peer)
{
	peer->changed = true;
	timer_start(peer->p->soon, 0);
}

/* on_change may do anything but free us: look up the table anew each time. */
static void on_soon(void *data)
{
	struct prober *p = data;

	for (size_t i = 0; i < p->n_peers; i++) {
		struct peer *peer = p->peers[i];

		if (!peer->changed)
			continue;
		peer->changed = false;
		if (p->on_change)
			p->on_change(p->data, peer->name);
	}
}

void prober_fill_view(const struct peer *peer, struct primary_view *out)
{
	memset(out, 0, sizeof(*out));
	snprintf(out->name, sizeof(out->name), "%s", peer->name);
	out->health = peer->health;
	out->held = peer->held;
	out->last_probe_ms = peer->last_probe_ms;
	out->last_probe_took_ms = peer->last_probe_took_ms;
	out->next_probe_ms = clock_wall_ms() + peer_wait_ms(peer);
	memcpy(out->last_result, peer->last_result, sizeof(out->last_result));
	memcpy(out->probe_rcpt, peer->probe_rcpt, sizeof(out->probe_rcpt));
	out->protection = peer->protection;
	out->ehlo_ext = peer->ehlo_ext;
	out->ehlo_size = peer->ehlo_size;
	if (!peer_has_good(peer))
		return;
	out->n_good = peer->n_good;
	memcpy(out->good, peer->good, sizeof(out->good));
}

bool prober_view(const struct prober *p, const char *name,
		 struct primary_view *out)
{
	const struct peer *peer = find(p, name);

	if (peer)
		prober_fill_view(peer, out);
	return peer != NULL;
}

size_t prober_count(const struct prober *p)
{
	return p->n_peers;
}

bool prober_view_at(const struct prober *p, size_t index,
		    struct primary_view *out)
{
	if (index >= p->n_peers)
		return false;
	prober_fill_view(p->peers[index], out);
	return true;
}

/* --- what others say --------------------------------------------------- */

void prober_tell(struct prober *p, const char *name, enum health_event e,
		 const char *why, const struct session *s)
{
	struct peer *peer = find(p, name);

	if (peer)
		peer_tell(peer, e, why, s);
}

bool prober_probe_now(struct prober *p, const char *name,
		      void (*on_done)(void *data,
				      const struct primary_view *view),
		      void *data)
{
	struct peer *peer = find(p, name);

	if (!peer)
		return false;
	probe_now(peer);
	if (on_done)
		probe_wait(peer, on_done, data);
	return true;
}

bool prober_hold(struct prober *p, const char *name, bool hold,
		 void (*on_kept)(void *data, const char *why), void *data)
{
	struct peer_waiter who = {.on_kept = on_kept, .data = data};
	struct peer *peer = find(p, name);

	if (peer)
		peer_hold(peer, hold, "an operator's word", &who);
	return peer != NULL;
}
