#include "mxhold/receive/policy.h"

#include "rig.h"

static struct rig rig;

static void begin(const char *before, const char *within)
{
	rig_init(&rig);
	rig_configure(&rig, before, within);
}

static void parse(const char *path, struct address *a)
{
	size_t used;

	ck_assert_msg(address_parse_path(slice_str(path), a, &used) ==
			      ADDRESS_OK,
		      "%s", path);
}

static bool prepare(const char *path, struct policy_rcpt *p)
{
	struct address a;

	parse(path, &a);
	return policy_rcpt_prepare(p, rig.config, &a);
}

/* ADR-1..12, RX-18: whatever is taken leaves for a domain of ours. */
static const char *const relays[] = {
	"<u%out.test@example.com>",
	"<out.test!u@example.com>",
	"<@example.com:u@out.test>",
	"<@out.test,@example.com:u@out.test>",
	"<\"u@out.test\"@example.com>",
	"<\"u%out.test\"@example.com>",
	"<\"u%out.test\">",
	"<u%out.test>",
	"<out.test!u>",
	"<u@out.test@example.com>",
	"<u@[127.0.0.1]>",
	"<u@[192.0.2.1]>",
	"<u@[IPv6:::1]>",
	"<u@[IPv6:2001:db8::1]>",
	"<u@[x-tag:example.com]>",
	"<u@example.com.>",
	"<u@out.test.>",
	"<>",
	"<u>",
	"<u@>",
	"<@example.com>",
	"< u@out.test>",
	"<u@out.test >",
	"<u@\tout.test>",
	"<u@localhost>",
	"<u@example>",
	"<u@com>",
	"<u@sub.example.com>",
	"<u@xexample.com>",
	"<u@example.com.out.test>",
	"<u@EXAMPLE.COM.out.test>",
	"<u@out.test,joe@example.com>",
	"<postmaster@out.test>",
	"<postmaster@[192.0.2.1]>",
	"<postmaster@sub.example.com>",
};

/* ADR-12 */
START_TEST(policy__no_spelling_leaves_for_a_domain_that_is_not_ours)
{
	struct address a, sent;
	struct policy_rcpt p;
	size_t used;

	begin("", "");
	if (address_parse_path(slice_str(relays[_i]), &a, &used) ==
	    ADDRESS_OK) {
		if (policy_rcpt_prepare(&p, rig.config, &a))
			ck_assert_msg(p.verdict == POLICY_REJECTED, "%s",
				      relays[_i]);
		if (p.verdict == POLICY_ACCEPTED) { /* so far */
			ck_assert_int_eq(address_parse(slice_str(p.address),
						       false, &sent),
					 ADDRESS_OK);
			ck_assert_msg(slice_eq_nocase(sent.domain,
						      SLICE("example.com")),
				      "%s -> %s", relays[_i], p.address);
			ck_assert_str_eq(p.domain->name, "example.com");
		}
	}
	rig_done(&rig);
}
END_TEST

static const struct {
	const char *path;
	int code;
	const char *enhanced;
	enum rcpt_refusal refusal;
} refused[] = {
	{"<u@out.test>", 550, "5.7.1", RCPT_REFUSED_RELAY},
	{"<u@sub.example.com>", 550, "5.7.1", RCPT_REFUSED_RELAY},
	{"<u@[192.0.2.1]>", 550, "5.7.1", RCPT_REFUSED_RELAY},
	{"<@example.com:u@out.test>", 550, "5.7.1", RCPT_REFUSED_RELAY},
};

/* REP-10 */
START_TEST(policy__denies_relaying)
{
	struct policy_rcpt p;

	begin("", "");
	ck_assert(prepare(refused[_i].path, &p));
	ck_assert_int_eq(p.verdict, POLICY_REJECTED);
	ck_assert_int_eq(p.reply.code, refused[_i].code);
	ck_assert_str_eq(p.reply.enhanced, refused[_i].enhanced);
	ck_assert_int_eq(p.refusal, refused[_i].refusal);
	rig_done(&rig);
}
END_TEST

