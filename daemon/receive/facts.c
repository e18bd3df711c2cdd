#include "mxhold/receive/facts.h"

static bool is_over_quota(struct reader *reader,
			  const struct config_domain *domain)
{
	struct queue_counts counts;
	uint32_t dest;

	if (domain->quota == 0 || !reader ||
	    reader_dest_find(reader, DEST_DOMAIN, domain->name, &dest) ||
	    reader_dest_counts(reader, dest, &counts))
		return false;
	return counts.bytes >= domain->quota;
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
	facts.is_over_quota = is_over_quota(of->reader, p->domain);
	policy_rcpt_overrule(p, &facts);
}
