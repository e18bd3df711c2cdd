#include "mxhold/control/present.h"

#include <stdio.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/control/advice.h"
#include "mxhold/control/protocol.h"

/* Packing of what is our own can only fail for want of memory. */
static json_t *sure(json_t *j)
{
	MX_ASSERT(j);
	return j;
}

static json_t *text_of(const char *s)
{
	return protocol_text(slice_str(s));
}

static json_t *id_of(uint64_t id)
{
	char text[ID_TEXT_LEN + 1];

	id_format(id, text);
	return json_string(text);
}

static json_t *address_of(const struct inet_addr *a)
{
	char text[INET_TEXT_MAX] = "";

	if (a->family)
		inet_format(a, text);
	return json_string(text);
}

static int64_t age_s(int64_t then_ms, int64_t now_ms)
{
	return then_ms && now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0;
}

/* Messages */

struct slice present_domain(const struct queue_message *m)
{
	for (size_t i = 0; i < m->n_rcpts; i++)
		if (m->rcpts[i].state == RCPT_PENDING)
			return m->rcpts[i].rcpt.domain;
	return m->n_rcpts ? m->rcpts[0].rcpt.domain : SLICE("");
}

static const char *primary_of(const struct config *c, struct slice domain)
{
	const struct config_domain *d = map_get(&c->domain_index, domain);

	return d && d->primary ? d->primary->name : "";
}

static json_t *rcpt_of(const struct queue_rcpt *r)
{
	return sure(json_pack("{s:o,s:s,s:o,s:I,s:o}", "address",
			      protocol_text(r->rcpt.address), "state",
			      rcpt_state_name(r->state), "reply",
			      protocol_text(r->reply), "attempts",
			      (json_int_t)r->attempts, "last_attempt_at",
			      protocol_time(r->last_attempt_ms)));
}

json_t *present_message(const struct queue_message *m,
			const struct config *config)
{
	struct slice domain = present_domain(m);
	json_t *rcpts = json_array();

	for (size_t i = 0; i < m->n_rcpts; i++)
		json_array_append_new(rcpts, rcpt_of(&m->rcpts[i]));
	return sure(json_pack(
		"{s:o,s:s,s:o,s:o,s:o,s:I,s:o,s:o,s:o,s:o,s:I,s:o,s:o}", "id",
		id_of(m->id), "state", queue_state_name(m->state), "domain",
		protocol_text(domain), "primary",
		text_of(primary_of(config, domain)), "sender",
		protocol_text(m->env.sender), "size", (json_int_t)m->size,
		"arrived_at", protocol_time(m->env.arrived_at_ms),
		"next_attempt_at", protocol_time(m->next_attempt_ms), "client",
		address_of(&m->env.client.addr), "helo",
		protocol_text(m->env.helo), "attempts", (json_int_t)m->attempts,
		"reason", protocol_text(m->reason), "recipients", rcpts));
}

static const char *body_name(enum body_type b)
{
	switch (b) {
	case BODY_7BIT:
		return "7BIT";
	case BODY_8BITMIME:
		return "8BITMIME";
	case BODY_BINARYMIME:
		return "BINARYMIME";
	case BODY_UNSAID:
		break;
	}
	return "";
}

json_t *present_message_whole(const struct queue_message *m,
			      const struct config *config)
{
	json_t *all = present_message(m, config);
	json_t *more = sure(json_pack(
		"{s:i,s:o,s:o,s:o,s:o,s:o,s:s,s:b,s:b,s:b,s:b}", "v", 1,
		"message_id", protocol_text(m->message_id), "client_name",
		protocol_text(m->env.client_name), "protocol",
		protocol_text(m->env.protocol), "tls",
		protocol_text(m->env.tls), "envid", protocol_text(m->env.envid),
		"body", body_name(m->env.body), "smtputf8", m->env.smtputf8,
		"requiretls", m->env.requiretls, "report", m->env.is_report,
		"maybe_duplicate", m->maybe_duplicate));

	json_object_update(all, more);
	json_decref(more);
	return all;
}

