/*
 * The prober over real sockets and a real directory, with short intervals.
 * Each test waits for what must come; nothing is timed but by a limit of a
 * minute.
 */
#include "mxhold/probe/prober.h"

#include <ftw.h>
#include <unistd.h>

#include "mxhold/base/clock.h"
#include "mxhold/net/timer.h"
#include "support/scripted_server.h"
#include "unit/base/suite.h"

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

static void on_guard(void *data)
{
	(void)data;
	ck_abort_msg("it did not come within a minute");
}

static void on_poll(void *data)
{
	struct bench *b = data;

	if (b->is_enough(b))
		loop_stop(b->loop);
	else
		timer_start(b->poll, 5);
}

static void wait_for(struct bench *b, bool (*is_enough)(struct bench *b))
{
	b->is_enough = is_enough;
	timer_start(b->guard, 60000);
	timer_start(b->poll, 0);
	loop_run(b->loop);
	timer_stop(b->guard);
}

static void on_change(void *data, const char *name)
{
	struct bench *b = data;

	(void)name;
	b->changes++;
}

static bool is_wanted(struct bench *b)
{
	return prober_view(b->prober, "mx1", &b->view) &&
	       b->view.health.state == b->wanted;
}

static void wait_for_state(struct bench *b, enum health_state wanted)
{
	b->wanted = wanted;
	wait_for(b, is_wanted);
}

static void prepare_host(struct config_host *h, uint16_t port)
{
	static char text[] = "127.0.0.1";

	*h = (struct config_host){.name = text,
				  .is_address = true,
				  .addr = {4, {127, 0, 0, 1}},
				  .port = port};
}

