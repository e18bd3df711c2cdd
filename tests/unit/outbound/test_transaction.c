/* One message over an open session, whatever the server makes of it. */
#include "rig.h"
#include "unit/base/suite.h"

#define HELLO      "S:220 fake", "C:EHLO", "S:250-fake"
#define HELLO_BARE HELLO, "S:250 HELP"
#define HELLO_PIPE HELLO, "S:250 PIPELINING"

static const char stuffed[] = "Subject: x\n\n..hidden\nlast\n.\n";

/* A server with one script, an open session to it. */
static void begin(struct rig *r, struct scripted *server, const char *const *s)
{
	static const char *const *scripts[2];

	scripts[0] = s;
	rig_init(r);
	scripted_start(server, r->loop, scripts, NULL);
	rig_add(r, server);
	rig_must_open(r);
}

static void end(struct rig *r, struct scripted *server)
{
	ck_assert_str_eq(server->misfit, "");
	scripted_stop(server);
	rig_done(r);
}

/* --- the happy path ---------------------------------------------------- */

static const char *const one_by_one[] = {HELLO_BARE,
					 "C:MAIL FROM:<a@example.org>",
					 "S:250 2.1.0 ok",
					 "C:RCPT TO:<b0@example.com>",
					 "S:250 2.1.5 ok",
					 "C:RCPT TO:<b1@example.com>",
					 "S:251 will forward",
					 "C:DATA",
					 "S:354 go",
					 "BODY",
					 "S:250 2.0.0 kept as 7",
					 NULL};
static const char *const pipelined[] = {HELLO_PIPE,
					"C:MAIL FROM:<a@example.org>",
					"C:RCPT TO:<b0@example.com>",
					"C:RCPT TO:<b1@example.com>",
					"C:DATA",
					"S:250 2.1.0 ok",
					"S:250 2.1.5 ok",
					"S:251 will forward",
					"S:354 go",
					"BODY",
					"S:250 2.0.0 kept as 7",
					NULL};
static const char *const *const happy[] = {one_by_one, pipelined};

START_TEST(transaction__delivers)
{
	struct scripted server;
	struct rig r;

	begin(&r, &server, happy[_i / 4]);
	r.piece = _i & 1 ? 1 : 0;
	r.body_later = _i & 2;
	rig_send(&r, 2, NULL);
	ck_assert_uint_eq(r.sent, 1);
	ck_assert(r.result.sent_dot);
	ck_assert(!r.result.broken);
	ck_assert_int_eq(r.result.mail.code, 250);
	ck_assert_int_eq(r.rcpts[0].code, 250);
	ck_assert_int_eq(r.rcpts[1].code, 251);
	ck_assert_int_eq(r.result.final.code, 250);
	ck_assert_str_eq(r.result.final.enhanced, "2.0.0");
	ck_assert_slice_eq(buf_slice(&server.body), stuffed);
	end(&r, &server);
}
END_TEST

START_TEST(transaction__sends_many_over_one_session)
{
	static const char *const mild[] = {"S:220 hi", "AUTO", NULL};
	struct scripted server;
	struct rig r;

	begin(&r, &server, mild);
	for (unsigned i = 0; i < 20; i++) {
		rig_send(&r, 1, NULL);
		ck_assert_uint_eq(r.sent, i + 1);
		ck_assert_int_eq(r.result.final.code, 250);
	}
	ck_assert_uint_eq(server.n_clients, 1);
	ck_assert_uint_eq(scripted_count(&server, "MAIL"), 20);
	end(&r, &server);
}
END_TEST

