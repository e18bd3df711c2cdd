#include "mxhold/mail/domain.h"

#include "unit/base/suite.h"

static const struct {
	const char *name;
	bool valid, fqdn;
} names[] = {
	/* ADR-8, ADR-9 */
	{"example.com", true, true},
	{"EXAMPLE.Com", true, true},
	{"a.b.c.d", true, true},
	{"1.example", true, true},
	{"xn--bcher-kva.example", true, true},
	{"localhost", true, false},
	{"", false, false},
	{".", false, false},
	{"example.com.", false, false},
	{".example.com", false, false},
	{"a..b", false, false},
	{"a_b.example", false, false},
	{"-a.example", false, false},
	{"a-.example", false, false},
	{"a b.example", false, false},
	{"[192.0.2.1]", false, false},
	{"b\xc3\xbc"
	 "cher.example",
	 false, false},
};

START_TEST(domain__is_made_of_ldh_labels)
{
	struct slice name = slice_str(names[_i].name);

	ck_assert_int_eq(domain_is_valid(name), names[_i].valid);
	ck_assert_int_eq(domain_is_fqdn(name), names[_i].fqdn);
}
END_TEST

START_TEST(domain__holds_to_63_and_255_octets)
{
	char name[300];

	memset(name, 'a', sizeof(name));
	ck_assert(domain_is_valid(slice_make(name, 63)));
	ck_assert(!domain_is_valid(slice_make(name, 64)));
	for (int i = 63; i < 300; i += 64)
		name[i] = '.';
	ck_assert(domain_is_valid(slice_make(name, 255)));
	ck_assert(!domain_is_valid(slice_make(name, 257)));
	ck_assert(!domain_is_valid(slice_make("a\0b.example", 11)));
}
END_TEST

static const struct {
	struct slice in;
	const char *canonical; /* NULL: there is none */
} forms[] = {
	/* ADR-13 */
	{{"Example.COM", sizeof("Example.COM") - 1}, "example.com"},
	{{"example.com.", sizeof("example.com.") - 1}, "example.com"},
	{{"example.com..", sizeof("example.com..") - 1}, NULL},
	{{".", sizeof(".") - 1}, NULL},
	{{"", sizeof("") - 1}, NULL},
	{{"B\xc3\x9c"
	  "CHER.example",
	  sizeof("B\xc3\x9c"
		 "CHER.example") -
		  1},
	 "xn--bcher-kva.example"},
	{{"bu\xcc\x88"
	  "cher.example",
	  sizeof("bu\xcc\x88"
		 "cher.example") -
		  1},
	 "xn--bcher-kva.example"},
	{{"XN--Bcher-KVA.example", sizeof("XN--Bcher-KVA.example") - 1},
	 "xn--bcher-kva.example"},
	{{"fa\xc3\x9f.example", sizeof("fa\xc3\x9f.example") - 1},
	 "xn--fa-hia.example"},
	{{"\xe4\xbe\x8b\xe3\x81\x88\xe3\x80\x82jp",
	  sizeof("\xe4\xbe\x8b\xe3\x81\x88\xe3\x80\x82jp") - 1},
	 "xn--r8jz45g.jp"},
	{{"\xe4\xbe\x8b.jp.", sizeof("\xe4\xbe\x8b.jp.") - 1}, "xn--fsq.jp"},
	{{"b\xc3\xbc\x00.example", sizeof("b\xc3\xbc\x00.example") - 1}, NULL},
	{{"b\xc3.example", sizeof("b\xc3.example") - 1}, NULL},
	{{"b\xc3\xbc_.example", sizeof("b\xc3\xbc_.example") - 1}, NULL},
	{{"_a.b\xc3\xbc.example", sizeof("_a.b\xc3\xbc.example") - 1}, NULL},
	{{"\xe2\x84\x80.example", sizeof("\xe2\x84\x80.example") - 1}, NULL},
	{{"b\xc3\xbc .example", sizeof("b\xc3\xbc .example") - 1}, NULL},
	{{"b\xc3\xbc..example", sizeof("b\xc3\xbc..example") - 1}, NULL},
	{{"\xe2\x80\xae"
	  "a.example",
	  sizeof("\xe2\x80\xae"
		 "a.example") -
		  1},
	 NULL},
	{{"-b\xc3\xbc.example", sizeof("-b\xc3\xbc.example") - 1}, NULL},
};