static void prepare_primary(struct config_primary *p, const char *name,
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

static void prepare_config(struct bench *b)
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

static void start_prober(struct bench *b)
{
	b->outbound = outbound_new(b->loop, NULL, &b->config);
	b->prober = prober_new(b->loop, b->outbound, b->directory, &b->config,
			       on_change, b);
}

/* A primary at a server with these scripts; the prober is not started. */
static void init(struct bench *b, const char *const *const *scripts)
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

static void stop_prober(struct bench *b)
{
	prober_free(b->prober);
	outbound_free(b->outbound);
	b->prober = NULL;
	b->outbound = NULL;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void stop_loop(struct bench *b)
{
	scripted_stop(&b->server);
	timer_free(b->guard);
	timer_free(b->poll);
	loop_free(b->loop);
}

static void done(struct bench *b)
{
	stop_prober(b);
	stop_loop(b);
	directory_close(b->directory);
	nftw(b->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- up and down ------------------------------------------------------- */

START_TEST(prober__finds_a_primary_that_is_up)
{
	struct bench b;

	init(&b, up);
	start_prober(&b);
	ck_assert_uint_eq(prober_count(b.prober), 1);
	ck_assert(prober_view_at(b.prober, 0, &b.view));
	ck_assert_int_eq(b.view.health.state, HEALTH_UNKNOWN);
	wait_for_state(&b, HEALTH_UP);
	ck_assert_str_eq(b.view.name, "mx1");
	ck_assert_str_eq(b.view.last_result, "ok");
	ck_assert_uint_eq(b.view.n_good, 1);
	ck_assert_uint_eq(b.view.good[0].port, b.server.at.port);
	ck_assert(b.view.ehlo_ext & EXT_8BITMIME);
	ck_assert_int_gt(b.view.last_probe_ms, 0);
	ck_assert(!b.view.held);
	ck_assert(scripted_heard(&b.server, "MAIL FROM:<>"));
	ck_assert(
		scripted_heard(&b.server, "RCPT TO:<postmaster@example.com>"));
	ck_assert(!scripted_heard(&b.server, "DATA"));
	done(&b);
}
END_TEST

static bool has_quit(struct bench *b)
{
	return scripted_heard(&b->server, "QUIT");
}

START_TEST(prober__says_quit)
{
	struct bench b;

	init(&b, up);
	start_prober(&b);
	wait_for(&b, has_quit);
	done(&b);
}
END_TEST

START_TEST(prober__sees_a_primary_go_and_come_back)
{
	uint16_t port;
	struct bench b;

	init(&b, up);
	port = b.server.at.port;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	scripted_stop(&b.server);
	wait_for_state(&b, HEALTH_DOUBTFUL);
	wait_for_state(&b, HEALTH_DOWN);
	ck_assert_ptr_nonnull(strstr(b.view.last_result, "connect: "));
	ck_assert_uint_eq(b.view.n_good, 1);
	scripted_start_at(&b.server, b.loop, port, up, NULL);
	wait_for_state(&b, HEALTH_UP);
	ck_assert_uint_ge(b.server.n_clients, 2); /* up_after */
	ck_assert_uint_ge(b.changes, 3);
	done(&b);
}
END_TEST

static bool has_three(struct bench *b)
{
	return b->server.n_clients >= 3;
}

/* One that hangs must not keep the next probe from starting. */
START_TEST(prober__does_not_wait_for_a_probe_that_hangs)
{
	static const char *const silent[] = {"STALL", NULL};
	static const char *const *const scripts[] = {silent, silent, mild,
						     NULL};
	struct bench b;

	init(&b, scripts);
	b.config.probe.timeout = 50000;
	b.config.probe.up_after = 1;
	start_prober(&b);
	wait_for(&b, has_three);
	wait_for_state(&b, HEALTH_UP);
	done(&b);
}
END_TEST

static bool has_four(struct bench *b)
{
	return b->server.n_clients >= 4;
}

static void on_done(void *data, const struct primary_view *view)
{
	struct bench *b = data;

	b->view = *view;
	b->done++;
}

static bool is_done(struct bench *b)
{
	return b->done > 0;
}

START_TEST(prober__starts_no_more_than_a_few_at_once)
{
	static const char *const silent[] = {"STALL", NULL};
	static const char *const *const scripts[] = {silent, NULL};
	struct bench b;

	init(&b, scripts);
	b.config.probe.timeout = 3000;
	start_prober(&b);
	wait_for(&b, has_four);
	/* A fifth joins the fourth. */
	ck_assert(prober_probe_now(b.prober, "mx1", on_done, &b));
	wait_for(&b, is_done);
	ck_assert_ptr_nonnull(strstr(b.view.last_result, "banner: "));
	ck_assert_int_eq(b.view.health.state, HEALTH_DOWN);
	done(&b);
}
END_TEST

/* --- verdicts ---------------------------------------------------------- */

#define TO_EHLO "S:220 a", "C:EHLO", "S:250 a"
#define TO_RCPT TO_EHLO, "C:MAIL", "S:250 ok", "C:RCPT"

static const struct {
	const char *script[14];
	enum health_state state;
	const char *result; /* a part of it */
} verdicts[] = {
	{{"S:554 5.3.2 no"}, HEALTH_REFUSING, "banner: "},
	{{"S:421 busy", "CLOSE"}, HEALTH_DOWN, "banner: "},
	{{"S:220 a", "C:EHLO", "S:550 no", "C:HELO", "S:550 no"},
	 HEALTH_REFUSING,
	 "ehlo: "},
	{{TO_EHLO, "C:MAIL", "S:550 no"}, HEALTH_REFUSING, "mail: 550"},
	{{TO_EHLO, "C:MAIL", "S:451 no"}, HEALTH_DOWN, "mail: 451"},
	{{TO_EHLO, "C:MAIL", "S:421 no", "CLOSE"}, HEALTH_DOWN, "mail: 421"},
	{{TO_EHLO, "C:MAIL", "CLOSE"}, HEALTH_DOWN, "rcpt: "},
	/* any answer to RCPT but 421 means up */
	{{TO_RCPT, "S:250 ok", "C:RSET", "S:250 ok"}, HEALTH_UP, "ok"},
	{{TO_RCPT, "S:450 later", "C:RSET", "S:250 ok"}, HEALTH_UP, "ok"},
	{{TO_RCPT, "S:550 who?", "C:RSET", "S:250 ok"}, HEALTH_UP, "ok"},
	{{TO_RCPT, "S:421 no", "CLOSE"}, HEALTH_DOWN, "rcpt: 421"},
	{{TO_RCPT, "S:250 ok", "C:RSET", "CLOSE"}, HEALTH_UP, "ok"},
	{{TO_RCPT, "CLOSE"}, HEALTH_DOWN, "rcpt: "},
	{{TO_RCPT, "STALL"}, HEALTH_DOWN, "rcpt: no answer in time"},
	{{"STALL"}, HEALTH_DOWN, "banner: "},
};

static bool is_known(struct bench *b)
{
	return prober_view(b->prober, "mx1", &b->view) &&
	       b->view.health.state != HEALTH_UNKNOWN;
}

START_TEST(prober__judges_what_it_hears)
{
	static const char *const *scripts[2];
	struct bench b;

	scripts[0] = verdicts[_i].script;
	init(&b, scripts);
	b.config.probe.timeout =
		scripted_stalls(verdicts[_i].script) ? 1200 : 30000;
	b.config.probe.interval_down = 60000;
	b.config.probe.interval_up = 60000;
	start_prober(&b);
	wait_for(&b, is_known);
	ck_assert_str_eq(health_state_name(b.view.health.state),
			 health_state_name(verdicts[_i].state));
	ck_assert_msg(strstr(b.view.last_result, verdicts[_i].result) != NULL,
		      "%s", b.view.last_result);
	ck_assert_str_eq(b.server.misfit, "");
	done(&b);
}
END_TEST

static const enum probe_depth depths[] = {PROBE_TCP, PROBE_BANNER, PROBE_EHLO,
					  PROBE_TLS};

START_TEST(prober__goes_as_deep_as_configured)
{
	struct bench b;

	init(&b, up);
	b.config.probe.depth = depths[_i];
	b.config.probe.interval_up = 60000;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	ck_assert(!scripted_heard(&b.server, "MAIL"));
	ck_assert_int_eq(b.view.ehlo_ext != 0, depths[_i] >= PROBE_EHLO);
	ck_assert_uint_eq(b.view.n_good, 1);
	done(&b);
}
END_TEST

START_TEST(prober__takes_a_whole_address_as_it_is)
{
	static char whole[] = "probe@other.example";
	struct bench b;

	init(&b, up);
	b.config.probe.recipient = whole;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	ck_assert(scripted_heard(&b.server, "RCPT TO:<probe@other.example>"));
	done(&b);
}
END_TEST

/* --- asked and told ---------------------------------------------------- */

START_TEST(prober__probes_when_asked)
{
	struct bench b;

	init(&b, up);
	b.config.probe.interval_up = 3600000;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	ck_assert(prober_probe_now(b.prober, "mx1", on_done, &b));
	ck_assert_uint_eq(b.done, 0);
	wait_for(&b, is_done);
	ck_assert_uint_eq(b.server.n_clients, 2);
	ck_assert_uint_eq(b.done, 1);
	ck_assert_str_eq(b.view.name, "mx1");
	ck_assert(!prober_probe_now(b.prober, "nobody", on_done, &b));
	done(&b);
}
END_TEST

START_TEST(prober__believes_deliveries)
{
	struct bench b;

	init(&b, up);
	b.config.probe.interval_down = 3600000;
	b.config.probe.interval_up = 3600000;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	prober_tell(b.prober, "mx1", HEALTH_REFUSED, "554 at MAIL", NULL);
	ck_assert(prober_view(b.prober, "mx1", &b.view));
	ck_assert_int_eq(b.view.health.state, HEALTH_REFUSING);
	prober_tell(b.prober, "mx1", HEALTH_GOOD, "delivered", NULL);
	prober_tell(b.prober, "mx1", HEALTH_GOOD, "delivered", NULL);
	ck_assert(prober_view(b.prober, "mx1", &b.view));
	ck_assert_int_eq(b.view.health.state, HEALTH_UP);
	prober_tell(b.prober, "nobody", HEALTH_GOOD, "", NULL);
	done(&b);
}
END_TEST

static bool has_two(struct bench *b)
{
	return b->server.n_clients >= 2;
}

/* Eight connections that break together are one failure, and asked about. */
START_TEST(prober__takes_failures_together_for_one)
{
	struct bench b;

	init(&b, up);
	b.config.probe.interval_down = 3600000;
	b.config.probe.interval_up = 3600000;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	for (int i = 0; i < 8; i++)
		prober_tell(b.prober, "mx1", HEALTH_BAD, "lost", NULL);
	ck_assert(prober_view(b.prober, "mx1", &b.view));
	ck_assert_int_eq(b.view.health.state, HEALTH_DOUBTFUL);
	wait_for(&b, has_two);
	wait_for_state(&b, HEALTH_UP);
	done(&b);
}
END_TEST

static bool has_changed(struct bench *b)
{
	return b->changes > 0;
}

START_TEST(prober__tells_of_changes_later_never_at_once)
{
	struct bench b;

	init(&b, up);
	b.config.probe.interval_up = 3600000;
	start_prober(&b);
	wait_for(&b, has_changed);
	ck_assert(is_known(&b));
	b.changes = 0;
	ck_assert(prober_hold(b.prober, "mx1", true));
	ck_assert_uint_eq(b.changes, 0);
	wait_for(&b, has_changed);
	ck_assert(prober_view(b.prober, "mx1", &b.view));
	ck_assert(b.view.held);
	ck_assert_int_eq(b.view.health.state, HEALTH_UP);
	done(&b);
}
END_TEST

/* --- restart, reload --------------------------------------------------- */

/* Leaves the loop so that all that was written is written. */
static void restart(struct bench *b)
{
	struct error err = {0};

	stop_prober(b);
	stop_loop(b);
	b->loop = loop_new(&err);
	b->guard = timer_new(b->loop, on_guard, b);
	b->poll = timer_new(b->loop, on_poll, b);
	scripted_start(&b->server, b->loop, up, NULL);
	start_prober(b);
	ck_assert(prober_view(b->prober, "mx1", &b->view));
}

static bool was_up_a_while(struct bench *b)
{
	return is_known(b) &&
	       health_up_ms(&b->view.health, clock_wall_ms()) >= 50;
}

START_TEST(prober__keeps_its_state_over_a_restart)
{
	struct primary_view before;
	struct bench b;

	init(&b, up);
	start_prober(&b);
	wait_for(&b, was_up_a_while);
	before = b.view;
	restart(&b);
	ck_assert_int_eq(b.view.health.state, HEALTH_UP);
	ck_assert_int_eq(b.view.health.since_ms, before.health.since_ms);
	ck_assert_int_ge(b.view.health.up_total_ms, 50);
	ck_assert_str_eq(b.view.last_result, "ok");
	ck_assert_uint_eq(b.view.n_good, 1);
	ck_assert_uint_eq(b.view.good[0].port, before.good[0].port);
	ck_assert_uint_eq(b.view.ehlo_ext, before.ehlo_ext);
	ck_assert(!b.view.held);
	done(&b);
}
END_TEST

START_TEST(prober__keeps_an_outage_over_a_restart)
{
	struct bench b;

	init(&b, up);
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	listener_close(b.server.listener);
	b.server.listener = NULL;
	wait_for_state(&b, HEALTH_DOWN);
	restart(&b);
	ck_assert_int_eq(b.view.health.state, HEALTH_DOWN);
	done(&b);
}
END_TEST

START_TEST(prober__keeps_an_operators_hold_over_a_restart)
{
	struct bench b;

	init(&b, up);
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	prober_hold(b.prober, "mx1", true);
	restart(&b);
	ck_assert(b.view.held);
	ck_assert_int_eq(b.view.health.state, HEALTH_UP);
	prober_hold(b.prober, "mx1", false);
	restart(&b);
	ck_assert(!b.view.held);
	done(&b);
}
END_TEST

START_TEST(prober__starts_held_when_the_configuration_says_so)
{
	struct bench b;

	init(&b, up);
	b.domain.drain.hold = true;
	start_prober(&b);
	ck_assert(prober_view(b.prober, "mx1", &b.view));
	ck_assert(b.view.held);
	prober_hold(b.prober, "mx1", false);
	ck_assert(prober_view(b.prober, "mx1", &b.view));
	ck_assert(!b.view.held);
	/* No operator has asked for it: the configuration's word alone. */
	b.domain.drain.hold = false;
	restart(&b);
	ck_assert(!b.view.held);
	done(&b);
}
END_TEST

START_TEST(prober__reads_what_a_record_says)
{
	struct peer_record rec = {.state = HEALTH_DOWN | PEER_STATE_HELD};
	bool held;

	ck_assert_int_eq(peer_record_state(&rec, &held), HEALTH_DOWN);
	ck_assert(held);
	rec.state = HEALTH_UP;
	ck_assert_int_eq(peer_record_state(&rec, &held), HEALTH_UP);
	ck_assert(!held);
	rec.state = 99;
	ck_assert_int_eq(peer_record_state(&rec, &held), HEALTH_UNKNOWN);
}
END_TEST

START_TEST(prober__takes_primaries_in_and_out_at_a_reload)
{
	struct bench b;
	struct config changed;

	init(&b, up);
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	changed = b.config;
	changed.refs = 1;
	changed.n_primaries = 2;
	prepare_host(&b.second_host, b.server.at.port);
	prepare_primary(&b.second, "mx2", &b.second_host);
	prober_reload(b.prober, &changed);
	ck_assert_uint_eq(prober_count(b.prober), 2);
	ck_assert(prober_view(b.prober, "mx1", &b.view));
	ck_assert_int_eq(b.view.health.state, HEALTH_UP);
	ck_assert(prober_view(b.prober, "mx2", &b.view));
	ck_assert_int_eq(b.view.health.state, HEALTH_UNKNOWN);
	prober_reload(b.prober, &b.config);
	ck_assert_uint_eq(prober_count(b.prober), 1);
	ck_assert(!prober_view(b.prober, "mx2", &b.view));
	wait_for_state(&b, HEALTH_UP);
	done(&b);
}
END_TEST

static struct scripted elsewhere;

static bool was_found_elsewhere(struct bench *b)
{
	return elsewhere.n_clients > 0 && is_known(b) && b->view.n_good > 0;
}

START_TEST(prober__follows_a_primary_that_moves)
{
	struct config_primary moved;
	struct config_primary *primaries[] = {&moved};
	struct config_domain domain;
	struct config_host host;
	struct config changed;
	struct bench b;

	init(&b, up);
	b.config.probe.interval_up = 3600000;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	scripted_start(&elsewhere, b.loop, up, NULL);
	prepare_host(&host, elsewhere.at.port);
	prepare_primary(&moved, "mx1", &host);
	domain = b.domain;
	domain.primary = &moved;
	changed = b.config;
	changed.refs = 1;
	changed.primaries = primaries;
	changed.domains = &domain;
	prober_reload(b.prober, &changed);
	ck_assert(prober_view(b.prober, "mx1", &b.view));
	ck_assert_int_eq(b.view.health.state, HEALTH_UP);
	ck_assert_uint_eq(b.view.n_good, 0);
	wait_for(&b, was_found_elsewhere);
	ck_assert_uint_eq(b.view.good[0].port, elsewhere.at.port);
	scripted_stop(&elsewhere);
	done(&b);
}
END_TEST

START_TEST(prober__may_be_freed_in_the_midst_of_probes)
{
	static const char *const silent[] = {"STALL", NULL};
	static const char *const *const scripts[] = {silent, NULL};
	struct bench b;

	init(&b, scripts);
	start_prober(&b);
	wait_for(&b, has_two);
	prober_probe_now(b.prober, "mx1", on_done, &b);
	done(&b);
	ck_assert_uint_eq(b.done, 0);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"prober", TEST(prober__finds_a_primary_that_is_up),
		TEST(prober__says_quit),
		TEST(prober__sees_a_primary_go_and_come_back),
		TEST(prober__does_not_wait_for_a_probe_that_hangs),
		TEST(prober__starts_no_more_than_a_few_at_once),
		LOOP(prober__judges_what_it_hears, verdicts),
		LOOP(prober__goes_as_deep_as_configured, depths),
		TEST(prober__takes_a_whole_address_as_it_is),
		TEST(prober__probes_when_asked),
		TEST(prober__believes_deliveries),
		TEST(prober__takes_failures_together_for_one),
		TEST(prober__tells_of_changes_later_never_at_once),
		TEST(prober__keeps_its_state_over_a_restart),
		TEST(prober__keeps_an_outage_over_a_restart),
		TEST(prober__keeps_an_operators_hold_over_a_restart),
		TEST(prober__starts_held_when_the_configuration_says_so),
		TEST(prober__reads_what_a_record_says),
		TEST(prober__takes_primaries_in_and_out_at_a_reload),
		TEST(prober__follows_a_primary_that_moves),
		TEST(prober__may_be_freed_in_the_midst_of_probes));
}
