/*
 * A store in a folder of its own, a writer without a thread, a reader, and
 * short ways to put messages in and look at them.
 */
#ifndef TESTS_STORAGE_FIXTURE_H
#define TESTS_STORAGE_FIXTURE_H

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mxhold/base/attr.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/text.h"
#include "mxhold/storage/history.h"
#include "mxhold/storage/reader.h"
#include "mxhold/storage/store.h"
#include "mxhold/storage/tables.h"
#include "mxhold/storage/verify.h"
#include "mxhold/storage/writer.h"

enum {
	T0 = 1000000, /* when test messages arrive, wall milliseconds */
	TEST_MAP = 64 << 20,
};

static char test_dir[64];
static struct store_options test_options;
static struct store *store;
static struct writer *writer;
static struct reader *reader;
static struct arena arena;
static unsigned n_reported;

static void test_make_dir(void)
{
	const char *base = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";

	snprintf(test_dir, sizeof(test_dir), "%s/mxtest.XXXXXX", base);
	ck_assert_ptr_nonnull(mkdtemp(test_dir));
}

static int test_remove_one(const char *path, const struct stat *st, int type,
			   struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void test_remove_dir(void)
{
	nftw(test_dir, test_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_open(void)
{
	struct error err = {0};

	ck_assert_msg(store_open(&store, &test_options, &err) == 0, "%s",
		      err.text);
	writer = writer_new(store);
	ck_assert_ptr_nonnull(writer);
	reader = reader_new(store);
	ck_assert_ptr_nonnull(reader);
}

static void test_close(void)
{
	reader_free(reader);
	writer_stop(writer);
	store_close(store);
	store = NULL;
}

/* As after a crash: what was not committed is gone. */
MX_UNUSED static void test_reopen(void)
{
	test_close();
	test_open();
}

MX_UNUSED static void setup(void)
{
	test_make_dir();
	test_options = (struct store_options){.state_dir = test_dir,
					      .map_size = TEST_MAP};
	arena_init(&arena, 64 << 20);
	n_reported = 0;
	test_open();
}

MX_UNUSED static void teardown(void)
{
	if (store)
		test_close();
	arena_done(&arena);
	test_remove_dir();
}

static void on_report(struct job *job)
{
	(void)job;
	n_reported++;
}

/* Runs all that waits, and the sweeping. */
MX_UNUSED static void run_all(void)
{
	while (writer_run_batch(writer) > 0)
		continue;
	for (int i = 0; i < 100; i++)
		writer_run_batch(writer);
}

MX_UNUSED static enum store_result run(struct job *job)
{
	job->report = on_report;
	job->result = (enum store_result)99;
	writer_submit(writer, job);
	while (writer_run_batch(writer) > 0)
		continue;
	return job->result;
}

/* --- messages ---------------------------------------------------------- */

/* A message to be put, with all that it needs to stay alive. */
struct mail {
	struct job_add add;
	struct envelope env;
	struct recipient rcpts[8];
	char addresses[8][64];
};

/* Content of n octets that differ from message to message. */
static void fill_body(struct buf *b, size_t n, unsigned seed)
{
	uint32_t x = seed * 2654435761u + 1;

	buf_init(b, 1 << 30);
	ck_assert_int_eq(buf_reserve(b, n ? n : 1), 0);
	for (size_t i = 0; i < n; i++) {
		char c;

		x = x * 1664525u + 1013904223u;
		c = (char)(x >> 24);
		buf_append(b, &c, 1);
	}
}

MX_UNUSED static void mail_init(struct mail *m, size_t size, unsigned seed)
{
	memset(m, 0, sizeof(*m));
	m->add.job.kind = JOB_ADD;
	m->add.job.report = on_report;
	m->add.id_at = SIZE_MAX;
	m->add.env = &m->env;
	m->add.message_id = SLICE("<one@sender.test>");
	fill_body(&m->add.body, size, seed);
	m->env.sender = SLICE("sender@sender.test");
	m->env.rcpts = m->rcpts;
	m->env.arrived_at_ms = T0;
}

MX_UNUSED static void mail_rcpt(struct mail *m, const char *local,
				const char *domain)
{
	size_t i = m->env.n_rcpts++;

	snprintf(m->addresses[i], sizeof(m->addresses[i]), "%s@%s", local,
		 domain);
	m->rcpts[i].address = slice_str(m->addresses[i]);
	m->rcpts[i].domain = slice_str(domain);
}

MX_UNUSED static void mail_done(struct mail *m)
{
	buf_done(&m->add.body);
}

/* One recipient, u@a.test; its id. */
MX_UNUSED static uint64_t put_mail(size_t size)
{
	struct mail m;

	mail_init(&m, size, 1);
	mail_rcpt(&m, "u", "a.test");
	ck_assert_int_eq(run(&m.add.job), STORE_OK);
	mail_done(&m);
	return m.add.up.id;
}

/* u@a.test, v@a.test and w@b.test; its id. */
MX_UNUSED static uint64_t put_three(void)
{
	struct mail m;

	mail_init(&m, 5000, 3);
	mail_rcpt(&m, "u", "a.test");
	mail_rcpt(&m, "v", "a.test");
	mail_rcpt(&m, "w", "b.test");
	ck_assert_int_eq(run(&m.add.job), STORE_OK);
	mail_done(&m);
	return m.add.up.id;
}

MX_UNUSED static uint32_t dest_of(const char *domain)
{
	uint32_t dest = 0;

	ck_assert_int_eq(reader_dest_find(reader, DEST_DOMAIN, domain, &dest),
			 0);
	return dest;
}

MX_UNUSED static struct queue_message get(uint64_t id)
{
	struct queue_message m;

	ck_assert_int_eq(reader_message(reader, id, &arena, &m), 0);
	return m;
}

MX_UNUSED static bool is_gone(uint64_t id)
{
	struct queue_message m;

	return reader_message(reader, id, &arena, &m) == 1;
}

MX_UNUSED static size_t count_due(const char *domain, int64_t until_ms)
{
	struct due_row rows[64];
	size_t n = 64;

	reader_due(reader, dest_of(domain), 0, 0, until_ms, rows, &n);
	return n;
}

MX_UNUSED static struct queue_counts counts_of(const char *domain)
{
	struct queue_counts c;

	ck_assert_int_eq(reader_dest_counts(reader, dest_of(domain), &c), 0);
	return c;
}

MX_UNUSED static struct queue_counts counts(void)
{
	struct queue_counts c;

	ck_assert_int_eq(reader_counts(reader, &c), 0);
	return c;
}

/* --- the whole --------------------------------------------------------- */

static void print_problem(void *data, const char *what)
{
	(void)data;
	fprintf(stderr, "verify: %s\n", what);
}

MX_UNUSED static void check_whole(void)
{
	struct verify_result v;

	ck_assert_int_eq(verify_queue(store, &v, print_problem, NULL), 0);
	ck_assert_uint_eq(v.problems, 0);
}

MX_UNUSED static size_t rows_in(enum table table)
{
	MDB_txn *txn;
	MDB_stat st;

	ck_assert_int_eq(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn), 0);
	ck_assert_int_eq(mdb_stat(txn, store->dbi[table], &st), 0);
	mdb_txn_abort(txn);
	return st.ms_entries;
}

/* Changes one row behind everybody's back; v NULL = removes it. */
MX_UNUSED static void damage(enum table table, const void *k, size_t kn,
			     const void *v, size_t vn)
{
	MDB_val key = env_val(k, kn), val = env_val(v, vn);
	MDB_txn *txn;

	ck_assert_int_eq(mdb_txn_begin(store->env, NULL, 0, &txn), 0);
	if (v)
		ck_assert_int_eq(mdb_put(txn, store->dbi[table], &key, &val, 0),
				 0);
	else
		ck_assert_int_eq(mdb_del(txn, store->dbi[table], &key, NULL),
				 0);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
}

/* --- history ----------------------------------------------------------- */

MX_UNUSED static size_t history_of(uint64_t id, enum history_what what)
{
	struct history_row rows[512];
	uint64_t before = 0;
	size_t n = 512, found = 0;

	history_read(reader, &before, &arena, rows, &n);
	for (size_t i = 0; i < n; i++)
		found += rows[i].id == id && rows[i].what == what;
	return found;
}

/* --- suites ------------------------------------------------------------ */

static unsigned panics; /* see on_panic */

MX_UNUSED static void on_panic(const char *why)
{
	ck_assert_ptr_nonnull(why);
	panics++;
}

/* LMDB writes its meta page through a descriptor of its own: break that. */
MX_UNUSED static void break_meta_page(void)
{
	int null = open("/dev/null", O_RDONLY), found = 0;

	ck_assert_int_ge(null, 0);
	for (int fd = 3; fd < 64; fd++) {
		int flags = fcntl(fd, F_GETFL);

		if (flags >= 0 && (flags & O_DSYNC)) {
			ck_assert_int_eq(dup2(null, fd), fd);
			found++;
		}
	}
	ck_assert_int_eq(found, 1);
}

static int run_suite(Suite *s)
{
	SRunner *r = srunner_create(s);
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}

#endif
