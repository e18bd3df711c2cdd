/* recipients list, sources, diff: lists in force, and what they come from. */
#include <stdio.h>
#include <string.h>

#include "mxhold/base/mem.h"
#include "mxhold/config/source.h"
#include "mxhold/control/query_inner.h"
#include "mxhold/mail/domain.h"

enum {
	DOMAINS_A_STEP = 50,
	DIFFERENCES_A_STEP = 500,
};

/* Where a listing of one domain's recipients stands. */
struct query_lists {
	struct directory_page page;
	struct directory_diff *diff;
};

static const char *name_of(const struct query *q)
{
	return json_string_value(json_object_get(q->args, "domain"));
}

const struct config_domain *query_find_domain(const struct config *c,
					      const char *name)
{
	char canonical[DOMAIN_MAX];

	if (!name || domain_canonical(slice_str(name), canonical))
		return NULL;
	return config_domain(c, canonical);
}

static enum query_more no_such_domain(struct query *q, struct buf *out)
{
	char text[512];

	snprintf(text, sizeof(text), "there is no domain \"%.200s\"",
		 name_of(q) ? name_of(q) : "");
	return query_end(out, EXIT_NO_MATCH, text);
}

static struct query_lists *lists_of(struct query *q)
{
	if (!q->lists)
		q->lists = mem_alloc(sizeof(*q->lists));
	return q->lists;
}

void query_lists_done(struct query *q)
{
	if (!q->lists)
		return;
	directory_diff_free(q->lists->diff);
	mem_free(q->lists);
}

/* --- recipients list --------------------------------------------------- */

static const char *kind_of(const char *entry)
{
	if (strcmp(entry, "@") == 0)
		return "all";
	if (entry[0] == '!')
		return "never";
	return strncmp(entry, "sha256:", 7) == 0 && !strchr(entry, '@')
		       ? "hash"
		       : "address";
}

static void give_entry(struct buf *out, const struct config_domain *d,
		       const struct directory_key *key, const char *change)
{
	char entry[DIRECTORY_ENTRY_MAX];
	json_t *row;

	directory_key_text(key, d->name, entry);
	row = json_pack("{s:o,s:s}", "address", protocol_text(slice_str(entry)),
			"kind", kind_of(entry));
	if (change)
		json_object_set_new(row, "change", json_string(change));
	protocol_append_row(out, row);
	json_decref(row);
}

enum query_more query_step_recipients(struct query *q, struct buf *out)
{
	const struct config_domain *d =
		query_find_domain(q->config, name_of(q));
	struct directory_page *page;

	if (!d)
		return no_such_domain(q, out);
	if (!q->live.directory)
		return query_end(out, EXIT_DONE, NULL);
	page = &lists_of(q)->page;
	if (directory_page_next(q->live.directory, d->name, page))
		return query_end(out, EXIT_FAILED,
				 "the directory cannot be read");
	for (size_t i = 0; i < page->n; i++)
		give_entry(out, d, &page->keys[i], NULL);
	return page->n ? QUERY_MORE : query_end(out, EXIT_DONE, NULL);
}

/* --- recipients sources ------------------------------------------------ */

static json_t *text_of(const char *s)
{
	return protocol_text(slice_str(s));
}

static void give_source(struct query *q, struct buf *out,
			const struct config_domain *d, const char *source)
{
	struct source_state s = {0};
	char label[SOURCE_LABEL_MAX];
	json_t *row;

	if (q->live.directory)
		directory_source_get(q->live.directory, d->name, source, &s);
	config_source_label(source, label);
	row = json_pack(
		"{s:s,s:o,s:s,s:s,s:I,s:o,s:o,s:o}", "domain", d->name,
		"source", text_of(label), "kind",
		config_source_kind_name(config_source_kind(source)), "state",
		s.problem[0] ? "failed"
		: s.good_ms  ? "good"
			     : "unknown",
		"entries", (json_int_t)s.entries, "tried_at",
		protocol_time(s.tried_ms), "good_at", protocol_time(s.good_ms),
		"problem", text_of(s.problem));
	protocol_append_row(out, row);
	json_decref(row);
}

static void give_learning(struct buf *out, const struct config_domain *d)
{
	json_t *row = json_pack("{s:s,s:s,s:s,s:s,s:I,s:s,s:s,s:s}", "domain",
				d->name, "source", "learn", "kind", "learn",
				"state", "good", "entries", (json_int_t)0,
				"tried_at", "", "good_at", "", "problem", "");

	protocol_append_row(out, row);
	json_decref(row);
}

static void give_sources(struct query *q, struct buf *out,
			 const struct config_domain *d)
{
	for (size_t i = 0; i < d->recipients.n; i++)
		give_source(q, out, d, d->recipients.v[i]);
	if (d->learn)
		give_learning(out, d);
}

enum query_more query_step_sources(struct query *q, struct buf *out)
{
	const struct config_domain *d =
		query_find_domain(q->config, name_of(q));
	size_t until = q->at + DOMAINS_A_STEP;

	if (name_of(q) && !d)
		return no_such_domain(q, out);
	if (d) {
		give_sources(q, out, d);
		return query_end(out, EXIT_DONE, NULL);
	}
	for (; q->at < q->config->n_domains && q->at < until; q->at++)
		give_sources(q, out, &q->config->domains[q->at]);
	return q->at < q->config->n_domains ? QUERY_MORE
					    : query_end(out, EXIT_DONE, NULL);
}

/* --- recipients diff --------------------------------------------------- */

/* NULL with the end written. */
static struct directory_diff *read_sources(struct query *q, struct buf *out,
					   const struct config_domain *d)
{
	struct directory_load *load = NULL;
	struct directory_diff *diff = NULL;
	struct error err = {0};

	if (d->recipients.n == 0)
		error_set(&err, "%s has no sources but learning", d->name);
	else if (!q->live.directory || !q->live.gather)
		error_set(&err, "there is no directory of recipients yet");
	else
		load = q->live.gather(q->live.gather_data, q->live.directory, d,
				      &err);
	if (load)
		diff = directory_diff_new(load, &err);
	if (!diff)
		query_end(out, EXIT_FAILED, err.text);
	return diff;
}

enum query_more query_step_diff(struct query *q, struct buf *out)
{
	const struct config_domain *d =
		query_find_domain(q->config, name_of(q));
	struct directory_key key;
	bool is_new;
	int more = 1;

	if (!d)
		return no_such_domain(q, out);
	if (!lists_of(q)->diff)
		q->lists->diff = read_sources(q, out, d);
	if (!q->lists->diff)
		return QUERY_DONE;
	for (int i = 0; i < DIFFERENCES_A_STEP && more == 1; i++) {
		more = directory_diff_next(q->lists->diff, &is_new, &key);
		if (more == 1)
			give_entry(out, d, &key, is_new ? "+" : "-");
	}
	if (more == 1)
		return QUERY_MORE;
	return query_end(out, more ? EXIT_FAILED : EXIT_DONE,
			 more ? "the directory cannot be read" : NULL);
}
