/*
 * What a client would hear, rule by rule (`mxholdctl simulate`). Pure: facts
 * in, rows out; nothing is counted, sent or remembered. The decisions are
 * those of the dialogue, made by the same functions; what stands here is the
 * order and the wording.
 */
#ifndef MXHOLD_RECEIVE_SIMULATE_H
#define MXHOLD_RECEIVE_SIMULATE_H

#include "mxhold/mail/address.h"
#include "mxhold/receive/client_facts.h"
#include "mxhold/receive/gate.h"
#include "mxhold/receive/policy.h"

enum simulate_rule {
	SIMULATE_CONNECTIONS,
	SIMULATE_PROXY,
	SIMULATE_PREGREET,
	SIMULATE_FCRDNS,
	SIMULATE_DNSBL,
	SIMULATE_HELO,
	SIMULATE_SENDER,
	SIMULATE_RELAY,
	SIMULATE_RECIPIENT,
	SIMULATE_QUOTA,
	SIMULATE_WHEN_UP,
	SIMULATE_EXTENSIONS,
	SIMULATE_RULES
};
const char *simulate_rule_name(enum simulate_rule r);

struct simulate_ask {
	struct inet_addr client;
	const char *helo; /* NULL: not said, and taken for good */
	const char *from; /* NULL: the null reverse-path */
	const char *rcpt;
};

struct simulate_row {        /* of a rule */
	const char *verdict; /* "pass" "defer" "reject" "skip" */
	char why[400];
	char reply[320]; /* were it the one to decide; "" = none */
};

struct simulation {
	struct simulate_row rows[SIMULATE_RULES];
	const char *verdict;           /* "accept" "defer" "reject" */
	enum simulate_rule decided_by; /* SIMULATE_RULES: none, accepted */
	char reply[320];               /* to RCPT, or the last there was */
};

struct simulate_facts {
	const struct config *config;
	const struct simulate_ask *ask;
	enum admission admission;
	uint32_t sessions;
	bool is_pressed, is_slowed, is_primary;
	const struct client_facts *client;
	/* Of the recipient: found out as far as its domain, with what the
	 * directory says, with all that is known of its primary. */
	struct policy_rcpt prepared, listed, judged;
	enum address_error rcpt_error;
	bool needs_directory; /* not postmaster, and ours */
	bool is_asked_for;    /* nobody knows it: the primary would be asked */
	bool is_primary_up, is_ehlo_known;
	struct lacks lacks; /* of the primary */
	uint64_t queued_bytes;
	uint32_t tries;   /* for the way round when_up */
	int64_t tried_ms; /* the first was so long ago */
};

/* An address as a person writes it: with angle brackets or without. */
enum address_error simulate_address(const char *text, struct address *out);
void simulate_run(struct simulation *s, const struct simulate_facts *f);

#endif
