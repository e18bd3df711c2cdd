#include "mxhold/receive/client_facts.h"

#include <stdio.h>

#include "unit/base/suite.h"

static char one[] = "one.test", two[] = "two.test", friends[] = "friends.test";
static struct config_dnsbl lists[] = {{one, 1}, {two, 2}, {friends, -5}};
static struct config_policy policy;
static struct client_facts facts;
static struct client_objection o;

static void begin(const char *listed)
{
	char text[128], *zone, *rest = text;

	policy = (struct config_policy){
		.dnsbl = lists, .n_dnsbl = 3, .dnsbl_threshold = 3};
	facts = (struct client_facts){.is_judged = true};
	snprintf(text, sizeof(text), "%s", listed);
	while ((zone = strtok_r(rest, " ", &rest)))
		client_facts_add_list(&facts, zone);
}

static bool object(void)
{
	static const struct inet_addr a = {.family = 4,
					   .bytes = {11, 22, 33, 44}};

	return client_object(&facts, &a, &policy, &o);
}

static const struct {
	const char *listed;
	int score;
	bool is_bad;
} scores[] = {
	{"", 0, false},
	{"two.test", 2, false},
	{"one.test two.test", 3, true},
	{"two.test one.test unknown.test", 3, true},
	{"one.test two.test friends.test", -2, false},
	{"ONE.TEST Two.Test", 3, true},
	{"ne.test one.tes xone.test two.test.x", 0, false},
};

START_TEST(client__the_weights_of_lists_are_summed_up)
{
	begin(scores[_i].listed);
	ck_assert_int_eq(client_score(&facts, &policy), scores[_i].score);
	ck_assert_int_eq(object(), scores[_i].is_bad);
	if (scores[_i].is_bad) {
		ck_assert_int_eq(o.kind, RCPT_REFUSED_DNSBL);
		ck_assert_str_eq(o.text, "[11.22.33.44] is listed by one.test, "
					 "two.test");
	}
	client_facts_done(&facts);
}
END_TEST

START_TEST(client__who_is_not_judged_is_never_objected_to)
{
	begin("one.test two.test");
	facts.is_judged = false;
	facts.fcrdns = FCRDNS_NONE;
	policy.require_fcrdns = true;
	ck_assert(!object());
	client_facts_done(&facts);
}
END_TEST

static const struct {
	enum fcrdns fcrdns;
	bool is_bad;
} reverses[] = {
	{FCRDNS_NOT_ASKED, false},
	{FCRDNS_TROUBLE, false}, /* our trouble is not the client's */
	{FCRDNS_NONE, true},
	{FCRDNS_CONFIRMED, false},
};

START_TEST(client__a_missing_reverse_name_counts_where_it_is_wanted)
{
	begin("");
	facts.fcrdns = reverses[_i].fcrdns;
	ck_assert(!object());
	policy.require_fcrdns = true;
	ck_assert_int_eq(object(), reverses[_i].is_bad);
	if (reverses[_i].is_bad)
		ck_assert_int_eq(o.kind, RCPT_REFUSED_FCRDNS);
}
END_TEST

static const struct {
	enum rcpt_refusal kind;
	enum policy_action action;
	const char *reply;
} replies[] = {
	{RCPT_REFUSED_DNSBL, POLICY_DEFER, "450 4.7.1 why"},
	{RCPT_REFUSED_DNSBL, POLICY_REJECT, "550 5.7.1 why"},
	{RCPT_REFUSED_FCRDNS, POLICY_DEFER, "450 4.7.1 why"},
	{RCPT_REFUSED_FCRDNS, POLICY_REJECT, "550 5.7.25 why"},
};

/* REP-12, REP-23 */
START_TEST(client__is_told_why)
{
	struct client_objection why = {.kind = replies[_i].kind, .text = "why"};
	struct smtp_reply reply;
	char text[128];

	client_refusal(&why, replies[_i].action, &reply);
	smtp_reply_format(&reply, text, sizeof(text));
	ck_assert_str_eq(text, replies[_i].reply);
}
END_TEST

START_TEST(client__many_lists_are_named_as_far_as_there_is_room)
{
	static struct config_dnsbl many[40];
	static char names[40][32];

	begin("");
	for (int i = 0; i < 40; i++) {
		snprintf(names[i], sizeof(names[i]), "list-%02d.example.test",
			 i);
		many[i] = (struct config_dnsbl){names[i], 1};
		client_facts_add_list(&facts, names[i]);
	}
	policy.dnsbl = many;
	policy.n_dnsbl = 40;
	ck_assert(object());
	ck_assert_int_eq(o.score, 40);
	ck_assert_uint_lt(strlen(o.text), sizeof(o.text));
	ck_assert_str_eq(o.text + strlen(o.text) - 13, ".example.test");
	client_facts_done(&facts);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"client_facts",
		LOOP(client__the_weights_of_lists_are_summed_up, scores),
		TEST(client__who_is_not_judged_is_never_objected_to),
		LOOP(client__a_missing_reverse_name_counts_where_it_is_wanted,
		     reverses),
		LOOP(client__is_told_why, replies),
		TEST(client__many_lists_are_named_as_far_as_there_is_room));
}
