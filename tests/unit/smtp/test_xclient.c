#include "mxhold/smtp/xclient.h"

#include "unit/base/suite.h"

static struct arena arena;

START_TEST(xclient__decodes_what_is_given)
{
	struct smtp_xclient x;

	arena_init(&arena, 4096);
	ck_assert_int_eq(
		smtp_xclient_parse(SLICE("ADDR=IPV6:2001:db8::1 name=a+2Eb "
					 "PORT=4711 PROTO=esmtp HELO=h "
					 "LOGIN=[unavailable] DESTPORT=25"),
				   &arena, &x),
		0);
	ck_assert_slice_eq(x.addr, "2001:db8::1");
	ck_assert_slice_eq(x.name, "a.b");
	ck_assert_slice_eq(x.port, "4711");
	ck_assert_slice_eq(x.proto, "esmtp");
	ck_assert_slice_eq(x.helo, "h");
	ck_assert_uint_eq(x.login.n, 0);
	arena_done(&arena);
}
END_TEST

/* XC-3: what was said to be unknown is not what was not said. */
START_TEST(xclient__tells_unavailable_from_not_given)
{
	struct smtp_xclient x;

	arena_init(&arena, 4096);
	ck_assert_int_eq(smtp_xclient_parse(SLICE("NAME=[UNAVAILABLE] "
						  "HELO=[tempunavail]"),
					    &arena, &x),
			 0);
	ck_assert(x.name.p && x.name.n == 0);
	ck_assert(x.helo.p && x.helo.n == 0);
	ck_assert(!x.addr.p && !x.port.p && !x.proto.p && !x.login.p);
	arena_done(&arena);
}
END_TEST

static const char *const bad[] = {
	"",
	"ADDR",
	"=x",
	"ADDR=",
	"ADDR=localhost",
	"ADDR=IPV6:x",
	"ADDR=192.0.2.1 FOO=x",
	"PORT=65536",
	"PORT=-1",
	"PROTO=HTTP",
	"NAME=a+0A",
	"NAME=a+20b",
	"NAME=a+2",
	"HELO=\xc3\xa9",
};

/* XC-2 */
START_TEST(xclient__refuses_what_is_malformed)
{
	struct smtp_xclient x;

	arena_init(&arena, 4096);
	ck_assert_msg(smtp_xclient_parse(slice_str(bad[_i]), &arena, &x) < 0,
		      "'%s'", bad[_i]);
	arena_done(&arena);
}
END_TEST

int main(void)
{
	return RUN_TESTS("smtp/xclient", TEST(xclient__decodes_what_is_given),
			 TEST(xclient__tells_unavailable_from_not_given),
			 LOOP(xclient__refuses_what_is_malformed, bad));
}
