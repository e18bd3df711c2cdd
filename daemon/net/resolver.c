/*
 * Queries and the decision about DNSSEC.
 *
 * With trust_anchor = "auto" a context that validates is first asked for the
 * root's keys: a forwarder that strips signatures would make every answer
 * bogus. Until the check is over queries wait; while it fails they go to a
 * context without validation, and it is made again from time to time (the
 * network or the clock may not have been up).
 */
#include "mxhold/net/resolver.h"

#include <string.h>
#include <unbound.h>
#include <unistd.h>

#include "dns_answer.h"
#include "dns_context.h"
#include "loop_internal.h"

#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"

enum {
	TIMEOUT_MS = 30 * 1000,
	TYPE_DNSKEY = 48,
};

struct resolver_check resolver_check = {
	.anchor = "/usr/share/dns/root.key",
	.wait_ms = 5 * 1000,
	.again_silent_ms = 60 * 1000,
	.again_stripped_ms = 3600 * 1000,
};

struct resolver_query {
	struct list node;
	struct resolver *r;
	char *name;
	enum dns_type type;
	int id;
	bool asked;
	int64_t deadline_ms;
	void (*on_answer)(void *data, const struct dns_answer *);
	void *data;
};

struct resolver {
	uv_timer_t timer;
	struct loop *loop;
	struct resolver_options options; /* copied */
	int64_t timeout_ms;
	struct list queries;         /* by deadline, the first is due first */
	struct dns_context *context; /* NULL until the first check is over */
	struct dns_context *check;   /* asked for the root's keys */
	int check_id;
	int64_t check_until_ms, recheck_at_ms; /* 0 = no such */
	bool validates;
	struct dns_answer answer; /* what on_answer is given */
};

static void on_timer(uv_timer_t *h);
static void begin_check(struct resolver *r);
static void end_check(struct resolver *r, bool secure, int64_t again_ms);

/* ---- birth and end ---- */

static void copy_options(struct resolver *r, const struct resolver_options *o)
{
	char **servers = mem_array(o->n_servers + 1, sizeof(*servers));
	for (size_t i = 0; i < o->n_servers; i++)
		servers[i] = mem_strdup(o->servers[i]);
	r->options.servers = (const char *const *)servers;
	r->options.n_servers = o->n_servers;
	r->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : TIMEOUT_MS;
}

static void free_resolver(struct resolver *r)
{
	for (size_t i = 0; i < r->options.n_servers; i++)
		mem_free((char *)r->options.servers[i]);
	mem_free((char **)r->options.servers);
	mem_free(r);
}

static void on_closed(uv_handle_t *h)
{
	free_resolver(MX_CONTAINER_OF((uv_timer_t *)h, struct resolver, timer));
}

/* What is wrong with the settings shows here, also when the check decides
 * later which context is used. */
static int open_first(struct resolver *r, const char *anchor, struct error *err)
{
	bool is_auto = strcmp(anchor, "auto") == 0;
	if (is_auto && access(resolver_check.anchor, R_OK) != 0) {
		log_why(LOG_WARNING, "dns.unvalidated",
			"%s is not there: answers are not validated, DANE "
			"is off",
			resolver_check.anchor);
		is_auto = false;
		anchor = "none";
	}
	if (is_auto)
		anchor = resolver_check.anchor;
	else if (strcmp(anchor, "none") == 0)
		anchor = NULL;
	struct dns_context *c =
		dns_context_new(r->loop, &r->options, anchor, err);
	if (!c)
		return -1;
	if (is_auto)
		r->check = c;
	else
		r->context = c;
	r->validates = !is_auto && anchor;
	return 0;
}

struct resolver *resolver_new(struct loop *l,
			      const struct resolver_options *options,
			      struct error *err)
{
	struct resolver *r = mem_alloc(sizeof(*r));
	r->loop = l;
	list_init(&r->queries);
	copy_options(r, options);
	if (open_first(r,
		       options->trust_anchor ? options->trust_anchor : "auto",
		       err) != 0) {
		free_resolver(r);
		return NULL;
	}
	uv_timer_init(&l->uv, &r->timer);
	l->n_owned++;
	if (r->check)
		begin_check(r);
	return r;
}

bool resolver_validates(const struct resolver *r)
{
	return r->validates;
}

/* ---- queries ---- */

static void forget(struct resolver_query *q)
{
	list_remove(&q->node);
	if (q->asked)
		dns_context_cancel(q->r->context, q->id);
	mem_free(q->name);
	mem_free(q);
}

static void set_timer(struct resolver *r)
{
	int64_t at = INT64_MAX, now = loop_now_ms(r->loop);
	if (!list_empty(&r->queries))
		at = MX_CONTAINER_OF(r->queries.next, struct resolver_query,
				     node)
			     ->deadline_ms;
	if (r->check_until_ms != 0)
		at = MX_MIN(at, r->check_until_ms);
	if (r->recheck_at_ms != 0)
		at = MX_MIN(at, r->recheck_at_ms);
	if (at == INT64_MAX)
		uv_timer_stop(&r->timer);
	else
		uv_timer_start(&r->timer, on_timer,
			       at > now ? (uint64_t)(at - now) : 0, 0);
}

/* The query is gone before the upcall, which may do anything. */
static void answer(struct resolver_query *q)
{
	void (*on_answer)(void *, const struct dns_answer *) = q->on_answer;
	void *data = q->data;
	struct resolver *r = q->r;
	forget(q);
	on_answer(data, &r->answer);
}

static void on_result(void *data, int rc, struct ub_result *result)
{
	struct resolver_query *q = data;
	struct resolver *r = q->r;
	q->asked = false; /* nothing to cancel any more */
	dns_answer_read(&r->answer, q->name, q->type, rc, result);
	ub_resolve_free(result);
	answer(q);
}

