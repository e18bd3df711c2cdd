#include "mxhold/mail/address.h"
#include <stdio.h>

#include "unit/base/suite.h"

static struct address parse(const char *text)
{
	struct address a;

	ck_assert_msg(address_parse(slice_str(text), true, &a) == ADDRESS_OK,
		      "%s", text);
	return a;
}

static const struct {
	const char *text, *subaddress, *canonical;
} forms[] = {
	/* ADR-5: all spellings are one */
	{"abc@x.example", "", "abc@x.example"},
	{"\"abc\"@x.example", "", "abc@x.example"},
	{"\"a\\bc\"@x.example", "", "abc@x.example"},
	{"\"a b\"@x.example", "", "\"a b\"@x.example"},
	{"\"a\\ b\"@x.example", "", "\"a b\"@x.example"},
	{"\"a\\\"\\\\b\"@x.example", "", "\"a\\\"\\\\b\"@x.example"},
	{"\"a..b\"@x.example", "", "\"a..b\"@x.example"},
	{"\".a\"@x.example", "", "\".a\"@x.example"},
	{"\"a.b\"@x.example", "", "a.b@x.example"},
	{"\"\"@x.example", "", "\"\"@x.example"},
	/* ADR-6: the list is caseless */
	{"JoE@X.Example", "", "joe@x.example"},
	/* ADR-7: signs stay unless a list says otherwise */
	{"joe+list@x.example", "", "joe+list@x.example"},
	{"joe+list@x.example", "+", "joe@x.example"},
	{"joe-a+b@x.example", "+-", "joe@x.example"},
	{"+joe@x.example", "+", "+joe@x.example"},
	{"joe.+@x.example", "+", "joe.+@x.example"},
	{"joe.+a+b@x.example", "+", "joe.+a@x.example"},
	{"\"joe+li st\"@x.example", "+", "joe@x.example"},
	{"joe%x+y@x.example", "+", "joe%x@x.example"},
	/* ADR-13: U-labels equal their A-labels */
	{"\xe7\x94\xa8\xe6\x88\xb7@\xe4\xbe\x8b\xe3\x81\x88.jp", "",
	 "\xe7\x94\xa8\xe6\x88\xb7@xn--r8jz45g.jp"},
	{"a@XN--R8JZ45G.jp", "", "a@xn--r8jz45g.jp"},
	{"a@B\xc3\x9c"
	 "CHER.example",
	 "", "a@xn--bcher-kva.example"},
	/* literals */
	{"a@[IPV6:2001:DB8:0::1]", "", "a@[ipv6:2001:db8::1]"},
	{"a@[192.0.2.007]", "", "a@[192.0.2.7]"},
	{"a@[Tag:X]", "", "a@[tag:x]"},
	/* no domain */
	{"PostMaster", "", "postmaster"},
};

START_TEST(address__canonical_form)
{
	struct address a = parse(forms[_i].text);
	char out[ADDRESS_MAX];

	ck_assert_int_eq(
		address_canonical(&a, forms[_i].subaddress, out, sizeof(out)),
		0);
	ck_assert_str_eq(out, forms[_i].canonical);
}
END_TEST

START_TEST(address__canonical_form_must_fit)
{
	struct address a = parse("abc@x.example");
	char out[14];

	ck_assert_int_eq(address_canonical(&a, "", out, 13), -1);
	ck_assert_int_eq(address_canonical(&a, "", out, 14), 0);
}
END_TEST

/* "ü" is two octets, its A-label ten: nobody could send to such an address.
 * RFC 5321 4.5.3.1.3 */
START_TEST(address__canonical_form_must_fit_a_path)
{
	char text[ADDRESS_MAX], out[ADDRESS_MAX * 2];
	struct address a;

	snprintf(text, sizeof(text), "%064d@%063d.%063d.%053d\xc3\xbc.x", 0, 0,
		 0, 0);
	ck_assert_uint_le(strlen(text) + 2, ADDRESS_PATH_MAX);
	a = parse(text);
	ck_assert_int_eq(address_canonical(&a, "", out, sizeof(out)), -1);
}
END_TEST

static const struct {
	const char *text, *least;
} quotes[] = {
	{"JoE@x.example", "JoE"},
	{"\"JoE\"@x.example", "JoE"},
	{"\"J\\o\\E\"@x.example", "JoE"},
	{"\"J o\"@x.example", "\"J o\""},
	{"\"J\\ \\o\"@x.example", "\"J o\""},
	{"\"a\\\"b\\\\c\"@x.example", "\"a\\\"b\\\\c\""},
	{"\"a@b\"@x.example", "\"a@b\""},
	{"\"a.\"@x.example", "\"a.\""},
	{"\"\"@x.example", "\"\""},
	{"\"\xc3\xa9\"@x.example", "\xc3\xa9"},
	{"e\xcc\x81@x.example", "e\xcc\x81"}, /* ADR-14 */
};

START_TEST(address__is_sent_on_with_the_least_quoting)
{
	struct address a = parse(quotes[_i].text);
	struct buf b;

	/* ADR-5, ADR-6 */
	buf_init(&b, 100);
	ck_assert_int_eq(address_append_local(&b, &a), 0);
	ck_assert_slice_eq(buf_slice(&b), quotes[_i].least);
	buf_done(&b);
}
END_TEST

START_TEST(address__appends_its_local_part_whole_or_not_at_all)
{
	struct address a = parse("\"a b\"@x.example");
	struct buf b;

	buf_init(&b, 6);
	buf_append_str(&b, "xy");
	ck_assert_int_eq(address_append_local(&b, &a), -1);
	ck_assert_slice_eq(buf_slice(&b), "xy");
	buf_done(&b);
}
END_TEST

static const struct {
	const char *text;
	bool is;
} masters[] = {
	{"postmaster", true},
	{"POSTMASTER@x.example", true},
	{"\"post\\master\"@x.example", true},
	{"postmaster1@x.example", false},
	{"\"post master\"@x.example", false},
};

START_TEST(address__knows_postmaster_in_any_spelling)
{
	struct address a = parse(masters[_i].text);

	ck_assert_int_eq(address_is_postmaster(&a), masters[_i].is);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"address_form", LOOP(address__canonical_form, forms),
		TEST(address__canonical_form_must_fit),
		TEST(address__canonical_form_must_fit_a_path),
		LOOP(address__is_sent_on_with_the_least_quoting, quotes),
		TEST(address__appends_its_local_part_whole_or_not_at_all),
		LOOP(address__knows_postmaster_in_any_spelling, masters));
}
