#include "mxhold/base/assert.h"
#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/relay/delivery.h"

enum {
	OPEN_MAX_MS = 60000,  /* look-up to EHLO */
	TIMER_MAX_MS = 60000, /* the wall clock may jump */
	ASK_MS = 10000        /* between two times a primary may ask */
};

static void on_timer(void *data);
static void on_idle(void *data);

static const struct pool_events pool_events = {
	.on_idle = on_idle,
	.on_failed = lane_on_failed,
};

/* --- birth and end ------------------------------------------------------ */

struct lane *lane_find(const struct relay *r, const char *name)
{
	LIST_FOR_EACH (it, &r->lanes) {
		struct lane *l = MX_CONTAINER_OF(it, struct lane, item);

		if (!l->is_report && strcmp(l->name, name) == 0)
			return l;
	}
	return NULL;
}

struct lane *lane_get(struct relay *r, const char *name, bool is_report)
{
	struct lane *l = is_report ? NULL : lane_find(r, name);

	if (l)
		return l;
	l = mem_alloc(sizeof(*l));
	l->relay = r;
	l->name = mem_strdup(name);
	l->is_report = is_report;
	l->outage = true;
	list_init(&l->dests);
	list_init(&l->deliveries);
	list_append(&r->lanes, &l->item);
	pool_init(&l->pool, r->parts.loop, r->parts.outbound, &pool_events, l);
	window_init(&l->window, lane_drain(l));
	if (is_report)
		window_restart(&l->window, 0);
	breaker_init(&l->breaker);
	l->timer = timer_new(r->parts.loop, on_timer, l);
	lane_mark(l);
	return l;
}

/* What was learned stays; a rate that an operator had set does not. */
void lane_reload(struct lane *l)
{
	window_configure(&l->window, lane_drain(l));
	if (l->is_report)
		l->window.canary_left = 0;
	lane_mark(l);
}

bool lane_is_idle(const struct lane *l)
{
	return list_empty(&l->deliveries) && l->pool.n == 0;
}

void lane_free(struct lane *l)
{
	MX_ASSERT(lane_is_idle(l));
	while (!list_empty(&l->dests))
		dest_unbind(MX_CONTAINER_OF(l->dests.next, struct dest, item));
	list_remove(&l->item);
	timer_free(l->timer);
	mem_free(l->name);
	mem_free(l);
}

size_t lane_count_reports(const struct relay *r)
{
	size_t n = 0;

	LIST_FOR_EACH (it, &r->lanes)
		n += MX_CONTAINER_OF(it, struct lane, item)->is_report;
	return n;
}

void lane_mark(struct lane *l)
{
	l->marked = true;
	relay_queue_turn(l->relay);
}

/* --- what next? --------------------------------------------------------- */

/* What hangs from before an outage, or has stepped aside, is no load; what only
 * waits for its commit, while its session goes on, takes nobody's place. */
static bool takes_place(const struct delivery *d)
{
	return d->era == d->lane->pool.era && !d->passed &&
	       !(d->link && d->link->aside);
}

static size_t count_deliveries(const struct lane *l)
{
	size_t n = 0;

	LIST_FOR_EACH (it, &l->deliveries)
		n += takes_place(MX_CONTAINER_OF(it, struct delivery, item));
	return n;
}

static bool has_deliveries(const struct lane *l)
{
	LIST_FOR_EACH (it, &l->deliveries) {
		if (MX_CONTAINER_OF(it, struct delivery, item)->era ==
		    l->pool.era)
			return true;
	}
	return false;
}

bool lane_goes_alone(const struct lane *l)
{
	return window_is_canary(&l->window) ||
	       l->breaker.state == BREAKER_TRYING;
}

uint32_t lane_limit(const struct lane *l)
{
	return lane_goes_alone(l) || l->is_report ? 1
						  : window_limit(&l->window);
}

/* With one session the order is kept, even where a later message was read
 * sooner. */
static struct delivery *next_waiting(const struct lane *l)
{
	LIST_FOR_EACH (it, &l->deliveries) {
		struct delivery *d = MX_CONTAINER_OF(it, struct delivery, item);

		if (d->state == DELIVERY_WAITING)
			return d;
		if (d->state == DELIVERY_LOADING && lane_limit(l) == 1)
			return NULL;
	}
	return NULL;
}

static size_t count_waiting(const struct lane *l)
{
	size_t n = 0;

	LIST_FOR_EACH (it, &l->deliveries)
		n += MX_CONTAINER_OF(it, struct delivery, item)->state ==
		     DELIVERY_WAITING;
	return n;
}

