#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "mxhold/base/text.h"
#include "mxhold/config/build.h"
#include "mxhold/config/source.h"
#include "mxhold/mail/domain.h"

/* Where an option was said last, for a complaint about what it means. */
static struct place place_of(const struct builder *b, enum schema_id section,
			     const char *option)
{
	struct place at;

	build_raw(b, section, option, NULL, &at);
	return at.file ? at : (struct place){b->c->file, 0};
}

static struct place place_in(const struct tree_section *s, const char *option)
{
	const struct tree_value *v = tree_value(s, option);

	return v ? v->at : s->at;
}

static struct config_place kept_place(struct builder *b, struct place at)
{
	return (struct config_place){pool_strdup(b->pool, at.file), at.line};
}

static void check_readable(struct builder *b, struct place at,
			   const char *label, const char *file)
{
	if (b->peek)
		return;
	if (faccessat(AT_FDCWD, file, R_OK, AT_EACCESS) < 0)
		complain(b->complaints, at, label, "%s cannot be read: %s",
			 file, strerror(errno));
}

/* This host */

static void check_user_and_group(struct builder *b)
{
	const char *user = b->c->user, *group = b->c->control.group;

	if (*user && !getpwnam(user))
		complain(b->complaints, place_of(b, SCHEMA_TOP, "user"), "user",
			 "there is no user \"%s\"", user);
	if (*group && !getgrnam(group))
		complain(b->complaints, place_of(b, SCHEMA_CONTROL, "group"),
			 "control.group", "there is no group \"%s\"", group);
}

static void check_tls(struct builder *b)
{
	struct config_tls *t = &b->c->tls;
	struct place at = place_of(b, SCHEMA_TLS, "cert");
	bool cert, key;

	t->cert_at = kept_place(b, at);
	t->key_at = kept_place(b, place_of(b, SCHEMA_TLS, "key"));
	if (t->cert.n != t->key.n) {
		complain(b->complaints, place_of(b, SCHEMA_TLS, "key"),
			 "tls.key", "%zu keys for %zu certificates", t->key.n,
			 t->cert.n);
		return;
	}
	cert = t->cert.n == 1 && strcmp(t->cert.v[0], "auto") == 0;
	key = t->key.n == 1 && strcmp(t->key.v[0], "auto") == 0;
	t->automatic = cert && key;
	if (cert != key)
		complain(b->complaints, at, "tls.cert",
			 "cert and key are \"auto\" both or not at all");
	if (cert || key)
		return;
	for (size_t i = 0; i < t->cert.n; i++) {
		check_readable(b, at, "tls.cert", t->cert.v[i]);
		check_readable(b, place_of(b, SCHEMA_TLS, "key"), "tls.key",
			       t->key.v[i]);
	}
}

static bool is_host_and_port(const char *text)
{
	const char *colon = strrchr(text, ':');
	uint64_t port;

	return colon && colon > text &&
	       text_parse_u64(slice_str(colon + 1), &port) == 0 && port >= 1 &&
	       port <= 65535;
}

static void check_milters(struct builder *b, struct place at, const char *label,
			  const struct config_policy *p)
{
	for (size_t i = 0; i < p->milter.n; i++) {
		const char *m = p->milter.v[i];

		if ((strncmp(m, "unix:/", 6) == 0 && m[6]) ||
		    (strncmp(m, "inet:", 5) == 0 && is_host_and_port(m + 5)))
			continue;
		complain(b->complaints, at, label,
			 "\"%s\" is not a milter, such as unix:/path or "
			 "inet:127.0.0.1:11332",
			 m);
	}
}

static void check_dns(struct builder *b)
{
	const struct config_dns *d = &b->c->dns;

	for (size_t i = 0; i < d->resolver.n; i++) {
		struct slice s = slice_str(d->resolver.v[i]);
		ptrdiff_t at = slice_index(s, '@');
		struct slice port =
			at < 0 ? SLICE("53") : slice_skip(s, (size_t)at + 1);
		struct inet_addr addr;
		uint64_t v;

		if (at >= 0)
			s = slice_head(s, (size_t)at);
		if (inet_parse(s, &addr) < 0 || text_parse_u64(port, &v) < 0 ||
		    v < 1 || v > 65535)
			complain(b->complaints,
				 place_of(b, SCHEMA_DNS, "resolver"),
				 "dns.resolver",
				 "\"%s\" is not a server, such as 192.0.2.53 "
				 "or 127.0.0.1@5353",
				 d->resolver.v[i]);
	}
	if (strcmp(d->trust_anchor, "auto") != 0 &&
	    strcmp(d->trust_anchor, "none") != 0)
		check_readable(b, place_of(b, SCHEMA_DNS, "trust_anchor"),
			       "dns.trust_anchor", d->trust_anchor);
}

static void check_metrics(struct builder *b)
{
	const char *text = b->c->metrics_listen;
	struct endpoint e;

	if (*text && endpoint_parse(slice_str(text), &e) < 0)
		complain(b->complaints, place_of(b, SCHEMA_METRICS, "listen"),
			 "metrics.listen",
			 "\"%s\" is not an address with a port, such as "
			 "127.0.0.1:9125",
			 text);
}

