#include "fixture.h"

static uint64_t a1, a2, b1, held;

static void fill(void)
{
	a1 = put(&(struct put){"one@x.example", "u@a.example", "a.example",
			       NULL, 3600000, false, false});
	a2 = put(&(struct put){"two@x.example", "v@a.example", "a.example",
			       NULL, 120000, false, false});
	b1 = put(&(struct put){"", "w@b.example", "b.example", NULL, 0, false,
			       false});
	held = put(&(struct put){"one@x.example", "u@a.example", "a.example",
				 NULL, 0, true, false});
}

static const char *text_of(const json_t *j, const char *key)
{
	const char *text = json_string_value(json_object_get(j, key));

	ck_assert_msg(text != NULL, "%s is missing", key);
	return text;
}

static json_int_t number_of(const json_t *j, const char *key)
{
	const json_t *v = json_object_get(j, key);

	ck_assert_msg(json_is_integer(v), "%s is missing", key);
	return json_integer_value(v);
}

static char *id_text(uint64_t id)
{
	static char text[ID_TEXT_LEN + 1];

	id_format(id, text);
	return text;
}

static void ask_id(const char *command, uint64_t id)
{
	char args[64];

	snprintf(args, sizeof(args), "{'id':'%s'}", id_text(id));
	ask(command, args);
}

START_TEST(query__list_has_the_fields_of_the_manual)
{
	const json_t *row, *rcpt;

	fill();
	ask("queue list", "{}");
	ck_assert_int_eq(said.exit, EXIT_DONE);
	ck_assert_uint_eq(json_array_size(said.rows), 4);
	row = json_array_get(said.rows, 0);
	ck_assert_str_eq(text_of(row, "id"), id_text(a1));
	ck_assert_str_eq(text_of(row, "state"), "ready");
	ck_assert_str_eq(text_of(row, "domain"), "a.example");
	ck_assert_str_eq(text_of(row, "primary"), "hq");
	ck_assert_str_eq(text_of(row, "sender"), "one@x.example");
	ck_assert_int_eq(number_of(row, "size"), 21);
	ck_assert_str_eq(text_of(row, "arrived_at"), "2026-09-21T13:13:20Z");
	ck_assert_str_eq(text_of(row, "client"), "192.0.2.77");
	ck_assert_str_eq(text_of(row, "helo"), "client.example");
	ck_assert_int_eq(number_of(row, "attempts"), 0);
	ck_assert_str_eq(text_of(row, "reason"), "");
	text_of(row, "next_attempt_at");
	rcpt = json_array_get(json_object_get(row, "recipients"), 0);
	ck_assert_str_eq(text_of(rcpt, "address"), "u@a.example");
	ck_assert_str_eq(text_of(rcpt, "state"), "pending");
	ck_assert_str_eq(text_of(rcpt, "reply"), "");
	row = json_array_get(said.rows, 3);
	ck_assert_str_eq(text_of(row, "state"), "held");
	ck_assert_str_eq(text_of(row, "next_attempt_at"), "");
	ck_assert_str_eq(text_of(row, "reason"), "held by the test");
}
END_TEST

START_TEST(query__an_empty_list_is_no_failure_but_an_empty_choice_is)
{
	ask("queue list", "{}");
	ck_assert_int_eq(said.exit, EXIT_DONE);
	ask("queue list", "{'domain':'a.example'}");
	ck_assert_int_eq(said.exit, EXIT_NO_MATCH);
	ask("queue count", "{'domain':'a.example'}");
	ck_assert_int_eq(said.exit, EXIT_DONE);
	ck_assert_int_eq(number_of(said.result, "messages"), 0);
}
END_TEST

START_TEST(query__limit_and_ids_choose)
{
	char args[128];

	fill();
	ask("queue list", "{'limit':'2'}");
	ck_assert_uint_eq(json_array_size(said.rows), 2);
	snprintf(args, sizeof(args), "{'ids':['%s','0000000000000']}",
		 id_text(b1));
	ask("queue list", args);
	ck_assert_uint_eq(json_array_size(said.rows), 1);
	ck_assert_str_eq(text_of(json_array_get(said.rows, 0), "id"),
			 id_text(b1));
}
END_TEST

