/*
 * The inside of a session. One file a part of its life:
 *
 *	session.c	birth, the open session, idle, good-bye
 *	attempt.c	look-up, connect, TLS, EHLO; next host on failure
 *	transaction.c	one message: hand-over, MAIL .. dot
 *
 *	LOOKUP -> TLSA -> CONNECT -> GREETING -> STARTTLS -> HANDSHAKE
 *	   (once)   ^        ^           |           |           |
 *	            |        '-----------+-----------+ failed, another address
 *	            '--------------------' failed, another host
 *	GREETING, EHLO_AGAIN -> IDLE <-> SENDING, and any -> OVER
 *
 * Upcalls are made from callbacks of net and from the wake timer, never from
 * a call of the owner. session_close may come within an upcall: the memory
 * stays until the outermost frame of ours has left (session_enter/_leave).
 */
#ifndef MXHOLD_SESSION_INTERNAL_H
#define MXHOLD_SESSION_INTERNAL_H

#include "mxhold/base/list.h"
#include "mxhold/net/connector.h"
#include "mxhold/net/timer.h"
#include "mxhold/outbound/dane.h"
#include "mxhold/outbound/handover.h"
#include "mxhold/outbound/lookup.h"
#include "mxhold/outbound/session.h"
#include "outbound_internal.h"

enum session_state {
	SESSION_LOOKUP,
	SESSION_TLSA,
	SESSION_CONNECT,
	SESSION_GREETING, /* until READY: banner and EHLO */
	SESSION_STARTTLS,
	SESSION_HANDSHAKE,
	SESSION_EHLO_AGAIN,
	SESSION_IDLE,
	SESSION_SENDING,
	SESSION_QUITTING, /* QUIT is out; nobody listens any more */
	SESSION_OVER      /* the owner may only close */
};

enum session_duty { /* what the wake timer is to do */
	DUTY_NONE,
	DUTY_BEGIN, /* a transaction */
	DUTY_ON,    /* pump: the content went on */
	DUTY_RESULT /* tell the result that is there */
};

struct transaction {
	struct smtp_send send;
	const struct envelope *from; /* or NULL */
	bool is_begun;               /* MAIL is the machine's business now */
	struct handover handover;
	size_t next_command; /* of the hand-over */
	struct session_result result;
	struct smtp_reply *rcpts;
	struct buf body; /* content the machine did not take yet */
	bool last_body;  /* no more content after it */
	bool body_ended; /* and the machine knows */
	bool wants_body; /* on_body was said, session_body has not come */
};

struct session {
	struct outbound *o;
	struct list quitting; /* in o->quitting */
	struct session_target target;
	struct config_primary *primary; /* our copy, or NULL */
	char *domain;
	struct endpoint last_good[ROUTE_ADDRESSES_MAX];
	struct session_events events;
	void *data;
	enum session_state state;
	enum session_stage stage;
	int entered; /* frames of ours on the stack */
	bool closed;

	struct timer *wake;
	enum session_duty duty;
	struct timer *total;

	/* the attempt */
	struct lookup *lookup;
	struct lookup_result *found;
	size_t host;    /* being tried */
	size_t address; /* of it, the next one */
	unsigned tries, host_tries;
	enum primary_tls tls; /* asked of the host */
	bool passed_over;     /* a host that lacks what is wanted */
	struct dane *dane;
	struct dane_result *tlsa; /* of the host */
	struct connector *connector;
	bool clear_only; /* TLS broke here */
	struct session_failure failure;
	bool has_failure;

	/* the connection */
	struct stream *stream;
	struct smtp_client *client;
	struct endpoint peer;
	char host_text[256 + INET_TEXT_MAX + 8];
	bool is_ready; /* EHLO is done: messages may be sent */

	/* messages */
	struct transaction t;
	bool no_handover; /* the server refused it */
	bool has_named;   /* it has taken an XCLIENT, which stays in force */
	char xclient[HANDOVER_COMMANDS_MAX * (HANDOVER_LINE_MAX + 1)];
};

/* session.c */
void session_enter(struct session *s);
void session_leave(struct session *s); /* s may be gone after it */
struct session *session_of_quitting(struct list *item);
/* Events of the machine until it has none, then its output to the stream. */
void session_pump(struct session *s);
void session_wake(struct session *s, enum session_duty duty);
void session_drop_connection(struct session *s);
/* The reply or the sentence of a failure. Fills f. */
void session_explain(const struct session *s, struct session_failure *f,
		     enum session_fault fault, const struct smtp_reply *reply,
		     const char *text);
int64_t session_command_ms(const struct session *s);

/* attempt.c */
void attempt_start(struct session *s);
void attempt_stop(struct session *s); /* whatever is under way */
void attempt_event(struct session *s, const struct smtp_event *e);
void attempt_ended(struct session *s, enum stream_end how, const char *why);
void attempt_on_tls(struct session *s);
void attempt_output(struct session *s); /* the machine has something to say */
void attempt_timed_out(struct session *s);
extern const struct stream_events session_stream_events;

/* transaction.c */
void transaction_begin(struct session *s);
void transaction_event(struct session *s, const struct smtp_event *e);
void transaction_broken(struct session *s, const char *text);
void transaction_tell(struct session *s);
void transaction_feed(struct session *s);
void transaction_done(struct session *s); /* frees what it holds */

#endif
