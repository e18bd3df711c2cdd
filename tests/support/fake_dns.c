#include "support/fake_dns.h"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	CNAME = 5,
	SOA = 6,
	RRSIG = 46,
	DNSKEY = 48,
	OPT = 41,
	ECDSAP256SHA256 = 13,
	TTL = 300,
	MESSAGE_MAX = 4096,
	KEY_FLAGS = 257,
};

static const struct {
	const char *name;
	unsigned type;
} types[] = {
	{"A", 1},    {"CNAME", CNAME}, {"PTR", 12},  {"MX", 15},
	{"TXT", 16}, {"AAAA", 28},     {"TLSA", 52}, {"DNSKEY", DNSKEY},
};

struct bytes {
	uint8_t p[MESSAGE_MAX];
	size_t n;
};

struct fake_dns {
	const struct fake_record *table;
	const char *zone;
	EVP_PKEY *key;
	uint8_t public[64];
	int fd, wake[2];
	char server[32];
	pthread_t thread;
	atomic_uint count;
	atomic_bool broken;
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fake_dns: %s failed\n", what);
	abort();
}

/* ---- octets ---- */

static void put(struct bytes *b, const void *p, size_t n)
{
	must(b->n + n <= sizeof(b->p), "room");
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void put8(struct bytes *b, unsigned v)
{
	uint8_t c = (uint8_t)v;
	put(b, &c, 1);
}

static void put16(struct bytes *b, unsigned v)
{
	put8(b, v >> 8);
	put8(b, v & 255);
}

static void put32(struct bytes *b, uint32_t v)
{
	put16(b, v >> 16);
	put16(b, v & 65535);
}

static void put_name(struct bytes *b, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");
		put8(b, (unsigned)n);
		put(b, name, n);
		name += n + (name[n] == '.');
	}
	put8(b, 0);
}

static void put_hex(struct bytes *b, const char *hex)
{
	for (; hex[0] && hex[1]; hex += 2) {
		unsigned v;
		must(sscanf(hex, "%2x", &v) == 1, "hex");
		put8(b, v);
	}
}

static unsigned type_number(const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].type;
	abort();
}

static void put_text(struct bytes *b, const char *text)
{
	for (;;) {
		size_t n = strcspn(text, "|");
		put8(b, (unsigned)n);
		put(b, text, n);
		if (!text[n])
			break;
		text += n + 1;
	}
}

static void put_tlsa(struct bytes *b, const char *rdata)
{
	unsigned usage, selector, matching;
	int at = 0;
	must(sscanf(rdata, "%u %u %u %n", &usage, &selector, &matching, &at) ==
		     3,
	     "TLSA");
	put8(b, usage);
	put8(b, selector);
	put8(b, matching);
	put_hex(b, rdata + at);
}

static void put_rdata(struct bytes *b, const struct fake_record *r)
{
	uint8_t addr[16];
	int at = 0;
	unsigned preference;
	switch (type_number(r->type)) {
	case 1:
		must(inet_pton(AF_INET, r->rdata, addr) == 1, "A");
		put(b, addr, 4);
		break;
	case 28:
		must(inet_pton(AF_INET6, r->rdata, addr) == 1, "AAAA");
		put(b, addr, 16);
		break;
	case 15:
		must(sscanf(r->rdata, "%u %n", &preference, &at) == 1, "MX");
		put16(b, preference);
		put_name(b, strcmp(r->rdata + at, ".") ? r->rdata + at : "");
		break;
	case 16:
		put_text(b, r->rdata);
		break;
	case 52:
		put_tlsa(b, r->rdata);
		break;
	default:
		put_name(b, r->rdata);
	}
}

/* ---- signing (RFC 4034 3, RFC 6605) ---- */

static void put_dnskey(const struct fake_dns *d, struct bytes *b)
{
	put16(b, KEY_FLAGS);
	put8(b, 3);
	put8(b, ECDSAP256SHA256);
	put(b, d->public, sizeof(d->public));
}

static unsigned key_tag(const struct fake_dns *d) /* RFC 4034 B */
{
	struct bytes b = {.n = 0};
	uint32_t sum = 0;
	put_dnskey(d, &b);
	for (size_t i = 0; i < b.n; i++)
		sum += i & 1 ? b.p[i] : (uint32_t)b.p[i] << 8;
	return (sum + (sum >> 16)) & 65535;
}

static unsigned labels(const char *name)
{
	unsigned n = *name != '\0';
	for (; *name; name++)
		n += *name == '.';
	return n;
}

static void put_signed_head(const struct fake_dns *d, struct bytes *b,
			    const char *name, unsigned type)
{
	uint32_t now = (uint32_t)time(NULL);
	put16(b, type);
	put8(b, ECDSAP256SHA256);
	put8(b, labels(name));
	put32(b, TTL);
	put32(b, now + 86400);
	put32(b, now - 86400);
	put16(b, key_tag(d));
	put_name(b, d->zone);
}

