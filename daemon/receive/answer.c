#include "mxhold/receive/answer.h"

#include <stdio.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/stats.h"
#include "mxhold/base/text.h"
#include "mxhold/net/loop.h"
#include "mxhold/receive/dialogue_parts.h"
#include "mxhold/receive/facts.h"

void answer_log_begin(const struct dialogue *d, struct log_line *line,
		      enum log_level level, const char *event)
{
	char text[INET_TEXT_MAX];

	log_begin(line, level, event);
	if (!line->wanted)
		return;
	inet_format(&d->client.addr, text);
	log_str(line, "sid", d->ticket->sid);
	log_str(line, "peer", text);
}

static const struct smtp_reply *say(struct smtp_reply *reply, int code,
				    const char *enhanced, const char *text)
{
	smtp_reply_set(reply, code, enhanced, "%s", text);
	return reply;
}

static const struct smtp_reply *no_room(struct dialogue *d,
					struct smtp_reply *reply)
{
	d->refused++;
	return say(reply, 452, "4.3.1", "no room left, try again later");
}

/* ---- MAIL ---- */

static void log_policy(const struct dialogue *d, const char *why)
{
	struct log_line l;

	answer_log_begin(d, &l, LOG_INFO, "policy");
	log_str(&l, "why", why);
	log_end(&l);
}

static void count_visit(struct dialogue *d, const char *domain, unsigned kind)
{
	worker_count_visit(d->worker, &d->network, domain, kind);
}

/* Reputation defers; it refuses only when the operator said so. */
static const struct smtp_reply *by_action(struct dialogue *d, const char *why,
					  struct smtp_reply *reply)
{
	enum policy_action action = d->worker->config->policy.action;

	log_policy(d, why);
	if (action == POLICY_RECORD)
		return NULL;
	d->refused++;
	if (action == POLICY_REJECT)
		return say(reply, 550, "5.7.1", why);
	return say(reply, 450, "4.7.1", why);
}

static const struct smtp_reply *keep_out(struct smtp_reply *reply)
{
	return say(reply, 421, "4.7.0",
		   "too many unknown recipients from your network");
}

static bool is_kept_out(const struct dialogue *d)
{
	const struct worker *w = d->worker;

	return w->config->policy.action != POLICY_RECORD &&
	       reputation_is_penalised(w->reputation, &d->network,
				       loop_now_ms(w->loop));
}

static const struct smtp_reply *judge_client(struct dialogue *d,
					     struct smtp_reply *reply)
{
	struct worker *w = d->worker;
	int64_t now_ms = loop_now_ms(w->loop);

	if (is_kept_out(d))
		return keep_out(reply);
	if (d->talked_early)
		return by_action(d, "you talked before the greeting", reply);
	if (reputation_is_slowed(w->reputation, &d->network, now_ms))
		return by_action(d, "too many messages from your network",
				 reply);
	return NULL;
}

const struct smtp_reply *answer_mail(struct dialogue *d,
				     const struct smtp_question *q,
				     struct smtp_reply *reply)
{
	const struct smtp_reply *refusal = judge_client(d, reply);

	if (refusal) {
		count_visit(d, "", MAGNET_SENDER);
		return refusal;
	}
	d->declared = q->size;
	d->hard_limit_ms = 0;
	/* RFC 1870 6.1 (1) */
	if (!worker_has_room(d->worker, q->size))
		return no_room(d, reply);
	return NULL;
}

/* ---- RCPT ---- */

static struct reader *reader_of(struct worker *w)
{
	if (!w->reader)
		w->reader = reader_new(w->store);
	return w->reader;
}

static bool is_to_be_sent_away(const struct dialogue *d,
			       const struct config_domain *domain)
{
	int64_t up_ms;

	return d->escape != ESCAPE_LET_IN &&
	       worker_primary_is_up(d->worker, domain->primary, &up_ms);
}

/* Is there anything against the client that its recipient's domain minds? */
static bool object(struct dialogue *d, struct policy_rcpt *p)
{
	const struct config_policy *policy = &p->domain->policy;
	struct client_objection o;

	if (!client_object(&d->facts, &d->client.addr, policy, &o))
		return false;
	log_policy(d, o.text);
	if (policy->action == POLICY_RECORD)
		return false;
	policy_rcpt_object(p, &o);
	return true;
}

static struct facts_of facts_of(struct dialogue *d, const struct policy_rcpt *p)
{
	const struct smtp_transaction *t = smtp_server_transaction(d->server);
	struct worker *w = d->worker;

