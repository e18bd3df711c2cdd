#include "mxhold/control/filter.h"

#include <stdlib.h>
#include <string.h>

#include "mxhold/base/mem.h"
#include "mxhold/base/text.h"
#include "mxhold/mail/domain.h"

/* Parsing: one small function an option. */

typedef int (*parse_fn)(struct filter *f, const char *text, struct error *err);

static int parse_domain(struct filter *f, const char *text, struct error *err)
{
	char name[DOMAIN_MAX];

	if (domain_canonical(slice_str(text), name) < 0)
		return error_set(err, "--domain: \"%s\" is no domain", text);
	f->domain = mem_strdup(name);
	return 0;
}

static int parse_from(struct filter *f, const char *text, struct error *err)
{
	(void)err;
	f->from = mem_strdup(strcmp(text, "<>") == 0 ? "" : text);
	return 0;
}

static int parse_to(struct filter *f, const char *text, struct error *err)
{
	(void)err;
	f->to = mem_strdup(text);
	return 0;
}

static int parse_reason(struct filter *f, const char *text, struct error *err)
{
	(void)err;
	f->reason = mem_strdup(text);
	return 0;
}

static int parse_client(struct filter *f, const char *text, struct error *err)
{
	f->has_client = true;
	if (cidr_parse(slice_str(text), &f->client) < 0)
		return error_set(err,
				 "--client: \"%s\" is no network, such as "
				 "192.0.2.0/24",
				 text);
	return 0;
}

static int parse_older(struct filter *f, const char *text, struct error *err)
{
	if (text_parse_duration(slice_str(text), &f->older_ms) < 0)
		return error_set(err, "--older: \"%s\" is no duration", text);
	return 0;
}

static int parse_newer(struct filter *f, const char *text, struct error *err)
{
	if (text_parse_duration(slice_str(text), &f->newer_ms) < 0)
		return error_set(err, "--newer: \"%s\" is no duration", text);
	return 0;
}

/* "+1M" and "1M": at least; "-1M": at most. */
static int parse_size(struct filter *f, const char *text, struct error *err)
{
	bool most = *text == '-';
	const char *digits = text + (most || *text == '+');

	if (text_parse_size(slice_str(digits),
			    most ? &f->size_max : &f->size_min) < 0)
		return error_set(err,
				 "--size: \"%s\" is no size, such as +1M or "
				 "-64K",
				 text);
	return 0;
}

static int parse_state(struct filter *f, const char *text, struct error *err)
{
	static const enum queue_state states[] = {QUEUE_READY, QUEUE_RETRY,
						  QUEUE_HELD, QUEUE_QUARANTINE};
	struct slice rest = slice_str(text);

	while (rest.n) {
		ptrdiff_t comma = slice_index(rest, ',');
		struct slice word =
			slice_head(rest, comma < 0 ? rest.n : (size_t)comma);
		unsigned before = f->states;

		for (size_t i = 0; i < MX_ARRAY_SIZE(states); i++)
			if (slice_eq(word,
				     slice_str(queue_state_name(states[i]))))
				f->states |= 1U << states[i];
		if (f->states == before)
			return error_set(err,
					 "--state: \"%.*s\" is not one of "
					 "ready, retry, held, quarantine",
					 (int)word.n, word.p);
		rest = slice_skip(rest, word.n + 1);
	}
	return 0;
}

static int parse_limit(struct filter *f, const char *text, struct error *err)
{
	if (text_parse_u64(slice_str(text), &f->limit) < 0 || f->limit == 0)
		return error_set(err, "--limit: \"%s\" is no number", text);
	return 0;
}

static int parse_until(struct filter *f, const char *text, struct error *err)
{
	if (id_parse(slice_str(text), &f->until) < 0)
		return error_set(err, "until: \"%s\" is no queue id", text);
	return 0;
}

