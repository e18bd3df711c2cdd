#include "mxhold/base/mpsc.h"

#include <signal.h>
#include <stdint.h>

#include "mxhold/base/attr.h"
#include "unit/base/suite.h"

struct note {
	struct mpsc_node node;
	int from, number;
};

START_TEST(mpsc__gives_all_notes_oldest_first)
{
	struct note a = {.number = 1}, b = {.number = 2};
	struct mpsc_node *got;
	struct mpsc q;

	mpsc_init(&q);
	ck_assert_ptr_null(mpsc_take(&q));
	ck_assert(mpsc_push(&q, &a.node));
	ck_assert(!mpsc_push(&q, &b.node));
	got = mpsc_take(&q);
	ck_assert_ptr_eq(got, &a.node);
	ck_assert_ptr_eq(got->next, &b.node);
	ck_assert_ptr_null(got->next->next);
	ck_assert_ptr_null(mpsc_take(&q));
	ck_assert(mpsc_push(&q, &a.node)); /* empty: wake the consumer */
	mpsc_take(&q);
	mpsc_done(&q);
}
END_TEST

enum {
	PRODUCERS = 4,
	NOTES = 5000
};

static struct mpsc shared;
static struct note notes[PRODUCERS][NOTES];

static void *produce(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (int i = 0; i < NOTES; i++) {
		notes[me][i] = (struct note){.from = me, .number = i};
		mpsc_push(&shared, &notes[me][i].node);
	}
	return NULL;
}

START_TEST(mpsc__loses_nothing_and_keeps_each_producers_order)
{
	int next[PRODUCERS] = {0}, total = 0;
	pthread_t threads[PRODUCERS];

	mpsc_init(&shared);
	for (int i = 0; i < PRODUCERS; i++)
		pthread_create(&threads[i], NULL, produce, (void *)(intptr_t)i);
	while (total < PRODUCERS * NOTES) {
		struct mpsc_node *it = mpsc_wait(&shared), *after;

		ck_assert_ptr_nonnull(it);
		for (; it; it = after, total++) {
			struct note *n = MX_CONTAINER_OF(it, struct note, node);

			after = it->next;
			ck_assert_int_eq(n->number, next[n->from]++);
		}
	}
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	mpsc_done(&shared);
}
END_TEST

static void *consume_to_the_end(void *arg)
{
	intptr_t seen = 0;
	struct mpsc_node *it;

	(void)arg;
	while ((it = mpsc_wait(&shared)))
		for (; it; it = it->next)
			seen++;
	return (void *)seen;
}

START_TEST(mpsc__close_wakes_the_consumer_after_the_last_note)
{
	struct note a = {0}, b = {0};
	pthread_t consumer;
	void *seen;

	mpsc_init(&shared);
	pthread_create(&consumer, NULL, consume_to_the_end, NULL);
	mpsc_push(&shared, &a.node);
	mpsc_close(&shared);
	pthread_join(consumer, &seen);
	ck_assert_int_eq((intptr_t)seen, 1);
	mpsc_push(&shared, &b.node); /* still works */
	ck_assert_ptr_eq(mpsc_wait(&shared), &b.node);
	ck_assert_ptr_null(mpsc_wait(&shared));
	mpsc_done(&shared);
}
END_TEST

START_TEST(mpsc__dies_when_it_ends_with_notes_inside)
{
	struct note a = {0};
	struct mpsc q;

	mpsc_init(&q);
	mpsc_push(&q, &a.node);
	mpsc_done(&q);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"mpsc", TEST(mpsc__gives_all_notes_oldest_first),
		TEST(mpsc__loses_nothing_and_keeps_each_producers_order),
		TEST(mpsc__close_wakes_the_consumer_after_the_last_note),
		DIES(mpsc__dies_when_it_ends_with_notes_inside, SIGABRT));
}
