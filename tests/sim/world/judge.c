/*
 * What must hold when all is over: every recipient that got a 250 was taken
 * by its primary, or is where the plan allows it to be.
 */
#include <stdio.h>
#include <string.h>

#include "../net/sched.h"
#include "world.h"

#include "mxhold/base/arena.h"
#include "mxhold/base/buf.h"
#include "mxhold/storage/history.h"
#include "mxhold/storage/reader.h"
#include "mxhold/storage/store.h"

/* --- the store ------------------------------------------------------------ */

struct left { /* in the queue */
	struct reader *reader;
	struct arena arena;
};

static void note_rcpt(struct mail *m, int mail, const struct queue_rcpt *q)
{
	int i = ledger_find_rcpt(mail, q->rcpt.address);

	if (i < 0) {
		broken("mail %d has a recipient in the queue that nobody gave",
		       mail);
		return;
	}
	if (q->state == RCPT_FAILED)
		m->failed |= (uint8_t)(1U << i);
	if (q->state == RCPT_PENDING)
		m->kept |= (uint8_t)(1U << i);
}

static void look_at_message(struct left *l, uint64_t id)
{
	struct queue_message m;
	int mail;

	arena_reset(&l->arena);
	if (reader_message(l->reader, id, &l->arena, &m) != 0) {
		broken("a message of the queue cannot be read");
		return;
	}
	mail = ledger_find_mail(m.env.sender);
	if (m.env.is_report)
		return;
	if (mail < 0) {
		broken("a message of the queue is nobody's");
		return;
	}
	for (size_t i = 0; i < m.n_rcpts; i++)
		note_rcpt(&W->mails[mail], mail, &m.rcpts[i]);
}

static void look_at_queue(struct left *l)
{
	uint64_t after = 0, ids[64];
	size_t n;

	do {
		n = MX_ARRAY_SIZE(ids);
		if (reader_ids(l->reader, after, ids, &n) < 0)
			n = 0;
		for (size_t i = 0; i < n; i++)
			look_at_message(l, ids[i]);
		after = n ? ids[n - 1] : after;
	} while (n == MX_ARRAY_SIZE(ids));
}

/* Recipients that were given up, whatever became of the message. */
static void look_at_history_row(const struct history_row *row)
{
	int mail = ledger_find_mail(row->sender), rcpt;

	if (mail < 0 ||
	    (row->what != HISTORY_FAILED && row->what != HISTORY_EXPIRED &&
	     row->what != HISTORY_REMOVED))
		return;
	rcpt = ledger_find_rcpt(mail, row->rcpt);
	if (rcpt >= 0)
		W->mails[mail].failed |= (uint8_t)(1U << rcpt);
}

static void look_at_history(struct left *l)
{
	struct history_row rows[64];
	uint64_t before = 0;
	size_t n;

	do {
		n = MX_ARRAY_SIZE(rows);
		arena_reset(&l->arena);
		if (history_read(l->reader, &before, &l->arena, rows, &n))
			n = 0;
		for (size_t i = 0; i < n; i++)
			look_at_history_row(&rows[i]);
	} while (n == MX_ARRAY_SIZE(rows));
}

static void look_at_store(void)
{
	char path[320];
	struct store_options options = {.state_dir = path, .read_only = true};
	struct store *store;
	struct left l;
	struct error err = {0};

	snprintf(path, sizeof(path), "%s/state", W->dir);
	if (store_open(&store, &options, &err) < 0) {
		broken("the queue cannot be opened: %s", err.text);
		return;
	}
	arena_init(&l.arena, 1 << 20);
	l.reader = reader_new(store);
	look_at_queue(&l);
	look_at_history(&l);
	reader_free(l.reader);
	arena_done(&l.arena);
	store_close(store);
}

/* --- verdicts ------------------------------------------------------------- */

static bool is_refused_there(const struct mail *m, int rcpt)
{
	return m->kind == MAIL_SPAM || m->user[rcpt] == USERS - 1;
}

static void judge_rcpt(int mail, int rcpt)
{
	struct mail *m = &W->mails[mail];
	bool failed = m->failed & 1 << rcpt, kept = m->kept & 1 << rcpt;
	bool may_fail = is_refused_there(m, rcpt) || m->may_go ||
			ledger_may_have_expired(m, W->now_us);

	if (failed && !may_fail)
		broken("mail %d, recipient %d: given up for its primary's "
		       "fault",
		       mail, rcpt);
	if (!(m->acked & 1 << rcpt) || m->taken & 1 << rcpt || failed)
		return;
	if (!kept)
		broken("mail %d, recipient %d: acknowledged at %.3f s and LOST",
		       mail, rcpt, (double)m->acked_us / 1e6);
	else if (!may_fail)
		broken("mail %d, recipient %d: still in the queue, %d s after "
		       "the last fault",
		       mail, rcpt,
		       (int)((W->now_us - W->plan_end_us) / SECOND));
}

/* Copies with ids of their own: as many as the sender's tries make. */
static void judge_copies(int mail)
{
	const struct mail *m = &W->mails[mail];
	const char *seen[16];
	size_t n = 0;

	for (int i = 0; i < W->n_taken && n < MX_ARRAY_SIZE(seen); i++) {
		size_t k = 0;

		if (W->taken[i].mail != mail)
			continue;
		while (k < n && strcmp(seen[k], W->taken[i].qid) != 0)
			k++;
		if (k == n)
			seen[n++] = W->taken[i].qid;
	}
	if (n > m->n_acked + m->n_unsure)
		broken("mail %d: %zu copies of %u tries", mail, n,
		       m->n_acked + m->n_unsure);
}

void judge_end(void)
{
	look_at_store();
	for (int i = 0; i < W->n_mails; i++) {
		for (int k = 0; k < W->mails[i].n_rcpts; k++)
			judge_rcpt(i, k);
		judge_copies(i);
	}
}
