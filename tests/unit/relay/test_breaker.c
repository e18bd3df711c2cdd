#include "mxhold/relay/breaker.h"

#include "unit/base/suite.h"

static const struct config_breaker defaults = {
	.window = 20,
	.max_5xx = 20,
	.any_before_rcpt = true,
	.retry = 600000,
};

#define GOOD(who) ((struct breaker_sample){.sender = (who)})
#define STRONG(who) \
	((struct breaker_sample){.sender = (who), .rcpt = (who), .bad = true})
#define WEAK(who) \
	((struct breaker_sample){.sender = (who), .bad = true, .weak = true})
#define AGAIN(who)                \
	((struct breaker_sample){ \
		.sender = (who), .rcpt = (who), .bad = true, .again = true})

static struct breaker closed(void)
{
	struct breaker b;

	breaker_init(&b);
	return b;
}

/*
 * Results in order: a small letter is a good one of that sender, a capital a
 * 5xx, behind a ~ a weak one; the digit says after how many the breaker is
 * open, 0 = it stays shut.
 */
static const struct share_row {
	const char *results;
	size_t opens_after;
} shares[] = {
	{"A", 0},
	{"AB", 2},
	{"AAAAAAAAAA", 0},            /* one sender, the window is not full */
	{"AAAAAAAAAAAAAAAAAAAA", 20}, /* nothing good in a full window */
	{"aaaaaaaaaaaaaaaaaaaaB", 0},
	{"aaaaaaaaaaBBBBBBBBBB", 0}, /* one spammer among good mail */
	{"aaaaaaaaaaBBBBBBBBBBBBBBBBBB", 0},
	{"ccccccccAB", 0},            /* 2 of 10 = 20 %, not more */
	{"cccccccAB", 9},             /* 2 of 9 */
	{"ccccccccABD", 11},          /* 3 of 11 */
	{"cccccccccccccccccABD", 0},  /* 3 of 20 */
	{"cccccccccccccccABDEF", 19}, /* 4 of 19: 21 % */
	{"ABcccccccccccccccccccc", 2},
	{"AbAbAbAb", 0},
	{"AaBbCc", 3},
	/* a wave of spam: as many senders as messages */
	{"~A~B~D~E~F~G~H~I~J~Kc~L~M~N~O~P~Q~R~S~T~U~V~W", 0},
	{"c~A~B~D~E~F~G~H~I~J~K~L~M~N~O~P~Q~R~S~T~U~V", 21},
	{"~A~B~D~E~F~G~H~I~J~K~L~M~N~O~P~Q~R~S~T~U~V", 20},
	{"~A~A~A~A~A~A~A~A~A~A~A~A~A~A~A~A~A~A~A~A~A", 20},
	{"~A~B~DEF", 5}, /* 2 of 5 are strong */
	{"~A~B~D~E~F~G~H~IJK", 0},
};

/* An operator sees what opened it, not what came since. */
START_TEST(breaker__remembers_the_results_that_opened_it)
{
	struct config_breaker c = defaults;
	struct breaker b = closed();

	ck_assert(!breaker_result(&b, &c, GOOD(1), 0));
	ck_assert(!breaker_result(&b, &c, STRONG(2), 0));
	ck_assert(breaker_result(&b, &c, STRONG(3), 0));
	ck_assert_uint_eq(b.opened_by, 3);
	ck_assert_uint_eq(b.opened_by_bad, 2);
	breaker_try_now(&b);
	breaker_result(&b, &c, STRONG(4), 0);
	ck_assert(breaker_is_open(&b));
	ck_assert_uint_eq(b.opened_by_bad, 2);
}
END_TEST

START_TEST(breaker__opens_by_share_of_failing_senders)
{
	const struct share_row *row = &shares[_i];
	struct breaker b = closed();
	size_t opened = 0, n = 0;

	for (const char *p = row->results; *p && !opened; p++) {
		bool weak = *p == '~';
		char c = *(p += weak);
		struct breaker_sample s = {.sender = (uint64_t)(c | 32),
					   .rcpt = n,
					   .bad = c < 'a',
					   .weak = weak};

		n++;
		if (breaker_result(&b, &defaults, s, 0))
			opened = n;
		ck_assert_int_eq(breaker_is_open(&b), opened > 0);
	}
	ck_assert_uint_eq(opened, row->opens_after);
}
END_TEST

