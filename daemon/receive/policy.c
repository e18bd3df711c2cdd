#include "mxhold/receive/policy.h"

#include "mxhold/base/assert.h"

#include <stdio.h>

#include "mxhold/mail/domain.h"

static bool refuse(struct policy_rcpt *out, enum rcpt_refusal refusal,
		   const char *why, int code, const char *enhanced,
		   const char *text)
{
	out->verdict = code < 500 ? POLICY_DEFERRED : POLICY_REJECTED;
	out->refusal = refusal;
	out->why = why;
	smtp_reply_set(&out->reply, code, enhanced, "%s", text);
	return true;
}

static bool accept_it(struct policy_rcpt *out, const char *why)
{
	out->verdict = POLICY_ACCEPTED;
	out->why = why;
	smtp_reply_set(&out->reply, 250, "2.1.5", "recipient ok");
	return true;
}

static bool deny_relay(struct policy_rcpt *out)
{
	return refuse(out, RCPT_REFUSED_RELAY, "relay denied", 550, "5.7.1",
		      "relaying denied");
}

static bool copy_text(char out[ADDRESS_MAX + 1], struct slice text)
{
	if (text.n > ADDRESS_MAX)
		return false;
	memcpy(out, text.p, text.n);
	out[text.n] = '\0';
	return true;
}

static const struct config_domain *find_domain(const struct config *config,
					       const struct address *a)
{
	char canonical[DOMAIN_MAX];

	if (a->literal || domain_canonical(a->domain, canonical))
		return NULL;
	return config_domain(config, canonical);
}

/* `postmaster` of the configuration when it is an address of ours, else the
 * postmaster of the first domain. */
static bool postmaster_address(struct policy_rcpt *out,
			       const struct config *config, struct address *a)
{
	struct slice named = slice_str(config->postmaster);

	if (named.n && copy_text(out->address, named) &&
	    address_parse(slice_str(out->address), false, a) == ADDRESS_OK &&
	    find_domain(config, a))
		return true;
	if (config->n_domains == 0)
		return false;
	snprintf(out->address, sizeof(out->address), "postmaster@%s",
		 config->domains[0].name);
	return address_parse(slice_str(out->address), false, a) == ADDRESS_OK;
}

static bool is_named_postmaster(const struct policy_rcpt *out,
				const struct config *config)
{
	char canonical[ADDRESS_MAX + 1];
	struct address a;

	if (!config->postmaster || !config->postmaster[0])
		return false;
	return address_parse(slice_str(config->postmaster), false, &a) ==
		       ADDRESS_OK &&
	       address_canonical(&a, "", canonical, sizeof(canonical)) == 0 &&
	       strcmp(canonical, out->canonical) == 0;
}

static bool prepare_domain(struct policy_rcpt *out, const struct config *config,
			   const struct address *a)
{
	if (a->literal)
		return deny_relay(out);
	out->domain = find_domain(config, a);
	if (!out->domain)
		return deny_relay(out);
	if (address_canonical(a, "", out->canonical, sizeof(out->canonical)) ||
	    address_canonical(a, out->domain->subaddress, out->base,
			      sizeof(out->base)))
		return refuse(out, RCPT_REFUSED_SYNTAX, "bad address", 501,
			      "5.1.3", "bad recipient address");
	/* RFC 5321 4.5.1 */
	if (address_is_postmaster(a) || is_named_postmaster(out, config))
		return accept_it(out, "postmaster");
	return false;
}

bool policy_rcpt_prepare(struct policy_rcpt *out, const struct config *config,
			 const struct address *rcpt)
{
	struct address a = *rcpt;

	memset(out, 0, sizeof(*out));
	if (a.domain.n == 0 && address_is_postmaster(&a)) {
		if (!postmaster_address(out, config, &a))
			return deny_relay(out);
	} else if (a.domain.n == 0 || a.local.n == 0) {
		return refuse(out, RCPT_REFUSED_SYNTAX, "no domain", 501,
			      "5.1.3", "a recipient is local-part@domain");
	} else if (!copy_text(out->address, a.text)) {
		return refuse(out, RCPT_REFUSED_SYNTAX, "too long", 501,
			      "5.1.3", "address too long");
	}
	return prepare_domain(out, config, &a);
}

void policy_rcpt_object(struct policy_rcpt *p, const struct client_objection *o)
{
	client_refusal(o, p->domain->policy.action, &p->reply);
	p->verdict = p->reply.code < 500 ? POLICY_DEFERRED : POLICY_REJECTED;
	p->refusal = o->kind;
	p->why = o->kind == RCPT_REFUSED_DNSBL ? "dnsbl" : "require_fcrdns";
}

static void refuse_unknown(struct policy_rcpt *out, const char *why)
{
	refuse(out, RCPT_REFUSED_UNKNOWN, why, 550, "5.1.1",
	       "no such user here");
}

