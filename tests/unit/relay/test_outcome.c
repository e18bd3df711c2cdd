#include "mxhold/relay/outcome.h"

#include <stdio.h>

#include "unit/base/suite.h"

enum {
	DAY = 86400000,
	RCPTS_MAX = 8
};

/* Ends of a transaction beside its replies. */
enum end {
	WHOLE,     /* the session goes on */
	LOST,      /* broken, no dot had gone out */
	LOST_DOT,  /* broken after the final dot */
	CLOSED_DOT /* broken, but the final reply was heard */
};

/*
 * Replies as "MAIL RCPT[,RCPT...] FINAL", "-" = none came; a "+" behind RCPT's
 * code: that recipient is known to be good. Verdicts, one letter a recipient:
 * d delivered, l later, f failed, a again, . left.
 */
struct row {
	const char *replies;
	enum end end;
	const char *verdicts;
	enum outcome_health health;
	int sent_before;
	bool insist;
};

static struct smtp_reply reply_of(int code)
{
	struct smtp_reply r = {.code = code};

	if (code)
		snprintf(r.text, sizeof(r.text), "text %d", code);
	return r;
}

struct fixture {
	struct smtp_reply replies[RCPTS_MAX];
	struct session_result result;
	struct outcome_rcpt rcpts[RCPTS_MAX];
	struct outcome_rules rules;
	struct outcome out;
};

static int code_of(const char **p)
{
	char *end;
	long code;

	if (**p == '-') {
		(*p)++;
		return 0;
	}
	code = strtol(*p, &end, 10);
	*p = end;
	return (int)code;
}

static void prepare(struct fixture *f, const char *replies, enum end end)
{
	const char *p = replies;

	memset(f, 0, sizeof(*f));
	f->rules = (struct outcome_rules){.first_5xx = DAY};
	f->result.mail = reply_of(code_of(&p));
	do {
		size_t i = f->result.n_rcpts++;

		p++;
		f->replies[i] = reply_of(code_of(&p));
		f->rcpts[i].known_good = *p == '+';
		p += *p == '+';
	} while (*p == ',');
	p++;
	f->result.final = reply_of(code_of(&p));
	f->result.rcpts = f->replies;
	f->result.broken = end != WHOLE;
	f->result.sent_dot = end == LOST_DOT || end == CLOSED_DOT ||
			     f->result.final.code == 250 ||
			     (end == WHOLE && f->result.final.code);
	if (end != WHOLE) {
		f->result.failure.stage = STAGE_DOT;
		f->result.failure.fault = FAULT_TEMPORARY;
		strcpy(f->result.failure.text, "connection reset");
	}
}

static void judge(struct fixture *f)
{
	outcome_judge(&f->result, &f->rules, f->rcpts, &f->out);
}

static const char *verdicts_of(const struct fixture *f)
{
	static char text[RCPTS_MAX + 1];

	for (size_t i = 0; i < f->result.n_rcpts; i++)
		text[i] = ".dlfa"[f->rcpts[i].verdict];
	text[f->result.n_rcpts] = '\0';
	return text;
}

#define NOTHING OUTCOME_SAYS_NOTHING
#define GOOD    OUTCOME_SAYS_GOOD
#define BAD     OUTCOME_SAYS_BAD

