/*
 * What is known of a client beside its address, and what a domain's policy
 * makes of it. Pure; a value that owns its texts.
 */
#ifndef MXHOLD_RECEIVE_CLIENT_FACTS_H
#define MXHOLD_RECEIVE_CLIENT_FACTS_H

#include <stdbool.h>

#include "mxhold/base/inet.h"
#include "mxhold/base/stats.h"
#include "mxhold/config/config.h"
#include "mxhold/smtp/reply.h"

enum fcrdns {
	FCRDNS_NOT_ASKED,
	FCRDNS_TROUBLE, /* DNS did not answer: held against nobody */
	FCRDNS_NONE,    /* no reverse name, or none that leads back */
	FCRDNS_CONFIRMED,
};

struct client_facts {
	enum fcrdns fcrdns;
	bool is_judged;
	char *name;   /* when confirmed, else NULL */
	char *listed; /* " zone zone ", or NULL: the lists that have it */
};

void client_facts_copy(struct client_facts *to,
		       const struct client_facts *from);
void client_facts_done(struct client_facts *f); /* may be done again */
bool client_facts_is_listed(const struct client_facts *f, const char *zone);
/* " zone zone " with one more. */
void client_facts_add_list(struct client_facts *f, const char *zone);

/* What speaks against a client. */
struct client_objection {
	enum rcpt_refusal kind; /* RCPT_REFUSED_DNSBL or _FCRDNS */
	int score;              /* sum of weights */
	char text[256];         /* for the client: what and why */
};

/* The sum of the weights of a policy's lists that have the client. */
int client_score(const struct client_facts *f,
		 const struct config_policy *policy);
/* False: nothing does. */
bool client_object(const struct client_facts *f, const struct inet_addr *client,
		   const struct config_policy *policy,
		   struct client_objection *out);
/* What is said for it under `action`; not for POLICY_RECORD. */
void client_refusal(const struct client_objection *o, enum policy_action action,
		    struct smtp_reply *reply);

#endif