json_t *present_sample(const struct queue_message *m)
{
	return sure(
		json_pack("{s:o,s:o,s:o,s:I,s:o}", "id", id_of(m->id), "sender",
			  protocol_text(m->env.sender), "to",
			  protocol_text(m->n_rcpts ? m->rcpts[0].rcpt.address
						   : SLICE("")),
			  "size", (json_int_t)m->size, "arrived_at",
			  protocol_time(m->env.arrived_at_ms)));
}

json_t *present_history(const struct history_row *row)
{
	return sure(json_pack("{s:o,s:o,s:s,s:s,s:o,s:o,s:o,s:o}", "at",
			      protocol_time(row->at_ms), "id", id_of(row->id),
			      "event", history_what_name(row->what), "what",
			      history_what_name(row->what), "sender",
			      protocol_text(row->sender), "recipient",
			      protocol_text(row->rcpt), "message_id",
			      protocol_text(row->message_id), "text",
			      protocol_text(row->text)));
}

json_t *present_counts(const struct queue_counts *c, int64_t now_ms)
{
	return sure(json_pack("{s:I,s:I,s:I}", "messages",
			      (json_int_t)c->messages, "bytes",
			      (json_int_t)c->bytes, "oldest_age_s",
			      (json_int_t)age_s(c->oldest_ms, now_ms)));
}

json_t *present_rcpt_test(const char *address, const char *verdict,
			  const char *why, const char *reply)
{
	return sure(json_pack("{s:i,s:o,s:s,s:o,s:o}", "v", 1, "address",
			      text_of(address), "verdict", verdict, "why",
			      text_of(why), "reply", text_of(reply)));
}

/* Primaries */

json_t *present_primary(const struct present_primary *p)
{
	const struct primary_view *v = p->view;
	const char *state =
		v->held ? "held" : health_state_name(v->health.state);
	struct advice advice;
	json_t *probe = sure(json_pack("{s:o,s:o,s:I}", "at",
				       protocol_time(v->last_probe_ms),
				       "result", text_of(v->last_result), "ms",
				       (json_int_t)v->last_probe_took_ms));

	advice_of(p, &advice);
	return sure(json_pack(
		"{s:o,s:s,s:o,s:o,s:I,s:I,s:I,s:o,s:o,s:o}", "name",
		text_of(v->name), "state", state, "since",
		protocol_time(v->health.since_ms), "last_probe", probe,
		"queued", (json_int_t)p->counts.messages, "bytes",
		(json_int_t)p->counts.bytes, "oldest_age_s",
		(json_int_t)age_s(p->counts.oldest_ms, p->now_ms), "why",
		text_of(advice.why), "todo", text_of(advice.todo),
		"next_probe_at", protocol_time(v->next_probe_ms)));
}

json_t *present_breaker(const struct present_primary *p)
{
	const struct relay_view *r = p->relay;
	const char *state = !r->breaker_open ? "closed" : "open";

	return sure(json_pack("{s:o,s:s,s:o,s:o,s:o,s:I,s:I,s:I}", "name",
			      text_of(p->view->name), "state", state, "why",
			      text_of(r->breaker_why), "opened_at",
			      protocol_time(r->breaker_ms), "retry_at",
			      protocol_time(r->breaker_retry_ms), "results",
			      (json_int_t)r->results, "refused",
			      (json_int_t)r->refused, "queued",
			      (json_int_t)p->counts.messages));
}

static json_t *hosts_of(const struct config_primary *c)
{
	json_t *out = json_array();

	for (size_t i = 0; i < c->n_hosts; i++) {
		const struct config_host *h = &c->hosts[i];
		char text[512];

		snprintf(text, sizeof(text),
			 h->is_address && h->addr.family == 6 ? "[%s]:%u"
							      : "%s:%u",
			 h->name, h->port);
		json_array_append_new(out, text_of(text));
	}
	return out;
}

static json_t *good_of(const struct primary_view *v)
{
	json_t *out = json_array();

	for (size_t i = 0; i < v->n_good; i++) {
		char text[INET_TEXT_MAX];

		endpoint_format(&v->good[i], text);
		json_array_append_new(out, json_string(text));
	}
	return out;
}

