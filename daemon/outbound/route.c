/*
 * From an MX answer to hosts in order. Everything a stranger's zone can say
 * wrong is met here: junk names, addresses for names, "." among others,
 * ourselves under a worse or better preference.
 */
#include "mxhold/outbound/route.h"

#include <stdio.h>
#include <string.h>

#include "mxhold/base/attr.h"
#include "mxhold/base/random.h"
#include "mxhold/base/slice.h"

void route_mistake(struct route *r, const char *what, const char *name)
{
	size_t n = strlen(r->mistakes);
	size_t room = sizeof(r->mistakes) - n;
	int wrote = snprintf(r->mistakes + n, room, "%s%s%s%s", n ? "; " : "",
			     name, name[0] ? " " : "", what);

	if (wrote < 0 || (size_t)wrote >= room)
		r->mistakes[n] = 0; /* whole sentences or nothing */
}

/* What may stand in a log and be asked of a resolver. */
static bool is_clean(const char *name)
{
	for (const char *p = name; *p; p++) {
		if (*p <= ' ' || *p > '~')
			return false;
	}
	return true;
}

static bool is_usable(struct route *r, const struct dns_record *record)
{
	struct inet_addr addr;

	if (record->name[0] == 0) { /* RFC 7505 3 */
		route_mistake(r, "a null MX among others, ignored", "");
		return false;
	}
	if (!is_clean(record->name)) {
		route_mistake(r, "an MX that is no host name, ignored", "");
		return false;
	}
	if (inet_parse(slice_str(record->name), &addr) == 0) {
		route_mistake(r, "is an address, not a name, ignored",
			      record->name);
		return false;
	}
	return true;
}

/* The same host twice counts at its better preference. */
static size_t add_host(struct route_host *all, size_t n,
		       const struct dns_record *record)
{
	for (size_t i = 0; i < n; i++) {
		if (!slice_eq_nocase(slice_str(all[i].name),
				     slice_str(record->name)))
			continue;
		all[i].preference =
			MX_MIN(all[i].preference, record->preference);
		return n;
	}
	memcpy(all[n].name, record->name, sizeof(all[n].name));
	all[n].preference = record->preference;
	return n + 1;
}

/* Insertion keeps the order of equals, so a shuffle before it survives. */
static void sort_hosts(struct route_host *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct route_host h = v[i];
		size_t j = i;

		for (; j > 0 && v[j - 1].preference > h.preference; j--)
			v[j] = v[j - 1];
		v[j] = h;
	}
}

static void shuffle_hosts(struct route_host *v, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = random_below((uint32_t)i);
		struct route_host h = v[i - 1];

		v[i - 1] = v[j];
		v[j] = h;
	}
}

/* RFC 5321 5.1: a record at our own preference or worse would lead in a
 * circle. */
static size_t cut_at_us(const struct route_host *v, size_t n,
			bool (*is_us)(void *data, const char *name), void *data)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_us || !is_us(data, v[i].name))
			continue;
		while (i > 0 && v[i - 1].preference == v[i].preference)
			i--;
		return i;
	}
	return n;
}

static bool is_null_mx(const struct dns_answer *mx)
{
	for (size_t i = 0; i < mx->n; i++) {
		if (mx->records[i].name[0])
			return false;
	}
	return mx->n > 0;
}

static void take_records(struct route *r, const struct dns_answer *mx,
			 bool (*is_us)(void *data, const char *name),
			 void *data)
{
	struct route_host all[DNS_RECORDS_MAX];
	size_t n = 0;
	size_t left;

	for (size_t i = 0; i < mx->n; i++) {
		if (is_usable(r, &mx->records[i]))
			n = add_host(all, n, &mx->records[i]);
	}
	shuffle_hosts(all, n);
	sort_hosts(all, n);
	left = cut_at_us(all, n, is_us, data);
	r->n = MX_MIN(left, (size_t)ROUTE_HOSTS_MAX);
	memcpy(r->hosts, all, r->n * sizeof(all[0]));
	r->verdict = n > 0 && left == 0 ? ROUTE_LOOP : ROUTE_OK;
}

static void take_domain(struct route *r, const char *domain,
			bool (*is_us)(void *data, const char *name), void *data)
{
	if (is_us && is_us(data, domain)) {
		r->verdict = ROUTE_LOOP;
		return;
	}
	r->verdict = ROUTE_IMPLICIT;
	snprintf(r->hosts[0].name, sizeof(r->hosts[0].name), "%s", domain);
	r->hosts[0].preference = 0;
	r->n = 1;
}

void route_from_mx(struct route *r, const char *domain,
		   const struct dns_answer *mx,
		   bool (*is_us)(void *data, const char *name), void *data)
{
	memset(r, 0, sizeof(*r));
	switch (mx->status) {
	case DNS_OK:
		if (is_null_mx(mx))
			r->verdict = ROUTE_NULL_MX;
		else
			take_records(r, mx, is_us, data);
		return;
	case DNS_NODATA:
		take_domain(r, domain, is_us, data);
		return;
	case DNS_NXDOMAIN:
		r->verdict = ROUTE_NXDOMAIN;
		return;
	case DNS_FAIL:
	case DNS_BOGUS:
		break;
	}
	r->verdict = ROUTE_UNKNOWN;
}

void route_cut_at(struct route *r, size_t host)
{
	if (host >= r->n)
		return;
	while (host > 0 &&
	       r->hosts[host - 1].preference == r->hosts[host].preference)
		host--;
	r->n = host;
	if (host == 0)
		r->verdict = ROUTE_LOOP;
}

size_t route_interleave(const struct inet_addr *v6, size_t n6,
			const struct inet_addr *v4, size_t n4,
			struct inet_addr *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; n < max && (i < n6 || i < n4); i++) {
		if (i < n6)
			out[n++] = v6[i];
		if (i < n4 && n < max)
			out[n++] = v4[i];
	}
	return n;
}
