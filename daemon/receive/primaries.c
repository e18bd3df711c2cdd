#include "mxhold/receive/primaries.h"

#include "mxhold/base/map.h"
#include "mxhold/base/mem.h"
#include "mxhold/receive/reputation.h"

struct primaries {
	struct map addresses; /* the values mean nothing */
	struct lacks lacks;
};

struct primaries *primaries_new(void)
{
	struct primaries *p = mem_alloc(sizeof(*p));

	map_init(&p->addresses);
	return p;
}

void primaries_free(struct primaries *p)
{
	if (!p)
		return;
	map_done(&p->addresses, NULL);
	mem_free(p);
}

static void add_address(struct primaries *p, const struct inet_addr *a)
{
	char room[17];

	map_put(&p->addresses, reputation_key(a, room), p);
}

static void add_record(struct primaries *p, const struct peer_record *rec)
{
	for (size_t i = 0; i < rec->n_good && i < PEER_HOSTS_MAX; i++) {
		struct inet_addr a = {.family = rec->good[i].family};

		memcpy(a.bytes, rec->good[i].bytes, sizeof(a.bytes));
		add_address(p, &a);
	}
}

static void add_hosts(struct primaries *p, const struct config_primary *c)
{
	for (size_t i = 0; i < c->n_hosts; i++)
		if (c->hosts[i].is_address)
			add_address(p, &c->hosts[i].addr);
}

/* Of the known ones, or of all while none is known. */
struct gathering {
	struct lacks known, unknown;
	size_t n_known, n_unknown;
	uint32_t any; /* what at least one lacks */
};

static void gather(struct gathering *g, const struct lacks *one, bool is_known)
{
	struct lacks *all = is_known ? &g->known : &g->unknown;
	size_t *n = is_known ? &g->n_known : &g->n_unknown;

	if ((*n)++ == 0)
		*all = *one;
	else
		lacks_meet(all, one);
	g->any |= one->ext;
}

void primaries_refresh(struct primaries *p, const struct config *config,
		       struct directory *directory)
{
	struct gathering g = {.n_known = 0};
	struct peer_record rec;
	struct lacks one;
	bool known;

	map_done(&p->addresses, NULL);
	map_init(&p->addresses);
	for (size_t i = 0; i < config->n_primaries; i++) {
		const struct config_primary *c = config->primaries[i];
		bool found = directory_peer_get(directory, c->name, &rec) == 0;

		add_hosts(p, c);
		if (found)
			add_record(p, &rec);
		known = lacks_by_record(found ? &rec : NULL, config, c, &one);
		gather(&g, &one, known);
	}
	p->lacks = g.n_known ? g.known : g.unknown;
	p->lacks.ext |= g.any & EXT_BINARYMIME;
}

bool primaries_has_address(const struct primaries *p, const struct inet_addr *a)
{
	char room[17];

	return map_get(&p->addresses, reputation_key(a, room)) != NULL;
}

const struct lacks *primaries_lack(const struct primaries *p)
{
	return &p->lacks;
}