/* Of its last EHLO that was heard. */
static json_t *ehlo_of(uint32_t ext)
{
	static const struct {
		uint32_t ext;
		const char *name;
	} names[] = {
		{EXT_PIPELINING, "PIPELINING"},
		{EXT_SIZE, "SIZE"},
		{EXT_8BITMIME, "8BITMIME"},
		{EXT_SMTPUTF8, "SMTPUTF8"},
		{EXT_DSN, "DSN"},
		{EXT_CHUNKING, "CHUNKING"},
		{EXT_BINARYMIME, "BINARYMIME"},
		{EXT_STARTTLS, "STARTTLS"},
		{EXT_REQUIRETLS, "REQUIRETLS"},
		{EXT_XCLIENT, "XCLIENT"},
		{EXT_XFORWARD, "XFORWARD"},
		{EXT_ETRN, "ETRN"},
		{EXT_LIMITS, "LIMITS"},
	};
	json_t *out = json_array();

	for (size_t i = 0; i < MX_ARRAY_SIZE(names); i++)
		if (ext & names[i].ext)
			json_array_append_new(out, json_string(names[i].name));
	return out;
}

/* What is asked of TLS, and how the last good session was protected. */
static void add_tls(json_t *out, const struct config_primary *c,
		    const struct session_protection *p)
{
	json_t *more = sure(json_pack("{s:s,s:s,s:s,s:s}", "tls",
				      c ? config_tls_name(c->tls) : "",
				      "tls_version", p->version, "tls_cipher",
				      p->cipher, "tls_proof", p->proof));

	json_object_update(out, more);
	json_decref(more);
}

static json_t *domains_of(const struct config *c, const char *primary)
{
	json_t *out = json_array();

	for (size_t i = 0; i < c->n_domains; i++)
		if (strcmp(c->domains[i].primary->name, primary) == 0)
			json_array_append_new(out, text_of(c->domains[i].name));
	return out;
}

static void add_relay(json_t *out, const struct relay_view *r)
{
	json_t *more = sure(json_pack(
		"{s:I,s:I,s:I,s:b,s:b,s:b,s:b,s:o,s:I,s:o,s:s,s:o}",
		"connections", (json_int_t)r->connections, "connections_limit",
		(json_int_t)r->limit, "rate", (json_int_t)r->rate, "paused",
		r->paused, "released", r->released, "canary", r->canary,
		"breaker_open", r->breaker_open, "breaker_retry_at",
		protocol_time(r->breaker_retry_ms), "sent", (json_int_t)r->sent,
		"trouble", text_of(r->trouble), "oldest_id", r->oldest_id,
		"oldest_since", protocol_time(r->oldest_ms)));

	json_object_update(out, more);
	json_decref(more);
}

/* What is stored says nothing of the time since. */
static int64_t up_ms(const struct present_primary *p)
{
	return p->relay ? health_up_ms(&p->view->health, p->now_ms)
			: p->view->health.up_total_ms;
}

json_t *present_primary_whole(const struct present_primary *p,
			      const struct config *config)
{
	const struct config_primary *c = config_primary(config, p->view->name);
	json_t *all = present_primary(p);

	json_object_set_new(all, "v", json_integer(1));
	json_object_set_new(all, "domains", domains_of(config, p->view->name));
	json_object_set_new(all, "by_mx", json_boolean(c && c->by_mx));
	json_object_set_new(all, "hosts", c ? hosts_of(c) : json_array());
	json_object_set_new(all, "last_good", good_of(p->view));
	json_object_set_new(all, "ehlo", ehlo_of(p->view->ehlo_ext));
	json_object_set_new(all, "ehlo_size",
			    json_integer((json_int_t)p->view->ehlo_size));
	json_object_set_new(all, "next_due_at", protocol_time(p->next_due_ms));
	json_object_set_new(all, "up_s", json_integer(up_ms(p) / 1000));
	add_tls(all, c, &p->view->protection);
	if (p->relay)
		add_relay(all, p->relay);
	return all;
}