static void check_queue(struct builder *b, struct place at, const char *label,
			const struct config_queue *q)
{
	if (q->hard_limit < q->retention)
		complain(b->complaints, at, label,
			 "hard_limit is shorter than retention");
}

static bool share_address(const struct config_listen *l,
			  const struct config_listen *m)
{
	for (size_t i = 0; i < l->n_addresses; i++)
		for (size_t j = 0; j < m->n_addresses; j++)
			if (l->addresses[i].port &&
			    l->addresses[i].port == m->addresses[j].port &&
			    inet_eq(&l->addresses[i].addr,
				    &m->addresses[j].addr))
				return true;
	return false;
}

/* Two listeners at one address: the second could never be bound. */
static void check_listens(struct builder *b)
{
	const struct config_listen *l = b->c->listens;

	for (size_t i = 0; i < b->c->n_listens; i++) {
		struct tree_section *s = b->listen_sections[i];

		for (size_t j = 0; j < i; j++)
			if (share_address(&l[i], &l[j]))
				complain(b->complaints, place_in(s, "address"),
					 tree_label(b->tree, s, "address"),
					 "listen \"%s\" has the same address",
					 l[j].name);
	}
}

/* Primaries */

static bool is_pin(const char *text)
{
	struct slice s = slice_skip(slice_str(text), 7);
	uint8_t hash[32];

	if (strncmp(text, "sha256:", 7) != 0)
		return false;
	return text_unhex(s, hash, sizeof(hash)) == 0 ||
	       (s.n == 44 && s.p[43] == '=' &&
		strspn(s.p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"
			    "yz0123456789+/") == 43);
}

static void check_primary_tls(struct builder *b, const struct config_primary *p,
			      const struct tree_section *s)
{
	const char *label = tree_label(b->tree, s, "tls");

	if (p->tls == PRIMARY_TLS_PIN && !*p->pin)
		complain(b->complaints, place_in(s, "tls"), label,
			 "\"pin\" needs the option pin, such as sha256:...");
	if (*p->pin && !is_pin(p->pin))
		complain(b->complaints, place_in(s, "pin"),
			 tree_label(b->tree, s, "pin"),
			 "\"%s\" is not sha256: and 64 hex digits or 44 of "
			 "base64",
			 p->pin);
	if (*p->pin && p->tls != PRIMARY_TLS_PIN)
		complain_mildly(b->complaints, place_in(s, "pin"),
				tree_label(b->tree, s, "pin"),
				"is not looked at unless tls is \"pin\"");
	if (p->tls != PRIMARY_TLS_VERIFY && p->tls != PRIMARY_TLS_DANE)
		return;
	for (size_t i = 0; i < p->n_hosts; i++)
		if (p->hosts[i].is_address)
			complain(b->complaints, place_in(s, "host"),
				 tree_label(b->tree, s, "host"),
				 "\"%s\" is an address; tls = \"%s\" needs a "
				 "name to check",
				 p->hosts[i].name,
				 p->tls == PRIMARY_TLS_DANE ? "dane"
							    : "verify");
}

static void check_primary_files(struct builder *b, struct config_primary *p,
				const struct tree_section *s)
{
	p->ca_at = kept_place(b, place_in(s, "ca"));
	p->client_cert_at = kept_place(b, place_in(s, "client_cert"));
	if (strcmp(p->ca, "system") != 0)
		check_readable(b, place_in(s, "ca"),
			       tree_label(b->tree, s, "ca"), p->ca);
	if (!*p->client_cert != !*p->client_key)
		complain(b->complaints,
			 place_in(s, *p->client_cert ? "client_cert"
						     : "client_key"),
			 tree_label(b->tree, s, NULL),
			 "client_cert and client_key go together");
	if (*p->client_cert)
		check_readable(b, place_in(s, "client_cert"),
			       tree_label(b->tree, s, "client_cert"),
			       p->client_cert);
	if (*p->client_key)
		check_readable(b, place_in(s, "client_key"),
			       tree_label(b->tree, s, "client_key"),
			       p->client_key);
}

static bool is_external(const struct config *c, const struct inet_addr *a)
{
	for (size_t i = 0; i < c->n_external; i++)
		if (inet_eq(&c->external[i], a))
			return true;
	return false;
}

/* True when we listen at the port ourselves, at `a` (NULL: anywhere). */
static bool we_listen(const struct config *c, const struct inet_addr *a,
		      uint16_t port)
{
	static const uint8_t any[16];

	for (size_t i = 0; i < c->n_listens; i++) {
		for (size_t j = 0; j < c->listens[i].n_addresses; j++) {
			const struct endpoint *e = &c->listens[i].addresses[j];
			bool wild = memcmp(e->addr.bytes, any, 16) == 0;

			if (e->port != port)
				continue;
			if (!a || inet_eq(a, &e->addr) ||
			    (wild &&
			     (inet_is_loopback(a) || is_external(c, a))))
				return true;
		}
	}
	return false;
}