static void put_raw_signature(struct bytes *b, const uint8_t *der, size_t n)
{
	uint8_t raw[64];
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
	must(sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32) == 32 &&
		     BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32) == 32,
	     "signature");
	ECDSA_SIG_free(sig);
	put(b, raw, sizeof(raw));
}

/* The RRSIG's rdata over one record; the sets of a signed zone have one. */
static void put_rrsig(const struct fake_dns *d, struct bytes *out,
		      const char *name, unsigned type,
		      const struct bytes *rdata)
{
	struct bytes b = {.n = 0};
	uint8_t der[256];
	size_t n = sizeof(der);
	put_signed_head(d, &b, name, type);
	put(out, b.p, b.n);
	put_name(&b, name);
	put16(&b, type);
	put16(&b, 1);
	put32(&b, TTL);
	put16(&b, (unsigned)rdata->n);
	put(&b, rdata->p, rdata->n);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	must(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, d->key) == 1 &&
		     EVP_DigestSign(md, der, &n, b.p, b.n) == 1,
	     "sign");
	EVP_MD_CTX_free(md);
	put_raw_signature(out, der, n);
}

static void make_key(struct fake_dns *d)
{
	uint8_t point[65];
	size_t n = 0;
	d->key = EVP_EC_gen("P-256");
	must(d->key &&
		     EVP_PKEY_get_octet_string_param(
			     d->key, OSSL_PKEY_PARAM_PUB_KEY, point,
			     sizeof(point), &n) == 1 &&
		     n == 65,
	     "key");
	memcpy(d->public, point + 1, 64);
}

void fake_dns_write_anchor(const struct fake_dns *d, const char *file)
{
	unsigned char text[128];
	struct bytes b = {.n = 0};
	put(&b, d->public, 64);
	EVP_EncodeBlock(text, b.p, (int)b.n);
	FILE *f = fopen(file, "w");
	must(f != NULL, file);
	fprintf(f, "%s. 3600 IN DNSKEY %d 3 %d %s\n", d->zone, KEY_FLAGS,
		ECDSAP256SHA256, text);
	fclose(f);
}

/* ---- answers ---- */

struct question {
	char name[256];
	unsigned type;
	size_t end; /* of the question section */
	bool dnssec;
};

/* The resolver varies the case of names (0x20): compare without. */
static bool read_question(const uint8_t *p, size_t n, struct question *q)
{
	size_t at = 12, out = 0;
	if (n < 17)
		return false;
	while (at < n && p[at]) {
		size_t label = p[at++];
		if (label > 63 || at + label >= n || out + label + 1 > 255)
			return false;
		if (out > 0)
			q->name[out++] = '.';
		memcpy(q->name + out, p + at, label);
		out += label;
		at += label;
	}
	q->name[out] = '\0';
	if (at + 5 > n)
		return false;
	q->type = (unsigned)p[at + 1] << 8 | p[at + 2];
	q->end = at + 5;
	q->dnssec = n > q->end + 8 && (p[q->end + 7] & 0x80);
	return true;
}

static bool in_zone(const struct fake_dns *d, const char *name)
{
	if (!d->zone)
		return false;
	size_t n = strlen(name), z = strlen(d->zone);
	return n >= z && strcasecmp(name + n - z, d->zone) == 0;
}

static void put_record(struct bytes *b, const char *name, unsigned type,
		       const struct bytes *rdata)
{
	put_name(b, name);
	put16(b, type);
	put16(b, 1);
	put32(b, TTL);
	put16(b, (unsigned)rdata->n);
	put(b, rdata->p, rdata->n);
}

static unsigned add(const struct fake_dns *d, struct bytes *b,
		    const struct question *q, const char *name, unsigned type,
		    struct bytes *rdata, bool forged)
{
	struct bytes sig = {.n = 0};
	bool sign = q->dnssec && in_zone(d, name);
	if (sign)
		put_rrsig(d, &sig, name, type, rdata);
	if (forged)
		rdata->p[rdata->n - 1] ^= 1;
	put_record(b, name, type, rdata);
	if (sign)
		put_record(b, name, RRSIG, &sig);
	return 1 + sign;
}

static unsigned add_key(const struct fake_dns *d, struct bytes *b,
			const struct question *q)
{
	struct bytes rdata = {.n = 0};
	if (!d->zone || q->type != DNSKEY || strcasecmp(q->name, d->zone) != 0)
		return 0;
	put_dnskey(d, &rdata);
	return add(d, b, q, d->zone, DNSKEY, &rdata, false);
}

/* One pass for a name; a CNAME is followed by the caller. */
static unsigned add_matching(const struct fake_dns *d, struct bytes *b,
			     const struct question *q, const char *name,
			     unsigned type, bool *known, const char **target)
{
	unsigned n = 0;
	for (const struct fake_record *r = d->table; r->name; r++) {
		if (strcasecmp(r->name, name) != 0)
			continue;
		*known = true;
		unsigned t = type_number(r->type);
		if ((t != type && t != CNAME) || !r->rdata)
			continue;
		struct bytes rdata = {.n = 0};
		put_rdata(&rdata, r);
		n += add(d, b, q, r->name, t, &rdata,
			 r->behaviour == FAKE_FORGED);
		if (t == CNAME && type != CNAME)
			*target = r->rdata;
	}
	return n;
}

