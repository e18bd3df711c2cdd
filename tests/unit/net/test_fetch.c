/* What needs no server; the rest is tests/e2e/test_recipients.py. */
#include "mxhold/net/fetch.h"

#include "unit/base/suite.h"

static int on_bytes(void *data, struct slice bytes, struct error *err)
{
	(void)data;
	(void)bytes;
	(void)err;
	ck_abort_msg("there is nothing to be read");
	return -1;
}

static const char *const foreign[] = {
	"http://127.0.0.1/",
	"file:///etc/passwd",
	"ftp://127.0.0.1/",
	"gopher://127.0.0.1/",
	"",
	"https://",
};

START_TEST(fetch__knows_no_other_protocol)
{
	struct fetch_validators v = {.etag = "\"as before\""};
	struct fetch f = {
		.url = foreign[_i],
		.timeout_ms = 10000,
		.connect_timeout_ms = 10000,
		.stall_ms = 10000,
		.max_size = 1000,
		.validators = &v,
		.on_bytes = on_bytes,
	};
	struct error err = {0};

	ck_assert_int_eq(fetch_run(&f, &err), FETCH_FAILED);
	ck_assert_str_ne(err.text, "");
	ck_assert_str_eq(v.etag, "\"as before\"");
}
END_TEST

int main(void)
{
	return RUN_TESTS("fetch",
			 LOOP(fetch__knows_no_other_protocol, foreign));
}
