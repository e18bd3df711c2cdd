/*
 * A prober over real sockets and a real directory, with short intervals.
 * Tests wait for what must come; nothing is timed but by a limit of a minute.
 */
#ifndef MXHOLD_TESTS_PROBE_BENCH_H
#define MXHOLD_TESTS_PROBE_BENCH_H

#include "mxhold/probe/prober.h"

#include <ftw.h>
#include <unistd.h>

#include "mxhold/base/clock.h"
#include "mxhold/net/timer.h"
#include "support/scripted_server.h"

static const char *const mild[] = {"S:220 up", "AUTO", NULL};
static const char *const *const up[] = {mild, NULL};

struct bench {
	char dir[64];
	struct directory *directory;
	struct loop *loop;
	struct timer *guard, *poll;
	struct config config;
	struct config_primary primary, second;
	struct config_primary *primaries[2];
	struct config_domain domain;
	struct config_host host, second_host;
	struct outbound *outbound;
	struct prober *prober;
	struct scripted server;
	/* what is waited for */
	enum health_state wanted;
	bool (*is_enough)(struct bench *b);
	unsigned changes, done;
	struct primary_view view;
};

static inline void on_guard(void *data)
{
	(void)data;
	ck_abort_msg("it did not come within a minute");
}

static inline void on_poll(void *data)
{
	struct bench *b = data;

	if (b->is_enough(b))
		loop_stop(b->loop);
	else
		timer_start(b->poll, 5);
}

static inline void wait_for(struct bench *b, bool (*is_enough)(struct bench *b))
{
	b->is_enough = is_enough;
	timer_start(b->guard, 60000);
	timer_start(b->poll, 0);
	loop_run(b->loop);
	timer_stop(b->guard);
}

static inline void on_change(void *data, const char *name)
{
	struct bench *b = data;

	(void)name;
	b->changes++;
}

static inline bool is_wanted(struct bench *b)
{
	return prober_view(b->prober, "mx1", &b->view) &&
	       b->view.health.state == b->wanted;
}

static inline void wait_for_state(struct bench *b, enum health_state wanted)
{
	b->wanted = wanted;
	wait_for(b, is_wanted);
}

static inline void prepare_host(struct config_host *h, uint16_t port)
{
	static char text[] = "127.0.0.1";

	*h = (struct config_host){.name = text,
				  .is_address = true,
				  .addr = {4, {127, 0, 0, 1}},
				  .port = port};
}

static inline void prepare_primary(struct config_primary *p, const char *name,
				   struct config_host *host)
{
	static char empty[] = "", ca[] = "system";

	*p = (struct config_primary){
		.name = (char *)(uintptr_t)name,
		.hosts = host,
		.n_hosts = 1,
		.mx_domain = empty,
		.port = 25,
		.tls = PRIMARY_TLS_MAY,
		.pin = empty,
		.ca = ca,
		.client_cert = empty,
		.client_key = empty,
	};
}

static inline void prepare_config(struct bench *b)
{
	static char hostname[] = "backup.example.com";
	static char postmaster[] = "postmaster", null[] = "";
	static char name[] = "example.com";
	struct config *c = &b->config;

	c->hostname = hostname;
	c->refs = 1;
	c->primaries = b->primaries;
	c->n_primaries = 1;
	b->primaries[0] = &b->primary;
	b->primaries[1] = &b->second;
	b->domain =
		(struct config_domain){.name = name, .primary = &b->primary};
	c->domains = &b->domain;
	c->n_domains = 1;
	c->probe = (struct config_probe){
		.interval_up = 30,
		.interval_down = 20,
		.timeout = 5000,
		.depth = PROBE_RCPT,
		.down_after = 3,
		.up_after = 2,
		.sender = null,
		.recipient = postmaster,
	};
	c->drain.connect_timeout = 2000;
	c->dns.last_good = INT64_C(86400000);
}

static inline void start_prober(struct bench *b)
{
	b->outbound = outbound_new(b->loop, NULL, &b->config);
	b->prober = prober_new(b->loop, b->outbound, b->directory, &b->config,
			       on_change, b);
}

/* A primary at a server with these scripts; the prober is not started. */
static inline void init(struct bench *b, const char *const *const *scripts)
{
	struct error err = {0};

	memset(b, 0, sizeof(*b));
	snprintf(b->dir, sizeof(b->dir), "/tmp/mxhold-probe-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(b->dir));
	ck_assert_msg(directory_open(&b->directory, b->dir, false, &err) == 0,
		      "%s", err.text);
	b->loop = loop_new(&err);
	ck_assert_msg(b->loop != NULL, "%s", err.text);
	b->guard = timer_new(b->loop, on_guard, b);
	b->poll = timer_new(b->loop, on_poll, b);
	scripted_start(&b->server, b->loop, scripts, NULL);
	prepare_host(&b->host, b->server.at.port);
	prepare_primary(&b->primary, "mx1", &b->host);
	prepare_config(b);
}

static inline void stop_prober(struct bench *b)
{
	prober_free(b->prober);
	outbound_free(b->outbound);
	b->prober = NULL;
	b->outbound = NULL;
}

static inline int remove_one(const char *path, const struct stat *st, int type,
			     struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void stop_loop(struct bench *b)
{
	scripted_stop(&b->server);
	timer_free(b->guard);
	timer_free(b->poll);
	loop_free(b->loop);
}

static inline void done(struct bench *b)
{
	stop_prober(b);
	stop_loop(b);
	directory_close(b->directory);
	nftw(b->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline bool is_known(struct bench *b)
{
	return prober_view(b->prober, "mx1", &b->view) &&
	       b->view.health.state != HEALTH_UNKNOWN;
}

static inline void on_done(void *data, const struct primary_view *view)
{
	struct bench *b = data;

	b->view = *view;
	b->done++;
}

static inline bool has_two(struct bench *b)
{
	return b->server.n_clients >= 2;
}

#endif
