#include "mxhold/receive/facts.h"

/* What waits already; nothing when that cannot be read. */
static uint64_t waiting_for(struct reader *reader,
			    const struct config_domain *domain)
{
	struct queue_counts counts;
	uint32_t dest;

	if (reader_dest_find(reader, DEST_DOMAIN, domain->name, &dest) ||
	    reader_dest_counts(reader, dest, &counts))
		return 0;
	return counts.bytes;
}

static bool is_over_quota(const struct facts_of *of,
			  const struct config_domain *domain)
{
	uint64_t waiting;

	if (domain->quota == 0 || !of->reader)
		return false;
	waiting = waiting_for(of->reader, domain);
	return waiting >= domain->quota || of->size > domain->quota - waiting;
}

static enum policy_beyond beyond(const struct lacks *l,
				 const struct address *rcpt,
				 const struct facts_of *of)
{
	if (l->size && of->size > lacks_content_max(l, 0))
		return POLICY_BEYOND_SIZE;
	if (l->ext & EXT_SMTPUTF8 && (rcpt->utf8 || of->utf8_sender))
		return POLICY_BEYOND_UTF8;
	if (l->ext & EXT_BINARYMIME && of->binary)
		return POLICY_BEYOND_BINARY;
	if (l->ext & EXT_REQUIRETLS && of->requiretls)
		return POLICY_BEYOND_TLS;
	return POLICY_WITHIN;
}

/* ---- who is ours ---- */

void facts_terms(const struct config *config, const struct config_domain *d,
		 int64_t up_ms, struct learned_terms *out)
{
	*out = (struct learned_terms){
		.primary = d->primary->name,
		.up_ms = up_ms,
		.learn_ttl = d->learn_ttl,
		.forget_ttl = d->forget_ttl,
		.doubt = config->breaker.first_5xx,
	};
}

static bool may_be_learned(const struct policy_rcpt *p, enum listed listed)
{
	return p->domain->learn && p->domain->primary &&
	       (listed == LISTED_NO || listed == LISTED_NO_LIST);
}

/* Whoever it may be: its primary cannot take this. */
static bool is_beyond(struct policy_rcpt *p, const struct address *rcpt,
		      const struct facts_of *of)
{
	lacks_look_up(of->directory, of->config, p->domain->primary, &p->lacks);
	return beyond(&p->lacks, rcpt, of) != POLICY_WITHIN;
}

bool facts_look_up(struct policy_rcpt *p, const struct address *rcpt,
		   struct directory_reader *listed, const struct facts_of *of,
		   const struct facts_primary *primary)
{
	const struct config_domain *d = p->domain;
	enum listed found =
		directory_lookup(listed, d->name, p->canonical, p->base);
	struct learned_terms terms;

	if (!may_be_learned(p, found)) {
		policy_rcpt_decide(p, found);
		return false;
	}
	facts_terms(of->config, d, primary->up_ms, &terms);
	if (policy_rcpt_learned(p,
				directory_learned(listed, d->name, p->canonical,
						  p->base, &terms)))
		return false;
	if (!primary->is_up || !primary->can_ask) {
		policy_rcpt_decide(p, found);
		return false;
	}
	if (!is_beyond(p, rcpt, of))
		return true;
	policy_rcpt_told(p, TOLD_TAKEN); /* facts_judge says what it lacks */
	return false;
}

/* ---- may it come now ---- */

void facts_judge(struct policy_rcpt *p, const struct address *rcpt,
		 const struct facts_of *of)
{
	struct policy_facts facts = {.is_primary_up = of->is_primary_up};

	if (p->verdict != POLICY_ACCEPTED)
		return;
	if (p->domain->primary) {
		lacks_look_up(of->directory, of->config, p->domain->primary,
			      &p->lacks);
		facts.beyond = beyond(&p->lacks, rcpt, of);
	}
	facts.is_over_quota = is_over_quota(of, p->domain);
	policy_rcpt_overrule(p, &facts);
}
