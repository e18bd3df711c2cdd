/* The table of verbs, and those of them that act at once. */
#include <stdio.h>
#include <string.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/text.h"
#include "mxhold/control/inner.h"
#include "mxhold/control/query_inner.h"
#include "mxhold/mail/domain.h"

enum {
	RATE_MAX = 100000000,
	MAGNET_SINCE_MS = 24 * 3600 * 1000,
};

struct command {
	const char *name;
	void (*run)(struct request *r, const json_t *args);
};

static const char *text_arg(const json_t *args, const char *name)
{
	const char *text = json_string_value(json_object_get(args, name));

	return text ? text : "";
}

static void done(struct request *r, const char *what, const char *name)
{
	request_result(r, json_pack("{s:i,s:s,s:o}", "v", 1, "done", what,
				    "name", protocol_text(slice_str(name))));
}

static void no_such_name(struct request *r, const char *kind, const char *name)
{
	const struct config *c = r->control->parts.config;
	const struct config_domain *domain = query_find_domain(c, name);
	const char *near = NULL;
	char text[512];

	if (domain) {
		query_not_a_primary(domain, text);
		request_end(r, EXIT_NO_MATCH, text);
		return;
	}
	for (size_t i = 0; i < c->n_primaries; i++)
		if (text_distance(name, c->primaries[i]->name) <= 3)
			near = c->primaries[i]->name;
	snprintf(text, sizeof(text), "there is no %s \"%.200s\"%s%s%s", kind,
		 name, near ? "; did you mean \"" : "", near ? near : "",
		 near ? "\"?" : "");
	request_end(r, EXIT_NO_MATCH, text);
}

/* Primaries */

static void on_probed(void *data, const struct primary_view *view)
{
	struct request *r = data;
	struct present_primary p = {.view = view};
	json_t *all, *shown;

	if (!request_is_wanted(r))
		return;
	if (!view) {
		request_end(r, EXIT_FAILED, "the primary was forgotten");
		return;
	}
	all = present_primary(&p);
	shown = json_pack("{s:i,s:O,s:O,s:O,s:O}", "v", 1, "name",
			  json_object_get(all, "name"), "state",
			  json_object_get(all, "state"), "since",
			  json_object_get(all, "since"), "last_probe",
			  json_object_get(all, "last_probe"));
	json_decref(all);
	request_result(r, shown);
}

static void run_probe(struct request *r, const json_t *args)
{
	const char *name = text_arg(args, "name");

	r->is_busy = true;
	if (prober_probe_now(r->control->parts.prober, name, on_probed, r))
		return;
	r->is_busy = false;
	no_such_name(r, "primary", name);
}

struct ordered { /* the answer names the primary */
	struct request *request;
	bool hold;
	char name[];
};

/* Done means that it outlives a crash. */
static void on_hold_kept(void *data, const char *why)
{
	struct ordered *o = data;
	char text[512];

	if (why)
		snprintf(text, sizeof(text),
			 "true now, but not after a restart: it could not be "
			 "written: %.400s",
			 why);
	if (!request_is_wanted(o->request)) {
		mem_free(o);
		return;
	}
	if (why)
		request_end(o->request, EXIT_FAILED, text);
	else
		done(o->request, o->hold ? "hold" : "resume", o->name);
	mem_free(o);
}

static void hold_primary(struct request *r, const json_t *args, bool hold)
{
	const struct control_parts *parts = &r->control->parts;
	const char *name = text_arg(args, "name");
	struct ordered *o = mem_alloc(sizeof(*o) + strlen(name) + 1);

	o->request = r;
	o->hold = hold;
	memcpy(o->name, name, strlen(name));
	r->is_busy = true;
	if (!prober_hold(parts->prober, name, hold, on_hold_kept, o)) {
		r->is_busy = false;
		mem_free(o);
		no_such_name(r, "primary", name);
		return;
	}
	relay_hold(parts->relay, name, hold);
	relay_primary_changed(parts->relay, name);
}

static void run_hold(struct request *r, const json_t *args)
{
	hold_primary(r, args, true);
}

static void run_resume(struct request *r, const json_t *args)
{
	hold_primary(r, args, false);
}

/* Drains: a primary or a domain, as it is written or in canonical form. */

typedef bool (*drain_fn)(struct relay *relay, const char *name, uint32_t arg);

static bool drain_now(struct relay *relay, const char *name, uint32_t arg)
{
	(void)arg;
	return relay_drain_now(relay, name);
}

static bool drain_pause(struct relay *relay, const char *name, uint32_t arg)
{
	return relay_pause(relay, name, arg != 0);
}