static const struct row table[] = {
	/* each recipient on its own (RFC 5321 3.3) */
	{"250 250 250", WHOLE, "d", GOOD, 0, false},
	{"250 250,450,550 250", WHOLE, "dlf", GOOD, 0, false},
	{"250 550,450,250 250", WHOLE, "fld", GOOD, 0, false},
	{"250 251,250 250", WHOLE, "dd", GOOD, 0, false},
	{"250 299 250", WHOLE, "d", GOOD, 0, false},
	{"250 450,450 -", WHOLE, "ll", GOOD, 0, false},
	{"250 551,553,556,521,599 -", WHOLE, "fffff", GOOD, 0, false},
	{"250 499,299 250", WHOLE, "ld", GOOD, 0, false},
	/* known recipients are not given up at once */
	{"250 550+,550 -", WHOLE, "lf", GOOD, 0, false},
	{"250 250+,250 554", WHOLE, "lf", GOOD, 0, false},
	{"550 -+,- -", WHOLE, "lf", NOTHING, 0, false},
	/* MAIL speaks for all recipients */
	{"550 -,- -", WHOLE, "ff", NOTHING, 0, false},
	{"451 -,- -", WHOLE, "ll", NOTHING, 0, false},
	{"452 - -", WHOLE, "l", NOTHING, 0, false},
	{"552 - -", WHOLE, "f", NOTHING, 0, false},
	/* DATA and the dot speak for those that were accepted */
	{"250 250,550 452", WHOLE, "lf", GOOD, 0, false},
	{"250 250,450 554", WHOLE, "fl", GOOD, 0, false},
	{"250 250,250 552", WHOLE, "ff", GOOD, 0, false},
	{"250 250 354", WHOLE, "l", GOOD, 0, false},
	/* too many recipients (RFC 5321 4.5.3.1.10) */
	{"250 250,250,452,452 250", WHOLE, "ddaa", GOOD, 0, false},
	{"250 250,552,552 250", WHOLE, "daa", GOOD, 0, false},
	{"250 250+,452+ 250", WHOLE, "da", GOOD, 0, false},
	{"250 452,250 250", WHOLE, "ld", GOOD, 0, false},
	{"250 552,250 250", WHOLE, "fd", GOOD, 0, false},
	{"250 452,452 -", WHOLE, "ll", GOOD, 0, false},
	{"250 250,452 451", WHOLE, "la", GOOD, 0, false},
	{"250 250,452 -", LOST, "..", BAD, 0, false},
	/* a lost connection is no message's fault */
	{"- -,- -", LOST, "..", BAD, 0, false},
	{"250 -,- -", LOST, "..", BAD, 0, false},
	{"250 250,- -", LOST, "..", BAD, 0, false},
	{"250 250,250 -", LOST, "..", BAD, 0, false},
	{"250 550,250 -", LOST, "f.", BAD, 0, false},
	{"250 450,250 -", LOST, "..", BAD, 0, false},
	{"- - -", LOST, "l", BAD, 0, true},
	{"250 250,450 -", LOST, "ll", BAD, 0, true},
	/* a session that had carried mail may be ended by the server */
	{"- - -", LOST, ".", NOTHING, 7, false},
	{"421 - -", LOST, ".", NOTHING, 7, false},
	/* unless it ends after the dot */
	{"250 250 -", LOST_DOT, "l", BAD, 0, false},
	{"250 250 -", LOST_DOT, "l", BAD, 7, false},
	{"250 250,550,450 -", LOST_DOT, "lfl", BAD, 0, false},
	{"250 250 250", CLOSED_DOT, "d", BAD, 0, false},
	{"250 250 451", CLOSED_DOT, "l", BAD, 0, false},
	/* 421 anywhere (RFC 5321 3.8) */
	{"421 -,- -", LOST, "..", BAD, 0, false},
	{"421 -,- -", WHOLE, "..", BAD, 0, false},
	{"250 421,- -", LOST, "..", BAD, 0, false},
	{"250 250,421 -", LOST, "..", BAD, 0, false},
	{"250 550,421 -", LOST, "f.", BAD, 0, false},
	{"250 250 421", CLOSED_DOT, "l", BAD, 0, false},
	{"421 - -", LOST, "l", BAD, 0, true},
	/* all refused and a lone dot lost: nothing was handed over */
	{"250 450 -", LOST_DOT, "l", BAD, 0, false},
};

/* DNS-17, TX-7, TX-8, TX-10, TX-12, TX-16, TX-17 */
START_TEST(outcome__judges_each_recipient_by_the_replies)
{
	const struct row *row = &table[_i];
	struct fixture f;

	prepare(&f, row->replies, row->end);
	f.rules.sent_before = (uint32_t)row->sent_before;
	f.rules.insist = row->insist;
	judge(&f);
	ck_assert_msg(strcmp(verdicts_of(&f), row->verdicts) == 0,
		      "%s (%d): got %s, want %s", row->replies, row->end,
		      verdicts_of(&f), row->verdicts);
	ck_assert_msg(f.out.health == row->health, "%s (%d): health %d",
		      row->replies, row->end, f.out.health);
}
END_TEST

START_TEST(outcome__counts_what_it_judged)
{
	const struct row *row = &table[_i];
	struct fixture f;
	size_t n[5] = {0};

	prepare(&f, row->replies, row->end);
	f.rules.insist = row->insist;
	judge(&f);
	for (size_t i = 0; i < f.result.n_rcpts; i++)
		n[f.rcpts[i].verdict]++;
	ck_assert_uint_eq(f.out.left, n[VERDICT_LEFT]);
	ck_assert_uint_eq(f.out.delivered, n[VERDICT_DELIVERED]);
	ck_assert_uint_eq(f.out.later, n[VERDICT_LATER]);
	ck_assert_uint_eq(f.out.failed, n[VERDICT_FAILED]);
	ck_assert_uint_eq(f.out.again, n[VERDICT_AGAIN]);
}
END_TEST

