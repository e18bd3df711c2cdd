/*
 * One SMTP session with a next hop, from look-up to QUIT.
 *
 *	session_open -> on_open(ok)  -> [session_send -> ... -> on_sent]*
 *		     -> session_quit or session_close
 *
 * One message at a time. Callbacks are never called from within the call
 * that starts them; none comes after session_close. After on_open failed or
 * on_sent said `broken`, only session_close is allowed.
 */
#ifndef MXHOLD_OUTBOUND_SESSION_H
#define MXHOLD_OUTBOUND_SESSION_H

#include <stdbool.h>

#include "mxhold/net/stream.h"
#include "mxhold/outbound/outbound.h"
#include "mxhold/smtp/client.h"

struct session;

enum session_stage { /* how far it got */
	STAGE_DNS,
	STAGE_CONNECT,
	STAGE_BANNER,
	STAGE_EHLO,
	STAGE_TLS,
	STAGE_MAIL,
	STAGE_RCPT,
	STAGE_DATA,
	STAGE_DOT
};

const char *session_stage_name(enum session_stage s);

enum session_fault {
	FAULT_NONE,
	FAULT_TEMPORARY, /* no connection, 4xx, time-out, DNS trouble */
	FAULT_PERMANENT, /* 5xx at banner, EHLO: about the host, no message */
	FAULT_NO_ROUTE,  /* DNS is definite: NXDOMAIN, null MX, no host */
	FAULT_LOOP       /* the route leads to ourselves */
};

struct session_failure {
	enum session_stage stage;
	enum session_fault fault;
	struct smtp_reply reply; /* code 0 when nobody replied */
	char host[256];          /* who, "mx1.example.com[192.0.2.1]:25" */
	char text[512];          /* one sentence, safe to log */
	char status[8];          /* RFC 3463, when DNS has a word for it */
};

/* How a session is protected (RFC 7672 2.2.1), for log lines. */
struct session_protection {
	char version[16], cipher[64]; /* "" = in clear */
	char proof[8];    /* of the server: "name", "pin", "dane", "no" */
	bool unsigned_mx; /* DNSSEC does not say that it is the right one */
};

struct session_target {
	/* A configured primary; or NULL for a report: then `domain`'s MX,
	 * global addresses only, TLS opportunistic. */
	const struct config_primary *primary;
	const char *domain;
	/* Last good addresses, used when DNS has no answer. May be NULL. */
	const struct endpoint *last_good;
	size_t n_last_good;
	enum probe_depth depth; /* stop there; PROBE_RCPT = to READY */
	/* enum smtp_ext: hosts that lack one of them are passed over, unless
	 * all of them do. */
	uint32_t wants;
	int64_t connect_timeout, command_timeout, data_timeout; /* ms */
	int64_t total_timeout; /* ms for all until on_open; 0 = none */
};

struct session_result { /* of one message */
	bool sent_dot;  /* the final dot has (perhaps) gone out */
	bool broken;    /* the session is over; what was answered is valid */
	bool is_ours;   /* `mail` is our own word, the server heard nothing */
	/* `mail` is a reply to XCLIENT's greeting or EHLO: it will not have
	 * that client, whoever speaks for it. */
	bool client_refused;
	struct session_failure failure; /* when broken */
	struct smtp_reply mail;         /* code 0 = none */
	struct smtp_reply final; /* to DATA or to the dot; code 0 = none */
	const struct smtp_reply *rcpts; /* one a recipient; code 0 = none */
	size_t n_rcpts;
};

struct session_events {
	/* failure NULL: the session is READY (or the depth was reached). */
	void (*on_open)(void *data, const struct session_failure *failure);
	/* More content, please: answer with session_body, sooner or later. */
	void (*on_body)(void *data);
	/* The transaction is over. The result is valid within, until the next
	 * session_send or session_close. */
	void (*on_sent)(void *data, const struct session_result *result);
	/* Idle session closed by the peer (or 421). May be NULL. */
	void (*on_idle_end)(void *data);
};

struct session *session_open(struct outbound *o,
			     const struct session_target *target,
			     const struct session_events *events, void *data);
/* Facts of an open session. */
bool session_is_ready(const struct session *s); /* EHLO or HELO is done */
const struct smtp_ehlo *session_ehlo(const struct session *s);
/* It has carried as many messages as the server takes (RFC 9422). */
bool session_is_spent(const struct session *s);
/* All "" and false for NULL and before it is connected. */
void session_protection(const struct session *s,
			struct session_protection *out);
const char *session_host(const struct session *s);
const struct endpoint *session_peer(const struct session *s);

/* `handover`: whose client facts go by XCLIENT or XFORWARD when the primary
 * offers it and its configuration says so; may be NULL. The slices of `m`
 * and of the envelope must live until on_sent. */
void session_send(struct session *s, const struct smtp_send *m,
		  const struct envelope *handover);
/* Content: at the end last = true. */
void session_body(struct session *s, struct slice bytes, bool last);
/* The content cannot be had: the session is broken off without a dot. */
void session_body_failed(struct session *s);
/* Says QUIT, waits shortly, closes, frees; no callbacks come any more. */
void session_quit(struct session *s);
void session_close(struct session *s); /* at once; NULL is fine */

#endif
