#include "mxhold/receive/gate.h"

#include "rig.h"

static struct rig rig;
static struct gate *g;

static void begin(const char *more)
{
	char text[512];

	rig_init(&rig);
	snprintf(text, sizeof(text),
		 "smtp { max_sessions = 4 max_sessions_per_ip = 2 }\n%s", more);
	rig_configure(&rig, text, "");
	g = gate_new(rig.config);
}

static void finish(void)
{
	gate_free(g);
	rig_done(&rig);
}

static struct inet_addr addr(const char *text)
{
	struct inet_addr a;

	ck_assert_int_eq(inet_parse(slice_str(text), &a), 0);
	return a;
}

static enum admission come(const char *text)
{
	struct inet_addr a = addr(text);

	return gate_admit(g, &a, 1000);
}

static void leave(const char *text)
{
	struct inet_addr a = addr(text), network = inet_client_network(&a);

	gate_leave(g, &network);
}

START_TEST(gate__holds_max_sessions_in_all)
{
	begin("");
	for (int i = 1; i <= 4; i++) {
		char text[16];

		snprintf(text, sizeof(text), "192.0.2.%d", i);
		ck_assert_int_eq(come(text), ADMISSION_GRANTED);
	}
	ck_assert_int_eq(come("192.0.2.9"), ADMISSION_FULL);
	leave("192.0.2.1");
	ck_assert_int_eq(come("192.0.2.9"), ADMISSION_GRANTED);
	ck_assert_int_eq(come("192.0.2.10"), ADMISSION_FULL);
	finish();
}
END_TEST

static const struct {
	const char *first, *second, *third;
	enum admission verdict;
} crowds[] = {
	{"192.0.2.1", "192.0.2.1", "192.0.2.1", ADMISSION_CROWDED},
	{"192.0.2.1", "192.0.2.1", "192.0.2.2", ADMISSION_GRANTED},
	{"2001:db8::1", "2001:db8::2", "2001:db8::3", ADMISSION_CROWDED},
	{"2001:db8::1", "2001:db8::2", "2001:db8:0:1::3", ADMISSION_GRANTED},
	{"::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1", ADMISSION_CROWDED},
};

START_TEST(gate__counts_a_client_by_its_network)
{
	begin("");
	ck_assert_int_eq(come(crowds[_i].first), ADMISSION_GRANTED);
	ck_assert_int_eq(come(crowds[_i].second), ADMISSION_GRANTED);
	ck_assert_int_eq(come(crowds[_i].third), crowds[_i].verdict);
	leave(crowds[_i].first);
	ck_assert_int_eq(come(crowds[_i].second), ADMISSION_GRANTED);
	finish();
}
END_TEST

START_TEST(gate__refusals_are_not_counted)
{
	begin("");
	come("192.0.2.1");
	come("192.0.2.1");
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(come("192.0.2.1"), ADMISSION_CROWDED);
	ck_assert_int_eq(come("192.0.2.2"), ADMISSION_GRANTED);
	ck_assert_int_eq(come("192.0.2.2"), ADMISSION_GRANTED);
	ck_assert_int_eq(come("192.0.2.3"), ADMISSION_FULL);
	finish();
}
END_TEST

START_TEST(gate__a_proxy_has_no_limit_of_its_own_but_its_clients_have)
{
	struct inet_addr client = addr("192.0.2.1"), none = {0};

	begin("");
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(gate_admit_proxy(g), ADMISSION_GRANTED);
	ck_assert_int_eq(gate_admit_proxy(g), ADMISSION_FULL);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(gate_admit_behind(g, &client, 1),
				 ADMISSION_GRANTED);
	ck_assert_int_eq(gate_admit_behind(g, &client, 1), ADMISSION_CROWDED);
	gate_leave(g, &none);
	gate_leave(g, &client);
	ck_assert_int_eq(gate_admit_behind(g, &client, 1), ADMISSION_GRANTED);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(gate_admit_proxy(g), ADMISSION_GRANTED);
	ck_assert_int_eq(gate_admit_proxy(g), ADMISSION_FULL);
	finish();
}
END_TEST