/* Read ahead, so that a session that is free finds its next message. */
static size_t ahead(const struct lane *l)
{
	return lane_goes_alone(l) ? 0 : MX_MIN(lane_limit(l), PREFETCH_MAX);
}

static size_t capacity(const struct lane *l)
{
	return lane_limit(l) + ahead(l);
}

/* An operator's word makes many due at the same moment. */
static bool is_before(const struct due_row *a, const struct due_row *b)
{
	return a->due_ms < b->due_ms ||
	       (a->due_ms == b->due_ms && a->id < b->id);
}

/* The destination with the oldest due row of that class. */
static struct dest *oldest(struct lane *l, enum window_class class,
			   int64_t now_ms)
{
	struct due_row best_row = {0};
	struct dest *best = NULL;

	LIST_FOR_EACH (it, &l->dests) {
		struct dest *d = MX_CONTAINER_OF(it, struct dest, item);
		const struct due_row *row = dest_peek(d, class, now_ms);

		if (!row || (best && !is_before(row, &best_row)))
			continue;
		best = d;
		best_row = *row;
	}
	return best;
}

/* What was refused is due again as if it were fresh; a breaker that tries one
 * message after the other takes what nobody has refused yet. */
static enum window_class pick(struct lane *l, bool has_old, bool has_fresh)
{
	if (has_old && l->breaker.state == BREAKER_TRYING)
		return WINDOW_OLD;
	return window_pick(&l->window, has_old, has_fresh);
}

static bool start_next(struct lane *l, int64_t now_ms)
{
	struct dest *old = oldest(l, WINDOW_OLD, now_ms);
	struct dest *fresh = oldest(l, WINDOW_FRESH, now_ms);
	enum window_class class;
	struct due_row row;
	struct dest *d;

	if (!old && !fresh)
		return false;
	class = pick(l, old, fresh);
	d = class == WINDOW_OLD ? old : fresh;
	row = *dest_peek(d, class, now_ms);
	dest_take(d, class);
	delivery_start(l, d, class, &row);
	return true;
}

/* Others that stall take no lane its last place. */
static bool may_load(const struct lane *l, size_t n)
{
	return n < capacity(l) &&
	       (n == 0 || l->relay->n_deliveries < IN_FLIGHT_MAX);
}

/* Several at once where there are several to come: they share the way to the
 * work pool and back (shelf.h). */
static void load_ahead(struct lane *l, int64_t now_ms)
{
	size_t n = count_deliveries(l);

	if (n + ahead(l) / 2 > capacity(l))
		return;
	while (may_load(l, n)) {
		if (!start_next(l, now_ms)) {
			l->forced = l->forced && has_deliveries(l);
			return;
		}
		n++;
	}
}

/* --- sessions ----------------------------------------------------------- */

static void open_session(struct lane *l)
{
	const struct config_drain *drain = lane_drain(l);
	struct relay *r = l->relay;
	struct primary_view view = {.n_good = 0};
	struct session_target t = {
		.primary =
			l->is_report ? lane_report_primary(r) : lane_primary(l),
		.domain = l->name,
		.depth = PROBE_RCPT,
		.wants = lane_is_lacking(l) ? l->wants : 0,
		.connect_timeout = drain->connect_timeout,
		.command_timeout = drain->command_timeout,
		.data_timeout = drain->data_timeout,
		.total_timeout = MX_MIN(drain->command_timeout, OPEN_MAX_MS),
	};

	if (t.primary && prober_view(r->parts.prober, t.primary->name, &view)) {
		t.last_good = view.good;
		t.n_last_good = view.n_good;
	}
	pool_open(&l->pool, &t);
}

static void open_sessions(struct lane *l, int64_t mono_ms)
{
	size_t opening = pool_count(&l->pool, LINK_OPENING);
	size_t n = pool_count_any(&l->pool);
	size_t aside = pool_count_aside(&l->pool);
	size_t waiting = count_waiting(l);

	if (mono_ms < l->cool_until_ms)
		return;
	for (; opening < waiting && n < lane_limit(l) &&
	       n + aside < l->window.max;
	     opening++, n++)
		open_session(l);
}

