#include "mxhold/receive/recipients_load.h"

#include <errno.h>
#include <stdio.h>

#include "mxhold/base/buf.h"
#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/siphash.h"
#include "mxhold/config/source.h"
#include "mxhold/receive/recipients.h"
#include "mxhold/receive/recipients_settle.h"
#include "mxhold/receive/recipients_source.h"

enum {
	/* A confirmation that changes nothing else is written so often. */
	CONFIRM_MS = 60 * 1000,
};

struct source {
	struct source_state was, is;
	bool is_tried, is_read;
	bool has_hash, has_salt;
	uint64_t salt; /* of its salt, for its sum */
};

struct loading {
	struct directory *directory;
	const struct config_domain *domain;
	const struct recipients_asked *asked;
	struct directory_load *load;
	struct recipients_sink sink;
	struct buf salt;
	bool has_salt;
	struct source *sources, *reading;
	/* what is in force, and what is known of it */
	struct directory_list list;
	struct list_state was, is;
	uint64_t fingerprint;
	bool is_settled;
	int64_t now_ms;
};

/* ---- entries ---- */

static int on_entry(void *data, struct slice entry)
{
	struct loading *l = data;

	l->reading->has_hash |= slice_starts_nocase(entry, SLICE("sha256:"));
	return directory_load_add(l->load, entry);
}

/* One salt for the whole list: the hashes could not be looked up else. */
static int on_salt(void *data, struct slice salt)
{
	static const uint64_t key[2] = {0x6d78686f6c64, 0x73616c74};
	struct loading *l = data;

	l->reading->has_salt = true;
	l->reading->salt = siphash(key, salt);
	if (l->has_salt)
		return slice_eq(buf_slice(&l->salt), salt) ? 0 : -1;
	l->has_salt = true;
	if (buf_append_slice(&l->salt, salt))
		return -1;
	return directory_load_salt(l->load, salt);
}

/* ---- sources ---- */

static void keep_validators(struct source_state *s,
			    const struct fetch_validators *v)
{
	snprintf(s->etag, sizeof(s->etag), "%s", v->etag);
	snprintf(s->modified, sizeof(s->modified), "%s", v->modified);
}

static enum source_read read_with(struct loading *l, struct source *s,
				  const char *text, bool whole,
				  struct error *err)
{
	struct fetch_validators v;
	struct source_reading r = {
		.domain = l->domain,
		.source = text,
		.sink = &l->sink,
		.validators = &v,
		.unconditional = whole,
		.cancelled = l->asked->cancelled,
	};
	uint64_t entries = l->sink.entries;
	uint64_t sum = directory_load_sum(l->load);
	enum source_read got;

	snprintf(v.etag, sizeof(v.etag), "%s", s->was.etag);
	snprintf(v.modified, sizeof(v.modified), "%s", s->was.modified);
	got = recipients_source_read(&r, err);
	if (got != SOURCE_READ)
		return got;
	keep_validators(&s->is, &v);
	s->is.entries = l->sink.entries - entries;
	s->is.sum = directory_load_sum(l->load) - sum + s->salt;
	return got;
}

/* Whole: also when it is the same as before. 0 or -1. */
static int read_source(struct loading *l, size_t i, bool whole,
		       struct error *err)
{
	struct source *s = &l->sources[i];
	const char *text = l->domain->recipients.v[i];
	enum source_read got;

	if (s->is_read)
		return 0;
	/* The fingerprint has told already. */
	if (!whole && config_source_kind(text) == SOURCE_FILE)
		return 0;
	l->reading = s;
	s->is_tried = true;
	s->is = s->was;
	s->is.problem[0] = '\0';
	got = read_with(l, s, text, whole, err);
	s->is_read = got == SOURCE_READ;
	if (got == SOURCE_FAILED)
		snprintf(s->is.problem, sizeof(s->is.problem), "%.255s",
			 err->text);
	return got == SOURCE_FAILED ? -1 : 0;
}

static bool is_changed(const struct loading *l)
{
	for (size_t i = 0; i < l->domain->recipients.n; i++) {
		const struct source *s = &l->sources[i];

		if (s->is_read && s->is.sum != s->was.sum)
			return true;
	}
	return false;
}

static bool knows_all_sources(const struct loading *l)
{
	for (size_t i = 0; i < l->domain->recipients.n; i++)
		if (l->sources[i].was.good_ms == 0)
			return false;
	return true;
}

/* Can what is in force be what they say, before anything is read? */
static bool may_be_same(const struct loading *l)
{
	return l->list.has_sum && l->fingerprint &&
	       l->fingerprint == l->was.fingerprint && !l->was.refused &&
	       knows_all_sources(l);
}

