/* Sources that are run, lists that are too small, and what outlives us. */
#include "mxhold/base/clock.h"
#include "mxhold/receive/recipients.h"
#include "mxhold/receive/recipients_load.h"
#include "mxhold/receive/recipients_settle.h"
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rig rig;
static struct error err;
static struct recipients_loaded n;

static void write_script(const char *text)
{
	char command[256];

	rig_write(&rig, "script", text);
	snprintf(command, sizeof(command), "chmod 700 %s/script", rig.dir);
	ck_assert_int_eq(system(command), 0);
}

/* The list is what the script prints, and `more` sources. */
static void begin(const char *script, const char *more)
{
	char within[512];

	rig_init(&rig);
	write_script(script);
	snprintf(within, sizeof(within),
		 "recipients = {\"exec:%s/script a\"%s}", rig.dir, more);
	rig_configure(&rig, "", within);
	rig_open_store(&rig);
}

static enum recipients_looked look(bool accept)
{
	struct recipients_asked asked = {.accept = accept};

	memset(&err, 0, sizeof(err));
	return recipients_look(rig.directory, &rig.config->domains[0], &asked,
			       &n, &err);
}

static enum listed listed(const char *address)
{
	struct directory_reader *r = directory_reader_new(rig.directory, NULL);
	enum listed l = directory_lookup(r, "example.com", address, address);

	directory_reader_free(r);
	return l;
}

#define FOUR "#!/bin/sh\nprintf 'joe\\nann\\nbob\\neve'\n"
#define ONE  "#!/bin/sh\necho joe\n"
#define NONE "#!/bin/sh\n"

START_TEST(recipients_sources__what_a_program_prints_is_a_list)
{
	begin(FOUR, "");
	ck_assert_int_eq(listed("eve@example.com"), LISTED_YES);
	ck_assert_int_eq(look(false), RECIPIENTS_SAME);
	ck_assert_uint_eq(n.entries, 4);
	rig_done(&rig);
}
END_TEST

static const struct {
	const char *script, *says;
} failing[] = {
	{"#!/bin/sh\necho new\nexit 1\n", "script a: ended with status 1"},
	{"#!/bin/sh\necho 'two words'\n", "script a:1: not an address"},
	{"#!/no/such/shell\n", "script a: cannot be run"},
};

START_TEST(recipients_sources__one_that_fails_leaves_the_list)
{
	struct list_state s;

	begin(FOUR, "");
	write_script(failing[_i].script);
	ck_assert_int_eq(look(false), RECIPIENTS_FAILED);
	ck_assert_msg(strstr(err.text, failing[_i].says), "%s", err.text);
	ck_assert_int_eq(listed("eve@example.com"), LISTED_YES);
	ck_assert_int_eq(directory_state_get(rig.directory, "example.com", &s),
			 0);
	ck_assert_ptr_nonnull(strstr(s.problem, failing[_i].says));
	write_script(FOUR);
	ck_assert_int_eq(look(false), RECIPIENTS_SAME);
	ck_assert_str_eq(n.state.problem, "");
	rig_done(&rig);
}
END_TEST

#define HASH      \
	"sha256:" \
	"00000000000000000000000000000000000000000000000000000000000000aa"

static const struct {
	const char *script, *file, *says;
} salts[] = {
	{HASH, "#salt: x\n" HASH "\n", "script a: hashes without the salt"},
	{"#salt: x\n" HASH, HASH "\n", "more: hashes without the salt"},
	{"#salt: x\n" HASH, "#salt: y\n" HASH "\n", "more:1: another salt"},
	{"#salt: x\n" HASH, HASH "\n#salt: x\n", NULL},
	{"#salt: x\n" HASH, "ann\n", NULL},
	{HASH, "#salt: x\nann\n", "script a: hashes without the salt"},
	{HASH, "#salt:\n" HASH "\n", NULL},
	{HASH, HASH "\n", NULL},
};

