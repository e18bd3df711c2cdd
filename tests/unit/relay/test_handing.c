/* Jobs on their way to the writer: which go together. */
#include "mxhold/net/mailbox.h"
#include "unit/relay/steps.h"

enum {
	T0 = 1000000 /* ms */
};

struct fixture {
	struct rig rig;
	struct relay relay; /* parts only */
	struct handing *handing;
	struct mailbox *mailbox;
};

struct task {
	struct job_call job;
	struct fixture *f;
	atomic_bool begun, open; /* a gate of its own, where one is wanted */
	unsigned turn;           /* of the writer's, from 1 on */
	bool back;
};

static unsigned turns; /* the writer's thread alone */

static void on_note(void *data, struct mpsc_node *note)
{
	struct job *job = MX_CONTAINER_OF(note, struct job, node);
	struct fixture *f = data;

	((struct task *)job->data)->back = true;
	handing_done(f->handing);
}

static void fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	rig_init(&f->rig, "");
	f->relay.parts.loop = f->rig.loop;
	f->relay.parts.writer = f->rig.writer;
	f->handing = handing_new(&f->relay);
	f->mailbox = mailbox_new(f->rig.loop, on_note, f);
	clock_fake(T0, T0);
}

static void fixture_done(struct fixture *f)
{
	clock_fake_off();
	handing_free(f->handing);
	mailbox_free(f->mailbox);
	rig_done(&f->rig);
}

static enum store_result call(struct job_call *c, void *txn, struct store *s)
{
	struct task *t = c->arg;

	(void)txn;
	(void)s;
	t->turn = ++turns;
	atomic_store(&t->begun, true);
	while (!atomic_load(&t->open))
		usleep(500);
	return STORE_OK;
}

static void on_report(struct job *job)
{
	struct task *t = job->data;

	mailbox_post(t->f->mailbox, &job->node);
}

static void fill(struct fixture *f, struct task *t, bool open)
{
	memset(t, 0, sizeof(*t));
	t->f = f;
	t->job.job.kind = JOB_CALL;
	t->job.job.report = on_report;
	t->job.job.data = t;
	t->job.call = call;
	t->job.arg = t;
	atomic_store(&t->open, open);
}

static void submit(struct fixture *f, struct task *t, bool open)
{
	fill(f, t, open);
	handing_submit(f->handing, &t->job.job);
}

static struct task *watched_task;

static bool is_back(struct rig *r)
{
	(void)r;
	return watched_task->back;
}

static bool has_begun(struct rig *r)
{
	(void)r;
	return atomic_load(&watched_task->begun);
}

static void until(struct fixture *f, bool (*what)(struct rig *r),
		  struct task *t)
{
	watched_task = t;
	rig_until(&f->rig, what);
}

/* A job that takes so long. */
static void teach(struct fixture *f, int ms)
{
	struct task t;

	submit(f, &t, false);
	until(f, has_begun, &t);
	clock_fake(T0 + ms, T0);
	atomic_store(&t.open, true);
	until(f, is_back, &t);
}

static bool is_over(struct rig *r)
{
	return r->wanted-- == 0;
}

/* Turns the loop for a while, in which nothing is to happen. */
static void turn(struct fixture *f)
{
	f->rig.wanted = 5;
	rig_until(&f->rig, is_over);
}

START_TEST(handing__waits_for_nobody_where_commits_are_quick)
{
	struct handing_end end = {.at_us = 0};
	struct fixture f;
	struct task t;

	fixture_init(&f);
	teach(&f, 1);
	handing_expect(f.handing, &end);
	submit(&f, &t, true);
	until(&f, is_back, &t);
	handing_heard(f.handing, &end);
	fixture_done(&f);
}
END_TEST

START_TEST(handing__waits_for_a_reply_on_its_way_where_commits_are_slow)
{
	struct handing_end end = {.at_us = 0}, other = {.at_us = 0};
	struct fixture f;
	struct task t;

	fixture_init(&f);
	teach(&f, 100);
	handing_expect(f.handing, &end);
	handing_expect(f.handing, &other);
	submit(&f, &t, true);
	turn(&f);
	handing_heard(f.handing, &end);
	handing_heard(f.handing, &end); /* twice is once */
	turn(&f);
	ck_assert(!atomic_load(&t.begun));
	handing_heard(f.handing, &other);
	until(&f, is_back, &t);
	fixture_done(&f);
}
END_TEST

START_TEST(handing__waits_no_longer_than_half_a_commit)
{
	struct handing_end end = {.at_us = 0};
	struct fixture f;
	struct task t;

	fixture_init(&f);
	teach(&f, 30);
	handing_expect(f.handing, &end);
	submit(&f, &t, true);
	turn(&f);
	ck_assert(!atomic_load(&t.begun));
	clock_fake(T0 + 30 + 16, T0);
	until(&f, is_back, &t);
	handing_heard(f.handing, &end);
	fixture_done(&f);
}
END_TEST

START_TEST(handing__does_not_wait_for_a_reply_that_is_late)
{
	struct handing_end end = {.at_us = 0};
	struct fixture f;
	struct task t;

	fixture_init(&f);
	teach(&f, 100);
	handing_expect(f.handing, &end);
	clock_fake(T0 + 100 + 100, T0);
	submit(&f, &t, true);
	until(&f, is_back, &t);
	handing_heard(f.handing, &end);
	fixture_done(&f);
}
END_TEST

/* What comes meanwhile goes behind it, with those who waited for it. */
START_TEST(handing__gives_one_batch_at_a_time_where_commits_are_slow)
{
	struct task under_way, waits, other;
	struct fixture f;

	fixture_init(&f);
	teach(&f, 100);
	submit(&f, &under_way, false);
	until(&f, has_begun, &under_way);
	fill(&f, &other, true);
	submit(&f, &waits, true);
	turn(&f);
	writer_submit(f.rig.writer, &other.job.job);
	atomic_store(&under_way.open, true);
	until(&f, is_back, &waits);
	until(&f, is_back, &other);
	ck_assert_uint_gt(waits.turn, other.turn);
	fixture_done(&f);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"handing",
		TEST(handing__waits_for_nobody_where_commits_are_quick),
		TEST(handing__waits_for_a_reply_on_its_way_where_commits_are_slow),
		TEST(handing__waits_no_longer_than_half_a_commit),
		TEST(handing__does_not_wait_for_a_reply_that_is_late),
		TEST(handing__gives_one_batch_at_a_time_where_commits_are_slow));
}