static const struct {
	const char *name;
	parse_fn parse;
} options[] = {
	{"domain", parse_domain}, {"from", parse_from},
	{"to", parse_to},         {"reason", parse_reason},
	{"client", parse_client}, {"older", parse_older},
	{"newer", parse_newer},   {"size", parse_size},
	{"state", parse_state},   {"limit", parse_limit},
	{"until", parse_until},
};

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int parse_ids(struct filter *f, const json_t *ids, struct error *err)
{
	size_t n = json_array_size(ids), kept = 0;

	f->ids = mem_array(n + 1, sizeof(*f->ids));
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(ids, i));

		if (!text || id_parse(slice_str(text), &f->ids[i]) < 0)
			return error_set(err, "\"%s\" is no queue id",
					 text ? text : "?");
	}
	qsort(f->ids, n, sizeof(*f->ids), by_number);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || f->ids[kept - 1] != f->ids[i])
			f->ids[kept++] = f->ids[i];
	f->n_ids = kept;
	return 0;
}

int filter_parse(struct filter *f, const json_t *args, struct error *err)
{
	const json_t *ids = json_object_get(args, "ids");

	*f = (struct filter){.older_ms = -1, .newer_ms = -1};
	f->size_max = UINT64_MAX;
	f->all = json_is_true(json_object_get(args, "all"));
	for (size_t i = 0; i < MX_ARRAY_SIZE(options); i++) {
		const json_t *v = json_object_get(args, options[i].name);

		if (v && !json_is_string(v))
			return error_set(err, "%s is no string",
					 options[i].name);
		if (v && options[i].parse(f, json_string_value(v), err) < 0)
			return -1;
	}
	return ids ? parse_ids(f, ids, err) : 0;
}

void filter_done(struct filter *f)
{
	mem_free(f->ids);
	mem_free(f->domain);
	mem_free(f->from);
	mem_free(f->to);
	mem_free(f->reason);
	*f = (struct filter){0};
}

/* Matching */

static bool has_criteria(const struct filter *f)
{
	return f->from || f->to || f->reason || f->has_client ||
	       f->older_ms >= 0 || f->newer_ms >= 0 || f->size_min ||
	       f->size_max != UINT64_MAX || f->states;
}

bool filter_chooses(const struct filter *f)
{
	return f->all || f->n_ids || f->domain || has_criteria(f);
}

bool filter_is_counted(const struct filter *f)
{
	return !f->n_ids && !has_criteria(f) && !f->limit && !f->until;
}

bool filter_address_is(struct slice address, const char *wanted)
{
	ptrdiff_t at = -1;

	for (size_t i = 0; i < address.n; i++)
		if (address.p[i] == '@')
			at = (ptrdiff_t)i;
	if (*wanted == '@')
		wanted++;
	else if (strchr(wanted, '@') || !*wanted)
		return slice_eq_nocase(address, slice_str(wanted));
	return at >= 0 && slice_eq_nocase(slice_skip(address, (size_t)at + 1),
					  slice_str(wanted));
}

static bool contains(struct slice s, const char *text)
{
	struct slice wanted = slice_str(text);

	for (; s.n >= wanted.n; s = slice_skip(s, 1)) {
		if (slice_starts_nocase(s, wanted))
			return true;
		if (s.n == 0)
			break;
	}
	return false;
}

static bool matches_rcpts(const struct filter *f, const struct queue_message *m)
{
	bool domain = !f->domain, to = !f->to;
	bool reason = !f->reason || contains(m->reason, f->reason);

	for (size_t i = 0; i < m->n_rcpts; i++) {
		const struct queue_rcpt *r = &m->rcpts[i];

		domain = domain ||
			 slice_eq(r->rcpt.domain, slice_str(f->domain));
		to = to || filter_address_is(r->rcpt.address, f->to);
		reason = reason || contains(r->reply, f->reason);
	}
	return domain && to && reason;
}

bool filter_matches(const struct filter *f, const struct queue_message *m,
		    int64_t now_ms)
{
	int64_t age = now_ms - m->env.arrived_at_ms;

	if (f->states && !(f->states & 1U << m->state))
		return false;
	if (m->size < f->size_min || m->size > f->size_max)
		return false;
	if ((f->older_ms >= 0 && age < f->older_ms) ||
	    (f->newer_ms >= 0 && age > f->newer_ms))
		return false;
	if (f->has_client && !cidr_contains(&f->client, &m->env.client.addr))
		return false;
	if (f->from && !filter_address_is(m->env.sender, f->from))
		return false;
	return matches_rcpts(f, m);
}
