/*
 * Random jobs against a model in memory: whatever the order, counters,
 * states, rows and contents are what the model says, also after a restart.
 */
#include "fixture.h"

#include "mxhold/base/random.h"

enum {
	MESSAGES = 60,
	STEPS = 1500,
	DOMAINS = 4,
};

struct model {
	uint64_t id; /* 0 = not there */
	size_t size;
	unsigned seed;
	bool held;
	int64_t due[DOMAINS];   /* when an open recipient is there */
	bool open[DOMAINS][2];  /* recipient "u" and "v" of each domain */
	uint16_t n[DOMAINS][2]; /* their numbers */
};

static const char *const domains[DOMAINS] = {"a.test", "b.test", "c.test",
					     "d.test"};
static const char *const locals[2] = {"u", "v"};
static struct model model[MESSAGES];
static int64_t now;

static bool is_open(const struct model *m, int d)
{
	return m->open[d][0] || m->open[d][1];
}

static bool is_alive(const struct model *m)
{
	for (int d = 0; d < DOMAINS; d++) {
		if (m->id && is_open(m, d))
			return true;
	}
	return false;
}

static struct model *pick(bool alive)
{
	for (int tries = 0; tries < 200; tries++) {
		struct model *m = &model[random_below(MESSAGES)];

		if (is_alive(m) == alive)
			return m;
	}
	return NULL;
}

/* --- steps ------------------------------------------------------------- */

static void add_rcpts(struct model *m, struct mail *mail)
{
	uint16_t n = 0;

	for (int d = 0; d < DOMAINS; d++) {
		for (int k = 0; k < 2; k++) {
			if (random_below(3) && !(n == 0 && d == DOMAINS - 1))
				continue;
			mail_rcpt(mail, locals[k], domains[d]);
			m->open[d][k] = true;
			m->n[d][k] = n++;
			m->due[d] = now;
		}
	}
}

static void put_parts(struct mail *mail, struct model *m)
{
	struct job_part p = {.job.kind = JOB_PART, .id_at = SIZE_MAX};
	struct slice all = buf_slice(&mail->add.body);
	size_t n = m->size / CHUNK_SIZE / 2 * CHUNK_SIZE;

	if (n == 0)
		return;
	buf_init(&p.body, 1 << 30);
	buf_append(&p.body, all.p, n);
	ck_assert_int_eq(run(&p.job), STORE_OK);
	buf_consume(&mail->add.body, n);
	mail->add.up = p.up;
	buf_done(&p.body);
}

static void step_add(void)
{
	struct model *m = pick(false);
	struct mail mail;

	if (!m)
		return;
	memset(m, 0, sizeof(*m));
	m->size = random_below(5) ? random_below(9000) : random_below(200000);
	m->seed = (unsigned)random_u64();
	mail_init(&mail, m->size, m->seed);
	mail.env.arrived_at_ms = now;
	mail.add.expire_ms = random_below(2) ? now + 1000 : 0;
	mail.add.hold = m->held = random_below(8) == 0;
	add_rcpts(m, &mail);
	if (random_below(3) == 0)
		put_parts(&mail, m);
	ck_assert_int_eq(run(&mail.add.job), STORE_OK);
	m->id = mail.add.up.id;
	mail_done(&mail);
}

static void settle_rcpts(struct model *m, int d, struct job_settle *j)
{
	bool deferred = false;

	for (int k = 0; k < 2; k++) {
		struct settle_rcpt *r = &j->rcpts[j->n_rcpts];

		if (!m->open[d][k] || random_below(5) == 0)
			continue;
		memset(r, 0, sizeof(*r));
		r->n = m->n[d][k];
		r->what = (enum settle)random_below(3);
		strcpy(r->reply, "450 or what it was");
		j->n_rcpts++;
		m->open[d][k] = r->what == SETTLE_DEFERRED;
		deferred |= m->open[d][k];
	}
	if (deferred)
		m->due[d] = j->next_attempt_ms = now + 1 + random_below(500);
}

static void step_settle(void)
{
	static struct settle_rcpt rcpts[2];
	struct model *m = pick(true);
	int d = (int)random_below(DOMAINS);
	struct job_settle j = {.job.kind = JOB_SETTLE,
			       .rcpts = rcpts,
			       .now_ms = now,
			       .count_attempt = random_below(2)};

	if (!m || !is_open(m, d))
		return;
	j.id = m->id;
	j.dest = dest_of(domains[d]);
	settle_rcpts(m, d, &j);
	ck_assert_int_eq(run(&j.job), STORE_OK);
	ck_assert(j.gone == !is_alive(m));
	if (j.gone)
		ck_assert(is_gone(m->id));
}

