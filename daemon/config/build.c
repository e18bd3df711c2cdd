#include "mxhold/config/build.h"

#include <string.h>
#include <unistd.h>

#include "mxhold/config/value.h"
#include "mxhold/mail/domain.h"

static void set_defaults(struct builder *b, enum schema_id id, void *base)
{
	struct value_target t = {
		.base = base,
		.pool = b->pool,
		.complaints = b->complaints,
	};

	for (size_t i = 0; i < schema_n_options; i++) {
		if (schema_options[i].section != id)
			continue;
		t.label = schema_options[i].name;
		value_set_default(&t, &schema_options[i]);
	}
}

static void set_values(struct builder *b, const struct tree_section *s,
		       void *base)
{
	for (const struct tree_value *v = s->values; v; v = v->next) {
		struct value_target t = {
			.base = base,
			.pool = b->pool,
			.complaints = b->complaints,
			.at = v->at,
			.label = tree_label(b->tree, s, v->option->name),
		};

		if (v->option->flags & SCHEMA_LATER)
			complain_mildly(b->complaints, v->at, t.label,
					"has no effect in this version");
		if (s->parent && (v->option->flags & SCHEMA_GLOBAL))
			complain(b->complaints, v->at, t.label,
				 "cannot differ by domain");
		else
			value_set(&t, v->option, v->texts, v->n);
	}
}

static void build_globals(struct builder *b)
{
	const struct tree_section *s;

	for (size_t i = 0; i < SCHEMA_SECTIONS; i++)
		if (!schema_sections[i].titled)
			set_defaults(b, (enum schema_id)i,
				     (char *)b->c + schema_sections[i].at);
	for (s = b->tree->sections; s; s = s->next)
		if (!s->kind->titled && !s->parent)
			set_values(b, s, (char *)b->c + s->kind->at);
	if (b->c->threads == 0)
		b->c->threads = (uint32_t)MX_MAX(
			1, MX_MIN(1024, sysconf(_SC_NPROCESSORS_ONLN)));
}

/* The sections of one kind in the order of reading, titles told apart. */
static size_t gather(struct builder *b, enum schema_id id,
		     struct tree_section ***out)
{
	struct tree_section *s = NULL;
	size_t n = 0;

	while ((s = tree_next(b->tree, s, id, NULL)))
		n++;
	*out = pool_array(b->pool, n + 1, sizeof(**out));
	n = 0;
	while ((s = tree_next(b->tree, s, id, NULL))) {
		for (size_t i = 0; i < n; i++)
			if (strcmp((*out)[i]->title, s->title) == 0)
				complain(b->complaints, s->at, NULL,
					 "%s \"%s\" is there twice; the first "
					 "is at %s:%d",
					 s->kind->name, s->title,
					 (*out)[i]->at.file,
					 (*out)[i]->at.line);
		(*out)[n++] = s;
	}
	return n;
}

static void build_listens(struct builder *b)
{
	size_t n = gather(b, SCHEMA_LISTEN, &b->listen_sections);

	b->c->n_listens = n ? n : 1;
	b->c->listens =
		pool_array(b->pool, b->c->n_listens, sizeof(*b->c->listens));
	for (size_t i = 0; i < b->c->n_listens; i++) {
		struct config_listen *l = &b->c->listens[i];

		set_defaults(b, SCHEMA_LISTEN, l);
		l->name = pool_strdup(b->pool, n ? b->listen_sections[i]->title
						 : "smtp");
		if (n)
			set_values(b, b->listen_sections[i], l);
	}
}

static void build_alerts(struct builder *b)
{
	size_t n = gather(b, SCHEMA_ALERT, &b->alert_sections);

	b->c->n_alerts = n;
	b->c->alerts = pool_array(b->pool, n, sizeof(*b->c->alerts));
	for (size_t i = 0; i < n; i++) {
		struct config_alert *a = &b->c->alerts[i];

		set_defaults(b, SCHEMA_ALERT, a);
		a->name = pool_strdup(b->pool, b->alert_sections[i]->title);
		set_values(b, b->alert_sections[i], a);
	}
}

static size_t count_domains(const struct builder *b)
{
	struct tree_section *s = NULL;
	size_t n = 0;

	while ((s = tree_next(b->tree, s, SCHEMA_DOMAIN, NULL)))
		n++;
	return n;
}

