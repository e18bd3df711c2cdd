#include "mxhold/receive/lesson_book.h"

#include <stdint.h>
#include <string.h>

#include "mxhold/base/log.h"
#include "mxhold/base/map.h"
#include "mxhold/base/mem.h"
#include "mxhold/net/timer.h"

enum {
	GATHER_MS = 200, /* and all that comes meanwhile goes with it */
	PENDING_MAX = 4096,
};

struct waiter { /* beside the lesson it waits for */
	void (*on_done)(void *data, const char *why, bool changed);
	void *data;
};

struct batch {
	struct lesson_book *book; /* NULL: gone */
	struct directory *directory;
	struct map last; /* canonical -> its last lesson's number, from 1 */
	struct lesson *lessons;
	struct waiter *waiters;
	size_t n, room;
	struct error err;
	int rc;
};

struct lesson_book {
	struct loop *loop;
	struct directory *directory;
	struct timer *timer;
	struct batch *gathering, *writing; /* or NULL */
	bool is_full;                      /* and it was said */
};

static void on_timer(void *data);
static void write_on_pool(void *data);
static void on_written(void *data);

/* ---- what a reply says ---- */

static bool is_no_such_user(const struct smtp_reply *r)
{
	static const char *const codes[] = {
		"5.1.0", "5.1.1", "5.1.3", "5.1.6", "5.1.10",
	};

	if (!r->enhanced[0])
		return r->code == 550 || r->code == 551 || r->code == 553;
	for (size_t i = 0; i < MX_ARRAY_SIZE(codes); i++)
		if (strcmp(r->enhanced, codes[i]) == 0)
			return true;
	return false;
}

bool lesson_of_reply(const struct smtp_reply *reply, enum lesson_kind *what)
{
	*what = LESSON_REFUSED;
	if (smtp_reply_class(reply) == 5)
		return is_no_such_user(reply);
	*what = LESSON_TAKEN;
	return smtp_reply_class(reply) == 2;
}

/* ---- gathering ---- */

struct lesson_book *lesson_book_new(struct loop *loop,
				    struct directory *directory)
{
	struct lesson_book *b = mem_alloc(sizeof(*b));

	b->loop = loop;
	b->directory = directory;
	b->timer = timer_new(loop, on_timer, b);
	return b;
}

static struct batch *make_batch(struct lesson_book *b)
{
	struct batch *batch = mem_alloc(sizeof(*batch));

	batch->book = b;
	batch->directory = b->directory;
	map_init(&batch->last);
	return batch;
}

static void free_batch(struct batch *batch)
{
	if (!batch)
		return;
	map_done(&batch->last, NULL);
	mem_free(batch->lessons);
	mem_free(batch->waiters);
	mem_free(batch);
}

static void grow(struct batch *batch)
{
	size_t room = MX_MAX(2 * batch->room, (size_t)8);
	struct lesson *lessons = mem_array(room, sizeof(*lessons));
	struct waiter *waiters = mem_array(room, sizeof(*waiters));

	for (size_t i = 0; i < batch->n; i++) {
		lessons[i] = batch->lessons[i];
		waiters[i] = batch->waiters[i];
	}
	mem_free(batch->lessons);
	mem_free(batch->waiters);
	batch->lessons = lessons;
	batch->waiters = waiters;
	batch->room = room;
}

static const struct lesson *last_of(const struct batch *batch,
				    const char *canonical)
{
	uintptr_t n = 0;

	if (batch)
		n = (uintptr_t)map_get(&batch->last, slice_str(canonical));
	return n ? &batch->lessons[n - 1] : NULL;
}

/* Nobody waits, and the same is on its way. */
static bool is_known(const struct batch *batch, const struct lesson *lesson)
{
	const struct lesson *last = last_of(batch, lesson->canonical);

	return last && last->what == lesson->what;
}

static void tell_full(struct lesson_book *b)
{
	if (!b->is_full)
		log_why(LOG_WARNING, "recipients.unlearned",
			"more is learned than can be written");
	b->is_full = true;
}