static void send_waiting(struct lane *l)
{
	struct delivery *d;

	while ((d = next_waiting(l)) != NULL) {
		struct link *link;

		if (window_wait_us(&l->window, clock_mono_us()) > 0)
			return;
		if (pool_count(&l->pool, LINK_BUSY) >= lane_limit(l))
			return;
		link = pool_take(&l->pool, &delivery_user, d);
		if (!link)
			return;
		window_took(&l->window, clock_mono_us());
		delivery_send(d, link);
	}
}

/* --- a turn ------------------------------------------------------------- */

static void drop_waiting(struct lane *l)
{
	LIST_FOR_EACH_SAFE (it, &l->deliveries) {
		struct delivery *d = MX_CONTAINER_OF(it, struct delivery, item);

		if (d->state <= DELIVERY_WAITING)
			delivery_drop(d);
	}
	LIST_FOR_EACH (it, &l->dests)
		dest_drop_pages(MX_CONTAINER_OF(it, struct dest, item));
}

static int64_t next_due(const struct lane *l)
{
	int64_t next = INT64_MAX;

	LIST_FOR_EACH (it, &l->dests)
		next = MX_MIN(
			next,
			MX_CONTAINER_OF(it, struct dest, item)->look_at_ms);
	return next;
}

/* The earliest of all that no event will tell of. */
static void set_timer(struct lane *l, int64_t now_ms, int64_t mono_ms,
		      int64_t patience_ms)
{
	int64_t wait = MX_MIN((int64_t)TIMER_MAX_MS, patience_ms);
	int64_t rate_us, due = next_due(l);

	if (due > now_ms)
		wait = MX_MIN(wait, due - now_ms);
	if (l->cool_until_ms > mono_ms)
		wait = MX_MIN(wait, l->cool_until_ms - mono_ms);
	if (l->breaker.state == BREAKER_OPEN)
		wait = MX_MIN(wait, l->breaker.retry_at_ms - mono_ms);
	rate_us = window_wait_us(&l->window, clock_mono_us());
	if (rate_us > 0 && next_waiting(l))
		wait = MX_MIN(wait, rate_us / 1000 + 1);
	timer_start(l->timer, MX_MAX(wait, 1));
}

/* A report's lane lives as long as it has something to do. */
static bool is_done(const struct lane *l)
{
	struct relay *r = l->relay;

	if (!lane_is_idle(l))
		return false;
	if (l->is_report)
		return r->stopping || next_due(l) > clock_wall_ms();
	return list_empty(&l->dests) && !lane_primary(l);
}

void lane_run(struct lane *l)
{
	int64_t now_ms = clock_wall_ms(), mono_ms = clock_mono_ms();

	l->marked = false;
	if (!lane_may_send(l, mono_ms)) {
		drop_waiting(l);
		if (l->relay->stopping)
			pool_abort_opening(&l->pool);
		pool_quit_idle(&l->pool);
		set_timer(l, INT64_MAX, mono_ms, INT64_MAX);
	} else {
		int64_t patience_ms = aside_look(l, mono_ms);

		load_ahead(l, now_ms);
		send_waiting(l);
		open_sessions(l, mono_ms);
		set_timer(l, now_ms, mono_ms, patience_ms);
	}
	if (is_done(l))
		lane_free(l);
}

static void on_timer(void *data)
{
	lane_mark(data);
}

static void on_idle(void *data)
{
	struct lane *l = data;

	l->failures = 0;
	l->trouble[0] = '\0';
	lane_mark(l);
}

void lane_loaded(struct lane *l)
{
	lane_mark(l);
}

/* --- the operator's words ----------------------------------------------- */

void lane_drain_now(struct lane *l)
{
	l->paused = false;
	l->forced = true;
	l->forced_ms = clock_mono_ms();
	l->released = l->released || lane_is_held(l);
	l->cool_until_ms = 0;
	breaker_try_now(&l->breaker);
	lane_mark(l);
}

/* What `drain now` had let go is over, whichever it is. */
void lane_hold(struct lane *l, bool hold)
{
	l->released = false;
	l->forced = l->forced && !hold;
	lane_mark(l);
}

/* --- the primary's word -------------------------------------------------- */

/* Nothing goes to it that would not go anyway: it is only looked at now. */
void lane_ask(struct lane *l)
{
	int64_t mono_ms = clock_mono_ms();

	if (l->asked_ms && mono_ms - l->asked_ms < ASK_MS)
		return;
	l->asked_ms = mono_ms;
	l->cool_until_ms = 0;
	prober_probe_now(l->relay->parts.prober, l->name, NULL, NULL);
	lane_mark(l);
	relay_kick(l->relay);
}