/* More than all buffers on the way hold. */
START_TEST(transaction__sends_a_long_message)
{
	enum {
		COPIES = 4000
	};
	static const char *const mild[] = {"S:220 hi", "AUTO", NULL};
	static char text[1025];
	struct scripted server;
	struct rig r;

	memset(text, 'x', sizeof(text) - 1);
	for (size_t i = 63; i < sizeof(text) - 1; i += 64)
		memcpy(text + i - 1, "\r\n", 2);
	begin(&r, &server, mild);
	r.text = text;
	r.repeats = COPIES;
	r.body_later = _i;
	rig_send(&r, 1, NULL);
	ck_assert_int_eq(r.result.final.code, 250);
	/* LF for CRLF in what is kept, and the dot's line. */
	ck_assert_uint_eq(server.body.n, COPIES * (sizeof(text) - 1 - 16) + 2);
	end(&r, &server);
}
END_TEST

/* Read in slices larger than what may wait on the way. */
START_TEST(transaction__sends_large_slices)
{
	enum {
		LARGE = 3 * 1024 * 1024
	};
	static const char *const mild[] = {"S:220 hi", "AUTO", NULL};
	static char text[LARGE + 1];
	struct scripted server;
	struct rig r;

	memset(text, 'x', LARGE);
	for (size_t i = 63; i < LARGE; i += 64)
		memcpy(text + i - 1, "\r\n", 2);
	begin(&r, &server, mild);
	r.text = text;
	r.piece = _i ? LARGE / 2 : 0;
	rig_send(&r, 1, NULL);
	ck_assert_int_eq(r.result.final.code, 250);
	ck_assert_uint_eq(server.body.n, LARGE - LARGE / 64 + 2);
	rig_send(&r, 1, NULL);
	ck_assert_int_eq(r.result.final.code, 250);
	end(&r, &server);
}
END_TEST

/* --- refusals, losses -------------------------------------------------- */

