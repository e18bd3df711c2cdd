#include "mxhold/receive/simulate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/text.h"
#include "mxhold/receive/escape.h"
#include "mxhold/smtp/command.h"
#include "mxhold/smtp/ehlo.h"

static const char *const rule_names[SIMULATE_RULES] = {
	[SIMULATE_CONNECTIONS] = "connections",
	[SIMULATE_PROXY] = "proxy",
	[SIMULATE_PREGREET] = "pregreet",
	[SIMULATE_FCRDNS] = "fcrdns",
	[SIMULATE_DNSBL] = "dnsbl",
	[SIMULATE_HELO] = "helo",
	[SIMULATE_SENDER] = "sender",
	[SIMULATE_RELAY] = "relay",
	[SIMULATE_RECIPIENT] = "recipient",
	[SIMULATE_QUOTA] = "quota",
	[SIMULATE_WHEN_UP] = "when_up",
	[SIMULATE_EXTENSIONS] = "extensions",
};

/* Who decides when several would: the dialogue's own order. */
static const enum simulate_rule order[] = {
	SIMULATE_CONNECTIONS, SIMULATE_PROXY,   SIMULATE_PREGREET,
	SIMULATE_HELO,        SIMULATE_SENDER,  SIMULATE_RELAY,
	SIMULATE_FCRDNS,      SIMULATE_DNSBL,   SIMULATE_RECIPIENT,
	SIMULATE_EXTENSIONS,  SIMULATE_WHEN_UP, SIMULATE_QUOTA,
};

const char *simulate_rule_name(enum simulate_rule r)
{
	MX_ASSERT((unsigned)r < SIMULATE_RULES);
	return rule_names[r];
}

enum address_error simulate_address(const char *text, struct address *out)
{
	size_t used;

	if (*text != '<')
		return address_parse(slice_str(text), true, out);
	return address_parse_path(slice_str(text), out, &used);
}

static void say(struct simulation *s, enum simulate_rule rule,
		const char *verdict, const char *fmt, ...) MX_PRINTF(4, 5);

static void say(struct simulation *s, enum simulate_rule rule,
		const char *verdict, const char *fmt, ...)
{
	struct simulate_row *row = &s->rows[rule];
	va_list ap;

	row->verdict = verdict;
	va_start(ap, fmt);
	vsnprintf(row->why, sizeof(row->why), fmt, ap);
	va_end(ap);
}

static const char *verdict_of(const struct smtp_reply *reply)
{
	if (reply->code < 400)
		return "pass";
	return reply->code < 500 ? "defer" : "reject";
}

static void say_reply(struct simulation *s, enum simulate_rule rule,
		      const struct smtp_reply *reply)
{
	struct simulate_row *row = &s->rows[rule];

	row->verdict = verdict_of(reply);
	smtp_reply_format(reply, row->reply, sizeof(row->reply));
}

/* ---- the connection ---- */

static void look_at_connections(struct simulation *s,
				const struct simulate_facts *f)
{
	const char *refusal;

	say(s, SIMULATE_CONNECTIONS, "pass", "%u of %u sessions are open%s%s",
	    f->sessions, f->config->smtp.max_sessions,
	    f->is_pressed ? ", clients have less time" : "",
	    f->admission == ADMISSION_GRANTED ? "" : "; ");
	if (f->admission == ADMISSION_GRANTED)
		return;
	say(s, SIMULATE_CONNECTIONS, "defer", "%s is used up",
	    admission_why(f->admission));
	refusal = admission_refusal(f->admission);
	snprintf(s->rows[SIMULATE_CONNECTIONS].reply, sizeof(s->rows[0].reply),
		 "%.*s", (int)strcspn(refusal, "\r"), refusal);
}

static bool is_in(const struct config_cidrs *nets, const struct inet_addr *a)
{
	for (size_t i = 0; i < nets->n; i++)
		if (cidr_contains(&nets->v[i], a))
			return true;
	return false;
}

static void add_word(char *out, size_t room, const char *listen,
		     const char *word)
{
	size_t n = strlen(out);

	snprintf(out + n, room - n, "%s%s at listen \"%s\"", n ? ", " : "",
		 word, listen);
}

