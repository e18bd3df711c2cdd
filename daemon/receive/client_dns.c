/*
 *	ask --> remembered? --yes--> answered
 *	          | no
 *	          v
 *	        lookup: PTR, then A or AAAA of its names; each block list
 *	          |     beside it
 *	          v
 *	        all are in, or the time is up --> remembered, all answered
 */
#include "mxhold/receive/client_dns.h"

#include <stdio.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/log.h"
#include "mxhold/base/map.h"
#include "mxhold/base/mem.h"
#include "mxhold/mail/domain.h"
#include "mxhold/net/timer.h"
#include "mxhold/receive/reputation.h"

enum {
	LISTS_MAX = 32,    /* different block lists, of all domains */
	NAMES_MAX = 5,     /* reverse names that are looked up forward */
	LOOKUPS_MAX = 512, /* under way at once */
	KNOWN_MAX = 16384, /* addresses remembered */
	KEEP_MIN_S = 60,
	KEEP_MAX_S = 3600,
	KEEP_NOTHING_S = 300, /* answers that say no and how long they last */
	KEEP_TROUBLE_S = 30,
};

struct list_zone {
	char name[256];
	bool is_complained; /* of its nonsense, in the log */
};

struct client_dns {
	struct loop *loop;
	struct resolver *resolver;
	struct list_zone lists[LISTS_MAX];
	size_t n_lists;
	bool stopped;
	struct list lookups;
	size_t n_lookups;
	struct map known; /* address -> struct known */
	struct list by_age;
};

struct known {
	struct list by_age; /* the one found out first stands first */
	struct inet_addr client;
	int64_t until_ms;
	struct client_facts facts;
};

enum query_kind {
	QUERY_REVERSE,
	QUERY_FORWARD,
	QUERY_LIST
};

struct lookup;

struct query {
	struct lookup *lookup;
	struct resolver_query *asked; /* NULL: answered, or never asked */
	enum query_kind kind;
	size_t index; /* of the name or the list */
};

enum {
	QUERIES_MAX = 1 + NAMES_MAX + LISTS_MAX
};

struct lookup { /* of one client, under way */
	struct list in;
	struct client_dns *dns;
	struct timer *timer;
	struct list waiting; /* struct client_dns_wait */
	struct inet_addr client;
	struct client_facts facts;
	char names[NAMES_MAX][256];
	size_t confirmed; /* the first of the names that is; NAMES_MAX: none */
	bool had_trouble, had_reverse_trouble;
	uint32_t ttl_s;
	size_t n_queries, n_open;
	struct query queries[QUERIES_MAX];
};

static void on_answer(void *data, const struct dns_answer *a);
static void on_time_is_up(void *data);

/* ---- pure ---- */

static bool is_in(const struct inet_addr *a, const uint8_t *net, size_t n)
{
	return a->family == 4 && memcmp(a->bytes, net, n) == 0;
}

enum dnsbl_answer dnsbl_read(const struct dns_answer *a)
{
	static const uint8_t loopback[] = {127}, errors[] = {127, 255, 255};

	switch (a->status) {
	case DNS_NODATA:
	case DNS_NXDOMAIN:
		return DNSBL_NOT_LISTED;
	case DNS_FAIL:
	case DNS_BOGUS:
		return DNSBL_SILENT;
	case DNS_OK:
		break;
	}
	for (size_t i = 0; i < a->n; i++)
		if (!is_in(&a->records[i].addr, loopback, sizeof(loopback)) ||
		    is_in(&a->records[i].addr, errors, sizeof(errors)))
			return DNSBL_BROKEN;
	return DNSBL_LISTED;
}

/* ---- what is remembered ---- */

static void forget(struct client_dns *c, struct known *k)
{
	char room[17];

	map_remove(&c->known, reputation_key(&k->client, room));
	list_remove(&k->by_age);
	client_facts_done(&k->facts);
	mem_free(k);
}

static void forget_all(struct client_dns *c)
{
	LIST_FOR_EACH_SAFE (it, &c->by_age)
		forget(c, MX_CONTAINER_OF(it, struct known, by_age));
}

static struct known *recall(struct client_dns *c,
			    const struct inet_addr *client, bool is_judged)
{
	char room[17];
	struct known *k = map_get(&c->known, reputation_key(client, room));

	if (!k)
		return NULL;
	if (loop_now_ms(c->loop) < k->until_ms &&
	    k->facts.is_judged == is_judged)
		return k;
	forget(c, k);
	return NULL;
}

/* Two may end for one client: as one who is judged, and as one who is not. */
static void remember(struct lookup *l)
{
	struct client_dns *c = l->dns;
	char room[17];
	struct known *k = map_get(&c->known, reputation_key(&l->client, room));

	if (k)
		forget(c, k);
	if (c->known.n >= KNOWN_MAX)
		forget(c,
		       MX_CONTAINER_OF(c->by_age.next, struct known, by_age));
	k = mem_alloc(sizeof(*k));
	k->client = l->client;
	k->until_ms =
		loop_now_ms(c->loop) +
		1000 * (int64_t)(l->had_trouble ? KEEP_TROUBLE_S : l->ttl_s);
	client_facts_copy(&k->facts, &l->facts);
	list_append(&c->by_age, &k->by_age);
	k = map_put(&c->known, reputation_key(&l->client, room), k);
	MX_ASSERT(!k);
}