/* What is hashed with another salt, or none, would be nobody. */
START_TEST(recipients_sources__hash_with_one_salt)
{
	char file[128], script[512];

	begin(FOUR, ", \"/dev/null\"");
	snprintf(file, sizeof(file), "%s/more", rig.dir);
	rig_write(&rig, "more", salts[_i].file);
	rig.config->domains[0].recipients.v[1] = file;
	snprintf(script, sizeof(script),
		 "#!/bin/sh\necho '%s'\nprintf 'joe\\nann\\nbob\\neve'\n",
		 salts[_i].script);
	write_script(script);
	if (!salts[_i].says) {
		ck_assert_int_eq(look(false), RECIPIENTS_TAKEN);
	} else {
		ck_assert_int_eq(look(false), RECIPIENTS_FAILED);
		ck_assert_msg(strstr(err.text, salts[_i].says), "%s", err.text);
		ck_assert_int_eq(listed("eve@example.com"), LISTED_YES);
	}
	rig_done(&rig);
}
END_TEST

/* The script writes to the file that stands behind it. */
START_TEST(recipients_sources__a_file_that_changes_meanwhile_is_no_list)
{
	char file[128], script[512];

	begin(FOUR, ", \"/dev/null\"");
	snprintf(file, sizeof(file), "%s/more", rig.dir);
	rig_write(&rig, "more", "zoe\n");
	rig.config->domains[0].recipients.v[1] = file;
	snprintf(script, sizeof(script), FOUR "\necho ann >>%s\n", file);
	write_script(script);
	ck_assert_int_eq(look(false), RECIPIENTS_FAILED);
	ck_assert_int_eq(err.sys, EAGAIN);
	ck_assert_str_eq(err.text, "a file changed while it was read");
	ck_assert_int_eq(listed("zoe@example.com"), LISTED_NO);
	ck_assert_int_eq(listed("eve@example.com"), LISTED_YES);
	write_script(FOUR);
	ck_assert_int_eq(look(false), RECIPIENTS_TAKEN);
	ck_assert_int_eq(listed("zoe@example.com"), LISTED_YES);
	rig_done(&rig);
}
END_TEST

static const struct {
	int age_s;
	bool is_at_rest;
} ages[] = {{0, false}, {-3600, true}, {2, true}, {86400, true}};

START_TEST(recipients_sources__a_file_is_at_rest_after_a_second)
{
	struct timespec times[2];
	char file[128];

	begin(FOUR, ", \"/dev/null\"");
	snprintf(file, sizeof(file), "%s/rcpt", rig.dir);
	rig.config->domains[0].recipients.v[1] = file;
	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= ages[_i].age_s;
	times[1] = times[0];
	ck_assert_int_eq(utimensat(AT_FDCWD, file, times, 0), 0);
	clock_fake(clock_mono_ms(), times[0].tv_sec * 1000 +
					    times[0].tv_nsec / 1000000 +
					    ages[_i].age_s * 1000);
	ck_assert(recipients_are_at_rest(&rig.config->domains[0]) ==
		  ages[_i].is_at_rest);
	clock_fake_off();
	rig_done(&rig);
}
END_TEST

/* One list: a file that changed waits for the program beside it. */
START_TEST(recipients_sources__are_taken_together_or_not_at_all)
{
	char file[128];

	begin(FOUR, ", \"/dev/null\"");
	snprintf(file, sizeof(file), "%s/more", rig.dir);
	rig_write(&rig, "more", "zoe\n");
	rig.config->domains[0].recipients.v[1] = file;
	write_script("#!/bin/sh\nexit 1\n");
	ck_assert_int_eq(look(false), RECIPIENTS_FAILED);
	ck_assert_int_eq(listed("zoe@example.com"), LISTED_NO);
	write_script(FOUR);
	ck_assert_int_eq(look(false), RECIPIENTS_TAKEN);
	ck_assert_int_eq(listed("zoe@example.com"), LISTED_YES);
	ck_assert_int_eq(listed("eve@example.com"), LISTED_YES);
	ck_assert_uint_eq(n.entries, 5);
	/* And when it is the program that changes, the file is still there. */
	usleep(200 * 1000); /* files so young are read anyway */
	ck_assert_int_eq(look(false), RECIPIENTS_SAME);
	write_script("#!/bin/sh\nprintf 'joe\\nann\\nbob\\n'\n");
	ck_assert_int_eq(look(false), RECIPIENTS_TAKEN);
	ck_assert_int_eq(listed("zoe@example.com"), LISTED_YES);
	ck_assert_int_eq(listed("eve@example.com"), LISTED_NO);
	rig_done(&rig);
}
END_TEST