/* A query that libunbound does not take (a name with a label of 64 bytes) is
 * due at once, in front of all others. */
static void send_query(struct resolver_query *q)
{
	struct resolver *r = q->r;
	if (!r->context)
		return;
	q->asked = dns_context_ask(r->context, q->name, q->type, on_result, q,
				   &q->id) == 0;
	if (q->asked)
		return;
	q->deadline_ms = 0;
	list_remove(&q->node);
	list_append(r->queries.next, &q->node);
}

struct resolver_query *
resolver_ask(struct resolver *r, const char *name, enum dns_type type,
	     void (*on_answer)(void *data, const struct dns_answer *),
	     void *data)
{
	struct resolver_query *q = mem_alloc(sizeof(*q));
	uv_update_time(&r->loop->uv);
	q->r = r;
	q->name = mem_strdup(name);
	q->type = type;
	q->deadline_ms = loop_now_ms(r->loop) + r->timeout_ms;
	q->on_answer = on_answer;
	q->data = data;
	list_append(&r->queries, &q->node);
	send_query(q);
	set_timer(r);
	return q;
}

void resolver_cancel(struct resolver_query *q)
{
	if (q)
		forget(q);
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	LIST_FOR_EACH_SAFE (it, &r->queries)
		forget(MX_CONTAINER_OF(it, struct resolver_query, node));
	if (r->check)
		dns_context_cancel(r->check, r->check_id);
	dns_context_free(r->check);
	dns_context_free(r->context);
	r->loop->n_owned--;
	uv_close((uv_handle_t *)&r->timer, on_closed);
}

/* ---- the timer ---- */

static void fail_late(struct resolver *r, int64_t now)
{
	while (!list_empty(&r->queries)) {
		struct resolver_query *q = MX_CONTAINER_OF(
			r->queries.next, struct resolver_query, node);
		if (q->deadline_ms > now)
			break;
		dns_answer_fail(&r->answer, q->name);
		answer(q);
	}
}

static void recheck(struct resolver *r)
{
	struct error err;
	r->recheck_at_ms = 0;
	r->check = dns_context_new(r->loop, &r->options, resolver_check.anchor,
				   &err);
	if (r->check)
		begin_check(r);
	else
		r->recheck_at_ms =
			loop_now_ms(r->loop) + resolver_check.again_silent_ms;
}

static void on_timer(uv_timer_t *h)
{
	struct resolver *r = MX_CONTAINER_OF(h, struct resolver, timer);
	int64_t now = loop_now_ms(r->loop);
	if (r->check_until_ms != 0 && now >= r->check_until_ms) {
		dns_context_cancel(r->check, r->check_id);
		end_check(r, false, resolver_check.again_silent_ms);
	} else if (r->recheck_at_ms != 0 && now >= r->recheck_at_ms) {
		recheck(r);
	}
	fail_late(r, now); /* the last: an upcall may free the resolver */
	if (!uv_is_closing((uv_handle_t *)h))
		set_timer(r);
}

/* ---- the check ---- */

static void on_root_keys(void *data, int rc, struct ub_result *result)
{
	struct resolver *r = data;
	bool secure = rc == 0 && result->secure;
	bool answered = rc == 0 && (result->bogus || result->rcode == 0);
	ub_resolve_free(result);
	end_check(r, secure,
		  answered ? resolver_check.again_stripped_ms
			   : resolver_check.again_silent_ms);
	set_timer(r);
}

static void begin_check(struct resolver *r)
{
	uv_update_time(&r->loop->uv);
	if (dns_context_ask(r->check, ".", TYPE_DNSKEY, on_root_keys, r,
			    &r->check_id) != 0) {
		end_check(r, false, resolver_check.again_silent_ms);
	} else {
		r->check_until_ms =
			loop_now_ms(r->loop) + resolver_check.wait_ms;
	}
	set_timer(r);
}

/* Open queries move to the new context and are asked again. */
static void use_context(struct resolver *r, struct dns_context *c)
{
	struct list moved = {0};
	list_init(&moved);
	LIST_FOR_EACH_SAFE (it, &r->queries) {
		struct resolver_query *q =
			MX_CONTAINER_OF(it, struct resolver_query, node);
		if (q->asked)
			dns_context_cancel(r->context, q->id);
		q->asked = false;
		list_remove(it);
		list_append(&moved, it);
	}
	dns_context_free(r->context);
	r->context = c;
	LIST_FOR_EACH_SAFE (it, &moved) {
		list_remove(it);
		list_append(&r->queries, it);
		send_query(MX_CONTAINER_OF(it, struct resolver_query, node));
	}
}

/* The settings are the ones of a context that could be made, so this fails
 * for want of memory or threads only; queries then fail by their deadline. */
static void use_plain(struct resolver *r)
{
	struct error err;
	log_why(LOG_WARNING, "dns.unvalidated",
		"the resolver does not prove the root's keys: answers are not "
		"validated, DANE is off");
	struct dns_context *c =
		dns_context_new(r->loop, &r->options, NULL, &err);
	if (c)
		use_context(r, c);
	else
		log_why(LOG_ERROR, "dns.failed", "%s", err.text);
}

static void end_check(struct resolver *r, bool secure, int64_t again_ms)
{
	struct dns_context *c = r->check;
	r->check = NULL;
	r->check_until_ms = 0;
	if (secure) {
		r->validates = true;
		if (r->context)
			log_why(LOG_INFO, "dns.validated",
				"answers are validated from now on");
		use_context(r, c);
		return;
	}
	dns_context_free(c);
	r->recheck_at_ms = loop_now_ms(r->loop) + again_ms;
	if (!r->context)
		use_plain(r);
}
