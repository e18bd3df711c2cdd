#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "mxhold/config/config.h"
#include "mxhold/config/value.h"

/* Options that were resolved from several are written by hand. */

static int dump_raw_top(const struct schema_option *o, const struct config *c,
			struct buf *out)
{
	if (strcmp(o->name, "hostname") == 0)
		return value_quote(out, c->hostname);
	return value_quote(out, c->postmaster);
}

static int dump_raw_probe(const struct schema_option *o,
			  const struct config_probe *p, struct buf *out)
{
	if (strcmp(o->name, "recipient") == 0)
		return value_quote(out, p->recipient);
	return value_quote(out, *p->sender ? p->sender : "<>");
}

static int dump_hosts(const struct config_primary *p, struct buf *out)
{
	int rc = buf_append_str(out, "{");

	for (size_t i = 0; i < p->n_hosts; i++) {
		const struct config_host *h = &p->hosts[i];
		bool v6 = h->is_address && h->addr.family == 6;

		rc |= buf_printf(out, v6 ? "%s\"[%s]:%u\"" : "%s\"%s:%u\"",
				 i ? ", " : "", h->name, h->port);
	}
	return rc | buf_append_str(out, "}");
}

static int dump_recipients(const struct config_domain *d, struct buf *out)
{
	size_t n = d->recipients.n;
	char **all = calloc(n + 1, sizeof(*all)), learn[] = "learn";
	int rc;

	if (!all)
		return -1;
	for (size_t i = 0; i < n; i++)
		all[i] = d->recipients.v[i];
	if (d->learn)
		all[n++] = learn;
	rc = value_quote_list(out, all, n);
	free(all);
	return rc;
}

/* A lone word would be read as the title of a primary{}. */
static bool is_lone_host(const struct config_primary *p)
{
	return p->n_hosts == 1 && p->hosts[0].port == 25 &&
	       !strpbrk(p->name, ".:") &&
	       strcmp(p->hosts[0].name, p->name) == 0;
}

static int dump_domain_primary(const struct config_domain *d, struct buf *out)
{
	const struct config_primary *p = d->primary;

	if (is_lone_host(p))
		return buf_printf(out, "\"%s:%u\"", p->name, p->hosts[0].port);
	return value_quote(out, p->implicit && p->by_mx ? "mx" : p->name);
}

static int dump_raw(const struct schema_option *o, const void *base,
		    struct buf *out)
{
	switch (o->section) {
	case SCHEMA_TOP:
		return dump_raw_top(o, base, out);
	case SCHEMA_PROBE:
		return dump_raw_probe(o, base, out);
	case SCHEMA_BOUNCE:
		return value_quote(out,
				   ((const struct config_bounce *)base)->from);
	case SCHEMA_PRIMARY:
		return dump_hosts(base, out);
	default:
		if (strcmp(o->name, "recipients") == 0)
			return dump_recipients(base, out);
		return dump_domain_primary(base, out);
	}
}

static int dump_value(const struct schema_option *o, const void *base,
		      struct buf *out)
{
	return o->type == SCHEMA_RAW || o->type == SCHEMA_RAWS
		       ? dump_raw(o, base, out)
		       : value_format(o, base, out);
}

/* Is it what the table gives? Durations and sizes in any unit. */
static bool is_default(const struct schema_option *o, struct slice value)
{
	union {
		max_align_t align;
		char bytes[sizeof(struct config)];
	} base = {0};
	struct pool pool = {0};
	struct value_target t = {
		.base = &base,
		.pool = &pool,
		.label = o->name,
	};
	struct buf def;
	bool same;

	if (!o->def)
		return false;
	buf_init(&def, 1 << 20);
	if (o->type == SCHEMA_RAW || o->type == SCHEMA_RAWS) {
		schema_format_default(o, &def);
	} else {
		value_set_default(&t, o);
		value_format(o, &base, &def);
	}
	same = slice_eq(buf_slice(&def), value);
	buf_done(&def);
	pool_done(&pool);
	return same;
}

static int dump_option(const struct schema_option *o, const void *base,
		       const char *indent, bool own, struct buf *out)
{
	struct buf value;
	int rc;

	buf_init(&value, SIZE_MAX / 2);
	rc = dump_value(o, base, &value);
	if (!own || !is_default(o, buf_slice(&value))) {
		rc |= buf_printf(out, "%s%s = ", indent, o->name);
		rc |= buf_append_slice(out, buf_slice(&value));
		rc |= buf_append_str(out, "\n");
	}
	buf_done(&value);
	return rc;
}

static int dump_options(enum schema_id id, const void *base, const char *indent,
			bool own, struct buf *out)
{
	int rc = 0;

	for (size_t i = 0; i < schema_n_options; i++) {
		const struct schema_option *o = &schema_options[i];

		if (o->section == id)
			rc |= dump_option(o, base, indent, own, out);
	}
	return rc;
}