static void look_at_proxy(struct simulation *s, const struct simulate_facts *f)
{
	const struct inet_addr *client = &f->ask->client;
	char words[300] = "";

	for (size_t i = 0; i < f->config->n_listens; i++) {
		const struct config_listen *l = &f->config->listens[i];

		if (is_in(&l->proxy_from, client))
			add_word(words, sizeof(words), l->name,
				 "must speak PROXY first");
		if (is_in(&l->xclient_from, client))
			add_word(words, sizeof(words), l->name,
				 "may use XCLIENT");
		if (l->etrn && f->is_primary)
			add_word(words, sizeof(words), l->name,
				 "may use ETRN, as a primary");
	}
	say(s, SIMULATE_PROXY, "pass", "%s", *words ? words : "no rights");
}

static void look_at_pregreet(struct simulation *s,
			     const struct simulate_facts *f)
{
	int64_t wait_ms = f->config->policy.pregreet;

	if (wait_ms <= 0)
		say(s, SIMULATE_PREGREET, "pass", "the banner comes at once");
	else if (f->is_pressed)
		say(s, SIMULATE_PREGREET, "pass",
		    "the banner comes at once: many sessions are open");
	else
		say(s, SIMULATE_PREGREET, "pass",
		    "the banner waits %" PRId64 " ms; who talks before it is "
		    "deferred at MAIL",
		    wait_ms);
}

/* ---- the client ---- */

static const struct config_policy *policy_of(const struct simulate_facts *f)
{
	return f->prepared.domain ? &f->prepared.domain->policy
				  : &f->config->policy;
}

/* What a policy with this rule alone would say. */
static void object(struct simulation *s, enum simulate_rule rule,
		   const struct simulate_facts *f,
		   const struct config_policy *policy)
{
	struct client_objection o;
	struct smtp_reply reply;
	size_t n = strlen(s->rows[rule].why);

	if (!client_object(f->client, &f->ask->client, policy, &o))
		return;
	if (policy->action == POLICY_RECORD || !f->needs_directory) {
		snprintf(s->rows[rule].why + n, sizeof(s->rows[0].why) - n,
			 policy->action == POLICY_RECORD
				 ? "; logged only (policy.action)"
				 : "; this recipient is let through");
		return;
	}
	client_refusal(&o, policy->action, &reply);
	say_reply(s, rule, &reply);
}

static void look_at_fcrdns(struct simulation *s, const struct simulate_facts *f)
{
	static const char *const texts[] = {
		[FCRDNS_NOT_ASKED] = "not asked for",
		[FCRDNS_TROUBLE] = "DNS does not say; that counts nothing",
		[FCRDNS_NONE] = "no reverse name leads back to it",
	};
	struct config_policy alone = *policy_of(f);
	const char *rest = alone.require_fcrdns ? "" : "; not required";

	if (f->client->fcrdns == FCRDNS_CONFIRMED)
		say(s, SIMULATE_FCRDNS, "pass", "%s is confirmed",
		    f->client->name);
	else
		say(s, SIMULATE_FCRDNS, "pass", "%s%s",
		    texts[f->client->fcrdns],
		    f->client->is_judged ? rest : "; it is not judged");
	alone.n_dnsbl = 0;
	object(s, SIMULATE_FCRDNS, f, &alone);
}

static void look_at_dnsbl(struct simulation *s, const struct simulate_facts *f)
{
	struct config_policy alone = *policy_of(f);
	struct slice listed = slice_trim(slice_str(f->client->listed));

	alone.require_fcrdns = false;
	if (alone.n_dnsbl == 0) {
		say(s, SIMULATE_DNSBL, "pass", "no lists are configured");
		return;
	}
	if (!f->client->is_judged) {
		say(s, SIMULATE_DNSBL, "pass",
		    "not asked: a private network, or a primary's address");
		return;
	}
	say(s, SIMULATE_DNSBL, "pass", "weight %d of %d, %s%.*s",
	    client_score(f->client, &alone), alone.dnsbl_threshold,
	    listed.n ? "listed by " : "not listed", (int)listed.n,
	    listed.n ? listed.p : "");
	object(s, SIMULATE_DNSBL, f, &alone);
}

/* ---- the transaction ---- */

static void look_at_helo(struct simulation *s, const struct simulate_facts *f)
{
	bool is_strict = f->config->smtp.strict_helo;
	struct slice name;

	if (!f->ask->helo) {
		say(s, SIMULATE_HELO, "skip", "not given");
	} else if (smtp_command_helo(slice_str(f->ask->helo), is_strict,
				     &name)) {
		say(s, SIMULATE_HELO, "pass", "a name or an address literal");
	} else {
		say(s, SIMULATE_HELO, "reject", "no name and no literal%s",
		    is_strict ? " (strict_helo)" : "");
		snprintf(s->rows[SIMULATE_HELO].reply, sizeof(s->rows[0].reply),
			 "501 a domain or address literal");
	}
}

