#include <stdio.h>
#include <string.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/control/query_inner.h"

enum {
	ARENA_CAP = 256 << 20, /* one message with all its recipients */
};

static const struct query_command commands[] = {
	{"status", false, query_step_status},
	{"primary list", false, query_step_primary_list},
	{"primary show", false, query_step_primary_show},
	{"breaker show", false, query_step_breakers},
	{"queue list", true, query_step_list},
	{"queue count", true, query_step_count},
	{"queue ages", true, query_step_ages},
	{"queue export", true, query_step_export},
	{"queue hold", true, query_step_select},
	{"queue release", true, query_step_select},
	{"queue retry", true, query_step_select},
	{"queue delete", true, query_step_select},
	{"queue expire", true, query_step_select},
	{"queue bounce", true, query_step_select},
	{"quarantine list", true, query_step_list},
	{"quarantine show", false, query_step_show},
	{"quarantine release", true, query_step_select},
	{"quarantine drop", true, query_step_select},
	{"msg show", false, query_step_show},
	{"msg headers", false, query_step_headers},
	{"msg raw", false, query_step_raw},
	{"msg log", false, query_step_log},
	{"trace", false, query_step_trace},
	{"recipients learned", false, query_step_learned},
	{"recipients list", false, query_step_recipients},
	{"recipients sources", false, query_step_sources},
	{"recipients diff", false, query_step_diff},
};

