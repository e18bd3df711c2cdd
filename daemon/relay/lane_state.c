/*
 * One primary: is it there, and may mail go to it now?
 */
#include <stdio.h>

#include "mxhold/base/clock.h"
#include "mxhold/relay/delivery.h"

const struct config_primary *lane_primary(const struct lane *l)
{
	return l->is_report ? NULL : config_primary(l->relay->config, l->name);
}

/* A shared primary goes by the first domain that names it. */
const struct config_drain *lane_drain(const struct lane *l)
{
	const struct config *c = l->relay->config;
	const struct config_primary *p = lane_primary(l);

	for (size_t i = 0; p && i < c->n_domains; i++) {
		if (c->domains[i].primary == p)
			return &c->domains[i].drain;
	}
	return &c->drain;
}

/* What is here by now has waited for it; what comes from now on is fresh. */
static void mail_flows(struct lane *l)
{
	l->recovered_ms = clock_wall_ms();
	LIST_FOR_EACH (it, &l->dests)
		dest_drop_pages(MX_CONTAINER_OF(it, struct dest, item));
}

/* As after an outage, but for canaries that are done. */
void lane_breaker_shut(struct lane *l)
{
	mail_flows(l);
	window_restart(&l->window, l->window.canary_left);
}

/* What went by force in the outage is under way, and hangs from nowhere. */
static void keep_forced(struct lane *l)
{
	LIST_FOR_EACH (it, &l->deliveries) {
		struct delivery *d = MX_CONTAINER_OF(it, struct delivery, item);

		if (d->state == DELIVERY_SENDING && d->sent_ms >= l->forced_ms)
			d->era = d->link->era = l->pool.era;
	}
}

/* The primary came back: everything that is ready goes, a canary first. */
static void recover(struct lane *l)
{
	l->outage = false;
	l->lacks[0] = '\0';
	pool_begin_era(&l->pool);
	if (l->forced)
		keep_forced(l);
	l->failures = l->broken = l->carries = 0;
	l->cool_until_ms = 0;
	window_restart(&l->window, lane_drain(l)->canary);
	breaker_host_is_back(&l->breaker);
	mail_flows(l);
}

static void note_state(struct lane *l, enum health_state state)
{
	switch (state) {
	case HEALTH_UP:
		if (l->outage)
			recover(l);
		break;
	case HEALTH_DOWN:
	case HEALTH_REFUSING:
		if (!l->outage) {
			l->released = false;
			pool_abort_opening(&l->pool);
		}
		/* fall through */
	case HEALTH_UNKNOWN:
		l->outage = true;
		break;
	case HEALTH_DOUBTFUL:
		break;
	}
}

/* Reports may be routed by a primary: then it must be up too. */
const struct config_primary *lane_report_primary(const struct relay *r)
{
	const struct config *c = r->config;

	if (c->bounce.route != BOUNCE_BY_PRIMARY || !c->n_domains)
		return NULL;
	return c->domains[0].primary;
}

static bool is_up(struct lane *l)
{
	const struct config_primary *p =
		l->is_report ? lane_report_primary(l->relay) : lane_primary(l);
	struct primary_view view;

	if (!p)
		return l->is_report;
	if (!prober_view(l->relay->parts.prober, p->name, &view))
		return false;
	if (l->is_report)
		return view.health.state == HEALTH_UP;
	note_state(l, view.health.state);
	if (view.held && !l->released)
		return false;
	return l->forced || view.health.state == HEALTH_UP;
}

bool lane_is_held(const struct lane *l)
{
	struct primary_view view;

	if (l->paused)
		return true;
	return !l->released &&
	       prober_view(l->relay->parts.prober, l->name, &view) && view.held;
}

bool lane_may_send(struct lane *l, int64_t mono_ms)
{
	bool up = is_up(l); /* notes the state, whatever else */

	return up && !l->paused && !l->relay->stopping &&
	       (l->is_report || breaker_may_send(&l->breaker, mono_ms));
}

/* --- what it lacks ---------------------------------------------------------
 */

enum {
	/* Longer than the longest wait between two tries by default. */
	LACK_MS = 2 * 3600 * 1000
};

void lane_note_lack(struct lane *l, uint32_t needs, const char *what)
{
	if (!lane_is_lacking(l))
		l->wants = 0;
	l->wants |= needs;
	l->wants_ms = clock_mono_ms();
	snprintf(l->lacks, sizeof(l->lacks), "%s", what);
}

bool lane_is_lacking(const struct lane *l)
{
	return l->lacks[0] && clock_mono_ms() - l->wants_ms < LACK_MS;
}

/* --- for operators ------------------------------------------------------- */

static void view_breaker(const struct lane *l, struct relay_view *out)
{
	const struct breaker *b = &l->breaker;
	int64_t left = b->retry_at_ms - clock_mono_ms();

	snprintf(out->breaker_why, sizeof(out->breaker_why), "%s%s%s",
		 breaker_cause_name(b->cause), l->breaker_said[0] ? ": " : "",
		 l->breaker_said);
	if (b->state == BREAKER_OPEN && b->retry_at_ms != INT64_MAX)
		out->breaker_retry_ms = clock_wall_ms() + MX_MAX(left, 0);
	else if (b->state == BREAKER_TRYING)
		out->breaker_retry_ms = clock_wall_ms();
}

void lane_view(const struct lane *l, struct relay_view *out)
{
	const struct breaker *b = &l->breaker;

	out->connections = (uint32_t)l->pool.n;
	out->limit = window_limit(&l->window);
	out->paused = l->paused;
	out->released = l->released;
	out->rate = l->window.rate;
	out->canary = window_is_canary(&l->window);
	out->breaker_open = breaker_is_open(b);
	out->sent = l->sent;
	out->refused_row = l->refused_row;
	memcpy(out->trouble, l->trouble, sizeof(out->trouble));
	if (lane_is_lacking(l))
		memcpy(out->lacks, l->lacks, sizeof(out->lacks));
	aside_view(l, out);
	out->results = b->n;
	for (uint32_t i = 0; i < b->n; i++)
		out->refused += b->samples[i].bad;
	if (!out->breaker_open)
		return;
	out->results = b->opened_by;
	out->refused = b->opened_by_bad;
	out->breaker_ms = l->breaker_ms;
	view_breaker(l, out);
}
