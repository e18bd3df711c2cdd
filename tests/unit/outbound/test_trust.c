/* What a mode of TLS proves, and what an operator is told where it does not. */
#include "mxhold/outbound/trust.h"

#include <string.h>

#include "unit/base/suite.h"

static const struct {
	enum primary_tls mode;
	bool must;
	const char *proof; /* of a server that passed the mode's check */
} modes[] = {
	{PRIMARY_TLS_MAY, false, "name"},
	{PRIMARY_TLS_OFF, false, "name"},
	{PRIMARY_TLS_REQUIRE, false, "name"},
	{PRIMARY_TLS_VERIFY, true, "name"},
	{PRIMARY_TLS_PIN, true, "pin"},
	{PRIMARY_TLS_DANE, true, "dane"},
};

/* TLS-16 */
START_TEST(trust__names_the_proof_of_each_mode)
{
	struct tls_info good = {.verified = true}, bad = {0};

	ck_assert(trust_must_verify(modes[_i].mode) == modes[_i].must);
	ck_assert_str_eq(trust_proof_name(modes[_i].mode, &good),
			 modes[_i].proof);
	ck_assert_str_eq(trust_proof_name(modes[_i].mode, &bad), "no");
}
END_TEST

/* TLS-22 */
START_TEST(trust__gives_a_stranger_what_its_records_ask)
{
	ck_assert_int_eq(trust_by_dane(DANE_USABLE), PRIMARY_TLS_DANE);
	ck_assert_int_eq(trust_by_dane(DANE_UNUSABLE), PRIMARY_TLS_REQUIRE);
	ck_assert_int_eq(trust_by_dane(DANE_NONE), PRIMARY_TLS_MAY);
}
END_TEST

static const struct {
	enum tls_doubt doubt;
	const char *advice;
} doubts[] = {
	{TLS_DOUBT_NAME, "; give host that name"},
	{TLS_DOUBT_DATE, " (CN=shown); renew it"},
	{TLS_DOUBT_ISSUER, " (CN=shown); name its authority's file in ca"},
	{TLS_DOUBT_PIN, "set pin to it"},
	{TLS_DOUBT_TLSA, "; publish a TLSA record"},
	{TLS_DOUBT_OTHER, "; look at the primary's certificate"},
};

START_TEST(trust__says_what_failed_and_what_to_do)
{
	struct tls_info info = {.doubt = doubts[_i].doubt,
				.problem = "this was wrong",
				.peer_name = "CN=shown"};
	char text[512];

	trust_explain(&info, text, sizeof(text));
	ck_assert_ptr_nonnull(
		strstr(text, "the server is not proved: this was wrong"));
	ck_assert_ptr_nonnull(strstr(text, doubts[_i].advice));
}
END_TEST

/* What a probe keeps of it has 256 octets. */
START_TEST(trust__is_brief)
{
	struct tls_info info = {.doubt = doubts[_i].doubt};
	char text[512];

	trust_explain(&info, text, sizeof(text));
	ck_assert_uint_lt(strlen("tls: ") + strlen(text) +
				  strlen("the key is not the one pinned, but "
					 "sha256:") +
				  64,
			  256);
}
END_TEST

int main(void)
{
	return RUN_TESTS("trust",
			 LOOP(trust__names_the_proof_of_each_mode, modes),
			 TEST(trust__gives_a_stranger_what_its_records_ask),
			 LOOP(trust__says_what_failed_and_what_to_do, doubts),
			 LOOP(trust__is_brief, doubts));
}
