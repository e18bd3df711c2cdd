/* STARTTLS on the way to a session: may, off, require, verify, pin. */
#include "rig.h"
#include "unit/base/suite.h"

#define EHLO_TLS "C:EHLO ", "S:250-fake", "S:250 STARTTLS"

static void assert_fits(const struct scripted *s)
{
	ck_assert_str_eq(s->misfit, "");
}

static const char *const with_tls[] = {"S:220 fake",
				       "C:EHLO",
				       "S:250-fake",
				       "S:250-SIZE 1000",
				       "S:250 STARTTLS",
				       "C:STARTTLS",
				       "S:220 go",
				       "TLS",
				       "C:EHLO",
				       "S:250-fake",
				       "S:250 SIZE 77",
				       "AUTO",
				       NULL};

/* TLS-12, TX-25 */
START_TEST(attempt__encrypts_when_it_may)
{
	static const char *const *const scripts[] = {with_tls, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	rig_make_tls(&r);
	scripted_start(&server, r.loop, scripts, r.tls);
	rig_add(&r, &server);
	r.primary.tls = _i ? PRIMARY_TLS_REQUIRE : PRIMARY_TLS_MAY;
	rig_must_open(&r);
	ck_assert_uint_eq(server.n_tls, 1);
	ck_assert_str_eq(rig_proof(&r), "no");
	ck_assert_uint_eq(session_ehlo(r.session)->size, 77);
	assert_fits(&server);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

START_TEST(attempt__stays_in_clear_when_told_so)
{
	static const char *const script[] = {"S:220 fake", EHLO_TLS, "AUTO",
					     NULL};
	static const char *const *const scripts[] = {script, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	rig_add(&r, &server);
	r.primary.tls = PRIMARY_TLS_OFF;
	rig_must_open(&r);
	ck_assert_str_eq(rig_proof(&r), "");
	ck_assert(!scripted_heard(&server, "STARTTLS"));
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* TLS-13: what may go wrong with opportunistic TLS; then a new connection
 * goes in clear, and the next session does not even try. */
static const char *const broken_tls[][12] = {
	{"S:220 a", EHLO_TLS, "C:STARTTLS", "S:454 no"},
	{"S:220 a", EHLO_TLS, "C:STARTTLS", "S:501 no"},
	{"S:220 a", EHLO_TLS, "C:STARTTLS", "S:220 go", "SWALLOW",
	 "R:not TLS\r\n"},
	{"S:220 a", EHLO_TLS, "C:STARTTLS", "S:220 go", "CLOSE"},
	{"S:220 a", EHLO_TLS, "C:STARTTLS", "S:220 go", "STALL"},
};

START_TEST(attempt__goes_in_clear_when_tls_is_broken)
{
	static const char *const clear[] = {"S:220 b", EHLO_TLS, "AUTO", NULL};
	const char *const *scripts[] = {broken_tls[_i], clear, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	rig_add(&r, &server);
	r.target.command_timeout = scripted_stalls(scripts[0]) ? 1000 : 30000;
	rig_must_open(&r);
	ck_assert_uint_eq(server.n_clients, 2);
	ck_assert_str_eq(rig_proof(&r), "");
	session_close(r.session);
	r.opened = 0;
	rig_must_open(&r);
	ck_assert_uint_eq(server.n_clients, 3);
	ck_assert_uint_eq(scripted_count(&server, "STARTTLS"), 1);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* TX-14: it is busy, which says nothing of its TLS; no reason for clear text.
 */
START_TEST(attempt__stays_encrypted_behind_a_421)
{
	static const char *const busy[] = {"S:220 a", EHLO_TLS, "C:STARTTLS",
					   "S:421 busy", NULL};
	const char *const *scripts[] = {busy, with_tls, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	rig_make_tls(&r);
	scripted_start(&server, r.loop, scripts, r.tls);
	rig_add(&r, &server);
	rig_open(&r);
	ck_assert_uint_eq(r.failed, 1);
	ck_assert_int_eq(r.failure.reply.code, 421);
	ck_assert_uint_eq(server.n_clients, 1);
	session_close(r.session);
	r.failed = 0;
	rig_must_open(&r);
	ck_assert_uint_eq(server.n_tls, 1);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

/* TLS-15: octets in clear behind the 220 are an attack; nothing of them may
 * be taken for an answer inside TLS. */
START_TEST(attempt__drops_injected_replies)
{
	static const char *const script[] = {
		"S:220 fake", EHLO_TLS,
		"C:STARTTLS", "R:220 go\r\n250-fake\r\n250 PIPELINING\r\n",
		"TLS",        "AUTO",
		NULL};
	static const char *const *const scripts[] = {script, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	rig_make_tls(&r);
	scripted_start(&server, r.loop, scripts, r.tls);
	rig_add(&r, &server);
	r.primary.tls = _i ? PRIMARY_TLS_REQUIRE : PRIMARY_TLS_MAY;
	rig_open(&r);
	ck_assert_uint_eq(r.failed, 1);
	ck_assert_int_eq(r.failure.stage, STAGE_TLS);
	ck_assert_int_eq(r.failure.fault, FAULT_TEMPORARY);
	ck_assert_uint_eq(server.n_clients, 1);
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

static void expect_unproved(struct rig *r, const char *text)
{
	static const char *const *const scripts[] = {with_tls, NULL};
	struct scripted server;

	scripted_start(&server, r->loop, scripts, r->tls);
	rig_add(r, &server);
	rig_open(r);
	ck_assert_uint_eq(r->failed, 1);
	ck_assert_int_eq(r->failure.stage, STAGE_TLS);
	ck_assert_int_eq(r->failure.fault, FAULT_TEMPORARY);
	ck_assert_msg(strstr(r->failure.text, text) != NULL, "%s",
		      r->failure.text);
	ck_assert(!scripted_heard(&server, "MAIL"));
	scripted_stop(&server);
	rig_done(r);
}

/* TLS-27 */
START_TEST(attempt__refuses_an_unknown_issuer)
{
	struct rig r;

	rig_init(&r);
	rig_make_tls(&r);
	r.primary.tls = PRIMARY_TLS_VERIFY;
	expect_unproved(&r, "not proved");
}
END_TEST

START_TEST(attempt__refuses_another_name)
{
	char ca[96];
	struct rig r;

	rig_init(&r);
	rig_make_tls(&r);
	snprintf(ca, sizeof(ca), "%s/cert.pem", r.dir);
	r.primary.ca = ca;
	r.primary.tls = PRIMARY_TLS_VERIFY;
	/* The issuer is known, but the name is 127.0.0.1. */
	expect_unproved(&r, "not proved");
}
END_TEST

START_TEST(attempt__refuses_another_key_than_the_pinned_one)
{
	static char pin[] = "sha256:"
			    "00112233445566778899aabbccddeeff"
			    "00112233445566778899aabbccddeeff";
	struct rig r;

	rig_init(&r);
	rig_make_tls(&r);
	r.primary.pin = pin;
	r.primary.tls = PRIMARY_TLS_PIN;
	expect_unproved(&r, "pinned");
}
END_TEST

START_TEST(attempt__accepts_the_pinned_key)
{
	static const char *const *const scripts[] = {with_tls, NULL};
	struct scripted server;
	char pin[96];
	struct rig r;

	rig_init(&r);
	rig_make_tls(&r);
	ck_assert_msg(rig_pin(&r, pin, sizeof(pin)),
		      "the openssl command is missing");
	r.primary.pin = pin;
	r.primary.tls = PRIMARY_TLS_PIN;
	scripted_start(&server, r.loop, scripts, r.tls);
	rig_add(&r, &server);
	rig_must_open(&r);
	ck_assert_str_eq(rig_proof(&r), "pin");
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

START_TEST(attempt__fails_without_its_ca_file)
{
	static char ca[] = "/nonexistent/ca.pem";
	static const char *const *const scripts[] = {with_tls, NULL};
	struct scripted server;
	struct rig r;

	rig_init(&r);
	rig_make_tls(&r);
	r.primary.ca = ca;
	r.primary.tls = PRIMARY_TLS_VERIFY;
	scripted_start(&server, r.loop, scripts, r.tls);
	rig_add(&r, &server);
	rig_open(&r);
	ck_assert_uint_eq(r.failed, 1);
	ck_assert_int_eq(r.failure.stage, STAGE_TLS);
	ck_assert_ptr_nonnull(strstr(r.failure.text, "/nonexistent/ca.pem"));
	scripted_stop(&server);
	rig_done(&r);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"attempt_tls", {.fn = attempt__encrypts_when_it_may, .rows = 2},
		TEST(attempt__stays_in_clear_when_told_so),
		LOOP(attempt__goes_in_clear_when_tls_is_broken, broken_tls),
		TEST(attempt__stays_encrypted_behind_a_421),
		{.fn = attempt__drops_injected_replies, .rows = 2},
		TEST(attempt__refuses_an_unknown_issuer),
		TEST(attempt__refuses_another_name),
		TEST(attempt__refuses_another_key_than_the_pinned_one),
		TEST(attempt__accepts_the_pinned_key),
		TEST(attempt__fails_without_its_ca_file));
}
