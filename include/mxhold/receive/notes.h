/*
 * What the main loop and the receive loops tell each other. A note is moved:
 * whoever received it owns it, and either sends it back or frees it.
 *
 * Each connection has one ticket, made by the main loop when it accepts. It
 * travels to a worker, comes home when the main loop is asked something
 * (a client behind a proxy, ETRN, the way round `when_up`), goes back with
 * the answer, and comes home a last time when the connection has ended; then
 * the gate's count goes down. What DNS says of its client is asked by a note
 * of its own, which travels while the dialogue goes on.
 */
#ifndef MXHOLD_RECEIVE_NOTES_H
#define MXHOLD_RECEIVE_NOTES_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/id.h"
#include "mxhold/base/inet.h"
#include "mxhold/base/mpsc.h"
#include "mxhold/config/config.h"
#include "mxhold/net/tls_context.h"
#include "mxhold/receive/client_dns.h"
#include "mxhold/receive/gate.h"
#include "mxhold/receive/lacks.h"
#include "mxhold/receive/learning.h"
#include "mxhold/receive/receive.h"

struct dialogue;
struct worker;
struct receive_reload;

enum note_kind {
	/* to a worker */
	NOTE_CLIENT,  /* ticket: a new connection */
	NOTE_ANSWER,  /* ticket: back with what was asked */
	NOTE_PENALTY, /* struct note_penalty */
	NOTE_PRIMARY, /* struct note_primary */
	NOTE_LOAD,    /* struct note_load */
	NOTE_FACTS,   /* struct note_dns: back with what was found */
	NOTE_RELOAD,  /* struct note_reload */
	NOTE_STOP,    /* struct note_stop */
	/* home, to the main loop */
	NOTE_ADMIT,    /* ticket: may the client behind the proxy come in? */
	NOTE_ETRN,     /* ticket: start the drain of ticket->domain */
	NOTE_ESCAPE,   /* ticket: may this one in although the primary is up? */
	NOTE_RCPT,     /* ticket: does its primary take this recipient? */
	NOTE_CLOSED,   /* ticket: the connection has ended */
	NOTE_DNS,      /* struct note_dns: what does DNS say of a client? */
	NOTE_TALLY,    /* struct note_tally */
	NOTE_VISITS,   /* struct note_visits */
	NOTE_RELOADED, /* struct note_reload, done */
	NOTE_STOPPED,  /* struct note_stop, done */
};

struct note {
	struct mpsc_node node; /* first: the mailbox gives this */
	enum note_kind kind;
};

struct ticket {
	struct note note;
	struct worker *worker;
	struct dialogue *dialogue; /* the worker's */
	int fd;                    /* until the dialogue has taken it over */
	char sid[ID_TEXT_LEN + 1];
	struct endpoint peer;     /* who connected */
	struct endpoint client;   /* NOTE_ADMIT: who is behind the proxy;
				   * NOTE_ESCAPE: its network */
	struct inet_addr network; /* counted by the gate; family 0: not */
	bool is_proxied;          /* a PROXY header must come first */
	bool may_xclient, may_etrn;
	struct lacks lacks;       /* of all primaries, for EHLO */
	bool has_etrn;            /* the listener has it, for those who may */
	enum admission admission; /* answer to NOTE_ADMIT */
	char *domain;             /* NOTE_ETRN: as it was said; owned */
	enum etrn_outcome etrn;   /* answer to NOTE_ETRN */
	uint64_t waiting;         /* and how many messages */
	char *sender, *rcpt;      /* NOTE_ESCAPE; owned */
	bool is_let_in;           /* answer to NOTE_ESCAPE */
	struct learning_rcpt *learn; /* NOTE_RCPT; owned */
	enum told told;              /* answer to NOTE_RCPT */
};

/* The dialogue may be gone when it comes back; the worker knows. */
struct note_dns {
	struct note note;
	struct worker *worker;
	struct dialogue *dialogue; /* the worker's; NULL: gone */
	struct inet_addr client;
	struct client_dns_wait wait; /* the main loop's */
	struct client_facts facts;
};

/* Sessions near the limit, or no longer. */
struct note_load {
	struct note note;
	bool is_pressed;
};

/* The main loop's judgement on a client network, for every worker. */
struct note_penalty {
	struct note note;
	struct inet_addr network;
	bool is_rate; /* too many messages; else too many unknown recipients */
	int64_t until_ms; /* monotonic */
};

/* A primary came or went (for `when_up`, and for what was learned). */
struct note_primary {
	struct note note;
	bool is_up;
	int64_t up_ms; /* its up-time clock */
	char name[];
};

struct note_reload {
	struct note note;
	struct receive_reload *reload;
	const struct config *config; /* a reference each */
	struct tls_context *tls;
};

struct note_stop {
	struct note note;
	int64_t grace_ms;
};

/* What clients did, gathered for some milliseconds. */
enum {
	TALLY_MAX = 32
};
struct note_tally {
	struct note note;
	size_t n;
	struct tally_row {
		struct inet_addr network;
		uint32_t kept, unknown;
	} rows[TALLY_MAX];
};

/* Who came although the primary is up, gathered likewise (magnet.h). */
enum {
	VISITS_MAX = 16
};
struct note_visits {
	struct note note;
	size_t n;
	struct visits_row {
		struct inet_addr network;
		char domain[256];
		unsigned kind; /* enum magnet_kind */
		uint32_t count;
	} rows[VISITS_MAX];
};

#endif
