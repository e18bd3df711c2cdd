#include "mxhold/receive/recipients.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/clock.h"
#include "mxhold/base/list.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/random.h"
#include "mxhold/base/text.h"
#include "mxhold/config/source.h"
#include "mxhold/net/timer.h"
#include "mxhold/receive/recipients_load.h"
#include "mxhold/receive/recipients_settle.h"

enum {
	READY_MS = 5000,
	LEAST_WAIT_MS = 100,
	SOON_MS = 1000,
	TRIES = 3, /* of a file that changes while it is read */
};

enum lane { /* looks that may go on at the same time */
	LANE_FILES,
	LANE_REMOTE,
	LANE_COUNT
};

static const unsigned lane_limit[LANE_COUNT] = {1, 2};

/* What is known of a domain's sources. Main loop. */
struct watched {
	struct list_state state;
	bool is_due, is_looking, wants_accept;
	uint64_t looked; /* r->serial when the last look that ended began */
	int64_t next_ms; /* monotonic */
	char logged[LIST_PROBLEM_MAX]; /* the refusal said last */
};

/* One look at one domain; the work pool has it between start and end. */
struct look {
	struct recipients *owner;
	struct directory *directory;
	const struct config *config;
	const struct config_domain *domain;
	struct recipients_asked asked;
	enum lane lane;
	uint64_t serial;
	bool sweep_first;
	bool is_first; /* of this process */
	/* out */
	bool was_written; /* just now: it may go on */
	enum recipients_looked what;
	struct recipients_loaded count;
	int64_t took_ms;
	struct error err;
};

struct waiter {
	struct list node;
	uint64_t serial; /* looks that began before do not count */
	char *domain;    /* NULL = all */
	bool is_start;   /* not for those that are fetched or run */
	void (*on_done)(void *data);
	void *data;
};

struct recipients {
	struct loop *loop;
	struct directory *directory;
	const struct config *config;
	struct map domains; /* name -> struct watched */
	struct timer *timer, *ready;
	struct list waiters;
	uint64_t serial;
	bool is_swept; /* what an earlier process left half done */
	unsigned n_looking[LANE_COUNT];
	atomic_bool is_freeing;
	void (*on_freed)(void *data);
	void *on_freed_data;
};

static void on_timer(void *data);
static void on_ready_timer(void *data);
static void look_on_pool(void *data);
static void on_looked(void *data);
static void start_next(struct recipients *r);

/* ---- life ---- */

static int forget_gone(void *data, struct slice name, void *value)
{
	struct recipients *r = data;
	char text[256];

	snprintf(text, sizeof(text), "%.*s", (int)name.n, name.p);
	if (!config_domain(r->config, text))
		mem_free(map_remove(&r->domains, name));
	(void)value;
	return 0;
}

/* What an earlier process knew of it: a refusal outlives a restart. */
static struct watched *watch(struct recipients *r, const char *name)
{
	struct watched *w = map_get(&r->domains, slice_str(name));

	if (w)
		return w;
	w = mem_alloc(sizeof(*w));
	directory_state_get(r->directory, name, &w->state);
	map_put(&r->domains, slice_str(name), w);
	return w;
}

static bool has_sources(const struct config_domain *d)
{
	return d->recipients.n > 0;
}

static void make_due(struct recipients *r, const char *domain)
{
	for (size_t i = 0; i < r->config->n_domains; i++) {
		const struct config_domain *d = &r->config->domains[i];
		struct watched *w = watch(r, d->name);

		if (!domain || strcmp(domain, d->name) == 0)
			w->is_due = has_sources(d);
	}
}

struct recipients *recipients_new(struct loop *loop, struct directory *d,
				  const struct config *config)
{
	struct recipients *r = mem_alloc(sizeof(*r));

	r->loop = loop;
	r->directory = d;
	r->config = config_ref(config);
	r->timer = timer_new(loop, on_timer, r);
	r->ready = timer_new(loop, on_ready_timer, r);
	map_init(&r->domains);
	list_init(&r->waiters);
	return r;
}

void recipients_reload(struct recipients *r, const struct config *config)
{
	config_unref(r->config);
	r->config = config_ref(config);
	map_each(&r->domains, forget_gone, r);
	make_due(r, NULL);
	start_next(r);
}