static const struct {
	const char *script, *says;
	uint64_t entries;
} small[] = {
	{ONE, "would shrink from 4 to 1 entries", 1},
	{NONE, "holds no address", 0},
	{"#!/bin/sh\necho joe@other.test\n", "other domains only", 0},
};

START_TEST(recipients_sources__a_small_list_waits_to_be_confirmed)
{
	begin(FOUR, "");
	write_script(small[_i].script);
	ck_assert_int_eq(look(false), RECIPIENTS_REFUSED);
	ck_assert_msg(strstr(err.text, small[_i].says), "%s", err.text);
	ck_assert_int_eq(listed("eve@example.com"), LISTED_YES);
	ck_assert_int_eq(look(false), RECIPIENTS_REFUSED);
	ck_assert(n.state.refused);
	ck_assert_uint_eq(n.state.refused_entries, small[_i].entries);
	ck_assert_int_eq(look(true), RECIPIENTS_TAKEN);
	ck_assert_uint_eq(directory_count(rig.directory, "example.com"),
			  small[_i].entries);
	ck_assert_int_eq(listed("eve@example.com"), LISTED_NO);
	ck_assert(!n.state.refused && !n.state.accepted);
	ck_assert_int_eq(look(false), RECIPIENTS_SAME);
	rig_done(&rig);
}
END_TEST

/* Everybody the list names several times is still one. */
START_TEST(recipients_sources__duplicates_hide_no_shrinking)
{
	begin(FOUR, "");
	write_script("#!/bin/sh\nprintf 'joe\\njoe\\njoe\\njoe\\njoe\\n'\n");
	ck_assert_int_eq(look(false), RECIPIENTS_REFUSED);
	ck_assert_uint_eq(n.state.refused_entries, 1);
	rig_done(&rig);
}
END_TEST

START_TEST(recipients_sources__a_good_list_undoes_the_refusal)
{
	begin(FOUR, "");
	write_script(ONE);
	ck_assert_int_eq(look(false), RECIPIENTS_REFUSED);
	write_script(FOUR);
	ck_assert_int_eq(look(false), RECIPIENTS_SAME);
	ck_assert(!n.state.refused);
	write_script(ONE);
	ck_assert_int_eq(look(false), RECIPIENTS_REFUSED);
	rig_done(&rig);
}
END_TEST

/* Confirmed while the source is away: it is taken when it is back. */
START_TEST(recipients_sources__a_confirmation_waits_for_the_source)
{
	begin(FOUR, "");
	write_script(ONE);
	ck_assert_int_eq(look(false), RECIPIENTS_REFUSED);
	write_script("#!/bin/sh\nexit 1\n");
	ck_assert_int_eq(look(true), RECIPIENTS_FAILED);
	write_script(ONE);
	ck_assert_int_eq(look(false), RECIPIENTS_TAKEN);
	rig_done(&rig);
}
END_TEST

START_TEST(recipients_sources__a_confirmation_is_not_for_a_smaller_list)
{
	begin(FOUR, "");
	write_script("#!/bin/sh\nprintf 'joe\\nann\\n'\n");
	ck_assert_int_eq(look(false), RECIPIENTS_REFUSED);
	write_script(NONE);
	ck_assert_int_eq(look(true), RECIPIENTS_REFUSED);
	ck_assert_int_eq(listed("eve@example.com"), LISTED_YES);
	rig_done(&rig);
}
END_TEST

/* ---- on the loop ---- */

static struct loop *loop;

static void stop_loop(void *data)
{
	(void)data;
	loop_stop(loop);
}

