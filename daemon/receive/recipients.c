#include "mxhold/receive/recipients.h"

#include <stdio.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/clock.h"
#include "mxhold/base/list.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/net/timer.h"
#include "mxhold/receive/recipients_load.h"

/* What is known of a domain's sources. Main loop. */
struct watched {
	uint64_t fingerprint; /* of what is loaded */
	bool is_loaded;       /* by this process */
	bool is_due, was_looked_at;
	int64_t next_ms; /* monotonic */
	char problem[256];
};

/* One look at one domain; the work pool has it between start and end. */
struct look {
	struct recipients *owner;
	struct directory *directory;
	const struct config *config;
	const struct config_domain *domain;
	uint64_t fingerprint;
	bool is_loaded, sweep_first;
	/* out */
	bool is_changed, failed;
	struct recipients_loaded count;
	int64_t took_ms;
	struct error err;
};

struct waiter {
	struct list node;
	void (*on_done)(void *data);
	void *data;
};

struct recipients {
	struct loop *loop;
	struct directory *directory;
	const struct config *config;
	struct map domains; /* name -> struct watched */
	struct timer *timer;
	struct list waiters;
	bool is_swept; /* what an earlier process left half done */
	bool is_looking;
	bool is_freeing;
	void (*on_freed)(void *data);
	void *on_freed_data;
};

static void on_timer(void *data);
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

static struct watched *watch(struct recipients *r, const char *name)
{
	struct watched *w = map_get(&r->domains, slice_str(name));

	if (w)
		return w;
	w = mem_alloc(sizeof(*w));
	map_put(&r->domains, slice_str(name), w);
	return w;
}