static void waiter_free(struct waiter *w)
{
	mem_free(w->domain);
	mem_free(w);
}

static void tell(struct waiter *w)
{
	list_remove(&w->node);
	if (w->on_done)
		w->on_done(w->data);
	waiter_free(w);
}

static void finish_free(void *data)
{
	struct recipients *r = data;
	void (*on_freed)(void *data) = r->on_freed;
	void *on_freed_data = r->on_freed_data;

	timer_free(r->timer);
	timer_free(r->ready);
	map_done(&r->domains, mem_free);
	while (!list_empty(&r->waiters))
		tell(MX_CONTAINER_OF(r->waiters.next, struct waiter, node));
	config_unref(r->config);
	mem_free(r);
	if (on_freed)
		on_freed(on_freed_data);
}

static bool is_looking(const struct recipients *r)
{
	return r->n_looking[LANE_FILES] || r->n_looking[LANE_REMOTE];
}

void recipients_free(struct recipients *r, void (*on_done)(void *data),
		     void *data)
{
	MX_ASSERT(!r->is_freeing);
	r->is_freeing = true; /* and cancels */
	r->on_freed = on_done;
	r->on_freed_data = data;
	timer_stop(r->timer);
	timer_stop(r->ready);
	if (!is_looking(r))
		loop_defer(r->loop, finish_free, r);
}

/* ---- who waits ---- */

static bool waits_for(const struct waiter *w, const struct config_domain *d)
{
	if (!has_sources(d))
		return false;
	if (w->is_start && config_has_remote_source(d))
		return false;
	return !w->domain || strcmp(w->domain, d->name) == 0;
}

static bool is_done(const struct recipients *r, const struct waiter *w)
{
	for (size_t i = 0; i < r->config->n_domains; i++) {
		const struct config_domain *d = &r->config->domains[i];
		const struct watched *known =
			map_get(&r->domains, slice_str(d->name));

		if (known && waits_for(w, d) && known->looked < w->serial)
			return false;
	}
	return true;
}

/* The door waits a little for the rest. */
static void go_on_to_rest(struct recipients *r, struct waiter *w)
{
	w->is_start = false;
	if (is_done(r, w))
		return;
	timer_start(r->ready, READY_MS);
}

static void tell_waiters(struct recipients *r)
{
	LIST_FOR_EACH_SAFE (it, &r->waiters) {
		struct waiter *w = MX_CONTAINER_OF(it, struct waiter, node);

		if (!is_done(r, w))
			continue;
		if (w->is_start)
			go_on_to_rest(r, w);
		if (is_done(r, w))
			tell(w);
	}
}

static void on_ready_timer(void *data)
{
	struct recipients *r = data;
	struct waiter *first =
		MX_CONTAINER_OF(r->waiters.next, struct waiter, node);

	/* Who waits since the start came first. */
	if (!list_empty(&r->waiters) && first->serial == 1)
		tell(first);
}

static struct waiter *wait_for(struct recipients *r, const char *domain,
			       void (*on_done)(void *data), void *data)
{
	struct waiter *w = mem_alloc(sizeof(*w));

	w->serial = ++r->serial;
	w->domain = domain ? mem_strdup(domain) : NULL;
	w->on_done = on_done;
	w->data = data;
	list_append(&r->waiters, &w->node);
	make_due(r, domain);
	timer_start(r->timer, 0); /* nothing is called from within the call */
	return w;
}

void recipients_start(struct recipients *r, void (*on_ready)(void *data),
		      void *data)
{
	MX_ASSERT(r->serial == 0);
	wait_for(r, NULL, on_ready, data)->is_start = true;
}

static int forget_logged(void *data, struct slice name, void *value)
{
	struct watched *w = value;

	(void)data;
	(void)name;
	w->logged[0] = '\0';
	return 0;
}

/* Who asks is told in the log as well, also what stands there already. */
void recipients_sync(struct recipients *r, const char *domain,
		     void (*on_done)(void *data), void *data)
{
	wait_for(r, domain, on_done, data);
	map_each(&r->domains, forget_logged, NULL);
}

