/*
 * What transcripts (tests/transcripts/server) cannot show: bounds, memory,
 * who answers when. The dialogue itself is tested there.
 */
#include "mxhold/smtp/server.h"

#include <stdio.h>

#include "mxhold/base/mem.h"
#include "mxhold/smtp/server_machine.h"
#include "unit/base/suite.h"
#include "unit/smtp/fixture.h"

static struct smtp_server_config config;
static struct smtp_server *server;
static struct buf out, body;
static int asked[SMTP_ASK_CLOSE + 1];

static void setup(void)
{
	config = (struct smtp_server_config){
		.hostname = "mx.test",
		.max_rcpt = 100,
		.max_errors = 10,
		.offer_chunking = true,
		.offer_tls = true,
	};
	memset(asked, 0, sizeof(asked));
	buf_init(&out, 64 << 20);
	buf_init(&body, 64 << 20);
	server = smtp_server_new(&config);
}

static void teardown(void)
{
	smtp_server_free(server);
	buf_done(&out);
	buf_done(&body);
}

static void flush(void)
{
	struct slice text = smtp_server_output(server);

	buf_append_slice(&out, text);
	smtp_server_sent(server, text.n);
}

/* Until it asks `stop`, or has nothing to say; every answer is yes. */
static bool run_until(enum smtp_ask stop)
{
	struct smtp_question q;

	for (;;) {
		q = smtp_server_next(server);
		asked[q.ask]++;
		if (q.ask == SMTP_ASK_BODY)
			buf_append_slice(&body, q.text);
		if (q.ask == stop || q.ask == SMTP_ASK_CLOSE)
			return q.ask == stop;
		if (q.ask != SMTP_ASK_NOTHING)
			smtp_server_answer(server, NULL);
		else if (smtp_server_output(server).n == 0)
			return false;
		flush();
	}
}

static bool say_until(struct slice text, enum smtp_ask stop)
{
	bool found = false;

	while (text.n && !found) {
		size_t n = smtp_server_feed(server, text);

		text = slice_skip(text, n);
		found = run_until(stop);
		ck_assert(n > 0 || found);
	}
	return found;
}

static void say(const char *text)
{
	ck_assert(!say_until(slice_str(text), SMTP_ASK_CLOSE));
}

static const char *last_reply(void)
{
	static char line[600];
	struct slice s = buf_slice(&out);
	size_t n = 0;

	flush();
	s = buf_slice(&out);
	ck_assert_uint_gt(s.n, 2);
	while (n + 2 < s.n && s.p[s.n - n - 3] != '\n')
		n++;
	snprintf(line, sizeof(line), "%.*s", (int)n, s.p + s.n - n - 2);
	return line;
}

static void begin_message(void)
{
	smtp_server_greet(server, NULL);
	say("EHLO client.test\r\nMAIL FROM:<a@x.test>\r\n"
	    "RCPT TO:<b@d.test>\r\n");
}

/* ---- memory ---- */

START_TEST(smtp_server__is_small_when_idle)
{
	begin_message();
	say("DATA\r\nx\r\n.\r\n");
	flush();
	ck_assert_ptr_null(server->in.mem);
	ck_assert_ptr_null(server->out.mem);
	ck_assert_ptr_null(server->arena.blocks);
	ck_assert_ptr_null(server->refusal);
	ck_assert_uint_le(sizeof(*server), 1024);
}
END_TEST

START_TEST(smtp_server__keeps_no_input_of_an_endless_line)
{
	char x[1000];

	memset(x, 'x', sizeof(x));
	smtp_server_greet(server, NULL);
	for (int i = 0; i < 10000; i++) {
		ck_assert(!say_until(slice_make(x, sizeof(x)), SMTP_ASK_CLOSE));
		ck_assert_uint_le(server->in.n, SMTP_LINE_MAX);
	}
}
END_TEST

START_TEST(smtp_server__bounds_the_replies_a_client_does_not_read)
{
	smtp_server_greet(server, NULL);
	for (int i = 0; i < 100000; i++) {
		smtp_server_feed(server, SLICE("NOOP\r\n"));
		smtp_server_next(server);
	}
	ck_assert_uint_le(smtp_server_output(server).n, 8192);
	ck_assert_uint_le(server->in.n, 16384);
	/* and goes on when it does */
	ck_assert(!run_until(SMTP_ASK_CLOSE));
	ck_assert_uint_lt(server->in.n, 6); /* a part of NOOP at most */
}
END_TEST