START_TEST(query__counters_and_a_look_at_each_agree)
{
	json_int_t counted;

	fill();
	ask("queue count", "{}");
	ck_assert_int_eq(number_of(said.result, "messages"), 4);
	ck_assert_int_eq(number_of(said.result, "bytes"), 84);
	ask("queue count", "{'domain':'a.example'}");
	counted = number_of(said.result, "messages");
	ask("queue count", "{'domain':'a.example','older':'0s'}");
	ck_assert_int_eq(number_of(said.result, "messages"), counted);
	ck_assert_int_eq(counted, 3);
}
END_TEST

START_TEST(query__lists_page_by_page)
{
	for (int i = 0; i < 2 * QUERY_PAGE + 7; i++)
		put(&(struct put){"s@x.example", "u@a.example", "a.example",
				  NULL, 0, false, false});
	ask("queue list", "{}");
	ck_assert_uint_eq(json_array_size(said.rows), 2 * QUERY_PAGE + 7);
	ask("queue list", "{'state':'ready'}");
	ck_assert_uint_eq(json_array_size(said.rows), 2 * QUERY_PAGE + 7);
}
END_TEST

START_TEST(query__ages_sorts_into_buckets)
{
	const json_t *a = NULL;
	size_t i;
	json_t *row;

	fill();
	ask("queue ages", "{}");
	json_array_foreach(said.rows, i, row)
	{
		if (strcmp(text_of(row, "domain"), "a.example") == 0)
			a = row;
	}
	ck_assert_ptr_nonnull(a);
	ck_assert_int_eq(number_of(a, "messages"), 3);
	ck_assert_int_eq(number_of(a, "oldest_age_s"), 3600);
	a = json_object_get(a, "ages");
	ck_assert_int_eq(number_of(json_array_get(a, 0), "messages"), 2);
	ck_assert_int_eq(number_of(json_array_get(a, 3), "messages"), 1);
}
END_TEST

START_TEST(query__shows_a_message_and_its_content)
{
	char content[20000];
	size_t n = 0;
	uint64_t id;

	n += (size_t)sprintf(content, "Subject: y\r\nX: z\r\n\r\n");
	while (n < 19000)
		n += (size_t)sprintf(content + n, "line %zu\r\n", n);
	id = put(&(struct put){"s@x.example", "u@a.example", "a.example",
			       content, 0, false, false});
	ask_id("msg raw", id);
	ck_assert_uint_eq(said.n_raw, n);
	ck_assert_mem_eq(said.raw, content, n);
	ask_id("msg headers", id);
	ck_assert_uint_eq(said.n_raw, strlen("Subject: y\r\nX: z\r\n"));
	ck_assert_mem_eq(said.raw, "Subject: y\r\nX: z\r\n", said.n_raw);
	ask_id("msg show", id);
	ck_assert_str_eq(text_of(said.result, "message_id"),
			 "<m@client.example>");
}
END_TEST

START_TEST(query__a_message_that_is_not_there)
{
	static const char *const commands[] = {"msg show", "msg raw",
					       "msg headers", "msg log"};

	ask(commands[_i], "{'id':'0000000000007'}");
	ck_assert_int_eq(said.exit, EXIT_NO_MATCH);
	ask(commands[_i], "{'id':'nonsense'}");
	ck_assert_int_eq(said.exit, EXIT_USAGE);
	ask(commands[_i], "{}");
	ck_assert_int_eq(said.exit, EXIT_USAGE);
}
END_TEST

START_TEST(query__log_tells_what_became_of_it_in_order)
{
	struct job_change change = {.job = {.kind = JOB_CHANGE},
				    .change = CHANGE_DELETE,
				    .n = 1,
				    .now_ms = T0};

	fill();
	change.ids[0] = a1;
	run_job(&change.job);
	ask_id("msg log", a1);
	ck_assert_uint_eq(json_array_size(said.rows), 2);
	ck_assert_str_eq(text_of(json_array_get(said.rows, 0), "event"),
			 "kept");
	ck_assert_str_eq(text_of(json_array_get(said.rows, 1), "event"),
			 "removed");
}
END_TEST

