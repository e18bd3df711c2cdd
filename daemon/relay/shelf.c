#include "mxhold/relay/shelf.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"
#include "mxhold/net/digest.h"
#include "mxhold/net/timer.h"

enum {
	NO_SEAT_MS = 1000 /* the store had no reader left: ask again */
};

struct shelf {
	struct loop *loop;
	struct store *store;
	struct directory *directory;
	struct list free_seats, waiting;
	size_t n_seats, n_busy;
	struct timer *again;
};

static void serve(struct shelf *s);

static void on_again(void *data)
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
	s->again = timer_new(l, on_again, s);
	return s;
}

static struct shelf_seat *new_seat(struct shelf *s)
{
	struct shelf_seat *seat;
	struct reader *reader = reader_new(s->store);

	if (!reader)
		return NULL;
	seat = mem_alloc(sizeof(*seat));
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

static void on_work(void *data)
{
	struct shelf_task *task = data;

	task->fn(task->data, task->seat);
}

static void on_done(void *data)
{
	struct shelf_task *task = data;
	struct shelf *s = task->shelf;

	list_append(&s->free_seats, &task->seat->item);
	task->seat = NULL;
	s->n_busy--;
	serve(s);
	task->done(task->data);
}

static void serve(struct shelf *s)
{
	while (!list_empty(&s->waiting)) {
		struct shelf_seat *seat = take_seat(s);
		struct shelf_task *task;

		if (!seat) {
			if (s->n_busy == 0)
				timer_start(s->again, NO_SEAT_MS);
			return;
		}
		task = MX_CONTAINER_OF(s->waiting.next, struct shelf_task,
				       item);
		list_remove(&task->item);
		task->seat = seat;
		s->n_busy++;
		loop_work(s->loop, on_work, on_done, task);
	}
}

void shelf_submit(struct shelf *s, struct shelf_task *task)
{
	task->shelf = s;
	list_append(&s->waiting, &task->item);
	serve(s);
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
	timer_free(s->again);
	mem_free(s);
}
