#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mxhold/control/protocol.h"

static struct buf out;

static void setup(void)
{
	buf_init(&out, 1 << 20);
}

static void teardown(void)
{
	buf_done(&out);
}

static struct slice line(void)
{
	struct slice s = buf_slice(&out);

	ck_assert(s.n > 0 && s.p[s.n - 1] == '\n');
	return slice_head(s, s.n - 1);
}

START_TEST(protocol__a_request_reads_as_it_was_written)
{
	json_t *args = json_pack("{s:s}", "domain",
				 "b\xc3\xbc"
				 "cher.example");
	struct protocol_request r;
	struct error err;

	ck_assert_int_eq(protocol_append_request(&out, "queue list", args), 0);
	ck_assert_int_eq(protocol_parse_request(line(), &r, &err), 0);
	ck_assert_str_eq(r.command, "queue list");
	ck_assert(json_equal(r.args, args));
	protocol_request_done(&r);
	json_decref(args);
}
END_TEST

START_TEST(protocol__lines_are_ascii)
{
	json_t *row = json_pack("{s:s}", "x", "\xe2\x80\xae\n\x1b[2J");

	ck_assert_int_eq(protocol_append_row(&out, row), 0);
	ck_assert(slice_eq(buf_slice(&out),
			   SLICE("{\"row\":{\"x\":\"\\u202E\\n\\u001B[2J\"}}"
				 "\n")));
	json_decref(row);
}
END_TEST

static const char *const bad[] = {
	"",
	"{}",
	"[]",
	"nonsense",
	"{\"v\":2,\"command\":\"x\",\"args\":{}}",
	"{\"v\":1,\"command\":7,\"args\":{}}",
	"{\"v\":1,\"command\":\"x\",\"args\":[]}",
	"{\"v\":1,\"command\":\"x\"}",
	"{\"v\":1,\"command\":\"x\",\"args\":{}} more",
	"{\"v\":1,\"v\":1,\"command\":\"x\",\"args\":{}}",
	"{\"v\":1,\"command\":\"\xff\",\"args\":{}}",
	"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
};

START_TEST(protocol__refuses_what_is_no_request)
{
	struct protocol_request r;
	struct error err = {0};

	ck_assert_int_eq(protocol_parse_request(slice_str(bad[_i]), &r, &err),
			 -1);
	ck_assert_str_ne(err.text, "");
	ck_assert_ptr_null(r.root);
}
END_TEST

START_TEST(protocol__nesting_does_not_eat_the_stack)
{
	size_t n = 200000;
	char *deep = malloc(n);
	struct protocol_request r;
	struct error err = {0};

	memset(deep, '[', n);
	ck_assert_int_eq(protocol_parse_request(slice_make(deep, n), &r, &err),
			 -1);
	free(deep);
}
END_TEST

START_TEST(protocol__an_end_carries_code_and_sentence)
{
	struct protocol_response r;
	struct error err;

	protocol_append_end(&out, EXIT_PARTLY, "some \xff left");
	ck_assert_int_eq(protocol_parse_response(line(), &r, &err), 0);
	ck_assert_int_eq(r.kind, PROTOCOL_END);
	ck_assert_int_eq(r.exit, EXIT_PARTLY);
	ck_assert_str_eq(r.error, "some \\xff left");
	protocol_response_done(&r);
}
END_TEST

START_TEST(protocol__raw_octets_are_hex)
{
	struct protocol_response r;
	struct error err;

	protocol_append_raw(&out, slice_make("\0\r\n\xff", 4));
	ck_assert_int_eq(protocol_parse_response(line(), &r, &err), 0);
	ck_assert_int_eq(r.kind, PROTOCOL_RAW);
	ck_assert(slice_eq(r.hex, SLICE("000d0aff")));
	protocol_response_done(&r);
}
END_TEST

START_TEST(protocol__what_does_not_fit_is_not_begun)
{
	json_t *row = json_pack("{s:s}", "x", "0123456789");
	struct buf small;

	buf_init(&small, 20);
	ck_assert_int_eq(protocol_append_row(&small, row), -1);
	ck_assert_uint_eq(small.n, 0);
	buf_done(&small);
	json_decref(row);
}
END_TEST

START_TEST(protocol__refuses_answers_of_unknown_kinds)
{
	static const char *const rows[] = {
		"{\"other\":1}", "{\"row\":1}", "{\"raw\":{}}",
		"{\"end\":{\"exit\":99,\"error\":\"\"}}",
		"{\"end\":{\"error\":\"\"}}"};
	struct protocol_response r;
	struct error err = {0};

	for (size_t i = 0; i < MX_ARRAY_SIZE(rows); i++)
		ck_assert_int_eq(
			protocol_parse_response(slice_str(rows[i]), &r, &err),
			-1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("protocol");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, protocol__a_request_reads_as_it_was_written);
	tcase_add_test(t, protocol__lines_are_ascii);
	tcase_add_loop_test(t, protocol__refuses_what_is_no_request, 0,
			    MX_ARRAY_SIZE(bad));
	tcase_add_test(t, protocol__nesting_does_not_eat_the_stack);
	tcase_add_test(t, protocol__an_end_carries_code_and_sentence);
	tcase_add_test(t, protocol__raw_octets_are_hex);
	tcase_add_test(t, protocol__what_does_not_fit_is_not_begun);
	tcase_add_test(t, protocol__refuses_answers_of_unknown_kinds);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
