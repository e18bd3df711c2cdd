#include "mxhold/receive/magnet.h"

#include <stdio.h>
#include <stdlib.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/map.h"
#include "mxhold/base/mem.h"
#include "mxhold/receive/reputation.h"

enum {
	HOUR_MS = 3600 * 1000
};

struct hour {
	int64_t number; /* since 1970; 0 = nothing was counted */
	struct map rows;
};

struct magnet {
	struct hour hours[MAGNET_HOURS]; /* by number modulo */
	int64_t began_ms;                /* 0 = nothing was counted yet */
};

/* Network and domain, NUL between them is not needed: the first is fixed. */
struct key {
	char text[17 + 256];
	size_t n;
};

const char *magnet_kind_name(unsigned kind)
{
	static const char *const names[MAGNET_REFUSED] = {
		[MAGNET_ACCEPTED] = "accepted",
		[MAGNET_DOOR] = "door",
		[MAGNET_SENDER] = "sender",
	};

	if (kind < MAGNET_REFUSED)
		return names[kind];
	return rcpt_refusal_name((enum rcpt_refusal)(kind - MAGNET_REFUSED));
}

struct magnet *magnet_new(void)
{
	struct magnet *m = mem_alloc(sizeof(*m));

	for (size_t i = 0; i < MAGNET_HOURS; i++)
		map_init(&m->hours[i].rows);
	return m;
}

void magnet_free(struct magnet *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < MAGNET_HOURS; i++)
		map_done(&m->hours[i].rows, mem_free);
	mem_free(m);
}

static struct slice make_key(struct key *k, const struct inet_addr *network,
			     const char *domain)
{
	char room[17];
	size_t n = strnlen(domain, 255);

	memcpy(k->text, reputation_key(network, room).p, 17);
	memcpy(k->text + 17, domain, n);
	k->n = 17 + n;
	return slice_make(k->text, k->n);
}

static struct hour *hour_of(struct magnet *m, int64_t now_ms)
{
	int64_t number = MX_MAX(now_ms / HOUR_MS, (int64_t)1);
	struct hour *h = &m->hours[number % MAGNET_HOURS];

	if (h->number == number)
		return h;
	map_done(&h->rows, mem_free);
	map_init(&h->rows);
	h->number = number;
	return h;
}

static struct magnet_row *row_of(struct map *rows, size_t max,
				 const struct inet_addr *network,
				 const char *domain)
{
	static const struct inet_addr others;
	struct magnet_row *row;
	struct key k;

	row = map_get(rows, make_key(&k, network, domain));
	if (!row && rows->n >= max) {
		network = &others;
		domain = "";
		row = map_get(rows, make_key(&k, network, domain));
	}
	if (row)
		return row;
	row = mem_alloc(sizeof(*row));
	row->network = *network;
	snprintf(row->domain, sizeof(row->domain), "%s", domain);
	map_put(rows, slice_make(k.text, k.n), row);
	return row;
}

void magnet_count(struct magnet *m, const struct inet_addr *network,
		  const char *domain, unsigned kind, uint32_t n, int64_t now_ms)
{
	struct hour *h = hour_of(m, now_ms);
	struct magnet_row *row =
		row_of(&h->rows, MAGNET_NETWORKS, network, domain);

	MX_ASSERT(kind < MAGNET_KINDS);
	if (!row->first_ms)
		row->first_ms = now_ms;
	if (!m->began_ms)
		m->began_ms = now_ms;
	row->last_ms = now_ms;
	row->counts[kind] += n;
	row->total += n;
}

/* ---- the report ---- */

struct gathering {
	const char *domain;
	struct map rows;
};

static int gather(void *data, struct slice key, void *value)
{
	struct gathering *g = data;
	const struct magnet_row *from = value;
	struct magnet_row *to;

	(void)key;
	if (g->domain && strcmp(from->domain, g->domain) != 0)
		return 0;
	to = row_of(&g->rows, SIZE_MAX, &from->network, from->domain);
	for (size_t i = 0; i < MAGNET_KINDS; i++)
		to->counts[i] += from->counts[i];
	to->total += from->total;
	if (!to->first_ms || from->first_ms < to->first_ms)
		to->first_ms = from->first_ms;
	to->last_ms = MX_MAX(to->last_ms, from->last_ms);
	return 0;
}

struct output {
	struct magnet_row *v;
	size_t n;
};

static int put_out(void *data, struct slice key, void *value)
{
	struct output *out = data;

	(void)key;
	out->v[out->n++] = *(struct magnet_row *)value;
	return 0;
}

static int by_total(const void *a, const void *b)
{
	const struct magnet_row *x = a, *y = b;

	if (x->total != y->total)
		return x->total > y->total ? -1 : 1;
	if (x->last_ms != y->last_ms)
		return x->last_ms > y->last_ms ? -1 : 1;
	return memcmp(&x->network, &y->network, sizeof(x->network));
}

struct magnet_row *magnet_report(struct magnet *m, const char *domain,
				 int64_t since_ms, size_t *n)
{
	struct gathering g = {.domain = domain};
	struct output out = {0};

	map_init(&g.rows);
	for (size_t i = 0; i < MAGNET_HOURS; i++)
		if (m->hours[i].number &&
		    m->hours[i].number >= since_ms / HOUR_MS)
			map_each(&m->hours[i].rows, gather, &g);
	out.v = mem_array(g.rows.n + 1, sizeof(*out.v));
	map_each(&g.rows, put_out, &out);
	map_done(&g.rows, mem_free);
	qsort(out.v, out.n, sizeof(*out.v), by_total);
	*n = out.n;
	return out.v;
}

int64_t magnet_since_ms(const struct magnet *m, int64_t now_ms)
{
	int64_t kept_ms = (now_ms / HOUR_MS - MAGNET_HOURS + 1) * HOUR_MS;

	return m->began_ms ? MX_MAX(m->began_ms, kept_ms) : now_ms;
}