static void append(struct batch *batch, const struct lesson *lesson,
		   const struct waiter *waiter)
{
	if (batch->n == batch->room)
		grow(batch);
	batch->lessons[batch->n] = *lesson;
	batch->waiters[batch->n++] = *waiter;
	map_put(&batch->last, slice_str(lesson->canonical),
		(void *)(uintptr_t)batch->n);
}

void lesson_book_add(struct lesson_book *b, const struct lesson *lesson,
		     void (*on_done)(void *data, const char *why, bool changed),
		     void *data)
{
	struct waiter waiter = {on_done, data};

	if (!b->gathering)
		b->gathering = make_batch(b);
	if (!on_done && is_known(b->gathering, lesson))
		return;
	if (!on_done && b->gathering->n >= PENDING_MAX) {
		tell_full(b);
		return;
	}
	append(b->gathering, lesson, &waiter);
	if (!b->writing && !timer_is_active(b->timer))
		timer_start(b->timer, GATHER_MS);
}

enum learned lesson_book_look(const struct lesson_book *b,
			      const char *canonical)
{
	const struct lesson *last = last_of(b->gathering, canonical);

	if (!last)
		last = last_of(b->writing, canonical);
	if (!last || last->what == LESSON_FORGET)
		return LEARNED_NOTHING;
	return last->what == LESSON_REFUSED ? LEARNED_REFUSED : LEARNED_TAKEN;
}

/* ---- writing ---- */

static void write_on_pool(void *data)
{
	struct batch *batch = data;

	batch->rc = directory_learn(batch->directory, batch->lessons, batch->n,
				    &batch->err);
}

static void start_writing(struct lesson_book *b)
{
	b->writing = b->gathering;
	b->gathering = NULL;
	loop_work(b->loop, write_on_pool, on_written, b->writing);
}

static void on_timer(void *data)
{
	struct lesson_book *b = data;

	if (b->gathering && !b->writing)
		start_writing(b);
}

static void log_lesson(const struct lesson *lesson)
{
	static const char *const verdicts[] = {
		[LESSON_TAKEN] = "taken",
		[LESSON_REFUSED] = "refused",
		[LESSON_PIN] = "pinned",
		[LESSON_FORGET] = "forgotten",
	};
	static const char *const by[] = {
		[LEARNED_BY_FORWARD] = "forward",
		[LEARNED_BY_PROBE] = "probe",
		[LEARNED_BY_OPERATOR] = "operator",
	};
	struct log_line l;

	log_begin(&l, LOG_INFO, "recipients.learned");
	log_private(&l, "to", slice_str(lesson->canonical));
	log_str(&l, "verdict", verdicts[lesson->what]);
	log_str(&l, "by", by[lesson->by]);
	log_end(&l);
}

static void tell(const struct batch *batch)
{
	const char *why = batch->rc ? batch->err.text : NULL;

	if (why)
		log_why(LOG_WARNING, "recipients.unlearned", "%s", why);
	for (size_t i = 0; i < batch->n; i++) {
		const struct lesson *lesson = &batch->lessons[i];
		const struct waiter *w = &batch->waiters[i];

		if (!why && lesson->changed)
			log_lesson(lesson);
		if (w->on_done)
			w->on_done(w->data, why, lesson->changed);
	}
}

static void on_written(void *data)
{
	struct batch *batch = data;
	struct lesson_book *b = batch->book;

	if (b) {
		b->writing = NULL;
		b->is_full = false;
	}
	tell(batch);
	free_batch(batch);
	if (b && b->gathering && !timer_is_active(b->timer))
		timer_start(b->timer, GATHER_MS);
}

/* The last batch goes behind one that is under way: LMDB has one writer. */
void lesson_book_free(struct lesson_book *b)
{
	if (!b)
		return;
	if (b->writing)
		b->writing->book = NULL;
	if (b->gathering) {
		start_writing(b);
		b->writing->book = NULL;
	}
	timer_free(b->timer);
	mem_free(b);
}