START_TEST(gate__keeps_a_penalised_network_out)
{
	struct inet_addr a = addr("192.0.2.1");
	int64_t until;

	begin("policy { unknown_budget = 1 }");
	ck_assert(reputation_unknown(gate_reputation(g), &a, 2, 500, &until));
	ck_assert_int_eq(come("192.0.2.1"), ADMISSION_PENALISED);
	ck_assert_int_eq(come("192.0.2.2"), ADMISSION_GRANTED);
	ck_assert_int_eq(gate_admit(g, &a, until), ADMISSION_GRANTED);
	finish();
}
END_TEST

START_TEST(gate__action_record_keeps_nobody_out)
{
	struct inet_addr a = addr("192.0.2.1");
	int64_t until;

	begin("policy { unknown_budget = 1 action = \"record\" }");
	ck_assert(reputation_unknown(gate_reputation(g), &a, 2, 500, &until));
	ck_assert_int_eq(come("192.0.2.1"), ADMISSION_GRANTED);
	finish();
}
END_TEST

START_TEST(gate__new_limits_hold_from_a_reload_on)
{
	begin("");
	come("192.0.2.1");
	come("192.0.2.1");
	rig_configure(&rig, "smtp { max_sessions_per_ip = 3 }", "");
	gate_configure(g, rig.config);
	ck_assert_int_eq(come("192.0.2.1"), ADMISSION_GRANTED);
	ck_assert_int_eq(come("192.0.2.1"), ADMISSION_CROWDED);
	finish();
}
END_TEST

static const struct {
	enum admission a;
	const char *reply;
} refusals[] = {
	{ADMISSION_FULL, "421 4.3.2 "},
	{ADMISSION_CROWDED, "421 4.7.0 "},
	{ADMISSION_PENALISED, "421 4.7.0 "},
};

START_TEST(gate__refuses_with_421_in_one_line)
{
	const char *said = admission_refusal(refusals[_i].a);
	size_t n = strlen(said);

	ck_assert_int_eq(strncmp(said, refusals[_i].reply, 10), 0);
	ck_assert_ptr_eq(strchr(said, '\r'), said + n - 2);
	ck_assert_ptr_eq(strchr(said, '\n'), said + n - 1);
}
END_TEST

START_TEST(gate__is_pressed_near_the_limit_until_there_is_room_again)
{
	char text[32];

	begin("smtp { max_sessions = 20 max_sessions_per_ip = 20 }");
	for (int i = 0; i < 17; i++)
		come("192.0.2.1");
	ck_assert(!gate_is_pressed(g));
	come("192.0.2.1");
	ck_assert(gate_is_pressed(g)); /* 18 of 20 */
	for (int i = 0; i < 4; i++)
		leave("192.0.2.1");
	ck_assert(gate_is_pressed(g)); /* 14 */
	leave("192.0.2.1");
	ck_assert(!gate_is_pressed(g));
	for (int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "192.0.2.%d", i + 2);
		come(text);
	}
	ck_assert(!gate_is_pressed(g)); /* 17 */
	finish();
}
END_TEST

START_TEST(gate__a_look_counts_nothing)
{
	struct inet_addr a = addr("192.0.2.1");

	begin("");
	for (int i = 0; i < 9; i++)
		ck_assert_int_eq(gate_peek(g, &a, 1000), ADMISSION_GRANTED);
	come("192.0.2.1");
	come("192.0.2.1");
	ck_assert_int_eq(gate_peek(g, &a, 1000), ADMISSION_CROWDED);
	ck_assert_uint_eq(gate_sessions(g), 2);
	finish();
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"gate",
		TEST(gate__is_pressed_near_the_limit_until_there_is_room_again),
		TEST(gate__a_look_counts_nothing),
		TEST(gate__holds_max_sessions_in_all),
		LOOP(gate__counts_a_client_by_its_network, crowds),
		TEST(gate__refusals_are_not_counted),
		TEST(gate__a_proxy_has_no_limit_of_its_own_but_its_clients_have),
		TEST(gate__keeps_a_penalised_network_out),
		TEST(gate__action_record_keeps_nobody_out),
		TEST(gate__new_limits_hold_from_a_reload_on),
		LOOP(gate__refuses_with_421_in_one_line, refusals));
}