static bool force_breaker(struct relay *relay, const char *name, uint32_t arg)
{
	return relay_breaker(relay, name, arg != 0);
}

/* Of these no other line tells; what opens or closes a breaker has one. */
static void log_order(const char *what, const char *name, uint32_t arg)
{
	struct log_line l;

	log_begin(&l, LOG_INFO, "drain.order");
	log_str(&l, "order", what);
	log_str(&l, "name", name);
	if (strcmp(what, "rate") == 0)
		log_int(&l, "rate", arg);
	log_str(&l, "why", "an operator's word");
	log_end(&l);
}

static void drain(struct request *r, const json_t *args, const char *what,
		  drain_fn fn, uint32_t arg)
{
	struct relay *relay = r->control->parts.relay;
	const char *name = text_arg(args, "name");
	char canonical[DOMAIN_MAX];

	if (fn(relay, name, arg) ||
	    (domain_canonical(slice_str(name), canonical) == 0 &&
	     fn(relay, canonical, arg))) {
		if (fn != force_breaker)
			log_order(what, name, arg);
		done(r, what, name);
	} else {
		no_such_name(r, "primary or domain", name);
	}
}

static void run_drain_now(struct request *r, const json_t *args)
{
	drain(r, args, "now", drain_now, 0);
}

static void run_drain_pause(struct request *r, const json_t *args)
{
	drain(r, args, "pause", drain_pause, 1);
}

static void run_drain_resume(struct request *r, const json_t *args)
{
	drain(r, args, "resume", drain_pause, 0);
}

static void run_breaker_open(struct request *r, const json_t *args)
{
	drain(r, args, "open", force_breaker, 1);
}

static void run_breaker_close(struct request *r, const json_t *args)
{
	drain(r, args, "close", force_breaker, 0);
}

static void run_drain_rate(struct request *r, const json_t *args)
{
	uint64_t rate;

	if (text_parse_u64(slice_str(text_arg(args, "rate")), &rate) < 0 ||
	    rate > RATE_MAX)
		request_end(r, EXIT_USAGE,
			    "the rate is a number of messages a minute; 0 = "
			    "no limit");
	else
		drain(r, args, "rate", relay_rate, (uint32_t)rate);
}

/* The rest */

struct tested { /* the answer names the address */
	struct request *request;
	char address[];
};

static void on_tested(void *arg, const char *verdict, const char *why,
		      const char *reply)
{
	struct tested *t = arg;

	if (request_is_wanted(t->request))
		request_result(
			t->request,
			present_rcpt_test(t->address, verdict, why, reply));
	mem_free(t);
}

static void run_recipients_test(struct request *r, const json_t *args)
{
	const struct control_parts *parts = &r->control->parts;
	const char *address = text_arg(args, "address");
	struct tested *t = mem_alloc(sizeof(*t) + strlen(address) + 1);

	t->request = r;
	memcpy(t->address, address, strlen(address));
	r->is_busy = true;
	parts->test_rcpt(parts->data, text_arg(args, "domain"), address,
			 on_tested, t);
}

static void on_ordered(void *arg, enum exit_code exit, const char *why,
		       bool changed)
{
	struct request *r = arg;

	if (!request_is_wanted(r))
		return;
	if (exit != EXIT_DONE)
		request_end(r, exit, why);
	else
		request_result(
			r, json_pack("{s:i,s:b}", "v", 1, "changed", changed));
}

static void order_rcpt(struct request *r, const json_t *args, bool pin)
{
	const struct control_parts *parts = &r->control->parts;

	r->is_busy = true;
	parts->order_rcpt(parts->data, text_arg(args, "domain"),
			  text_arg(args, "address"), pin, on_ordered, r);
}

static void run_recipients_add(struct request *r, const json_t *args)
{
	order_rcpt(r, args, true);
}

static void run_recipients_del(struct request *r, const json_t *args)
{
	order_rcpt(r, args, false);
}

static void give_rows(struct request *r, const json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		if (protocol_append_row(&r->out, row) == 0)
			continue;
		request_end(r, EXIT_FAILED, "the answer is too long");
		return;
	}
	request_end(r, EXIT_DONE, NULL);
}

/* A domain as it is written, or in canonical form. */
static const struct config_domain *find_domain(const struct config *c,
					       const char *name)
{
	char canonical[DOMAIN_MAX];

	if (domain_canonical(slice_str(name), canonical) < 0)
		return NULL;
	return config_domain(c, canonical);
}