	return (struct facts_of){
		.config = w->config,
		.directory = w->directory,
		.reader = p->domain->quota ? reader_of(w) : NULL,
		.is_primary_up = is_to_be_sent_away(d, p->domain),
		.size = d->declared,
		.utf8_sender = !text_is_ascii(t->sender),
		.binary = t->body == BODY_BINARYMIME,
		.requiretls = t->requiretls,
	};
}

/* False: the primary is to be asked. */
static bool look_up(struct dialogue *d, const struct address *rcpt,
		    struct policy_rcpt *p)
{
	struct facts_primary primary = {.can_ask = true};
	struct facts_of of = facts_of(d, p);

	primary.is_up = worker_primary_is_up(d->worker, p->domain->primary,
					     &primary.up_ms);
	return !facts_look_up(p, rcpt, d->worker->listed, &of, &primary);
}

/* The same; all but the primary's word is looked at anew when it is there. */
static bool decide(struct dialogue *d, const struct address *rcpt,
		   struct policy_rcpt *p)
{
	struct facts_of of;

	if (!policy_rcpt_prepare(p, d->worker->config, rcpt)) {
		if (d->is_told && p->domain->learn)
			policy_rcpt_told(p, d->told);
		else if (!object(d, p) && !look_up(d, rcpt, p))
			return false;
	}
	if (p->verdict != POLICY_ACCEPTED)
		return true;
	of = facts_of(d, p);
	facts_judge(p, rcpt, &of);
	return true;
}

static void log_refused(const struct dialogue *d, const struct address *rcpt,
			const struct policy_rcpt *p)
{
	const struct smtp_transaction *t = smtp_server_transaction(d->server);
	char text[128];
	struct log_line l;

	answer_log_begin(d, &l, LOG_INFO, "rcpt.refused");
	if (!l.wanted)
		return;
	smtp_reply_format(&p->reply, text, sizeof(text));
	log_private(&l, "from", t->sender);
	log_private(&l, "to", rcpt->text);
	log_str(&l, "reason", rcpt_refusal_name(p->refusal));
	log_str(&l, "why", p->why);
	log_str(&l, "reply", text);
	log_end(&l);
}

static const struct smtp_reply *refuse(struct dialogue *d,
				       const struct address *rcpt,
				       const struct policy_rcpt *p,
				       struct smtp_reply *reply)
{
	struct worker *w = d->worker;

	d->refused++;
	counter_add(&stats.rcpt_refused[p->refusal], 1);
	count_visit(d, p->domain ? p->domain->name : "",
		    MAGNET_REFUSED + p->refusal);
	log_refused(d, rcpt, p);
	*reply = p->reply;
	if (p->refusal != RCPT_REFUSED_UNKNOWN ||
	    p->verdict != POLICY_REJECTED ||
	    !worker_count_unknown(w, &d->network))
		return reply;
	log_policy(d, "unknown_budget is used up");
	if (w->config->policy.action == POLICY_RECORD)
		return reply;
	return keep_out(reply);
}

/* How long a message may wait at the most, whatever its primary does. */
static int64_t longest_wait(const struct config_queue *q)
{
	if (q->clock_wall)
		return MX_MIN(q->hard_limit, q->retention);
	return q->hard_limit;
}

/* Its third try, spread over ten minutes, is let in: its own way to the
 * primary is broken. The main loop counts. */
static const struct smtp_reply *ask_escape(struct dialogue *d,
					   const struct policy_rcpt *p)
{
	struct slice sender = smtp_server_transaction(d->server)->sender;
	struct ticket *t = d->ticket;

	t->client.addr = d->network;
	t->sender = mem_strndup(sender.p, sender.n);
	t->rcpt = mem_strdup(p->canonical);
	d->ticket_away = true;
	worker_go_home(d->worker, &t->note, NOTE_ESCAPE);
	return &answer_later;
}

/* Nobody knows this recipient but, perhaps, its primary. */
static const struct smtp_reply *ask_primary(struct dialogue *d,
					    const struct policy_rcpt *p)
{
	struct ticket *t = d->ticket;

	t->learn = mem_alloc(sizeof(*t->learn));
	learning_rcpt_set(t->learn, p);
	d->ticket_away = true;
	worker_go_home(d->worker, &t->note, NOTE_RCPT);
	return &answer_later;
}

const struct smtp_reply answer_later;

const struct smtp_reply *answer_rcpt(struct dialogue *d,
				     const struct smtp_question *q,
				     const struct intake_events *events,
				     struct smtp_reply *reply)
{
	struct worker *w = d->worker;
	struct policy_rcpt p;

