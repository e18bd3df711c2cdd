/* recipients sync, recipients accept: lists are looked at when asked. */
#include <stdio.h>
#include <string.h>

#include "mxhold/base/mem.h"
#include "mxhold/control/inner.h"
#include "mxhold/control/query_inner.h"

struct asked {
	struct request *request;
	char *domain; /* canonical; NULL = all */
	bool accept;
};

struct outcome {
	size_t good, bad;
	char problem[LIST_PROBLEM_MAX];
};

static struct asked *asked_new(struct request *r, const char *domain,
			       bool accept)
{
	struct asked *a = mem_alloc(sizeof(*a));

	a->request = r;
	a->domain = domain ? mem_strdup(domain) : NULL;
	a->accept = accept;
	return a;
}

static void asked_free(struct asked *a)
{
	mem_free(a->domain);
	mem_free(a);
}

/* --- the answer -------------------------------------------------------- */

static const char *state_of(const struct list_state *s)
{
	if (s->refused)
		return "refused";
	if (s->problem[0])
		return "failed";
	return s->good_ms ? "good" : "unknown";
}

static void give_domain(struct request *r, const struct config_domain *d,
			struct outcome *all)
{
	struct directory *directory = r->control->parts.directory;
	struct directory_list list;
	struct list_state s;
	json_t *row;

	directory_list_get(directory, d->name, &list);
	directory_state_get(directory, d->name, &s);
	row = json_pack(
		"{s:s,s:s,s:I,s:o,s:o,s:o,s:I,s:o}", "domain", d->name, "state",
		state_of(&s), "entries", (json_int_t)list.entries, "loaded_at",
		protocol_time(list.loaded_ms), "tried_at",
		protocol_time(s.tried_ms), "good_at", protocol_time(s.good_ms),
		"refused_entries", (json_int_t)s.refused_entries, "problem",
		protocol_text(slice_str(s.problem)));
	protocol_append_row(&r->out, row);
	json_decref(row);
	*(s.problem[0] ? &all->bad : &all->good) += 1;
	if (s.problem[0])
		snprintf(all->problem, sizeof(all->problem), "%s", s.problem);
}

static bool is_meant(const struct asked *a, const struct config_domain *d)
{
	return d->recipients.n > 0 &&
	       (!a->domain || strcmp(a->domain, d->name) == 0);
}

static void answer(const struct asked *a)
{
	struct request *r = a->request;
	const struct config *c = r->control->parts.config;
	struct outcome all = {0};
	char text[LIST_PROBLEM_MAX + 64];

	for (size_t i = 0; i < c->n_domains; i++)
		if (is_meant(a, &c->domains[i]))
			give_domain(r, &c->domains[i], &all);
	if (all.bad == 0) {
		request_end(r, EXIT_DONE, NULL);
		return;
	}
	if (all.good + all.bad == 1)
		snprintf(text, sizeof(text), "%s", all.problem);
	else
		snprintf(text, sizeof(text),
			 "%zu of %zu lists could not be taken", all.bad,
			 all.good + all.bad);
	request_end(r, all.good ? EXIT_PARTLY : EXIT_FAILED, text);
}

static void on_synced(void *data)
{
	struct asked *a = data;

	if (request_is_wanted(a->request))
		answer(a);
	asked_free(a);
}

/* --- asking ------------------------------------------------------------ */

static const char *domain_arg(const json_t *args)
{
	return json_string_value(json_object_get(args, "domain"));
}

static void no_such_domain(struct request *r, const char *name)
{
	char text[512];

	snprintf(text, sizeof(text), "there is no domain \"%.200s\"",
		 name ? name : "");
	request_end(r, EXIT_NO_MATCH, text);
}

static void ask(struct request *r, const char *domain, bool accept)
{
	const struct control_parts *parts = &r->control->parts;

	r->is_busy = true;
	request_be_patient(r);
	parts->sync(parts->data, domain, accept, on_synced,
		    asked_new(r, domain, accept));
}

void lists_sync(struct request *r, const json_t *args)
{
	const char *name = domain_arg(args);
	const struct config_domain *d =
		query_find_domain(r->control->parts.config, name);

	if (name && !d)
		no_such_domain(r, name);
	else if (d && d->recipients.n == 0)
		request_end(r, EXIT_NO_MATCH,
			    "that domain has no sources but learning");
	else
		ask(r, d ? d->name : NULL, false);
}

void lists_accept(struct request *r, const json_t *args)
{
	const struct control_parts *parts = &r->control->parts;
	const char *name = domain_arg(args);
	const struct config_domain *d = query_find_domain(parts->config, name);
	struct list_state s;

	if (!d) {
		no_such_domain(r, name);
		return;
	}
	directory_state_get(parts->directory, d->name, &s);
	if (s.refused)
		ask(r, d->name, true);
	else
		request_end(r, EXIT_NO_MATCH,
			    "no list of that domain stands refused");
}
