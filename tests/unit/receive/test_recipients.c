#include "mxhold/receive/recipients.h"

#include "mxhold/net/loop.h"
#include "mxhold/receive/recipients_load.h"
#include "mxhold/receive/recipients_settle.h"
#include "rig.h"

static struct rig rig;
static struct loop *loop;
static struct error err;

static void begin(const char *within)
{
	rig_init(&rig);
	rig_configure(&rig, "", within);
	rig_open_store(&rig);
	loop = loop_new(&err);
}

static void finish(void)
{
	loop_free(loop);
	rig_done(&rig);
}

static int load(void)
{
	err.text[0] = '\0';
	return recipients_load(rig.directory, &rig.config->domains[0], &err);
}

static enum listed look(const char *address)
{
	struct directory_reader *r = directory_reader_new(rig.directory, NULL);
	enum listed listed =
		directory_lookup(r, "example.com", address, address);

	directory_reader_free(r);
	return listed;
}

START_TEST(recipients__a_file_is_in_force_once_it_is_loaded)
{
	begin("");
	ck_assert_int_eq(look("joe@example.com"), LISTED_YES);
	ck_assert_int_eq(look("never@example.com"), LISTED_NEVER);
	ck_assert_int_eq(look("ann@example.com"), LISTED_NO);
	rig_write(&rig, "rcpt", "joe\njoe.doe\nann\n");
	ck_assert_int_eq(load(), 0);
	ck_assert_int_eq(look("ann@example.com"), LISTED_YES);
	ck_assert_int_eq(look("never@example.com"), LISTED_NO);
	finish();
}
END_TEST

static const struct {
	const char *text, *says;
} refused[] = {
	{"", "holds no address"},
	{"# nothing\n", "holds no address"},
	{"joe@other.test\n", "other domains only"},
	{"joe\n", "max_shrink"},
	{"joe\njoe.doe\nthis is junk\n", "rcpt:3: "},
};

START_TEST(recipients__a_bad_list_leaves_the_last_good_one)
{
	begin("");
	rig_write(&rig, "rcpt", refused[_i].text);
	ck_assert_int_ne(load(), 0);
	ck_assert_msg(strstr(err.text, refused[_i].says), "%s", err.text);
	ck_assert_int_eq(look("joe.doe@example.com"), LISTED_YES);
	ck_assert_int_eq(look("never@example.com"), LISTED_NEVER);
	finish();
}
END_TEST

START_TEST(recipients__a_list_may_shrink_as_far_as_it_was_told)
{
	begin("max_shrink = 40");
	rig_write(&rig, "rcpt", "joe\nann\n"); /* from 3 */
	ck_assert_msg(load() == 0, "%s", err.text);
	ck_assert_int_eq(look("joe.doe@example.com"), LISTED_NO);
	finish();
}
END_TEST

START_TEST(recipients__several_files_are_one_list)
{
	char within[256];

	rig_init(&rig);
	rig_write(&rig, "one", "joe\n");
	rig_write(&rig, "two", "ann\n");
	snprintf(within, sizeof(within),
		 "recipients = {\"%s/one\", \"%s/two\"}", rig.dir, rig.dir);
	rig_configure(&rig, "", within);
	rig_open_store(&rig);
	ck_assert_int_eq(look("joe@example.com"), LISTED_YES);
	ck_assert_int_eq(look("ann@example.com"), LISTED_YES);
	rig_done(&rig);
}
END_TEST

START_TEST(recipients__two_salts_in_one_list_are_refused)
{
	begin("");
	rig_write(&rig, "rcpt", "#salt: a\njoe\n#salt: a\n#salt: b\nann\nx\n");
	ck_assert_int_ne(load(), 0);
	ck_assert_msg(strstr(err.text, "rcpt:4: another salt"), "%s", err.text);
	finish();
}
END_TEST

START_TEST(recipients__a_file_that_changes_changes_the_fingerprint)
{
	const struct config_domain *d;
	uint64_t before;
	bool is_settled;

	begin("");
	d = &rig.config->domains[0];
	before = recipients_fingerprint(d, &is_settled);
	ck_assert_uint_eq(before, recipients_fingerprint(d, &is_settled));
	rig_write(&rig, "rcpt", "joe\nann\n");
	ck_assert_uint_ne(before, recipients_fingerprint(d, &is_settled));
	finish();
}
END_TEST

/* ---- on the loop ---- */

static unsigned synced, freed;

