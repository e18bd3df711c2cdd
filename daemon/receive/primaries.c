#include "mxhold/receive/primaries.h"

#include "mxhold/base/map.h"
#include "mxhold/base/mem.h"
#include "mxhold/receive/reputation.h"
#include "mxhold/smtp/ehlo.h"

struct primaries {
	struct map addresses; /* the values mean nothing */
	bool take_utf8;
};

struct primaries *primaries_new(void)
{
	struct primaries *p = mem_alloc(sizeof(*p));

	map_init(&p->addresses);
	p->take_utf8 = true;
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

void primaries_refresh(struct primaries *p, const struct config *config,
		       struct directory *directory)
{
	struct peer_record rec;
	bool is_known = false, has_utf8 = false;

	map_done(&p->addresses, NULL);
	map_init(&p->addresses);
	for (size_t i = 0; i < config->n_primaries; i++) {
		const struct config_primary *c = config->primaries[i];

		for (size_t n = 0; n < c->n_hosts; n++)
			if (c->hosts[n].is_address)
				add_address(p, &c->hosts[n].addr);
		if (directory_peer_get(directory, c->name, &rec) != 0)
			continue;
		add_record(p, &rec);
		if (rec.last_up_ms == 0)
			continue; /* never met: its EHLO is not known */
		is_known = true;
		if (rec.ehlo_ext & EXT_SMTPUTF8)
			has_utf8 = true;
	}
	p->take_utf8 = has_utf8 || !is_known;
}

bool primaries_has_address(const struct primaries *p, const struct inet_addr *a)
{
	char room[17];

	return map_get(&p->addresses, reputation_key(a, room)) != NULL;
}

bool primaries_take_utf8(const struct primaries *p)
{
	return p->take_utf8;
}
