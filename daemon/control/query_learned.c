/* recipients learned: who a domain's primary was seen to have. */
#include <stdio.h>
#include <string.h>

#include "mxhold/base/mem.h"
#include "mxhold/control/query_inner.h"
#include "mxhold/mail/domain.h"
#include "mxhold/storage/directory_learned.h"

static void set_terms(const struct query *q, const struct config_domain *d,
		      struct learned_terms *out)
{
	*out = (struct learned_terms){
		.primary = d->primary->name,
		.learn_ttl = d->learn_ttl,
		.forget_ttl = d->forget_ttl,
	};
	for (size_t i = 0; i < q->live.n_primaries; i++) {
		const struct primary_view *v = &q->live.primaries[i].view;

		if (strcmp(v->name, d->primary->name) == 0)
			out->up_ms =
				q->live.started_ms
					? health_up_ms(&v->health, q->now_ms)
					: v->health.up_total_ms;
	}
}

static json_t *row_of(const struct config_domain *d,
		      const struct learned_row *r)
{
	static const char *const states[] = {
		[LEARNED_TAKEN] = "taken",
		[LEARNED_REFUSED] = "refused",
		[LEARNED_PINNED] = "pinned",
	};
	static const char *const by[] = {
		[LEARNED_BY_FORWARD] = "forward",
		[LEARNED_BY_PROBE] = "probe",
		[LEARNED_BY_OPERATOR] = "operator",
	};
	char address[ADDRESS_MAX + 1 + DOMAIN_MAX];
	json_t *row;

	snprintf(address, sizeof(address), "%s@%s", r->local, d->name);
	row = json_pack("{s:o,s:s,s:s,s:o,s:b}", "address",
			protocol_text(slice_str(address)), "state",
			states[r->kind], "by", by[r->by], "confirmed_at",
			protocol_time(r->wall_ms), "doubted", r->is_doubted);
	json_object_set_new(row, "left_s",
			    r->left_ms < 0 ? json_null()
					   : json_integer(r->left_ms / 1000));
	return row;
}

enum query_more query_step_learned(struct query *q, struct buf *out)
{
	const struct config_domain *d = query_find_domain(
		q->config,
		json_string_value(json_object_get(q->args, "domain")));
	struct learned_row *rows;
	struct learned_terms terms;
	size_t n = 0;
	int more;

	if (!d)
		return query_end(out, EXIT_NO_MATCH, "there is no such domain");
	if (!q->live.directory)
		return query_end(out, EXIT_DONE, NULL);
	set_terms(q, d, &terms);
	rows = mem_array(LEARNED_PAGE, sizeof(*rows));
	more = directory_learned_page(q->live.directory, d->name, &terms,
				      q->after_local, rows, &n);
	for (size_t i = 0; i < n; i++) {
		json_t *row = row_of(d, &rows[i]);

		protocol_append_row(out, row);
		json_decref(row);
	}
	mem_free(rows);
	if (more < 0)
		return query_end(out, EXIT_FAILED,
				 "the directory cannot be read");
	return more ? QUERY_MORE : query_end(out, EXIT_DONE, NULL);
}