static const struct {
	const char *script[24];
	int mail, rcpt[3], final;
	bool broken, dot;
	enum session_stage stage; /* when broken */
} cases[] = {
	/* TX-7: each recipient has its own answer */
	{{HELLO_PIPE, "C:MAIL", "C:RCPT", "C:RCPT", "C:RCPT", "C:DATA",
	  "S:250 ok", "S:250 ok", "S:450 later", "S:550 no", "S:354 go", "BODY",
	  "S:250 ok"},
	 250,
	 {250, 450, 550},
	 250,
	 false,
	 true,
	 0},
	/* TX-8 */
	{{HELLO_BARE, "C:MAIL", "S:550 5.7.1 no"},
	 550,
	 {0},
	 0,
	 false,
	 false,
	 0},
	/* TX-31: no content leaves when every recipient was refused */
	{{HELLO_PIPE, "C:MAIL", "C:RCPT", "C:RCPT", "C:RCPT", "C:DATA",
	  "S:250 ok", "S:550 no", "S:550 no", "S:550 no", "S:554 none",
	  "C:RSET", "S:250 ok"},
	 250,
	 {550, 550, 550},
	 0,
	 false,
	 false,
	 0},
	{{HELLO_PIPE, "C:MAIL", "C:RCPT", "C:RCPT", "C:RCPT", "C:DATA",
	  "S:250 ok", "S:550 no", "S:550 no", "S:550 no", "S:354 what?", "C:.",
	  "S:554 none", "C:RSET", "S:250 ok"},
	 250,
	 {550, 550, 550},
	 0,
	 false,
	 false,
	 0},
	/* TX-10 */
	{{HELLO_PIPE, "C:MAIL", "C:RCPT", "C:RCPT", "C:RCPT", "C:DATA",
	  "S:250 ok", "S:250 ok", "S:250 ok", "S:250 ok", "S:452 full",
	  "C:RSET", "S:250 ok"},
	 250,
	 {250, 250, 250},
	 452,
	 false,
	 false,
	 0},
	{{HELLO_PIPE, "C:MAIL", "C:RCPT", "C:RCPT", "C:RCPT", "C:DATA",
	  "S:250 ok", "S:250 ok", "S:250 ok", "S:250 ok", "S:354 go", "BODY",
	  "S:554 5.6.0 no"},
	 250,
	 {250, 250, 250},
	 554,
	 false,
	 true,
	 0},
	/* TX-14: 421 anywhere ends the session */
	{{HELLO_BARE, "C:MAIL", "S:421 bye", "CLOSE"},
	 421,
	 {0},
	 0,
	 true,
	 false,
	 STAGE_RCPT},
	{{HELLO_BARE, "C:MAIL", "S:250 ok", "C:RCPT", "S:421 bye", "CLOSE"},
	 250,
	 {421},
	 0,
	 true,
	 false,
	 STAGE_RCPT},
	{{HELLO_BARE, "C:MAIL", "S:250 ok", "C:RCPT", "S:250 ok", "C:RCPT",
	  "S:250 ok", "C:RCPT", "S:250 ok", "C:DATA", "S:354 go", "BODY",
	  "S:421 bye", "CLOSE"},
	 250,
	 {250, 250, 250},
	 421,
	 true,
	 true,
	 STAGE_DOT},
	/* TX-12: lost at each step */
	{{HELLO_BARE, "C:MAIL", "CLOSE"}, 0, {0}, 0, true, false, STAGE_MAIL},
	{{HELLO_BARE, "C:MAIL", "DROP"}, 0, {0}, 0, true, false, STAGE_MAIL},
	{{HELLO_BARE, "C:MAIL", "STALL"}, 0, {0}, 0, true, false, STAGE_MAIL},
	{{HELLO_BARE, "C:MAIL", "S:250 ok", "C:RCPT", "CLOSE"},
	 250,
	 {0},
	 0,
	 true,
	 false,
	 STAGE_RCPT},
	{{HELLO_BARE, "C:MAIL", "S:250 ok", "C:RCPT", "S:250 ok", "C:RCPT",
	  "STALL"},
	 250,
	 {250},
	 0,
	 true,
	 false,
	 STAGE_RCPT},
	{{HELLO_BARE, "C:MAIL", "S:250 ok", "C:RCPT", "S:250 ok", "C:RCPT",
	  "S:250 ok", "C:RCPT", "S:250 ok", "C:DATA", "STALL"},
	 250,
	 {250, 250, 250},
	 0,
	 true,
	 false,
	 STAGE_RCPT},
	/* TX-13: nobody knows what became of it */
	{{HELLO_PIPE, "C:MAIL", "C:RCPT", "C:RCPT", "C:RCPT", "C:DATA",
	  "S:250 ok", "S:250 ok", "S:250 ok", "S:250 ok", "S:354 go", "BODY",
	  "CLOSE"},
	 250,
	 {250, 250, 250},
	 0,
	 true,
	 true,
	 STAGE_DOT},
	{{HELLO_PIPE, "C:MAIL", "C:RCPT", "C:RCPT", "C:RCPT", "C:DATA",
	  "S:250 ok", "S:250 ok", "S:250 ok", "S:250 ok", "S:354 go", "BODY",
	  "STALL"},
	 250,
	 {250, 250, 250},
	 0,
	 true,
	 true,
	 STAGE_DOT},
	/* TX-9: 2xx to DATA is no permission */
	{{HELLO_BARE, "C:MAIL", "S:250 ok", "C:RCPT", "S:250 ok", "C:RCPT",
	  "S:250 ok", "C:RCPT", "S:250 ok", "C:DATA", "S:250 thanks"},
	 250,
	 {250, 250, 250},
	 0,
	 true,
	 false,
	 STAGE_RCPT},
	/* TX-4: garbage */
	{{HELLO_BARE, "C:MAIL", "S:hello?"},
	 0,
	 {0},
	 0,
	 true,
	 false,
	 STAGE_MAIL},
	{{HELLO_BARE, "C:MAIL", "S:250 ok", "C:RCPT", "S:999 what"},
	 250,
	 {0},
	 0,
	 true,
	 false,
	 STAGE_RCPT},
};