void recipients_accept(struct recipients *r, const char *domain,
		       void (*on_done)(void *data), void *data)
{
	recipients_sync(r, domain, on_done, data);
	if (config_domain(r->config, domain))
		watch(r, domain)->wants_accept = true;
}

/* ---- whose turn it is ---- */

static enum lane lane_of(const struct config_domain *d)
{
	return config_has_remote_source(d) ? LANE_REMOTE : LANE_FILES;
}

static const struct config_domain *next_due(const struct recipients *r,
					    enum lane lane)
{
	for (size_t i = 0; i < r->config->n_domains; i++) {
		const struct config_domain *d = &r->config->domains[i];
		const struct watched *w =
			map_get(&r->domains, slice_str(d->name));

		if (w && w->is_due && !w->is_looking && lane_of(d) == lane)
			return d;
	}
	return NULL;
}

/* When the next refresh is; -1: never. */
static int64_t wait_ms(const struct recipients *r)
{
	int64_t now_ms = clock_mono_ms(), wait = -1;

	for (size_t i = 0; i < r->config->n_domains; i++) {
		const struct config_domain *d = &r->config->domains[i];
		const struct watched *w =
			map_get(&r->domains, slice_str(d->name));
		int64_t left;

		if (!w || w->is_due || w->is_looking || !has_sources(d))
			continue;
		left = MX_MAX(w->next_ms - now_ms, (int64_t)0);
		if (wait < 0 || left < wait)
			wait = left;
	}
	return wait;
}

static int64_t jitter_ms(const struct config_domain *d)
{
	int64_t most = MX_MIN(d->refresh / 10, (int64_t)UINT32_MAX - 1);

	return config_has_remote_source(d)
		       ? (int64_t)random_below((uint32_t)most + 1)
		       : 0;
}

static void start_look(struct recipients *r, const struct config_domain *domain)
{
	struct watched *w = map_get(&r->domains, slice_str(domain->name));
	struct look *look = mem_alloc(sizeof(*look));

	look->owner = r;
	look->directory = r->directory;
	look->config = config_ref(r->config);
	look->domain = domain;
	look->lane = lane_of(domain);
	look->serial = r->serial;
	look->asked.accept = w->wants_accept;
	look->asked.cancelled = &r->is_freeing;
	look->sweep_first = !r->is_swept;
	look->is_first = w->looked == 0;
	r->is_swept = true;
	w->is_due = w->wants_accept = false;
	w->is_looking = true;
	w->next_ms = clock_mono_ms() + domain->refresh - jitter_ms(domain);
	r->n_looking[look->lane]++;
	loop_work(r->loop, look_on_pool, on_looked, look);
}

static void start_next(struct recipients *r)
{
	int64_t wait;

	if (r->is_freeing)
		return;
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		const struct config_domain *due;

		while (r->n_looking[lane] < lane_limit[lane] &&
		       (due = next_due(r, (enum lane)lane)))
			start_look(r, due);
	}
	wait = wait_ms(r);
	if (wait >= 0)
		timer_start(r->timer, MX_MAX(wait, (int64_t)LEAST_WAIT_MS));
	tell_waiters(r);
}

static void on_timer(void *data)
{
	struct recipients *r = data;
	int64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < r->config->n_domains; i++) {
		const struct config_domain *d = &r->config->domains[i];
		struct watched *w = watch(r, d->name);

		if (has_sources(d) && !w->is_looking && w->next_ms <= now_ms)
			w->is_due = true;
	}
	start_next(r);
}

/* ---- one look ---- */

static void sweep(struct directory *d)
{
	bool more = true;

	while (more && directory_sweep(d, &more) == 0)
		;
}

/* Whoever starts does not wait: what a file holds by then is better than
 * nothing, and is looked at again. */
static void look_once(struct look *look)
{
	if (look->is_first)
		look->was_written = !recipients_are_at_rest(look->domain);
	else
		recipients_wait_for_rest(look->domain, look->asked.cancelled);
	look->what = recipients_look(look->directory, look->domain,
				     &look->asked, &look->count, &look->err);
}

static bool is_to_be_had_again(const struct look *look)
{
	return look->what == RECIPIENTS_FAILED && look->err.sys == EAGAIN;
}

