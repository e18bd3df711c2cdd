#include "mxhold/config/source.h"

#include "unit/base/suite.h"

static const struct {
	const char *text;
	enum source_kind kind;
	const char *label;
} sources[] = {
	{"/etc/list", SOURCE_FILE, "/etc/list"},
	{"list", SOURCE_FILE, "list"},
	{"https://a.test/l", SOURCE_HTTPS, "https://a.test/l"},
	{"https://u:p@a.test/l", SOURCE_HTTPS, "https://a.test/l"},
	{"https://u:p@q@a.test:8/l", SOURCE_HTTPS, "https://a.test:8/l"},
	{"https://a.test/l@b", SOURCE_HTTPS, "https://a.test/l@b"},
	{"exec:/bin/l a b", SOURCE_EXEC, "exec:/bin/l a b"},
};

START_TEST(source__is_told_by_its_beginning)
{
	char label[SOURCE_LABEL_MAX];

	ck_assert_int_eq(config_source_kind(sources[_i].text),
			 sources[_i].kind);
	config_source_label(sources[_i].text, label);
	ck_assert_str_eq(label, sources[_i].label);
}
END_TEST

START_TEST(source__a_program_is_the_first_word)
{
	char program[64];

	ck_assert(config_source_program("exec:/bin/l a b", program, 64));
	ck_assert_str_eq(program, "/bin/l");
	ck_assert(config_source_program("exec: /bin/l", program, 64));
	ck_assert(!config_source_program("exec:l /bin/l", program, 64));
	ck_assert(!config_source_program("exec:", program, 64));
}
END_TEST

START_TEST(source__an_address_needs_a_host)
{
	ck_assert(config_source_has_host("https://a.test"));
	ck_assert(config_source_has_host("https://u:p@a.test/"));
	ck_assert(!config_source_has_host("https://"));
	ck_assert(!config_source_has_host("https:///l"));
	ck_assert(!config_source_has_host("https://u:p@/l"));
}
END_TEST

int main(void)
{
	return RUN_TESTS("source",
			 LOOP(source__is_told_by_its_beginning, sources),
			 TEST(source__a_program_is_the_first_word),
			 TEST(source__an_address_needs_a_host));
}