static void refuse_sender(struct simulation *s, int code, const char *enhanced,
			  const char *text)
{
	struct smtp_reply reply;

	smtp_reply_set(&reply, code, enhanced, "%s", text);
	say_reply(s, SIMULATE_SENDER, &reply);
}

static void look_at_sender(struct simulation *s, const struct simulate_facts *f)
{
	static const char slow[] = "too many messages from your network";
	enum policy_action action = f->config->policy.action;
	const char *from = f->ask->from;
	struct address a;

	say(s, SIMULATE_SENDER, "pass", "an address");
	if (!from || !*from || strcmp(from, "<>") == 0)
		say(s, SIMULATE_SENDER, "pass", "the null reverse-path");
	else if (simulate_address(from, &a) != ADDRESS_OK || a.domain.n == 0) {
		say(s, SIMULATE_SENDER, "reject", "not an address");
		refuse_sender(s, 501, "5.1.7", "bad sender address");
		return;
	}
	if (!f->is_slowed)
		return;
	say(s, SIMULATE_SENDER, "pass", "max_rate of its network is used up");
	if (action != POLICY_RECORD)
		refuse_sender(s, action == POLICY_REJECT ? 550 : 450,
			      action == POLICY_REJECT ? "5.7.1" : "4.7.1",
			      slow);
}

/* ---- the recipient ---- */

static void look_at_relay(struct simulation *s, const struct simulate_facts *f)
{
	const struct policy_rcpt *p = &f->prepared;

	if (f->rcpt_error != ADDRESS_OK) {
		say(s, SIMULATE_RELAY, "reject", "not an address");
		snprintf(s->rows[SIMULATE_RELAY].reply,
			 sizeof(s->rows[0].reply),
			 "501 5.1.3 bad recipient address");
		return;
	}
	if (p->reply.code >= 400) {
		say(s, SIMULATE_RELAY, "reject", "%s", p->why);
		say_reply(s, SIMULATE_RELAY, &p->reply);
		return;
	}
	MX_ASSERT(p->domain);
	say(s, SIMULATE_RELAY, "pass", "%s is ours", p->domain->name);
}

/* Is there a domain of ours to look at? */
static bool has_domain(const struct simulate_facts *f)
{
	return f->rcpt_error == ADDRESS_OK && f->prepared.domain &&
	       f->prepared.reply.code < 400;
}

static void look_at_recipient(struct simulation *s,
			      const struct simulate_facts *f)
{
	if (!has_domain(f)) {
		say(s, SIMULATE_RECIPIENT, "skip", "not looked up");
		return;
	}
	if (f->is_asked_for) {
		say(s, SIMULATE_RECIPIENT, "skip",
		    "not known: RCPT would ask the primary now");
		return;
	}
	say(s, SIMULATE_RECIPIENT, "pass", "%s", f->listed.why);
	if (f->listed.verdict != POLICY_ACCEPTED)
		say_reply(s, SIMULATE_RECIPIENT, &f->listed.reply);
}

static void look_at_quota(struct simulation *s, const struct simulate_facts *f)
{
	char queued[TEXT_TIME_MAX], quota[TEXT_TIME_MAX];

	if (!has_domain(f)) {
		say(s, SIMULATE_QUOTA, "skip", "not looked at");
		return;
	}
	if (f->prepared.domain->quota == 0) {
		say(s, SIMULATE_QUOTA, "pass", "no quota");
		return;
	}
	text_format_size(f->queued_bytes, queued);
	text_format_size(f->prepared.domain->quota, quota);
	say(s, SIMULATE_QUOTA, "pass", "%s of %s are queued", queued, quota);
}