START_TEST(outcome__gives_every_settled_recipient_a_reply_with_a_status)
{
	const struct row *row = &table[_i];
	struct fixture f;

	prepare(&f, row->replies, row->end);
	f.rules.insist = row->insist;
	judge(&f);
	for (size_t i = 0; i < f.result.n_rcpts; i++) {
		const struct smtp_reply *r = &f.rcpts[i].reply;

		if (f.rcpts[i].verdict == VERDICT_LATER ||
		    f.rcpts[i].verdict == VERDICT_FAILED) {
			ck_assert_int_ge(r->code, 400);
			ck_assert_int_eq(r->enhanced[0] - '0', r->code / 100);
		}
	}
}
END_TEST

START_TEST(outcome__marks_only_what_may_have_been_handed_over_twice)
{
	const struct row *row = &table[_i];
	struct fixture f;
	bool some = strchr(row->replies, ' ') &&
		    strstr(strchr(row->replies, ' '), "25");

	prepare(&f, row->replies, row->end);
	judge(&f);
	ck_assert_int_eq(f.out.maybe_duplicate, row->end == LOST_DOT && some);
}
END_TEST

START_TEST(outcome__slows_down_and_drops_the_session_when_it_broke)
{
	const struct row *row = &table[_i];
	bool gone = row->end != WHOLE || strstr(row->replies, "421");
	struct fixture f;

	prepare(&f, row->replies, row->end);
	judge(&f);
	ck_assert_int_eq(f.out.reuse, !gone);
	ck_assert(!gone || f.out.pressed);
}
END_TEST

/* --- a 5xx for a recipient known to be good ------------------------------ */

static const struct {
	bool known;
	int64_t refused_ms;
	bool breaker_open, is_report;
	char verdict;
} doubts[] = {
	{true, -1, false, false, 'l'},  {true, DAY - 1, false, false, 'l'},
	{true, DAY, false, false, 'f'}, {true, DAY, true, false, 'l'},
	{false, -1, false, false, 'f'}, {false, -1, true, false, 'l'},
	{true, -1, false, true, 'f'},   {false, -1, true, true, 'f'},
};

/* TX-19 */
START_TEST(outcome__believes_a_5xx_only_after_first_5xx_and_without_breaker)
{
	struct fixture f;

	prepare(&f, "250 550 -", WHOLE);
	f.rcpts[0].known_good = doubts[_i].known;
	f.rcpts[0].refused_ms = doubts[_i].refused_ms;
	f.rules.breaker_open = doubts[_i].breaker_open;
	f.rules.is_report = doubts[_i].is_report;
	judge(&f);
	ck_assert_int_eq(verdicts_of(&f)[0], doubts[_i].verdict);
	ck_assert(f.rcpts[0].bad_5xx);
	ck_assert_int_eq(f.rcpts[0].reply.code, 550);
	ck_assert(!f.out.expired);
}
END_TEST

static const struct {
	int64_t refused_ms;
	bool is_report;
	char verdict;
} ours[] = {
	{-1, false, 'l'},
	{DAY - 1, false, 'l'},
	{DAY, false, 'f'},
	{-1, true, 'f'},
};

/* TLS-30: nobody knows the recipient, but it is not about him. */
START_TEST(outcome__gives_a_primary_time_to_mend_what_we_miss_there)
{
	struct fixture f;

	prepare(&f, "550 - -", WHOLE);
	f.result.is_ours = true;
	f.rcpts[0].refused_ms = ours[_i].refused_ms;
	f.rules.is_report = ours[_i].is_report;
	judge(&f);
	ck_assert_int_eq(verdicts_of(&f)[0], ours[_i].verdict);
}
END_TEST

/* It has come back, and has taken nothing yet. */
static const struct {
	const char *replies;
	int64_t refused_ms;
	const char *verdicts;
} unproven[] = {
	{"250 550 -", -1, "l"},        {"250 550 -", DAY - 1, "l"},
	{"250 550 -", DAY, "f"},       {"250 250 554", -1, "l"},
	{"250 250,550 250", -1, "df"}, /* now it has */
	{"250 250,550 450", -1, "ll"},
};