/* TX-1 */
START_TEST(transaction__tells_what_was_answered)
{
	struct scripted server;
	const char *const *script = cases[_i].script;
	static const char *const *scripts[2];
	struct rig r;

	scripts[0] = script;
	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	rig_add(&r, &server);
	if (scripted_stalls(script))
		r.target.command_timeout = r.target.data_timeout = 1000;
	rig_must_open(&r);
	rig_send(&r, 3, NULL);
	ck_assert_uint_eq(r.sent, 1);
	ck_assert_int_eq(r.result.mail.code, cases[_i].mail);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(r.rcpts[i].code, cases[_i].rcpt[i]);
	ck_assert_int_eq(r.result.final.code, cases[_i].final);
	ck_assert_int_eq(r.result.broken, cases[_i].broken);
	ck_assert_int_eq(r.result.sent_dot, cases[_i].dot);
	if (r.result.broken) {
		ck_assert_str_eq(session_stage_name(r.result.failure.stage),
				 session_stage_name(cases[_i].stage));
		ck_assert_int_eq(r.result.failure.fault, FAULT_TEMPORARY);
		ck_assert_str_ne(r.result.failure.text, "");
	}
	ck_assert_uint_eq(r.idle_ends, 0);
	end(&r, &server);
}
END_TEST

/* TX-22: the refusal of one message is nothing to the next. */
START_TEST(transaction__goes_on_after_a_refusal)
{
	static const char *const script[] = {
		HELLO_BARE, "C:MAIL",   "S:550 no", "C:MAIL",   "S:250 ok",
		"C:RCPT",   "S:550 no", "C:RSET",   "S:250 ok", "C:MAIL",
		"S:250 ok", "C:RCPT",   "S:250 ok", "C:DATA",   "S:354 go",
		"BODY",     "S:250 ok", NULL};
	struct scripted server;
	struct rig r;

	begin(&r, &server, script);
	rig_send(&r, 1, NULL);
	ck_assert_int_eq(r.result.mail.code, 550);
	rig_send(&r, 1, NULL);
	ck_assert_int_eq(r.rcpts[0].code, 550);
	rig_send(&r, 1, NULL);
	ck_assert_int_eq(r.result.final.code, 250);
	end(&r, &server);
}
END_TEST

/* --- local refusals ---------------------------------------------------- */

static const struct {
	const char *offer;
	bool eight_bit, utf8, requiretls;
	uint64_t size;
	int code;
	const char *enhanced;
} misfits[] = {
	{"S:250 SIZE 1000", false, false, false, 1001, 552, "5.3.4"},
	{"S:250 HELP", true, false, false, 10, 554, "5.6.3"},
	{"S:250 HELP", false, true, false, 10, 550, "5.6.7"},
	{"S:250 HELP", false, false, true, 10, 550, "5.7.30"},
	{"S:250 REQUIRETLS", false, false, true, 10, 550, "5.7.10"},
};

/* TLS-30, TX-23, TX-34, TX-37 */
START_TEST(transaction__sends_nothing_that_does_not_fit)
{
	const char *script[] = {HELLO, misfits[_i].offer, "AUTO", NULL};
	struct recipient to = {.address = SLICE("b@example.com")};
	struct smtp_send m = {
		.sender = SLICE("a@example.org"),
		.rcpts = &to,
		.n_rcpts = 1,
		.size = misfits[_i].size,
		.eight_bit = misfits[_i].eight_bit,
		.smtputf8 = misfits[_i].utf8,
		.requiretls = misfits[_i].requiretls,
	};
	struct scripted server;
	struct rig r;

	begin(&r, &server, script);
	session_send(r.session, &m, NULL);
	ck_assert_uint_eq(r.sent, 0);
	rig_run(&r);
	ck_assert_uint_eq(r.sent, 1);
	ck_assert_int_eq(r.result.mail.code, misfits[_i].code);
	ck_assert_str_eq(r.result.mail.enhanced, misfits[_i].enhanced);
	ck_assert(!r.result.broken && !r.result.sent_dot);
	ck_assert(!scripted_heard(&server, "MAIL"));
	/* The session is as good as before. */
	rig_send(&r, 1, NULL);
	ck_assert_int_eq(r.result.final.code, 250);
	end(&r, &server);
}
END_TEST

