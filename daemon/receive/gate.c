#include "mxhold/receive/gate.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/map.h"
#include "mxhold/base/mem.h"

enum {
	REPUTATION_MAX = 65536,
	PRESSED_AT = 90, /* percent of max_sessions */
	EASY_AT = 70,
};

struct gate {
	uint32_t max_sessions, max_per_network;
	uint32_t sessions;
	bool is_pressed;
	bool record_only;    /* policy.action: nobody is kept out */
	struct map networks; /* of those with sessions: uint32_t * */
	struct reputation *reputation;
};

/* With hysteresis, so that nobody hears the limits change at each session. */
static void weigh(struct gate *g)
{
	uint64_t percent = (uint64_t)g->sessions * 100;
	uint64_t limit = g->is_pressed ? EASY_AT : PRESSED_AT;

	g->is_pressed = g->sessions > 0 && percent >= limit * g->max_sessions;
}

struct gate *gate_new(const struct config *config)
{
	struct gate *g = mem_alloc(sizeof(*g));

	map_init(&g->networks);
	g->reputation = reputation_new(REPUTATION_MAX);
	gate_configure(g, config);
	return g;
}

void gate_free(struct gate *g)
{
	if (!g)
		return;
	reputation_free(g->reputation);
	map_done(&g->networks, mem_free);
	mem_free(g);
}

void gate_configure(struct gate *g, const struct config *config)
{
	g->max_sessions = config->smtp.max_sessions;
	g->max_per_network = config->smtp.max_sessions_per_ip;
	g->record_only = config->policy.action == POLICY_RECORD;
	weigh(g);
	reputation_configure(g->reputation, &config->policy);
}

static enum admission judge_network(const struct gate *g,
				    const struct inet_addr *network,
				    int64_t now_ms)
{
	char room[17];
	const uint32_t *count =
		map_get(&g->networks, reputation_key(network, room));

	if (!g->record_only &&
	    reputation_is_penalised(g->reputation, network, now_ms))
		return ADMISSION_PENALISED;
	if (count && *count >= g->max_per_network)
		return ADMISSION_CROWDED;
	return ADMISSION_GRANTED;
}

static enum admission
count_network(struct gate *g, const struct inet_addr *client, int64_t now_ms)
{
	struct inet_addr network = inet_client_network(client);
	enum admission a = judge_network(g, &network, now_ms);
	char room[17];
	struct slice key = reputation_key(&network, room);
	uint32_t *count = map_get(&g->networks, key);

	if (a != ADMISSION_GRANTED)
		return a;
	if (!count) {
		count = mem_alloc(sizeof(*count));
		map_put(&g->networks, key, count);
	}
	++*count;
	return ADMISSION_GRANTED;
}

enum admission gate_admit(struct gate *g, const struct inet_addr *client,
			  int64_t now_ms)
{
	enum admission a = ADMISSION_FULL;

	if (g->sessions < g->max_sessions)
		a = count_network(g, client, now_ms);
	if (a == ADMISSION_GRANTED) {
		g->sessions++;
		weigh(g);
	}
	return a;
}

enum admission gate_admit_proxy(struct gate *g)
{
	if (g->sessions >= g->max_sessions)
		return ADMISSION_FULL;
	g->sessions++;
	weigh(g);
	return ADMISSION_GRANTED;
}

enum admission gate_admit_behind(struct gate *g, const struct inet_addr *client,
				 int64_t now_ms)
{
	return count_network(g, client, now_ms);
}

void gate_leave(struct gate *g, const struct inet_addr *network)
{
	char room[17];
	struct slice key = reputation_key(network, room);
	uint32_t *count;

	MX_ASSERT(g->sessions > 0);
	g->sessions--;
	weigh(g);
	if (network->family == 0)
		return;
	count = map_get(&g->networks, key);
	MX_ASSERT(count && *count > 0);
	if (--*count == 0)
		mem_free(map_remove(&g->networks, key));
}

enum admission gate_peek(const struct gate *g, const struct inet_addr *client,
			 int64_t now_ms)
{
	struct inet_addr network = inet_client_network(client);

	if (g->sessions >= g->max_sessions)
		return ADMISSION_FULL;
	return judge_network(g, &network, now_ms);
}

bool gate_is_pressed(const struct gate *g)
{
	return g->is_pressed;
}

uint32_t gate_sessions(const struct gate *g)
{
	return g->sessions;
}

struct reputation *gate_reputation(struct gate *g)
{
	return g->reputation;
}

const char *admission_why(enum admission a)
{
	switch (a) {
	case ADMISSION_GRANTED:
		break;
	case ADMISSION_FULL:
		return "max_sessions";
	case ADMISSION_CROWDED:
		return "max_sessions_per_ip";
	case ADMISSION_PENALISED:
		return "unknown_penalty";
	}
	return "granted";
}

const char *admission_refusal(enum admission a)
{
	switch (a) {
	case ADMISSION_GRANTED:
		break;
	case ADMISSION_FULL:
		return "421 4.3.2 too many sessions, try again later\r\n";
	case ADMISSION_CROWDED:
		return "421 4.7.0 too many sessions from your network\r\n";
	case ADMISSION_PENALISED:
		return "421 4.7.0 too many unknown recipients from your "
		       "network, try again later\r\n";
	}
	MX_ASSERT(!"a refusal for who was let in");
	return "";
}
