#include "mxhold/config/tree.h"

#include <confuse.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"
#include "mxhold/config/lexer.h"

enum {
	FILE_CAP = 64 * 1024 * 1024,
	RETRIES = 200, /* unknown names put right in one file */
};

struct line_of { /* where libConfuse met an option last */
	struct line_of *next;
	const cfg_opt_t *opt;
	int line;
};

/* One reading of one file. */
struct reading {
	struct tree *tree;
	struct lexed lexed;
	struct line_of *lines;
	char unknown[128]; /* the name that stopped libConfuse, or "" */
	int unknown_line;
};

/* libConfuse hands its callbacks nothing of ours. */
static struct reading *current;

/* Our table as libConfuse wants it */

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
	struct line_of *l = pool_array(current->tree->pool, 1, sizeof(*l));

	l->opt = opt;
	l->line = cfg->line;
	l->next = current->lines;
	current->lines = l;
	*(const char **)result = text;
	return 0;
}

static cfg_opt_t *make_options(struct pool *pool, enum schema_id id);

static void make_section(struct pool *pool, cfg_opt_t *o,
			 const struct schema_section *s)
{
	o->name = s->name;
	o->type = CFGT_SEC;
	o->flags = CFGF_NODEFAULT;
	if (s->titled)
		o->flags |= CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES;
	o->subopts = make_options(pool, s->id);
}

/* The options of a section, and the sections that may stand in it. */
static cfg_opt_t *make_options(struct pool *pool, enum schema_id id)
{
	size_t room = schema_n_options + SCHEMA_SECTIONS + 1, n = 0;
	cfg_opt_t *out = pool_array(pool, room, sizeof(*out));

	for (size_t i = 0; i < schema_n_options; i++) {
		const struct schema_option *o = &schema_options[i];

		if (o->section != id)
			continue;
		out[n].name = o->name;
		out[n].type = CFGT_STR;
		out[n].flags = CFGF_NODEFAULT |
			       (schema_is_list(o) ? CFGF_LIST : CFGF_NONE);
		out[n++].parsecb = on_value;
	}
	for (size_t i = SCHEMA_TOP + 1; i < SCHEMA_SECTIONS; i++)
		if (id == SCHEMA_TOP ||
		    (id == SCHEMA_DOMAIN && schema_sections[i].in_domain))
			make_section(pool, &out[n++], &schema_sections[i]);
	return out;
}

/* Complaints of libConfuse */

static const struct schema_section *section_of(const cfg_t *cfg)
{
	const struct schema_section *s = schema_section(cfg->name);

	return s ? s : &schema_sections[SCHEMA_TOP];
}

static bool in_any_section(const char *name, const char **section)
{
	for (size_t i = 0; i < schema_n_options; i++) {
		if (strcmp(schema_options[i].name, name) != 0)
			continue;
		*section = schema_sections[schema_options[i].section].name;
		return true;
	}
	return false;
}

static void complain_unknown(struct reading *r, const cfg_t *cfg,
			     const char *name)
{
	const struct schema_section *s = section_of(cfg);
	const char *near = schema_nearest_option(s->id, name), *home;
	struct place at = {r->lexed.file, cfg->line};
	struct complaints *c = r->tree->complaints;

	if (!near && s->id == SCHEMA_TOP)
		near = schema_nearest_section(name);
	snprintf(r->unknown, sizeof(r->unknown), "%s", name);
	r->unknown_line = cfg->line;
	if (near)
		complain(c, at, name, "no such option%s%s; did you mean %s?",
			 *s->name ? " in " : "", s->name, near);
	else if (schema_section(name))
		complain(c, at, name, "no such section in %s", s->name);
	else if (in_any_section(name, &home) && *home)
		complain(c, at, name,
			 "no such option%s%s; it belongs in %s { }",
			 *s->name ? " in " : "", s->name, home);
	else if (in_any_section(name, &home))
		complain(c, at, name,
			 "no such option in %s; it belongs outside of all "
			 "sections",
			 s->name);
	else
		complain(c, at, name, "no such option%s%s",
			 *s->name ? " in " : "", s->name);
}

