/*
 * One message under way: read from the queue on the work pool, handed over
 * through a session, settled in the queue. Main loop only.
 *
 *	LOADING -> WAITING -> SENDING -> SETTLING -> (SENDING | end)
 *	   |          |          '---- left as it was ----> end
 *	   '----------'---- not wanted any more ----------> end
 *
 * A small message is read whole at once, its checksum verified before a
 * session is asked for; a large one slice by slice, the next being read while
 * the last is on its way, and its end is given out only when the checksum of
 * all of it is right. After the end a delivery waits for what still reads
 * into it, then frees itself.
 */
#ifndef MXHOLD_RELAY_DELIVERY_H
#define MXHOLD_RELAY_DELIVERY_H

#include "mxhold/relay/bounce.h"
#include "mxhold/relay/inner.h"
#include "mxhold/relay/outcome.h"

enum {
	DELIVERY_SMALL = 64 * CHUNK_SIZE, /* read whole */
	DELIVERY_RCPTS_MAX = 100          /* of one transaction */
};

enum delivery_state {
	DELIVERY_LOADING,
	DELIVERY_WAITING,
	DELIVERY_SENDING,
	DELIVERY_SETTLING,
	DELIVERY_ENDED
};

/* What reading came to. */
enum delivery_load {
	LOAD_OK,
	LOAD_ABSENT,     /* no such message (any more) */
	LOAD_UNREADABLE, /* not even its record */
	LOAD_FAILED,     /* the store could not give its content */
	LOAD_DAMAGED     /* its content is not what was kept */
};

/* How giving up has ended. */
enum delivery_expired {
	EXPIRED_SETTLED,     /* look again: other destinations may be left */
	EXPIRED_QUARANTINED, /* it was in quarantine: to be removed */
	EXPIRED_NOTHING
};

struct delivery_rcpt {
	const struct queue_rcpt *rcpt;
	bool tried;                /* in some transaction of this delivery */
	bool settled;              /* in the queue already */
	bool now;                  /* in the job under way */
	enum bounce_action bounce; /* when it has failed */
	struct outcome_rcpt judged;
};

struct delivery {
	struct list item; /* in lane->deliveries */
	struct relay *relay;
	const struct config *config; /* a reference */
	struct lane *lane;           /* NULL: it has expired, nobody is asked */
	struct dest *dest;           /* NULL with lane */
	uint32_t dest_number;
	uint32_t era; /* of the lane's pool */
	enum window_class class;
	uint64_t id;
	int64_t due_ms; /* of the row it was found by */
	char qid[ID_TEXT_LEN + 1];
	enum delivery_state state;
	bool doomed;  /* an operator's word: removed when it ends */
	bool is_late; /* lane NULL: its sender is told, nothing is settled */
	void (*on_expired)(struct relay *r, enum delivery_expired how);

	/* what was read */
	struct shelf_task task;
	bool reading;
	enum delivery_load load;
	struct arena arena;
	struct queue_message msg;
	struct buf body; /* the whole, or the next slice */
	struct buf head; /* of a large one, for reports */
	bool whole;
	uint32_t next_chunk; /* 0 = the end was read */
	uint32_t crc;
	enum delivery_load slice;    /* what the one just read came to */
	bool body_wanted;            /* the session waits for a slice */
	struct delivery_rcpt *rcpts; /* pending at this destination */
	size_t n_rcpts;

	/* the transaction */
	struct link *link;
	int64_t sent_ms; /* mono: when it was given to the link */
	uint32_t sends;  /* transactions of it over this link */
	char host[300];
	struct session_protection protection;
	bool peer_has_dsn;
	struct smtp_send send;
	struct recipient batch[DELIVERY_RCPTS_MAX];
	uint16_t batch_rcpt[DELIVERY_RCPTS_MAX]; /* index into rcpts */
	bool more;      /* another transaction follows the commit */
	bool end_given; /* the last of the content is with the session */
	bool maybe_duplicate, good;

	/* the commit */
	uint64_t passed; /* the link that goes on meanwhile; 0 = none */
	struct job *job; /* under way: settle or change */
	struct job_settle settle;
	struct job_change *change; /* to quarantine, or away */
	struct timer *again;       /* the store failed: until it is kept */
};

void delivery_start(struct lane *l, struct dest *d, enum window_class class,
		    const struct due_row *row);
/* Gives a message up whose time is over, for the first destination that has
 * recipients left. */
void delivery_expire(struct relay *r, uint64_t id,
		     void (*on_done)(struct relay *r,
				     enum delivery_expired how));
