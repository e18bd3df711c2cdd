#include "mxhold/receive/escape.h"

#include <stdio.h>

#include "unit/base/suite.h"

#define MINUTE INT64_C(60000)

static struct escape *e;

static struct inet_addr network(const char *text)
{
	struct inet_addr a;

	ck_assert_int_eq(inet_parse(slice_str(text), &a), 0);
	return inet_client_network(&a);
}

static bool come(const char *client, const char *sender, const char *rcpt,
		 int64_t now_ms)
{
	const struct escape_try t = {.network = network(client),
				     .sender = slice_str(sender),
				     .rcpt = slice_str(rcpt)};

	return escape_count(e, &t, now_ms);
}

static bool again(int64_t now_ms)
{
	return come("192.0.2.1", "a@b.test", "joe@example.com", now_ms);
}

START_TEST(escape__the_third_try_over_ten_minutes_is_let_in)
{
	e = escape_new(10);
	ck_assert(!again(0));
	ck_assert(!again(5 * MINUTE));
	ck_assert(again(10 * MINUTE));
	ck_assert(again(11 * MINUTE)); /* its way is still broken */
	escape_free(e);
}
END_TEST

START_TEST(escape__impatience_does_not_help)
{
	e = escape_new(10);
	for (int i = 0; i < 100; i++)
		ck_assert(!again(i * MINUTE / 100));
	ck_assert(!again(10 * MINUTE - 1));
	ck_assert(again(10 * MINUTE));
	escape_free(e);
}
END_TEST

START_TEST(escape__two_tries_are_not_enough)
{
	e = escape_new(10);
	ck_assert(!again(0));
	ck_assert(!again(60 * MINUTE));
	ck_assert(again(61 * MINUTE));
	escape_free(e);
}
END_TEST

static const struct {
	const char *client, *sender, *rcpt;
	bool is_same;
} others[] = {
	{"192.0.2.1", "a@b.test", "joe@example.com", true},
	{"192.0.2.2", "a@b.test", "joe@example.com", false},
	{"192.0.2.1", "A@b.test", "joe@example.com", false},
	{"192.0.2.1", "a@b.test", "jane@example.com", false},
	{"192.0.2.1", "a@b.testj", "oe@example.com", false},
	{"192.0.2.1", "", "joe@example.com", false},
};

START_TEST(escape__counts_network_sender_and_recipient_together)
{
	e = escape_new(10);
	again(0);
	again(MINUTE);
	ck_assert_int_eq(come(others[_i].client, others[_i].sender,
			      others[_i].rcpt, 20 * MINUTE),
			 others[_i].is_same);
	escape_free(e);
}
END_TEST

START_TEST(escape__a_large_sender_may_change_its_address_within_its_64)
{
	e = escape_new(10);
	come("2001:db8::1", "a@b.test", "joe@example.com", 0);
	come("2001:db8::2", "a@b.test", "joe@example.com", MINUTE);
	ck_assert(come("2001:db8::3", "a@b.test", "joe@example.com",
		       20 * MINUTE));
	escape_free(e);
}
END_TEST

START_TEST(escape__forgets_who_was_silent_for_two_days)
{
	int64_t since_ms;
	const struct escape_try t = {.network = network("192.0.2.1"),
				     .sender = SLICE("a@b.test"),
				     .rcpt = SLICE("joe@example.com")};

	e = escape_new(10);
	again(1);
	again(20 * MINUTE);
	ck_assert_uint_eq(escape_tries(e, &t, 30 * MINUTE, &since_ms), 2);
	ck_assert_int_eq(since_ms, 1);
	ck_assert_uint_eq(escape_tries(e, &t, 3000 * MINUTE, &since_ms), 0);
	ck_assert(!again(3000 * MINUTE));
	ck_assert_uint_eq(escape_size(e), 1);
	escape_free(e);
}
END_TEST

START_TEST(escape__is_bounded_and_the_oldest_goes)
{
	char rcpt[32];

	e = escape_new(3);
	again(0);
	again(1);
	for (int i = 0; i < 2; i++) {
		snprintf(rcpt, sizeof(rcpt), "u%d@example.com", i);
		come("192.0.2.9", "x@y.test", rcpt, 2 + i);
	}
	ck_assert_uint_eq(escape_size(e), 3);
	again(4); /* heard of again: now u0 is the oldest */
	come("192.0.2.9", "x@y.test", "u2@example.com", 5);
	ck_assert_uint_eq(escape_size(e), 3);
	ck_assert(again(20 * MINUTE));
	escape_free(e);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"escape",
		TEST(escape__the_third_try_over_ten_minutes_is_let_in),
		TEST(escape__impatience_does_not_help),
		TEST(escape__two_tries_are_not_enough),
		LOOP(escape__counts_network_sender_and_recipient_together,
		     others),
		TEST(escape__a_large_sender_may_change_its_address_within_its_64),
		TEST(escape__forgets_who_was_silent_for_two_days),
		TEST(escape__is_bounded_and_the_oldest_goes));
}
