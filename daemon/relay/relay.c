#include "mxhold/relay/relay.h"

#include <stdio.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/net/mailbox.h"
#include "mxhold/relay/delivery.h"

enum {
	LOOK_EVERY_MS = 20, /* whatever number of messages come in */
	UNREAD_ALARM_MS = 3600 * 1000
};

static void on_turn(void *data);
static void on_look(void *data);
static void on_settled(void *data, struct mpsc_node *note);
static void on_grace(void *data);
static void on_idle(void *data);

/* --- birth -------------------------------------------------------------- */

/* Every configured primary has a lane, whether it has mail or not. */
static void make_lanes(struct relay *r)
{
	for (size_t i = 0; i < r->config->n_primaries; i++)
		lane_get(r, r->config->primaries[i]->name, false);
}

struct relay *relay_new(const struct relay_parts *parts)
{
	struct relay *r = mem_alloc(sizeof(*r));

	r->parts = *parts;
	r->config = config_ref(parts->config);
	r->reader = reader_new(parts->store);
	MX_ASSERT(r->reader); /* the first to ask for one */
	r->mailbox = mailbox_new(parts->loop, on_settled, r);
	r->shelf = shelf_new(parts->loop, parts->store, parts->directory);
	list_init(&r->lanes);
	map_init(&r->in_flight);
	r->turn = timer_new(parts->loop, on_turn, r);
	r->handing = handing_new(r);
	r->look = timer_new(parts->loop, on_look, r);
	r->grace = timer_new(parts->loop, on_grace, r);
	r->idle = timer_new(parts->loop, on_idle, r);
	make_lanes(r);
	r->expiry = expiry_new(r);
	r->delay = delay_new(r);
	relay_kick(r);
	return r;
}

void relay_free(struct relay *r)
{
	if (!r)
		return;
	while (!list_empty(&r->lanes))
		lane_free(MX_CONTAINER_OF(r->lanes.next, struct lane, item));
	expiry_free(r->expiry);
	delay_free(r->delay);
	dest_free_all(r);
	map_done(&r->in_flight, NULL);
	shelf_free(r->shelf);
	mailbox_free(r->mailbox);
	reader_free(r->reader);
	timer_free(r->turn);
	handing_free(r->handing);
	timer_free(r->look);
	timer_free(r->grace);
	timer_free(r->idle);
	config_unref(r->config);
	mem_free(r);
}

/* --- turns -------------------------------------------------------------- */

void relay_queue_turn(struct relay *r)
{
	if (!timer_is_active(r->turn))
		timer_start(r->turn, 0);
}

/* When nothing of it is urgent, the timer tells when a report is due. */
static void look_for_reports(struct relay *r)
{
	int64_t now_ms = clock_wall_ms(), next;

	r->reports_wanted = false;
	next = dest_look_for_reports(r, now_ms);
	if (next == INT64_MAX || timer_is_active(r->look))
		return;
	timer_start(r->look, MX_MIN(MX_MAX(next - now_ms, 1), 60000));
}

static void look_around(struct relay *r)
{
	r->look_wanted = false;
	r->looked_ms = clock_mono_ms();
	if (!dest_discover(r))
		relay_kick(r);
	dest_wake_all(r, false);
}

static void on_turn(void *data)
{
	struct relay *r = data;

	if (r->look_wanted && !r->stopping)
		look_around(r);
	if (r->reports_wanted && !r->stopping)
		look_for_reports(r);
	LIST_FOR_EACH_SAFE (it, &r->lanes) {
		struct lane *l = MX_CONTAINER_OF(it, struct lane, item);

		if (l->marked)
			lane_run(l);
	}
	relay_check_idle(r);
}

static void on_look(void *data)
{
	struct relay *r = data;

	r->reports_wanted = true;
	relay_queue_turn(r);
}

void relay_kick(struct relay *r)
{
	int64_t since = clock_mono_ms() - r->looked_ms;

	r->look_wanted = true;
	if (since >= LOOK_EVERY_MS)
		relay_queue_turn(r);
	else if (!timer_is_active(r->look))
		timer_start(r->look, LOOK_EVERY_MS - since);
}