/* --- REQUIRETLS -------------------------------------------------------- */

static const struct {
	enum primary_tls tls;
	const char *name; /* the certificate is for mx1.example.org */
	bool trusted;
	const char *offer, *sender;
	int code;
	const char *enhanced;
} required[] = {
	{PRIMARY_TLS_MAY, "mx1.example.org", true, "S:250 REQUIRETLS",
	 "a@example.org", 250, ""},
	{PRIMARY_TLS_REQUIRE, "mx1.example.org", true, "S:250 REQUIRETLS",
	 "a@example.org", 250, ""},
	{PRIMARY_TLS_VERIFY, "mx1.example.org", true, "S:250 REQUIRETLS",
	 "a@example.org", 250, ""},
	/* another name, an issuer nobody knows, no keyword */
	{PRIMARY_TLS_MAY, "mx9.example.org", true, "S:250 REQUIRETLS",
	 "a@example.org", 550, "5.7.10"},
	{PRIMARY_TLS_MAY, "mx1.example.org", false, "S:250 REQUIRETLS",
	 "a@example.org", 550, "5.7.10"},
	{PRIMARY_TLS_VERIFY, "mx1.example.org", true, "S:250 HELP",
	 "a@example.org", 550, "5.7.30"},
	/* TLS-32: a report goes all the same */
	{PRIMARY_TLS_MAY, "mx9.example.org", false, "S:250 REQUIRETLS", "", 250,
	 ""},
	{PRIMARY_TLS_MAY, "mx1.example.org", true, "S:250 HELP", "", 250, ""},
};

/* REP-25, EXT-42, TLS-30, TLS-31 */
START_TEST(transaction__gives_requiretls_mail_to_a_proved_host_only)
{
	const char *script[] = {"S:220 fake", "C:EHLO",
				"S:250-fake", "S:250 STARTTLS",
				"C:STARTTLS", "S:220 go",
				"TLS",        "C:EHLO",
				"S:250-fake", required[_i].offer,
				"AUTO",       NULL};
	const char *const *scripts[] = {script, NULL};
	bool offered = strstr(required[_i].offer, "REQUIRETLS") != NULL;
	struct recipient to = {.address = SLICE("b@example.com")};
	struct smtp_send m = {
		.sender = slice_str(required[_i].sender),
		.rcpts = &to,
		.n_rcpts = 1,
		.size = 10,
		.requiretls = true,
	};
	struct scripted server;
	char ca[96], name[32];
	struct rig r;

	rig_init(&r);
	rig_make_tls(&r);
	snprintf(ca, sizeof(ca), "%s/cert.pem", r.dir);
	snprintf(name, sizeof(name), "%s", required[_i].name);
	scripted_start(&server, r.loop, scripts, r.tls);
	rig_add(&r, &server);
	r.hosts[0].name = name;
	r.primary.tls = required[_i].tls;
	if (required[_i].trusted)
		r.primary.ca = ca;
	rig_must_open(&r);
	session_send(r.session, &m, NULL);
	rig_run(&r);
	ck_assert_uint_eq(r.sent, 1);
	ck_assert_int_eq(r.result.mail.code, required[_i].code);
	if (required[_i].code == 550)
		ck_assert_str_eq(r.result.mail.enhanced, required[_i].enhanced);
	ck_assert(r.result.is_ours == (required[_i].code == 550));
	ck_assert(memmem(buf_slice(&server.heard).p, server.heard.n,
			 "> REQUIRETLS", 12) ||
		  !offered || required[_i].code == 550);
	end(&r, &server);
}
END_TEST

