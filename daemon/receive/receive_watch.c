#include <stdio.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/receive/receive_inner.h"

/* ---- load ---- */

static void log_load(const struct receive *r)
{
	struct log_line l;

	log_begin(&l, r->is_pressed ? LOG_WARNING : LOG_INFO,
		  r->is_pressed ? "overload.begin" : "overload.end");
	log_int(&l, "sessions", gate_sessions(r->gate));
	log_int(&l, "max_sessions", r->config->smtp.max_sessions);
	log_end(&l);
}

void receive_look_at_load(struct receive *r)
{
	if (gate_is_pressed(r->gate) == r->is_pressed || r->stopping)
		return;
	r->is_pressed = !r->is_pressed;
	log_load(r);
	for (size_t i = 0; i < r->n_workers; i++) {
		struct note_load *load = mem_alloc(sizeof(*load));

		load->is_pressed = r->is_pressed;
		worker_post(r->workers[i], &load->note, NOTE_LOAD);
	}
}

size_t receive_alarms(const struct receive *r, char (*out)[256], size_t max)
{
	if (!r->is_pressed || max == 0)
		return 0;
	snprintf(*out, sizeof(*out),
		 "%u of %u sessions are open: idle clients have less time",
		 gate_sessions(r->gate), r->config->smtp.max_sessions);
	return 1;
}

/* ---- what DNS says of clients ---- */

/* Our own networks and the primaries are nobody's spammers. */
bool receive_is_judged(const struct receive *r, const struct inet_addr *a)
{
	return inet_is_global(a) && !primaries_has_address(r->primaries, a);
}

static void on_facts(struct client_dns_wait *wait,
		     const struct client_facts *facts)
{
	struct note_dns *n = MX_CONTAINER_OF(wait, struct note_dns, wait);

	client_facts_copy(&n->facts, facts);
	worker_post(n->worker, &n->note, NOTE_FACTS);
}

void receive_take_dns(struct receive *r, struct note_dns *n)
{
	n->wait.on_facts = on_facts;
	client_dns_ask(r->client_dns, &n->client,
		       receive_is_judged(r, &n->client), &n->wait);
}

/* ---- while the primary is up ---- */

void receive_take_state(struct receive *r, const char *primary, bool is_up,
			int64_t up_ms)
{
	struct worker_primary *p = map_get(&r->states, slice_str(primary));

	if (!p) {
		p = mem_alloc(sizeof(*p));
		map_put(&r->states, slice_str(primary), p);
	}
	r->n_up = r->n_up - p->is_up + is_up;
	p->is_up = is_up;
	p->up_ms = up_ms;
	p->at_ms = loop_now_ms(r->parts.loop);
}

bool receive_primary_is_up(const struct receive *r,
			   const struct config_primary *primary, int64_t *up_ms)
{
	const struct worker_primary *known = NULL;

	if (primary)
		known = map_get(&r->states, slice_str(primary->name));
	*up_ms = known ? known->up_ms : 0;
	if (!known || !known->is_up)
		return false;
	*up_ms += loop_now_ms(r->parts.loop) - known->at_ms;
	return true;
}

void receive_take_escape(struct receive *r, struct ticket *t)
{
	const struct escape_try attempt = {
		.network = t->client.addr,
		.sender = slice_str(t->sender),
		.rcpt = slice_str(t->rcpt),
	};

	t->is_let_in =
		escape_count(r->escape, &attempt, loop_now_ms(r->parts.loop));
	worker_post(t->worker, &t->note, NOTE_ANSWER);
}

void receive_count_door(struct receive *r, const struct inet_addr *client)
{
	struct inet_addr network = inet_client_network(client);

	if (r->n_up > 0)
		magnet_count(r->magnet, &network, "", MAGNET_DOOR, 1,
			     clock_wall_ms());
}

void receive_take_visits(struct receive *r, struct note_visits *v)
{
	int64_t now_ms = clock_wall_ms();

	for (size_t i = 0; i < v->n; i++)
		magnet_count(r->magnet, &v->rows[i].network, v->rows[i].domain,
			     v->rows[i].kind, v->rows[i].count, now_ms);
	mem_free(v);
}

struct magnet_row *receive_magnet(struct receive *r, const char *domain,
				  int64_t *since_ms, size_t *n)
{
	int64_t began_ms = magnet_since_ms(r->magnet, clock_wall_ms());

	*since_ms = MX_MAX(*since_ms, began_ms);
	return magnet_report(r->magnet, domain, *since_ms, n);
}
