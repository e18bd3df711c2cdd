/*
 * Learning who a primary's recipients are (`recipients = learn`): what it
 * took and refused at deliveries and, when nobody knows a recipient and the
 * primary is up, by asking it: MAIL, RCPT, RSET, never DATA. What was learned
 * is written to directory/ in batches, on the work pool. Main loop.
 *
 * A sick primary does not poison what is known. Only an answer to RCPT itself
 * says anything; of refusals only those that mean "no such user" (RFC 3463
 * 3.2), and from a probe only while the primary, asked at about the same
 * time, takes a recipient that it is known to have, or else its postmaster.
 * Who was taken before is refused only after breaker.first_5xx. A primary
 * that takes a random address as well is a catch-all: its yes to a probe is
 * an answer to who asked and teaches nothing; mail that it took still does.
 */
#ifndef MXHOLD_RECEIVE_LEARNING_H
#define MXHOLD_RECEIVE_LEARNING_H

#include "mxhold/outbound/session.h"
#include "mxhold/receive/policy.h"

struct learning;

struct learning_primary { /* what the prober knows */
	bool is_up;
	int64_t up_ms; /* its up-time clock */
	struct endpoint good[PEER_HOSTS_MAX];
	size_t n_good;
};

struct learning_parts {
	struct loop *loop;
	struct directory *directory;
	struct outbound *outbound;
	const struct config *config;
	/* False: nothing is known of it. */
	bool (*look)(void *data, const char *primary,
		     struct learning_primary *out);
	void *data;
};

struct learning *learning_new(const struct learning_parts *parts);
void learning_reload(struct learning *l, const struct config *config);
void learning_primary_changed(struct learning *l);
/* Who asks is told nothing from now on; calls are broken off. */
void learning_stop(struct learning *l);
/* What was learned is on disk when loop_free returns: close the directory
 * after that. Before outbound_free. NULL is fine. */
void learning_free(struct learning *l);

/* A delivery: the reply to its content, or to the RCPT that was refused. */
void learning_heard(struct learning *l, const char *domain,
		    struct slice address, const struct smtp_reply *reply);

struct learning_rcpt { /* copies: it goes from thread to thread */
	char domain[256];
	char address[ADDRESS_MAX + 1]; /* as the primary is to see it */
	char canonical[ADDRESS_MAX + 1], base[ADDRESS_MAX + 1];
};
void learning_rcpt_set(struct learning_rcpt *r, const struct policy_rcpt *p);

/*
 * Asks the recipient's primary. on_told once, perhaps at once, at the latest
 * after probe.timeout. Askers for one recipient share an answer; when too
 * many wait for a primary, who comes is told nothing.
 */
void learning_ask(struct learning *l, const struct learning_rcpt *rcpt,
		  void (*on_told)(void *data, enum told told), void *data);

/*
 * An operator's word: pins a recipient, or forgets one. on_done once, later:
 * why not, or NULL; changed: it was not so before.
 */
void learning_order(struct learning *l, const struct learning_rcpt *rcpt,
		    bool pin,
		    void (*on_done)(void *data, const char *why, bool changed),
		    void *data);

#endif
