/* A store with some messages, a configuration, and a query's lines. */
#ifndef TESTS_CONTROL_FIXTURE_H
#define TESTS_CONTROL_FIXTURE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mxhold/base/clock.h"
#include "mxhold/control/query.h"

#define T0 INT64_C(1790000000000) /* 2026-09-21T14:13:20Z */

static char dir[64];
static struct store *store;
static struct writer *writer;
static struct directory *directory;
static struct config *config;

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void load_config(void)
{
	char text[1024], path[128], *complaints;

	snprintf(text, sizeof(text),
		 "hostname = \"mx2.example.com\"\n"
		 "state_dir = \"%s\"\nconf_dir = \"\"\n"
		 "control { socket = \"%s/s\" }\n"
		 "primary \"hq\" { host = \"192.0.2.1\" }\n"
		 "domain \"a.example\" { primary = hq recipients = learn }\n"
		 "domain \"b.example\" { primary = hq recipients = learn }\n"
		 "domain \"c.example\" { primary = mx recipients = learn }\n",
		 dir, dir);
	write_file("c", text);
	snprintf(path, sizeof(path), "%s/c", dir);
	config = config_load(path, &complaints);
	ck_assert_msg(config != NULL, "%s", complaints);
	free(complaints);
}

static void setup(void)
{
	struct store_options options = {.state_dir = dir, .map_size = 64 << 20};
	struct error err = {0};

	strcpy(dir, "/tmp/mxhold-control-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_msg(store_open(&store, &options, &err) == 0, "%s", err.text);
	ck_assert_msg(directory_open(&directory, dir, false, &err) == 0, "%s",
		      err.text);
	writer = writer_new(store);
	load_config();
	clock_fake(1000, T0);
}

static void teardown(void)
{
	char command[128];

	clock_fake_off();
	config_unref(config);
	writer_stop(writer);
	directory_close(directory);
	store_close(store);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void on_report(struct job *job)
{
	(void)job;
}

__attribute__((unused)) static void run_job(struct job *job)
{
	job->report = on_report;
	writer_submit(writer, job);
	while (writer_run_batch(writer) > 0)
		continue;
	ck_assert_int_eq(job->result, STORE_OK);
}

struct put {
	const char *sender, *rcpt, *domain, *content;
	int64_t age_ms;
	bool hold, quarantine;
};

__attribute__((unused)) static uint64_t put(const struct put *p)
{
	struct recipient rcpt = {.address = slice_str(p->rcpt),
				 .domain = slice_str(p->domain)};
	struct envelope env = {
		.sender = slice_str(p->sender),
		.helo = SLICE("client.example"),
		.protocol = SLICE("ESMTP"),
		.arrived_at_ms = T0 - p->age_ms,
		.rcpts = &rcpt,
		.n_rcpts = 1,
	};
	struct job_add add = {
		.job = {.kind = JOB_ADD},
		.id_at = SIZE_MAX,
		.env = &env,
		.message_id = SLICE("<m@client.example>"),
		.hold = p->hold,
		.quarantine = p->quarantine,
		.reason = p->hold || p->quarantine ? "held by the test" : NULL,
	};

	inet_parse(SLICE("192.0.2.77"), &env.client.addr);
	buf_init(&add.body, 1 << 20);
	buf_append_str(&add.body,
		       p->content ? p->content : "Subject: x\r\n\r\nhello\r\n");
	run_job(&add.job);
	buf_done(&add.body);
	return add.up.id;
}

/* Everything that a query says. */
struct said {
	json_t *rows, *result;
	char raw[65536];
	size_t n_raw;
	enum exit_code exit;
	char error[512];
	bool ended;
};

static struct said said;

__attribute__((unused)) static void said_done(void)
{
	json_decref(said.rows);
	json_decref(said.result);
	said.rows = said.result = NULL;
}

__attribute__((unused)) static void hear_line(struct slice line)
{
	struct protocol_response r;
	struct error err = {0};

	ck_assert_msg(protocol_parse_response(line, &r, &err) == 0, "%s",
		      err.text);
	ck_assert(!said.ended);
	if (r.kind == PROTOCOL_ROW)
		json_array_append(said.rows, r.value);
	if (r.kind == PROTOCOL_RESULT)
		said.result = json_incref(r.value);
	if (r.kind == PROTOCOL_RAW)
		for (size_t i = 0; i + 1 < r.hex.n; i += 2)
			sscanf(r.hex.p + i, "%2hhx",
			       (unsigned char *)&said.raw[said.n_raw++]);
	if (r.kind == PROTOCOL_END) {
		said.ended = true;
		said.exit = r.exit;
		snprintf(said.error, sizeof(said.error), "%s", r.error);
	}
	protocol_response_done(&r);
}

__attribute__((unused)) static void hear(struct slice s)
{
	while (s.n) {
		ptrdiff_t lf = slice_index(s, '\n');

		ck_assert_int_ge(lf, 0);
		hear_line(slice_head(s, (size_t)lf));
		s = slice_skip(s, (size_t)lf + 1);
	}
}

/* args as JSON with ' for ". */
__attribute__((unused)) static json_t *args_of(const char *text)
{
	char json[2048];
	json_t *args;

	snprintf(json, sizeof(json), "%s", text);
	for (char *p = json; *p; p++)
		if (*p == '\'')
			*p = '"';
	args = json_loads(json, 0, NULL);
	ck_assert_msg(args != NULL, "%s", json);
	return args;
}

__attribute__((unused)) static void ask(const char *command, const char *text)
{
	struct query_live live;
	json_t *args = args_of(text);
	struct error err = {0};
	struct query *q;
	struct buf out;
	enum query_more more = QUERY_MORE;

	said_done();
	said = (struct said){.rows = json_array()};
	query_live_stored(&live, config, directory);
	q = query_new(store, config, &live, command, args, &err, &said.exit);
	query_live_done(&live);
	json_decref(args);
	if (!q) {
		snprintf(said.error, sizeof(said.error), "%s", err.text);
		return;
	}
	buf_init(&out, 64 << 20);
	while (more == QUERY_MORE)
		more = query_step(q, &out);
	hear(buf_slice(&out));
	ck_assert(said.ended);
	buf_done(&out);
	query_free(q);
}

#endif
