#include <stdio.h>
#include <string.h>

#include "mxhold/base/mem.h"
#include "mxhold/control/query_inner.h"

enum {
	SAMPLE = 5, /* messages shown before an acting command asks */
	AGE_BUCKETS = 8,
};

struct listing {
	struct buf *out;
	bool full;
};

/* queue list */

static void list_one(struct query *q, const struct queue_message *m, void *data)
{
	struct listing *l = data;
	json_t *row = present_message(m, q->config);

	l->full |= protocol_append_row(l->out, row) < 0;
	json_decref(row);
}

enum query_more query_step_list(struct query *q, struct buf *out)
{
	struct listing l = {.out = out};
	bool failed;
	enum query_more more = query_page(q, list_one, &l, &failed);

	if (failed || l.full)
		return query_failed(out);
	if (more == QUERY_MORE)
		return QUERY_MORE;
	if (q->matched == 0 && filter_chooses(&q->filter) && !q->filter.all)
		return query_end(out, EXIT_NO_MATCH, "no message matches");
	return query_end(out, EXIT_DONE, NULL);
}

/* queue count */

static void count_one(struct query *q, const struct queue_message *m,
		      void *data)
{
	(void)q;
	(void)m;
	(void)data;
}

static enum query_more end_count(struct query *q, struct buf *out,
				 uint64_t messages, uint64_t bytes)
{
	json_t *r = json_pack("{s:i,s:I,s:I}", "v", 1, "messages",
			      (json_int_t)messages, "bytes", (json_int_t)bytes);

	(void)q;
	protocol_append_result(out, r);
	json_decref(r);
	return query_end(out, EXIT_DONE, NULL);
}

/* Counters know the sums of all and of each domain. */
static int counted(struct query *q, struct queue_counts *c)
{
	uint32_t dest;
	int rc;

	*c = (struct queue_counts){0};
	if (!q->filter.domain)
		return reader_counts(q->reader, c);
	rc = reader_dest_find(q->reader, DEST_DOMAIN, q->filter.domain, &dest);
	return rc == 0 ? reader_dest_counts(q->reader, dest, c) : rc;
}

enum query_more query_step_count(struct query *q, struct buf *out)
{
	struct queue_counts c;
	bool failed;

	if (filter_is_counted(&q->filter)) {
		if (counted(q, &c) < 0)
			return query_failed(out);
		return end_count(q, out, c.messages, c.bytes);
	}
	if (query_page(q, count_one, NULL, &failed) == QUERY_MORE)
		return QUERY_MORE;
	if (failed)
		return query_failed(out);
	return end_count(q, out, q->matched, q->bytes);
}

/* queue ages */

struct query_age {
	uint64_t messages, bytes, buckets[AGE_BUCKETS];
	int64_t oldest_ms;
};

static const int64_t bounds_s[AGE_BUCKETS - 1] = {
	300, 900, 3600, 4 * 3600, 86400, 4 * 86400, 14 * 86400};

static void age_one(struct query *q, const struct queue_message *m, void *data)
{
	struct slice domain = present_domain(m);
	struct query_age *a = map_get(&q->ages, domain);
	int64_t age_s = (q->now_ms - m->env.arrived_at_ms) / 1000;
	size_t i = 0;

	(void)data;
	if (!a) {
		a = mem_alloc(sizeof(*a));
		map_put(&q->ages, domain, a);
	}
	while (i < AGE_BUCKETS - 1 && age_s >= bounds_s[i])
		i++;
	a->buckets[i]++;
	a->messages++;
	a->bytes += m->size;
	if (!a->oldest_ms || m->env.arrived_at_ms < a->oldest_ms)
		a->oldest_ms = m->env.arrived_at_ms;
}

struct age_rows {
	struct query *q;
	struct buf *out;
};

static int age_row(void *data, struct slice domain, void *value)
{
	struct age_rows *rows = data;
	const struct query_age *a = value;
	json_t *buckets = json_array(), *row;

	for (size_t i = 0; i < AGE_BUCKETS; i++) {
		json_int_t below =
			i < AGE_BUCKETS - 1 ? (json_int_t)bounds_s[i] : 0;

		json_array_append_new(buckets,
				      json_pack("{s:I,s:I}", "below_s", below,
						"messages",
						(json_int_t)a->buckets[i]));
	}
	row = json_pack("{s:o,s:I,s:I,s:I,s:o}", "domain",
			protocol_text(domain), "messages",
			(json_int_t)a->messages, "bytes", (json_int_t)a->bytes,
			"oldest_age_s",
			(json_int_t)((rows->q->now_ms - a->oldest_ms) / 1000),
			"ages", buckets);
	protocol_append_row(rows->out, row);
	json_decref(row);
	return 0;
}

enum query_more query_step_ages(struct query *q, struct buf *out)
{
	struct age_rows rows = {q, out};
	bool failed;

	if (query_page(q, age_one, NULL, &failed) == QUERY_MORE)
		return QUERY_MORE;
	if (failed)
		return query_failed(out);
	map_each(&q->ages, age_row, &rows);
	if (q->matched == 0 && filter_chooses(&q->filter) && !q->filter.all)
		return query_end(out, EXIT_NO_MATCH, "no message matches");
	return query_end(out, EXIT_DONE, NULL);
}

void query_ages_done(struct query *q)
{
	map_done(&q->ages, mem_free);
}

/* What an acting command is about to change */

static void select_one(struct query *q, const struct queue_message *m,
		       void *data)
{
	(void)data;
	if (json_array_size(q->sample) < SAMPLE)
		json_array_append_new(q->sample, present_sample(m));
}

enum query_more query_step_select(struct query *q, struct buf *out)
{
	char until[ID_TEXT_LEN + 1];
	bool failed;
	json_t *r;

	if (query_page(q, select_one, NULL, &failed) == QUERY_MORE)
		return QUERY_MORE;
	if (failed)
		return query_failed(out);
	if (q->matched == 0)
		return query_end(
			out, EXIT_NO_MATCH,
			"no message matches that this would change (perhaps "
			"it is so already)");
	id_format(q->after, until);
	r = json_pack("{s:i,s:I,s:I,s:O,s:s}", "v", 1, "messages",
		      (json_int_t)q->matched, "bytes", (json_int_t)q->bytes,
		      "sample", q->sample, "until", until);
	protocol_append_result(out, r);
	json_decref(r);
	return query_end(out, EXIT_DONE, NULL);
}