	if (d->dns)
		return &answer_later;
	/* Or each session of a network had a budget of its own. */
	if (is_kept_out(d)) {
		count_visit(d, "", MAGNET_SENDER);
		return keep_out(reply);
	}
	if (!decide(d, &q->rcpt, &p))
		return ask_primary(d, &p);
	if (p.refusal == RCPT_REFUSED_WHEN_UP && d->escape == ESCAPE_NOT_ASKED)
		return ask_escape(d, &p);
	if (p.verdict != POLICY_ACCEPTED)
		return refuse(d, &q->rcpt, &p, reply);
	count_visit(d, p.domain->name, MAGNET_ACCEPTED);
	if (!d->intake) {
		d->intake = intake_new(&w->host, d->ticket->sid,
				       d->server_config.max_rcpt, events, d);
		d->lacks = p.lacks;
	}
	lacks_meet(&d->lacks, &p.lacks);
	if (intake_add(d->intake, slice_str(p.address), p.domain->name,
		       &q->rcpt_params))
		return say(reply, 452, "4.3.1", "out of memory");
	/* Of the most patient domain. */
	d->hard_limit_ms =
		MX_MAX(d->hard_limit_ms, longest_wait(&p.domain->queue));
	return NULL;
}

/* ---- DATA ---- */

static void tell_facts(const struct dialogue *d, struct envelope *env,
		       char tls[128])
{
	const struct smtp_transaction *t = smtp_server_transaction(d->server);
	const struct dialogue_xclient *x = d->xclient;
	const struct tls_info *info = stream_tls(d->stream);

	*env = (struct envelope){
		.sender = t->sender,
		.envid = t->envid,
		.ret = t->ret,
		.body = t->body,
		.smtputf8 = t->smtputf8,
		.requiretls = t->requiretls,
		.client = d->client,
		.helo = smtp_server_helo(d->server),
		.protocol = smtp_server_protocol(d->server),
		.arrived_at_ms = clock_wall_ms(),
	};
	if (info) {
		snprintf(tls, 128, "%s %s", info->version, info->cipher);
		env->tls = slice_str(tls);
	}
	if (d->facts.name)
		env->client_name = slice_str(d->facts.name);
	if (x && x->name[0])
		env->client_name = slice_str(x->name);
	if (x && x->helo[0])
		env->helo = slice_str(x->helo);
	if (x && x->protocol[0])
		env->protocol = slice_str(x->protocol);
}

const struct smtp_reply *answer_data(struct dialogue *d,
				     struct smtp_reply *reply)
{
	struct envelope facts;
	char tls[128];

	if (!d->intake)
		return say(reply, 554, "5.5.1", "no valid recipients");
	if (!worker_has_room(d->worker, d->declared))
		return no_room(d, reply);
	tell_facts(d, &facts, tls);
	d->expire_ms =
		d->hard_limit_ms ? facts.arrived_at_ms + d->hard_limit_ms : 0;
	if (intake_begin(d->intake, &facts, d->config->hostname, d->declared))
		return say(reply, 452, "4.3.1", "out of memory");
	return NULL;
}

/* ---- XCLIENT ---- */

/* What is unavailable overwrites what was known, what is not given does not. */
static void copy_text(char *to, size_t room, struct slice s)
{
	size_t n = MX_MIN(s.n, room - 1);

	if (!s.p)
		return;
	memcpy(to, s.p, n);
	to[n] = '\0';
}

static bool take_address(struct dialogue *d, const struct smtp_xclient *x)
{
	struct slice text = x->addr;
	struct inet_addr addr;
	uint64_t port;

	if (text.n) {
		if (slice_starts_nocase(text, SLICE("IPV6:")))
			text = slice_skip(text, 5);
		if (inet_parse(text, &addr))
			return false;
		d->client = (struct endpoint){.addr = addr};
		d->network = inet_client_network(&addr);
		/* Who asks now was not compared with the primaries. */
		d->server_config.offer_etrn = false;
	}
	if (x->port.n) {
		if (text_parse_u64(x->port, &port) || port > UINT16_MAX)
			return false;
		d->client.port = (uint16_t)port;
	}
	return true;
}

const struct smtp_reply *answer_xclient(struct dialogue *d,
					const struct smtp_xclient *x,
					struct smtp_reply *reply)
{
	struct log_line l;

	if (!take_address(d, x))
		return say(reply, 501, "5.5.4", "bad client address");
	if (!d->xclient)
		d->xclient = mem_alloc(sizeof(*d->xclient));
	copy_text(d->xclient->name, sizeof(d->xclient->name), x->name);
	copy_text(d->xclient->helo, sizeof(d->xclient->helo), x->helo);
	copy_text(d->xclient->protocol, sizeof(d->xclient->protocol), x->proto);
	dialogue_ask_dns(d);
	answer_log_begin(d, &l, LOG_INFO, "session.client");
	log_private(&l, "name", slice_str(d->xclient->name));
	log_end(&l);
	return NULL;
}
