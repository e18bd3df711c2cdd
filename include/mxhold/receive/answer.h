/*
 * The answers to the machine's questions: facts are gathered from the
 * worker, the decision is policy's. Each returns NULL for a plain yes, or
 * the refusal, written to *reply. A refusal with 421 ends the session.
 * A worker's thread.
 */
#ifndef MXHOLD_RECEIVE_ANSWER_H
#define MXHOLD_RECEIVE_ANSWER_H

#include "mxhold/receive/dialogue.h"

const struct smtp_reply *answer_mail(struct dialogue *d,
				     const struct smtp_question *q,
				     struct smtp_reply *reply);
/* The answer is not known yet: what DNS says of the client, whether its
 * primary takes the recipient, or whether the client may in although the
 * primary is up, is being asked; to be called again then. */
extern const struct smtp_reply answer_later;
const struct smtp_reply *answer_rcpt(struct dialogue *d,
				     const struct smtp_question *q,
				     const struct intake_events *events,
				     struct smtp_reply *reply);
const struct smtp_reply *answer_data(struct dialogue *d,
				     struct smtp_reply *reply);
/* New facts about the client; bad ones are refused with 501. */
const struct smtp_reply *answer_xclient(struct dialogue *d,
					const struct smtp_xclient *x,
					struct smtp_reply *reply);
/* event=... sid=... peer=... */
void answer_log_begin(const struct dialogue *d, struct log_line *line,
		      enum log_level level, const char *event);

#endif
