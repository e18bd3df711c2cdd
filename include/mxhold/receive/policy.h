/*
 * May this sender, this recipient? Pure decisions: facts in, reply out.
 */
#ifndef MXHOLD_RECEIVE_POLICY_H
#define MXHOLD_RECEIVE_POLICY_H

#include "mxhold/base/stats.h"
#include "mxhold/config/config.h"
#include "mxhold/mail/address.h"
#include "mxhold/receive/client_facts.h"
#include "mxhold/receive/lacks.h"
#include "mxhold/smtp/reply.h"
#include "mxhold/storage/directory.h"
#include "mxhold/storage/directory_learned.h"

enum policy_verdict {
	POLICY_ACCEPTED,
	POLICY_REJECTED,
	POLICY_DEFERRED
};

struct policy_rcpt { /* result */
	enum policy_verdict verdict;
	struct smtp_reply reply;
	const char *why; /* one word or phrase: "listed", "not listed" ... */
	enum rcpt_refusal refusal;
	const struct config_domain *domain; /* whose it is, when ours */
	struct lacks lacks;            /* of its primary; set by facts_judge */
	char address[ADDRESS_MAX + 1]; /* with <postmaster>: rewritten */
	char canonical[ADDRESS_MAX + 1], base[ADDRESS_MAX + 1];
};

/* Finds the domain and the look-up keys; when the verdict is known without
 * the directory (relay denied, bad syntax, postmaster) returns true. */
bool policy_rcpt_prepare(struct policy_rcpt *out, const struct config *config,
			 const struct address *rcpt);
/* Of a recipient that was prepared: the client is not wanted. */
void policy_rcpt_object(struct policy_rcpt *p,
			const struct client_objection *o);
/* With what the directory says. */
void policy_rcpt_decide(struct policy_rcpt *out, enum listed listed);
/* With what was learned, when no list names it: false = nothing was. */
bool policy_rcpt_learned(struct policy_rcpt *out, enum learned learned);

enum told { /* by a primary that was asked */
	TOLD_NOTHING,
	TOLD_TAKEN,
	TOLD_REFUSED
};
void policy_rcpt_told(struct policy_rcpt *out, enum told told);

enum policy_beyond { /* what its primary is known not to take */
	POLICY_WITHIN,
	POLICY_BEYOND_SIZE,
	POLICY_BEYOND_UTF8,
	POLICY_BEYOND_BINARY,
	POLICY_BEYOND_TLS
};

struct policy_facts { /* of an accepted recipient's domain; see facts.h */
	enum policy_beyond beyond;
	bool is_primary_up;
	bool is_over_quota;
};

/* Turns an accepted recipient away after all, if the facts ask for it. */
void policy_rcpt_overrule(struct policy_rcpt *p,
			  const struct policy_facts *facts);

#endif