START_TEST(outcome__believes_no_5xx_of_a_primary_that_has_taken_nothing)
{
	struct fixture f;

	prepare(&f, unproven[_i].replies, WHOLE);
	f.rules.unproven = true;
	f.rcpts[0].refused_ms = unproven[_i].refused_ms;
	judge(&f);
	ck_assert_str_eq(verdicts_of(&f), unproven[_i].verdicts);
}
END_TEST

static const struct {
	const char *replies, *enhanced;
	bool about_message;
} words[] = {
	{"250 550 -", "", false},      {"250 250 554", "", true},
	{"250 250,550 554", "", true}, {"550 - -", "5.1.8", true},
	{"550 - -", "", false},
};

START_TEST(outcome__tells_a_refused_message_from_a_refused_recipient)
{
	struct fixture f;

	prepare(&f, words[_i].replies, WHOLE);
	strcpy(f.result.mail.enhanced, words[_i].enhanced);
	judge(&f);
	ck_assert(f.rcpts[0].bad_5xx);
	ck_assert_int_eq(f.rcpts[0].about_message, words[_i].about_message);
}
END_TEST

static const char *const refusals[] = {"250 550 -", "250 450 -"};

START_TEST(outcome__gives_nothing_up_while_the_breaker_is_open)
{
	struct fixture f;

	prepare(&f, refusals[_i], WHOLE);
	f.rules.is_over = f.rules.breaker_open = true;
	judge(&f);
	ck_assert_str_eq(verdicts_of(&f), "l");
}
END_TEST

/* TLS-30, TX-27, TX-35: what we did not even offer it is no refusal of the
 * primary; the breaker hears nothing of it. A keyword that it lacks is waited
 * for, anything else is put off as any 5xx. */
static const struct {
	int code;
	const char *enhanced;
	bool known, over, is_report;
	const char *verdict;
	const char *want;
} missing[] = {
	{550, "5.7.30", true, false, false, "l", "550 5.7.30"},
	{550, "5.7.30", false, false, false, "l", "550 5.7.30"},
	{552, "5.3.4", true, false, false, "l", "552 5.3.4"},
	{552, "5.3.4", false, false, false, "l", "552 5.3.4"},
	{554, "5.6.3", true, false, false, "l", "451 4.6.3"},
	{554, "5.6.3", false, false, false, "l", "451 4.6.3"},
	{550, "5.6.7", false, false, false, "l", "451 4.6.7"},
	{554, "5.6.3", true, true, false, "f", "554 5.6.3"},
	{550, "5.6.7", true, false, true, "f", "550 5.6.7"},
};

START_TEST(outcome__blames_nobody_for_what_we_refuse_ourselves)
{
	struct fixture f;
	char text[64];

	prepare(&f, "550 - -", WHOLE);
	f.result.mail.code = missing[_i].code;
	strcpy(f.result.mail.enhanced, missing[_i].enhanced);
	f.result.is_ours = true;
	f.rcpts[0].known_good = missing[_i].known;
	f.rules.is_over = missing[_i].over;
	f.rules.is_report = missing[_i].is_report;
	judge(&f);
	ck_assert_str_eq(verdicts_of(&f), missing[_i].verdict);
	ck_assert(!f.rcpts[0].bad_5xx);
	ck_assert(!f.rcpts[0].by_peer);
	ck_assert(!f.out.mail_refused);
	ck_assert(!f.out.expired);
	ck_assert(f.out.reuse);
	snprintf(text, sizeof(text), "%d %s", f.rcpts[0].reply.code,
		 f.rcpts[0].reply.enhanced);
	ck_assert_str_eq(text, missing[_i].want);
}
END_TEST

START_TEST(outcome__believes_a_5xx_at_once_when_first_5xx_is_zero)
{
	struct fixture f;

	prepare(&f, "250 550+ -", WHOLE);
	f.rules.first_5xx = 0;
	judge(&f);
	ck_assert_str_eq(verdicts_of(&f), "f");
}
END_TEST

/* --- the end of patience ------------------------------------------------- */

static const struct {
	const char *replies;
	enum end end;
	bool insist;
	const char *verdicts;
	bool expired;
} overs[] = {
	{"250 450 -", WHOLE, false, "f", true},
	{"250 250,450 250", WHOLE, false, "df", true},
	{"250 250 452", WHOLE, false, "f", true},
	{"250 550 -", WHOLE, false, "f", false},
	{"250 250 -", LOST, false, ".", false},     /* no word of it */
	{"250 250 -", LOST_DOT, false, "l", false}, /* may have arrived */
	{"250 250 250", WHOLE, false, "d", false},
	{"- - -", LOST, true, "f", true},
};

