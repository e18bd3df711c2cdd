/*
 *	config hosts ----------------.
 *	address literal -------------+--> A, AAAA of every name --> judge
 *	MX --> route_from_mx --------'
 *
 * Everything is asked at once, so that a dead name server costs one time-out
 * and not one a host.
 */
#include "mxhold/outbound/lookup.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mxhold/base/mem.h"
#include "mxhold/net/timer.h"
#include "mxhold/outbound/guard.h"
#include "outbound_internal.h"

struct question { /* A or AAAA of one host */
	struct lookup *l;
	struct resolver_query *query; /* NULL: answered, or never asked */
	enum dns_status status;
	bool secure, is_cname;
	char canonical[256];
	struct inet_addr addrs[ROUTE_ADDRESSES_MAX];
	size_t n;
};

struct candidate {
	uint16_t port;
	struct inet_addr literal; /* family 0: a name */
	struct question v6, v4;
	bool is_us;
};

struct lookup {
	struct outbound *o;
	const struct session_target *target;
	void (*on_done)(void *data, const struct lookup_result *);
	void *data;
	const char *domain; /* whose MX */
	bool by_mx;
	struct resolver_query *mx;
	struct timer *deadline;
	size_t pending;     /* questions without answer */
	struct route route; /* names, also of configured hosts */
	struct candidate candidates[ROUTE_HOSTS_MAX];
	struct lookup_result result;
};

static void on_mx(void *data, const struct dns_answer *mx);
static void on_address(void *data, const struct dns_answer *answer);
static void on_deadline(void *data);

static bool is_our_name(void *data, const char *name)
{
	const struct outbound *o = data;

	return guard_is_our_name(o->config, name);
}

static int64_t patience_ms(const struct lookup *l)
{
	return MX_MAX(l->target->connect_timeout, 1);
}

static void free_lookup(struct lookup *l)
{
	timer_free(l->deadline);
	mem_free(l);
}

/* Also of a route that leads nowhere: there they are the reason. */
static void tell_mistakes(struct lookup *l)
{
	const char *text = l->route.mistakes;

	memcpy(l->result.mistakes, text, sizeof(l->result.mistakes));
	if (l->by_mx && l->target->primary && l->route.verdict != ROUTE_UNKNOWN)
		outbound_tell_mistakes(l->o, l->domain, text);
}

static void finish(struct lookup *l)
{
	tell_mistakes(l);
	l->on_done(l->data, &l->result);
	free_lookup(l);
}

static void MX_PRINTF(3, 4)
	fail(struct lookup *l, enum session_fault fault, const char *fmt, ...)
{
	va_list ap;

	l->result.fault = fault;
	va_start(ap, fmt);
	vsnprintf(l->result.text, sizeof(l->result.text), fmt, ap);
	va_end(ap);
}

/* --- which names ------------------------------------------------------- */

static void ask(struct lookup *l, struct question *q, const char *name,
		enum dns_type type)
{
	q->l = l;
	q->status = DNS_FAIL;
	if (!l->o->resolver)
		return;
	q->query = resolver_ask(l->o->resolver, name, type, on_address, q);
	if (q->query)
		l->pending++;
}

/* A source address of one family cannot reach the other. */
static bool may_use(const struct lookup *l, uint8_t family)
{
	const struct config_primary *p = l->target->primary;

	return !p || !p->has_source || p->source.family == family;
}

static void ask_addresses(struct lookup *l)
{
	for (size_t i = 0; i < l->route.n; i++) {
		struct candidate *c = &l->candidates[i];

		c->v6.status = c->v4.status = DNS_NODATA;
		if (c->literal.family)
			continue;
		if (may_use(l, 6))
			ask(l, &c->v6, l->route.hosts[i].name, DNS_AAAA);
		if (may_use(l, 4))
			ask(l, &c->v4, l->route.hosts[i].name, DNS_A);
	}
	timer_start(l->deadline, l->pending ? patience_ms(l) : 0);
}

