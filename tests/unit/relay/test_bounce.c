#include "mxhold/relay/bounce.h"

#include "unit/base/suite.h"

enum {
	N = DSN_NOTIFY_NEVER,
	S = DSN_NOTIFY_SUCCESS,
	F = DSN_NOTIFY_FAILURE,
	D = DSN_NOTIFY_DELAY
};

#define DROP   BOUNCE_DROP
#define HOLD   BOUNCE_HOLD
#define REPORT BOUNCE_REPORT

static const struct row {
	enum bounce_send send;
	bool drop;
	enum bounce_route route;
	const char *sender;
	uint8_t notify;
	bool is_report;
	enum bounce_action want;
} rows[] = {
	/* who may hear of it */
	{BOUNCE_ALL, false, BOUNCE_BY_MX, "a@b.test", 0, false, REPORT},
	{BOUNCE_ALL, false, BOUNCE_BY_PRIMARY, "a@b.test", 0, false, REPORT},
	{BOUNCE_ALL, false, BOUNCE_NOWHERE, "a@b.test", 0, false, HOLD},
	{BOUNCE_ALL, true, BOUNCE_NOWHERE, "a@b.test", 0, false, DROP},
	{BOUNCE_ALL, true, BOUNCE_BY_MX, "a@b.test", 0, false, REPORT},
	{BOUNCE_AUTHENTICATED, false, BOUNCE_BY_MX, "a@b.test", 0, false, HOLD},
	{BOUNCE_AUTHENTICATED, true, BOUNCE_BY_MX, "a@b.test", 0, false, DROP},
	{BOUNCE_NONE, false, BOUNCE_BY_MX, "a@b.test", 0, false, HOLD},
	{BOUNCE_NONE, true, BOUNCE_BY_MX, "a@b.test", 0, false, DROP},
	/* nobody who could */
	{BOUNCE_ALL, false, BOUNCE_BY_MX, "", 0, false, DROP},
	{BOUNCE_NONE, false, BOUNCE_BY_MX, "", 0, false, DROP},
	{BOUNCE_AUTHENTICATED, false, BOUNCE_BY_MX, "", 0, false, DROP},
	{BOUNCE_ALL, false, BOUNCE_BY_MX, "a@b.test", 0, true, DROP},
	/* NOTIFY */
	{BOUNCE_ALL, false, BOUNCE_BY_MX, "a@b.test", N, false, DROP},
	{BOUNCE_NONE, false, BOUNCE_BY_MX, "a@b.test", N, false, DROP},
	{BOUNCE_ALL, false, BOUNCE_BY_MX, "a@b.test", F, false, REPORT},
	{BOUNCE_ALL, false, BOUNCE_BY_MX, "a@b.test", F | D, false, REPORT},
	{BOUNCE_ALL, false, BOUNCE_BY_MX, "a@b.test", S, false, DROP},
	{BOUNCE_ALL, false, BOUNCE_BY_MX, "a@b.test", D, false, DROP},
	/* a sender no MX can be looked up for */
	{BOUNCE_ALL, false, BOUNCE_BY_MX, "a@[192.0.2.1]", 0, false, HOLD},
	{BOUNCE_ALL, true, BOUNCE_BY_MX, "a@[192.0.2.1]", 0, false, DROP},
};

static struct config_bounce bounce_of(const struct row *row)
{
	return (struct config_bounce){.send = row->send,
				      .otherwise_drop = row->drop,
				      .route = row->route};
}

static struct envelope envelope_of(const struct row *row)
{
	return (struct envelope){.sender = slice_str(row->sender),
				 .is_report = row->is_report};
}

/* DSN-1, DSN-4, TX-51 */
START_TEST(bounce__decides_by_sender_notify_and_configuration)
{
	struct config_bounce c = bounce_of(&rows[_i]);
	struct envelope env = envelope_of(&rows[_i]);

	ck_assert_int_eq(bounce_decide(&c, &env, rows[_i].notify),
			 rows[_i].want);
}
END_TEST

START_TEST(bounce__an_operator_may_tell_whom_nothing_forbids_to)
{
	struct config_bounce c = bounce_of(&rows[_i]), all = c;
	struct envelope env = envelope_of(&rows[_i]);

	all.send = BOUNCE_ALL;
	ck_assert_int_eq(bounce_decide_told(&c, &env, rows[_i].notify),
			 bounce_decide(&all, &env, rows[_i].notify));
}
END_TEST

START_TEST(bounce__tells_of_a_relayed_message_only_who_asked_for_success)
{
	struct config_bounce c = bounce_of(&rows[_i]);
	struct envelope env = envelope_of(&rows[_i]);
	bool want = rows[_i].send == BOUNCE_ALL &&
		    rows[_i].route != BOUNCE_NOWHERE && rows[_i].sender[0] &&
		    !rows[_i].is_report && rows[_i].notify & S;

	ck_assert_int_eq(bounce_wants_relayed(&c, &env, rows[_i].notify), want);
}
END_TEST

/* --- the report ---------------------------------------------------------- */

static char from[] = "postmaster@mx2.test", hostname[] = "mx2.test";
static struct config config = {.hostname = hostname, .bounce = {.from = from}};

static const char *const original = "Subject: one\r\nX: y\r\n\r\nSECRET\r\n";

static bool requiretls;