START_TEST(breaker__never_opens_by_share_when_all_may_fail)
{
	struct config_breaker c = defaults;
	struct breaker b = closed();

	c.max_5xx = 100;
	for (uint64_t i = 0; i < 100; i++)
		ck_assert(!breaker_result(&b, &c, STRONG(i), 0));
}
END_TEST

START_TEST(breaker__forgets_what_left_its_window)
{
	struct config_breaker c = defaults;
	struct breaker b = closed();

	c.window = 4;
	breaker_result(&b, &c, STRONG(1), 0);
	for (int i = 0; i < 4; i++)
		breaker_result(&b, &c, GOOD(2), 0);
	c.max_5xx = 30; /* one of four */
	ck_assert(!breaker_result(&b, &c, STRONG(3), 0));
}
END_TEST

START_TEST(breaker__takes_any_length_of_window)
{
	struct config_breaker c = defaults;
	struct breaker b = closed();

	for (uint64_t i = 0; i < 3000; i++) {
		c.window = (uint32_t)(i * 7 % 500);
		breaker_result(&b, &c, i % 50 ? GOOD(i % 50) : STRONG(0), 0);
		ck_assert_uint_le(b.n, BREAKER_WINDOW_MAX);
	}
}
END_TEST

START_TEST(breaker__opens_at_once_by_5xx_before_rcpt)
{
	struct breaker host = closed(), mail = closed();

	ck_assert(breaker_host_refused(&host, &defaults, 0));
	ck_assert(breaker_is_open(&host));
	ck_assert(breaker_mail_refused(&mail, &defaults, 1, 0));
	ck_assert(breaker_is_open(&mail));
}
END_TEST

START_TEST(breaker__takes_5xx_before_rcpt_lightly_when_told_so)
{
	struct config_breaker c = defaults;
	struct breaker b = closed();

	c.any_before_rcpt = false;
	ck_assert(!breaker_host_refused(&b, &c, 0));
	ck_assert(!breaker_mail_refused(&b, &c, 1, 0));
	ck_assert(!breaker_is_open(&b));
}
END_TEST

START_TEST(breaker__tries_again_after_its_time)
{
	struct breaker b = closed();

	breaker_mail_refused(&b, &defaults, 1, 1000);
	ck_assert(!breaker_may_send(&b, 1000));
	ck_assert(!breaker_may_send(&b, 600999));
	ck_assert(breaker_may_send(&b, 601000));
	ck_assert(breaker_is_open(&b));
}
END_TEST

START_TEST(breaker__closes_when_the_try_is_delivered)
{
	struct breaker b = closed();

	breaker_mail_refused(&b, &defaults, 1, 0);
	ck_assert(!breaker_delivered(&b, 2)); /* a straggler while open */
	ck_assert(breaker_may_send(&b, 600000));
	ck_assert(breaker_delivered(&b, 2));
	ck_assert(!breaker_is_open(&b));
	ck_assert(!breaker_delivered(&b, 2));
}
END_TEST

START_TEST(breaker__opens_again_silently_when_the_try_fails)
{
	struct breaker b = closed();

	breaker_host_refused(&b, &defaults, 0);
	ck_assert(breaker_may_send(&b, 600000));
	ck_assert(!breaker_result(&b, &defaults, STRONG(1), 600000));
	ck_assert(!breaker_may_send(&b, 1199999));
	ck_assert(breaker_may_send(&b, 1200000));
}
END_TEST