/* --- probes ------------------------------------------------------------ */

START_TEST(transaction__asks_for_a_recipient_without_content)
{
	static const char *const script[] = {
		HELLO_BARE,    "C:MAIL FROM:<>",
		"S:250 ok",    "C:RCPT TO:<postmaster@example.com>",
		"S:450 later", "C:RSET",
		"S:250 ok",    NULL};
	struct recipient to = {.address = SLICE("postmaster@example.com")};
	struct smtp_send m = {.rcpts = &to, .n_rcpts = 1, .rcpt_only = true};
	struct scripted server;
	struct rig r;

	begin(&r, &server, script);
	session_send(r.session, &m, NULL);
	rig_run(&r);
	ck_assert_int_eq(r.rcpts[0].code, 450);
	ck_assert_int_eq(r.result.final.code, 0);
	ck_assert(!r.result.broken && !r.result.sent_dot);
	ck_assert_uint_eq(r.bodies, 0);
	end(&r, &server);
}
END_TEST

/* --- content that fails ------------------------------------------------ */

START_TEST(transaction__never_ends_a_message_that_cannot_be_read)
{
	static const char *const script[] = {HELLO_BARE, "C:MAIL",   "S:250 ok",
					     "C:RCPT",   "S:250 ok", "C:DATA",
					     "S:354 go", "BODY",     NULL};
	struct scripted server;
	struct rig r;

	begin(&r, &server, script);
	r.fail_body = true;
	rig_send(&r, 1, NULL);
	ck_assert(r.result.broken);
	ck_assert(!r.result.sent_dot);
	ck_assert_int_eq(r.result.failure.stage, STAGE_DATA);
	while (!list_empty(&server.open))
		rig_idle(&r, 10);
	ck_assert_uint_eq(server.body.n, 0);
	end(&r, &server);
}
END_TEST

/* TX-20: within the content QUIT would be a line of it. */
START_TEST(transaction__hangs_up_when_it_is_left_within_the_content)
{
	static const char *const script[] = {HELLO_BARE, "C:MAIL",   "S:250 ok",
					     "C:RCPT",   "S:250 ok", "C:DATA",
					     "S:354 go", "BODY",     NULL};
	struct scripted server;
	struct rig r;

	begin(&r, &server, script);
	r.quit_in_upcall = true;
	rig_send(&r, 1, NULL);
	while (!list_empty(&server.open))
		rig_idle(&r, 10);
	ck_assert_uint_eq(r.sent, 0);
	ck_assert_uint_eq(server.body.n, 0);
	end(&r, &server);
}
END_TEST

/* TX-33: nor while the reply to the dot is owed. */
START_TEST(transaction__says_nothing_behind_the_dot)
{
	static const char *const script[] = {HELLO_PIPE, "C:MAIL",   "C:RCPT",
					     "C:DATA",   "S:250 ok", "S:250 ok",
					     "S:354 go", "BODY",     NULL};
	struct recipient to = {.address = SLICE("b@example.com")};
	struct smtp_send m = {
		.sender = SLICE("a@example.org"), .rcpts = &to, .n_rcpts = 1};
	struct scripted server;
	struct rig r;

	begin(&r, &server, script);
	session_send(r.session, &m, NULL);
	while (server.body.n < strlen(stuffed))
		rig_idle(&r, 10);
	session_quit(r.session);
	r.session = NULL;
	while (!list_empty(&server.open))
		rig_idle(&r, 10);
	ck_assert(!scripted_heard(&server, "QUIT"));
	ck_assert_slice_eq(buf_slice(&server.body), stuffed);
	end(&r, &server);
}
END_TEST