/* DNS-19 */
START_TEST(domain__canonical_form_is_lower_case_a_labels)
{
	char out[DOMAIN_MAX];
	int ret = domain_canonical(forms[_i].in, out);

	ck_assert_int_eq(ret, forms[_i].canonical ? 0 : -1);
	if (ret == 0)
		ck_assert_str_eq(out, forms[_i].canonical);
}
END_TEST

START_TEST(domain__canonical_form_needs_no_more_than_255_octets)
{
	char name[400], out[DOMAIN_MAX];

	memset(name, 'a', sizeof(name));
	for (int i = 50; i < 400; i += 51)
		name[i] = '.';
	ck_assert_int_eq(domain_canonical(slice_make(name, 255), out), 0);
	ck_assert_uint_eq(strlen(out), 254); /* it had ended in a dot */
	ck_assert_int_eq(domain_canonical(slice_make(name, 254), out), 0);
	ck_assert_int_eq(domain_canonical(slice_make(name, 306), out), -1);
	/* U-labels that fit, A-labels that do not. */
	for (int i = 0; i < 240; i += 3)
		memcpy(name + i, "\xc3\xbc.", 3);
	ck_assert_int_eq(domain_canonical(slice_make(name, 239), out), -1);
	ck_assert_int_eq(domain_canonical(slice_make(name, 92), out), 0);
}
END_TEST

START_TEST(domain__display_shows_u_labels_where_there_are_some)
{
	char out[DOMAIN_MAX];

	ck_assert_int_eq(domain_display("xn--bcher-kva.example", out, 100), 0);
	ck_assert_str_eq(out, "b\xc3\xbc"
			      "cher.example");
	ck_assert_int_eq(domain_display("plain.example", out, 100), 0);
	ck_assert_str_eq(out, "plain.example");
	ck_assert_int_eq(domain_display("xn--\x7f.example", out, 100), 0);
	ck_assert_str_eq(out, "xn--\x7f.example");
	ck_assert_int_eq(domain_display("plain.example", out, 13), -1);
}
END_TEST

/* "xn--" and the Punycode of C1 controls, of a sign that turns the text
 * round, of a capital letter. */
static const char *const no_u_labels[] = {
	"xn--naxasmq4b.test",
	"xn--a-pin.test",
	"xn--bcher-2pa.test",
};

START_TEST(domain__display_shows_no_label_that_leads_elsewhere)
{
	char out[DOMAIN_MAX];

	ck_assert_int_eq(domain_display(no_u_labels[_i], out, 100), 0);
	ck_assert_str_eq(out, no_u_labels[_i]);
}
END_TEST

static const struct {
	const char *name, *suffix;
	bool below;
} pairs[] = {
	{"example.com", "example.com", true},
	{"a.example.com", "example.com", true},
	{"A.EXAMPLE.com", "example.COM", true},
	{"badexample.com", "example.com", false},
	{"example.com", "a.example.com", false},
	{"example.com", "", false},
	{"example.org", "example.com", false},
};

START_TEST(domain__is_below_itself_and_its_parents)
{
	ck_assert_int_eq(domain_is_below(slice_str(pairs[_i].name),
					 slice_str(pairs[_i].suffix)),
			 pairs[_i].below);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"domain", LOOP(domain__is_made_of_ldh_labels, names),
		TEST(domain__holds_to_63_and_255_octets),
		LOOP(domain__canonical_form_is_lower_case_a_labels, forms),
		TEST(domain__canonical_form_needs_no_more_than_255_octets),
		TEST(domain__display_shows_u_labels_where_there_are_some),
		LOOP(domain__display_shows_no_label_that_leads_elsewhere,
		     no_u_labels),
		LOOP(domain__is_below_itself_and_its_parents, pairs));
}