/* ---- a look-up ---- */

static void ask(struct lookup *l, enum query_kind kind, size_t index,
		const char *name, enum dns_type type)
{
	struct query *q = &l->queries[l->n_queries++];

	MX_ASSERT(l->n_queries <= QUERIES_MAX);
	*q = (struct query){.lookup = l, .kind = kind, .index = index};
	l->n_open++;
	q->asked = resolver_ask(l->dns->resolver, name, type, on_answer, q);
}

static void ask_lists(struct lookup *l)
{
	char front[INET_REVERSE_MAX], name[INET_REVERSE_MAX + 256];

	inet_format_reverse(&l->client, front);
	for (size_t i = 0; i < l->dns->n_lists; i++) {
		snprintf(name, sizeof(name), "%s.%s", front,
			 l->dns->lists[i].name);
		ask(l, QUERY_LIST, i, name, DNS_A);
	}
}

static void begin(struct lookup *l)
{
	char front[INET_REVERSE_MAX], name[INET_REVERSE_MAX + 16];

	inet_format_reverse(&l->client, front);
	snprintf(name, sizeof(name), "%s.%s", front,
		 l->client.family == 4 ? "in-addr.arpa" : "ip6.arpa");
	ask(l, QUERY_REVERSE, 0, name, DNS_PTR);
	if (l->facts.is_judged)
		ask_lists(l);
	timer_start(l->timer, CLIENT_DNS_MS);
}

static struct lookup *lookup_of(struct client_dns *c,
				const struct inet_addr *client, bool is_judged)
{
	struct lookup *l;

	LIST_FOR_EACH (it, &c->lookups) {
		l = MX_CONTAINER_OF(it, struct lookup, in);
		if (inet_eq(&l->client, client) &&
		    l->facts.is_judged == is_judged)
			return l;
	}
	if (c->n_lookups >= LOOKUPS_MAX)
		return NULL;
	l = mem_alloc(sizeof(*l));
	l->dns = c;
	l->timer = timer_new(c->loop, on_time_is_up, l);
	l->client = *client;
	l->facts.is_judged = is_judged;
	l->confirmed = NAMES_MAX;
	l->ttl_s = KEEP_MAX_S;
	list_init(&l->waiting);
	list_append(&c->lookups, &l->in);
	c->n_lookups++;
	begin(l);
	return l;
}

/* ---- answers ---- */

static void last_for(struct lookup *l, const struct dns_answer *a)
{
	uint32_t ttl_s = a->status == DNS_OK ? a->ttl_s : KEEP_NOTHING_S;

	l->ttl_s = MX_MIN(l->ttl_s, MX_MAX(ttl_s, (uint32_t)KEEP_MIN_S));
	if (a->status == DNS_FAIL || a->status == DNS_BOGUS)
		l->had_trouble = true;
}

static void take_reverse(struct lookup *l, const struct dns_answer *a)
{
	enum dns_type type = l->client.family == 4 ? DNS_A : DNS_AAAA;
	size_t n = 0;

	if (a->status == DNS_FAIL || a->status == DNS_BOGUS)
		l->had_reverse_trouble = true;
	for (size_t i = 0; a->status == DNS_OK && i < a->n; i++) {
		const char *name = a->records[i].name;

		if (n == NAMES_MAX || !domain_is_fqdn(slice_str(name)))
			continue;
		memcpy(l->names[n], name, sizeof(l->names[n]));
		ask(l, QUERY_FORWARD, n, name, type);
		n++;
	}
}

static void take_forward(struct lookup *l, size_t index,
			 const struct dns_answer *a)
{
	if (a->status == DNS_FAIL || a->status == DNS_BOGUS)
		l->had_reverse_trouble = true;
	for (size_t i = 0; a->status == DNS_OK && i < a->n; i++)
		if (inet_eq(&a->records[i].addr, &l->client))
			l->confirmed = MX_MIN(l->confirmed, index);
}

/* Once: a list that has gone astray does so for every client. */
static void complain(struct list_zone *list, const struct dns_answer *a)
{
	char text[INET_TEXT_MAX];
	struct log_line line;

	if (list->is_complained)
		return;
	list->is_complained = true;
	inet_format(&a->records[0].addr, text);
	log_begin(&line, LOG_WARNING, "dnsbl.error");
	log_str(&line, "list", list->name);
	log_str(&line, "answer", text);
	log_str(&line, "why",
		"not an answer of a block list; it counts nothing");
	log_end(&line);
}

static void take_list(struct lookup *l, size_t index,
		      const struct dns_answer *a)
{
	struct list_zone *list = &l->dns->lists[index];

	switch (dnsbl_read(a)) {
	case DNSBL_LISTED:
		client_facts_add_list(&l->facts, list->name);
		break;
	case DNSBL_BROKEN:
		complain(list, a);
		break;
	case DNSBL_NOT_LISTED:
	case DNSBL_SILENT:
		break;
	}
}

