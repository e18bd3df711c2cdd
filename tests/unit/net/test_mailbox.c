#include "mxhold/net/mailbox.h"

#include <pthread.h>

#include "mxhold/base/mem.h"
#include "unit/base/suite.h"

enum {
	POSTERS = 4,
	NOTES = 5000
};

struct note {
	struct mpsc_node node;
	int from, n;
};

struct reader {
	struct loop *loop;
	struct mailbox *box;
	int next[POSTERS];
	int seen, stop_at, free_at;
	bool in_order;
};

static void on_note(void *data, struct mpsc_node *node)
{
	struct reader *r = data;
	struct note *n = MX_CONTAINER_OF(node, struct note, node);
	if (r->next[n->from]++ != n->n)
		r->in_order = false;
	mem_free(n);
	r->seen++;
	if (r->seen == r->free_at)
		mailbox_free(r->box);
	if (r->seen == r->stop_at)
		loop_stop(r->loop);
}

static void open_reader(struct reader *r)
{
	memset(r, 0, sizeof(*r));
	r->in_order = true;
	r->loop = loop_new(NULL);
	r->box = mailbox_new(r->loop, on_note, r);
}

static void post(struct reader *r, int from, int n)
{
	struct note *note = mem_alloc(sizeof(*note));
	note->from = from;
	note->n = n;
	mailbox_post(r->box, &note->node);
}

START_TEST(mailbox__delivers_in_the_order_of_posting)
{
	struct reader r;
	open_reader(&r);
	for (int i = 0; i < 10; i++)
		post(&r, 0, i);
	ck_assert_int_eq(r.seen, 0); /* not within the call */
	r.stop_at = 10;
	loop_run(r.loop);
	ck_assert(r.in_order);
	mailbox_free(r.box);
	loop_free(r.loop);
}
END_TEST

START_TEST(mailbox__wakes_the_loop_for_a_single_note)
{
	struct reader r;
	open_reader(&r);
	for (int i = 0; i < 3; i++) {
		r.stop_at = i + 1;
		post(&r, 0, i);
		loop_run(r.loop);
		ck_assert_int_eq(r.seen, i + 1);
	}
	mailbox_free(r.box);
	loop_free(r.loop);
}
END_TEST

struct poster {
	struct reader *r;
	int from;
};

static void *post_many(void *data)
{
	struct poster *p = data;
	for (int i = 0; i < NOTES; i++)
		post(p->r, p->from, i);
	return NULL;
}

START_TEST(mailbox__takes_notes_from_many_threads)
{
	struct reader r;
	struct poster p[POSTERS];
	pthread_t t[POSTERS];
	open_reader(&r);
	r.stop_at = POSTERS * NOTES;
	for (int i = 0; i < POSTERS; i++) {
		p[i] = (struct poster){&r, i};
		pthread_create(&t[i], NULL, post_many, &p[i]);
	}
	loop_run(r.loop);
	for (int i = 0; i < POSTERS; i++)
		pthread_join(t[i], NULL);
	ck_assert_int_eq(r.seen, POSTERS * NOTES);
	ck_assert(r.in_order);
	mailbox_free(r.box);
	loop_free(r.loop);
}
END_TEST

START_TEST(mailbox__delivers_what_is_left_when_freed)
{
	struct reader r;
	open_reader(&r);
	for (int i = 0; i < 5; i++)
		post(&r, 0, i);
	mailbox_free(r.box);
	ck_assert_int_eq(r.seen, 5);
	ck_assert(r.in_order);
	loop_free(r.loop);
}
END_TEST

START_TEST(mailbox__may_be_freed_by_a_note)
{
	struct reader r;
	open_reader(&r);
	for (int i = 0; i < 5; i++)
		post(&r, 0, i);
	r.free_at = 2;
	r.stop_at = 5;
	loop_run(r.loop);
	ck_assert_int_eq(r.seen, 5);
	ck_assert(r.in_order);
	mailbox_free(NULL);
	loop_free(r.loop);
}
END_TEST

int main(void)
{
	return RUN_TESTS("mailbox",
			 TEST(mailbox__delivers_in_the_order_of_posting),
			 TEST(mailbox__wakes_the_loop_for_a_single_note),
			 TEST(mailbox__takes_notes_from_many_threads),
			 TEST(mailbox__delivers_what_is_left_when_freed),
			 TEST(mailbox__may_be_freed_by_a_note));
}