/* So that honest mail is found behind a wave of spam within its length. */
START_TEST(breaker__goes_on_slowly_when_all_is_refused_weakly)
{
	struct breaker b = closed();
	int64_t at = 0;

	for (uint64_t i = 0; i < 20; i++)
		breaker_result(&b, &defaults, WEAK(i), at);
	ck_assert(breaker_is_open(&b));
	for (uint64_t i = 0; i < 500; i++) {
		ck_assert(!breaker_may_send(&b, at));
		at += 1000;
		ck_assert(breaker_may_send(&b, at));
		breaker_result(&b, &defaults, WEAK(i), at);
		ck_assert(breaker_is_open(&b));
	}
	ck_assert(breaker_may_send(&b, at + 1000));
	ck_assert(breaker_delivered(&b, 1));
	ck_assert(!breaker_is_open(&b));
}
END_TEST

START_TEST(breaker__stops_when_known_recipients_are_refused_too)
{
	struct breaker b = closed();

	for (uint64_t i = 0; i < 20; i++)
		breaker_result(&b, &defaults, WEAK(i), 0);
	ck_assert(breaker_may_send(&b, 1000));
	breaker_result(&b, &defaults, STRONG(1), 1000);
	ck_assert(!breaker_may_send(&b, 600999));
	ck_assert(breaker_may_send(&b, 601000));
	ck_assert_int_eq(b.cause, BREAKER_BY_SHARE);
}
END_TEST

START_TEST(breaker__stays_trying_while_nothing_is_certain)
{
	struct breaker b = closed();

	breaker_host_refused(&b, &defaults, 0);
	ck_assert(breaker_may_send(&b, 600000));
	breaker_result(&b, &defaults, GOOD(1), 600000);
	ck_assert(breaker_is_open(&b));
	ck_assert(breaker_may_send(&b, 600001));
}
END_TEST

START_TEST(breaker__is_not_held_open_by_one_refused_sender)
{
	struct breaker b = closed();

	ck_assert(breaker_mail_refused(&b, &defaults, 1, 0));
	ck_assert(breaker_may_send(&b, 600000));
	ck_assert(breaker_delivered(&b, 2));
	ck_assert(!breaker_mail_refused(&b, &defaults, 1, 600001));
	ck_assert(!breaker_is_open(&b));
	ck_assert(breaker_mail_refused(&b, &defaults, 3, 600002));
}
END_TEST

/* Mail for who is really gone is refused as long as first_5xx lasts. */
START_TEST(breaker__is_not_opened_by_what_was_refused_before)
{
	struct breaker b = closed();

	breaker_delivered(&b, 1);
	for (uint64_t i = 0; i < 100; i++)
		ck_assert(!breaker_result(&b, &defaults, AGAIN(i), 0));
	ck_assert(!breaker_result(&b, &defaults, STRONG(1), 0));
	ck_assert(breaker_result(&b, &defaults, STRONG(2), 0));
	/* nor is that taken for a good try */
	ck_assert(breaker_may_send(&b, 600000));
	breaker_result(&b, &defaults, AGAIN(3), 600000);
	ck_assert(!breaker_may_send(&b, 600001));
}
END_TEST

/* Somebody is really gone, and many write to them. */
START_TEST(breaker__is_not_opened_by_one_recipient_among_good_mail)
{
	struct breaker b = closed();
	struct breaker_sample gone = {.rcpt = 7, .bad = true};

	breaker_result(&b, &defaults, GOOD(1), 0);
	for (gone.sender = 10; gone.sender < 60; gone.sender++) {
		ck_assert(!breaker_result(&b, &defaults, gone, 0));
		breaker_result(&b, &defaults, GOOD(1), 0);
	}
	gone.rcpt = 8;
	ck_assert(breaker_result(&b, &defaults, gone, 0));
}
END_TEST

START_TEST(breaker__is_opened_by_one_recipient_where_nothing_is_good)
{
	struct breaker b = closed();
	struct breaker_sample gone = {.sender = 1, .rcpt = 7, .bad = true};

	ck_assert(!breaker_result(&b, &defaults, gone, 0));
	gone.sender = 2;
	ck_assert(breaker_result(&b, &defaults, gone, 0));
}
END_TEST

