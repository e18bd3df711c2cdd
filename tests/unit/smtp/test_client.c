/*
 * What transcripts (tests/transcripts/client) cannot show: bounds, memory,
 * content larger than what may wait.
 */
#include "mxhold/smtp/client.h"

#include <stdio.h>

#include "mxhold/base/mem.h"
#include "mxhold/smtp/client_machine.h"
#include "unit/base/suite.h"
#include "unit/smtp/fixture.h"

static struct smtp_client *client;
static struct buf wire;
static const struct recipient rcpt = {.address = {"b@d.test", 8}};
static const struct smtp_send message = {
	.sender = {"a@x.test", 8}, .rcpts = &rcpt, .n_rcpts = 1};

static void setup(void)
{
	buf_init(&wire, 64 << 20);
	client = smtp_client_new("relay.test");
}

static void teardown(void)
{
	smtp_client_free(client);
	buf_done(&wire);
}

static void flush(void)
{
	struct slice out = smtp_client_output(client);

	buf_append_slice(&wire, out);
	smtp_client_sent(client, out.n);
}

static struct smtp_event hear(const char *text)
{
	smtp_client_feed(client, slice_str(text));
	return smtp_client_next(client);
}

static void become_ready(const char *ehlo)
{
	ck_assert_int_eq(hear("220 mx.test\r\n").says, SMTP_SAYS_NOTHING);
	flush();
	ck_assert_int_eq(hear(ehlo).says, SMTP_SAYS_READY);
}

static void reach_body(void)
{
	become_ready("250-mx.test\r\n250 PIPELINING\r\n");
	smtp_client_send(client, &message);
	flush();
	ck_assert_int_eq(hear("250 ok\r\n250 ok\r\n354 go\r\n").says,
			 SMTP_SAYS_MAIL);
	ck_assert_int_eq(smtp_client_next(client).says, SMTP_SAYS_RCPT);
	ck_assert_int_eq(smtp_client_next(client).says, SMTP_SAYS_BODY);
}

START_TEST(smtp_client__is_small_when_idle)
{
	become_ready("250 mx.test\r\n");
	flush();
	ck_assert_ptr_null(client->in.mem);
	ck_assert_ptr_null(client->out.mem);
	ck_assert_ptr_null(client->skips);
	ck_assert_uint_le(sizeof(*client), 1536);
}
END_TEST

START_TEST(smtp_client__takes_content_only_while_64_kib_wait)
{
	static char content[200000];
	struct slice in = slice_make(content, sizeof(content));
	size_t taken;

	memset(content, '.', sizeof(content));
	for (size_t i = 0; i + 1 < sizeof(content); i += 3)
		content[i] = '\n'; /* bare: everything that can grow, grows */
	reach_body();
	taken = smtp_client_body(client, in);
	ck_assert_uint_lt(taken, in.n);
	ck_assert_uint_le(smtp_client_output(client).n, 4 * 65536);
	ck_assert_int_eq(smtp_client_next(client).says, SMTP_SAYS_NOTHING);
	ck_assert_uint_eq(smtp_client_body(client, in), 0);
	while (in.n) {
		in = slice_skip(in, taken);
		flush();
		if (in.n)
			ck_assert_int_eq(smtp_client_next(client).says,
					 SMTP_SAYS_BODY);
		taken = smtp_client_body(client, in);
	}
	ck_assert(!smtp_client_dot_sent(client));
	smtp_client_body_end(client);
	ck_assert(smtp_client_dot_sent(client));
	flush();
	ck_assert_int_eq(hear("250 kept\r\n").says, SMTP_SAYS_RESULT);
	ck_assert_int_eq(smtp_client_next(client).says, SMTP_SAYS_DONE);
	ck_assert(smtp_client_dot_sent(client));
}
END_TEST

START_TEST(smtp_client__never_sends_the_dot_of_aborted_content)
{
	reach_body();
	flush();
	buf_clear(&wire);
	smtp_client_body(client, SLICE("half of it"));
	smtp_client_body_abort(client);
	smtp_client_body_end(client);
	flush();
	ck_assert(!smtp_client_dot_sent(client));
	ck_assert_uint_eq(wire.n, 0);
	ck_assert_int_eq(smtp_client_next(client).says, SMTP_SAYS_CLOSED);
	ck_assert_int_eq(smtp_client_next(client).says, SMTP_SAYS_NOTHING);
}
END_TEST