/* Nobody in a source without the salt of the others would ever be found. */
static int check_salts(struct loading *l, struct error *err)
{
	char label[SOURCE_LABEL_MAX];

	for (size_t i = 0; l->salt.n > 0 && i < l->domain->recipients.n; i++) {
		struct source *s = &l->sources[i];

		if (!s->has_hash || s->has_salt)
			continue;
		config_source_label(l->domain->recipients.v[i], label);
		error_set(err,
			  "%s: hashes without the salt that another source has",
			  label);
		snprintf(s->is.problem, sizeof(s->is.problem), "%.255s",
			 err->text);
		return -1;
	}
	return 0;
}

static int read_all(struct loading *l, bool whole, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; i < l->domain->recipients.n && !rc; i++)
		rc = read_source(l, i, whole, err);
	return rc ? rc : check_salts(l, err);
}

/* 0 with *is_same, or -1. */
static int read_sources(struct loading *l, bool *is_same, struct error *err)
{
	bool whole = !may_be_same(l);

	if (read_all(l, whole, err))
		return -1;
	*is_same = !whole && !is_changed(l);
	return whole || *is_same ? 0 : read_all(l, true, err);
}

/* ---- is it to be believed? ---- */

static enum recipients_looked
refuse(struct loading *l, const struct recipients_loaded *n, struct error *err)
{
	if (n->entries == 0 && n->foreign > 0)
		error_set(err, "holds addresses of other domains only");
	else if (n->entries == 0)
		error_set(err, "holds no address");
	else
		error_set(err,
			  "would shrink from %llu to %llu entries, "
			  "max_shrink allows %u %%",
			  (unsigned long long)n->before,
			  (unsigned long long)n->entries,
			  l->domain->max_shrink);
	l->is.accepted = false;
	l->is.refused = true;
	l->is.refused_entries = n->entries;
	l->is.refused_sum = directory_load_sum(l->load);
	l->is.refused_ms = l->now_ms;
	return RECIPIENTS_REFUSED;
}

/* The least that is taken without being confirmed. A list that was confirmed
 * stands in for the one in force, until one is taken. */
static uint64_t least(const struct loading *l)
{
	uint64_t n = l->list.entries, shrink = l->domain->max_shrink;

	if (l->is.accepted)
		n = MX_MIN(n, l->is.refused_entries);
	if (n == 0)
		return l->is.accepted ? 0 : 1;
	n -= n / 100 * shrink + n % 100 * shrink / 100;
	return MX_MAX(n, (uint64_t)1);
}

static bool was_refused(const struct loading *l)
{
	return l->is.refused && !l->is.accepted &&
	       l->is.refused_sum == directory_load_sum(l->load);
}

/* Takes l->load. */
static enum recipients_looked finish(struct loading *l, struct error *err)
{
	struct directory_load *load = l->load;

	l->load = NULL;
	return directory_load_finish(load, l->now_ms, err) ? RECIPIENTS_FAILED
							   : RECIPIENTS_TAKEN;
}

static enum recipients_looked
take(struct loading *l, struct recipients_loaded *n, struct error *err)
{
	n->entries = l->sink.entries;
	n->foreign = l->sink.foreign;
	if (l->list.has_sum && l->list.sum == directory_load_sum(l->load)) {
		n->entries = l->list.entries;
		return RECIPIENTS_SAME;
	}
	if (was_refused(l)) {
		n->entries = l->is.refused_entries;
		return refuse(l, n, err);
	}
	if (n->entries == 0 && least(l) > 0)
		return refuse(l, n, err);
	if (directory_load_write(l->load, err))
		return RECIPIENTS_FAILED;
	n->entries = directory_load_count(l->load);
	if (n->entries < least(l))
		return refuse(l, n, err);
	return finish(l, err);
}

static enum recipients_looked
look(struct loading *l, struct recipients_loaded *n, struct error *err)
{
	bool is_same = false, is_settled;

	if (l->asked->accept && l->is.refused)
		l->is.accepted = true;
	if (!l->load) {
		error_set(err, "the directory cannot be written");
		return RECIPIENTS_FAILED;
	}
	if (read_sources(l, &is_same, err))
		return RECIPIENTS_FAILED;
	if (recipients_fingerprint(l->domain, &is_settled) != l->fingerprint) {
		error_set(err, "a file changed while it was read");
		err->sys = EAGAIN;
		return RECIPIENTS_FAILED;
	}
	return is_same ? RECIPIENTS_SAME : take(l, n, err);
}

/* ---- what is kept of it ---- */

static void note(struct loading *l, enum recipients_looked what,
		 const struct error *err)
{
	bool is_good = what == RECIPIENTS_TAKEN || what == RECIPIENTS_SAME;

	l->is.tried_ms = l->now_ms;
	l->is.problem[0] = '\0';
	if (!is_good) {
		snprintf(l->is.problem, sizeof(l->is.problem), "%.255s",
			 err->text);
		return;
	}
	l->is.good_ms = l->now_ms;
	l->is.refused = l->is.accepted = false;
	l->is.refused_entries = l->is.refused_sum = 0;
	l->is.refused_ms = 0;
	l->is.fingerprint = l->is_settled ? l->fingerprint : 0;
}