static const bool was_away[] = {false, true};

/* Started anew, or back from an outage: it may have lost all its users. */
START_TEST(breaker__believes_all_refusals_of_a_host_that_has_taken_nothing)
{
	struct breaker b = closed();

	if (was_away[_i]) {
		breaker_delivered(&b, 1);
		breaker_host_is_back(&b);
	}
	ck_assert(!breaker_result(&b, &defaults, AGAIN(1), 0));
	ck_assert(breaker_result(&b, &defaults, AGAIN(2), 0));
}
END_TEST

START_TEST(breaker__tries_at_once_when_the_host_is_back)
{
	struct breaker host = closed(), share = closed();

	breaker_host_refused(&host, &defaults, 0);
	breaker_host_is_back(&host);
	ck_assert(breaker_may_send(&host, 1));
	breaker_mail_refused(&share, &defaults, 1, 0);
	breaker_host_is_back(&share);
	ck_assert(!breaker_may_send(&share, 1));
}
END_TEST

START_TEST(breaker__obeys_an_operator)
{
	struct breaker b = closed();

	breaker_force(&b, true);
	ck_assert(!breaker_may_send(&b, INT64_MAX - 1));
	breaker_host_is_back(&b);
	ck_assert(!breaker_may_send(&b, 1));
	breaker_try_now(&b);
	ck_assert(breaker_may_send(&b, 1));
	breaker_force(&b, false);
	ck_assert(!breaker_is_open(&b));
}
END_TEST

START_TEST(breaker__remembers_only_so_many_excused_senders)
{
	struct breaker b = closed();

	for (uint64_t i = 1; i <= 100; i++) {
		int64_t at = (int64_t)i * 2000000;

		ck_assert(breaker_mail_refused(&b, &defaults, i, at));
		ck_assert(breaker_may_send(&b, at + 600000));
		ck_assert(breaker_delivered(&b, 1000));
	}
	ck_assert_uint_eq(b.n_excused, BREAKER_EXCUSED_MAX);
	ck_assert(!breaker_mail_refused(&b, &defaults, 100, 1));
	ck_assert(breaker_mail_refused(&b, &defaults, 1, 1));
}
END_TEST

START_TEST(breaker__names_every_cause)
{
	for (int c = BREAKER_BY_HOST; c <= BREAKER_BY_OPERATOR; c++)
		ck_assert_str_ne(breaker_cause_name((enum breaker_cause)c),
				 "unknown");
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"breaker", TEST(breaker__remembers_the_results_that_opened_it),
		LOOP(breaker__opens_by_share_of_failing_senders, shares),
		TEST(breaker__never_opens_by_share_when_all_may_fail),
		TEST(breaker__forgets_what_left_its_window),
		TEST(breaker__takes_any_length_of_window),
		TEST(breaker__opens_at_once_by_5xx_before_rcpt),
		TEST(breaker__takes_5xx_before_rcpt_lightly_when_told_so),
		TEST(breaker__tries_again_after_its_time),
		TEST(breaker__closes_when_the_try_is_delivered),
		TEST(breaker__opens_again_silently_when_the_try_fails),
		TEST(breaker__goes_on_slowly_when_all_is_refused_weakly),
		TEST(breaker__stops_when_known_recipients_are_refused_too),
		TEST(breaker__stays_trying_while_nothing_is_certain),
		TEST(breaker__is_not_held_open_by_one_refused_sender),
		TEST(breaker__is_not_opened_by_what_was_refused_before),
		TEST(breaker__is_not_opened_by_one_recipient_among_good_mail),
		TEST(breaker__is_opened_by_one_recipient_where_nothing_is_good),
		LOOP(breaker__believes_all_refusals_of_a_host_that_has_taken_nothing,
		     was_away),
		TEST(breaker__tries_at_once_when_the_host_is_back),
		TEST(breaker__obeys_an_operator),
		TEST(breaker__remembers_only_so_many_excused_senders),
		TEST(breaker__names_every_cause));
}
