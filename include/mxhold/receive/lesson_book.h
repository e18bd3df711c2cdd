/*
 * Lessons on their way to disk: what was heard gathers here, one for each
 * recipient, and goes to the directory in batches, one batch at a time, on
 * the work pool. Bounded: what does not fit is not learned this time. Main
 * loop.
 */
#ifndef MXHOLD_RECEIVE_LESSON_BOOK_H
#define MXHOLD_RECEIVE_LESSON_BOOK_H

#include "mxhold/net/loop.h"
#include "mxhold/smtp/reply.h"
#include "mxhold/storage/directory_learned.h"

struct lesson_book;

struct lesson_book *lesson_book_new(struct loop *loop,
				    struct directory *directory);
/* All of it is on disk when loop_free returns. NULL is fine. */
void lesson_book_free(struct lesson_book *b);

/* on_done (may be NULL): it is on disk, or why not. Copied. */
void lesson_book_add(struct lesson_book *b, const struct lesson *lesson,
		     void (*on_done)(void *data, const char *why, bool changed),
		     void *data);
/* What is on its way: LEARNED_TAKEN, LEARNED_REFUSED, LEARNED_NOTHING. */
enum learned lesson_book_look(const struct lesson_book *b,
			      const char *canonical);

/*
 * What a reply says of a recipient: a lesson, or nothing (false). Pure. Only
 * codes that speak of the mailbox's address count (RFC 3463 3.2: X.1.0,
 * X.1.1, X.1.3, X.1.6, and X.1.10 of RFC 7505); without an enhanced code 550,
 * 551 and 553 do.
 */
bool lesson_of_reply(const struct smtp_reply *reply, enum lesson_kind *what);

#endif