static void look_at_when_up(struct simulation *s,
			    const struct simulate_facts *f)
{
	static const char *const words[] = {
		[WHEN_UP_ACCEPT] = "accept",
		[WHEN_UP_DEFER] = "defer",
		[WHEN_UP_PASSTHROUGH] = "passthrough",
	};
	char age[TEXT_TIME_MAX];
	enum when_up when_up;

	if (!has_domain(f)) {
		say(s, SIMULATE_WHEN_UP, "skip", "not looked at");
		return;
	}
	when_up = f->prepared.domain->when_up;
	if (!f->is_primary_up || when_up != WHEN_UP_DEFER) {
		say(s, SIMULATE_WHEN_UP, "pass", "when_up = %s, it is %s",
		    words[when_up], f->is_primary_up ? "up" : "not up");
		return;
	}
	text_format_age(f->tried_ms, age);
	if (f->tries == 0)
		say(s, SIMULATE_WHEN_UP, "pass",
		    "when_up = defer, it is up; never tried before");
	else
		say(s, SIMULATE_WHEN_UP, "pass",
		    "when_up = defer, it is up; tried %u time%s, first %s ago",
		    f->tries, f->tries == 1 ? "" : "s", age);
}

static void add_lack(char *out, size_t room, const struct lacks *l,
		     enum smtp_ext ext, const char *name)
{
	size_t n = strlen(out);

	if (l->ext & ext)
		snprintf(out + n, room - n, " %s", name);
}

static void look_at_extensions(struct simulation *s,
			       const struct simulate_facts *f)
{
	const struct lacks *l = &f->lacks;
	char lacking[128] = "", size[TEXT_TIME_MAX];

	if (!has_domain(f) || !f->prepared.domain->primary) {
		say(s, SIMULATE_EXTENSIONS, "skip", "not looked at");
		return;
	}
	if (!f->is_ehlo_known) {
		say(s, SIMULATE_EXTENSIONS, "pass", "its EHLO was never heard");
		return;
	}
	add_lack(lacking, sizeof(lacking), l, EXT_8BITMIME, "8BITMIME");
	add_lack(lacking, sizeof(lacking), l, EXT_SMTPUTF8, "SMTPUTF8");
	add_lack(lacking, sizeof(lacking), l, EXT_DSN, "DSN");
	add_lack(lacking, sizeof(lacking), l, EXT_BINARYMIME, "BINARYMIME");
	add_lack(lacking, sizeof(lacking), l, EXT_REQUIRETLS, "REQUIRETLS");
	text_format_size(l->size, size);
	say(s, SIMULATE_EXTENSIONS, "pass", "it lacks%s; it takes %s%s",
	    *lacking ? lacking : " nothing",
	    l->size ? "messages up to " : "any size", l->size ? size : "");
}

/* One reply came of them all: it belongs to whichever gave the reason. */
static void tell_judgement(struct simulation *s, const struct simulate_facts *f)
{
	const struct policy_rcpt *p = &f->judged;

	if (!has_domain(f) || f->listed.verdict != POLICY_ACCEPTED ||
	    p->verdict == POLICY_ACCEPTED)
		return;
	if (p->refusal == RCPT_REFUSED_QUOTA)
		say_reply(s, SIMULATE_QUOTA, &p->reply);
	else if (p->refusal == RCPT_REFUSED_WHEN_UP)
		say_reply(s, SIMULATE_WHEN_UP, &p->reply);
	else
		say_reply(s, SIMULATE_EXTENSIONS, &p->reply);
}

static void conclude(struct simulation *s)
{
	s->verdict = "accept";
	s->decided_by = SIMULATE_RULES;
	snprintf(s->reply, sizeof(s->reply), "250 2.1.5 recipient ok");
	for (size_t i = 0; i < MX_ARRAY_SIZE(order); i++) {
		const struct simulate_row *row = &s->rows[order[i]];

		if (strcmp(row->verdict, "defer") != 0 &&
		    strcmp(row->verdict, "reject") != 0)
			continue;
		s->verdict = row->verdict;
		s->decided_by = order[i];
		memcpy(s->reply, row->reply, sizeof(s->reply));
		return;
	}
}

void simulate_run(struct simulation *s, const struct simulate_facts *f)
{
	memset(s, 0, sizeof(*s));
	look_at_connections(s, f);
	look_at_proxy(s, f);
	look_at_pregreet(s, f);
	look_at_fcrdns(s, f);
	look_at_dnsbl(s, f);
	look_at_helo(s, f);
	look_at_sender(s, f);
	look_at_relay(s, f);
	look_at_recipient(s, f);
	look_at_quota(s, f);
	look_at_when_up(s, f);
	look_at_extensions(s, f);
	tell_judgement(s, f);
	conclude(s);
}