static void take_configured(struct lookup *l, const struct config_primary *p)
{
	l->route.n = MX_MIN(p->n_hosts, (size_t)ROUTE_HOSTS_MAX);
	for (size_t i = 0; i < l->route.n; i++) {
		const struct config_host *h = &p->hosts[i];

		snprintf(l->route.hosts[i].name, sizeof(l->route.hosts[i].name),
			 "%s", h->name);
		l->candidates[i].port = h->port ? h->port : p->port;
		if (h->is_address)
			l->candidates[i].literal = h->addr;
	}
	ask_addresses(l);
}

/* RFC 5321 4.1.3: no look-up for "user@[192.0.2.1]". */
static bool take_literal(struct lookup *l)
{
	struct slice s = slice_str(l->domain);
	struct inet_addr addr;

	if (s.n < 3 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return false;
	s = slice_make(s.p + 1, s.n - 2);
	if (slice_starts_nocase(s, SLICE("IPv6:")))
		s = slice_skip(s, 5);
	if (inet_parse(s, &addr) < 0)
		return false;
	snprintf(l->route.hosts[0].name, sizeof(l->route.hosts[0].name), "%.*s",
		 (int)s.n, s.p);
	l->route.n = 1;
	l->candidates[0].literal = addr;
	l->candidates[0].port = 25;
	ask_addresses(l);
	return true;
}

static void ask_mx(struct lookup *l)
{
	l->by_mx = true;
	if (l->o->resolver)
		l->mx = resolver_ask(l->o->resolver, l->domain, DNS_MX, on_mx,
				     l);
	timer_start(l->deadline, l->mx ? patience_ms(l) : 0);
}

struct lookup *
lookup_start(struct outbound *o, const struct session_target *target,
	     void (*on_done)(void *data, const struct lookup_result *),
	     void *data)
{
	const struct config_primary *p = target->primary;
	struct lookup *l = mem_alloc(sizeof(*l));

	l->o = o;
	l->target = target;
	l->on_done = on_done;
	l->data = data;
	l->result.status = "";
	l->deadline = timer_new(o->loop, on_deadline, l);
	l->domain = p ? p->mx_domain : target->domain;
	if (!l->domain)
		l->domain = "";
	if (p && p->n_hosts > 0)
		take_configured(l, p);
	else if (p || !take_literal(l))
		ask_mx(l);
	return l;
}

static void cancel_all(struct lookup *l)
{
	if (l->mx)
		resolver_cancel(l->mx);
	l->mx = NULL;
	for (size_t i = 0; i < ROUTE_HOSTS_MAX; i++) {
		struct candidate *c = &l->candidates[i];

		if (c->v6.query)
			resolver_cancel(c->v6.query);
		if (c->v4.query)
			resolver_cancel(c->v4.query);
		c->v6.query = c->v4.query = NULL;
	}
}

void lookup_cancel(struct lookup *l)
{
	if (!l)
		return;
	cancel_all(l);
	free_lookup(l);
}

/* --- what came back ---------------------------------------------------- */

static bool is_allowed(const struct lookup *l, const struct endpoint *e)
{
	if (!may_use(l, e->addr.family) || !inet_is_unicast(&e->addr))
		return false;
	/* A stranger's MX must not make us knock on doors of our own net. */
	return l->target->primary || inet_is_global(&e->addr);
}

static bool leads_to_us(const struct lookup *l, const struct endpoint *e,
			bool literal)
{
	if (literal)
		return guard_is_our_listener(l->o->config, e);
	return guard_is_us(l->o->config, e);
}

static bool is_done(const struct question *q)
{
	return q->status == DNS_OK || q->status == DNS_NODATA ||
	       q->status == DNS_NXDOMAIN;
}

/* DNSSEC vouches for all that was found. */
static bool is_secure(const struct candidate *c)
{
	return (c->v6.n == 0 || c->v6.secure) &&
	       (c->v4.n == 0 || c->v4.secure) && c->v6.n + c->v4.n > 0;
}

static void collect_names(struct lookup_host *h, const struct candidate *c,
			  const char *name)
{
	const struct question *q = c->v6.n ? &c->v6 : &c->v4;

	snprintf(h->name, sizeof(h->name), "%s", name);
	snprintf(h->canonical, sizeof(h->canonical), "%s",
		 q->canonical[0] ? q->canonical : name);
	h->is_alias = q->is_cname;
	h->is_address = c->literal.family != 0;
	h->secure = is_secure(c);
}

/* The host's usable addresses; c->is_us when one of them is ours. */
static void collect(const struct lookup *l, struct candidate *c,
		    const char *name, struct lookup_host *h)
{
	struct inet_addr all[ROUTE_ADDRESSES_MAX];
	size_t n = route_interleave(c->v6.addrs, c->v6.n, c->v4.addrs, c->v4.n,
				    all, ROUTE_ADDRESSES_MAX);

	memset(h, 0, sizeof(*h));
	collect_names(h, c, name);
	if (h->is_address) {
		all[0] = c->literal;
		n = 1;
	}
	for (size_t i = 0; i < n; i++) {
		struct endpoint e = {all[i], c->port};

		if (leads_to_us(l, &e, h->is_address))
			c->is_us = true;
		else if (is_allowed(l, &e))
			h->at[h->n++] = e;
	}
}

static void note_cname(struct lookup *l, size_t i)
{
	const struct candidate *c = &l->candidates[i];

	/* RFC 2181 10.3; followed all the same. */
	if (l->by_mx && l->route.verdict == ROUTE_OK &&
	    (c->v6.is_cname || c->v4.is_cname))
		route_mistake(&l->route, "is a CNAME", l->route.hosts[i].name);
}

/* RFC 5321 5.1 for MX; a configured host has no preference, it alone goes. */
static void cut_at_us(struct lookup *l)
{
	for (size_t i = 0; i < l->route.n; i++) {
		if (!l->candidates[i].is_us)
			continue;
		if (l->by_mx) {
			route_cut_at(&l->route, i);
			return;
		}
	}
}

static bool is_nowhere(const struct candidate *c)
{
	return c->v6.status == DNS_NXDOMAIN || c->v4.status == DNS_NXDOMAIN;
}

static void fail_empty(struct lookup *l, bool nowhere)
{
	const char *host = l->route.hosts[0].name;

	if (!nowhere)
		fail(l, FAULT_NO_ROUTE, "no host of %s has a usable address",
		     l->by_mx ? l->domain : host);
	else if (l->by_mx)
		fail(l, FAULT_NO_ROUTE, "no MX of %s exists in DNS: %s",
		     l->domain, host);
	else
		fail(l, FAULT_NO_ROUTE, "%s does not exist in DNS", host);
}

static void judge_empty(struct lookup *l)
{
	bool loop = l->route.verdict == ROUTE_LOOP;
	bool unsure = false, nowhere = true;

	for (size_t i = 0; i < l->route.n; i++) {
		const struct candidate *c = &l->candidates[i];

		loop |= c->is_us;
		nowhere &= is_nowhere(c);
		unsure |= !is_done(&c->v6) || !is_done(&c->v4);
	}
	if (unsure)
		fail(l, FAULT_TEMPORARY,
		     "DNS has no answer for the addresses of %s",
		     l->route.hosts[0].name);
	else if (loop)
		fail(l, FAULT_LOOP, "the route to %s leads back to us",
		     l->by_mx ? l->domain : l->route.hosts[0].name);
	else
		fail_empty(l, nowhere);
}

static void use_memory(struct lookup *l)
{
	const struct session_target *t = l->target;
	struct lookup_host *h = &l->result.hosts[0];

	memset(h, 0, sizeof(*h));
	for (size_t i = 0; i < t->n_last_good && h->n < ROUTE_ADDRESSES_MAX;
	     i++) {
		const struct endpoint *e = &t->last_good[i];

		if (is_allowed(l, e) && !guard_is_our_listener(l->o->config, e))
			h->at[h->n++] = *e;
	}
	if (h->n == 0)
		return;
	snprintf(h->name, sizeof(h->name), "%s",
		 l->by_mx ? l->domain : l->route.hosts[0].name);
	snprintf(h->canonical, sizeof(h->canonical), "%s", h->name);
	l->result.n = 1;
	l->result.from_memory = true;
	l->result.fault = FAULT_NONE;
}

static void judge(struct lookup *l)
{
	struct lookup_host found[ROUTE_HOSTS_MAX];
	struct lookup_result *r = &l->result;

	for (size_t i = 0; i < l->route.n; i++) {
		collect(l, &l->candidates[i], l->route.hosts[i].name,
			&found[i]);
		note_cname(l, i);
	}
	cut_at_us(l);
	for (size_t i = 0; i < l->route.n; i++) {
		if (found[i].n > 0)
			r->hosts[r->n++] = found[i];
	}
	if (r->n == 0)
		judge_empty(l);
	if (r->fault == FAULT_TEMPORARY)
		use_memory(l);
	finish(l);
}

static void on_address(void *data, const struct dns_answer *answer)
{
	struct question *q = data;
	struct lookup *l = q->l;

	q->query = NULL;
	q->status = answer->status;
	q->secure = answer->secure;
	q->is_cname = answer->is_cname;
	memcpy(q->canonical, answer->canonical, sizeof(q->canonical));
	if (answer->status == DNS_OK) {
		q->n = MX_MIN(answer->n, (size_t)ROUTE_ADDRESSES_MAX);
		for (size_t i = 0; i < q->n; i++)
			q->addrs[i] = answer->records[i].addr;
	}
	if (--l->pending == 0)
		judge(l);
}

static void follow_route(struct lookup *l)
{
	const struct config_primary *p = l->target->primary;

	switch (l->route.verdict) {
	case ROUTE_OK:
	case ROUTE_IMPLICIT:
		for (size_t i = 0; i < l->route.n; i++)
			l->candidates[i].port = p && p->port ? p->port : 25;
		if (l->route.n > 0) {
			ask_addresses(l);
			return;
		}
		fail(l, FAULT_NO_ROUTE, "no MX of %s names a host", l->domain);
		break;
	case ROUTE_NULL_MX:
		fail(l, FAULT_NO_ROUTE, "%s accepts no mail (null MX)",
		     l->domain);
		l->result.status = "5.1.10"; /* RFC 7505 4.1 */
		break;
	case ROUTE_NXDOMAIN:
		fail(l, FAULT_NO_ROUTE, "%s does not exist in DNS", l->domain);
		l->result.status = "5.1.2";
		break;
	case ROUTE_UNKNOWN:
		fail(l, FAULT_TEMPORARY, "DNS has no answer for the MX of %s",
		     l->domain);
		use_memory(l);
		break;
	case ROUTE_LOOP:
		fail(l, FAULT_LOOP, "the MX of %s leads back to us", l->domain);
		break;
	}
	finish(l);
}

static void on_mx(void *data, const struct dns_answer *mx)
{
	struct lookup *l = data;

	l->mx = NULL;
	l->result.mx_secure = mx->secure;
	if (mx->is_cname)
		snprintf(l->result.mx_canonical, sizeof(l->result.mx_canonical),
			 "%s", mx->canonical);
	route_from_mx(&l->route, l->domain, mx, is_our_name, l->o);
	follow_route(l);
}

/* Also the way by which an answer that needs no DNS is given later. */
static void on_deadline(void *data)
{
	struct lookup *l = data;

	if (l->by_mx && l->route.n == 0) {
		cancel_all(l);
		l->route.verdict = ROUTE_UNKNOWN;
		follow_route(l);
		return;
	}
	cancel_all(l);
	judge(l);
}