static void make_all_due(struct recipients *r)
{
	for (size_t i = 0; i < r->config->n_domains; i++) {
		const struct config_domain *d = &r->config->domains[i];
		struct watched *w = watch(r, d->name);

		w->is_due = d->recipients.n > 0;
		w->was_looked_at = !w->is_due;
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
	map_init(&r->domains);
	list_init(&r->waiters);
	return r;
}

void recipients_reload(struct recipients *r, const struct config *config)
{
	config_unref(r->config);
	r->config = config_ref(config);
	map_each(&r->domains, forget_gone, r);
	make_all_due(r);
	start_next(r);
}

static void finish_free(void *data)
{
	struct recipients *r = data;
	void (*on_freed)(void *data) = r->on_freed;
	void *on_freed_data = r->on_freed_data;

	timer_free(r->timer);
	map_done(&r->domains, mem_free);
	LIST_FOR_EACH_SAFE (it, &r->waiters)
		mem_free(MX_CONTAINER_OF(it, struct waiter, node));
	config_unref(r->config);
	mem_free(r);
	if (on_freed)
		on_freed(on_freed_data);
}

void recipients_free(struct recipients *r, void (*on_done)(void *data),
		     void *data)
{
	MX_ASSERT(!r->is_freeing);
	r->is_freeing = true;
	r->on_freed = on_done;
	r->on_freed_data = data;
	timer_stop(r->timer);
	if (!r->is_looking)
		loop_defer(r->loop, finish_free, r);
}

/* ---- whose turn it is ---- */

static bool all_looked_at(const struct recipients *r)
{
	for (size_t i = 0; i < r->config->n_domains; i++) {
		const char *name = r->config->domains[i].name;
		const struct watched *w = map_get(&r->domains, slice_str(name));

		if (w && !w->was_looked_at)
			return false;
	}
	return true;
}

static void tell_waiters(struct recipients *r)
{
	while (!list_empty(&r->waiters)) {
		struct waiter *w =
			MX_CONTAINER_OF(r->waiters.next, struct waiter, node);

		list_remove(&w->node);
		if (w->on_done)
			w->on_done(w->data);
		mem_free(w);
	}
}

void recipients_sync(struct recipients *r, void (*on_done)(void *data),
		     void *data)
{
	struct waiter *w = mem_alloc(sizeof(*w));

	w->on_done = on_done;
	w->data = data;
	list_append(&r->waiters, &w->node);
	make_all_due(r);
	timer_start(r->timer, 0); /* nothing is called from within the call */
}

static const struct config_domain *next_due(const struct recipients *r)
{
	for (size_t i = 0; i < r->config->n_domains; i++) {
		const struct config_domain *d = &r->config->domains[i];
		const struct watched *w =
			map_get(&r->domains, slice_str(d->name));

		if (w && w->is_due)
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

		if (!w || d->recipients.n == 0)
			continue;
		left = MX_MAX(w->next_ms - now_ms, (int64_t)0);
		if (wait < 0 || left < wait)
			wait = left;
	}
	return wait;
}

static void start_look(struct recipients *r, const struct config_domain *domain)
{
	struct watched *w = map_get(&r->domains, slice_str(domain->name));
	struct look *look = mem_alloc(sizeof(*look));

	w->is_due = false;
	w->next_ms = clock_mono_ms() + domain->refresh;
	look->owner = r;
	look->directory = r->directory;
	look->config = config_ref(r->config);
	look->domain = domain;
	look->fingerprint = w->fingerprint;
	look->is_loaded = w->is_loaded;
	look->sweep_first = !r->is_swept;
	r->is_swept = true;
	r->is_looking = true;
	loop_work(r->loop, look_on_pool, on_looked, look);
}

/* One look at a time: the directory has one writer anyway. */
static void start_next(struct recipients *r)
{
	const struct config_domain *due;
	int64_t wait;

	if (r->is_looking || r->is_freeing)
		return;
	due = next_due(r);
	if (due) {
		start_look(r, due);
		return;
	}
	wait = wait_ms(r);
	if (wait >= 0)
		timer_start(r->timer, MX_MAX(wait, (int64_t)100));
	if (all_looked_at(r))
		tell_waiters(r);
}

static void on_timer(void *data)
{
	struct recipients *r = data;
	int64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < r->config->n_domains; i++) {
		const struct config_domain *d = &r->config->domains[i];
		struct watched *w = watch(r, d->name);

		if (d->recipients.n && w->next_ms <= now_ms)
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

static void look_on_pool(void *data)
{
	struct look *look = data;
	uint64_t fingerprint = recipients_fingerprint(look->domain);
	int64_t began_ms = clock_mono_ms();

	if (look->sweep_first)
		sweep(look->directory);
	look->is_changed = !look->is_loaded || fingerprint != look->fingerprint;
	if (!look->is_changed)
		return;
	look->failed = recipients_load_counted(look->directory, look->domain,
					       &look->count, &look->err) != 0;
	look->fingerprint = fingerprint;
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
	log_end(&l);
}

static void take_result(struct watched *w, const struct look *look)
{
	w->was_looked_at = true;
	if (!look->is_changed)
		return;
	if (look->failed) {
		w->is_loaded = false; /* tried again at the next refresh */
		snprintf(w->problem, sizeof(w->problem),
			 "recipients of %s: %.200s", look->domain->name,
			 look->err.text);
		log_refused(look);
		return;
	}
	w->is_loaded = true;
	w->fingerprint = look->fingerprint;
	w->problem[0] = '\0';
	log_synced(look);
}

static void on_looked(void *data)
{
	struct look *look = data;
	struct recipients *r = look->owner;
	struct watched *w = map_get(&r->domains, slice_str(look->domain->name));

	r->is_looking = false;
	if (w)
		take_result(w, look);
	config_unref(look->config);
	mem_free(look);
	if (r->is_freeing)
		finish_free(r);
	else
		start_next(r);
}

/* ---- alarms ---- */

struct alarms {
	char (*out)[256];
	size_t n, max;
};

static int add_alarm(void *data, struct slice name, void *value)
{
	struct alarms *a = data;
	const struct watched *w = value;

	(void)name;
	if (w->problem[0] && a->n < a->max)
		snprintf(a->out[a->n++], 256, "%s", w->problem);
	return 0;
}

size_t recipients_alarms(const struct recipients *r, char (*out)[256],
			 size_t max)
{
	struct alarms a = {.out = out, .max = max};
	struct recipients *mutable = (struct recipients *)r;

	map_each(&mutable->domains, add_alarm, &a);
	return a.n;
}
