/*
 * What one transaction means: for each recipient, for the session and for
 * what is thought of the primary. Pure: replies in, verdicts out
 * (RFC 5321 4.2.1, 4.5.4.1; RFC 3463; RFC 2034 4).
 *
 * A failed connection is the destination's trouble and never a message's:
 * recipients without a final reply are LEFT as they were, unless the final
 * dot has gone out (then the primary may have the message) or `insist`.
 */
#ifndef MXHOLD_RELAY_OUTCOME_H
#define MXHOLD_RELAY_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/outbound/session.h"

enum verdict {
	VERDICT_LEFT, /* untouched: waits for its primary as before */
	VERDICT_DELIVERED,
	VERDICT_LATER,  /* its own timer */
	VERDICT_FAILED, /* for good */
	VERDICT_AGAIN   /* a new transaction at once */
};

enum outcome_health { /* what the prober is told */
	OUTCOME_SAYS_NOTHING,
	OUTCOME_SAYS_GOOD,
	OUTCOME_SAYS_BAD,
	OUTCOME_SAYS_REFUSED
};

enum {
	REFUSED_NEVER = -1
};

struct outcome_rcpt {
	/* in */
	bool known_good;    /* listed or learned */
	int64_t refused_ms; /* how long its primary was up since its first 5xx;
			     * REFUSED_NEVER: there was none */
	/* out */
	enum verdict verdict;
	bool by_peer;            /* the reply is the primary's, not ours */
	bool bad_5xx;            /* the primary's 5xx, whatever became of it */
	bool about_message;      /* what it says is of sender or content */
	struct smtp_reply reply; /* enhanced is filled in; code 0 when LEFT */
};

struct outcome_rules {
	int64_t first_5xx; /* refused_ms until a 5xx for a known one counts */
	bool breaker_open; /* no 5xx is believed, nothing is given up */
	bool unproven;     /* it has taken nothing since it came back */
	bool is_report;    /* a report of ours: a 5xx is final */
	bool is_over;      /* retention has ended: LATER becomes FAILED */
	bool insist;       /* it was LEFT before: now it gets a timer */
	uint32_t sent_before; /* messages its session had carried */
};

struct outcome {
	size_t delivered, later, failed, again, left;
	bool maybe_duplicate;
	bool expired;      /* some LATER became FAILED */
	bool mail_refused; /* 5xx at MAIL that is not about this message */
	bool pressed;      /* 421 or a lost connection: slow down */
	bool reuse;        /* the session may carry the next one */
	enum outcome_health health;
};

/* rcpts: as many as result->n_rcpts, in that order. */
void outcome_judge(const struct session_result *result,
		   const struct outcome_rules *rules,
		   struct outcome_rcpt *rcpts, struct outcome *out);

/* What the health of a primary hears of a session that did not open. */
enum outcome_health outcome_of_failure(const struct session_failure *f);

/*
 * Our own diagnosis where no reply names one: connect refused or timed out
 * 4.4.1, lost connection 4.4.2, no answer from DNS 4.4.3, TLS 4.7.5, no host
 * 5.4.4, no such domain 5.1.2, null MX 5.1.10, loop 5.4.6. A reply of the peer
 * is passed on.
 */
void outcome_diagnose(const struct session_failure *f, struct smtp_reply *out);

/*
 * The status of a reply, for records and reports: its enhanced code when the
 * class fits the reply's first digit (RFC 2034 4), else x.0.0. `out` may be
 * reply->enhanced.
 */
void outcome_status(const struct smtp_reply *reply, char out[12]);

#endif
