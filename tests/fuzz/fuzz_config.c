/*
 * The configuration behind libConfuse: from what was written to the values,
 * through the whole table of options. Complaints have no controls but line
 * ends. What is found good, dumped in the file's own syntax, is read (by
 * libConfuse, too) without complaint and dumps the same again.
 *
 * Input: lines. "[kind title]" begins a section, "[.kind]" one in the last
 * domain; "name=a|b" is an option. Octet 1 stands for an LF in a value.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "mxhold/base/text.h"
#include "mxhold/config/build.h"

struct reading {
	struct pool scratch;
	struct complaints complaints;
	struct tree tree;
	struct config *config;
};

/* --- a tree from the input --------------------------------------------- */

struct writing {
	struct tree *tree;
	struct tree_section *section, *domain;
	int line;
};

static char *copy(struct writing *w, struct slice s)
{
	char *out = pool_strndup(w->tree->pool, s.n ? s.p : "", s.n);

	for (char *p = out; *p; p++)
		if (*p == 1)
			*p = '\n';
	return out;
}

static void add_section(struct writing *w, const struct schema_section *kind,
			const char *title, struct tree_section *parent)
{
	struct tree_section *s = pool_array(w->tree->pool, 1, sizeof(*s));

	s->kind = kind;
	s->title = kind->titled ? pool_strdup(w->tree->pool, title) : NULL;
	s->at = (struct place){"fuzz.conf", w->line};
	s->parent = parent;
	*w->tree->tail = s;
	w->tree->tail = &s->next;
	w->section = s;
	if (kind->id == SCHEMA_DOMAIN)
		w->domain = s;
}

static void take_section(struct writing *w, struct slice line)
{
	ptrdiff_t end = slice_index(line, ']'), blank;
	bool inner = line.n && line.p[0] == '.';
	const struct schema_section *kind;
	const char *name, *title = "";

	line = slice_head(slice_skip(line, inner), end < 0 ? 0 : (size_t)end);
	blank = slice_index(line, ' ');
	if (blank >= 0)
		title = copy(w, slice_skip(line, (size_t)blank + 1));
	name = copy(w, slice_head(line, blank < 0 ? line.n : (size_t)blank));
	kind = schema_section(name);
	if (!kind || (inner && (!kind->in_domain || !w->domain)))
		return;
	add_section(w, kind, title, inner ? w->domain : NULL);
}

/* The last of several counts, as in libConfuse. */
static struct tree_value *value_of(struct writing *w,
				   const struct schema_option *o)
{
	struct tree_value *v = (void *)tree_value(w->section, o->name);

	if (!v) {
		v = pool_array(w->tree->pool, 1, sizeof(*v));
		v->option = o;
		v->next = w->section->values;
		w->section->values = v;
	}
	v->at = (struct place){"fuzz.conf", w->line};
	return v;
}

static void set_texts(struct writing *w, struct tree_value *v, struct slice s)
{
	bool list = schema_is_list(v->option);

	v->texts = pool_array(w->tree->pool, s.n + 2, sizeof(*v->texts));
	v->n = 0;
	while (list && s.n) {
		ptrdiff_t bar = slice_index(s, '|');
		size_t n = bar < 0 ? s.n : (size_t)bar;

		v->texts[v->n++] = copy(w, slice_head(s, n));
		s = slice_skip(s, n + 1);
	}
	if (!list)
		v->texts[v->n++] = copy(w, s);
}

/* Our host's name is none of the input's business: it would be looked up. */
static bool is_left_out(const struct schema_option *o, struct slice value)
{
	return strcmp(o->name, "hostname") == 0 &&
	       slice_starts_nocase(value, SLICE("auto"));
}

static void take_option(struct writing *w, struct slice line, size_t equals)
{
	struct slice value = slice_skip(line, equals + 1);
	const struct schema_option *o = schema_find(
		w->section->kind->id, copy(w, slice_head(line, equals)));

	if (o && !is_left_out(o, value))
		set_texts(w, value_of(w, o), value);
}

