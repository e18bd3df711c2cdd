/*
 * The inside of a dialogue, shared by its files only: dialogue.c (questions
 * and answers), dialogue_rcpt.c (what DNS says of the client, and RCPT, which
 * waits for it), dialogue_begin.c (until the banner), dialogue_clock.c
 * (deadlines), dialogue_end.c (the end, and stopping).
 *
 * A function that returns false, or is said to end the dialogue, may have
 * freed it.
 */
#ifndef MXHOLD_RECEIVE_DIALOGUE_PARTS_H
#define MXHOLD_RECEIVE_DIALOGUE_PARTS_H

#include "mxhold/receive/dialogue.h"

static inline int64_t dialogue_now_ms(const struct dialogue *d)
{
	return loop_now_ms(d->worker->loop);
}

/* dialogue.c */
void dialogue_enter(struct dialogue *d, enum dialogue_state state);
/* Answers what can be answered. False: ended, or on to TLS. */
bool dialogue_run(struct dialogue *d);
/* The same, and reads on. May end. */
void dialogue_go_on(struct dialogue *d);
/* The next output is 421 with this text, then the machine closes. */
void dialogue_shut(struct dialogue *d, const char *enhanced, const char *why);

/* A question whose answer comes later. */
void dialogue_leave_open(struct dialogue *d, enum smtp_ask ask);
/* The answer that was waited for is there. May end. */
void dialogue_answer(struct dialogue *d, const struct smtp_reply *reply);
extern const struct intake_events dialogue_intake_events;

/* dialogue_rcpt.c */
void dialogue_ask_dns(struct dialogue *d); /* of d->client, anew */
void dialogue_forget_dns(struct dialogue *d);
void dialogue_take_rcpt(struct dialogue *d, const struct smtp_question *q);
void dialogue_on_escape(struct dialogue *d, bool is_let_in); /* may end */
void dialogue_on_told(struct dialogue *d, enum told told);   /* may end */

/* dialogue_begin.c */
void dialogue_begin(struct dialogue *d); /* in NEW; may end */
size_t dialogue_take_proxy(struct dialogue *d, struct slice bytes);
void dialogue_admitted(struct dialogue *d, enum admission admission);
void dialogue_greet(struct dialogue *d); /* may end */

/* dialogue_clock.c */
void dialogue_on_timer(void *data);
void dialogue_arm(struct dialogue *d);
void dialogue_set_deadline(struct dialogue *d, int64_t after_ms);
/* The client has done its part: it has its full time again. Does nothing
 * while the client itself waits. */
void dialogue_renew_deadline(struct dialogue *d);

/* dialogue_end.c. in_order: what was said is written first. */
void dialogue_end(struct dialogue *d, bool in_order, const char *why);
void dialogue_fail(struct dialogue *d, const char *why); /* not in order */
void dialogue_bury(struct dialogue *d); /* OVER, and the ticket is back */

#endif