/* Tells the sender that it is late, for what was never tried there. */
void delivery_tell_late(struct relay *r, uint64_t id, uint32_t dest,
			void (*on_done)(struct relay *r,
					enum delivery_expired how));
/* LOADING or WAITING: left as it was. */
void delivery_drop(struct delivery *d);
/* WAITING: over a session that is its own until it is given back. */
void delivery_send(struct delivery *d, struct link *link);
extern const struct link_user delivery_user;
/* A report whose session could not be opened: that is its fate too. */
void delivery_not_opened(struct delivery *d,
			 const struct session_failure *failure);
/* The daemon stops: SENDING is broken off, before the end of the content or
 * wherever it is. */
void delivery_break_off(struct delivery *d, bool wherever);

/* After the commit, or when there was nothing to commit. */
void delivery_go_on(struct delivery *d);
void delivery_end(struct delivery *d);

void delivery_loaded(struct delivery *d); /* reading.c has it, or not */
void delivery_forget(struct delivery *d); /* ended, and nobody reads */

/* wording.c */
bool wording_is_next(const struct delivery_rcpt *r);
/* The next recipients, at most max of them. */
void wording_batch(struct delivery *d, size_t max);
/* Them and the rest of d->send, as a server that offers this takes it. */
void wording_fill(struct delivery *d, const struct smtp_ehlo *ehlo);
/* Keywords that a message cannot go without. */
uint32_t wording_needs(const struct smtp_send *m);

/* reading.c */
void reading_load(struct delivery *d);
void reading_on_body(void *data);         /* the session wants content */
void reading_restart(struct delivery *d); /* for another transaction */
void reading_go_on(struct delivery *d);   /* its end may be given out */

/* judging.c */
/* Who sent it, for the breaker: a hash, never 0. */
uint64_t judging_sender(const struct delivery *d);
/* A verdict for each recipient of the transaction; insist: one that is left
 * where it was gets a timer. */
void judging_judge(struct delivery *d, const struct session_result *result,
		   bool insist, struct outcome *out);
/* The same of one that went over its link, and all who are to know. */
void judging_hear(struct delivery *d, const struct session_result *result,
		  struct outcome *out);

/* passing.c */
/* Messages that its session carries. */
uint32_t passing_uses_max(const struct delivery *d);
/* Its job is under way: others may have its session, as far as their end. */
void passing_on(struct delivery *d);
bool passing_may_end(const struct delivery *d);
void passing_settled(struct delivery *d); /* the job is done */
void passing_failed(struct delivery *d);  /* the store could not keep it */
/* The session it was sent over, if there still is one. */
const struct session *passing_session(const struct delivery *d);
/* The message before it over this link is settled, or could not be. */
void passing_on_settled(void *data, bool kept);

/* teaching.c: tells who learns what was said of the recipients just sent. */
void teaching_tell(const struct delivery *d,
		   const struct session_result *result);

/* settling.c */
/* Puts what is known into the queue; false: there is nothing to put. */
bool settling_begin(struct delivery *d);
/* Its content is not what was kept: to quarantine, nothing sent. */
void settling_damaged(struct delivery *d);
/* Its content could not be read: all recipients wait, by their timer. */
void settling_unread(struct delivery *d);
/* Its time is not over: looked at again then. */
void settling_extend(struct delivery *d, int64_t until_ms);
/* The operator's word about it comes true now. */
void settling_remove(struct delivery *d);
/* A report for what is late, and nothing else; false: nobody is to know. */
bool settling_late(struct delivery *d);
void settling_done(struct delivery *d); /* the job is back */
/* Is its row due as before? */
bool settling_leaves(const struct delivery *d);
/* It failed by its time, not by a 5xx. */
bool settling_is_expired(const struct delivery_rcpt *r);
void settling_free(struct delivery *d);

/* telling.c: after the commit */
void telling_settled(struct delivery *d);
void telling_report(struct delivery *d);
void telling_removed(const struct delivery *d);

/* reporting.c */
/* Of the recipients' domain; NULL: not configured (any more). */
const struct config_domain *reporting_domain(const struct delivery *d);
const struct config_bounce *reporting_bounce(const struct delivery *d);
/* The recipient's reply as the job has it; empty: it is not in the job. */
struct slice reporting_reply(const struct delivery *d,
			     const struct delivery_rcpt *r);
/* Takes a report from what may leave; false: it was one too many. */
bool reporting_may(struct delivery *d);
/* Adds the report to the job that was filled, if anybody is to have one. */
void reporting_add(struct delivery *d);

#endif