static void defer(struct policy_rcpt *out, const char *why)
{
	refuse(out, RCPT_REFUSED_DEFERRED, why, 451, "4.4.3",
	       "cannot tell yet whether this user exists, try again later");
}

/* What unknown_down says of an address that no list names. */
static void decide_unknown(struct policy_rcpt *out, bool has_list,
			   const char *why)
{
	switch (out->domain->unknown_down) {
	case UNKNOWN_AUTO:
		if (has_list && !out->domain->learn)
			refuse_unknown(out, why);
		else
			defer(out, why);
		break;
	case UNKNOWN_REJECT:
		refuse_unknown(out, why);
		break;
	case UNKNOWN_DEFER:
		defer(out, why);
		break;
	case UNKNOWN_ACCEPT:
		accept_it(out, "unknown_down = accept");
		break;
	}
}

void policy_rcpt_decide(struct policy_rcpt *out, enum listed listed)
{
	switch (listed) {
	case LISTED_ERROR:
		defer(out, "look-up failed");
		break;
	case LISTED_NO_LIST:
		/* A list that was promised but never came says nothing. */
		if (out->domain->recipients.n > 0)
			defer(out, "list not loaded");
		else
			decide_unknown(out, false, "no list");
		break;
	case LISTED_NO:
		decide_unknown(out, true, "not listed");
		break;
	case LISTED_NEVER:
		refuse_unknown(out, "listed as never");
		break;
	case LISTED_YES:
		accept_it(out, "listed");
		break;
	case LISTED_CATCHALL:
		accept_it(out, "catch-all");
		break;
	}
}

bool policy_rcpt_learned(struct policy_rcpt *out, enum learned learned)
{
	switch (learned) {
	case LEARNED_ERROR:
		defer(out, "look-up failed");
		return true;
	case LEARNED_TAKEN:
		return accept_it(out, "learned");
	case LEARNED_PINNED:
		return accept_it(out, "pinned");
	case LEARNED_REFUSED:
		refuse_unknown(out, "its primary refused it");
		return true;
	case LEARNED_NOTHING:
	case LEARNED_KINDS:
		break;
	}
	return false;
}

void policy_rcpt_told(struct policy_rcpt *out, enum told told)
{
	switch (told) {
	case TOLD_TAKEN:
		accept_it(out, "its primary takes it");
		break;
	case TOLD_REFUSED:
		refuse_unknown(out, "its primary refuses it");
		break;
	case TOLD_NOTHING:
		defer(out, "its primary was asked in vain");
		break;
	}
}

static void overrule(struct policy_rcpt *p, enum rcpt_refusal refusal,
		     const char *why)
{
	p->verdict = p->reply.code < 500 ? POLICY_DEFERRED : POLICY_REJECTED;
	p->refusal = refusal;
	p->why = why;
}

struct beyond {
	int code;
	const char *enhanced, *text, *why;
};

/* RFC 1870 6.4, RFC 6531 3.5, RFC 3030 3, RFC 8689 4.2.1 */
static const struct beyond beyond[] = {
	[POLICY_BEYOND_SIZE] = {552, "5.3.4",
				"the recipient's server takes no message so "
				"big",
				"too big for its primary"},
	[POLICY_BEYOND_UTF8] = {553, "5.6.7",
				"the recipient's server does not take "
				"internationalized addresses",
				"no SMTPUTF8"},
	[POLICY_BEYOND_BINARY] = {550, "5.6.3",
				  "the recipient's server does not take "
				  "binary content",
				  "no BINARYMIME"},
	[POLICY_BEYOND_TLS] = {550, "5.7.30",
			       "the recipient's server does not support "
			       "REQUIRETLS",
			       "no REQUIRETLS"},
};

static void refuse_beyond(struct policy_rcpt *p, const struct beyond *b)
{
	smtp_reply_set(&p->reply, b->code, b->enhanced, "%s", b->text);
	overrule(p, RCPT_REFUSED_POLICY, b->why);
}

void policy_rcpt_overrule(struct policy_rcpt *p,
			  const struct policy_facts *facts)
{
	MX_ASSERT(p->verdict == POLICY_ACCEPTED);
	if (facts->beyond != POLICY_WITHIN) {
		refuse_beyond(p, &beyond[facts->beyond]);
	} else if (facts->is_primary_up &&
		   p->domain->when_up == WHEN_UP_DEFER) {
		smtp_reply_set(&p->reply, 451, "4.3.2",
			       "%s is up, please use it",
			       p->domain->primary->name);
		overrule(p, RCPT_REFUSED_WHEN_UP, "when_up = defer");
	} else if (facts->is_over_quota) {
		smtp_reply_set(&p->reply, 452, "4.3.1",
			       "too much mail is waiting for this domain");
		overrule(p, RCPT_REFUSED_QUOTA, "quota");
	}
}