static bool is_ourselves(const struct config *c, const struct config_host *h)
{
	if (h->is_address)
		return we_listen(c, &h->addr, h->port);
	return strcmp(h->name, c->hostname) == 0 && we_listen(c, NULL, h->port);
}

static void check_loop(struct builder *b, const struct config_primary *p,
		       struct place at, const char *label)
{
	for (size_t i = 0; i < p->n_hosts; i++)
		if (is_ourselves(b->c, &p->hosts[i]))
			complain(b->complaints, at, label,
				 "\"%s\" port %u is this host itself: mail "
				 "would go round in a loop",
				 p->hosts[i].name, p->hosts[i].port);
}

static void check_primaries(struct builder *b)
{
	for (size_t i = 0; i < b->n_primary_sections; i++) {
		struct config_primary *p = b->c->primaries[i];
		const struct tree_section *s = b->primary_sections[i];

		check_primary_tls(b, p, s);
		check_primary_files(b, p, s);
		check_loop(b, p, place_in(s, "host"),
			   tree_label(b->tree, s, "host"));
		if (!b->primary_used[i])
			complain_mildly(b->complaints, s->at,
					tree_label(b->tree, s, NULL),
					"no domain names it");
	}
}

/* A primary that is found by MX has nothing to look up without a domain. */
static void drop_unused_by_mx(struct builder *b)
{
	struct config *c = b->c;
	size_t n = 0;

	for (size_t i = 0; i < c->n_primaries; i++)
		if (b->primary_used[i] || !c->primaries[i]->by_mx)
			c->primaries[n++] = c->primaries[i];
	c->n_primaries = n;
}

/* Domains */

static void check_program(struct builder *b, struct place at, const char *label,
			  const char *source)
{
	char program[PATH_MAX];

	if (!config_source_program(source, program, sizeof(program)))
		complain(b->complaints, at, label,
			 "\"%s\": the program needs its whole path", source);
	else if (!b->peek && faccessat(AT_FDCWD, program, X_OK, AT_EACCESS) < 0)
		complain(b->complaints, at, label, "%s cannot be run: %s",
			 program, strerror(errno));
}

static void check_source(struct builder *b, struct place at, const char *label,
			 const char *source)
{
	switch (config_source_kind(source)) {
	case SOURCE_HTTPS:
		if (!config_source_has_host(source))
			complain(b->complaints, at, label,
				 "\"%s\" names no host", source);
		break;
	case SOURCE_EXEC:
		check_program(b, at, label, source);
		break;
	case SOURCE_FILE:
		if (strncmp(source, "http://", 7) == 0)
			complain(b->complaints, at, label,
				 "\"%s\": only https:// is fetched", source);
		else if (*source)
			check_readable(b, at, label, source);
		else
			complain(b->complaints, at, label, "must not be empty");
	}
}

static void check_recipients(struct builder *b, const struct config_domain *d,
			     const struct tree_section *s)
{
	for (size_t i = 0; i < d->recipients.n; i++)
		check_source(b, place_in(s, "recipients"),
			     tree_label(b->tree, s, "recipients"),
			     d->recipients.v[i]);
}

static void check_domain(struct builder *b, const struct config_domain *d,
			 const struct tree_section *s)
{
	check_recipients(b, d, s);
	if (d->when_up == WHEN_UP_PASSTHROUGH)
		complain_mildly(b->complaints, place_in(s, "when_up"),
				tree_label(b->tree, s, "when_up"),
				"passthrough is taken as accept in this "
				"version");
	if (d->queue.hard_limit != b->c->queue.hard_limit ||
	    d->queue.retention != b->c->queue.retention)
		check_queue(b, s->at, tree_label(b->tree, s, "queue"),
			    &d->queue);
	if (d->policy.milter.v != b->c->policy.milter.v)
		check_milters(b, s->at, tree_label(b->tree, s, "policy.milter"),
			      &d->policy);
	if (d->primary && d->primary->implicit)
		check_loop(b, d->primary, place_in(s, "primary"),
			   tree_label(b->tree, s, "primary"));
}

static void check_domains(struct builder *b)
{
	for (size_t i = 0; i < b->c->n_domains; i++)
		check_domain(b, &b->c->domains[i], b->domain_sections[i]);
	if (!tree_next(b->tree, NULL, SCHEMA_DOMAIN, NULL))
		complain_mildly(b->complaints, (struct place){b->c->file, 0},
				NULL,
				"no domain is configured: every recipient "
				"will be refused");
}

void check_config(struct builder *b)
{
	if (!b->peek)
		check_user_and_group(b);
	check_tls(b);
	check_milters(b, place_of(b, SCHEMA_POLICY, "milter"), "policy.milter",
		      &b->c->policy);
	check_dns(b);
	check_metrics(b);
	check_queue(b, place_of(b, SCHEMA_QUEUE, "hard_limit"), "queue",
		    &b->c->queue);
	check_listens(b);
	check_primaries(b);
	check_domains(b);
	drop_unused_by_mx(b);
}