START_TEST(transaction__may_be_closed_while_it_wants_content)
{
	static const char *const script[] = {HELLO_BARE, "C:MAIL",   "S:250 ok",
					     "C:RCPT",   "S:250 ok", "C:DATA",
					     "S:354 go", "BODY",     NULL};
	struct scripted server;
	struct rig r;

	begin(&r, &server, script);
	r.close_in_upcall = true;
	rig_send(&r, 1, NULL);
	ck_assert_ptr_null(r.session);
	ck_assert_uint_eq(r.sent, 0);
	while (!list_empty(&server.open))
		rig_idle(&r, 10);
	ck_assert_uint_eq(server.body.n, 0);
	end(&r, &server);
}
END_TEST

/* --- idle -------------------------------------------------------------- */

static const char *const idle_ends[][12] = {
	{HELLO_BARE, "CLOSE"},
	{HELLO_BARE, "S:421 idle too long", "CLOSE"},
	{HELLO_BARE, "S:250 nobody asked"},
};

START_TEST(transaction__tells_when_an_idle_session_ends)
{
	struct scripted server;
	struct rig r;

	begin(&r, &server, idle_ends[_i]);
	while (r.idle_ends == 0)
		rig_run(&r);
	ck_assert_uint_eq(r.idle_ends, 1);
	while (!list_empty(&server.open))
		rig_idle(&r, 10);
	session_close(r.session);
	r.session = NULL;
	end(&r, &server);
}
END_TEST

/* --- hand-over --------------------------------------------------------- */

#define XCLIENT_OFFER                         \
	"S:220 fake", "C:EHLO", "S:250-fake", \
		"S:250 XCLIENT NAME ADDR PORT PROTO HELO"
#define MESSAGE                                                           \
	"C:MAIL", "S:250 ok", "C:RCPT", "S:250 ok", "C:DATA", "S:354 go", \
		"BODY", "S:250 ok"

static struct envelope client(uint8_t last)
{
	return (struct envelope){
		.client = {{4, {192, 0, 2, last}}, 4000},
		.client_name = SLICE("c.example.org"),
		.helo = SLICE("c"),
		.protocol = SLICE("ESMTP"),
	};
}

/* TRC-4, XC-4: each message's own client, then EHLO again. */
START_TEST(transaction__hands_over_by_xclient)
{
	static const char *const script[] = {
		XCLIENT_OFFER,
		"C:XCLIENT PROTO=ESMTP PORT=4000 HELO=c ADDR=192.0.2.1 "
		"NAME=c.example.org",
		"S:220 fake", "C:EHLO", "S:250-fake",
		"S:250 XCLIENT NAME ADDR PORT PROTO HELO", MESSAGE,
		"C:XCLIENT PROTO=ESMTP PORT=4000 HELO=c ADDR=192.0.2.2 "
		"NAME=c.example.org",
		"S:220 fake", "C:EHLO", "S:250-fake",
		"S:250 XCLIENT NAME ADDR PORT PROTO HELO", MESSAGE,
		/* the same client again: nothing to say */
		MESSAGE,
		/* our own words come from us */
		"C:XCLIENT PROTO=ESMTP PORT=", "S:220 fake", "C:EHLO",
		"S:250-fake", "S:250 XCLIENT NAME ADDR PORT PROTO HELO",
		MESSAGE, NULL};
	struct envelope one = client(1), two = client(2);
	const struct envelope *from[] = {&one, &two, &two, NULL};
	struct scripted server;
	struct rig r;

	begin(&r, &server, script);
	for (size_t i = 0; i < MX_ARRAY_SIZE(from); i++) {
		rig_send(&r, 1, from[i]);
		ck_assert_int_eq(r.result.final.code, 250);
	}
	ck_assert_ptr_nonnull(strstr(buf_slice(&server.heard).p,
				     "ADDR=127.0.0.1 NAME=backup.example.com"));
	end(&r, &server);
}
END_TEST