static void write_tree(struct tree *t, struct slice in)
{
	struct writing w = {.tree = t};

	add_section(&w, &schema_sections[SCHEMA_TOP], NULL, NULL);
	take_option(&w, SLICE("hostname=mx2.example.com"), 8);
	while (in.n) {
		ptrdiff_t lf = slice_index(in, '\n');
		struct slice line = slice_head(in, lf < 0 ? in.n : (size_t)lf);
		ptrdiff_t equals = slice_index(line, '=');

		w.line++;
		in = slice_skip(in, line.n + 1);
		if (line.n && line.p[0] == '[')
			take_section(&w, slice_skip(line, 1));
		else if (equals > 0)
			take_option(&w, line, (size_t)equals);
	}
}

/* --- reading ----------------------------------------------------------- */

static void begin(struct reading *r)
{
	struct pool pool = {0}, *owned;

	*r = (struct reading){.config = NULL};
	complaints_init(&r->complaints);
	tree_init(&r->tree, &r->scratch, &r->complaints);
	owned = pool_array(&pool, 1, sizeof(*owned));
	*owned = pool;
	r->config = pool_array(owned, 1, sizeof(*r->config));
	r->config->file = pool_strdup(owned, "fuzz.conf");
	r->config->owned = owned;
	map_init(&r->config->domain_index);
	atomic_init(&r->config->refs, 1);
}

/* What config_load does with a tree; no folder of more files is read. */
static void build(struct reading *r)
{
	struct builder b = {
		.tree = &r->tree,
		.complaints = &r->complaints,
		.pool = r->config->owned,
		.c = r->config,
		.peek = true,
	};

	build_config(&b);
	check_config(&b);
}

static void end(struct reading *r)
{
	config_unref(r->config);
	complaints_done(&r->complaints);
	pool_done(&r->scratch);
}

static void check_complaints(const struct complaints *c)
{
	struct slice s = buf_slice(&c->text);
	unsigned lines = 0;

	FUZZ_CHECK(text_is_utf8(s));
	for (size_t i = 0; i < s.n; i++) {
		unsigned char octet = (unsigned char)s.p[i];

		lines += octet == '\n';
		FUZZ_CHECK(octet == '\n' || (octet >= ' ' && octet != 127));
	}
	FUZZ_CHECK(lines <= c->errors + c->warnings);
	FUZZ_CHECK(lines > 0 || c->errors + c->warnings == 0);
}

static void read_file(struct reading *r, const char *text)
{
	int fd = memfd_create("fuzz.conf", MFD_CLOEXEC);
	size_t n = strlen(text);
	char path[64];

	FUZZ_CHECK(fd >= 0 && write(fd, text, n) == (ssize_t)n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	begin(r);
	tree_read(&r->tree, path);
	close(fd);
	FUZZ_CHECK(r->complaints.errors == 0 && !r->tree.broken);
	build(r);
	FUZZ_CHECK(r->complaints.errors == 0);
}

/* Reads `text` and compares what it comes to with the dump `want`. */
static void check_dump(char *text, const char *want)
{
	struct reading again;
	char *dump;

	FUZZ_CHECK(text != NULL);
	read_file(&again, text);
	dump = config_dump(again.config);
	FUZZ_CHECK(dump != NULL && strcmp(dump, want) == 0);
	free(dump);
	free(text);
	end(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reading r;
	char *dump;

	begin(&r);
	write_tree(&r.tree, slice_make(data, size));
	build(&r);
	check_complaints(&r.complaints);
	if (r.complaints.errors == 0) {
		dump = config_dump(r.config);
		FUZZ_CHECK(dump != NULL);
		check_dump(strdup(dump), dump);
		check_dump(config_dump_own(r.config), dump);
		free(dump);
	}
	end(&r);
	return 0;
}
