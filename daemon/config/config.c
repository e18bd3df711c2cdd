#include "mxhold/config/config.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mxhold/config/build.h"
#include "mxhold/config/value.h"

/* Files */

static int is_conf(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 5 && e->d_name[0] != '.' &&
	       strcmp(e->d_name + n - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_dir(struct tree *t, const char *dir, struct place at)
{
	struct dirent **found;
	int n = scandir(dir, &found, is_conf, by_name);

	if (n < 0) {
		if (errno != ENOENT)
			complain(t->complaints, at, "conf_dir",
				 "%s cannot be read: %s", dir, strerror(errno));
		return;
	}
	for (int i = 0; i < n; i++) {
		char *path = pool_array(
			t->pool, strlen(dir) + strlen(found[i]->d_name) + 2, 1);

		strcpy(path, dir);
		strcat(path, "/");
		strcat(path, found[i]->d_name);
		tree_read(t, path);
		free(found[i]);
	}
	free(found);
}

static void read_files(struct builder *b, const char *file)
{
	const struct tree_value *v = NULL;

	tree_read(b->tree, file);
	if (b->tree->broken)
		return; /* we do not know where conf_dir is */
	if (b->tree->sections)
		v = tree_value(b->tree->sections, "conf_dir");
	if (v && v->n && *v->texts[0])
		read_dir(b->tree, v->texts[0], v->at);
	else if (!v)
		read_dir(b->tree, schema_find(SCHEMA_TOP, "conf_dir")->def,
			 (struct place){file, 0});
}

/* Loading */

static struct config *config_new(const char *file)
{
	struct pool pool = {0}, *owned;
	struct config *c;

	owned = pool_array(&pool, 1, sizeof(*owned));
	*owned = pool;
	c = pool_array(owned, 1, sizeof(*c));
	c->file = pool_strdup(owned, file);
	c->owned = owned;
	map_init(&c->domain_index);
	atomic_init(&c->refs, 1);
	return c;
}

static void config_free(struct config *c)
{
	struct pool pool = *(struct pool *)c->owned;

	map_done(&c->domain_index, NULL);
	pool_done(&pool);
}

static struct config *load(const char *file, bool peek, char **complaints)
{
	struct complaints all;
	struct pool scratch = {0};
	struct tree tree;
	struct builder b = {.tree = &tree, .complaints = &all, .peek = peek};

	complaints_init(&all);
	tree_init(&tree, &scratch, &all);
	b.c = config_new(file);
	b.pool = b.c->owned;
	read_files(&b, file);
	/* What a broken file did not say would be complained of in vain. */
	if (!tree.broken) {
		build_config(&b);
		check_config(&b);
	}
	*complaints = complaints_text(&all);
	if (all.errors) {
		config_free(b.c);
		b.c = NULL;
	}
	complaints_done(&all);
	pool_done(&scratch);
	return b.c;
}

struct config *config_load(const char *file, char **complaints)
{
	return load(file, false, complaints);
}

struct config *config_peek(const char *file, char **complaints)
{
	return load(file, true, complaints);
}

struct config *config_ref(const struct config *c)
{
	struct config *mine = (struct config *)c;

	atomic_fetch_add(&mine->refs, 1);
	return mine;
}

void config_unref(const struct config *c)
{
	struct config *mine = (struct config *)c;

	if (mine && atomic_fetch_sub(&mine->refs, 1) == 1)
		config_free(mine);
}

/* Looking up */

const struct config_domain *config_domain(const struct config *c,
					  const char *canonical)
{
	return map_get(&c->domain_index, slice_str(canonical));
}

const struct config_primary *config_primary(const struct config *c,
					    const char *name)
{
	for (size_t i = 0; i < c->n_primaries; i++)
		if (strcmp(c->primaries[i]->name, name) == 0)
			return c->primaries[i];
	return NULL;
}

const char *config_tls_name(enum primary_tls tls)
{
	static const char *const names[] = {
		[PRIMARY_TLS_MAY] = "may",
		[PRIMARY_TLS_OFF] = "off",
		[PRIMARY_TLS_REQUIRE] = "require",
		[PRIMARY_TLS_VERIFY] = "verify",
		[PRIMARY_TLS_PIN] = "pin",
		[PRIMARY_TLS_DANE] = "dane",
	};

	return names[tls];
}

/* What a reload cannot take over */

static bool same_value(const struct schema_option *o, const void *a,
		       const void *b)
{
	struct buf x, y;
	bool same;

	buf_init(&x, 1 << 20);
	buf_init(&y, 1 << 20);
	value_format(o, a, &x);
	value_format(o, b, &y);
	same = slice_eq(buf_slice(&x), buf_slice(&y));
	buf_done(&x);
	buf_done(&y);
	return same;
}

static bool same_section(enum schema_id id, const void *a, const void *b)
{
	for (size_t i = 0; i < schema_n_options; i++)
		if (schema_options[i].section == id &&
		    !same_value(&schema_options[i], a, b))
			return false;
	return true;
}

static bool same_listens(const struct config *a, const struct config *b)
{
	if (a->n_listens != b->n_listens)
		return false;
	for (size_t i = 0; i < a->n_listens; i++)
		if (strcmp(a->listens[i].name, b->listens[i].name) != 0 ||
		    !same_section(SCHEMA_LISTEN, &a->listens[i],
				  &b->listens[i]))
			return false;
	return true;
}

static void add_name(char *out, size_t room, const char *section,
		     const char *name)
{
	size_t n = strlen(out);

	snprintf(out + n, room - n, "%s%s%s%s", n ? ", " : "", section,
		 *section && *name ? "." : "", name);
}

void config_needs_restart(const struct config *old, const struct config *new_,
			  char *out, size_t room)
{
	out[0] = '\0';
	if (!same_listens(old, new_))
		add_name(out, room, "listen", "");
	for (size_t i = 0; i < schema_n_options; i++) {
		const struct schema_option *o = &schema_options[i];
		const struct schema_section *s = &schema_sections[o->section];

		if (s->titled || !(o->flags & SCHEMA_RESTART) ||
		    same_value(o, (const char *)old + s->at,
			       (const char *)new_ + s->at))
			continue;
		add_name(out, room, s->name, o->name);
	}
}
