/* What is foretold is what happens: each case is asked for, and then done. */
#include "mxhold/receive/simulate.h"

#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

#include "door.h"
#include "mxhold/base/mem.h"
#include "mxhold/receive/escape.h"
#include "support/fake_dns.h"

static const struct fake_record zone[] = {
	{"44.33.22.11.in-addr.arpa", "PTR", "good.test", 0},
	{"good.test", "A", "11.22.33.44", 0},
	{"44.33.22.11.two.test", "A", "127.0.0.4", 0},
	{NULL, NULL, NULL, 0},
};

static struct door_rig door;
static struct fake_dns *dns;
static struct simulate_ask ask;
static struct simulation *s;
static sem_t simulated;

static void make_resolver(struct door_rig *d)
{
	struct error err;

	dns = fake_dns_start(zone, NULL);
	d->resolver = resolver_new(
		d->loop,
		&(struct resolver_options){
			.servers = (const char *[]){fake_dns_server(dns)},
			.n_servers = 1,
			.trust_anchor = "none"},
		&err);
	ck_assert_msg(d->resolver, "%s", err.text);
}

static void tell_up(struct door_rig *d)
{
	receive_primary_state(
		d->receive,
		config_domain(d->rig.config, "example.com")->primary->name,
		true, 0);
}

static void begin(bool is_up)
{
	sem_init(&simulated, 0, 0);
	door_open_after(
		&door, make_resolver,
		"+proxy_from = \"127.0.0.0/8\" }\n"
		"policy { dnsbl = \"two.test:3\" }\n"
		"domain \"strict.test\" { primary = \"192.0.2.7:25\" "
		"recipients = \"learn\" unknown_down = \"accept\" "
		"policy { require_fcrdns = true dnsbl = {} action = "
		"\"reject\" } }\n"
		"domain \"log.test\" { primary = \"192.0.2.7:25\" recipients "
		"= \"learn\" unknown_down = \"accept\" policy { action = "
		"\"record\" } }\n"
		"domain \"slow.test\" { primary = \"192.0.2.7:25\" recipients "
		"= \"learn\" }",
		is_up ? "when_up = \"defer\"" : "");
	if (is_up)
		door_call(&door, tell_up);
}

static void finish(void)
{
	mem_free(s);
	door_close(&door);
	fake_dns_stop(dns);
}

static void on_done(void *data, struct simulation *simulation)
{
	(void)data;
	mem_free(s);
	s = simulation;
	sem_post(&simulated);
}

static void start(struct door_rig *d)
{
	receive_simulate(d->receive, &ask, on_done, d);
}

static void simulate(const char *client, const char *from, const char *rcpt)
{
	ck_assert_int_eq(inet_parse(slice_str(client), &ask.client), 0);
	ask.from = from;
	ask.rcpt = rcpt;
	door_call(&door, start);
	while (sem_wait(&simulated))
		;
}

/* The reply to MAIL when it is no yes, else to RCPT. */
static const char *really(const char *client, const char *from,
			  const char *rcpt)
{
	static char got[512];
	int fd = client_open(&door);
	char text[512];

	snprintf(text, sizeof(text),
		 "PROXY TCP4 %s 192.0.2.1 4711 25\r\nEHLO c.test\r\n"
		 "MAIL FROM:<%s>\r\n",
		 client, from);
	client_send(fd, text);
	client_expect(fd, "220");
	client_expect(fd, "250");
	snprintf(got, sizeof(got), "%s", client_reply(fd));
	if (got[0] == '2') {
		snprintf(text, sizeof(text), "RCPT TO:<%s>\r\n", rcpt);
		client_send(fd, text);
		snprintf(got, sizeof(got), "%s", client_reply(fd));
	}
	got[strcspn(got, "\r")] = '\0';
	close(fd);
	return got;
}

static const struct {
	const char *client, *from, *rcpt;
	enum simulate_rule decided_by;
	const char *reply;
} cases[] = {
	{"11.22.33.46", "a@b.test", "joe@example.com", SIMULATE_RULES,
	 "250 2.1.5 recipient ok"},
	{"11.22.33.46", "", "joe@example.com", SIMULATE_RULES,
	 "250 2.1.5 recipient ok"},
	{"11.22.33.44", "a@b.test", "joe@example.com", SIMULATE_DNSBL,
	 "450 4.7.1 [11.22.33.44] is listed by two.test"},
	{"11.22.33.44", "a@b.test", "postmaster@example.com", SIMULATE_RULES,
	 "250 2.1.5 recipient ok"},
	{"11.22.33.44", "a@b.test", "x@log.test", SIMULATE_RULES,
	 "250 2.1.5 recipient ok"},
	{"11.22.33.44", "a@b.test", "x@strict.test", SIMULATE_RULES,
	 "250 2.1.5 recipient ok"},
	{"11.22.33.46", "a@b.test", "x@strict.test", SIMULATE_FCRDNS,
	 "550 5.7.25 no reverse name of [11.22.33.46] leads back to it"},
	{"11.22.33.44", "a@b.test", "x@out.test", SIMULATE_RELAY,
	 "550 5.7.1 relaying denied"},
	{"11.22.33.44", "a@b.test", "nobody@example.com", SIMULATE_DNSBL,
	 "450 4.7.1 [11.22.33.44] is listed by two.test"},
	{"11.22.33.46", "a@b.test", "nobody@example.com", SIMULATE_RECIPIENT,
	 "550 5.1.1 no such user here"},
	{"11.22.33.46", "a@b.test", "x@slow.test", SIMULATE_RECIPIENT,
	 "451 4.4.3 cannot tell yet whether this user exists, try again "
	 "later"},
	{"11.22.33.46", "a@b.test", "joe@example.com", SIMULATE_WHEN_UP,
	 "451 4.3.2 192.0.2.1 is up, please use it"},
	{"11.22.33.46", "not an address", "joe@example.com", SIMULATE_SENDER,
	 "501 5.1.7"},
	{"11.22.33.46", "a@b.test", "no address@", SIMULATE_RELAY, "501 5.1.3"},
	{"192.168.1.1", "a@b.test", "x@strict.test", SIMULATE_RULES,
	 "250 2.1.5 recipient ok"},
};

