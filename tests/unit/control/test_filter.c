#include <check.h>
#include <string.h>

#include "mxhold/control/filter.h"

#define NOW 10000000

static json_t *args_of(const char *text)
{
	char json[512];

	snprintf(json, sizeof(json), "%s", text);
	for (char *p = json; *p; p++)
		if (*p == '\'')
			*p = '"';
	return json_loads(json, 0, NULL);
}

static const struct {
	const char *args, *want;
} bad[] = {
	{"{'older':'soon'}", "--older: \"soon\" is no duration"},
	{"{'newer':'-1'}", "--newer: \"-1\" is no duration"},
	{"{'size':'+big'}", "--size: \"+big\" is no size, such as +1M or -64K"},
	{"{'client':'x'}",
	 "--client: \"x\" is no network, such as 192.0.2.0/24"},
	{"{'state':'ready,lost'}",
	 "--state: \"lost\" is not one of ready, retry, held, quarantine"},
	{"{'limit':'0'}", "--limit: \"0\" is no number"},
	{"{'ids':['!']}", "\"!\" is no queue id"},
	{"{'ids':[7]}", "\"?\" is no queue id"},
	{"{'domain':7}", "domain is no string"},
	{"{'domain':'..'}", "--domain: \"..\" is no domain"},
};

START_TEST(filter__says_which_option_is_wrong)
{
	json_t *args = args_of(bad[_i].args);
	struct error err = {0};
	struct filter f;

	ck_assert_int_eq(filter_parse(&f, args, &err), -1);
	ck_assert_str_eq(err.text, bad[_i].want);
	filter_done(&f);
	json_decref(args);
}
END_TEST

static const struct {
	const char *args;
	bool want;
} rows[] = {
	{"{}", true},
	{"{'all':true}", true},
	{"{'domain':'A.example'}", true},
	{"{'domain':'c.example'}", false},
	{"{'from':'one@Client.example'}", true},
	{"{'from':'@client.example'}", true},
	{"{'from':'client.example'}", true},
	{"{'from':'lient.example'}", false},
	{"{'from':'<>'}", false},
	{"{'to':'v@b.example'}", true},
	{"{'to':'w@b.example'}", false},
	{"{'client':'192.0.2.0/24'}", true},
	{"{'client':'192.0.3.0/24'}", false},
	{"{'older':'100s'}", true},
	{"{'older':'101s'}", false},
	{"{'newer':'100s'}", true},
	{"{'newer':'99s'}", false},
	{"{'size':'+5000'}", true},
	{"{'size':'5001'}", false},
	{"{'size':'-5000'}", true},
	{"{'size':'-4999'}", false},
	{"{'state':'retry'}", true},
	{"{'state':'held,retry'}", true},
	{"{'state':'held'}", false},
	{"{'reason':'MAILBOX'}", true},
	{"{'reason':'greylisted'}", true},
	{"{'reason':'other'}", false},
	{"{'domain':'a.example','state':'held'}", false},
};

START_TEST(filter__matches)
{
	struct queue_rcpt rcpts[2] = {
		{.rcpt = {.address = SLICE("u@a.example"),
			  .domain = SLICE("a.example")},
		 .reply = SLICE("450 4.2.0 greylisted")},
		{.rcpt = {.address = SLICE("v@b.example"),
			  .domain = SLICE("b.example")}},
	};
	struct queue_message m = {
		.state = QUEUE_RETRY,
		.size = 5000,
		.reason = SLICE("450 mailbox busy"),
		.rcpts = rcpts,
		.n_rcpts = 2,
		.env = {.sender = SLICE("one@client.example"),
			.arrived_at_ms = NOW - 100000},
	};
	json_t *args = args_of(rows[_i].args);
	struct error err = {0};
	struct filter f;

	inet_parse(SLICE("192.0.2.7"), &m.env.client.addr);
	ck_assert_msg(filter_parse(&f, args, &err) == 0, "%s", err.text);
	ck_assert_int_eq(filter_matches(&f, &m, NOW), rows[_i].want);
	filter_done(&f);
	json_decref(args);
}
END_TEST

START_TEST(filter__the_null_sender_is_found)
{
	json_t *args = args_of("{'from':'<>'}");
	struct queue_message m = {.env = {.sender = {0}}};
	struct error err = {0};
	struct filter f;

	ck_assert_int_eq(filter_parse(&f, args, &err), 0);
	ck_assert(filter_matches(&f, &m, NOW));
	filter_done(&f);
	json_decref(args);
}
END_TEST

START_TEST(filter__ids_are_sorted_and_told_apart)
{
	json_t *args = args_of(
		"{'ids':['0000000000003','0000000000001','0000000000003']}");
	struct error err = {0};
	struct filter f;

	ck_assert_int_eq(filter_parse(&f, args, &err), 0);
	ck_assert_uint_eq(f.n_ids, 2);
	ck_assert_uint_eq(f.ids[0], 1);
	ck_assert_uint_eq(f.ids[1], 3);
	ck_assert(filter_chooses(&f));
	ck_assert(!filter_is_counted(&f));
	filter_done(&f);
	json_decref(args);
}
END_TEST

START_TEST(filter__a_limit_alone_chooses_nothing)
{
	json_t *args = args_of("{'limit':'3'}");
	struct error err = {0};
	struct filter f;

	ck_assert_int_eq(filter_parse(&f, args, &err), 0);
	ck_assert(!filter_chooses(&f));
	ck_assert(!filter_is_counted(&f));
	filter_done(&f);
	json_decref(args);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("filter");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, filter__says_which_option_is_wrong, 0,
			    MX_ARRAY_SIZE(bad));
	tcase_add_loop_test(t, filter__matches, 0, MX_ARRAY_SIZE(rows));
	tcase_add_test(t, filter__the_null_sender_is_found);
	tcase_add_test(t, filter__ids_are_sorted_and_told_apart);
	tcase_add_test(t, filter__a_limit_alone_chooses_nothing);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
