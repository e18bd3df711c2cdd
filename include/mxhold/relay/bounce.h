/*
 * What a message that has failed for good comes to: a report to its sender,
 * the quarantine, or nothing but a log line (RFC 3461 5.2, RFC 5321 6.1).
 * bounce_decide is pure; bounce_new builds the report as a job for the
 * queue's writer, to be put in the transaction that settles what it reports.
 */
#ifndef MXHOLD_RELAY_BOUNCE_H
#define MXHOLD_RELAY_BOUNCE_H

#include "mxhold/config/config.h"
#include "mxhold/mail/domain.h"
#include "mxhold/mail/dsn.h"
#include "mxhold/storage/writer.h"

enum bounce_action {
	BOUNCE_DROP, /* logged, removed */
	BOUNCE_HOLD, /* quarantine */
	BOUNCE_REPORT
};

enum {
	BOUNCE_CONTENT_MAX = 64 * 1024, /* of the original in a report */
	BOUNCE_LIFE_MS = 2 * 86400 * 1000
};

const char *bounce_action_name(enum bounce_action a);

/*
 * One recipient that has failed. Whom nobody wants to hear about (null
 * reverse-path, NOTIFY without FAILURE, a report) is dropped. Whether a sender
 * was authenticated is not known at arrival, so that `authenticated` never
 * finds one and goes by bounce.otherwise.
 */
enum bounce_action bounce_decide(const struct config_bounce *c,
				 const struct envelope *env, uint8_t notify);
/* The same when an operator wants the sender to be told: whatever `send` says,
 * but by bounce.route, if there is any, and to nobody who does not want it. */
enum bounce_action bounce_decide_told(const struct config_bounce *c,
				      const struct envelope *env,
				      uint8_t notify);
/* What becomes of it when no report may leave. */
enum bounce_action bounce_otherwise(const struct config_bounce *c);
/* The domain a report to this sender goes to; -1: none DNS could know. */
int bounce_domain(struct slice sender, char out[DOMAIN_MAX]);
/* May a report of a delivery by a server without DSN be made
 * (RFC 3461 5.2.2)? */
bool bounce_wants_relayed(const struct config_bounce *c,
			  const struct envelope *env, uint8_t notify);

/* Are senders told of mail that is late? */
bool bounce_wants_delayed(const struct config_bounce *c);

struct bounce_rcpt {
	const struct queue_rcpt *rcpt;
	enum dsn_action action;
	const char *status;
	struct slice diagnostic; /* the reply; empty: none was heard */
	int64_t retry_until_ms;  /* when delayed */
	struct slice remote;     /* "mx1.example.com[192.0.2.1]:25" or empty */
};

struct bounce_of {
	const struct config *config;
	const struct queue_message *message;
	const struct bounce_rcpt *rcpts;
	size_t n_rcpts;
	struct slice head; /* the beginning of the content */
	bool whole;        /* and its end too */
	int64_t now_ms;
};

/* NULL: the sender has no domain that could be looked up. */
struct job_add *bounce_new(const struct bounce_of *of);
void bounce_free(struct job_add *report); /* NULL is fine */

#endif
