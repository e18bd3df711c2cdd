#include "mxhold/receive/facts.h"

#include "mxhold/smtp/ehlo.h"

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

/* RFC 6531 3.5: an address that the primary is known not to take. */
static bool is_beyond_primary(struct directory *directory,
			      const struct address *rcpt,
			      const struct config_domain *domain)
{
	struct peer_record rec;

	return rcpt->utf8 && domain->primary &&
	       directory_peer_get(directory, domain->primary->name, &rec) ==
		       0 &&
	       rec.last_up_ms != 0 && !(rec.ehlo_ext & EXT_SMTPUTF8);
}

void facts_judge(struct policy_rcpt *p, const struct address *rcpt,
		 struct directory *directory, struct reader *reader,
		 bool is_primary_up)
{
	struct policy_facts facts = {.is_primary_up = is_primary_up};

	if (p->verdict != POLICY_ACCEPTED)
		return;
	facts.is_beyond_primary = is_beyond_primary(directory, rcpt, p->domain);
	facts.is_over_quota = is_over_quota(reader, p->domain);
	policy_rcpt_overrule(p, &facts);
}