/* The second of two with one title, so that it can be left out. */
static void complain_twice(struct reading *r, const cfg_t *cfg,
			   const char *title)
{
	struct place at = {r->lexed.file, cfg->line};
	char name[64], first[64];
	int line, first_line = 0;

	for (size_t i = 0;; i++) {
		if (!lexer_titled(&r->lexed, title, i, name, sizeof(name),
				  &line))
			break;
		if (!first_line) {
			snprintf(first, sizeof(first), "%s", name);
			first_line = line;
		} else if (strcmp(name, first) == 0) {
			snprintf(r->unknown, sizeof(r->unknown), "%s", name);
			r->unknown_line = at.line = line;
			break;
		}
	}
	complain(r->tree->complaints, at, NULL,
		 "%s \"%s\" is there twice; the first is at %s:%d", r->unknown,
		 title, at.file, first_line);
}

static void on_error(cfg_t *cfg, const char *fmt, va_list ap) MX_PRINTF(2, 0);

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	struct place at = {current->lexed.file, cfg->line};
	const char *section = section_of(cfg)->name;
	char what[512];

	if (strstr(fmt, "no such option")) {
		complain_unknown(current, cfg, va_arg(ap, const char *));
		return;
	}
	if (strstr(fmt, "duplicate title")) {
		complain_twice(current, cfg, va_arg(ap, const char *));
		return;
	}
	vsnprintf(what, sizeof(what), fmt, ap);
	complain(current->tree->complaints, at, *section ? section : NULL, "%s",
		 what);
}

/* From libConfuse's tree to ours */

static int line_of(const struct reading *r, const cfg_opt_t *opt)
{
	for (const struct line_of *l = r->lines; l; l = l->next)
		if (l->opt == opt)
			return l->line;
	return 0;
}

static void take_value(struct reading *r, struct tree_section *s,
		       cfg_opt_t *opt)
{
	struct pool *pool = r->tree->pool;
	struct tree_value *v = pool_array(pool, 1, sizeof(*v));
	int line = line_of(r, opt);

	v->option = schema_find(s->kind->id, opt->name);
	MX_ASSERT(v->option);
	v->at = (struct place){r->lexed.file, line ? line : s->at.line};
	v->n = cfg_opt_size(opt);
	v->texts = pool_array(pool, v->n + 1, sizeof(*v->texts));
	for (size_t i = 0; i < v->n; i++)
		v->texts[i] =
			pool_strdup(pool, cfg_opt_getnstr(opt, (unsigned)i));
	v->next = s->values;
	s->values = v;
}

static struct tree_section *add_section(struct reading *r, cfg_t *cfg,
					const struct schema_section *kind,
					struct tree_section *parent)
{
	struct tree *t = r->tree;
	struct tree_section *s = pool_array(t->pool, 1, sizeof(*s));

	s->kind = kind;
	s->title = cfg->title ? pool_strdup(t->pool, cfg->title) : NULL;
	s->at.file = r->lexed.file;
	s->parent = parent;
	*t->tail = s;
	t->tail = &s->next;
	return s;
}

static void take_section(struct reading *r, cfg_t *cfg,
			 const struct schema_section *kind,
			 struct tree_section *parent, int line);

/* Sections go two deep: a domain's overrides hold none. */
static void take_sections(struct reading *r, cfg_opt_t *opt,
			  struct tree_section *parent)
{
	const struct schema_section *kind = schema_section(opt->name);

	MX_ASSERT(kind);
	for (unsigned i = 0; i < cfg_opt_size(opt); i++) {
		int line = parent ? parent->at.line
				  : lexer_section_line(&r->lexed, opt->name, i);

		take_section(r, cfg_opt_getnsec(opt, i), kind, parent, line);
	}
}

static void take_section(struct reading *r, cfg_t *cfg,
			 const struct schema_section *kind,
			 struct tree_section *parent, int line)
{
	struct tree_section *s = add_section(r, cfg, kind, parent);

	s->at.line = line;
	for (cfg_opt_t *o = cfg->opts; o->name; o++) {
		if (!(o->flags & CFGF_MODIFIED))
			continue;
		if (o->type == CFGT_SEC)
			take_sections(r, o, kind->id == SCHEMA_TOP ? NULL : s);
		else
			take_value(r, s, o);
	}
}

