#include <stdio.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/text.h"
#include "mxhold/config/build.h"
#include "mxhold/config/value.h"
#include "mxhold/mail/domain.h"

enum {
	SMTP_PORT = 25
};

/* Splits "[::1]:25", "[::1]", "::1", "name:25", "name"; *port stays as it is
 * where none is named. False: the text is none of these. */
static bool split_host(const char *text, char *host, size_t room,
		       uint16_t *port)
{
	const char *end, *digits;
	struct inet_addr addr;
	uint64_t v;

	if (*text == '[') {
		end = strchr(++text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		digits = end[1] ? end + 2 : NULL;
	} else if (inet_parse(slice_str(text), &addr) == 0) {
		end = text + strlen(text);
		digits = NULL;
	} else {
		end = strchr(text, ':');
		digits = end ? end + 1 : NULL;
		end = end ? end : text + strlen(text);
	}
	if (end == text || (size_t)(end - text) >= room)
		return false;
	snprintf(host, room, "%.*s", (int)(end - text), text);
	if (!digits)
		return true;
	if (text_parse_u64(slice_str(digits), &v) < 0 || v < 1 || v > 65535)
		return false;
	*port = (uint16_t)v;
	return true;
}

static bool parse_host(struct builder *b, const char *text, uint16_t port,
		       struct config_host *out)
{
	char host[512], name[DOMAIN_MAX];

	*out = (struct config_host){.port = port};
	if (!split_host(text, host, sizeof(host), &out->port))
		return false;
	if (inet_parse(slice_str(host), &out->addr) == 0) {
		char addr[INET_TEXT_MAX];

		inet_format(&out->addr, addr);
		out->is_address = true;
		out->name = pool_strdup(b->pool, addr);
		return true;
	}
	if (*text == '[' || domain_canonical(slice_str(host), name) < 0 ||
	    !domain_is_valid(slice_str(name)))
		return false;
	out->name = pool_strdup(b->pool, name);
	return true;
}

void build_hosts(struct builder *b, struct config_primary *p,
		 const struct tree_section *s)
{
	const struct tree_value *v = tree_value(s, "host");
	size_t n = v ? v->n : 0;

	p->hosts = pool_array(b->pool, n + 1, sizeof(*p->hosts));
	p->by_mx = n == 0;
	for (size_t i = 0; i < n; i++) {
		struct config_host *h = &p->hosts[p->n_hosts];

		if (parse_host(b, v->texts[i], p->port, h))
			p->n_hosts++;
		else
			complain(b->complaints, v->at,
				 tree_label(b->tree, s, "host"),
				 "\"%s\" is not a host, such as "
				 "mx1.example.com, 192.0.2.1 or "
				 "[2001:db8::1]:25",
				 v->texts[i]);
	}
}

/* Which one a domain means */

static struct config_primary *find(const struct builder *b, const char *name)
{
	for (size_t i = 0; i < b->c->n_primaries; i++) {
		if (strcmp(b->c->primaries[i]->name, name) != 0)
			continue;
		b->primary_used[i] = true;
		return b->c->primaries[i];
	}
	return NULL;
}

/* One with the defaults of a primary{}, as a domain's own word makes it. */
static struct config_primary *add_primary(struct builder *b, const char *name)
{
	struct config_primary *p = pool_array(b->pool, 1, sizeof(*p));
	struct value_target t = {
		.base = p,
		.pool = b->pool,
		.complaints = b->complaints,
		.label = name,
	};

	for (size_t i = 0; i < schema_n_options; i++)
		if (schema_options[i].section == SCHEMA_PRIMARY)
			value_set_default(&t, &schema_options[i]);
	p->name = pool_strdup(b->pool, name);
	p->implicit = true;
	MX_ASSERT(b->c->n_primaries < b->primary_room);
	b->primary_used[b->c->n_primaries] = true;
	b->c->primaries[b->c->n_primaries++] = p;
	return p;
}

static struct config_primary *primary_by_mx(struct builder *b,
					    const struct config_domain *d)
{
	char name[DOMAIN_MAX + 8];
	struct config_primary *p;

	snprintf(name, sizeof(name), "mx:%s", d->name);
	p = add_primary(b, name);
	p->by_mx = true;
	return p;
}

/* Domains that name the same host share one primary. */
static struct config_primary *primary_of_host(struct builder *b,
					      const struct config_host *h)
{
	char name[DOMAIN_MAX + 16];
	struct config_primary *p;

	if (h->port == SMTP_PORT)
		snprintf(name, sizeof(name), "%s", h->name);
	else
		snprintf(name, sizeof(name),
			 h->is_address && h->addr.family == 6 ? "[%s]:%u"
							      : "%s:%u",
			 h->name, h->port);
	p = find(b, name);
	if (p)
		return p;
	p = add_primary(b, name);
	p->port = h->port;
	p->hosts = pool_array(b->pool, 1, sizeof(*p->hosts));
	p->hosts[0] = *h;
	p->n_hosts = 1;
	return p;
}

static const char *nearest_title(const struct builder *b, const char *text)
{
	const char *best = NULL;
	int distance = 99;

	for (size_t i = 0; i < b->n_primary_sections; i++) {
		const char *title = b->primary_sections[i]->title;
		int d = text_distance(text, title);

		if (d < distance && schema_is_near(text, title)) {
			distance = d;
			best = title;
		}
	}
	return best;
}

/* A lone word is a mistyped title more often than a host. */
static bool is_lone_word(const char *text, const struct config_host *h)
{
	return !h->is_address && !strchr(text, '.') && !strchr(text, ':') &&
	       strcmp(text, "localhost") != 0;
}

static struct config_primary *resolve(struct builder *b,
				      const struct config_domain *d,
				      const struct tree_section *s,
				      const struct tree_value *v)
{
	const char *text = v->texts[v->n - 1], *near;
	const char *label = tree_label(b->tree, s, "primary");
	struct config_primary *p = find(b, text);
	struct config_host h;
	bool good;

	if (p)
		return p;
	if (strcmp(text, "mx") == 0)
		return primary_by_mx(b, d);
	good = parse_host(b, text, SMTP_PORT, &h);
	if (good && !is_lone_word(text, &h))
		return primary_of_host(b, &h);
	near = nearest_title(b, text);
	if (near)
		complain(b->complaints, v->at, label,
			 "there is no primary \"%s\"; did you mean \"%s\"?",
			 text, near);
	else if (good)
		complain(b->complaints, v->at, label,
			 "there is no primary \"%s\"; if it is the name of a "
			 "host, write \"%s:25\"",
			 text, text);
	else
		complain(b->complaints, v->at, label,
			 "\"%s\" is neither the title of a primary nor a host",
			 text);
	return NULL;
}

void build_domain_primary(struct builder *b, struct config_domain *d,
			  const struct tree_section *s)
{
	const struct tree_value *v = tree_value(s, "primary");

	if (!v) {
		complain(b->complaints, s->at,
			 tree_label(b->tree, s, "primary"),
			 "is missing: whom is the mail handed to?");
		return;
	}
	d->primary = resolve(b, d, s, v);
	if (d->primary && d->primary->by_mx && !d->primary->mx_domain)
		d->primary->mx_domain = d->name;
}
