#include "mxhold/receive/lacks.h"

#include <string.h>

#include "mxhold/base/attr.h"

enum {
	PASSED_ON = EXT_8BITMIME | EXT_SMTPUTF8 | EXT_DSN | EXT_BINARYMIME |
		    EXT_REQUIRETLS
};

/* RFC 8689 4.2.1: REQUIRETLS needs a proof of who the next hop is; a host
 * named by an MX that nobody signed has none. */
static bool can_be_proved(const struct config *config,
			  const struct config_primary *p)
{
	if (p->tls == PRIMARY_TLS_OFF)
		return false;
	if (p->tls == PRIMARY_TLS_PIN || !p->by_mx)
		return true;
	return strcmp(config->dns.trust_anchor, "none") != 0;
}

static uint32_t missing(const struct peer_record *rec)
{
	uint32_t ext = rec->ehlo_ext;

	/* Binary content goes by BDAT or not at all (RFC 3030 3). */
	if (!(ext & EXT_CHUNKING))
		ext &= ~(uint32_t)EXT_BINARYMIME;
	/* Heard in clear: what it offers inside TLS is not known. */
	if (ext & EXT_STARTTLS)
		ext |= EXT_REQUIRETLS;
	return PASSED_ON & ~ext;
}

bool lacks_by_record(const struct peer_record *rec, const struct config *config,
		     const struct config_primary *p, struct lacks *out)
{
	bool known = rec && rec->ehlo_ext & EXT_HEARD;

	*out = (struct lacks){.ext = EXT_BINARYMIME};
	if (known) {
		out->ext = missing(rec);
		out->size = rec->ehlo_size;
	}
	if (!can_be_proved(config, p))
		out->ext |= EXT_REQUIRETLS;
	return known;
}

bool lacks_look_up(struct directory *d, const struct config *config,
		   const struct config_primary *p, struct lacks *out)
{
	struct peer_record rec;
	bool found = directory_peer_get(d, p->name, &rec) == 0;

	return lacks_by_record(found ? &rec : NULL, config, p, out);
}

void lacks_meet(struct lacks *all, const struct lacks *one)
{
	all->ext &= one->ext;
	all->size = all->size && one->size ? MX_MAX(all->size, one->size) : 0;
}

uint64_t lacks_content_max(const struct lacks *l, uint64_t max)
{
	uint64_t room = l->size;

	if (room == 0)
		return max;
	room = room > LACKS_TRACE_MAX ? room - LACKS_TRACE_MAX : 1;
	return max ? MX_MIN(max, room) : room;
}
