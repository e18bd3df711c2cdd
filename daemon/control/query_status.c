#include <stdio.h>
#include <string.h>

#include "mxhold/base/mem.h"
#include "mxhold/base/text.h"
#include "mxhold/control/advice.h"
#include "mxhold/control/query_inner.h"

/* What the directory remembers of the primaries. */

static void view_of_record(struct primary_view *v, const struct peer_record *r)
{
	v->health.state = peer_record_state(r, &v->held);
	v->health.since_ms = r->since_ms;
	v->health.up_total_ms = r->up_ms;
	v->last_probe_ms = r->last_probe_ms;
	v->last_probe_took_ms = r->last_probe_took_ms;
	snprintf(v->last_result, sizeof(v->last_result), "%s", r->last_result);
	v->ehlo_ext = r->ehlo_ext;
	v->ehlo_size = r->ehlo_size;
	for (size_t i = 0; i < MX_MIN(r->n_good, PEER_HOSTS_MAX); i++) {
		v->good[i].addr.family = r->good[i].family;
		memcpy(v->good[i].addr.bytes, r->good[i].bytes, 16);
		v->good[i].port = r->good[i].port;
		v->n_good = i + 1;
	}
}

void query_live_stored(struct query_live *live, const struct config *config,
		       struct directory *directory)
{
	*live = (struct query_live){.directory = directory,
				    .n_primaries = config->n_primaries};
	live->primaries =
		mem_array(config->n_primaries + 1, sizeof(*live->primaries));
	for (size_t i = 0; i < config->n_primaries; i++) {
		struct primary_view *v = &live->primaries[i].view;
		struct peer_record r = {0};

		snprintf(v->name, sizeof(v->name), "%s",
			 config->primaries[i]->name);
		if (directory &&
		    directory_peer_get(directory, v->name, &r) == 0)
			view_of_record(v, &r);
	}
}

void query_live_done(struct query_live *live)
{
	mem_free(live->primaries);
	*live = (struct query_live){0};
}

static int note_due(struct query *q, uint32_t dest, struct present_primary *out)
{
	int64_t due_ms;
	int rc = reader_next_due(q->reader, dest, &due_ms);

	if (rc == 0 && (!out->next_due_ms || due_ms < out->next_due_ms))
		out->next_due_ms = due_ms;
	return rc;
}

/* Sums of the domains of a primary. */
static int counts_of(struct query *q, const char *primary,
		     struct present_primary *out)
{
	struct queue_counts *sum = &out->counts;

	for (size_t i = 0; i < q->config->n_domains; i++) {
		const struct config_domain *d = &q->config->domains[i];
		struct queue_counts c = {0};
		uint32_t dest;
		int rc;

		if (strcmp(d->primary->name, primary) != 0)
			continue;
		rc = reader_dest_find(q->reader, DEST_DOMAIN, d->name, &dest);
		if (rc == 0)
			rc = reader_dest_counts(q->reader, dest, &c);
		if (rc == 0 && c.messages)
			rc = note_due(q, dest, out);
		if (rc < 0)
			return -1;
		sum->messages += c.messages;
		sum->bytes += c.bytes;
		if (c.oldest_ms &&
		    (!sum->oldest_ms || c.oldest_ms < sum->oldest_ms))
			sum->oldest_ms = c.oldest_ms;
	}
	return 0;
}

static int fill_primary(struct query *q, const struct query_primary *from,
			struct present_primary *out)
{
	*out = (struct present_primary){
		.view = &from->view,
		.relay = from->has_relay ? &from->relay : NULL,
		.now_ms = q->now_ms,
	};
	return counts_of(q, from->view.name, out);
}

/* status */

static json_t *disk_of(struct query *q)
{
	struct store_space s;
	json_int_t percent = 0;

	store_space(q->store, &s);
	if (s.disk_total)
		percent = (json_int_t)((double)(s.disk_total - s.disk_free) *
				       100.0 / (double)s.disk_total);
	return json_pack("{s:I,s:I,s:I,s:I,s:I}", "used_percent", percent,
			 "free_bytes", (json_int_t)s.disk_free,
			 "queue_file_bytes", (json_int_t)s.file_bytes,
			 "queue_used_bytes", (json_int_t)s.used,
			 "queue_max_bytes", (json_int_t)s.max_bytes);
}

static void add_alarm(json_t *alarms, const char *text)
{
	json_array_append_new(alarms, protocol_text(slice_str(text)));
}

static json_t *primaries_of(struct query *q, json_t *alarms)
{
	json_t *out = json_array();
	char text[ADVICE_ALARM_MAX];

	for (size_t i = 0; i < q->live.n_primaries; i++) {
		struct present_primary p;

		if (fill_primary(q, &q->live.primaries[i], &p) < 0) {
			json_decref(out);
			return NULL;
		}
		json_array_append_new(out, present_primary(&p));
		if (advice_alarm(&p, text))
			add_alarm(alarms, text);
	}
	return out;
}

