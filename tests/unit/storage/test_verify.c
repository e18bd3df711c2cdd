/* The check finds what is planted, and nothing where nothing is. */
#include "fixture.h"

#include "mxhold/storage/key.h"
#include "mxhold/storage/record.h"

static char told[4096];

static void keep(void *data, const char *what)
{
	(void)data;
	strncat(told, what, sizeof(told) - strlen(told) - 1);
	strncat(told, "\n", sizeof(told) - strlen(told) - 1);
}

static uint64_t problems(void)
{
	struct verify_result v;

	told[0] = '\0';
	ck_assert_int_eq(verify_queue(store, &v, keep, NULL), 0);
	return v.problems;
}

static void expect(const char *what)
{
	ck_assert_uint_gt(problems(), 0);
	ck_assert_msg(strstr(told, what), "\"%s\" is not told in:\n%s", what,
		      told);
}

static uint64_t id;
static uint8_t key[64];

static void setup_three(void)
{
	setup();
	id = put_three();
}

START_TEST(verify__sound_queue_is_counted)
{
	struct verify_result v;

	put_mail(10000);
	ck_assert_int_eq(verify_queue(store, &v, keep, NULL), 0);
	ck_assert_uint_eq(v.problems, 0);
	ck_assert_uint_eq(v.messages, 2);
	ck_assert_uint_eq(v.recipients, 4);
	ck_assert_uint_eq(v.chunks, 2 + 3);
	ck_assert_uint_eq(v.bytes, 15000);
	ck_assert_uint_eq(v.due_rows, 3);
}
END_TEST

START_TEST(verify__more_rows_than_a_page_are_all_seen)
{
	struct verify_result v;
	static struct mail m[2500];

	for (size_t i = 0; i < 2500; i++) {
		mail_init(&m[i], 10, 1);
		mail_rcpt(&m[i], "u", "a.test");
		writer_submit(writer, &m[i].add.job);
	}
	run_all();
	for (size_t i = 0; i < 2500; i++)
		mail_done(&m[i]);
	ck_assert_int_eq(verify_queue(store, &v, keep, NULL), 0);
	ck_assert_uint_eq(v.problems, 0);
	ck_assert_uint_eq(v.due_rows, 2502);
}
END_TEST

START_TEST(verify__finds_a_missing_chunk)
{
	key_body(key, id, 0);
	damage(TABLE_BODY, key, KEY_BODY, NULL, 0);
	expect("chunk 0 is missing");
}
END_TEST

START_TEST(verify__finds_a_changed_octet)
{
	static uint8_t chunk[5000 - CHUNK_SIZE];

	key_body(key, id, 1);
	damage(TABLE_BODY, key, KEY_BODY, chunk, sizeof(chunk));
	expect("checksum");
}
END_TEST

START_TEST(verify__finds_a_chunk_too_many)
{
	key_body(key, id, 2);
	damage(TABLE_BODY, key, KEY_BODY, "x", 1);
	expect("octets in 3 chunks");
}
END_TEST

START_TEST(verify__finds_chunks_of_nobody)
{
	key_body(key, id + 7, 0);
	damage(TABLE_BODY, key, KEY_BODY, "x", 1);
	expect("body that nothing names");
	ck_assert_uint_eq(problems(), 1);
}
END_TEST

START_TEST(verify__finds_a_missing_recipient)
{
	key_rcpt(key, id, 1);
	damage(TABLE_RECIPIENT, key, KEY_RCPT, NULL, 0);
	expect("recipient 1 is missing");
	expect("open recipients");
}
END_TEST

START_TEST(verify__finds_a_damaged_recipient)
{
	key_rcpt(key, id, 1);
	damage(TABLE_RECIPIENT, key, KEY_RCPT, "\1\377", 2);
	expect("recipient 1 is damaged");
}
END_TEST

START_TEST(verify__finds_a_recipient_too_many)
{
	key_rcpt(key, id, 3);
	damage(TABLE_RECIPIENT, key, KEY_RCPT, "x", 1);
	expect("recipient that nothing names");
}
END_TEST

START_TEST(verify__finds_a_missing_due_row)
{
	key_due(key, dest_of("b.test"), T0, id);
	damage(TABLE_DUE, key, KEY_DUE, NULL, 0);
	expect("no row in due");
	ck_assert_uint_eq(problems(), 1);
}
END_TEST

START_TEST(verify__finds_a_due_row_of_nobody)
{
	key_due(key, dest_of("b.test"), T0 + 1, id);
	damage(TABLE_DUE, key, KEY_DUE, "\1", 1);
	expect("due that nothing names");
}
END_TEST

START_TEST(verify__finds_a_missing_age_row)
{
	key_due(key, dest_of("a.test"), T0, id);
	damage(TABLE_AGE, key, KEY_DUE, NULL, 0);
	expect("no row in age");
}
END_TEST