static void change_model(struct model *m, enum change change)
{
	if (change == CHANGE_DELETE) {
		m->id = 0;
		return;
	}
	if (change == CHANGE_HOLD || change == CHANGE_BOUNCE) {
		m->held = true;
		return;
	}
	if (change == CHANGE_RELEASE)
		m->held = false;
	for (int d = 0; d < DOMAINS; d++)
		m->due[d] = now;
}

static void step_change(void)
{
	static const enum change changes[] = {CHANGE_HOLD, CHANGE_RELEASE,
					      CHANGE_RETRY, CHANGE_DELETE,
					      CHANGE_BOUNCE};
	struct job_change c = {.job.kind = JOB_CHANGE, .now_ms = now};
	struct model *picked[5] = {NULL};

	c.change = changes[random_below(5)];
	while (c.n < 5) {
		struct model *m = pick(true);

		if (!m)
			break;
		picked[c.n] = m;
		c.ids[c.n++] = m->id;
	}
	ck_assert_int_eq(run(&c.job), STORE_OK);
	for (size_t i = 0; i < c.n; i++) {
		if (c.done[i] && picked[i])
			change_model(picked[i], c.change);
	}
}

/* --- the comparison ---------------------------------------------------- */

static void compare_message(const struct model *m)
{
	struct queue_message q = get(m->id);
	int64_t next = 0;

	ck_assert_uint_eq(q.size, m->size);
	ck_assert(m->held == (q.state == QUEUE_HELD));
	for (int d = 0; d < DOMAINS; d++) {
		for (int k = 0; k < 2; k++) {
			if (m->open[d][k])
				ck_assert_int_eq(q.rcpts[m->n[d][k]].state,
						 RCPT_PENDING);
		}
		if (!m->held && is_open(m, d) &&
		    (next == 0 || m->due[d] < next))
			next = m->due[d];
	}
	ck_assert_int_eq(q.next_attempt_ms, next);
}

static void compare_content(const struct model *m)
{
	struct buf want, have;
	uint32_t next = 0;

	fill_body(&want, m->size, m->seed);
	buf_init(&have, 1 << 20);
	do
		ck_assert_int_eq(
			reader_body(reader, m->id, next, 7, &have, &next), 0);
	while (next);
	ck_assert(slice_eq(buf_slice(&want), buf_slice(&have)));
	buf_done(&want);
	buf_done(&have);
}

static void compare_dest(int d)
{
	struct queue_counts c = {0}, want = {0};
	uint32_t dest;

	for (int i = 0; i < MESSAGES; i++) {
		if (!model[i].id || !is_open(&model[i], d))
			continue;
		want.messages++;
		want.bytes += model[i].size;
	}
	if (reader_dest_find(reader, DEST_DOMAIN, domains[d], &dest) == 0)
		c = counts_of(domains[d]);
	ck_assert_uint_eq(c.messages, want.messages);
	ck_assert_uint_eq(c.bytes, want.bytes);
}

static void compare_all(void)
{
	struct queue_counts all = counts(), want = {0};

	for (int i = 0; i < MESSAGES; i++) {
		if (!is_alive(&model[i]))
			continue;
		want.messages++;
		want.bytes += model[i].size;
		compare_message(&model[i]);
		compare_content(&model[i]);
	}
	ck_assert_uint_eq(all.messages, want.messages);
	ck_assert_uint_eq(all.bytes, want.bytes);
	for (int d = 0; d < DOMAINS; d++)
		compare_dest(d);
	check_whole();
	arena_reset(&arena);
}

START_TEST(property__random_jobs_do_what_the_model_says)
{
	random_seed((uint64_t)_i + 1);
	memset(model, 0, sizeof(model));
	now = T0;
	for (int i = 0; i < STEPS; i++) {
		now += random_below(3);
		switch (random_below(10)) {
		case 0:
		case 1:
		case 2:
		case 3:
			step_add();
			break;
		case 4:
			step_change();
			break;
		default:
			step_settle();
		}
		if (i % 100 == 99)
			compare_all();
		if (i % 500 == 499)
			test_reopen();
	}
	compare_all();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("property");
	TCase *t = tcase_create("property");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 100);
	tcase_add_loop_test(t, property__random_jobs_do_what_the_model_says, 0,
			    4);
	suite_add_tcase(s, t);
	return run_suite(s);
}
