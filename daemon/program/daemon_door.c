/* What mxholdctl asks of the front door: who comes, and what they would hear.
 */
#include <stdio.h>
#include <string.h>

#include "daemon_internal.h"

#include "mxhold/base/mem.h"
#include "mxhold/control/protocol.h"
#include "mxhold/receive/magnet.h"
#include "mxhold/receive/simulate.h"

/* magnet */

static json_t *network_text(const struct inet_addr *network)
{
	char text[INET_TEXT_MAX + 4] = "others";

	if (network->family) {
		inet_format(network, text);
		if (network->family == 6)
			strcat(text, "/64");
	}
	return json_string(text);
}

static json_t *magnet_row(const struct magnet_row *row)
{
	json_t *reasons = json_object();
	uint64_t refused = 0, unknown;

	unknown = row->counts[MAGNET_REFUSED + RCPT_REFUSED_UNKNOWN];
	for (unsigned i = MAGNET_ACCEPTED + 1; i < MAGNET_KINDS; i++) {
		if (row->counts[i] == 0)
			continue;
		refused += row->counts[i];
		json_object_set_new(reasons, magnet_kind_name(i),
				    json_integer(row->counts[i]));
	}
	return json_pack("{s:o,s:s,s:I,s:I,s:I,s:o,s:o,s:o}", "network",
			 network_text(&row->network), "domain", row->domain,
			 "accepted", (json_int_t)row->counts[MAGNET_ACCEPTED],
			 "refused", (json_int_t)refused, "unknown",
			 (json_int_t)unknown, "reasons", reasons, "first_at",
			 protocol_time(row->first_ms), "last_at",
			 protocol_time(row->last_ms));
}

json_t *daemon_on_magnet(void *data, const char *domain, int64_t since_ms)
{
	struct daemon *d = data;
	json_t *out = json_array();
	struct magnet_row *rows;
	size_t n;

	if (!d->receive)
		return out;
	rows = receive_magnet(d->receive, domain, &since_ms, &n);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(out, magnet_row(&rows[i]));
	mem_free(rows);
	return out;
}

/* simulate */

struct trial {
	void (*on_done)(void *arg, json_t *result, const char *why);
	void *arg;
	json_t *args;
};

static json_t *simulation_row(const struct simulation *s, unsigned rule)
{
	const struct simulate_row *row = &s->rows[rule];

	return json_pack("{s:s,s:s,s:o,s:o}", "rule", simulate_rule_name(rule),
			 "verdict", row->verdict, "why",
			 protocol_text(slice_str(row->why)), "reply",
			 protocol_text(slice_str(row->reply)));
}

static json_t *text_of(const json_t *args, const char *key)
{
	json_t *text = json_object_get(args, key);

	return json_is_string(text) ? json_incref(text) : json_string("");
}

static json_t *simulation_json(const struct simulation *s, const json_t *args)
{
	bool is_decided = s->decided_by < SIMULATE_RULES;
	json_t *rules = json_array();

	for (unsigned i = 0; i < SIMULATE_RULES; i++)
		json_array_append_new(rules, simulation_row(s, i));
	return json_pack("{s:i,s:o,s:o,s:o,s:o,s:s,s:s,s:o,s:o}", "v", 1, "ip",
			 text_of(args, "ip"), "helo", text_of(args, "helo"),
			 "from", text_of(args, "from"), "rcpt",
			 text_of(args, "rcpt"), "verdict", s->verdict, "rule",
			 is_decided ? simulate_rule_name(s->decided_by) : "",
			 "reply", protocol_text(slice_str(s->reply)), "rules",
			 rules);
}

static void on_simulated(void *data, struct simulation *s)
{
	struct trial *t = data;

	t->on_done(t->arg, simulation_json(s, t->args), NULL);
	mem_free(s);
	json_decref(t->args);
	mem_free(t);
}

static const char *text_arg(const json_t *args, const char *key)
{
	return json_string_value(json_object_get(args, key));
}

void daemon_on_simulate(void *data, const json_t *args,
			void (*on_done)(void *arg, json_t *result,
					const char *why),
			void *arg)
{
	struct daemon *d = data;
	const char *ip = text_arg(args, "ip");
	struct simulate_ask ask = {
		.helo = text_arg(args, "helo"),
		.from = text_arg(args, "from"),
		.rcpt = text_arg(args, "rcpt"),
	};
	struct trial *t;

	if (!d->receive || d->stopping) {
		on_done(arg, NULL, "the front door is not open");
		return;
	}
	if (!ip || inet_parse(slice_str(ip), &ask.client)) {
		on_done(arg, NULL, "--ip wants an address");
		return;
	}
	if (!ask.rcpt) {
		on_done(arg, NULL, "--rcpt wants an address");
		return;
	}
	t = mem_alloc(sizeof(*t));
	t->on_done = on_done;
	t->arg = arg;
	t->args = json_deep_copy(args);
	receive_simulate(d->receive, &ask, on_simulated, t);
}