/* There is room for one more primary a domain, made from what it names. */
static void build_primaries(struct builder *b)
{
	struct config *c = b->c;
	size_t n = gather(b, SCHEMA_PRIMARY, &b->primary_sections);

	b->n_primary_sections = n;
	b->primary_room = n + count_domains(b);
	c->primaries =
		pool_array(b->pool, b->primary_room + 1, sizeof(*c->primaries));
	b->primary_used = pool_array(b->pool, b->primary_room + 1, 1);
	for (size_t i = 0; i < n; i++) {
		struct config_primary *p = pool_array(b->pool, 1, sizeof(*p));

		set_defaults(b, SCHEMA_PRIMARY, p);
		p->name = pool_strdup(b->pool, b->primary_sections[i]->title);
		set_values(b, b->primary_sections[i], p);
		build_hosts(b, p, b->primary_sections[i]);
		c->primaries[c->n_primaries++] = p;
	}
}

/* Domains */

static void build_overrides(struct builder *b, const struct tree_section *s,
			    struct config_domain *d)
{
	const struct tree_section *o;

	d->queue = b->c->queue;
	d->drain = b->c->drain;
	d->bounce = b->c->bounce;
	d->policy = b->c->policy;
	for (o = b->tree->sections; o; o = o->next)
		if (o->parent == s)
			set_values(b, o, (char *)d + o->kind->at_domain);
	build_bounce_from(b, s, &d->bounce);
}

static void build_recipients(struct builder *b, const struct tree_section *s,
			     struct config_domain *d)
{
	const struct tree_value *v = tree_value(s, "recipients");
	size_t n = v ? v->n : 0;

	d->recipients_at.file =
		pool_strdup(b->pool, v ? v->at.file : s->at.file);
	d->recipients_at.line = v ? v->at.line : s->at.line;
	d->recipients.v = pool_array(b->pool, n + 1, sizeof(char *));
	for (size_t i = 0; i < n; i++) {
		if (strcmp(v->texts[i], "learn") == 0)
			d->learn = true;
		else
			d->recipients.v[d->recipients.n++] =
				pool_strdup(b->pool, v->texts[i]);
	}
	if (n == 0)
		complain(b->complaints, v ? v->at : s->at,
			 tree_label(b->tree, s, "recipients"),
			 "is missing: name a file of recipients, or \"learn\" "
			 "(a file with a lone @ takes every local part)");
}

/* The canonical name, or NULL with a complaint. */
static char *domain_name(struct builder *b, const struct tree_section *s)
{
	const char *label = tree_label(b->tree, s, NULL);
	struct inet_addr addr;
	char name[DOMAIN_MAX];

	if (inet_parse(slice_str(s->title), &addr) == 0 || *s->title == '[') {
		complain(b->complaints, s->at, label,
			 "is an address; a domain name is needed");
		return NULL;
	}
	if (domain_canonical(slice_str(s->title), name) < 0 ||
	    !domain_is_valid(slice_str(name))) {
		complain(b->complaints, s->at, label, "is not a domain name");
		return NULL;
	}
	return pool_strdup(b->pool, name);
}

static void build_domain(struct builder *b, const struct tree_section *s,
			 char *name)
{
	struct config_domain *d = &b->c->domains[b->c->n_domains++];

	d->name = name;
	d->display = pool_strdup(b->pool, s->title);
	map_put(&b->c->domain_index, slice_str(name), d);
	set_defaults(b, SCHEMA_DOMAIN, d);
	set_values(b, s, d);
	build_overrides(b, s, d);
	build_recipients(b, s, d);
	build_domain_primary(b, d, s);
}

static void build_domains(struct builder *b)
{
	size_t n = count_domains(b);
	struct tree_section *s = NULL;
	struct config *c = b->c;

	c->domains = pool_array(b->pool, n + 1, sizeof(*c->domains));
	b->domain_sections =
		pool_array(b->pool, n + 1, sizeof(*b->domain_sections));
	while ((s = tree_next(b->tree, s, SCHEMA_DOMAIN, NULL))) {
		const struct config_domain *twin;
		char *name = domain_name(b, s);

		if (!name)
			continue;
		twin = config_domain(c, name);
		if (twin) {
			struct place first =
				b->domain_sections[twin - c->domains]->at;

			complain(b->complaints, s->at, NULL,
				 "domain \"%s\" is there twice; the first is "
				 "at %s:%d",
				 s->title, first.file, first.line);
			continue;
		}
		b->domain_sections[c->n_domains] = s;
		build_domain(b, s, name);
	}
}

void build_config(struct builder *b)
{
	build_globals(b);
	build_listens(b);
	build_alerts(b);
	build_names(b);
	build_primaries(b);
	build_domains(b);
}
