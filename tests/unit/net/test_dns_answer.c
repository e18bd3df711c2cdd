/* What libunbound gives, in all its shapes, and what becomes of it. */
#include "dns_answer.h"

#include <unbound.h>

#include "mxhold/base/text.h"
#include "mxhold/net/digest.h"
#include "unit/net/twice.h"

enum {
	MANY = 100
};

static struct dns_answer a;
static char *data[MANY + 1];
static int len[MANY + 1];
static struct ub_result result;

static void give(const char *bytes, size_t n)
{
	size_t i = 0;
	while (data[i])
		i++;
	data[i] = (char *)bytes;
	len[i] = (int)n;
	result.data = data;
	result.len = len;
	result.havedata = 1;
}

static void read_as(enum dns_type type)
{
	result.ttl = 77;
	dns_answer_read(&a, "Asked.Example.", type, 0, &result);
}

START_TEST(answer__holds_addresses)
{
	char text[INET_TEXT_MAX];
	give("\xc0\x00\x02\x01", 4);
	give("\xc0\x00\x02\x02", 4);
	read_as(DNS_A);
	ck_assert_int_eq(a.status, DNS_OK);
	ck_assert_uint_eq(a.n, 2);
	inet_format(&a.records[1].addr, text);
	ck_assert_str_eq(text, "192.0.2.2");
	ck_assert_uint_eq(a.ttl_s, 77);
	ck_assert_str_eq(a.canonical, "asked.example");
	ck_assert(!a.is_cname && !a.secure);
}
END_TEST