/* RX-19 */
static const struct {
	const char *path, *address, *domain;
} postmasters[] = {
	{"<postmaster>", "postmaster@example.com", "example.com"},
	{"<PostMaster>", "postmaster@example.com", "example.com"},
	{"<postmaster@example.com>", "postmaster@example.com", "example.com"},
	{"<POSTMASTER@EXAMPLE.COM>", "POSTMASTER@EXAMPLE.COM", "example.com"},
	{"<\"postmaster\"@example.com>", "\"postmaster\"@example.com",
	 "example.com"},
	{"<PostMaster@second.test>", "PostMaster@second.test", "second.test"},
};

START_TEST(policy__takes_postmaster_without_asking_the_list)
{
	struct policy_rcpt p;

	begin("", "recipients = learn }\n"
		  "domain \"second.test\" { primary = \"192.0.2.2\"\n"
		  "recipients = learn");
	ck_assert(prepare(postmasters[_i].path, &p));
	ck_assert_int_eq(p.verdict, POLICY_ACCEPTED);
	ck_assert_str_eq(p.address, postmasters[_i].address);
	ck_assert_str_eq(p.domain->name, postmasters[_i].domain);
	rig_done(&rig);
}
END_TEST

START_TEST(policy__bare_postmaster_goes_where_the_operator_says)
{
	struct policy_rcpt p;

	begin("postmaster = \"admin@example.com\"", "");
	ck_assert(prepare("<postmaster>", &p));
	ck_assert_str_eq(p.address, "admin@example.com");
	ck_assert(prepare("<Admin@example.com>", &p));
	ck_assert_int_eq(p.verdict, POLICY_ACCEPTED);
	rig_done(&rig);
}
END_TEST

/* ADR-5, ADR-6, ADR-7 */
static const struct {
	const char *path, *address, *canonical, *base;
} keys[] = {
	{"<Joe@example.com>", "Joe@example.com", "joe@example.com",
	 "joe@example.com"},
	{"<\"joe\"@EXAMPLE.com>", "\"joe\"@EXAMPLE.com", "joe@example.com",
	 "joe@example.com"},
	{"<joe+x+y@example.com>", "joe+x+y@example.com", "joe+x+y@example.com",
	 "joe@example.com"},
	{"<@a.test:joe@example.com>", "joe@example.com", "joe@example.com",
	 "joe@example.com"},
	{"<u%out.test@example.com>", "u%out.test@example.com",
	 "u%out.test@example.com", "u%out.test@example.com"},
};

START_TEST(policy__looks_up_the_canonical_form_and_sends_what_was_said)
{
	struct policy_rcpt p;

	begin("", "");
	ck_assert(!prepare(keys[_i].path, &p));
	ck_assert_str_eq(p.address, keys[_i].address);
	ck_assert_str_eq(p.canonical, keys[_i].canonical);
	ck_assert_str_eq(p.base, keys[_i].base);
	rig_done(&rig);
}
END_TEST

static const struct {
	const char *within; /* # stands for the list */
	enum listed listed;
	enum policy_verdict verdict;
	int code;
	const char *enhanced;
} decisions[] = {
	{"", LISTED_YES, POLICY_ACCEPTED, 250, "2.1.5"},
	{"", LISTED_CATCHALL, POLICY_ACCEPTED, 250, "2.1.5"},
	{"", LISTED_NO, POLICY_REJECTED, 550, "5.1.1"},
	{"", LISTED_NEVER, POLICY_REJECTED, 550, "5.1.1"},
	{"", LISTED_ERROR, POLICY_DEFERRED, 451, "4.4.3"},
	{"", LISTED_NO_LIST, POLICY_DEFERRED, 451, "4.4.3"},
	{"unknown_down = \"reject\"", LISTED_NO_LIST, POLICY_DEFERRED, 451,
	 "4.4.3"},
	{"unknown_down = \"defer\"", LISTED_NO, POLICY_DEFERRED, 451, "4.4.3"},
	{"unknown_down = \"accept\"", LISTED_NO, POLICY_ACCEPTED, 250, "2.1.5"},
	{"unknown_down = \"accept\"", LISTED_NEVER, POLICY_REJECTED, 550,
	 "5.1.1"},
	{"unknown_down = \"accept\"", LISTED_ERROR, POLICY_DEFERRED, 451,
	 "4.4.3"},
	{"recipients = \"learn\"", LISTED_NO_LIST, POLICY_DEFERRED, 451,
	 "4.4.3"},
	{"recipients = \"learn\" unknown_down = \"defer\"", LISTED_NO_LIST,
	 POLICY_DEFERRED, 451, "4.4.3"},
	{"recipients = \"learn\" unknown_down = \"reject\"", LISTED_NO_LIST,
	 POLICY_REJECTED, 550, "5.1.1"},
	{"recipients = \"learn\" unknown_down = \"accept\"", LISTED_NO_LIST,
	 POLICY_ACCEPTED, 250, "2.1.5"},
	{"recipients = \"learn\"", LISTED_NO, POLICY_DEFERRED, 451, "4.4.3"},
};