static struct job_add *report_of(const char *content, bool whole,
				 enum dsn_ret ret)
{
	static struct queue_rcpt rcpt;
	static struct queue_message message;
	static struct bounce_rcpt failed;
	struct bounce_of of = {
		.config = &config,
		.message = &message,
		.rcpts = &failed,
		.n_rcpts = 1,
		.head = slice_str(content),
		.whole = whole,
		.now_ms = INT64_C(1800000000000),
	};

	rcpt.rcpt.address = SLICE("gone@example.test");
	message.id = 1;
	message.env.sender = SLICE("a@B.test");
	message.env.ret = ret;
	message.env.requiretls = requiretls;
	failed = (struct bounce_rcpt){
		.rcpt = &rcpt,
		.status = "5.1.1",
		.diagnostic = SLICE("550 5.1.1 no such user"),
		.remote = SLICE("mx1.example.test[192.0.2.1]:25"),
	};
	return bounce_new(&of);
}

static bool says(const struct job_add *add, const char *text)
{
	return memmem(add->body.mem + add->body.start, add->body.n, text,
		      strlen(text)) != NULL;
}

/* DSN-2, DSN-14 */
START_TEST(bounce__addresses_a_report_to_the_sender_from_nobody)
{
	struct job_add *add = report_of(original, true, DSN_RET_UNSAID);

	ck_assert_uint_eq(add->env->sender.n, 0);
	ck_assert_uint_eq(add->env->n_rcpts, 1);
	ck_assert_slice_eq(add->env->rcpts[0].address, "a@B.test");
	ck_assert_slice_eq(add->env->rcpts[0].domain, "b.test");
	ck_assert(add->report_dest && add->env->is_report);
	ck_assert_int_eq(add->expire_ms,
			 INT64_C(1800000000000) + BOUNCE_LIFE_MS);
	bounce_free(add);
}
END_TEST

START_TEST(bounce__names_host_status_and_reply)
{
	struct job_add *add = report_of(original, true, DSN_RET_UNSAID);

	ck_assert(says(add, "Reporting-MTA: dns; mx2.test"));
	ck_assert(says(add, "Final-Recipient: rfc822; gone@example.test"));
	ck_assert(says(add, "Status: 5.1.1"));
	ck_assert(says(add, "Remote-MTA: dns; mx1.example.test\r\n"));
	ck_assert(says(add, "550 5.1.1 no such user"));
	bounce_free(add);
}
END_TEST

static const struct {
	enum dsn_ret ret;
	bool whole, body;
} returns[] = {
	{DSN_RET_UNSAID, true, false},
	{DSN_RET_HDRS, true, false},
	{DSN_RET_FULL, true, true},
	{DSN_RET_FULL, false, false},
};

/* DSN-29 */
START_TEST(bounce__returns_the_header_or_all_of_a_small_message_if_asked)
{
	struct job_add *add =
		report_of(original, returns[_i].whole, returns[_i].ret);

	ck_assert(says(add, "Subject: one"));
	ck_assert_int_eq(says(add, "SECRET"), returns[_i].body);
	bounce_free(add);
}
END_TEST

/* TLS-32 */
START_TEST(bounce__returns_no_content_of_what_had_to_be_kept_secret)
{
	struct job_add *add;

	requiretls = true;
	add = report_of(original, true, DSN_RET_FULL);
	ck_assert(says(add, "Subject: one"));
	ck_assert(!says(add, "SECRET"));
	ck_assert(add->env->requiretls);
	bounce_free(add);
	requiretls = false;
	add = report_of(original, true, DSN_RET_FULL);
	ck_assert(!add->env->requiretls);
	bounce_free(add);
}
END_TEST

START_TEST(bounce__cuts_a_header_without_end_at_a_whole_line)
{
	struct job_add *add =
		report_of("Subject: one\r\nX: half", false, DSN_RET_UNSAID);

	ck_assert(says(add, "Subject: one"));
	ck_assert(!says(add, "X: half"));
	bounce_free(add);
}
END_TEST

/* DSN-29 */
START_TEST(bounce__never_returns_more_than_its_cap)
{
	char *big = malloc(200001);
	struct job_add *add;

	memset(big, 'x', 200000);
	memcpy(big, "A: b\r\n\r\n", 8);
	big[200000] = '\0';
	add = report_of(big, true, DSN_RET_FULL);
	ck_assert_uint_lt(add->body.n, 16384);
	bounce_free(add);
	free(big);
}
END_TEST

START_TEST(bounce__names_every_action)
{
	for (int a = BOUNCE_DROP; a <= BOUNCE_REPORT; a++)
		ck_assert_str_ne(bounce_action_name((enum bounce_action)a),
				 "unknown");
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"bounce",
		LOOP(bounce__an_operator_may_tell_whom_nothing_forbids_to,
		     rows),
		LOOP(bounce__decides_by_sender_notify_and_configuration, rows),
		LOOP(bounce__tells_of_a_relayed_message_only_who_asked_for_success,
		     rows),
		TEST(bounce__addresses_a_report_to_the_sender_from_nobody),
		TEST(bounce__names_host_status_and_reply),
		LOOP(bounce__returns_the_header_or_all_of_a_small_message_if_asked,
		     returns),
		TEST(bounce__returns_no_content_of_what_had_to_be_kept_secret),
		TEST(bounce__cuts_a_header_without_end_at_a_whole_line),
		TEST(bounce__never_returns_more_than_its_cap),
		TEST(bounce__names_every_action));
}