static size_t traced(const char *what, const char *since)
{
	char args[256];

	snprintf(args, sizeof(args), "{'what':'%s'%s%s%s}", what,
		 since ? ",'since':'" : "", since ? since : "",
		 since ? "'" : "");
	ask("trace", args);
	ck_assert_int_eq(said.exit, json_array_size(said.rows) ? EXIT_DONE
							       : EXIT_NO_MATCH);
	return json_array_size(said.rows);
}

START_TEST(query__trace_finds_by_address_message_id_and_id)
{
	fill();
	ck_assert_uint_eq(traced("One@x.example", NULL), 2);
	ck_assert_uint_eq(traced("v@a.example", NULL), 1);
	ck_assert_uint_eq(traced("@a.example", NULL), 3);
	ck_assert_uint_eq(traced("<>", NULL), 1);
	ck_assert_uint_eq(traced("<m@client.example>", NULL), 4);
	ck_assert_uint_eq(traced("m@client.example", NULL), 4);
	ck_assert_uint_eq(traced("M@client.example", NULL), 0);
	ck_assert_uint_eq(traced(id_text(b1), NULL), 1);
	ck_assert_uint_eq(traced("nobody@a.example", NULL), 0);
	ask("trace", "{'what':''}");
	ck_assert_int_eq(said.exit, EXIT_USAGE);
}
END_TEST

START_TEST(query__trace_is_newest_first_and_ends_at_since)
{
	fill();
	clock_fake(1000, T0 + 7200000);
	put(&(struct put){"one@x.example", "late@a.example", "a.example", NULL,
			  0, false, false});
	ck_assert_uint_eq(traced("one@x.example", NULL), 3);
	ck_assert_str_eq(text_of(json_array_get(said.rows, 0), "recipient"),
			 "late@a.example");
	ck_assert_str_eq(text_of(json_array_get(said.rows, 0), "what"), "kept");
	ck_assert_uint_eq(traced("one@x.example", "1h"), 1);
	ck_assert_uint_eq(traced("one@x.example", "3h"), 3);
	ask("trace", "{'what':'u@a.example','since':'soon'}");
	ck_assert_int_eq(said.exit, EXIT_USAGE);
}
END_TEST

START_TEST(query__trace_goes_through_every_page)
{
	for (int i = 0; i < 450; i++)
		put(&(struct put){i % 100 ? "x@x.example" : "rare@x.example",
				  "u@a.example", "a.example", NULL, 0, false,
				  false});
	ck_assert_uint_eq(traced("rare@x.example", NULL), 5);
	ck_assert_uint_eq(traced("u@a.example", NULL), 450);
}
END_TEST

START_TEST(query__status_of_a_daemon_that_is_gone)
{
	struct peer_record rec = {.state = HEALTH_DOWN,
				  .since_ms = T0 - 5000,
				  .last_probe_ms = T0 - 1000,
				  .last_result = "connection refused"};
	const json_t *p;

	fill();
	ck_assert_int_eq(directory_peer_put(directory, "hq", &rec, NULL), 0);
	ask("status", "{}");
	ck_assert_int_eq(said.exit, EXIT_DONE);
	ck_assert_int_eq(number_of(said.result, "v"), 1);
	ck_assert_int_eq(number_of(said.result, "uptime_s"), 0);
	ck_assert_str_eq(text_of(said.result, "hostname"), "mx2.example.com");
	p = json_object_get(said.result, "queue");
	ck_assert_int_eq(number_of(p, "messages"), 4);
	ck_assert_int_eq(number_of(p, "oldest_age_s"), 3600);
	p = json_array_get(json_object_get(said.result, "primaries"), 0);
	ck_assert_str_eq(text_of(p, "name"), "hq");
	ck_assert_str_eq(text_of(p, "state"), "down");
	ck_assert_str_eq(text_of(p, "since"), "2026-09-21T14:13:15Z");
	ck_assert_int_eq(number_of(p, "queued"), 4);
	ck_assert_str_eq(text_of(json_object_get(p, "last_probe"), "result"),
			 "connection refused");
	p = json_array_get(json_object_get(said.result, "primaries"), 1);
	ck_assert_str_eq(text_of(p, "name"), "mx:c.example");
	ck_assert_str_eq(text_of(p, "state"), "unknown");
	ck_assert_int_eq(number_of(p, "queued"), 0);
}
END_TEST

