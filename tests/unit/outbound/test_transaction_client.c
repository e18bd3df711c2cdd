/* XCLIENT and XFORWARD where it does not go as it should: what is not said,
 * what is said in two commands, and what is refused. */
#include "rig.h"
#include "unit/base/suite.h"

#define XCLIENT  "S:250 XCLIENT NAME ADDR PORT PROTO HELO"
#define XFORWARD "S:250 XFORWARD NAME ADDR PROTO HELO SOURCE"
#define HELLO    "S:220 fake", "C:EHLO", "S:250-fake"
#define MESSAGE                                                           \
	"C:MAIL", "S:250 ok", "C:RCPT", "S:250 ok", "C:DATA", "S:354 go", \
		"BODY", "S:250 ok"

static struct envelope client(void)
{
	return (struct envelope){
		.client = {{4, {192, 0, 2, 1}}, 4000},
		.client_name = SLICE("c.example.org"),
		.helo = SLICE("c"),
		.protocol = SLICE("ESMTP"),
	};
}

/* Its names fill a line each. */
static struct envelope wordy_client(void)
{
	static char helo[240], name[240];
	struct envelope e = client();

	memset(helo, 'h', sizeof(helo));
	memset(name, 'n', sizeof(name));
	e.helo = slice_make(helo, sizeof(helo));
	e.client_name = slice_make(name, sizeof(name));
	return e;
}

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

static const char *const offers[] = {XCLIENT, XFORWARD};

/* A report, or mail of which nobody knows who brought it. */
START_TEST(transaction__says_nothing_of_a_client_that_is_not_known)
{
	const char *script[] = {HELLO, offers[_i], MESSAGE, MESSAGE, NULL};
	struct envelope nobody = {.protocol = SLICE("ESMTP")};
	struct scripted server;
	struct rig r;

	begin(&r, &server, script);
	rig_send(&r, 1, NULL);
	ck_assert_int_eq(r.result.final.code, 250);
	rig_send(&r, 1, &nobody);
	ck_assert_int_eq(r.result.final.code, 250);
	end(&r, &server);
}
END_TEST

/* XC-5: unlike XCLIENT it is for one message. */
START_TEST(transaction__says_xforward_before_each_message)
{
	static const char *const script[] = {
		HELLO,        XFORWARD,   "C:XFORWARD", "S:250 ok", MESSAGE,
		"C:XFORWARD", "S:250 ok", MESSAGE,      MESSAGE,    NULL};
	struct envelope one = client();
	struct scripted server;
	struct rig r;

	begin(&r, &server, script);
	rig_send(&r, 1, &one);
	rig_send(&r, 1, &one);
	rig_send(&r, 1, NULL);
	ck_assert_int_eq(r.result.final.code, 250);
	end(&r, &server);
}
END_TEST

/* --- what does not fit ------------------------------------------------- */

static void send_eight_bit(struct rig *r, const struct envelope *from)
{
	struct recipient to = {.address = SLICE("b@example.com")};
	struct smtp_send m = {
		.sender = SLICE("a@example.org"),
		.rcpts = &to,
		.n_rcpts = 1,
		.size = 10,
		.eight_bit = true,
	};

	session_send(r->session, &m, from);
	rig_run(r);
	ck_assert(r->result.is_ours);
	ck_assert_int_eq(r->result.mail.code, 554);
	ck_assert_str_eq(r->result.mail.enhanced, "5.6.3");
}

START_TEST(transaction__names_no_client_of_mail_that_does_not_fit)
{
	static const char *const script[] = {HELLO, XCLIENT, NULL};
	struct envelope one = client();
	struct scripted server;
	struct rig r;

	begin(&r, &server, script);
	send_eight_bit(&r, &one);
	ck_assert(!scripted_heard(&server, "XCLIENT"));
	end(&r, &server);
}
END_TEST

