#include "mxhold/receive/lacks.h"

#include "rig.h"

static struct rig rig;

static void begin(const char *before, const char *within)
{
	rig_init(&rig);
	rig_configure(&rig, before, within);
}

static struct lacks of(uint32_t ext, uint64_t size)
{
	struct peer_record rec = {.ehlo_ext = ext, .ehlo_size = size};
	struct lacks l;

	lacks_by_record(&rec, rig.config, rig.config->domains[0].primary, &l);
	return l;
}

START_TEST(lacks__nothing_but_binarymime_is_lacking_of_a_stranger)
{
	const struct config_primary *primary;
	struct peer_record rec = {.last_up_ms = 1};
	struct lacks l;

	begin("", "");
	primary = rig.config->domains[0].primary;
	ck_assert(!lacks_by_record(NULL, rig.config, primary, &l));
	ck_assert_uint_eq(l.ext, EXT_BINARYMIME);
	ck_assert_uint_eq(l.size, 0);
	ck_assert(!lacks_by_record(&rec, rig.config, primary, &l));
	ck_assert_uint_eq(l.ext, EXT_BINARYMIME);
	rig_done(&rig);
}
END_TEST

static const struct {
	uint32_t said, missing;
} heard[] = {
	{0, EXT_8BITMIME | EXT_SMTPUTF8 | EXT_DSN | EXT_BINARYMIME |
		    EXT_REQUIRETLS},
	{EXT_8BITMIME | EXT_SMTPUTF8 | EXT_DSN | EXT_REQUIRETLS,
	 EXT_BINARYMIME},
	{EXT_8BITMIME | EXT_SMTPUTF8 | EXT_DSN | EXT_REQUIRETLS |
		 EXT_BINARYMIME,
	 EXT_BINARYMIME},
	{EXT_8BITMIME | EXT_SMTPUTF8 | EXT_DSN | EXT_REQUIRETLS |
		 EXT_BINARYMIME | EXT_CHUNKING,
	 0},
	/* EXT-39: in clear REQUIRETLS is never said */
	{EXT_8BITMIME | EXT_SMTPUTF8 | EXT_DSN | EXT_STARTTLS, EXT_BINARYMIME},
};

START_TEST(lacks__what_was_not_said_in_an_ehlo_that_was_heard)
{
	struct lacks l;

	begin("", "");
	l = of(EXT_HEARD | heard[_i].said, 1000);
	ck_assert_uint_eq(l.ext, heard[_i].missing);
	ck_assert_uint_eq(l.size, 1000);
	rig_done(&rig);
}
END_TEST

static const struct {
	const char *before, *within;
	bool lacks;
} proofs[] = {
	{"primary \"p\" { host = \"mx1.example.com\" tls = \"may\" }",
	 "primary = \"p\"", false},
	{"primary \"p\" { host = \"mx1.example.com\" tls = \"off\" }",
	 "primary = \"p\"", true},
	{"dns { trust_anchor = \"none\" }\n"
	 "primary \"p\" { tls = \"verify\" }",
	 "primary = \"p\"", true},
	{"dns { trust_anchor = \"none\" }\n"
	 "primary \"p\" { host = \"mx1.example.com\" tls = \"verify\" }",
	 "primary = \"p\"", false},
	{"primary \"p\" { tls = \"verify\" }", "primary = \"p\"", false},
};

/* EXT-42: REQUIRETLS is not offered where it could never be met. */
START_TEST(lacks__requiretls_where_nobody_can_be_proved)
{
	struct lacks l;

	begin(proofs[_i].before, proofs[_i].within);
	lacks_by_record(NULL, rig.config, rig.config->domains[0].primary, &l);
	ck_assert_int_eq((l.ext & EXT_REQUIRETLS) != 0, proofs[_i].lacks);
	l = of(EXT_HEARD | EXT_REQUIRETLS, 0);
	ck_assert_int_eq((l.ext & EXT_REQUIRETLS) != 0, proofs[_i].lacks);
	rig_done(&rig);
}
END_TEST

static const struct {
	uint64_t a, b, both;
} sizes[] = {
	{0, 0, 0}, {0, 5, 0}, {5, 0, 0}, {5, 7, 7}, {7, 5, 7},
};

START_TEST(lacks__two_lack_together_what_both_lack)
{
	struct lacks a = {.ext = EXT_DSN | EXT_SMTPUTF8, .size = sizes[_i].a};
	struct lacks b = {.ext = EXT_DSN | EXT_8BITMIME, .size = sizes[_i].b};

	lacks_meet(&a, &b);
	ck_assert_uint_eq(a.ext, EXT_DSN);
	ck_assert_uint_eq(a.size, sizes[_i].both);
}
END_TEST

static const struct {
	uint64_t size, own, most;
} rooms[] = {
	{0, 0, 0},
	{0, 100, 100},
	{100000, 0, 100000 - LACKS_TRACE_MAX},
	{100000, 50, 50},
	{100000, 100000, 100000 - LACKS_TRACE_MAX},
	{1000, 100000, 1}, /* nothing fits beside our trace line */
	{1000, 0, 1},
};

/* EXT-4, EXT-1: with our trace line it must still fit at the primary. */
START_TEST(lacks__content_leaves_room_for_the_trace_line)
{
	struct lacks l = {.size = rooms[_i].size};

	ck_assert_uint_eq(lacks_content_max(&l, rooms[_i].own), rooms[_i].most);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"lacks",
		TEST(lacks__nothing_but_binarymime_is_lacking_of_a_stranger),
		LOOP(lacks__what_was_not_said_in_an_ehlo_that_was_heard, heard),
		LOOP(lacks__requiretls_where_nobody_can_be_proved, proofs),
		LOOP(lacks__two_lack_together_what_both_lack, sizes),
		LOOP(lacks__content_leaves_room_for_the_trace_line, rooms));
}
