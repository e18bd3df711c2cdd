/*
 * One message coming in: gathers the envelope, puts our trace line in front
 * of the content, looks at the header as it streams by, and hands everything
 * to the queue's writer: a message that fits in one part as one job, a larger
 * one part by part, so that memory is bounded by two parts.
 *
 *	new -> add recipient ... -> begin -> take ... -> commit -> on_done
 *
 * It is a heap object of its own because a job that was submitted cannot be
 * taken back: when the client vanishes, intake_abort cuts the callbacks, and
 * the intake lives on until the writer has reported. A message whose commit
 * was under way then stays (RFC 5321 4.1.1.10); parts of one that was not
 * whole are discarded.
 *
 * One receive loop's thread; only the report runs on the writer's thread,
 * and it does nothing but post the job home.
 */
#ifndef MXHOLD_RECEIVE_INTAKE_H
#define MXHOLD_RECEIVE_INTAKE_H

#include "mxhold/mail/envelope.h"
#include "mxhold/net/mailbox.h"
#include "mxhold/receive/lacks.h"
#include "mxhold/smtp/reply.h"
#include "mxhold/storage/writer.h"

struct intake;

/* What intakes of one loop share. */
struct intake_host {
	struct writer *writer;
	struct mailbox *jobs; /* its on_note calls intake_on_note */
	/* A message was kept; may be NULL. */
	void (*on_kept)(void *data, const struct envelope *env);
	/* An intake is gone, `live` is down; may be NULL. */
	void (*on_gone)(void *data);
	void *data;
	size_t live; /* intakes there are */
};

struct intake_events {
	/* After INTAKE_WAIT: take may be called again. */
	void (*on_ready)(void *data);
	/* The outcome of commit; the intake is gone after it. */
	void (*on_done)(void *data, const struct smtp_reply *reply);
};

enum intake_step {
	INTAKE_GO,
	INTAKE_WAIT /* the octets are taken; no more until on_ready */
};

struct intake *intake_new(struct intake_host *host, const char *sid,
			  uint32_t max_rcpt, const struct intake_events *events,
			  void *data);
/* params: orcpt and notify. Everything is copied. 0, or -1 without memory. */
int intake_add(struct intake *in, struct slice address, const char *domain,
	       const struct recipient *params);
/*
 * Content is about to come. facts: the envelope without recipients; copied.
 * size_hint: what SIZE= said. 0, or -1 without memory.
 */
int intake_begin(struct intake *in, const struct envelope *facts,
		 const char *hostname, uint64_t size_hint);
/* Failures are kept for commit; octets after one are dropped. */
enum intake_step intake_take(struct intake *in, struct slice bytes);

struct intake_end {
	uint32_t max_hops;
	int64_t expire_ms;  /* wall, hard limit; 0 = none */
	struct lacks lacks; /* what no recipient's primary takes */
};
/* True: the outcome is known, *reply is set and the intake is gone. False:
 * on_done comes later. */
bool intake_commit(struct intake *in, const struct intake_end *end,
		   struct smtp_reply *reply);
/* Forget the message, or, after commit, whoever waits for the outcome. No
 * callback comes any more. NULL is fine. */
void intake_abort(struct intake *in);

/* More waits for the writer than may (16 MiB). */
bool intake_is_congested(const struct intake_host *host);
/* A job came home. */
void intake_on_note(struct mpsc_node *note);

#endif