static int dump_titled(enum schema_id id, const char *title, const void *base,
		       bool own, struct buf *out)
{
	int rc = buf_printf(out, "\n%s ", schema_sections[id].name);

	rc |= value_quote(out, title);
	rc |= buf_append_str(out, " {\n");
	rc |= dump_options(id, base, "\t", own, out);
	return rc;
}

/* A domain's own words: what differs from the section that it overrides. */

static int dump_difference(const struct schema_option *o, const void *global,
			   const void *own, struct buf *out)
{
	struct buf x, y;
	int rc;

	buf_init(&x, 1 << 20);
	buf_init(&y, 1 << 20);
	rc = dump_value(o, global, &x);
	rc |= dump_value(o, own, &y);
	if (!slice_eq(buf_slice(&x), buf_slice(&y))) {
		rc |= buf_printf(out, "\t\t%s = ", o->name);
		rc |= buf_append_slice(out, buf_slice(&y));
		rc |= buf_append_str(out, "\n");
	}
	buf_done(&x);
	buf_done(&y);
	return rc;
}

static int dump_overrides(const struct config *c, const struct config_domain *d,
			  const struct schema_section *s, struct buf *out)
{
	struct buf own;
	int rc = 0;

	buf_init(&own, 1 << 20);
	for (size_t i = 0; i < schema_n_options; i++)
		if (schema_options[i].section == s->id)
			rc |= dump_difference(
				&schema_options[i], (const char *)c + s->at,
				(const char *)d + s->at_domain, &own);
	if (own.n) {
		rc |= buf_printf(out, "\t%s {\n", s->name);
		rc |= buf_append_slice(out, buf_slice(&own));
		rc |= buf_append_str(out, "\t}\n");
	}
	buf_done(&own);
	return rc;
}

static int dump_domain(const struct config *c, const struct config_domain *d,
		       bool own, struct buf *out)
{
	int rc = dump_titled(SCHEMA_DOMAIN, d->display, d, own, out);

	for (size_t i = 0; i < SCHEMA_SECTIONS; i++)
		if (schema_sections[i].in_domain)
			rc |= dump_overrides(c, d, &schema_sections[i], out);
	return rc | buf_append_str(out, "}\n");
}

static int dump_globals(const struct config *c, bool own, struct buf *out)
{
	int rc = dump_options(SCHEMA_TOP, c, "", own, out);

	for (size_t i = SCHEMA_TOP + 1; i < SCHEMA_SECTIONS; i++) {
		const struct schema_section *s = &schema_sections[i];
		size_t before = out->n, empty;

		if (s->titled)
			continue;
		rc |= buf_printf(out, "\n%s {\n", s->name);
		empty = out->n;
		rc |= dump_options(s->id, (const char *)c + s->at, "\t", own,
				   out);
		if (out->n == empty)
			buf_truncate(out, before);
		else
			rc |= buf_append_str(out, "}\n");
	}
	return rc;
}

static int dump_titled_globals(const struct config *c, bool own,
			       struct buf *out)
{
	int rc = 0;

	for (size_t i = 0; i < c->n_listens; i++) {
		rc |= dump_titled(SCHEMA_LISTEN, c->listens[i].name,
				  &c->listens[i], own, out);
		rc |= buf_append_str(out, "}\n");
	}
	for (size_t i = 0; i < c->n_alerts; i++) {
		rc |= dump_titled(SCHEMA_ALERT, c->alerts[i].name,
				  &c->alerts[i], own, out);
		rc |= buf_append_str(out, "}\n");
	}
	for (size_t i = 0; i < c->n_primaries; i++) {
		if (c->primaries[i]->implicit &&
		    (own || c->primaries[i]->by_mx))
			continue;
		rc |= dump_titled(SCHEMA_PRIMARY, c->primaries[i]->name,
				  c->primaries[i], own, out);
		rc |= buf_append_str(out, "}\n");
	}
	return rc;
}

static char *dump(const struct config *c, bool own)
{
	struct buf out;
	char *text = NULL;
	int rc;

	buf_init(&out, SIZE_MAX / 2);
	rc = dump_globals(c, own, &out);
	rc |= dump_titled_globals(c, own, &out);
	for (size_t i = 0; i < c->n_domains; i++)
		rc |= dump_domain(c, &c->domains[i], own, &out);
	if (rc == 0)
		text = strndup(buf_slice(&out).p, out.n);
	buf_done(&out);
	return text;
}

char *config_dump(const struct config *c)
{
	return dump(c, false);
}

char *config_dump_own(const struct config *c)
{
	return dump(c, true);
}
