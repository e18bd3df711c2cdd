#include "mxhold/smtp/params.h"

#include "mxhold/base/attr.h"
#include "unit/base/suite.h"

#include <stdio.h>
#include <strings.h>

enum {
	OK = SMTP_PARAMS_OK,
	UNKNOWN = SMTP_PARAMS_UNKNOWN,
	BAD = SMTP_PARAMS_BAD
};

static const struct smtp_params_offer all = {true, true, true,
					     true, true, true};
static const struct smtp_params_offer plain = {
	.esmtp = true, .body = true, .dsn = true};
static const struct smtp_params_offer bare = {.esmtp = true};
static const struct smtp_params_offer helo = {false, true, true,
					      true,  true, true};

static const struct {
	const char *text;
	const struct smtp_params_offer *offer;
	int want;
} mail[] = {
	{"", &helo, OK},
	{" SIZE=1", &helo, UNKNOWN},
	{" SIZE=1", &plain, OK},
	{" SIZE=1", &bare, OK},
	{" BODY=7BIT", &bare, UNKNOWN},
	{" BODY=8BITMIME", &bare, UNKNOWN},
	{" RET=FULL", &bare, UNKNOWN},
	{" ENVID=x", &bare, UNKNOWN},
	{"  SIZE=1   BODY=7BIT ", &plain, OK},
	{" SIZE=12345678901234567890", &plain, OK},
	{" SIZE=123456789012345678901", &plain, BAD},
	{" SIZE=1a", &plain, BAD},
	{" SIZE", &plain, BAD},
	{" size=1 SIZE=1", &plain, BAD},
	{" BODY=BINARYMIME", &plain, UNKNOWN},
	{" BODY=BINARYMIME", &all, OK},
	{" BODY=x", &all, BAD},
	{" SMTPUTF8", &plain, UNKNOWN},
	{" SMTPUTF8", &all, OK},
	{" SMTPUTF8=", &all, BAD},
	{" REQUIRETLS", &plain, UNKNOWN},
	{" REQUIRETLS=x", &all, BAD},
	{" RET=full", &plain, OK},
	{" RET=", &plain, BAD},
	{" ENVID=a+20b", &plain, OK},
	{" ENVID=a+0A", &plain, BAD},
	{" AUTH=<>", &all, UNKNOWN},
	{" HOLDFOR=5", &all, UNKNOWN},
	{" =x", &all, BAD},
	{" SI_ZE=1", &all, BAD},
	{" SIZE=1\t", &all, BAD},
};

/* EXT-48, ADR-15 */
START_TEST(params__of_mail)
{
	struct smtp_mail_params p;

	ck_assert_msg((int)smtp_params_mail(slice_str(mail[_i].text),
					    mail[_i].offer,
					    &p) == mail[_i].want,
		      "'%s'", mail[_i].text);
}
END_TEST

START_TEST(params__of_mail_are_kept_verbatim)
{
	struct smtp_mail_params p;

	ck_assert_int_eq(
		smtp_params_mail(SLICE(" SIZE=99999999999999999999 RET=HDRS "
				       "ENVID=Q+2B BODY=8bitMIME SMTPUTF8"),
				 &all, &p),
		SMTP_PARAMS_OK);
	ck_assert(p.has_size && p.size == UINT64_MAX);
	ck_assert_int_eq(p.ret, DSN_RET_HDRS);
	ck_assert_slice_eq(p.envid, "Q+2B");
	ck_assert_int_eq(p.body, BODY_8BITMIME);
	ck_assert(p.smtputf8 && !p.requiretls);
}
END_TEST