START_TEST(verify__finds_an_age_row_of_nobody)
{
	key_due(key, dest_of("a.test"), T0, id + 1);
	damage(TABLE_AGE, key, KEY_DUE, "\1", 1);
	expect("age that nothing names");
}
END_TEST

START_TEST(verify__finds_an_expire_row_of_nobody)
{
	key_expire(key, T0, id);
	damage(TABLE_EXPIRE, key, KEY_EXPIRE, "\1", 1);
	expect("expire that nothing names");
}
END_TEST

START_TEST(verify__finds_a_damaged_message)
{
	key_id(key, id);
	damage(TABLE_MESSAGE, key, KEY_ID, "\1\2\3", 3);
	expect("the record is damaged");
}
END_TEST

START_TEST(verify__finds_a_message_gone_from_under_its_rows)
{
	key_id(key, id);
	damage(TABLE_MESSAGE, key, KEY_ID, NULL, 0);
	expect("recipient that nothing names");
	expect("body that nothing names");
	expect("due that nothing names");
	expect("age that nothing names");
	expect("messages: the counter says 1, there are 0");
}
END_TEST

START_TEST(verify__finds_a_wrong_counter)
{
	struct dest_record d = {
		.domain = SLICE("a.test"), .messages = 7, .bytes = 5000};
	uint8_t dest[KEY_DEST_MAX], record[RECORD_SMALL_MAX];
	size_t n = key_dest_number(dest, dest_of("a.test"));

	damage(TABLE_DEST, dest, n, record,
	       record_encode_dest(record, sizeof(record), &d));
	expect("messages of a destination: the counter says 7, there are 1");
	ck_assert_uint_eq(problems(), 1);
}
END_TEST

START_TEST(verify__finds_a_missing_destination)
{
	uint8_t dest[KEY_DEST_MAX];
	size_t n = key_dest_number(dest, dest_of("a.test"));

	damage(TABLE_DEST, dest, n, NULL, 0);
	expect("is unknown");
}
END_TEST

static size_t name_of(uint8_t k[KEY_DEST_MAX], const char *domain)
{
	return key_dest_name(k, DEST_DOMAIN, slice_str(domain));
}

/* New mail for the domain would go where other mail goes. */
START_TEST(verify__finds_a_name_that_leads_elsewhere)
{
	uint8_t name[KEY_DEST_MAX], number[KEY_ID];
	size_t n = name_of(name, "a.test");

	key_id(number, dest_of("b.test"));
	damage(TABLE_DEST, name, n, number, sizeof(number));
	expect("the name a.test leads elsewhere");
	expect("has a name that does not lead to it");
}
END_TEST

START_TEST(verify__finds_a_missing_name)
{
	uint8_t name[KEY_DEST_MAX];

	damage(TABLE_DEST, name, name_of(name, "a.test"), NULL, 0);
	expect("has a name that does not lead to it");
	ck_assert_uint_eq(problems(), 1);
}
END_TEST

START_TEST(verify__finds_a_name_of_nothing)
{
	uint8_t name[KEY_DEST_MAX], number[KEY_ID];

	key_id(number, 77);
	damage(TABLE_DEST, name, name_of(name, "c.test"), number,
	       sizeof(number));
	expect("the name c.test leads elsewhere");
	ck_assert_uint_eq(problems(), 1);
}
END_TEST

START_TEST(verify__finds_a_recipient_of_another_domain)
{
	struct dest_record d = {
		.domain = SLICE("c.test"), .messages = 1, .bytes = 5000};
	uint8_t dest[KEY_DEST_MAX], record[RECORD_SMALL_MAX];
	size_t n = key_dest_number(dest, dest_of("a.test"));

	damage(TABLE_DEST, dest, n, record,
	       record_encode_dest(record, sizeof(record), &d));
	expect("is not for the domain of recipient 0");
}
END_TEST

/* What comes next would get a number that is taken. */
START_TEST(verify__finds_last_numbers_that_are_passed)
{
	struct meta_record meta = {.messages = 1, .bytes = 5000};
	uint8_t at[16], record[RECORD_SMALL_MAX];

	damage(TABLE_META, at, key_meta(at), record,
	       record_encode_meta(record, sizeof(record), &meta));
	expect("message: the last id given is passed");
	expect("history: the last id given is passed");
	expect("destination 1 is beyond the last number given");
}
END_TEST

START_TEST(verify__finds_damaged_history)
{
	struct history_row row;
	uint64_t before = 0;
	size_t n = 1;

	ck_assert_int_eq(history_read(reader, &before, &arena, &row, &n), 0);
	key_id(key, before);
	damage(TABLE_HISTORY, key, KEY_ID, "x", 1);
	expect("history that cannot be read");
	ck_assert_uint_eq(problems(), 1);
}
END_TEST