void relay_give_up(struct relay *r)
{
	expiry_look(r->expiry);
}

void relay_sweep(struct relay *r)
{
	if (r->stopping)
		return;
	dest_wake_all(r, true);
	delay_look(r->delay);
	relay_kick(r);
}

static void on_settled(void *data, struct mpsc_node *note)
{
	struct job *job = MX_CONTAINER_OF(note, struct job, node);

	(void)data;
	settling_done(job->data);
}

/* --- what the others ask for -------------------------------------------- */

struct slice relay_id_key(const uint64_t *id)
{
	return slice_make(id, sizeof(*id));
}

const struct config_domain *relay_domain(const struct relay *r,
					 const struct dest *d)
{
	if (!d || d->kind != DEST_DOMAIN)
		return NULL;
	return config_domain(r->config, d->domain);
}

const struct config_drain *relay_drain_of(const struct relay *r,
					  const struct dest *d)
{
	const struct config_domain *domain = relay_domain(r, d);

	return domain ? &domain->drain : &r->config->drain;
}

void relay_reload(struct relay *r, const struct config *config)
{
	const struct config *old = r->config;

	r->config = config_ref(config);
	r->parts.config = config;
	config_unref(old);
	make_lanes(r);
	dest_bind_all(r);
	LIST_FOR_EACH (it, &r->lanes)
		lane_reload(MX_CONTAINER_OF(it, struct lane, item));
	relay_kick(r);
}

void relay_primary_changed(struct relay *r, const char *primary)
{
	struct lane *l = lane_find(r, primary);

	if (l)
		lane_mark(l);
	/* reports may go by it */
	LIST_FOR_EACH (it, &r->lanes) {
		l = MX_CONTAINER_OF(it, struct lane, item);
		if (l->is_report)
			lane_mark(l);
	}
}

/* A primary's own name, or a domain that goes to it. */
static struct lane *named(const struct relay *r, const char *name)
{
	const struct config_domain *domain;
	struct lane *l = NULL;

	if (config_primary(r->config, name))
		l = lane_find(r, name);
	if (l)
		return l;
	domain = config_domain(r->config, name);
	return domain ? lane_find(r, domain->primary->name) : NULL;
}

bool relay_drain_now(struct relay *r, const char *name)
{
	struct lane *l = named(r, name);

	if (!l)
		return false;
	lane_drain_now(l);
	relay_kick(r);
	return true;
}

static uint64_t waiting_for(const struct relay *r, const char *domain)
{
	struct queue_counts counts;
	uint32_t dest;

	if (reader_dest_find(r->reader, DEST_DOMAIN, domain, &dest) ||
	    reader_dest_counts(r->reader, dest, &counts))
		return 0;
	return counts.messages;
}

bool relay_ask(struct relay *r, const char *domain, uint64_t *waiting,
	       bool *held)
{
	const struct config_domain *d = config_domain(r->config, domain);
	struct lane *l = d ? lane_find(r, d->primary->name) : NULL;

	if (!l)
		return false;
	*waiting = waiting_for(r, domain);
	*held = lane_is_held(l);
	if (*waiting && !*held)
		lane_ask(l);
	return true;
}

void relay_hold(struct relay *r, const char *primary, bool hold)
{
	struct lane *l = lane_find(r, primary);

	if (l)
		lane_hold(l, hold);
}

bool relay_pause(struct relay *r, const char *name, bool pause)
{
	struct lane *l = named(r, name);

	if (!l)
		return false;
	l->paused = pause;
	lane_mark(l);
	return true;
}

bool relay_rate(struct relay *r, const char *name, uint32_t rate)
{
	struct lane *l = named(r, name);

	if (!l)
		return false;
	window_set_rate(&l->window, rate);
	lane_mark(l);
	return true;
}