enum query_more query_step_status(struct query *q, struct buf *out)
{
	json_t *alarms = json_array(), *primaries = primaries_of(q, alarms), *r;
	struct queue_counts all = {0};
	int64_t started = q->live.started_ms;

	if (!primaries || reader_counts(q->reader, &all) < 0) {
		json_decref(primaries);
		json_decref(alarms);
		return query_failed(out);
	}
	for (size_t i = 0; i < q->live.n_alarms; i++)
		add_alarm(alarms, q->live.alarms[i]);
	r = json_pack("{s:i,s:s,s:s,s:b,s:I,s:o,s:o,s:o,s:o}", "v", 1,
		      "hostname", q->config->hostname, "version", MX_VERSION,
		      "running", started != 0, "uptime_s",
		      (json_int_t)(started ? (q->now_ms - started) / 1000 : 0),
		      "queue", present_counts(&all, q->now_ms), "primaries",
		      primaries, "disk", disk_of(q), "alarms", alarms);
	protocol_append_result(out, r);
	json_decref(r);
	return query_end(out, EXIT_DONE, NULL);
}

/* primary list, primary show */

enum query_more query_step_primary_list(struct query *q, struct buf *out)
{
	for (size_t i = 0; i < q->live.n_primaries; i++) {
		struct present_primary p;
		json_t *row;

		if (fill_primary(q, &q->live.primaries[i], &p) < 0)
			return query_failed(out);
		row = present_primary(&p);
		protocol_append_row(out, row);
		json_decref(row);
	}
	return query_end(out, EXIT_DONE, NULL);
}

void query_not_a_primary(const struct config_domain *d, char out[512])
{
	snprintf(out, 512, "\"%.120s\" is a domain; its primary is \"%.250s\"",
		 d->name, d->primary->name);
}

static enum query_more no_such_primary(struct query *q, struct buf *out,
				       const char *name)
{
	const struct config_domain *d = query_find_domain(q->config, name);
	char text[512];

	if (d) {
		query_not_a_primary(d, text);
		return query_end(out, EXIT_NO_MATCH, text);
	}
	snprintf(text, sizeof(text), "there is no primary \"%s\"", name);
	for (size_t i = 0; i < q->live.n_primaries; i++)
		if (text_distance(name, q->live.primaries[i].view.name) <= 3)
			snprintf(text, sizeof(text),
				 "there is no primary \"%s\"; did you mean "
				 "\"%s\"?",
				 name, q->live.primaries[i].view.name);
	return query_end(out, EXIT_NO_MATCH, text);
}

enum query_more query_step_primary_show(struct query *q, struct buf *out)
{
	const char *name = json_string_value(json_object_get(q->args, "name"));
	struct present_primary p;
	json_t *r;

	if (!name)
		return query_end(out, EXIT_USAGE, "which primary?");
	for (size_t i = 0; i < q->live.n_primaries; i++) {
		if (strcmp(q->live.primaries[i].view.name, name) != 0)
			continue;
		if (fill_primary(q, &q->live.primaries[i], &p) < 0)
			return query_failed(out);
		r = present_primary_whole(&p, q->config);
		protocol_append_result(out, r);
		json_decref(r);
		return query_end(out, EXIT_DONE, NULL);
	}
	return no_such_primary(q, out, name);
}

/* breaker show: of one primary or domain, or of all. */

static bool is_named(const struct query *q, const char *primary,
		     const char *name)
{
	const struct config_domain *d;

	if (!name || !*name || strcmp(name, primary) == 0)
		return true;
	d = query_find_domain(q->config, name);
	return d && strcmp(d->primary->name, primary) == 0;
}

enum query_more query_step_breakers(struct query *q, struct buf *out)
{
	const char *name = json_string_value(json_object_get(q->args, "name"));
	bool found = false;

	for (size_t i = 0; i < q->live.n_primaries; i++) {
		struct present_primary p;
		json_t *row;

		if (!is_named(q, q->live.primaries[i].view.name, name))
			continue;
		if (fill_primary(q, &q->live.primaries[i], &p) < 0)
			return query_failed(out);
		if (!p.relay)
			return query_end(out, EXIT_UNREACHABLE,
					 "no daemon answers; one that starts "
					 "has all breakers closed");
		row = present_breaker(&p);
		protocol_append_row(out, row);
		json_decref(row);
		found = true;
	}
	return found || !name ? query_end(out, EXIT_DONE, NULL)
			      : no_such_primary(q, out, name);
}