START_TEST(query__primary_show_names_the_nearest)
{
	ask("primary show", "{'name':'hq'}");
	ck_assert_str_eq(json_string_value(json_array_get(
				 json_object_get(said.result, "hosts"), 0)),
			 "192.0.2.1:25");
	ck_assert_uint_eq(
		json_array_size(json_object_get(said.result, "domains")), 2);
	ask("primary show", "{'name':'hp'}");
	ck_assert_int_eq(said.exit, EXIT_NO_MATCH);
	ck_assert_str_eq(said.error, "there is no primary \"hp\"; did you "
				     "mean \"hq\"?");
}
END_TEST

START_TEST(query__a_choice_shows_count_bytes_and_a_sample)
{
	fill();
	ask("queue delete", "{'domain':'a.example'}");
	ck_assert_int_eq(said.exit, EXIT_DONE);
	ck_assert_int_eq(number_of(said.result, "messages"), 3);
	ck_assert_int_eq(number_of(said.result, "bytes"), 63);
	ck_assert_uint_eq(
		json_array_size(json_object_get(said.result, "sample")), 3);
	ck_assert_str_eq(text_of(said.result, "until"), id_text(held));
}
END_TEST

START_TEST(query__acting_wants_a_choice)
{
	fill();
	ask("queue delete", "{}");
	ck_assert_int_eq(said.exit, EXIT_USAGE);
	ask("queue delete", "{'limit':'1'}");
	ck_assert_int_eq(said.exit, EXIT_USAGE);
	ask("queue delete", "{'all':true}");
	ck_assert_int_eq(said.exit, EXIT_DONE);
	ask("queue delete", "{'from':'nobody@x.example'}");
	ck_assert_int_eq(said.exit, EXIT_NO_MATCH);
}
END_TEST

static size_t pick(const char *command, const char *text,
		   struct query_pick picks[QUERY_PAGE])
{
	struct query_live live = {0};
	json_t *args = args_of(text);
	struct error err = {0};
	enum exit_code exit;
	enum query_more more;
	size_t n = QUERY_PAGE;
	struct query *q =
		query_new(store, config, &live, command, args, &err, &exit);

	ck_assert_msg(q != NULL, "%s", err.text);
	ck_assert_int_eq(query_pick(q, picks, &n, &more), 0);
	query_free(q);
	json_decref(args);
	return n;
}

START_TEST(query__picks_only_what_would_change)
{
	struct query_pick picks[QUERY_PAGE];

	fill();
	ck_assert_uint_eq(pick("queue hold", "{'all':true}", picks), 3);
	ck_assert_uint_eq(pick("queue retry", "{'all':true}", picks), 3);
	ck_assert_uint_eq(pick("queue delete", "{'all':true}", picks), 4);
	ck_assert_uint_eq(pick("queue release", "{'all':true}", picks), 1);
	ck_assert_uint_eq(picks[0].id, held);
	ck_assert_str_eq(picks[0].sender, "one@x.example");
	ck_assert_str_eq(picks[0].to, "u@a.example");
}
END_TEST

START_TEST(query__what_arrived_since_is_left_alone)
{
	struct query_pick picks[QUERY_PAGE];
	char args[64];

	fill();
	snprintf(args, sizeof(args), "{'all':true,'until':'%s'}", id_text(a2));
	ck_assert_uint_eq(pick("queue delete", args, picks), 2);
	ck_assert_uint_eq(picks[1].id, a2);
}
END_TEST