static enum fcrdns judge_reverse(const struct lookup *l)
{
	if (l->confirmed < NAMES_MAX)
		return FCRDNS_CONFIRMED;
	if (l->had_reverse_trouble)
		return FCRDNS_TROUBLE;
	return FCRDNS_NONE;
}

/* Whoever waits may not ask again from within. */
static void tell(struct list *waiting, const struct client_facts *facts)
{
	while (!list_empty(waiting)) {
		struct client_dns_wait *w = MX_CONTAINER_OF(
			waiting->next, struct client_dns_wait, in);

		list_remove(&w->in);
		w->on_facts(w, facts);
	}
}

static void finish(struct lookup *l)
{
	struct client_dns *c = l->dns;

	l->facts.fcrdns = judge_reverse(l);
	if (l->facts.fcrdns == FCRDNS_CONFIRMED)
		l->facts.name = mem_strdup(l->names[l->confirmed]);
	for (size_t i = 0; i < l->n_queries; i++)
		resolver_cancel(l->queries[i].asked);
	remember(l);
	list_remove(&l->in);
	c->n_lookups--;
	timer_free(l->timer);
	tell(&l->waiting, &l->facts);
	client_facts_done(&l->facts);
	mem_free(l);
}

/* What is still open is no answer. */
static void give_up(struct lookup *l)
{
	l->had_trouble = true;
	for (size_t i = 0; i < l->n_queries; i++)
		if (l->queries[i].asked && l->queries[i].kind != QUERY_LIST)
			l->had_reverse_trouble = true;
	finish(l);
}

static void on_time_is_up(void *data)
{
	give_up(data);
}

static void on_answer(void *data, const struct dns_answer *a)
{
	struct query *q = data;
	struct lookup *l = q->lookup;

	q->asked = NULL;
	l->n_open--;
	last_for(l, a);
	switch (q->kind) {
	case QUERY_REVERSE:
		take_reverse(l, a);
		break;
	case QUERY_FORWARD:
		take_forward(l, q->index, a);
		break;
	case QUERY_LIST:
		take_list(l, q->index, a);
		break;
	}
	if (l->n_open == 0)
		finish(l);
}

/* ---- the outside ---- */

static bool has_list(const struct client_dns *c, const char *zone)
{
	for (size_t i = 0; i < c->n_lists; i++)
		if (strcasecmp(c->lists[i].name, zone) == 0)
			return true;
	return false;
}

static void add_lists(struct client_dns *c, const struct config_policy *policy)
{
	for (size_t i = 0; i < policy->n_dnsbl; i++) {
		const char *zone = policy->dnsbl[i].zone;

		if (has_list(c, zone))
			continue;
		if (c->n_lists == LISTS_MAX) {
			log_why(LOG_WARNING, "dnsbl.error",
				"%s is not asked: there are more than %d lists",
				zone, LISTS_MAX);
			continue;
		}
		snprintf(c->lists[c->n_lists++].name, sizeof(c->lists[0].name),
			 "%s", zone);
	}
}

/* Look-ups under way name lists by number: they end with what they have. */
void client_dns_configure(struct client_dns *c, const struct config *config)
{
	LIST_FOR_EACH_SAFE (it, &c->lookups)
		give_up(MX_CONTAINER_OF(it, struct lookup, in));
	forget_all(c);
	c->n_lists = 0;
	memset(c->lists, 0, sizeof(c->lists));
	add_lists(c, &config->policy);
	for (size_t i = 0; i < config->n_domains; i++)
		add_lists(c, &config->domains[i].policy);
}

struct client_dns *client_dns_new(struct loop *loop, struct resolver *resolver,
				  const struct config *config)
{
	struct client_dns *c = mem_alloc(sizeof(*c));

	c->loop = loop;
	c->resolver = resolver;
	list_init(&c->lookups);
	list_init(&c->by_age);
	map_init(&c->known);
	client_dns_configure(c, config);
	return c;
}

void client_dns_ask(struct client_dns *c, const struct inet_addr *client,
		    bool is_judged, struct client_dns_wait *w)
{
	const struct client_facts nothing = {.is_judged = is_judged};
	struct known *k;
	struct lookup *l;

	list_init(&w->in);
	if (!c->resolver || c->stopped || inet_is_loopback(client)) {
		w->on_facts(w, &nothing);
		return;
	}
	k = recall(c, client, is_judged);
	if (k) {
		w->on_facts(w, &k->facts);
		return;
	}
	l = lookup_of(c, client, is_judged);
	if (l)
		list_append(&l->waiting, &w->in);
	else
		w->on_facts(w, &nothing);
}

void client_dns_stop(struct client_dns *c)
{
	c->stopped = true;
	LIST_FOR_EACH_SAFE (it, &c->lookups)
		give_up(MX_CONTAINER_OF(it, struct lookup, in));
}

void client_dns_free(struct client_dns *c)
{
	if (!c)
		return;
	client_dns_stop(c);
	forget_all(c);
	map_done(&c->known, NULL);
	mem_free(c);
}