static void run_magnet(struct request *r, const json_t *args)
{
	const struct control_parts *parts = &r->control->parts;
	const char *name = text_arg(args, "domain");
	const char *since = text_arg(args, "since");
	const struct config_domain *domain = NULL;
	int64_t age_ms = MAGNET_SINCE_MS;
	json_t *rows;

	if (*since && text_parse_duration(slice_str(since), &age_ms) < 0) {
		request_end(r, EXIT_USAGE,
			    "--since wants a duration, such as 3h");
		return;
	}
	if (*name && !(domain = find_domain(parts->config, name))) {
		request_end(r, EXIT_NO_MATCH, "there is no such domain");
		return;
	}
	rows = parts->magnet(parts->data, domain ? domain->name : NULL,
			     clock_wall_ms() - age_ms);
	give_rows(r, rows);
	json_decref(rows);
}

static void on_simulated(void *arg, json_t *result, const char *why)
{
	struct request *r = arg;

	if (!request_is_wanted(r)) {
		json_decref(result);
		return;
	}
	if (result)
		request_result(r, result);
	else
		request_end(r, EXIT_USAGE, why);
}

static void run_simulate(struct request *r, const json_t *args)
{
	const struct control_parts *parts = &r->control->parts;

	r->is_busy = true;
	parts->simulate(parts->data, args, on_simulated, r);
}

static void on_reloaded(void *arg, const char *complaints)
{
	struct request *r = arg;

	if (!request_is_wanted(r))
		return;
	if (complaints)
		request_end(r, EXIT_BAD_CONFIG, complaints);
	else
		request_result(r,
			       json_pack("{s:i,s:b}", "v", 1, "reloaded", 1));
}

static void run_reload(struct request *r, const json_t *args)
{
	const struct control_parts *parts = &r->control->parts;

	(void)args;
	r->is_busy = true;
	parts->reload(parts->data, on_reloaded, r);
}

static const struct command commands[] = {
	{"primary probe", run_probe},
	{"primary hold", run_hold},
	{"primary resume", run_resume},
	{"drain now", run_drain_now},
	{"drain pause", run_drain_pause},
	{"drain resume", run_drain_resume},
	{"drain rate", run_drain_rate},
	{"breaker open", run_breaker_open},
	{"breaker close", run_breaker_close},
	{"recipients test", run_recipients_test},
	{"recipients add", run_recipients_add},
	{"recipients del", run_recipients_del},
	{"recipients sync", lists_sync},
	{"recipients accept", lists_accept},
	{"magnet", run_magnet},
	{"simulate", run_simulate},
	{"config reload", run_reload},
	{"queue import", import_run},
};

/* Queries and choices */

static void copy_primaries(const struct control_parts *parts,
			   struct query_live *live)
{
	size_t n = prober_count(parts->prober);

	live->primaries = mem_array(n + 1, sizeof(*live->primaries));
	for (size_t i = 0; i < n; i++) {
		struct query_primary *p = &live->primaries[live->n_primaries];

		if (!prober_view_at(parts->prober, i, &p->view))
			continue;
		p->has_relay =
			relay_view(parts->relay, p->view.name, &p->relay);
		live->n_primaries++;
	}
}

static void start_query(struct request *r, const char *name)
{
	if (strcmp(name, "recipients diff") == 0)
		request_be_patient(r);
	request_query(r);
}

static void run_query(struct request *r, const char *name, const json_t *args)
{
	const struct control_parts *parts = &r->control->parts;
	struct query_live live = {.started_ms = parts->started_ms,
				  .directory = parts->directory};
	enum exit_code exit;
	struct error err = {0};

	copy_primaries(parts, &live);
	live.gather = parts->gather;
	live.gather_data = parts->data;
	if (strcmp(name, "status") == 0)
		live.n_alarms = parts->alarms(parts->data, live.alarms,
					      MX_ARRAY_SIZE(live.alarms));
	r->query = query_new(parts->store, parts->config, &live, name, args,
			     &err, &exit);
	query_live_done(&live);
	if (!r->query)
		request_end(r, exit, err.text);
	else if (json_is_true(json_object_get(args, "apply")))
		change_start(r);
	else
		start_query(r, name);
}

static void run(struct request *r, const struct protocol_request *p)
{
	for (size_t i = 0; i < MX_ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, p->command) != 0)
			continue;
		commands[i].run(r, p->args);
		return;
	}
	run_query(r, p->command, p->args);
}

void command_run(struct control_conn *conn, struct slice line)
{
	struct request *r = request_new(conn);
	struct protocol_request p;
	struct error err = {0};

	if (protocol_parse_request(line, &p, &err) < 0) {
		request_end(r, EXIT_USAGE, err.text);
		return;
	}
	run(r, &p);
	protocol_request_done(&p);
}