/* RX-47 */
START_TEST(smtp_server__survives_the_failure_of_each_allocation)
{
	for (unsigned long n = 1; n < 30; n++) {
		teardown();
		setup();
		mem_fail_at(n);
		smtp_server_greet(server, NULL);
		say_until(SLICE("EHLO c\r\nMAIL FROM:<a@x.test> ENVID=x\r\n"
				"RCPT TO:<b@d.test>\r\nDATA\r\nx\r\n.\r\n"
				"QUIT\r\n"),
			  SMTP_ASK_CLOSE);
		mem_fail_at(0);
		flush();
		ck_assert(asked[SMTP_ASK_COMMIT] <= 1);
	}
}
END_TEST

/* ---- questions ---- */

START_TEST(smtp_server__takes_nothing_while_a_question_is_open)
{
	smtp_server_greet(server, NULL);
	ck_assert(say_until(SLICE("EHLO client.test\r\nNOOP\r\n"),
			    SMTP_ASK_HELO));
	ck_assert_uint_eq(smtp_server_feed(server, SLICE("QUIT\r\n")), 0);
	ck_assert_int_eq(smtp_server_next(server).ask, SMTP_ASK_NOTHING);
	smtp_server_answer(server, NULL);
	ck_assert_uint_eq(smtp_server_feed(server, SLICE("QUIT\r\n")), 6);
	ck_assert(run_until(SMTP_ASK_CLOSE));
}
END_TEST

START_TEST(smtp_server__says_354_only_when_the_driver_agrees)
{
	begin_message();
	flush();
	buf_clear(&out);
	ck_assert(say_until(SLICE("DATA\r\n"), SMTP_ASK_DATA));
	ck_assert_uint_eq(smtp_server_output(server).n, 0);
	ck_assert(!smtp_server_in_data(server));
	smtp_server_answer(server, NULL);
	ck_assert(smtp_server_in_data(server));
	ck_assert_str_eq(last_reply(), "354 end with CRLF.CRLF");
}
END_TEST

START_TEST(smtp_server__replies_to_the_dot_only_when_it_is_answered)
{
	begin_message();
	ck_assert(say_until(SLICE("DATA\r\nx\r\n.\r\n"), SMTP_ASK_COMMIT));
	flush();
	ck_assert_str_eq(last_reply(), "354 end with CRLF.CRLF");
	smtp_server_answer(server, NULL);
	ck_assert_str_eq(last_reply(), "250 2.0.0 kept");
}
END_TEST

START_TEST(smtp_server__waits_with_a_shutdown_for_the_commit)
{
	begin_message();
	ck_assert(say_until(SLICE("DATA\r\nx\r\n.\r\n"), SMTP_ASK_COMMIT));
	flush();
	buf_clear(&out);
	smtp_server_shut(server, "4.3.2", "going down");
	ck_assert_uint_eq(smtp_server_output(server).n, 0);
	smtp_server_answer(server, NULL);
	flush();
	ck_assert_slice_eq(buf_slice(&out),
			   "250 2.0.0 kept\r\n421 4.3.2 going down\r\n");
	ck_assert_int_eq(smtp_server_next(server).ask, SMTP_ASK_CLOSE);
	ck_assert_int_eq(smtp_server_next(server).ask, SMTP_ASK_CLOSE);
}
END_TEST

START_TEST(smtp_server__shuts_before_the_greeting_without_enhanced_code)
{
	smtp_server_shut(server, "4.3.2", "going down");
	smtp_server_greet(server, NULL);
	ck_assert_str_eq(last_reply(), "421 going down");
	ck_assert(run_until(SMTP_ASK_CLOSE));
}
END_TEST

START_TEST(smtp_server__holds_what_comes_before_the_greeting)
{
	ck_assert_uint_eq(smtp_server_feed(server, SLICE("NOOP\r\n")), 6);
	ck_assert_int_eq(smtp_server_next(server).ask, SMTP_ASK_NOTHING);
	ck_assert_uint_eq(smtp_server_output(server).n, 0);
	smtp_server_greet(server, NULL);
	run_until(SMTP_ASK_CLOSE);
	ck_assert_slice_eq(buf_slice(&out),
			   "220 mx.test ESMTP ready\r\n250 2.0.0 ok\r\n");
}
END_TEST

/* ---- content ---- */

START_TEST(smtp_server__hands_over_a_clean_message_in_few_pieces)
{
	struct buf message;

	buf_init(&message, 1 << 20);
	while (message.n < 10240)
		buf_append_str(&message, "a line of some text, as mail is\r\n");
	begin_message();
	ck_assert(!say_until(SLICE("DATA\r\n"), SMTP_ASK_CLOSE));
	ck_assert(!say_until(buf_slice(&message), SMTP_ASK_CLOSE));
	ck_assert(!say_until(SLICE(".\r\n"), SMTP_ASK_CLOSE));
	ck_assert(slice_eq(buf_slice(&body), buf_slice(&message)));
	ck_assert_int_le(asked[SMTP_ASK_BODY], 2);
	ck_assert_int_eq(asked[SMTP_ASK_COMMIT], 1);
	buf_done(&message);
}
END_TEST