/* TX-54 */
START_TEST(outcome__gives_up_with_the_last_reply_when_time_is_over)
{
	struct fixture f;

	prepare(&f, overs[_i].replies, overs[_i].end);
	f.rules.is_over = true;
	f.rules.insist = overs[_i].insist;
	judge(&f);
	ck_assert_str_eq(verdicts_of(&f), overs[_i].verdicts);
	ck_assert_int_eq(f.out.expired, overs[_i].expired);
}
END_TEST

/* DSN-13 */
START_TEST(outcome__keeps_class_4_of_a_message_given_up_by_time)
{
	struct fixture f;

	prepare(&f, "250 450 -", WHOLE);
	strcpy(f.replies[0].enhanced, "4.2.1");
	f.rules.is_over = true;
	judge(&f);
	ck_assert_str_eq(f.rcpts[0].reply.enhanced, "4.2.1");
	ck_assert_int_eq(f.rcpts[0].reply.code, 450);
}
END_TEST

/* --- MAIL refused -------------------------------------------------------- */

static const struct {
	int code;
	const char *enhanced;
	bool host;
} mails[] = {
	{550, "", true},        {554, "5.7.1", true},   {503, "5.5.1", true},
	{550, "5.1.8", false},  {550, "5.1.7", false},  {552, "5.3.4", false},
	{552, "", false},       {554, "5.6.3", false},  {550, "5.6.7", false},
	{550, "5.7.30", false}, {550, "5.7.10", false}, {451, "", false},
	{421, "", false},       {250, "", false},
};

START_TEST(outcome__tells_a_refusing_host_from_a_refused_sender)
{
	struct fixture f;

	prepare(&f, "250 250 250", WHOLE);
	f.result.mail.code = mails[_i].code;
	strcpy(f.result.mail.enhanced, mails[_i].enhanced);
	judge(&f);
	ck_assert_int_eq(f.out.mail_refused, mails[_i].host);
}
END_TEST

static const char *const after_xclient[] = {"554 -,- -", "450 -,- -"};

START_TEST(outcome__does_not_blame_the_host_for_refusing_a_client_of_ours)
{
	struct fixture f;

	prepare(&f, after_xclient[_i], LOST);
	f.result.client_refused = true;
	judge(&f);
	ck_assert_str_eq(verdicts_of(&f), _i ? "ll" : "ff");
	ck_assert_int_eq(f.out.health, NOTHING);
	ck_assert(!f.out.mail_refused);
	ck_assert(!f.out.pressed);
	ck_assert(!f.out.reuse);
}
END_TEST

START_TEST(outcome__blames_the_host_that_refuses_mail_and_hangs_up)
{
	struct fixture f;

	prepare(&f, "554 -,- -", LOST);
	judge(&f);
	ck_assert_int_eq(f.out.health, BAD);
	ck_assert(f.out.mail_refused && f.out.pressed && !f.out.reuse);
}
END_TEST

/* --- statuses and our own diagnoses -------------------------------------- */

static const struct {
	int code;
	const char *enhanced, *status;
} statuses[] = {
	{550, "5.1.1", "5.1.1"},
	{450, "4.2.0", "4.2.0"},
	{550, "4.1.1", "5.0.0"},
	{450, "5.1.1", "4.0.0"},
	{550, "", "5.0.0"},
	{421, "", "4.0.0"},
	{550, "5.1", "5.0.0"},
	{550, "5.1.1234", "5.0.0"},
	{550, "5.999.999", "5.999.999"},
	{550, "5.1.1 x", "5.0.0"},
	{550, "55.1.1", "5.0.0"},
	{554, "5..1", "5.0.0"},
};

/* TX-6 */
START_TEST(outcome__uses_an_enhanced_code_only_when_its_class_fits)
{
	struct smtp_reply r = {.code = statuses[_i].code};
	char status[12];

	strcpy(r.enhanced, statuses[_i].enhanced);
	outcome_status(&r, status);
	ck_assert_str_eq(status, statuses[_i].status);
	outcome_status(&r, r.enhanced); /* in place, as for what was kept */
	ck_assert_str_eq(r.enhanced, statuses[_i].status);
}
END_TEST

