/* What outlives a restart or a reload. */
#include "bench.h"
#include "unit/base/suite.h"

/* --- restart, reload --------------------------------------------------- */

/* Leaves the loop so that all that was written is written. */
static void restart_at(struct bench *b, uint16_t port)
{
	struct error err = {0};

	stop_prober(b);
	stop_loop(b);
	b->loop = loop_new(&err);
	b->guard = timer_new(b->loop, on_guard, b);
	b->poll = timer_new(b->loop, on_poll, b);
	scripted_start_at(&b->server, b->loop, port, up, NULL);
	start_prober(b);
	ck_assert(prober_view(b->prober, "mx1", &b->view));
}

static void restart(struct bench *b)
{
	restart_at(b, 0);
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
	prober_hold(b.prober, "mx1", true, NULL, NULL);
	restart(&b);
	ck_assert(b.view.held);
	ck_assert_int_eq(b.view.health.state, HEALTH_UP);
	prober_hold(b.prober, "mx1", false, NULL, NULL);
	restart(&b);
	ck_assert(!b.view.held);
	done(&b);
}
END_TEST

/* --- who waits for the disk -------------------------------------------- */

static struct {
	unsigned kept, lost;
	bool held_on_disk;
	struct bench *bench;
} heard;

static bool is_held_on_disk(const struct bench *b)
{
	struct peer_record rec;
	bool held = false;

	if (directory_peer_get(b->directory, "mx1", &rec) == 0)
		peer_record_state(&rec, &held);
	return held;
}

static void on_kept(void *data, const char *why)
{
	ck_assert_ptr_eq(data, &heard);
	heard.kept++;
	heard.lost += why != NULL;
	heard.held_on_disk = is_held_on_disk(heard.bench);
}

static bool has_heard_all(struct bench *b)
{
	(void)b;
	return heard.kept == 3;
}

/* Whoever hears that it is done may pull the plug. */
START_TEST(prober__says_that_it_is_held_when_that_is_on_disk)
{
	struct bench b;

	init(&b, up);
	memset(&heard, 0, sizeof(heard));
	heard.bench = &b;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	prober_hold(b.prober, "mx1", true, on_kept, &heard);
	prober_hold(b.prober, "mx1", false, on_kept, &heard);
	prober_hold(b.prober, "mx1", true, on_kept, &heard);
	ck_assert_uint_eq(heard.kept, 0);
	wait_for(&b, has_heard_all);
	ck_assert(heard.held_on_disk);
	ck_assert_uint_eq(heard.lost, 0);
	done(&b);
}
END_TEST