static void look_on_pool(void *data)
{
	struct look *look = data;
	int64_t began_ms = clock_mono_ms();

	if (look->sweep_first)
		sweep(look->directory);
	look_once(look);
	for (int i = 1; i < TRIES && is_to_be_had_again(look); i++)
		look_once(look);
	look->took_ms = clock_mono_ms() - began_ms;
}

static void log_synced(const struct look *look)
{
	struct log_line l;

	log_begin(&l, LOG_INFO, "recipients.synced");
	log_str(&l, "domain", look->domain->name);
	log_int(&l, "entries", (int64_t)look->count.entries);
	log_int(&l, "before", (int64_t)look->count.before);
	log_int(&l, "other_domains", (int64_t)look->count.foreign);
	log_int(&l, "ms", look->took_ms);
	log_end(&l);
}

static void log_refused(const struct look *look)
{
	struct log_line l;

	log_begin(&l, LOG_WARNING, "recipients.refused");
	log_str(&l, "domain", look->domain->name);
	log_str(&l, "why", look->err.text);
	log_str(&l, "instead",
		look->count.before ? "the last good list stays in force"
				   : "unlisted recipients are deferred");
	if (look->what == RECIPIENTS_REFUSED)
		log_str(&l, "until", "recipients accept, or a larger list");
	log_end(&l);
}

/* What stays wrong is said once. */
static void take_result(struct watched *w, const struct look *look)
{
	bool is_good =
		look->what == RECIPIENTS_TAKEN || look->what == RECIPIENTS_SAME;

	w->state = look->count.state;
	if (look->what == RECIPIENTS_TAKEN)
		log_synced(look);
	if (!is_good && strcmp(w->logged, w->state.problem) != 0)
		log_refused(look);
	snprintf(w->logged, sizeof(w->logged), "%s",
		 is_good ? "" : w->state.problem);
}

static void on_looked(void *data)
{
	struct look *look = data;
	struct recipients *r = look->owner;
	struct watched *w = map_get(&r->domains, slice_str(look->domain->name));

	r->n_looking[look->lane]--;
	if (w && !r->is_freeing) {
		take_result(w, look);
		w->is_looking = false;
		w->looked = look->serial;
		if (look->was_written)
			w->next_ms = clock_mono_ms() + SOON_MS;
	}
	config_unref(look->config);
	mem_free(look);
	if (!r->is_freeing)
		start_next(r);
	else if (!is_looking(r))
		finish_free(r);
}

/* ---- alarms ---- */

struct alarms {
	char (*out)[256];
	size_t n, max;
};

static void add(struct alarms *a, const char *domain, const char *what,
		const char *more)
{
	char text[1024];

	if (a->n == a->max)
		return;
	snprintf(text, sizeof(text), "recipients of %s: %s%s", domain, what,
		 more);
	snprintf(a->out[a->n++], 256, "%.255s", text);
}

static void add_refusal(struct alarms *a, const char *domain,
			const struct list_state *s)
{
	add(a, domain, s->problem,
	    s->refused ? "; refused until it is confirmed: recipients accept"
		       : "");
}

/* In force for ever, but it should be known that it is old. */
static void add_age(struct alarms *a, const struct config_domain *d,
		    const struct list_state *s)
{
	int64_t age_ms = clock_wall_ms() - s->good_ms;
	char age[TEXT_TIME_MAX], what[120];

	if (s->good_ms == 0 || age_ms <= d->stale_after)
		return;
	text_format_age(age_ms, age);
	snprintf(what, sizeof(what),
		 "the list in force was confirmed %s ago (stale_after)", age);
	add(a, d->name, what, "");
}

size_t recipients_alarms(const struct recipients *r, char (*out)[256],
			 size_t max)
{
	struct alarms a = {.out = out, .max = max};

	for (size_t i = 0; i < r->config->n_domains; i++) {
		const struct config_domain *d = &r->config->domains[i];
		const struct watched *w =
			map_get(&r->domains, slice_str(d->name));

		if (!w || !has_sources(d))
			continue;
		if (w->state.problem[0])
			add_refusal(&a, d->name, &w->state);
		add_age(&a, d, &w->state);
	}
	return a.n;
}