static void on_synced(void *data)
{
	(void)data;
	synced++;
	loop_stop(loop);
}

static void on_freed(void *data)
{
	(void)data;
	freed++;
	loop_stop(loop);
}

static void sync_now(struct recipients *r)
{
	recipients_sync(r, NULL, on_synced, NULL);
	loop_run(loop);
}

static void free_now(struct recipients *r)
{
	recipients_free(r, on_freed, NULL);
	loop_run(loop);
	ck_assert_uint_eq(freed, 1);
}

START_TEST(recipients__sync_looks_at_every_domain_once)
{
	struct recipients *r;

	begin("");
	rig_configure(&rig,
		      "domain \"b.test\" { primary = \"192.0.2.1\" "
		      "recipients = \"learn\" }",
		      "");
	r = recipients_new(loop, rig.directory, rig.config);
	rig_write(&rig, "rcpt", "joe\nann\nbob\n");
	sync_now(r);
	ck_assert_uint_eq(synced, 1);
	ck_assert_int_eq(look("ann@example.com"), LISTED_YES);
	ck_assert_int_eq(look("never@example.com"), LISTED_NO);
	free_now(r);
	finish();
}
END_TEST

START_TEST(recipients__a_bad_list_is_an_alarm_until_it_is_good)
{
	struct recipients *r;
	char alarms[4][256];

	begin("");
	r = recipients_new(loop, rig.directory, rig.config);
	rig_write(&rig, "rcpt", "this is junk\n");
	sync_now(r);
	ck_assert_uint_eq(recipients_alarms(r, alarms, 4), 1);
	ck_assert_ptr_nonnull(strstr(alarms[0], "example.com"));
	ck_assert_ptr_nonnull(strstr(alarms[0], "rcpt:1: "));
	ck_assert_uint_eq(recipients_alarms(r, alarms, 0), 0);
	rig_write(&rig, "rcpt", "joe\nann\nbob\n");
	sync_now(r);
	ck_assert_uint_eq(recipients_alarms(r, alarms, 4), 0);
	ck_assert_int_eq(look("ann@example.com"), LISTED_YES);
	free_now(r);
	finish();
}
END_TEST

START_TEST(recipients__a_reload_forgets_domains_that_left)
{
	struct recipients *r;
	char alarms[4][256];

	begin("");
	rig_write(&rig, "rcpt", "this is junk\n");
	r = recipients_new(loop, rig.directory, rig.config);
	sync_now(r);
	ck_assert_uint_eq(recipients_alarms(r, alarms, 4), 1);
	rig_configure(&rig, "", "recipients = \"learn\"");
	config_unref(rig.config);
	rig.config = NULL;
	{
		char *complaints = NULL;

		rig_write(&rig, "conf2",
			  "hostname = \"mx2.example.net\"\n"
			  "domain \"b.test\" { primary = \"192.0.2.1\" "
			  "recipients = \"learn\" }\n");
		rig.config = config_load(rig_path(&rig, "conf2"), &complaints);
		ck_assert_msg(rig.config, "%s", complaints);
	}
	recipients_reload(r, rig.config);
	sync_now(r);
	ck_assert_uint_eq(recipients_alarms(r, alarms, 4), 0);
	free_now(r);
	finish();
}
END_TEST

START_TEST(recipients__can_be_freed_in_the_middle_of_a_look)
{
	struct recipients *r;

	begin("");
	r = recipients_new(loop, rig.directory, rig.config);
	recipients_reload(r, rig.config); /* a look begins */
	recipients_sync(r, NULL, on_synced, NULL);
	free_now(r);
	ck_assert_uint_eq(synced, 1); /* it waits no longer */
	finish();
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"recipients",
		TEST(recipients__a_file_is_in_force_once_it_is_loaded),
		LOOP(recipients__a_bad_list_leaves_the_last_good_one, refused),
		TEST(recipients__a_list_may_shrink_as_far_as_it_was_told),
		TEST(recipients__several_files_are_one_list),
		TEST(recipients__two_salts_in_one_list_are_refused),
		TEST(recipients__a_file_that_changes_changes_the_fingerprint),
		TEST(recipients__sync_looks_at_every_domain_once),
		TEST(recipients__a_bad_list_is_an_alarm_until_it_is_good),
		TEST(recipients__a_reload_forgets_domains_that_left),
		TEST(recipients__can_be_freed_in_the_middle_of_a_look));
}