/* One that was under way says nothing of what came behind it. */
START_TEST(prober__tells_who_waits_also_when_it_ends)
{
	struct bench b;

	init(&b, up);
	memset(&heard, 0, sizeof(heard));
	heard.bench = &b;
	start_prober(&b);
	prober_hold(b.prober, "mx1", false, on_kept, &heard);
	prober_hold(b.prober, "mx1", true, on_kept, &heard);
	stop_prober(&b);
	ck_assert_uint_eq(heard.kept, 0);
	stop_loop(&b);
	ck_assert_uint_eq(heard.kept, 2);
	ck_assert_uint_eq(heard.lost, 0);
	ck_assert(heard.held_on_disk);
	directory_close(b.directory);
	nftw(b.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
END_TEST

START_TEST(prober__says_that_it_could_not_be_written)
{
	struct bench b;

	init(&b, up);
	memset(&heard, 0, sizeof(heard));
	heard.bench = &b;
	b.primary.name = (char *)(uintptr_t) ""; /* no key of the table */
	start_prober(&b);
	heard.kept = 2;
	ck_assert(prober_hold(b.prober, "", true, on_kept, &heard));
	wait_for(&b, has_heard_all);
	ck_assert_uint_eq(heard.lost, 1);
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
	prober_hold(b.prober, "mx1", false, NULL, NULL);
	ck_assert(prober_view(b.prober, "mx1", &b.view));
	ck_assert(!b.view.held);
	/* No operator has asked for it: the configuration's word alone. */
	b.domain.drain.hold = false;
	restart(&b);
	ck_assert(!b.view.held);
	done(&b);
}
END_TEST

/* DNS is silent, but where it was found last may be tried. */
START_TEST(prober__looks_where_it_was_found_last)
{
	static char name[] = "mx1.example.org";
	struct bench b;

	init(&b, up);
	b.config.probe.interval_down = b.config.probe.interval_up = 200;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	b.host = (struct config_host){.name = name, .port = 25};
	if (_i)
		b.config.dns.last_good = -1; /* too long ago */
	restart_at(&b, b.server.at.port);
	if (_i)
		wait_for_state(&b, HEALTH_DOWN);
	else
		wait_for(&b, has_two);
	ck_assert_uint_eq(b.server.n_clients > 0, !_i);
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

/* --- what a reload changes ---------------------------------------------- */

enum change {
	CHANGE_NOTHING,
	CHANGE_HOST,
	CHANGE_HOST_PORT,
	CHANGE_HOSTS,
	CHANGE_PORT,
	CHANGE_TO_MX,
	CHANGE_MX
};

static void apply(enum change what, struct config_primary *p,
		  struct config_host host[2])
{
	static char name[] = "127.0.0.2", other[] = "other.example";

	p->hosts = host;
	host[1] = host[0];
	if (what == CHANGE_HOST)
		host[0].name = name;
	else if (what == CHANGE_HOST_PORT)
		host[0].port++;
	else if (what == CHANGE_HOSTS)
		p->n_hosts = 2;
	else if (what == CHANGE_PORT)
		p->port++;
	else if (what == CHANGE_TO_MX)
		p->by_mx = true;
	else if (what == CHANGE_MX)
		p->mx_domain = other;
}

static const struct {
	enum change what;
	bool by_mx, is_same;
} moves[] = {
	{CHANGE_NOTHING, false, true}, {CHANGE_NOTHING, true, true},
	{CHANGE_HOST, false, false},   {CHANGE_HOST_PORT, false, false},
	{CHANGE_HOSTS, false, false},  {CHANGE_PORT, false, false},
	{CHANGE_TO_MX, false, false},  {CHANGE_MX, true, false},
	{CHANGE_MX, false, true}, /* it is not asked for */
};

/* What was good there is not good elsewhere, and who asked about the old
 * place has his answer. */
START_TEST(prober__forgets_where_a_primary_was)
{
	static const char *const silent[] = {"STALL", NULL};
	static const char *const *const scripts[] = {mild, silent, NULL};
	struct config_primary moved;
	struct config_primary *primaries[] = {&moved};
	struct config_host hosts[2];
	struct config changed;
	struct bench b;

	init(&b, scripts);
	b.config.probe.interval_up = b.config.probe.timeout = 3600000;
	b.primary.by_mx = moves[_i].by_mx;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	prober_probe_now(b.prober, "mx1", on_done, &b);
	wait_for(&b, has_two);
	changed = b.config;
	changed.refs = 1;
	changed.primaries = primaries;
	moved = b.primary;
	hosts[0] = b.host;
	apply(moves[_i].what, &moved, hosts);
	prober_reload(b.prober, &changed);
	ck_assert_uint_eq(b.done, !moves[_i].is_same);
	ck_assert(prober_view(b.prober, "mx1", &b.view));
	ck_assert_uint_eq(b.view.n_good, moves[_i].is_same);
	done(&b);
}
END_TEST

static bool has_asked_for_other(struct bench *b)
{
	return scripted_heard(&b->server, "RCPT TO:<postmaster@other.example>");
}

/* Soon, though the old interval was an hour, and of the new domain. */
START_TEST(prober__probes_as_it_is_told_from_now_on)
{
	static char other[] = "other.example";
	struct config_domain domain;
	struct config changed;
	struct bench b;

	init(&b, up);
	b.config.probe.interval_up = 3600000;
	start_prober(&b);
	wait_for_state(&b, HEALTH_UP);
	changed = b.config;
	changed.refs = 1;
	changed.probe.interval_up = 30;
	domain = b.domain;
	domain.name = other;
	changed.domains = &domain;
	prober_reload(b.prober, &changed);
	wait_for(&b, has_asked_for_other);
	done(&b);
}
END_TEST

static const bool holds[][2] = {
	{false, false}, {true, false}, {false, true}, {true, true}};

START_TEST(prober__starts_held_when_all_its_domains_are)
{
	struct config_domain domains[2];
	struct bench b;

	init(&b, up);
	for (int i = 0; i < 2; i++) {
		domains[i] = b.domain;
		domains[i].drain.hold = holds[_i][i];
	}
	b.config.domains = domains;
	b.config.n_domains = 2;
	start_prober(&b);
	ck_assert(prober_view(b.prober, "mx1", &b.view));
	ck_assert_int_eq(b.view.held, holds[_i][0] && holds[_i][1]);
	done(&b);
}
END_TEST

static uint16_t first_port;

static bool is_first(struct bench *b)
{
	return prober_view(b->prober, "mx1", &b->view) && b->view.n_good > 0 &&
	       b->view.good[0].port == first_port;
}

static bool is_second(struct bench *b)
{
	return prober_view(b->prober, "mx1", &b->view) && b->view.n_good > 1 &&
	       b->view.good[0].port == elsewhere.at.port;
}

/* The last one first; each of them once. */
START_TEST(prober__knows_where_it_was_found_last)
{
	struct config_host hosts[2];
	struct bench b;

	init(&b, up);
	first_port = b.server.at.port;
	scripted_start(&elsewhere, b.loop, up, NULL);
	hosts[0] = b.host;
	prepare_host(&hosts[1], elsewhere.at.port);
	b.primary.hosts = hosts;
	b.primary.n_hosts = 2;
	start_prober(&b);
	wait_for(&b, is_first);
	scripted_stop(&b.server);
	wait_for(&b, is_second);
	ck_assert_uint_eq(b.view.n_good, 2);
	ck_assert_uint_eq(b.view.good[1].port, first_port);
	scripted_start_at(&b.server, b.loop, first_port, up, NULL);
	wait_for(&b, is_first);
	ck_assert_uint_eq(b.view.n_good, 2);
	ck_assert_uint_eq(b.view.good[1].port, elsewhere.at.port);
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
		"prober_restart", TEST(prober__keeps_its_state_over_a_restart),
		TEST(prober__keeps_an_outage_over_a_restart),
		TEST(prober__keeps_an_operators_hold_over_a_restart),
		TEST(prober__says_that_it_is_held_when_that_is_on_disk),
		TEST(prober__tells_who_waits_also_when_it_ends),
		TEST(prober__says_that_it_could_not_be_written),
		TEST(prober__starts_held_when_the_configuration_says_so),
		{.fn = prober__looks_where_it_was_found_last, .rows = 2},
		TEST(prober__reads_what_a_record_says),
		TEST(prober__takes_primaries_in_and_out_at_a_reload),
		TEST(prober__follows_a_primary_that_moves),
		LOOP(prober__forgets_where_a_primary_was, moves),
		TEST(prober__probes_as_it_is_told_from_now_on),
		LOOP(prober__starts_held_when_all_its_domains_are, holds),
		TEST(prober__knows_where_it_was_found_last),
		TEST(prober__may_be_freed_in_the_midst_of_probes));
}