/* XC-4, TX-26: what was offered to us may not be offered to him. */
START_TEST(transaction__looks_again_at_what_is_offered_to_the_client)
{
	static const char *const script[] = {
		HELLO,    "S:250-8BITMIME", XCLIENT, "C:XCLIENT", "S:220 fake",
		"C:EHLO", "S:250-fake",     XCLIENT, NULL};
	struct envelope one = client();
	struct scripted server;
	struct rig r;

	begin(&r, &server, script);
	send_eight_bit(&r, &one);
	ck_assert(scripted_heard(&server, "XCLIENT"));
	ck_assert(!scripted_heard(&server, "MAIL"));
	end(&r, &server);
}
END_TEST

/* --- in two commands --------------------------------------------------- */

/* Whom it believes it talks to now nobody knows. */
START_TEST(transaction__ends_when_half_of_the_client_was_taken)
{
	static const char *const script[] = {
		HELLO,        XCLIENT, "C:XCLIENT", "S:220 fake", "C:EHLO",
		"S:250-fake", XCLIENT, "C:XCLIENT", "S:550 no",   NULL};
	struct envelope one = wordy_client();
	struct scripted server;
	struct rig r;

	begin(&r, &server, script);
	rig_send(&r, 1, &one);
	ck_assert(r.result.broken && !r.result.client_refused);
	ck_assert_int_eq(r.result.mail.code, 0);
	ck_assert_ptr_nonnull(strstr(r.result.failure.text, "XCLIENT refused"));
	ck_assert(!scripted_heard(&server, "MAIL"));
	end(&r, &server);
}
END_TEST

/* The client before would stand for this one. */
START_TEST(transaction__sends_nothing_in_the_name_of_the_client_before)
{
	static const char *const script[] = {
		HELLO,       XCLIENT,      "C:XCLIENT", "S:220 fake",
		"C:EHLO",    "S:250-fake", XCLIENT,     MESSAGE,
		"C:XCLIENT", "S:550 no",   NULL};
	struct envelope one = client(), other = client();
	struct scripted server;
	struct rig r;

	other.client.addr.bytes[3] = 2;
	begin(&r, &server, script);
	rig_send(&r, 1, &one);
	ck_assert_int_eq(r.result.final.code, 250);
	rig_send(&r, 1, &other);
	ck_assert(r.result.broken);
	ck_assert_ptr_nonnull(strstr(r.result.failure.text, "XCLIENT refused"));
	ck_assert_uint_eq(scripted_count(&server, "MAIL"), 1);
	end(&r, &server);
}
END_TEST

/* It is advice; the mail goes without. */
static const char *const half_forwarded[][24] = {
	{HELLO, XFORWARD, "C:XFORWARD", "S:550 no", MESSAGE, MESSAGE, NULL},
	{HELLO, XFORWARD, "C:XFORWARD", "S:250 ok", "C:XFORWARD", "S:501 no",
	 MESSAGE, NULL},
};

/* XC-5 */
START_TEST(transaction__goes_on_when_xforward_is_refused)
{
	struct envelope one = wordy_client();
	struct scripted server;
	struct rig r;

	begin(&r, &server, half_forwarded[_i]);
	rig_send(&r, 1, &one);
	ck_assert_int_eq(r.result.final.code, 250);
	if (_i == 0)
		rig_send(&r, 1, &one);
	ck_assert_int_eq(r.result.final.code, 250);
	end(&r, &server);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"transaction_client",
		LOOP(transaction__says_nothing_of_a_client_that_is_not_known,
		     offers),
		TEST(transaction__says_xforward_before_each_message),
		TEST(transaction__names_no_client_of_mail_that_does_not_fit),
		TEST(transaction__looks_again_at_what_is_offered_to_the_client),
		TEST(transaction__ends_when_half_of_the_client_was_taken),
		TEST(transaction__sends_nothing_in_the_name_of_the_client_before),
		LOOP(transaction__goes_on_when_xforward_is_refused,
		     half_forwarded));
}
