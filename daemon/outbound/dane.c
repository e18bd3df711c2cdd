#include "mxhold/outbound/dane.h"

#include <stdarg.h>
#include <stdio.h>

#include "mxhold/base/mem.h"
#include "mxhold/net/timer.h"
#include "outbound_internal.h"

struct dane {
	struct outbound *o;
	void (*on_done)(void *data, const struct dane_result *);
	void *data;
	struct timer *later; /* answers that need no DNS */
	struct resolver_query *query;
	char host[256];
	char names[2][256]; /* base domains to try, in order */
	size_t n_names, at;
	uint16_t port;
	struct dane_result result;
};

static void free_dane(struct dane *d)
{
	timer_free(d->later);
	mem_free(d);
}

void dane_cancel(struct dane *d)
{
	if (!d)
		return;
	if (d->query)
		resolver_cancel(d->query);
	free_dane(d);
}

static void finish(void *data)
{
	struct dane *d = data;

	d->on_done(d->data, &d->result);
	free_dane(d);
}

static void MX_PRINTF(3, 4)
	refuse(struct dane *d, enum dane_verdict verdict, const char *fmt, ...)
{
	va_list ap;

	d->result.verdict = verdict;
	va_start(ap, fmt);
	vsnprintf(d->result.text, sizeof(d->result.text), fmt, ap);
	va_end(ap);
}

static void take_records(struct dane *d, const struct dns_answer *answer)
{
	struct dane_result *r = &d->result;

	for (size_t i = 0; i < answer->n && r->n < DANE_RECORDS_MAX; i++) {
		const struct tlsa *t = &answer->records[i].tlsa;

		if (tlsa_is_usable(t))
			r->records[r->n++] = *t;
	}
	snprintf(r->base, sizeof(r->base), "%s", d->names[d->at]);
	r->verdict = DANE_USABLE;
	if (r->n == 0)
		refuse(d, DANE_UNUSABLE,
		       "DANE: no TLSA record of %s is usable: publish one of "
		       "usage 3 or 2",
		       d->names[d->at]);
}

static void ask(struct dane *d);

/* What is not signed is not there. */
static enum dns_status status_of(const struct dns_answer *answer)
{
	bool unsigned_set = answer->status == DNS_OK && !answer->secure;

	return unsigned_set ? DNS_NODATA : answer->status;
}

static void on_tlsa(void *data, const struct dns_answer *answer)
{
	struct dane *d = data;

	d->query = NULL;
	switch (status_of(answer)) {
	case DNS_OK:
		take_records(d, answer);
		break;
	case DNS_NODATA:
	case DNS_NXDOMAIN:
		if (++d->at < d->n_names) {
			ask(d);
			return;
		}
		refuse(d, DANE_NONE,
		       "DANE: %s has no signed TLSA record for port %u: "
		       "publish one, or use another tls",
		       d->names[0], (unsigned)d->port);
		break;
	case DNS_FAIL:
	case DNS_BOGUS: /* RFC 7672 2.1.2: the host is unreachable */
		refuse(d, DANE_FAILED, "DANE: the TLSA look-up for %s failed",
		       d->names[d->at]);
		break;
	}
	finish(d);
}

static void ask(struct dane *d)
{
	char name[300];

	snprintf(name, sizeof(name), "_%u._tcp.%s", (unsigned)d->port,
		 d->names[d->at]);
	d->query = resolver_ask(d->o->resolver, name, DNS_TLSA, on_tlsa, d);
}

static void add_name(struct dane *d, const char *name)
{
	if (d->n_names == 1 && strcmp(d->names[0], name) == 0)
		return;
	snprintf(d->names[d->n_names++], sizeof(d->names[0]), "%s", name);
}

static void refuse_unsigned(struct dane *d)
{
	refuse(d, DANE_NONE,
	       "DANE: DNSSEC does not vouch for the addresses of %s: sign its "
	       "zone, or use another tls",
	       d->host);
}

/* RFC 7672 2.2.2: the alias itself may be signed where what it leads to is
 * not. Then records at its own name count. */
static void on_alias(void *data, const struct dns_answer *answer)
{
	struct dane *d = data;

	d->query = NULL;
	if (answer->status == DNS_OK && answer->secure) {
		add_name(d, d->host);
		ask(d);
		return;
	}
	if (answer->status == DNS_FAIL || answer->status == DNS_BOGUS)
		refuse(d, DANE_FAILED,
		       "DANE: the look-up of the alias %s failed", d->host);
	else
		refuse_unsigned(d);
	finish(d);
}

static void look_up(struct dane *d, const struct lookup_host *host)
{
	if (!host->secure) {
		d->query = resolver_ask(d->o->resolver, host->name, DNS_CNAME,
					on_alias, d);
		return;
	}
	/* RFC 7672 2.2.3: the expanded name first. */
	add_name(d, host->canonical);
	add_name(d, host->name);
	ask(d);
}

struct dane *dane_start(struct outbound *o, const struct lookup_host *host,
			void (*on_done)(void *data, const struct dane_result *),
			void *data)
{
	struct dane *d = mem_alloc(sizeof(*d));

	d->o = o;
	d->on_done = on_done;
	d->data = data;
	d->port = host->at[0].port;
	d->later = timer_new(o->loop, finish, d);
	snprintf(d->host, sizeof(d->host), "%s", host->name);
	if (host->is_address)
		refuse(d, DANE_NONE, "DANE: %s is an address, not a host name",
		       host->name);
	else if (!o->resolver || !resolver_validates(o->resolver))
		refuse(d, DANE_NONE,
		       "DANE: the resolver does not validate, %s stays "
		       "unproved (dns.trust_anchor)",
		       host->name);
	else if (!host->secure && !host->is_alias)
		refuse_unsigned(d);
	else {
		look_up(d, host);
		return d;
	}
	timer_start(d->later, 0);
	return d;
}