/* Reading */

/* The whole of a file for free(), or NULL with a complaint. */
static char *read_whole(struct tree *t, const char *file)
{
	struct place at = {file, 0};
	FILE *f = fopen(file, "re");
	char *text = NULL, *whole = NULL;
	size_t room = 0;
	ssize_t n = f ? getdelim(&text, &room, '\0', f) : -1;

	if (!f || ferror(f))
		complain(t->complaints, at, NULL, "cannot be read: %s",
			 strerror(errno));
	else if (n > FILE_CAP)
		complain(t->complaints, at, NULL, "is too large");
	else if (n > 0 && text[n - 1] == '\0')
		complain(t->complaints, at, NULL, "holds a NUL byte");
	else
		whole = n > 0 ? text : calloc(1, 1);
	if (whole != text)
		free(text);
	if (f)
		fclose(f);
	return whole;
}

/* 0 = taken, 1 = something was blanked: again, -1 = given up. */
static int read_once(struct reading *r, cfg_opt_t *options)
{
	cfg_t *cfg = cfg_init(options, CFGF_NONE);
	int rc = -1;

	MX_ASSERT(cfg);
	setlocale(LC_ALL, "C"); /* cfg_init took the user's; messages, too */
	cfg_set_error_function(cfg, on_error);
	r->lines = NULL;
	r->unknown[0] = '\0';
	current = r;
	if (cfg_parse_buf(cfg, r->lexed.text) == CFG_SUCCESS) {
		take_section(r, cfg, &schema_sections[SCHEMA_TOP], NULL, 0);
		rc = 0;
	} else if (r->unknown[0] &&
		   lexer_blank(&r->lexed, r->unknown, r->unknown_line) == 0) {
		rc = 1;
	}
	current = NULL;
	cfg_free(cfg);
	return rc;
}

static void read_text(struct tree *t, const char *file, char *text)
{
	struct reading r = {.tree = t};
	unsigned before = t->complaints->errors;
	cfg_opt_t *options;
	int rc = -1;

	file = pool_strdup(t->pool, file);
	if (lexer_scan(&r.lexed, file, text, t->pool, t->complaints) < 0) {
		t->broken = true;
		return;
	}
	options = make_options(t->pool, SCHEMA_TOP);
	for (int i = 0; i < RETRIES; i++) {
		rc = read_once(&r, options);
		if (rc <= 0)
			break;
	}
	if (rc == 0)
		return;
	t->broken = true;
	if (t->complaints->errors == before)
		complain(t->complaints, (struct place){file, 0}, NULL,
			 "cannot be understood");
}

void tree_read(struct tree *t, const char *file)
{
	char *text = read_whole(t, file);

	if (text)
		read_text(t, file, text);
	else
		t->broken = true;
	free(text);
}

/* Looking up */

void tree_init(struct tree *t, struct pool *pool, struct complaints *complaints)
{
	*t = (struct tree){.pool = pool, .complaints = complaints};
	t->tail = &t->sections;
}

struct tree_section *tree_next(const struct tree *t,
			       const struct tree_section *after,
			       enum schema_id kind,
			       const struct tree_section *parent)
{
	struct tree_section *s = after ? after->next : t->sections;

	while (s && (s->kind->id != kind || s->parent != parent))
		s = s->next;
	return s;
}

const struct tree_value *tree_value(const struct tree_section *s,
				    const char *option)
{
	for (const struct tree_value *v = s->values; v; v = v->next)
		if (strcmp(v->option->name, option) == 0)
			return v;
	return NULL;
}

const char *tree_label(const struct tree *t, const struct tree_section *s,
		       const char *option)
{
	const struct tree_section *outer = s->parent ? s->parent : s;
	const char *dot = option ? "." : "";

	option = option ? option : "";
	if (s->kind->id == SCHEMA_TOP)
		return pool_strdup(t->pool, option);
	if (!outer->title)
		return pool_printf(t->pool, "%s%s%s", s->kind->name, dot,
				   option);
	return pool_printf(t->pool, "%s \"%.300s\"%s%s%s%s", outer->kind->name,
			   outer->title, s->parent ? "." : "",
			   s->parent ? s->kind->name : "", dot, option);
}