START_TEST(answer__holds_ipv6_addresses)
{
	char text[INET_TEXT_MAX];
	give("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	read_as(DNS_AAAA);
	inet_format(&a.records[0].addr, text);
	ck_assert_str_eq(text, "2001:db8::1");
}
END_TEST

/* So that nobody who judges addresses has to know of both forms. */
START_TEST(answer__reads_a_mapped_address_as_what_it_stands_for)
{
	char text[INET_TEXT_MAX];
	give("\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01", 16);
	read_as(DNS_AAAA);
	ck_assert_int_eq(a.records[0].addr.family, 4);
	inet_format(&a.records[0].addr, text);
	ck_assert_str_eq(text, "192.0.2.1");
}
END_TEST

START_TEST(answer__holds_mail_exchangers)
{
	give("\x00\x0a\x03MXZ\x07"
	     "Example\x03"
	     "COM\x00",
	     19);
	read_as(DNS_MX);
	ck_assert_uint_eq(a.records[0].preference, 10);
	ck_assert_str_eq(a.records[0].name, "mxz.example.com");
}
END_TEST

START_TEST(answer__shows_the_null_mx) /* RFC 7505 */
{
	give("\x00\x00\x00", 3);
	read_as(DNS_MX);
	ck_assert_int_eq(a.status, DNS_OK);
	ck_assert_uint_eq(a.records[0].preference, 0);
	ck_assert_str_eq(a.records[0].name, "");
}
END_TEST

START_TEST(answer__joins_the_strings_of_a_text)
{
	give("\x06v=STSv\x00\x08"
	     "1; id=42",
	     17);
	read_as(DNS_TXT);
	ck_assert_str_eq(a.records[0].text, "v=STSv1; id=42");
}
END_TEST

START_TEST(answer__holds_the_alias_itself)
{
	give("\x06Target\x07"
	     "example\x00",
	     16);
	read_as(DNS_CNAME);
	ck_assert_str_eq(a.records[0].name, "target.example");
}
END_TEST

START_TEST(answer__cuts_a_long_text)
{
	char bytes[256 * 4];
	for (int i = 0; i < 4; i++) {
		memset(bytes + 256 * i, 'a' + i, 256);
		bytes[256 * i] = (char)255;
	}
	give(bytes, sizeof(bytes));
	read_as(DNS_TXT);
	ck_assert_uint_eq(strlen(a.records[0].text), 511);
	ck_assert_int_eq(a.records[0].text[510], 'c');
}
END_TEST

START_TEST(answer__holds_digests_of_tlsa)
{
	char bytes[35] = {3, 1, 1, 7};
	give(bytes, sizeof(bytes));
	read_as(DNS_TLSA);
	const struct tlsa *t = &a.records[0].tlsa;
	ck_assert(t->usage == 3 && t->selector == 1 && t->matching == 1);
	ck_assert_uint_eq(t->n, 32);
	ck_assert_uint_eq(t->data[0], 7);
	ck_assert(tlsa_is_usable(t));
}
END_TEST

/* Matching type 0 holds the certificate itself, too long for us. The digest
 * it becomes must not be stronger than those beside it, nor weaker: only the
 * strongest counts (RFC 7671 9). */
START_TEST(answer__turns_a_whole_certificate_into_the_right_digest)
{
	char whole[603] = {3, 0, 0}, digest[67] = {3, 0, (char)(_i + 1)};
	uint8_t want[64];
	memset(whole + 3, 'c', 600);
	give(whole, sizeof(whole));
	give(digest, _i ? 67 : 35);
	read_as(DNS_TLSA);
	const struct tlsa *t = &a.records[0].tlsa;
	if (_i)
		digest_sha512(whole + 3, 600, want);
	else
		digest_sha256(whole + 3, 600, want);
	ck_assert_uint_eq(t->matching, _i + 1);
	ck_assert_uint_eq(t->n, _i ? 64 : 32);
	ck_assert_mem_eq(t->data, want, t->n);
	ck_assert_str_eq(a.records[0].text, "");
	ck_assert(tlsa_is_usable(t));
}
END_TEST

/* A set of usage and selector of their own are no beside. */
START_TEST(answer__makes_a_digest_by_those_of_its_own_kind)
{
	char whole[603] = {3, 0, 0};
	char digest[67] = {_i ? 2 : 3, _i ? 0 : 1, 2};
	give(whole, sizeof(whole));
	give(digest, sizeof(digest));
	read_as(DNS_TLSA);
	ck_assert_uint_eq(a.records[0].tlsa.matching, 1);
	ck_assert_uint_eq(a.records[0].tlsa.n, 32);
}
END_TEST

/* TLS-23: what is too long for a digest stays so. */
START_TEST(answer__cuts_no_digest_to_its_length)
{
	char bytes[3 + 65] = {3, 1, 2};
	give(bytes, sizeof(bytes) - (_i ? 0 : 1));
	read_as(DNS_TLSA);
	ck_assert(tlsa_is_usable(&a.records[0].tlsa) == !_i);
}
END_TEST

/* ---- malformed ---- */

static const struct {
	enum dns_type type;
	const char *bytes;
	size_t n;
} malformed[] = {
	{DNS_A, "\x01\x02\x03", 3},
	{DNS_A, "\x01\x02\x03\x04\x05", 5},
	{DNS_AAAA, "\x01\x02\x03\x04", 4},
	{DNS_MX, "", 0},
	{DNS_MX, "\x00\x0a", 2},
	{DNS_MX, "\x00\x0a\x03mx1", 6},      /* no end */
	{DNS_MX, "\x00\x0a\x09mx1\x00", 7},  /* too long a label */
	{DNS_MX, "\x00\x0a\xc0\x00", 4},     /* a pointer */
	{DNS_MX, "\x00\x0a\x03m.x\x00", 7},  /* a dot within */
	{DNS_MX, "\x00\x0a\x03m x\x00", 7},  /* a blank */
	{DNS_MX, "\x00\x0a\x03m\nx\x00", 7}, /* a line end */
	{DNS_MX, "\x00\x0a\x03m\0x\x00", 7}, /* a NUL */
	{DNS_PTR, "", 0},
	{DNS_TXT, "\x05hell", 5},
	{DNS_TLSA, "\x03\x01\x01", 3},
};

START_TEST(answer__without_a_sound_record_is_a_failure)
{
	give(malformed[_i].bytes, malformed[_i].n);
	read_as(malformed[_i].type);
	ck_assert_int_eq(a.status, DNS_FAIL);
	ck_assert_uint_eq(a.n, 0);
}
END_TEST

START_TEST(answer__leaves_unsound_records_out)
{
	give("\x01\x02\x03", 3);
	give("\xc0\x00\x02\x02", 4);
	read_as(DNS_A);
	ck_assert_int_eq(a.status, DNS_OK);
	ck_assert_uint_eq(a.n, 1);
}
END_TEST

/* The length of a last label behind three of 63, and if that is a name. */
static const struct {
	uint8_t last;
	bool sound;
} lengths[] = {
	{1, true},
	{61, true}, /* 255 octets with the root's */
	{62, false},
	{63, false},
};

START_TEST(answer__refuses_a_name_longer_than_255)
{
	char bytes[2 + 64 * 4 + 1] = {0, 10};
	uint8_t last = lengths[_i].last;
	for (int i = 0; i < 4; i++) {
		bytes[2 + 64 * i] = i < 3 ? 63 : (char)last;
		memset(bytes + 3 + 64 * i, 'a', 63);
	}
	bytes[2 + 64 * 3 + 1 + last] = 0;
	give(bytes, (size_t)(2 + 64 * 3 + 1 + last + 1));
	read_as(DNS_MX);
	ck_assert_int_eq(a.status, lengths[_i].sound ? DNS_OK : DNS_FAIL);
	if (lengths[_i].sound)
		ck_assert_uint_eq(strlen(a.records[0].name), 192u + last);
}
END_TEST

START_TEST(answer__refuses_a_label_longer_than_63)
{
	char bytes[2 + 1 + 64 + 1] = {0, 10};
	bytes[2] = (char)(_i ? 64 : 63);
	memset(bytes + 3, 'a', (size_t)bytes[2]);
	give(bytes, (size_t)(2 + 1 + bytes[2] + 1));
	read_as(DNS_MX);
	ck_assert_int_eq(a.status, _i ? DNS_FAIL : DNS_OK);
}
END_TEST

START_TEST(answer__keeps_the_preferred_of_too_many_exchangers)
{
	static char bytes[MANY][6];
	for (int i = 0; i < MANY; i++) {
		char one[6] = {0, (char)(MANY - i), 2, 'm', 'x', 0};
		memcpy(bytes[i], one, 6);
		give(bytes[i], 6);
	}
	read_as(DNS_MX);
	ck_assert_uint_eq(a.n, DNS_RECORDS_MAX);
	for (size_t i = 0; i < a.n; i++)
		ck_assert_uint_le(a.records[i].preference, DNS_RECORDS_MAX);
}
END_TEST

/* ---- states ---- */

static const struct {
	struct ub_result r;
	int rc;
	enum dns_status status;
	bool secure;
} states[] = {
	{{.nxdomain = 1, .rcode = 3}, 0, DNS_NXDOMAIN, false},
	{{.nxdomain = 1, .rcode = 3, .secure = 1}, 0, DNS_NXDOMAIN, true},
	{{.rcode = 0}, 0, DNS_NODATA, false},
	{{.rcode = 0, .secure = 1}, 0, DNS_NODATA, true},
	{{.rcode = 2}, 0, DNS_FAIL, false},
	{{.rcode = 5}, 0, DNS_FAIL, false},
	{{.rcode = 2, .bogus = 1}, 0, DNS_BOGUS, false},
	{{.nxdomain = 1, .rcode = 3, .bogus = 1}, 0, DNS_BOGUS, false},
	{{.rcode = 0}, UB_SOCKET, DNS_FAIL, false},
};

/* TLS-17 */
START_TEST(answer__tells_the_states_apart)
{
	dns_answer_read(&a, "x.example", DNS_MX, states[_i].rc, &states[_i].r);
	ck_assert_int_eq(a.status, states[_i].status);
	ck_assert(a.secure == states[_i].secure);
	ck_assert_uint_eq(a.n, 0);
	ck_assert_str_eq(a.canonical, "x.example");
}
END_TEST

START_TEST(answer__without_a_result_is_a_failure)
{
	dns_answer_read(&a, "x.example", DNS_MX, 0, NULL);
	ck_assert_int_eq(a.status, DNS_FAIL);
}
END_TEST

START_TEST(answer__knows_where_a_cname_led)
{
	result.canonname = (char *)"Target.Example.";
	give("\xc0\x00\x02\x02", 4);
	read_as(DNS_A);
	ck_assert(a.is_cname);
	ck_assert_str_eq(a.canonical, "target.example");
	result.canonname = (char *)"ASKED.example.";
	read_as(DNS_A);
	ck_assert(!a.is_cname);
	ck_assert_str_eq(a.canonical, "asked.example");
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"dns_answer", TEST(answer__holds_addresses),
		TEST(answer__holds_ipv6_addresses),
		TEST(answer__reads_a_mapped_address_as_what_it_stands_for),
		TEST(answer__holds_mail_exchangers),
		TEST(answer__shows_the_null_mx),
		TEST(answer__joins_the_strings_of_a_text),
		TEST(answer__holds_the_alias_itself),
		TEST(answer__cuts_a_long_text),
		TEST(answer__holds_digests_of_tlsa),
		TWICE(answer__turns_a_whole_certificate_into_the_right_digest),
		TWICE(answer__makes_a_digest_by_those_of_its_own_kind),
		TWICE(answer__cuts_no_digest_to_its_length),
		LOOP(answer__without_a_sound_record_is_a_failure, malformed),
		TEST(answer__leaves_unsound_records_out),
		LOOP(answer__refuses_a_name_longer_than_255, lengths),
		TWICE(answer__refuses_a_label_longer_than_63),
		TEST(answer__keeps_the_preferred_of_too_many_exchangers),
		LOOP(answer__tells_the_states_apart, states),
		TEST(answer__without_a_result_is_a_failure),
		TEST(answer__knows_where_a_cname_led));
}