static enum fake_behaviour behaviour(const struct fake_dns *d,
				     const struct question *q)
{
	for (const struct fake_record *r = d->table; r->name; r++)
		if (strcasecmp(r->name, q->name) == 0 &&
		    type_number(r->type) == q->type)
			return r->behaviour;
	return FAKE_ANSWER;
}

static void finish(struct bytes *b, unsigned answers, unsigned flags, bool soa,
		   const struct question *q)
{
	struct bytes rdata = {.n = 0};
	if (soa) {
		put_name(&rdata, "ns.test");
		put_name(&rdata, "root.test");
		for (int i = 0; i < 5; i++)
			put32(&rdata, 60);
		put_record(b, "", SOA, &rdata);
	}
	if (q->dnssec) {
		put8(b, 0);
		put16(b, OPT);
		put16(b, 1232);
		put32(b, 0x8000);
		put16(b, 0);
	}
	b->p[2] = (uint8_t)(flags >> 8);
	b->p[3] = (uint8_t)flags;
	b->p[5] = 1;
	b->p[6] = (uint8_t)(answers >> 8);
	b->p[7] = (uint8_t)answers;
	b->p[8] = 0;
	b->p[9] = soa;
	b->p[10] = 0;
	b->p[11] = q->dnssec;
}

static void answer(const struct fake_dns *d, const struct question *q,
		   enum fake_behaviour how, struct bytes *b)
{
	bool known = how != FAKE_NXDOMAIN;
	unsigned n = 0, flags = 0x8180, found = 0;
	if (how == FAKE_SERVFAIL) {
		finish(b, 0, flags | 2, false, q);
		return;
	}
	if (how == FAKE_TRUNCATED) {
		finish(b, 0, flags | 0x0200, false, q);
		return;
	}
	if (known) {
		known = false;
		const char *name = q->name;
		found = add_key(d, b, q);
		for (int i = 0; name && i < 8; i++) {
			const char *target = NULL;
			n += add_matching(d, b, q, name, q->type, &known,
					  &target);
			name = target;
		}
		n += found;
	}
	if (n == 0 && !known)
		flags |= 3;
	finish(b, n, flags, n == 0, q);
}

static void serve_one(struct fake_dns *d)
{
	struct sockaddr_storage from;
	socklen_t n_from = sizeof(from);
	struct bytes b = {.n = 0};
	struct question q;
	ssize_t n = recvfrom(d->fd, b.p, sizeof(b.p), 0,
			     (struct sockaddr *)&from, &n_from);
	if (n < 0 || !read_question(b.p, (size_t)n, &q))
		return;
	atomic_fetch_add(&d->count, 1);
	b.n = q.end;
	enum fake_behaviour how = behaviour(d, &q);
	if (atomic_load(&d->broken))
		how = FAKE_SERVFAIL;
	if (how == FAKE_SILENT)
		return;
	if (how == FAKE_GARBAGE)
		memset(b.p + 2, 0xff, b.n - 2); /* the id is right */
	else
		answer(d, &q, how, &b);
	sendto(d->fd, b.p, b.n, 0, (struct sockaddr *)&from, n_from);
}

/* ---- life ---- */

static void *serve(void *data)
{
	struct fake_dns *d = data;
	for (;;) {
		struct pollfd p[2] = {{.fd = d->fd, .events = POLLIN},
				      {.fd = d->wake[0], .events = POLLIN}};
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents)
			return NULL;
		serve_one(d);
	}
}

struct fake_dns *fake_dns_start(const struct fake_record *table,
				const char *signed_zone)
{
	struct fake_dns *d = calloc(1, sizeof(*d));
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t n = sizeof(sa);
	d->table = table;
	d->zone = signed_zone;
	if (signed_zone)
		make_key(d);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	d->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	must(bind(d->fd, (struct sockaddr *)&sa, sizeof(sa)) == 0, "bind");
	getsockname(d->fd, (struct sockaddr *)&sa, &n);
	snprintf(d->server, sizeof(d->server), "127.0.0.1@%u",
		 ntohs(sa.sin_port));
	must(pipe(d->wake) == 0, "pipe");
	must(pthread_create(&d->thread, NULL, serve, d) == 0, "thread");
	return d;
}

void fake_dns_stop(struct fake_dns *d)
{
	must(write(d->wake[1], "x", 1) == 1, "wake");
	pthread_join(d->thread, NULL);
	close(d->fd);
	close(d->wake[0]);
	close(d->wake[1]);
	EVP_PKEY_free(d->key);
	free(d);
}

const char *fake_dns_server(const struct fake_dns *d)
{
	return d->server;
}

unsigned fake_dns_count(struct fake_dns *d)
{
	return atomic_load(&d->count);
}

void fake_dns_break(struct fake_dns *d, int broken)
{
	atomic_store(&d->broken, broken);
}