START_TEST(simulate__foretells_what_the_dialogue_says)
{
	const char *reply = cases[_i].reply;

	begin(cases[_i].decided_by == SIMULATE_WHEN_UP);
	simulate(cases[_i].client, cases[_i].from, cases[_i].rcpt);
	ck_assert_int_eq(s->decided_by, cases[_i].decided_by);
	ck_assert_msg(strncmp(s->reply, reply, strlen(reply)) == 0, "%s",
		      s->reply);
	reply = really(cases[_i].client, cases[_i].from, cases[_i].rcpt);
	ck_assert_msg(strncmp(s->reply, reply, 9) == 0, "%s, but %s", s->reply,
		      reply);
	if (s->reply[0] != '5' || s->reply[1] != '0') /* not of the syntax */
		ck_assert_str_eq(s->reply, reply);
	for (unsigned i = 0; i < SIMULATE_RULES; i++) {
		ck_assert_ptr_nonnull(s->rows[i].verdict);
		ck_assert_int_gt(strlen(s->rows[i].why), 0);
	}
	finish();
}
END_TEST

START_TEST(simulate__explains_each_rule)
{
	begin(true);
	ask.helo = "c.test";
	simulate("11.22.33.44", "a@b.test", "joe@example.com");
	ck_assert_str_eq(s->rows[SIMULATE_CONNECTIONS].why,
			 "0 of 1000 sessions are open");
	ck_assert_str_eq(s->rows[SIMULATE_PROXY].why, "no rights");
	ck_assert_str_eq(s->rows[SIMULATE_PREGREET].why,
			 "the banner comes at once");
	ck_assert_str_eq(s->rows[SIMULATE_FCRDNS].why,
			 "good.test is confirmed");
	ck_assert_str_eq(s->rows[SIMULATE_DNSBL].why,
			 "weight 3 of 3, listed by two.test");
	ck_assert_str_eq(s->rows[SIMULATE_HELO].verdict, "pass");
	ck_assert_str_eq(s->rows[SIMULATE_RELAY].why, "example.com is ours");
	ck_assert_str_eq(s->rows[SIMULATE_QUOTA].why, "no quota");
	ck_assert_str_eq(s->rows[SIMULATE_WHEN_UP].why,
			 "when_up = defer, it is up; never tried before");
	ck_assert_str_eq(s->rows[SIMULATE_WHEN_UP].reply,
			 "451 4.3.2 192.0.2.1 is up, please use it");
	ck_assert_str_eq(s->rows[SIMULATE_EXTENSIONS].why,
			 "its EHLO was never heard");
	ask.helo = "two words";
	simulate("127.0.0.1", "a@b.test", "joe@example.com");
	ck_assert_str_eq(s->rows[SIMULATE_PROXY].why,
			 "must speak PROXY first at listen \"smtp\"");
	ck_assert_str_eq(s->rows[SIMULATE_HELO].verdict, "reject");
	ck_assert_int_eq(s->decided_by, SIMULATE_HELO);
	finish();
}
END_TEST

static void tell_slow_up(struct door_rig *d)
{
	receive_primary_state(
		d->receive,
		config_domain(d->rig.config, "slow.test")->primary->name, true,
		0);
}

START_TEST(simulate__does_not_ask_the_primary_for_a_recipient)
{
	begin(false);
	door_call(&door, tell_slow_up);
	simulate("11.22.33.46", "a@b.test", "x@slow.test");
	ck_assert_str_eq(s->rows[SIMULATE_RECIPIENT].verdict, "skip");
	ck_assert_str_eq(s->rows[SIMULATE_RECIPIENT].why,
			 "not known: RCPT would ask the primary now");
	ck_assert_int_eq(s->decided_by, SIMULATE_RULES);
	finish();
}
END_TEST

/* It knows of earlier tries, and is none itself. */
START_TEST(simulate__counts_no_try_of_its_own)
{
	escape_rules.spread_ms = 0;
	begin(true);
	really("11.22.33.46", "a@b.test", "joe@example.com");
	for (int i = 0; i < 3; i++) {
		simulate("11.22.33.46", "a@b.test", "joe@example.com");
		ck_assert_int_eq(s->decided_by, SIMULATE_WHEN_UP);
		ck_assert_ptr_nonnull(
			strstr(s->rows[SIMULATE_WHEN_UP].why, "tried 1 time,"));
	}
	really("11.22.33.46", "a@b.test", "joe@example.com");
	simulate("11.22.33.46", "a@b.test", "joe@example.com");
	ck_assert_int_eq(s->decided_by, SIMULATE_RULES);
	ck_assert_str_eq(really("11.22.33.46", "a@b.test", "joe@example.com"),
			 "250 2.1.5 recipient ok");
	finish();
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"simulate",
		LOOP(simulate__foretells_what_the_dialogue_says, cases),
		TEST(simulate__explains_each_rule),
		TEST(simulate__does_not_ask_the_primary_for_a_recipient),
		TEST(simulate__counts_no_try_of_its_own));
}