START_TEST(smtp_server__asks_for_no_more_body_once_refused)
{
	struct smtp_reply no;

	smtp_reply_set(&no, 451, "4.3.0", "disk trouble");
	begin_message();
	ck_assert(say_until(SLICE("DATA\r\nx\r\n"), SMTP_ASK_BODY));
	smtp_server_answer(server, &no);
	ck_assert(run_until(SMTP_ASK_ABORT));
	smtp_server_answer(server, NULL);
	asked[SMTP_ASK_BODY] = 0;
	say("more\r\nQUIT\r\n.\r\n");
	ck_assert_int_eq(asked[SMTP_ASK_BODY], 0);
	ck_assert_int_eq(asked[SMTP_ASK_COMMIT], 0);
	ck_assert_str_eq(last_reply(), "451 4.3.0 disk trouble");
}
END_TEST

/* ---- facts ---- */

/* MSG-25 */
START_TEST(smtp_server__knows_its_protocol)
{
	smtp_server_greet(server, NULL);
	say("HELO c\r\n");
	ck_assert_slice_eq(smtp_server_protocol(server), "SMTP");
	say("EHLO c\r\n");
	ck_assert_slice_eq(smtp_server_protocol(server), "ESMTP");
	ck_assert_slice_eq(smtp_server_helo(server), "c");
	ck_assert(say_until(SLICE("STARTTLS\r\n"), SMTP_ASK_TLS));
	flush();
	smtp_server_tls_started(server);
	ck_assert_slice_eq(smtp_server_helo(server), "");
	say("EHLO d\r\n");
	ck_assert_slice_eq(smtp_server_protocol(server), "ESMTPS");
	ck_assert_slice_eq(smtp_server_helo(server), "d");
}
END_TEST

START_TEST(smtp_server__closes_when_octets_came_during_the_handshake)
{
	smtp_server_greet(server, NULL);
	say("EHLO c\r\n");
	ck_assert(say_until(SLICE("STARTTLS\r\n"), SMTP_ASK_TLS));
	flush();
	ck_assert_uint_eq(smtp_server_feed(server, SLICE("NOOP\r\n")), 6);
	smtp_server_tls_started(server);
	ck_assert_uint_eq(smtp_server_output(server).n, 0);
	ck_assert_int_eq(smtp_server_next(server).ask, SMTP_ASK_CLOSE);
}
END_TEST

START_TEST(smtp_server__counts_errors_of_the_client_only)
{
	struct smtp_reply later;

	smtp_reply_set(&later, 450, "4.7.1", "later");
	smtp_server_greet(server, NULL);
	say("EHLO c\r\nMAIL FROM:<>\r\n");
	ck_assert(say_until(SLICE("RCPT TO:<b@d.test>\r\n"), SMTP_ASK_RCPT));
	smtp_server_answer(server, &later);
	ck_assert_uint_eq(smtp_server_errors(server), 0);
	say("RCPT TO:<b>\r\nFOO\r\n");
	ck_assert_uint_eq(smtp_server_errors(server), 2);
}
END_TEST

START_TEST(smtp_server__forgives_unknown_users_behind_a_good_one)
{
	struct smtp_reply no;

	smtp_reply_set(&no, 550, "5.1.1", "no such user");
	begin_message();
	for (int i = 0; i < 50; i++) {
		ck_assert(say_until(SLICE("RCPT TO:<c@d.test>\r\n"),
				    SMTP_ASK_RCPT));
		smtp_server_answer(server, &no);
		flush();
	}
	ck_assert_uint_eq(smtp_server_errors(server), 0);
	say("DATA\r\n.\r\n");
	ck_assert_str_eq(last_reply(), "250 2.0.0 kept");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		smtp_server__is_small_when_idle,
		smtp_server__keeps_no_input_of_an_endless_line,
		smtp_server__bounds_the_replies_a_client_does_not_read,
		smtp_server__survives_the_failure_of_each_allocation,
		smtp_server__takes_nothing_while_a_question_is_open,
		smtp_server__says_354_only_when_the_driver_agrees,
		smtp_server__replies_to_the_dot_only_when_it_is_answered,
		smtp_server__waits_with_a_shutdown_for_the_commit,
		smtp_server__shuts_before_the_greeting_without_enhanced_code,
		smtp_server__holds_what_comes_before_the_greeting,
		smtp_server__hands_over_a_clean_message_in_few_pieces,
		smtp_server__asks_for_no_more_body_once_refused,
		smtp_server__knows_its_protocol,
		smtp_server__closes_when_octets_came_during_the_handshake,
		smtp_server__counts_errors_of_the_client_only,
		smtp_server__forgives_unknown_users_behind_a_good_one,
	};

	return run_with("smtp/server", tests, sizeof(tests) / sizeof(tests[0]),
			setup, teardown);
}