START_TEST(query__knows_its_commands)
{
	ask("queue nonsense", "{}");
	ck_assert_int_eq(said.exit, EXIT_USAGE);
	ck_assert(query_knows("queue list"));
	ck_assert(!query_knows("queue"));
}
END_TEST

START_TEST(query__octets_that_are_no_utf8_are_escaped)
{
	put(&(struct put){"a\xff@x.example", "u@a.example", "a.example", NULL,
			  0, false, false});
	ask("queue list", "{}");
	ck_assert_str_eq(text_of(json_array_get(said.rows, 0), "sender"),
			 "a\\xff@x.example");
}
END_TEST

START_TEST(query__recipients_are_those_of_the_list_in_force)
{
	struct directory_load *l = directory_load_begin(directory, "a.example");
	char entry[64];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(entry, sizeof(entry), "user%04u@a.example", i);
		ck_assert_int_eq(directory_load_add(l, slice_str(entry)), 0);
	}
	directory_load_add(l, SLICE("!never@a.example"));
	ck_assert_int_eq(directory_load_finish(l, T0, NULL), 0);
	ask("recipients list", "{'domain':'A.Example'}");
	ck_assert_int_eq(said.exit, EXIT_DONE);
	ck_assert_uint_eq(json_array_size(said.rows), 1001);
	ck_assert_str_eq(text_of(json_array_get(said.rows, 999), "address"),
			 "user0999@a.example");
	ck_assert_str_eq(text_of(json_array_get(said.rows, 1000), "kind"),
			 "never");
	ask("recipients list", "{'domain':'b.example'}");
	ck_assert_int_eq(said.exit, EXIT_DONE);
	ck_assert_uint_eq(json_array_size(said.rows), 0);
	ask("recipients list", "{'domain':'other.example'}");
	ck_assert_int_eq(said.exit, EXIT_NO_MATCH);
}
END_TEST

START_TEST(query__sources_are_those_of_all_domains_or_one)
{
	ask("recipients sources", "{}");
	ck_assert_uint_eq(json_array_size(said.rows), 3);
	ask("recipients sources", "{'domain':'b.example'}");
	ck_assert_uint_eq(json_array_size(said.rows), 1);
	ck_assert_str_eq(text_of(json_array_get(said.rows, 0), "kind"),
			 "learn");
	ask("recipients diff", "{'domain':'b.example'}");
	ck_assert_int_eq(said.exit, EXIT_FAILED);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("query");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60); /* every message is synced */
	tcase_add_test(t, query__list_has_the_fields_of_the_manual);
	tcase_add_test(
		t, query__an_empty_list_is_no_failure_but_an_empty_choice_is);
	tcase_add_test(t, query__limit_and_ids_choose);
	tcase_add_test(t, query__counters_and_a_look_at_each_agree);
	tcase_add_test(t, query__lists_page_by_page);
	tcase_add_test(t, query__ages_sorts_into_buckets);
	tcase_add_test(t, query__shows_a_message_and_its_content);
	tcase_add_loop_test(t, query__a_message_that_is_not_there, 0, 4);
	tcase_add_test(t, query__log_tells_what_became_of_it_in_order);
	tcase_add_test(t, query__trace_finds_by_address_message_id_and_id);
	tcase_add_test(t, query__trace_is_newest_first_and_ends_at_since);
	tcase_add_test(t, query__trace_goes_through_every_page);
	tcase_add_test(t, query__status_of_a_daemon_that_is_gone);
	tcase_add_test(t, query__primary_show_names_the_nearest);
	tcase_add_test(t, query__a_choice_shows_count_bytes_and_a_sample);
	tcase_add_test(t, query__acting_wants_a_choice);
	tcase_add_test(t, query__picks_only_what_would_change);
	tcase_add_test(t, query__what_arrived_since_is_left_alone);
	tcase_add_test(t, query__knows_its_commands);
	tcase_add_test(t, query__octets_that_are_no_utf8_are_escaped);
	tcase_add_test(t, query__recipients_are_those_of_the_list_in_force);
	tcase_add_test(t, query__sources_are_those_of_all_domains_or_one);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