static const struct query_command *find(const char *name)
{
	for (size_t i = 0; i < MX_ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

bool query_knows(const char *command)
{
	return find(command) != NULL;
}

bool query_change(const char *command, enum change *change)
{
	static const struct {
		const char *name;
		enum change change;
	} changes[] = {
		{"queue hold", CHANGE_HOLD},
		{"queue release", CHANGE_RELEASE},
		{"queue retry", CHANGE_RETRY},
		{"queue delete", CHANGE_DELETE},
		{"queue expire", CHANGE_EXPIRE},
		{"queue bounce", CHANGE_BOUNCE},
		{"quarantine release", CHANGE_RELEASE},
		{"quarantine drop", CHANGE_DELETE},
	};

	for (size_t i = 0; i < MX_ARRAY_SIZE(changes); i++) {
		if (strcmp(changes[i].name, command) != 0)
			continue;
		*change = changes[i].change;
		return true;
	}
	return false;
}

bool query_is_quarantine(const struct query *q)
{
	return strncmp(q->command->name, "quarantine ", 11) == 0;
}

bool query_acts(const struct query *q, enum change *change)
{
	*change = q->change;
	return q->changes;
}

static struct query *query_make(const struct query_command *command,
				struct store *store, const json_t *args)
{
	struct query *q = mem_alloc(sizeof(*q));

	q->command = command;
	q->store = store;
	q->args = json_deep_copy(args);
	q->now_ms = clock_wall_ms();
	q->changes = query_change(command->name, &q->change);
	q->sample = json_array();
	arena_init(&q->arena, ARENA_CAP);
	map_init(&q->ages);
	return q;
}

struct query *query_new(struct store *store, const struct config *config,
			struct query_live *live, const char *command,
			const json_t *args, struct error *err,
			enum exit_code *exit)
{
	const struct query_command *known = find(command);
	struct query *q;

	*exit = EXIT_USAGE;
	if (!known) {
		error_set(err, "no such command: %s", command);
		return NULL;
	}
	q = query_make(known, store, args);
	q->config = config_ref(config);
	if (filter_parse(&q->filter, args, err) < 0) {
		query_free(q);
		return NULL;
	}
	if (q->changes && !filter_chooses(&q->filter)) {
		error_set(err, "no messages are chosen; give ids or a filter, "
			       "or --all");
		query_free(q);
		return NULL;
	}
	q->reader = reader_new(store);
	if (!q->reader) {
		*exit = EXIT_FAILED;
		error_set(err, "too many readers of the queue; try again");
		query_free(q);
		return NULL;
	}
	q->live = *live;
	*live = (struct query_live){0};
	return q;
}

void query_free(struct query *q)
{
	if (!q)
		return;
	if (q->reader)
		reader_free(q->reader);
	query_ages_done(q);
	query_lists_done(q);
	query_live_done(&q->live);
	filter_done(&q->filter);
	json_decref(q->args);
	json_decref(q->sample);
	arena_done(&q->arena);
	config_unref(q->config);
	mem_free(q);
}

enum query_more query_step(struct query *q, struct buf *out)
{
	return q->command->step(q, out);
}

/* Ends */

enum query_more query_end(struct buf *out, enum exit_code exit,
			  const char *error)
{
	protocol_append_end(out, exit, error);
	return QUERY_DONE;
}

enum query_more query_failed(struct buf *out)
{
	return query_end(out, EXIT_FAILED, "the queue cannot be read");
}

/* Pages */

/* The next ids to look at; 0 = there are none. */
static int next_ids(struct query *q, uint64_t *ids, size_t *n)
{
	size_t left = q->filter.n_ids - q->at;

	if (q->filter.n_ids == 0) {
		int rc = reader_ids(q->reader, q->after, ids, n);

		*n = rc == 0 ? *n : 0;
		return rc;
	}
	*n = MX_MIN(*n, left);
	memcpy(ids, q->filter.ids + q->at, *n * sizeof(*ids));
	q->at += *n;
	return 0;
}

/* The same rule as the writer's: what is so already is passed over. */
static bool change_applies(const struct query *q, const struct queue_message *m)
{
	bool held = m->state == QUEUE_HELD;
	bool stopped = held || m->state == QUEUE_QUARANTINE;

	switch (q->change) {
	case CHANGE_HOLD:
		return !held;
	case CHANGE_RELEASE:
		return stopped;
	case CHANGE_RETRY:
		return !stopped;
	case CHANGE_DELETE:
	case CHANGE_QUARANTINE:
	case CHANGE_EXPIRE:
	case CHANGE_BOUNCE:
	case CHANGE_EXTEND:
		break;
	}
	return true;
}

static bool limit_reached(const struct query *q)
{
	return q->filter.limit && q->matched >= q->filter.limit;
}

static bool wanted(const struct query *q, const struct queue_message *m)
{
	if (query_is_quarantine(q) && m->state != QUEUE_QUARANTINE)
		return false;
	return filter_matches(&q->filter, m, q->now_ms) &&
	       (!q->changes || change_applies(q, m));
}

enum query_more query_page(struct query *q,
			   void (*fn)(struct query *q,
				      const struct queue_message *m,
				      void *data),
			   void *data, bool *failed)
{
	uint64_t ids[QUERY_PAGE];
	size_t n = QUERY_PAGE;

	*failed = next_ids(q, ids, &n) < 0;
	for (size_t i = 0; i < n && !*failed && !limit_reached(q); i++) {
		struct queue_message m;
		int rc;

		if (q->filter.until && ids[i] > q->filter.until)
			return QUERY_DONE;
		q->after = ids[i];
		arena_reset(&q->arena);
		rc = reader_message(q->reader, ids[i], &q->arena, &m);
		*failed = rc < 0;
		if (rc != 0 || !wanted(q, &m))
			continue;
		q->matched++;
		q->bytes += m.size;
		fn(q, &m, data);
	}
	return *failed || n == 0 || limit_reached(q) ? QUERY_DONE : QUERY_MORE;
}

/* Picking */

struct picking {
	struct query_pick *out;
	size_t n;
};

static void pick(struct query *q, const struct queue_message *m, void *data)
{
	struct picking *p = data;
	struct query_pick *to = &p->out[p->n++];
	struct slice rcpt = m->n_rcpts ? m->rcpts[0].rcpt.address : SLICE("");

	(void)q;
	to->id = m->id;
	to->size = m->size;
	to->is_quarantined = m->state == QUEUE_QUARANTINE;
	snprintf(to->sender, sizeof(to->sender), "%.*s", (int)m->env.sender.n,
		 m->env.sender.n ? m->env.sender.p : "");
	snprintf(to->to, sizeof(to->to), "%.*s", (int)rcpt.n,
		 rcpt.n ? rcpt.p : "");
}

int query_pick(struct query *q, struct query_pick *out, size_t *n,
	       enum query_more *more)
{
	struct picking p = {.out = out};
	bool failed;

	*more = query_page(q, pick, &p, &failed);
	*n = p.n;
	return failed ? -1 : 0;
}

/* One message by its id */

int query_message(struct query *q, struct buf *out, struct queue_message *m)
{
	const char *text = json_string_value(json_object_get(q->args, "id"));
	uint64_t id;
	int rc;

	if (!text || id_parse(slice_str(text), &id) < 0) {
		query_end(out, EXIT_USAGE, "that is no queue id");
		return -1;
	}
	arena_reset(&q->arena);
	rc = reader_message(q->reader, id, &q->arena, m);
	if (rc == 0)
		return 0;
	if (rc < 0)
		query_failed(out);
	else
		query_end(out, EXIT_NO_MATCH,
			  "there is no such message in the queue; `msg log` "
			  "tells what became of it");
	return -1;
}