static size_t alarms_of(struct recipients *r, char (*out)[256])
{
	return recipients_alarms(r, out, 4);
}

static void free_now(struct recipients *r)
{
	recipients_free(r, stop_loop, NULL);
	loop_run(loop);
}

START_TEST(recipients_sources__a_refusal_outlives_a_restart)
{
	struct recipients *r;
	char alarms[4][256];

	begin(FOUR, "");
	loop = loop_new(&err);
	write_script(ONE);
	ck_assert_int_eq(look(false), RECIPIENTS_REFUSED);
	r = recipients_new(loop, rig.directory, rig.config);
	recipients_start(r, stop_loop, NULL);
	/* Known before anything was looked at. */
	ck_assert_uint_eq(alarms_of(r, alarms), 1);
	ck_assert_ptr_nonnull(strstr(alarms[0], "recipients accept"));
	loop_run(loop);
	ck_assert_uint_eq(alarms_of(r, alarms), 1);
	recipients_accept(r, "example.com", stop_loop, NULL);
	loop_run(loop);
	ck_assert_uint_eq(alarms_of(r, alarms), 0);
	ck_assert_int_eq(listed("eve@example.com"), LISTED_NO);
	free_now(r);
	loop_free(loop);
	rig_done(&rig);
}
END_TEST

START_TEST(recipients_sources__an_old_list_is_an_alarm_and_stays)
{
	struct recipients *r;
	char alarms[4][256];
	int64_t wall_ms;

	begin(FOUR, "");
	loop = loop_new(&err);
	r = recipients_new(loop, rig.directory, rig.config);
	write_script("#!/bin/sh\nexit 1\n");
	recipients_start(r, stop_loop, NULL);
	loop_run(loop);
	ck_assert_uint_eq(alarms_of(r, alarms), 1);
	wall_ms = clock_wall_ms();
	clock_fake(clock_mono_ms(),
		   wall_ms + rig.config->domains[0].stale_after + 60000);
	ck_assert_uint_eq(alarms_of(r, alarms), 2);
	ck_assert_ptr_nonnull(strstr(alarms[1], "stale_after"));
	clock_fake_off();
	ck_assert_int_eq(listed("eve@example.com"), LISTED_YES);
	free_now(r);
	loop_free(loop);
	rig_done(&rig);
}
END_TEST

/* Nothing waits for what hangs: not the door for long, and not the end. */
START_TEST(recipients_sources__what_hangs_holds_nobody)
{
	struct recipients *r;

	begin(FOUR, "");
	loop = loop_new(&err);
	write_script("#!/bin/sh\nsleep 1000\n");
	r = recipients_new(loop, rig.directory, rig.config);
	recipients_start(r, stop_loop, NULL);
	loop_run(loop);
	free_now(r);
	loop_free(loop);
	ck_assert_int_eq(listed("eve@example.com"), LISTED_YES);
	rig_done(&rig);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"recipients_sources",
		TEST(recipients_sources__what_a_program_prints_is_a_list),
		LOOP(recipients_sources__one_that_fails_leaves_the_list,
		     failing),
		LOOP(recipients_sources__hash_with_one_salt, salts),
		TEST(recipients_sources__a_file_that_changes_meanwhile_is_no_list),
		LOOP(recipients_sources__a_file_is_at_rest_after_a_second,
		     ages),
		TEST(recipients_sources__are_taken_together_or_not_at_all),
		LOOP(recipients_sources__a_small_list_waits_to_be_confirmed,
		     small),
		TEST(recipients_sources__duplicates_hide_no_shrinking),
		TEST(recipients_sources__a_good_list_undoes_the_refusal),
		TEST(recipients_sources__a_confirmation_waits_for_the_source),
		TEST(recipients_sources__a_confirmation_is_not_for_a_smaller_list),
		TEST(recipients_sources__a_refusal_outlives_a_restart),
		TEST(recipients_sources__an_old_list_is_an_alarm_and_stays),
		TEST(recipients_sources__what_hangs_holds_nobody));
}