static void start_upload(struct job_part *p)
{
	*p = (struct job_part){.job.kind = JOB_PART, .id_at = SIZE_MAX};
	fill_body(&p->body, 2 * CHUNK_SIZE, 1);
	run(&p->job);
	buf_done(&p->body);
}

START_TEST(verify__finds_an_upload_of_other_length)
{
	uint8_t record[RECORD_SMALL_MAX];
	struct job_part p;

	start_upload(&p);
	key_id(key, p.up.id);
	damage(TABLE_INCOMING, key, KEY_ID, record,
	       record_encode_chunks(record, sizeof(record), (uint32_t)_i));
	if (_i == 2) { /* as it is */
		ck_assert_uint_eq(problems(), 0);
		return;
	}
	expect("a row in incoming that its chunks do not bear out");
	ck_assert_uint_eq(problems(), 1);
}
END_TEST

/* Its content would be taken away from under it. */
START_TEST(verify__finds_a_message_that_is_to_be_swept)
{
	uint8_t record[RECORD_SMALL_MAX];

	key_id(key, id);
	damage(_i ? TABLE_SWEEP : TABLE_INCOMING, key, KEY_ID, record,
	       record_encode_chunks(record, sizeof(record), 2));
	expect("the message is there");
	ck_assert_uint_eq(problems(), 1);
}
END_TEST

/* A mark of an import, and the same in the order of time. */
static const uint8_t mark[] = "i"
			      "IDIDIDID"
			      "SUM.";
static const uint8_t marked[] = "\1"
				"TIMETIME"
				"ID HERE.";
static const uint8_t at_time[] = "j"
				 "TIMETIME"
				 "IDIDIDID"
				 "SUM.";

START_TEST(verify__finds_half_a_mark_of_an_import)
{
	damage(TABLE_META, mark, sizeof(mark) - 1, marked, sizeof(marked) - 1);
	expect("a mark of an import without its other half");
	ck_assert_uint_eq(problems(), 1);
	damage(TABLE_META, at_time, sizeof(at_time) - 1, "\1", 1);
	ck_assert_uint_eq(problems(), 0);
	damage(TABLE_META, mark, sizeof(mark) - 1, NULL, 0);
	ck_assert_uint_eq(problems(), 1);
}
END_TEST

START_TEST(verify__uploads_are_no_problem)
{
	struct job_part p;

	start_upload(&p);
	ck_assert_uint_eq(problems(), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("verify");
	TCase *t = tcase_create("verify");

	tcase_add_checked_fixture(t, setup_three, teardown);
	tcase_add_test(t, verify__sound_queue_is_counted);
	tcase_add_test(t, verify__more_rows_than_a_page_are_all_seen);
	tcase_add_test(t, verify__finds_a_missing_chunk);
	tcase_add_test(t, verify__finds_a_changed_octet);
	tcase_add_test(t, verify__finds_a_chunk_too_many);
	tcase_add_test(t, verify__finds_chunks_of_nobody);
	tcase_add_test(t, verify__finds_a_missing_recipient);
	tcase_add_test(t, verify__finds_a_damaged_recipient);
	tcase_add_test(t, verify__finds_a_recipient_too_many);
	tcase_add_test(t, verify__finds_a_missing_due_row);
	tcase_add_test(t, verify__finds_a_due_row_of_nobody);
	tcase_add_test(t, verify__finds_a_missing_age_row);
	tcase_add_test(t, verify__finds_an_age_row_of_nobody);
	tcase_add_test(t, verify__finds_an_expire_row_of_nobody);
	tcase_add_test(t, verify__finds_a_damaged_message);
	tcase_add_test(t, verify__finds_a_message_gone_from_under_its_rows);
	tcase_add_test(t, verify__finds_a_wrong_counter);
	tcase_add_test(t, verify__finds_a_missing_destination);
	tcase_add_test(t, verify__finds_a_name_that_leads_elsewhere);
	tcase_add_test(t, verify__finds_a_missing_name);
	tcase_add_test(t, verify__finds_a_name_of_nothing);
	tcase_add_test(t, verify__finds_a_recipient_of_another_domain);
	tcase_add_test(t, verify__finds_last_numbers_that_are_passed);
	tcase_add_test(t, verify__finds_damaged_history);
	tcase_add_loop_test(t, verify__finds_an_upload_of_other_length, 0, 4);
	tcase_add_loop_test(t, verify__finds_a_message_that_is_to_be_swept, 0,
			    2);
	tcase_add_test(t, verify__finds_half_a_mark_of_an_import);
	tcase_add_test(t, verify__uploads_are_no_problem);
	suite_add_tcase(s, t);
	return run_suite(s);
}