/* Validators and sums tell what is in force, so they change with it alone. */
static void note_source(struct loading *l, struct source *s, bool is_good)
{
	struct source_state *to = &s->was;

	if (!s->is_tried && !is_good)
		return; /* another one failed before it */
	if (is_good && s->is_read)
		*to = s->is;
	to->tried_ms = l->now_ms;
	snprintf(to->problem, sizeof(to->problem), "%s", s->is.problem);
	if (!to->problem[0])
		to->good_ms = l->now_ms;
}

static bool is_worth_writing(const struct loading *l,
			     enum recipients_looked what)
{
	return what != RECIPIENTS_SAME || l->was.problem[0] || l->was.refused ||
	       l->was.fingerprint != l->is.fingerprint ||
	       l->now_ms - l->was.tried_ms >= CONFIRM_MS ||
	       l->was.tried_ms > l->now_ms;
}

/* That it cannot be kept is no reason to refuse a list. */
static void write_state(struct loading *l, enum recipients_looked what)
{
	bool is_good = what == RECIPIENTS_TAKEN || what == RECIPIENTS_SAME;
	size_t n = l->domain->recipients.n;
	struct source_state *all;

	if (!is_worth_writing(l, what))
		return;
	all = mem_array(n + 1, sizeof(*all));
	for (size_t i = 0; i < n; i++) {
		note_source(l, &l->sources[i], is_good);
		all[i] = l->sources[i].was;
	}
	directory_state_put(l->directory, l->domain->name, &l->is, all, n,
			    NULL);
	mem_free(all);
}

/* ---- the whole ---- */

static void begin(struct loading *l, struct directory *d,
		  const struct config_domain *domain,
		  const struct recipients_asked *asked)
{
	size_t n = domain->recipients.n;

	*l = (struct loading){.directory = d, .domain = domain, .asked = asked};
	l->sink = (struct recipients_sink){
		.on_entry = on_entry, .on_salt = on_salt, .data = l};
	buf_init(&l->salt, RECIPIENTS_LINE_MAX);
	l->now_ms = clock_wall_ms();
	l->fingerprint = recipients_fingerprint(domain, &l->is_settled);
	directory_list_get(d, domain->name, &l->list);
	directory_state_get(d, domain->name, &l->was);
	l->is = l->was;
	l->sources = mem_array(n + 1, sizeof(*l->sources));
	for (size_t i = 0; i < n; i++)
		directory_source_get(d, domain->name, domain->recipients.v[i],
				     &l->sources[i].was);
	l->load = directory_load_begin(d, domain->name);
}

static void end(struct loading *l)
{
	directory_load_abort(l->load);
	mem_free(l->sources);
	buf_done(&l->salt);
}

enum recipients_looked recipients_look(struct directory *d,
				       const struct config_domain *domain,
				       const struct recipients_asked *asked,
				       struct recipients_loaded *out,
				       struct error *err)
{
	struct loading l;
	struct error why = {0};
	enum recipients_looked what;

	begin(&l, d, domain, asked);
	*out = (struct recipients_loaded){.before = l.list.entries,
					  .entries = l.list.entries};
	what = look(&l, out, &why);
	if (what != RECIPIENTS_FAILED || why.sys != ECANCELED) {
		note(&l, what, &why);
		write_state(&l, what);
	}
	out->state = l.is;
	end(&l);
	if (err)
		*err = why;
	return what;
}

int recipients_load_counted(struct directory *d,
			    const struct config_domain *domain,
			    struct recipients_loaded *out, struct error *err)
{
	struct recipients_asked asked = {0};
	enum recipients_looked what =
		recipients_look(d, domain, &asked, out, err);

	return what == RECIPIENTS_TAKEN || what == RECIPIENTS_SAME ? 0 : -1;
}

int recipients_load(struct directory *d, const struct config_domain *domain,
		    struct error *err)
{
	struct recipients_loaded n;

	if (domain->recipients.n == 0)
		return 0;
	return recipients_load_counted(d, domain, &n, err);
}

struct directory_load *recipients_gather(struct directory *d,
					 const struct config_domain *domain,
					 const atomic_bool *cancelled,
					 struct error *err)
{
	struct recipients_asked asked = {.cancelled = cancelled};
	struct directory_load *load = NULL;
	struct loading l;
	struct error why = {0};

	begin(&l, d, domain, &asked);
	if (read_all(&l, true, &why) == 0) {
		load = l.load;
		l.load = NULL;
	}
	end(&l);
	if (err)
		*err = why;
	return load;
}