static const struct {
	enum session_stage stage;
	enum session_fault fault;
	int code; /* of the peer's reply */
	const char *want;
	enum outcome_health health;
	const char *status; /* DNS has a word for it; NULL: none */
} diagnoses[] = {
	{STAGE_DNS, FAULT_TEMPORARY, 0, "451 4.4.3", BAD, NULL},
	{STAGE_DNS, FAULT_NO_ROUTE, 0, "550 5.4.4", BAD, NULL},
	{STAGE_DNS, FAULT_NO_ROUTE, 0, "550 5.1.10", BAD, "5.1.10"},
	{STAGE_DNS, FAULT_LOOP, 0, "554 5.4.6", BAD, NULL},
	{STAGE_CONNECT, FAULT_TEMPORARY, 0, "451 4.4.1", BAD, NULL},
	{STAGE_BANNER, FAULT_TEMPORARY, 0, "451 4.4.2", BAD, NULL},
	{STAGE_BANNER, FAULT_TEMPORARY, 421, "421 4.0.0", BAD, NULL},
	{STAGE_BANNER, FAULT_PERMANENT, 554, "554 5.0.0", OUTCOME_SAYS_REFUSED,
	 NULL},
	{STAGE_EHLO, FAULT_PERMANENT, 550, "550 5.0.0", OUTCOME_SAYS_REFUSED,
	 NULL},
	{STAGE_TLS, FAULT_TEMPORARY, 0, "451 4.7.5", BAD, NULL},
	{STAGE_DATA, FAULT_TEMPORARY, 0, "451 4.4.2", BAD, NULL},
	{STAGE_DOT, FAULT_TEMPORARY, 0, "451 4.4.2", BAD, NULL},
	{STAGE_MAIL, FAULT_NONE, 0, "451 4.4.2", NOTHING, NULL},
};

/* TLS-27, TX-18, TX-55 */
START_TEST(outcome__diagnoses_what_no_reply_explains)
{
	struct session_failure f = {
		.stage = diagnoses[_i].stage,
		.fault = diagnoses[_i].fault,
		.reply = reply_of(diagnoses[_i].code),
		.text = "why",
	};
	struct smtp_reply out;
	char text[64];

	if (diagnoses[_i].status)
		strcpy(f.status, diagnoses[_i].status);
	outcome_diagnose(&f, &out);
	snprintf(text, sizeof(text), "%d %s", out.code, out.enhanced);
	ck_assert_str_eq(text, diagnoses[_i].want);
	ck_assert_int_eq(outcome_of_failure(&f), diagnoses[_i].health);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"outcome",
		LOOP(outcome__judges_each_recipient_by_the_replies, table),
		LOOP(outcome__counts_what_it_judged, table),
		LOOP(outcome__gives_every_settled_recipient_a_reply_with_a_status,
		     table),
		LOOP(outcome__marks_only_what_may_have_been_handed_over_twice,
		     table),
		LOOP(outcome__slows_down_and_drops_the_session_when_it_broke,
		     table),
		LOOP(outcome__believes_a_5xx_only_after_first_5xx_and_without_breaker,
		     doubts),
		LOOP(outcome__gives_a_primary_time_to_mend_what_we_miss_there,
		     ours),
		LOOP(outcome__blames_nobody_for_what_we_refuse_ourselves,
		     missing),
		LOOP(outcome__believes_no_5xx_of_a_primary_that_has_taken_nothing,
		     unproven),
		LOOP(outcome__tells_a_refused_message_from_a_refused_recipient,
		     words),
		LOOP(outcome__gives_nothing_up_while_the_breaker_is_open,
		     refusals),
		TEST(outcome__believes_a_5xx_at_once_when_first_5xx_is_zero),
		LOOP(outcome__gives_up_with_the_last_reply_when_time_is_over,
		     overs),
		TEST(outcome__keeps_class_4_of_a_message_given_up_by_time),
		LOOP(outcome__tells_a_refusing_host_from_a_refused_sender,
		     mails),
		LOOP(outcome__does_not_blame_the_host_for_refusing_a_client_of_ours,
		     after_xclient),
		TEST(outcome__blames_the_host_that_refuses_mail_and_hangs_up),
		LOOP(outcome__uses_an_enhanced_code_only_when_its_class_fits,
		     statuses),
		LOOP(outcome__diagnoses_what_no_reply_explains, diagnoses));
}
