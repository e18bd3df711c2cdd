#include "dns_answer.h"

#include <stdio.h>
#include <string.h>
#include <unbound.h>

#include "mxhold/net/digest.h"

/* A name, lower case, no trailing dot; "" is the root. */
struct name {
	char text[256];
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void copy_name(char out[256], const char *name)
{
	size_t n = strlen(name);
	if (n > 0 && name[n - 1] == '.')
		n--;
	n = n < 255 ? n : 255;
	for (size_t i = 0; i < n; i++)
		out[i] = lower(name[i]);
	out[n] = '\0';
}

/* A name in wire format, which libunbound has already freed of compression.
 * One with bytes that no host name has (blanks, dots within a label) is
 * malformed for us: it could only confuse what comes after. */
static int read_name(struct slice wire, char out[256])
{
	size_t at = 0, n = 0;
	while (at < wire.n && wire.p[at] != 0) {
		size_t label = (uint8_t)wire.p[at++];
		/* RFC 1035 2.3.4: 63, and 255 with the root's */
		if (label > 63 || label >= wire.n - at || at + label + 1 > 255)
			return -1;
		if (n > 0)
			out[n++] = '.';
		for (; label > 0; label--, at++) {
			char c = wire.p[at];
			if (c <= ' ' || c >= 0x7f || c == '.')
				return -1;
			out[n++] = lower(c);
		}
	}
	out[n] = '\0';
	return at < wire.n ? 0 : -1;
}

static int read_addr(struct slice data, uint8_t family, struct inet_addr *out)
{
	if (data.n != (family == 4 ? 4 : 16))
		return -1;
	*out = inet_from_bytes(family, data.p);
	return 0;
}

static int read_mx(struct slice data, struct dns_record *r)
{
	if (data.n < 3)
		return -1;
	r->preference =
		(uint16_t)((uint8_t)data.p[0] << 8 | (uint8_t)data.p[1]);
	return read_name(slice_skip(data, 2), r->name);
}

static int read_txt(struct slice data, struct dns_record *r)
{
	size_t n = 0;
	while (data.n > 0) {
		size_t part = (uint8_t)data.p[0];
		data = slice_skip(data, 1);
		if (part > data.n)
			return -1;
		size_t room = sizeof(r->text) - 1 - n;
		size_t take = part < room ? part : room;
		memcpy(r->text + n, data.p, take);
		n += take;
		data = slice_skip(data, part);
	}
	r->text[n] = '\0';
	return 0;
}

/* Whole certificates and keys (matching 0) do not fit and need not: equal
 * digests say the same. They become what the rest of the set uses, see
 * settle_tlsa; until then both digests are kept. */
static int read_tlsa(struct slice data, struct dns_record *r)
{
	struct tlsa *t = &r->tlsa;
	if (data.n < 4)
		return -1;
	t->usage = (uint8_t)data.p[0];
	t->selector = (uint8_t)data.p[1];
	t->matching = (uint8_t)data.p[2];
	data = slice_skip(data, 3);
	if (t->matching == 0) {
		digest_sha256(data.p, data.n, (uint8_t *)r->text);
		digest_sha512(data.p, data.n, t->data);
		t->n = 64;
		return 0;
	}
	/* longer than any digest: of no use */
	t->n = data.n <= sizeof(t->data) ? data.n : 0;
	memcpy(t->data, data.p, t->n);
	return 0;
}

static bool has_sha512(const struct dns_answer *a, const struct tlsa *like)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct tlsa *t = &a->records[i].tlsa;
		if (t->matching == 2 && t->usage == like->usage &&
		    t->selector == like->selector)
			return true;
	}
	return false;
}

/* RFC 7671 9: only the strongest digest of a usage and selector counts, so a
 * whole one must not become a stronger digest than its set has. Seen by the
 * matching types of the set as it came: those of 0 are settled last. */
static void settle_tlsa(struct dns_answer *a)
{
	bool strong[DNS_RECORDS_MAX];
	for (size_t i = 0; i < a->n; i++)
		strong[i] = has_sha512(a, &a->records[i].tlsa);
	for (size_t i = 0; i < a->n; i++) {
		struct dns_record *r = &a->records[i];
		if (r->tlsa.matching != 0)
			continue;
		r->tlsa.matching = strong[i] ? 2 : 1;
		if (!strong[i]) {
			memcpy(r->tlsa.data, r->text, 32);
			r->tlsa.n = 32;
		}
		memset(r->text, 0, sizeof(r->text));
	}
}

static int read_record(enum dns_type type, struct slice data,
		       struct dns_record *r)
{
	switch (type) {
	case DNS_A:
		return read_addr(data, 4, &r->addr);
	case DNS_AAAA:
		return read_addr(data, 6, &r->addr);
	case DNS_MX:
		return read_mx(data, r);
	case DNS_CNAME:
	case DNS_PTR:
		return read_name(data, r->name);
	case DNS_TXT:
		return read_txt(data, r);
	case DNS_TLSA:
		return read_tlsa(data, r);
	}
	return -1;
}

/* Where the next record goes. Of too many MX the preferred ones are kept. */
static struct dns_record *slot(struct dns_answer *a,
			       const struct dns_record *for_this)
{
	if (a->n < DNS_RECORDS_MAX)
		return &a->records[a->n++];
	struct dns_record *worst = &a->records[0];
	for (size_t i = 1; i < a->n; i++)
		if (a->records[i].preference > worst->preference)
			worst = &a->records[i];
	return for_this->preference < worst->preference ? worst : NULL;
}

static void read_records(struct dns_answer *out, enum dns_type type,
			 const struct ub_result *result)
{
	struct dns_record r;
	for (size_t i = 0; result->data[i]; i++) {
		memset(&r, 0, sizeof(r));
		struct slice data =
			slice_make(result->data[i], (size_t)result->len[i]);
		if (read_record(type, data, &r) != 0)
			continue;
		struct dns_record *to = slot(out, &r);
		if (to)
			*to = r;
	}
	if (type == DNS_TLSA)
		settle_tlsa(out);
	/* All there was made no sense: that is no answer. */
	out->status = out->n > 0 ? DNS_OK : DNS_FAIL;
}

void dns_answer_fail(struct dns_answer *out, const char *name)
{
	memset(out, 0, sizeof(*out));
	out->status = DNS_FAIL;
	copy_name(out->canonical, name);
}

void dns_answer_read(struct dns_answer *out, const char *name,
		     enum dns_type type, int rc, const struct ub_result *result)
{
	dns_answer_fail(out, name);
	if (rc != 0 || !result)
		return;
	if (result->bogus) {
		out->status = DNS_BOGUS;
		return;
	}
	out->secure = result->secure != 0;
	out->ttl_s = result->ttl > 0 ? (uint32_t)result->ttl : 0;
	if (result->canonname) {
		char canonical[256];
		copy_name(canonical, result->canonname);
		out->is_cname = strcmp(canonical, out->canonical) != 0;
		memcpy(out->canonical, canonical, sizeof(canonical));
	}
	if (result->nxdomain)
		out->status = DNS_NXDOMAIN;
	else if (result->rcode != 0)
		out->status = DNS_FAIL;
	else if (!result->havedata)
		out->status = DNS_NODATA;
	else
		read_records(out, type, result);
}