/* TRC-4, XC-5 */
START_TEST(transaction__hands_over_by_xforward)
{
	static const char *const script[] = {
		HELLO,
		"S:250 XFORWARD NAME ADDR PROTO HELO SOURCE",
		"C:XFORWARD NAME=c.example.org ADDR=192.0.2.1 PROTO=ESMTP "
		"HELO=c SOURCE=REMOTE",
		"S:250 ok",
		MESSAGE,
		NULL};
	struct envelope one = client(1);
	struct scripted server;
	struct rig r;

	begin(&r, &server, script);
	rig_send(&r, 1, &one);
	ck_assert_int_eq(r.result.final.code, 250);
	end(&r, &server);
}
END_TEST

START_TEST(transaction__keeps_the_client_to_itself)
{
	static const char *const script[] = {HELLO, "S:250-XFORWARD NAME ADDR",
					     "S:250 XCLIENT NAME ADDR", MESSAGE,
					     NULL};
	static const char *const *const scripts[] = {script, NULL};
	struct envelope one = client(1);
	struct scripted server;
	struct rig r;

	rig_init(&r);
	scripted_start(&server, r.loop, scripts, NULL);
	rig_add(&r, &server);
	r.primary.handover = HANDOVER_NONE;
	rig_must_open(&r);
	rig_send(&r, 1, &one);
	ck_assert_int_eq(r.result.final.code, 250);
	end(&r, &server);
}
END_TEST

START_TEST(transaction__goes_without_hand_over_when_it_is_refused)
{
	static const char *const script[] = {XCLIENT_OFFER,   "C:XCLIENT",
					     "S:550 not you", MESSAGE,
					     MESSAGE,         NULL};
	struct envelope one = client(1), two = client(2);
	struct scripted server;
	struct rig r;

	begin(&r, &server, script);
	rig_send(&r, 1, &one);
	ck_assert_int_eq(r.result.final.code, 250);
	rig_send(&r, 1, &two);
	ck_assert_int_eq(r.result.final.code, 250);
	end(&r, &server);
}
END_TEST

/* The client is refused, not the primary broken: a reply to the message. */
START_TEST(transaction__takes_a_refused_client_for_a_refused_message)
{
	static const char *const script[] = {
		XCLIENT_OFFER, "C:XCLIENT", "S:220 fake",       "C:EHLO",
		"S:554 go",    "C:HELO",    "S:554 5.7.1 away", NULL};
	struct envelope one = client(1);
	struct scripted server;
	struct rig r;

	begin(&r, &server, script);
	rig_send(&r, 1, &one);
	ck_assert_int_eq(r.result.mail.code, 554);
	ck_assert(r.result.broken && r.result.client_refused);
	ck_assert(!r.result.sent_dot);
	end(&r, &server);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"transaction", {.fn = transaction__delivers, .rows = 8},
		TEST(transaction__sends_many_over_one_session),
		{.fn = transaction__sends_a_long_message, .rows = 2},
		{.fn = transaction__sends_large_slices, .rows = 2},
		LOOP(transaction__tells_what_was_answered, cases),
		TEST(transaction__goes_on_after_a_refusal),
		LOOP(transaction__sends_nothing_that_does_not_fit, misfits),
		LOOP(transaction__gives_requiretls_mail_to_a_proved_host_only,
		     required),
		TEST(transaction__asks_for_a_recipient_without_content),
		TEST(transaction__never_ends_a_message_that_cannot_be_read),
		TEST(transaction__hangs_up_when_it_is_left_within_the_content),
		TEST(transaction__says_nothing_behind_the_dot),
		TEST(transaction__may_be_closed_while_it_wants_content),
		LOOP(transaction__tells_when_an_idle_session_ends, idle_ends),
		TEST(transaction__hands_over_by_xclient),
		TEST(transaction__hands_over_by_xforward),
		TEST(transaction__keeps_the_client_to_itself),
		TEST(transaction__goes_without_hand_over_when_it_is_refused),
		TEST(transaction__takes_a_refused_client_for_a_refused_message));
}
