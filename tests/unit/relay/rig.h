/*
 * The relay with everything real below it: a queue on disk with its writer,
 * a directory, a prober and sessions over loopback to a sink (sink.h). The
 * test turns the loop until something is true; the guard of 60 s only ends
 * one that would wait for ever.
 */
#ifndef MXHOLD_TESTS_RELAY_RIG_H
#define MXHOLD_TESTS_RELAY_RIG_H

#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/net/digest.h"
#include "mxhold/net/timer.h"
#include "mxhold/relay/relay.h"
#include "mxhold/storage/history.h"
#include "unit/base/suite.h"
#include "unit/relay/sink.h"

struct rig {
	char dir[64];
	struct sink sink;
	struct loop *loop;
	struct timer *guard, *poll;
	const struct config *config;
	struct store *store;
	struct directory *directory;
	struct writer *writer;
	struct resolver *resolver;
	struct outbound *outbound;
	struct prober *prober;
	struct relay *relay;
	struct reader *reader;
	bool (*until)(struct rig *r);
	unsigned wanted; /* what `until` compares with */
};

static const struct config *rig_config(struct rig *r, const char *more,
				       const char *domain)
{
	char path[128], *complaints = NULL;
	const struct config *c;
	FILE *f;

	snprintf(path, sizeof(path), "%s/mxholdd.conf", r->dir);
	f = fopen(path, "w");
	fprintf(f,
		"hostname = \"mx2.test\"\n"
		"conf_dir = \"\"\n"
		"state_dir = \"%s/state\"\n"
		"control { socket = \"%s/control.sock\" }\n"
		"queue { reserve = \"0\"  max_bytes = \"1G\" }\n"
		"dns { resolver = {\"127.0.0.1@1\"}  trust_anchor = \"none\" "
		"}\n"
		"probe { interval_down = \"200ms\"  interval_up = \"500ms\"\n"
		"	timeout = \"5s\"  up_after = 1  down_after = 2 }\n"
		"%s\n"
		"domain \"%s\" { primary = \"127.0.0.1:%u\"\n"
		"	recipients = \"learn\" }\n",
		r->dir, r->dir, more, domain, r->sink.port);
	fclose(f);
	c = config_load(path, &complaints);
	ck_assert_msg(c != NULL, "%s", complaints);
	free(complaints);
	return c;
}

static void rig_on_guard(void *data)
{
	(void)data;
	ck_abort_msg("nothing happened for 60 s");
}

static void rig_on_poll(void *data)
{
	struct rig *r = data;

	if (r->until(r))
		loop_stop(r->loop);
	else
		timer_start(r->poll, 2);
}

static inline void rig_until(struct rig *r, bool (*until)(struct rig *r))
{
	r->until = until;
	timer_start(r->guard, 60000);
	timer_start(r->poll, 0);
	loop_run(r->loop);
	timer_stop(r->guard);
}

static void rig_on_change(void *data, const char *name)
{
	struct rig *r = data;

	if (r->relay)
		relay_primary_changed(r->relay, name);
}

static inline void rig_list(struct rig *r)
{
	struct directory_load *l =
		directory_load_begin(r->directory, "example.test");
	struct error err;

	for (int i = 0; i < 20; i++) {
		static const char *const names[] = {"user", "later", "gone"};

		for (size_t k = 0; k < MX_ARRAY_SIZE(names); k++) {
			char text[64];

			snprintf(text, sizeof(text), "%s%d@example.test",
				 names[k], i);
			ck_assert_int_eq(directory_load_add(l, slice_str(text)),
					 0);
		}
	}
	ck_assert_int_eq(directory_load_finish(l, clock_wall_ms(), &err), 0);
}