static const struct {
	const char *text;
	const struct smtp_params_offer *offer;
	int want;
} rcpt[] = {
	{"", &helo, OK},
	{" NOTIFY=NEVER", &helo, UNKNOWN},
	{" NOTIFY=NEVER", &plain, OK},
	{" NOTIFY=never,success", &plain, BAD},
	{" NOTIFY=SUCCESS,FAILURE,DELAY", &plain, OK},
	{" NOTIFY=SUCCESS,FAILURE,SUCCESS", &plain, BAD},
	{" NOTIFY=", &plain, BAD},
	{" NOTIFY=,", &plain, BAD},
	{" NOTIFY", &plain, BAD},
	{" ORCPT=rfc822;a@b", &plain, OK},
	{" ORCPT=x400;+2Fx", &plain, OK},
	{" ORCPT=rfc822;a=b", &plain, BAD},
	{" ORCPT=rfc822;a+3Db", &plain, OK},
	{" ORCPT=rfc822;a+3db", &plain, BAD},
	{" ORCPT=rfc822;a+0Ab", &plain, BAD},
	{" ORCPT=rfc822;", &plain, BAD},
	{" ORCPT=a@b", &plain, BAD},
	{" ORCPT=utf-8;\\x{E9}@b", &plain, OK},
	{" ORCPT=utf-8;\xc3\xa9@b", &plain, BAD},
	{" ORCPT=utf-8;\xc3\xa9@b", &all, OK},
	{" ORCPT=utf-8;\xc3@b", &all, BAD},
	{" ORCPT=rfc822;\xc3\xa9@b", &all, BAD},
	{" SIZE=1", &all, UNKNOWN},
};

START_TEST(params__of_rcpt)
{
	struct smtp_rcpt_params p;

	ck_assert_msg((int)smtp_params_rcpt(slice_str(rcpt[_i].text),
					    rcpt[_i].offer,
					    &p) == rcpt[_i].want,
		      "'%s'", rcpt[_i].text);
}
END_TEST

START_TEST(params__of_rcpt_are_kept_verbatim)
{
	struct smtp_rcpt_params p;

	ck_assert_int_eq(smtp_params_rcpt(SLICE(" ORCPT=RFC822;A+2Bb@C "
						"NOTIFY=delay,SUCCESS"),
					  &plain, &p),
			 SMTP_PARAMS_OK);
	ck_assert_slice_eq(p.orcpt, "RFC822;A+2Bb@C");
	ck_assert_int_eq(p.notify, DSN_NOTIFY_DELAY | DSN_NOTIFY_SUCCESS);
}
END_TEST

/* One of each kind, MAIL's and RCPT's, some good and some not. */
static const char *const each[] = {
	"SIZE=7",
	"BODY=8BITMIME",
	"SMTPUTF8",
	"REQUIRETLS",
	"RET=HDRS",
	"ENVID=x",
	"NOTIFY=NEVER",
	"ORCPT=rfc822;a@b",
	"SIZE=x",
	"BODY=BINARYMIME",
	"SMTPUTF8=1",
	"REQUIRETLS=1",
	"RET=NO",
	"ENVID=+",
	"NOTIFY=NEVER,DELAY",
	"ORCPT=a@b",
	"AUTH=<>",
	"BY=1;R",
	"MT-PRIORITY=3",
	"X=1",
	"SIZE=7=7",
	"=",
	"a",
};

static bool is_same_keyword(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return n == strcspn(b, "=") && strncasecmp(a, b, n) == 0;
}

static int of_mail(const char *text)
{
	struct smtp_mail_params p;

	return (int)smtp_params_mail(slice_str(text), &all, &p);
}

static int of_rcpt(const char *text)
{
	struct smtp_rcpt_params p;

	return (int)smtp_params_rcpt(slice_str(text), &all, &p);
}

/* Of two the first that is wrong decides, and none may come twice. */
static void check_pair(int (*of)(const char *text), const char *a,
		       const char *b)
{
	char one[64], other[64], both[128];
	int want;

	snprintf(one, sizeof(one), " %s", a);
	snprintf(other, sizeof(other), " %s", b);
	snprintf(both, sizeof(both), " %s %s", a, b);
	want = of(one);
	if (want == OK)
		want = is_same_keyword(a, b) ? BAD : of(other);
	ck_assert_msg(of(both) == want, "'%s': %d", both, of(both));
}

/* REP-5, REP-6 */
START_TEST(params__in_all_pairs)
{
	for (size_t i = 0; i < MX_ARRAY_SIZE(each); i++) {
		check_pair(of_mail, each[_i], each[i]);
		check_pair(of_rcpt, each[_i], each[i]);
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS("smtp/params", LOOP(params__of_mail, mail),
			 TEST(params__of_mail_are_kept_verbatim),
			 LOOP(params__of_rcpt, rcpt),
			 TEST(params__of_rcpt_are_kept_verbatim),
			 LOOP(params__in_all_pairs, each));
}
