/*
 * One connection: gives the SMTP machine a socket, a clock and answers. One
 * function with one switch over the machine's questions, called by every
 * callback. A worker's thread.
 *
 *	NEW --> PROXY --> ADMIT --+
 *	 |                        v
 *	 +-> PREGREET ---------> TALK <--> ANSWER
 *	 |                       ^ |
 *	 +-----------------------+ +<----> TLS
 *
 * and from everywhere to OVER: the socket is gone, only the ticket or the
 * end of the call is awaited.
 */
#ifndef MXHOLD_RECEIVE_DIALOGUE_H
#define MXHOLD_RECEIVE_DIALOGUE_H

#include "mxhold/base/buf.h"
#include "mxhold/net/stream.h"
#include "mxhold/receive/pace.h"
#include "mxhold/receive/worker.h"
#include "mxhold/smtp/server.h"

enum dialogue_state {
	DIALOGUE_NEW,
	DIALOGUE_PROXY,    /* the PROXY header must come first */
	DIALOGUE_ADMIT,    /* the gate judges the client behind the proxy */
	DIALOGUE_PREGREET, /* the banner waits; who talks now is noted */
	DIALOGUE_TALK,     /* the machine takes octets */
	DIALOGUE_ANSWER,   /* a question is open: RCPT, body, commit, ETRN */
	DIALOGUE_TLS,      /* handshake */
	DIALOGUE_OVER,
};

/* What XCLIENT said of the client, beside its address. */
struct dialogue_xclient {
	char name[256], helo[256], protocol[16];
};

/* May it in although the primary is up? Asked for each RCPT anew. */
enum dialogue_escape {
	ESCAPE_NOT_ASKED,
	ESCAPE_LET_IN,
	ESCAPE_KEPT_OUT
};

struct dialogue {
	struct list in_worker, blocked;
	struct worker *worker;
	struct ticket *ticket;
	bool ticket_away; /* on its way to the main loop and back */
	enum dialogue_state state;
	struct stream *stream;
	struct timer *timer;
	struct smtp_server *server;
	struct smtp_server_config server_config;
	const struct config *config; /* of the time the connection came */
	struct intake *intake;
	struct buf proxy; /* PROXY header so far */
	struct dialogue_xclient *xclient;
	struct endpoint client;
	struct inet_addr network;
	struct note_dns *dns;       /* under way, else NULL */
	struct client_facts facts;  /* what it brought */
	struct smtp_question *held; /* RCPT that waits, or NULL */
	enum dialogue_escape escape;
	bool is_told; /* of the RCPT: its primary was asked, and says: */
	enum told told;
	uint64_t declared;     /* SIZE= of the transaction */
	struct lacks lacks;    /* of all its recipients' primaries */
	int64_t hard_limit_ms; /* of the transaction, so far */
	int64_t expire_ms;     /* of the transaction; wall */

	/* Clock: all monotonic ms, 0 = off. */
	int64_t opened_ms, deadline_ms, armed_ms;
	struct pace pace; /* on while a body is under way */

	uint32_t messages, refused;
	enum smtp_ask open;   /* the question that is open in ANSWER */
	const char *shut_why; /* 421 was said, and why */
	bool choked;          /* the client does not read our replies */
	bool has_kept;        /* a 250 is on its way out */
	bool talked_early;
	bool stopping; /* say 421 as soon as the message is done */
};

/* Takes the ticket and its fd over. */
void dialogue_open(struct worker *w, struct ticket *t);
/* The ticket is back from the main loop. */
void dialogue_on_answer(struct ticket *t);
/* What DNS says of the client; taken over. */
void dialogue_on_facts(struct dialogue *d, struct client_facts *facts);
/* The writer has room again. */
void dialogue_on_unblocked(struct list *blocked);
/* Stop: an idle client is told 421 4.3.2, one in the middle of a message may
 * finish it. */
void dialogue_stop(struct list *in_worker);
/* Sessions are near their limit: whoever is waited for has less time. */
void dialogue_hurry(struct list *in_worker);
/* The grace is over. */
void dialogue_cut(struct list *in_worker);

#endif