bool relay_breaker(struct relay *r, const char *name, bool open)
{
	struct lane *l = named(r, name);
	bool was;

	if (!l)
		return false;
	was = breaker_is_open(&l->breaker);
	breaker_force(&l->breaker, open);
	l->breaker_said[0] = '\0';
	if (was && !open)
		lane_breaker_shut(l);
	if (was != open)
		lane_log_breaker(l, open,
				 open ? "opened by an operator"
				      : "closed by an operator");
	lane_mark(l);
	return true;
}

bool relay_in_flight(const struct relay *r, uint64_t id)
{
	return map_get(&r->in_flight, relay_id_key(&id)) != NULL;
}

bool relay_remove(struct relay *r, uint64_t id)
{
	struct delivery *d = map_get(&r->in_flight, relay_id_key(&id));

	if (!d)
		return false;
	d->doomed = true;
	if (d->state == DELIVERY_WAITING)
		delivery_end(d); /* nothing has been sent yet */
	return true;
}

bool relay_view(const struct relay *r, const char *primary,
		struct relay_view *out)
{
	const struct lane *l = lane_find(r, primary);

	memset(out, 0, sizeof(*out));
	if (!l)
		return false;
	lane_view(l, out);
	return true;
}

size_t relay_alarms(const struct relay *r, char (*out)[256], size_t max)
{
	size_t n = dest_alarms((struct relay *)r, out, max);

	if (n < max && r->allowance.refused &&
	    clock_mono_ms() - r->allowance.refused_ms < ALLOWANCE_HOUR_MS)
		snprintf(out[n++], sizeof(*out),
			 "reports to senders were withheld: too many within "
			 "an hour");
	if (n < max && r->n_damaged)
		snprintf(out[n++], sizeof(*out),
			 "%llu damaged messages were found in the queue",
			 (unsigned long long)r->n_damaged);
	if (n < max && r->unread_ms &&
	    clock_mono_ms() - r->unread_ms < UNREAD_ALARM_MS)
		snprintf(out[n++], sizeof(*out),
			 "the store could not give the content of messages; "
			 "they are tried again later");
	return n;
}

/* --- the end ------------------------------------------------------------ */

static bool is_idle(const struct relay *r)
{
	if (r->n_deliveries || !expiry_is_idle(r->expiry))
		return false;
	LIST_FOR_EACH (it, &r->lanes) {
		if (!lane_is_idle(MX_CONTAINER_OF(it, struct lane, item)))
			return false;
	}
	return true;
}

void relay_check_idle(struct relay *r)
{
	if (r->stopping && r->on_idle && is_idle(r) &&
	    !timer_is_active(r->idle))
		timer_start(r->idle, 0);
}

static void on_idle(void *data)
{
	struct relay *r = data;
	void (*told)(void *) = r->on_idle;

	r->on_idle = NULL;
	timer_stop(r->grace);
	told(r->data);
}

void relay_stop(struct relay *r, int64_t grace_ms, void (*told)(void *data),
		void *data)
{
	r->stopping = true;
	r->on_idle = told;
	r->data = data;
	r->grace_ms = grace_ms;
	expiry_stop(r->expiry);
	timer_stop(r->look);
	timer_start(r->grace, grace_ms);
	LIST_FOR_EACH (it, &r->lanes)
		lane_mark(MX_CONTAINER_OF(it, struct lane, item));
	relay_queue_turn(r);
}

static void break_off(struct lane *l, bool wherever)
{
	LIST_FOR_EACH_SAFE (it, &l->deliveries)
		delivery_break_off(MX_CONTAINER_OF(it, struct delivery, item),
				   wherever);
}

/* What waits for the reply to the whole message gets half as long again:
 * broken off there it is sent twice. */
static void on_grace(void *data)
{
	struct relay *r = data;

	LIST_FOR_EACH (it, &r->lanes)
		break_off(MX_CONTAINER_OF(it, struct lane, item),
			  r->grace_half);
	if (r->grace_half)
		r->grace_over = true;
	else
		timer_start(r->grace, r->grace_ms / 2);
	r->grace_half = true;
	relay_check_idle(r);
}