/* REP-11, RX-20 */
START_TEST(policy__decides_by_the_list_and_unknown_down)
{
	struct policy_rcpt p;

	begin("", decisions[_i].within);
	ck_assert(!prepare("<someone@example.com>", &p));
	policy_rcpt_decide(&p, decisions[_i].listed);
	ck_assert_int_eq(p.verdict, decisions[_i].verdict);
	ck_assert_int_eq(p.reply.code, decisions[_i].code);
	ck_assert_str_eq(p.reply.enhanced, decisions[_i].enhanced);
	ck_assert(p.why && p.why[0]);
	rig_done(&rig);
}
END_TEST

/* RX-20 */
static const struct {
	enum learned learned;
	bool is_known;
	int code;
	const char *enhanced;
} lessons[] = {
	{LEARNED_TAKEN, true, 250, "2.1.5"},
	{LEARNED_PINNED, true, 250, "2.1.5"},
	{LEARNED_REFUSED, true, 550, "5.1.1"},
	{LEARNED_ERROR, true, 451, "4.4.3"},
	{LEARNED_NOTHING, false, 0, ""},
};

START_TEST(policy__decides_by_what_was_learned)
{
	struct policy_rcpt p;

	begin("", "recipients = \"learn\"");
	ck_assert(!prepare("<someone@example.com>", &p));
	ck_assert(policy_rcpt_learned(&p, lessons[_i].learned) ==
		  lessons[_i].is_known);
	ck_assert_int_eq(p.reply.code, lessons[_i].code);
	ck_assert_str_eq(p.reply.enhanced, lessons[_i].enhanced);
	rig_done(&rig);
}
END_TEST

/* RX-20 */
START_TEST(policy__passes_on_what_the_primary_says)
{
	static const struct {
		enum told told;
		enum policy_verdict verdict;
		int code;
		const char *enhanced;
	} words[] = {
		{TOLD_TAKEN, POLICY_ACCEPTED, 250, "2.1.5"},
		{TOLD_REFUSED, POLICY_REJECTED, 550, "5.1.1"},
		{TOLD_NOTHING, POLICY_DEFERRED, 451, "4.4.3"},
	};
	struct policy_rcpt p;

	begin("", "recipients = \"learn\"");
	for (size_t i = 0; i < MX_ARRAY_SIZE(words); i++) {
		ck_assert(!prepare("<someone@example.com>", &p));
		policy_rcpt_told(&p, words[i].told);
		ck_assert_int_eq(p.verdict, words[i].verdict);
		ck_assert_int_eq(p.reply.code, words[i].code);
		ck_assert_str_eq(p.reply.enhanced, words[i].enhanced);
	}
	rig_done(&rig);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"policy", LOOP(policy__decides_by_what_was_learned, lessons),
		TEST(policy__passes_on_what_the_primary_says),
		LOOP(policy__no_spelling_leaves_for_a_domain_that_is_not_ours,
		     relays),
		LOOP(policy__denies_relaying, refused),
		LOOP(policy__takes_postmaster_without_asking_the_list,
		     postmasters),
		TEST(policy__bare_postmaster_goes_where_the_operator_says),
		LOOP(policy__looks_up_the_canonical_form_and_sends_what_was_said,
		     keys),
		LOOP(policy__decides_by_the_list_and_unknown_down, decisions));
}