START_TEST(smtp_client__breaks_on_an_endless_reply)
{
	char x[1000];
	struct smtp_event e;

	memset(x, 'x', sizeof(x));
	e = hear("220 ");
	for (int i = 0; i < 100 && e.says == SMTP_SAYS_NOTHING; i++) {
		smtp_client_feed(client, slice_make(x, sizeof(x)));
		e = smtp_client_next(client);
		ck_assert_uint_le(client->in.n, 70000);
	}
	ck_assert_int_eq(e.says, SMTP_SAYS_BROKEN);
	ck_assert_str_eq(e.reply.text, "a reply of too many octets");
}
END_TEST

START_TEST(smtp_client__breaks_when_fed_without_being_asked_for_events)
{
	for (int i = 0; i < 200000; i++)
		smtp_client_feed(client, SLICE("220 x\r\n"));
	ck_assert_uint_le(client->in.n, 262144);
	ck_assert_int_eq(smtp_client_next(client).says, SMTP_SAYS_BROKEN);
}
END_TEST

START_TEST(smtp_client__keeps_the_envelope_within_what_may_wait)
{
	enum {
		N = 5000
	};
	static char names[N][32];
	static struct recipient many[N];
	struct smtp_send m = message;

	for (size_t i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "user%zu@d.test", i);
		many[i].address = slice_str(names[i]);
	}
	m.rcpts = many;
	m.n_rcpts = N;
	become_ready("250-mx.test\r\n250 PIPELINING\r\n");
	smtp_client_send(client, &m);
	ck_assert_uint_le(smtp_client_output(client).n, 65536 + 2048);
	flush();
	while (smtp_client_output(client).n)
		flush();
	ck_assert(memmem(buf_slice(&wire).p, wire.n, "user4999@", 9));
	ck_assert(memmem(buf_slice(&wire).p, wire.n, "\r\nDATA\r\n", 8));
}
END_TEST

/* TX-28 */
START_TEST(smtp_client__is_spent_at_mailmax)
{
	become_ready("250-mx.test\r\n250 LIMITS MAILMAX=1\r\n");
	ck_assert(!smtp_client_is_spent(client));
	smtp_client_send(client, &message);
	flush();
	ck_assert_int_eq(hear("550 no\r\n").says, SMTP_SAYS_MAIL);
	ck_assert_int_eq(smtp_client_next(client).says, SMTP_SAYS_DONE);
	ck_assert(smtp_client_is_spent(client));
}
END_TEST

START_TEST(smtp_client__forgets_the_offer_when_tls_begins)
{
	become_ready("250-mx.test\r\n250-SIZE 10\r\n250 STARTTLS\r\n");
	ck_assert_uint_eq(smtp_client_ehlo(client)->size, 10);
	smtp_client_start_tls(client);
	flush();
	ck_assert_int_eq(hear("220 go\r\n").says, SMTP_SAYS_TLS);
	smtp_client_tls_started(client);
	ck_assert_uint_eq(smtp_client_ehlo(client)->ext, 0);
	flush();
	ck_assert_int_eq(hear("250-mx.test\r\n250 DSN\r\n").says,
			 SMTP_SAYS_READY);
	ck_assert_uint_eq(smtp_client_ehlo(client)->ext, EXT_DSN);
	ck_assert(smtp_client_ehlo(client)->esmtp);
}
END_TEST

START_TEST(smtp_client__survives_the_failure_of_each_allocation)
{
	for (unsigned long n = 1; n < 30; n++) {
		struct smtp_event e = {.says = SMTP_SAYS_NOTHING};

		teardown();
		setup();
		mem_fail_at(n);
		smtp_client_feed(client, SLICE("220 x\r\n250 x\r\n"));
		for (int i = 0; i < 20; i++) {
			e = smtp_client_next(client);
			if (e.says == SMTP_SAYS_READY)
				smtp_client_send(client, &message);
			if (e.says == SMTP_SAYS_BODY) {
				smtp_client_body(client, SLICE("x\r\n"));
				smtp_client_body_end(client);
			}
			flush();
			if (e.says == SMTP_SAYS_NOTHING)
				smtp_client_feed(client,
						 i < 4 ? SLICE("250 x\r\n")
						       : SLICE("354 x\r\n"));
		}
		mem_fail_at(0);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		smtp_client__is_small_when_idle,
		smtp_client__takes_content_only_while_64_kib_wait,
		smtp_client__never_sends_the_dot_of_aborted_content,
		smtp_client__breaks_on_an_endless_reply,
		smtp_client__breaks_when_fed_without_being_asked_for_events,
		smtp_client__keeps_the_envelope_within_what_may_wait,
		smtp_client__is_spent_at_mailmax,
		smtp_client__forgets_the_offer_when_tls_begins,
		smtp_client__survives_the_failure_of_each_allocation,
	};

	return run_with("smtp/client", tests, sizeof(tests) / sizeof(tests[0]),
			setup, teardown);
}