static void rig_open(struct rig *r)
{
	struct store_options options = {
		.state_dir = r->config->state_dir,
		.max_bytes = r->config->queue.max_bytes,
		.reserve = r->config->queue.reserve,
	};
	struct resolver_options dns = {
		.servers = (const char *const *)r->config->dns.resolver.v,
		.n_servers = r->config->dns.resolver.n,
		.trust_anchor = "none",
	};
	struct error err;

	ck_assert_msg(store_open(&r->store, &options, &err) == 0, "%s",
		      err.text);
	ck_assert_int_eq(
		directory_open(&r->directory, options.state_dir, false, &err),
		0);
	r->loop = loop_new(&err);
	r->writer = writer_new(r->store);
	ck_assert_int_eq(writer_start(r->writer, &err), 0);
	r->resolver = resolver_new(r->loop, &dns, &err);
	r->outbound = outbound_new(r->loop, r->resolver, r->config);
	r->reader = reader_new(r->store);
	r->guard = timer_new(r->loop, rig_on_guard, NULL);
	r->poll = timer_new(r->loop, rig_on_poll, r);
}

/* Everything but the relay; the sink is there. */
static inline void rig_init(struct rig *r, const char *more)
{
	memset(r, 0, sizeof(*r));
	log_configure(getenv("RIG_LOG") ? LOG_DEBUG : LOG_ERROR, LOG_LOGFMT,
		      false);
	strcpy(r->dir, "/tmp/mxhold-relay-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(r->dir));
	sink_init(&r->sink);
	r->config = rig_config(r, more, "example.test");
	rig_open(r);
}

static inline void rig_start(struct rig *r)
{
	struct relay_parts parts = {
		.loop = r->loop,
		.store = r->store,
		.writer = r->writer,
		.directory = r->directory,
		.config = r->config,
	};

	r->prober = prober_new(r->loop, r->outbound, r->directory, r->config,
			       rig_on_change, r);
	parts.outbound = r->outbound;
	parts.prober = r->prober;
	r->relay = relay_new(&parts);
}

static inline void rig_reload(struct rig *r, const char *more,
			      const char *domain)
{
	const struct config *old = r->config;

	r->config = rig_config(r, more, domain);
	outbound_reload(r->outbound, r->config);
	prober_reload(r->prober, r->config);
	relay_reload(r->relay, r->config);
	config_unref(old);
}

static void rig_on_idle(void *data)
{
	struct rig *r = data;

	loop_stop(r->loop);
}

static inline void rig_stop(struct rig *r, int64_t grace_ms)
{
	timer_start(r->guard, 60000);
	relay_stop(r->relay, grace_ms, rig_on_idle, r);
	loop_run(r->loop);
	timer_stop(r->guard);
}

static inline void rig_done(struct rig *r)
{
	char command[128];

	if (r->relay) {
		rig_stop(r, 2000);
		relay_free(r->relay);
		prober_free(r->prober);
	}
	outbound_free(r->outbound);
	resolver_free(r->resolver);
	writer_stop(r->writer);
	timer_free(r->guard);
	timer_free(r->poll);
	loop_free(r->loop);
	reader_free(r->reader);
	directory_close(r->directory);
	store_close(r->store);
	config_unref(r->config);
	sink_done(&r->sink);
	snprintf(command, sizeof(command), "rm -rf %s", r->dir);
	ck_assert_int_eq(system(command), 0);
}

/* --- mail --------------------------------------------------------------- */

static void rig_on_added(struct job *job)
{
	atomic_store((atomic_int *)job->data, 1 + (int)job->result);
}

struct rig_mail {
	const char *from;    /* NULL: sender@client.test */
	const char *rcpts;   /* "a b c", domains as they are; NULL: user1 */
	const char *content; /* NULL: a small one */
	size_t pad;          /* octets of lines behind it */
	uint8_t notify;
	const char *never; /* a part of who has NOTIFY=NEVER instead */
	enum dsn_ret ret;
	int64_t arrived_ms, expire_ms; /* 0: now, none */
	bool eight_bit, smtputf8;
	const char *domain; /* of all recipients, canonical; NULL: as written */
};

static size_t rig_rcpts(const struct rig_mail *m, struct recipient *out,
			size_t max)
{
	const char *p = m->rcpts ? m->rcpts : "user1@example.test";
	size_t n = 0;

	while (*p && n < max) {
		struct slice s = slice_make(p, strcspn(p, " "));
		ptrdiff_t at = slice_index(s, '@');

		out[n++] = (struct recipient){
			.address = s,
			.domain = m->domain ? slice_str(m->domain)
					    : slice_skip(s, (size_t)at + 1),
			.notify = m->never && memmem(s.p, s.n, m->never,
						     strlen(m->never))
					  ? DSN_NOTIFY_NEVER
					  : m->notify,
		};
		p += s.n + (p[s.n] == ' ');
	}
	return n;
}

/* Puts a message into the queue; returns its id. */
static inline uint64_t rig_add(struct rig *r, const struct rig_mail *m)
{
	struct recipient rcpts[256];
	struct envelope env = {
		.sender = slice_str(m->from ? m->from : "sender@client.test"),
		.ret = m->ret,
		.eight_bit = m->eight_bit,
		.smtputf8 = m->smtputf8,
		.arrived_at_ms =
			m->arrived_ms ? m->arrived_ms : clock_wall_ms(),
		.rcpts = rcpts,
	};
	atomic_int done = 0;
	struct job_add add = {
		.job = {.kind = JOB_ADD, .report = rig_on_added, .data = &done},
		.id_at = SIZE_MAX,
		.env = &env,
		.expire_ms = m->expire_ms,
	};

	env.n_rcpts = rig_rcpts(m, rcpts, MX_ARRAY_SIZE(rcpts));
	buf_init(&add.body, 64 << 20);
	buf_append_str(&add.body, m->content
					  ? m->content
					  : "Subject: hello\r\n\r\nbody\r\n");
	for (size_t n = 0; n < m->pad; n += 64)
		buf_printf(&add.body, "%062zu\r\n", n);
	writer_submit(r->writer, &add.job);
	while (!atomic_load(&done))
		usleep(100);
	ck_assert_int_eq(atomic_load(&done), 1 + STORE_OK);
	buf_done(&add.body);
	if (r->relay)
		relay_kick(r->relay);
	return add.up.id;
}

static inline uint64_t rig_queued(struct rig *r)
{
	struct queue_counts counts;

	ck_assert_int_eq(reader_counts(r->reader, &counts), 0);
	return counts.messages;
}

static inline bool rig_is_empty(struct rig *r)
{
	return rig_queued(r) == 0;
}

static inline bool rig_has_got(struct rig *r)
{
	return sink_count(&r->sink) >= r->wanted;
}

static inline void rig_until_got(struct rig *r, unsigned n)
{
	r->wanted = n;
	rig_until(r, rig_has_got);
}

/* The message as the queue has it now; false: it is gone. */
static inline bool rig_look(struct rig *r, uint64_t id, struct arena *a,
			    struct queue_message *m)
{
	int rc = reader_message(r->reader, id, a, m);

	ck_assert_int_ge(rc, 0);
	return rc == 0;
}

static void rig_on_changed(struct job *job)
{
	atomic_store((atomic_int *)job->data, 1);
}

/* An operator's word, on n messages at once. */
static inline void rig_change_all(struct rig *r, enum change what,
				  const uint64_t *ids, size_t n)
{
	atomic_int done = 0;
	struct job_change c = {
		.job = {.kind = JOB_CHANGE,
			.report = rig_on_changed,
			.data = &done},
		.change = what,
		.n = n,
		.now_ms = clock_wall_ms(),
	};

	memcpy(c.ids, ids, n * sizeof(ids[0]));
	writer_submit(r->writer, &c.job);
	while (!atomic_load(&done))
		usleep(100);
	if (r->relay)
		relay_kick(r->relay);
}

static inline void rig_change(struct rig *r, enum change what, uint64_t id)
{
	rig_change_all(r, what, &id, 1);
}

#endif
