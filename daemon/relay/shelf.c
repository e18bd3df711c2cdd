#include "mxhold/relay/shelf.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/net/digest.h"
#include "mxhold/net/timer.h"

enum {
	NO_SEAT_MS = 1000, /* the store had no reader left: ask again */
	SLOW_US = 1000     /* a read that took so long waited for the disk */
};

struct shelf {
	struct loop *loop;
	struct store *store;
	struct directory *directory;
	struct list free_seats, waiting;
	size_t n_seats, n_busy;
	bool is_slow; /* what was read last was not in memory */
	struct timer *turn;
};

static void serve(struct shelf *s);

static void on_turn(void *data)
{
	serve(data);
}

struct shelf *shelf_new(struct loop *l, struct store *store,
			struct directory *directory)
{
	struct shelf *s = mem_alloc(sizeof(*s));

	s->loop = l;
	s->store = store;
	s->directory = directory;
	list_init(&s->free_seats);
	list_init(&s->waiting);
	s->turn = timer_new(l, on_turn, s);
	return s;
}

static struct shelf_seat *new_seat(struct shelf *s)
{
	struct shelf_seat *seat;
	struct reader *reader = reader_new(s->store);

	if (!reader)
		return NULL;
	seat = mem_alloc(sizeof(*seat));
	seat->shelf = s;
	list_init(&seat->tasks);
	seat->reader = reader;
	seat->directory = directory_reader_new(s->directory, digest_sha256);
	s->n_seats++;
	return seat;
}

static struct shelf_seat *take_seat(struct shelf *s)
{
	struct list *item = s->free_seats.next;

	if (!list_empty(&s->free_seats)) {
		list_remove(item);
		return MX_CONTAINER_OF(item, struct shelf_seat, item);
	}
	return s->n_seats < SHELF_SEATS ? new_seat(s) : NULL;
}

/* On a thread of the pool. */
static void on_work(void *data)
{
	struct shelf_seat *seat = data;
	int64_t from_us = clock_mono_us();

	LIST_FOR_EACH (it, &seat->tasks) {
		struct shelf_task *task =
			MX_CONTAINER_OF(it, struct shelf_task, item);

		task->fn(task->data, seat);
	}
	seat->took_us = clock_mono_us() - from_us;
}

/* The owner may submit again, or be gone, as soon as it is told. */
static void on_done(void *data)
{
	struct shelf_seat *seat = data;
	struct shelf *s = seat->shelf;
	struct list done;

	list_init(&done);
	list_move(&done, &seat->tasks);
	s->is_slow = seat->took_us > (int64_t)seat->n * SLOW_US;
	seat->n = 0;
	list_append(&s->free_seats, &seat->item);
	s->n_busy--;
	serve(s);
	while (!list_empty(&done)) {
		struct shelf_task *task =
			MX_CONTAINER_OF(done.next, struct shelf_task, item);

		list_remove(&task->item);
		task->done(task->data);
	}
}

static void take_tasks(struct shelf *s, struct shelf_seat *seat)
{
	size_t max = s->is_slow ? 1 : SHELF_SHARE;

	while (seat->n < max && !list_empty(&s->waiting)) {
		struct list *item = s->waiting.next;

		list_remove(item);
		list_append(&seat->tasks, item);
		seat->n++;
	}
	s->n_busy++;
	loop_work(s->loop, on_work, on_done, seat);
}

static void serve(struct shelf *s)
{
	while (!list_empty(&s->waiting)) {
		struct shelf_seat *seat = take_seat(s);

		if (!seat) {
			if (s->n_busy == 0)
				timer_start(s->turn, NO_SEAT_MS);
			return;
		}
		take_tasks(s, seat);
	}
}

/* Others may follow in this turn. */
void shelf_submit(struct shelf *s, struct shelf_task *task)
{
	list_append(&s->waiting, &task->item);
	if (!timer_is_active(s->turn))
		timer_start(s->turn, 0);
}

void shelf_free(struct shelf *s)
{
	MX_ASSERT(s->n_busy == 0 && list_empty(&s->waiting));
	LIST_FOR_EACH_SAFE (it, &s->free_seats) {
		struct shelf_seat *seat =
			MX_CONTAINER_OF(it, struct shelf_seat, item);

		directory_reader_free(seat->directory);
		reader_free(seat->reader);
		mem_free(seat);
	}
	timer_free(s->turn);
	mem_free(s);
}
