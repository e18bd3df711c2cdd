/*
 * The receiving side of SMTP (RFC 5321 and extensions): no sockets, no clock,
 * no storage. A machine that eats bytes and asks questions; the driver
 * (receive/session) gives it a socket and answers.
 *
 * Rules: it never calls out; while a question is open it asks nothing else
 * (next says NOTHING) and takes no input (feed says 0); what is pipelined
 * behind stays unread in its bounded buffer of 16 KiB. While 4 KiB of replies
 * have not been fetched it does nothing either. The same bytes cut anywhere
 * give the same questions and the same output.
 *
 * Driver's loop, called after every event:
 *
 *	for (;;) {
 *		q = smtp_server_next(s);
 *		switch (q.ask) ... answer, or return until the answer is known
 *	}
 *
 * Who holds a transaction: from a MAIL that was answered yes the driver does,
 * until COMMIT is answered (whatever the answer) or ABORT is asked, which
 * happens once for every transaction that ends otherwise: RSET, EHLO, QUIT,
 * refused content, 421. Content that is refused, by the limit, by a bare
 * newline or by the driver's answer to BODY, is read to its end and dropped;
 * ABORT comes at once, the reply behind the end. A refused DATA leaves the
 * transaction open; a refused BDAT does not (RFC 3030 2). Any answer of 421
 * closes.
 *
 * One thread; the machine owns its memory; slices in a question are valid
 * until it is answered.
 */
#ifndef MXHOLD_SMTP_SERVER_H
#define MXHOLD_SMTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/slice.h"
#include "mxhold/mail/address.h"
#include "mxhold/mail/envelope.h"
#include "mxhold/smtp/reply.h"

struct smtp_server_config {   /* must outlive the machine */
	const char *hostname; /* FQDN, A-labels */
	uint64_t max_size;    /* bytes of content; 0 = no limit */
	uint32_t max_rcpt;    /* accepted RCPTs a transaction */
	uint32_t max_errors;  /* 4xx/5xx caused by the client, then 421 */
	bool strict_helo;
	bool reject_bare_newline; /* else normalised to CRLF */
	bool offer_tls;
	bool offer_8bitmime;
	bool offer_dsn;
	bool offer_utf8; /* with offer_8bitmime only (RFC 6531 3.1) */
	bool offer_chunking;
	bool offer_binarymime;
	bool offer_requiretls; /* announced inside TLS only */
	bool offer_etrn;       /* for this client */
	bool offer_xclient;    /* for this client */
};

enum smtp_ask {
	SMTP_ASK_NOTHING, /* feed me, or flush my output */
	SMTP_ASK_HELO, /* EHLO/HELO said    -> answer NULL = fine, or refuse */
	SMTP_ASK_MAIL, /* may this sender?  -> answer (NULL = 250 2.1.0) */
	SMTP_ASK_RCPT, /* is it ours?       -> answer (NULL = 250 2.1.5) */
	SMTP_ASK_DATA, /* content is about to come -> answer (NULL = go on) */
	SMTP_ASK_BODY, /* content octets, unstuffed, newlines as configured
			* -> answer NULL when they are taken */
	SMTP_ASK_COMMIT,  /* the content is whole: keep it -> answer */
	SMTP_ASK_ABORT,   /* forget the transaction -> answer NULL */
	SMTP_ASK_TLS,     /* flush output, start TLS -> tls_started; or answer
			   * with a refusal before it is flushed */
	SMTP_ASK_ETRN,    /* -> answer */
	SMTP_ASK_XCLIENT, /* new client facts -> answer NULL = taken (220) */
	SMTP_ASK_CLOSE,   /* flush output, hang up; nothing follows */
};

/* RFC-less: Postfix XCLIENT. p NULL: not given; empty: [UNAVAILABLE]. */
struct smtp_xclient {
	struct slice addr, name, port, helo, proto, login;
};

struct smtp_question {
	enum smtp_ask ask;
	/* HELO, ETRN: the argument. BODY: the octets. */
	struct slice text;
	/* MAIL */
	struct address sender; /* .text empty: null reverse-path */
	uint64_t size;         /* SIZE=, 0 if not given */
	/* RCPT */
	struct address rcpt;
	struct recipient rcpt_params; /* orcpt, notify; address set */
	/* COMMIT */
	uint64_t content_size;
	/* XCLIENT */
	struct smtp_xclient xclient;
};

/* Facts of the transaction, valid from MAIL to COMMIT/ABORT. */
struct smtp_transaction {
	struct slice sender; /* as written, no brackets */
	struct slice envid;
	enum dsn_ret ret;
	enum body_type body;
	bool smtputf8;
	bool requiretls;
};

struct smtp_server;

struct smtp_server *smtp_server_new(const struct smtp_server_config *config);
void smtp_server_free(struct smtp_server *s);
/* Says the greeting: 220, or the refusal given (554, 421: then QUIT only). */
void smtp_server_greet(struct smtp_server *s, const struct smtp_reply *refusal);
/* How many octets were taken: as many as fit, none while a question is open;
 * all, to be dropped, during the TLS handshake and once it is closed. */
size_t smtp_server_feed(struct smtp_server *s, struct slice bytes);
struct smtp_question smtp_server_next(struct smtp_server *s);
/* NULL = the plain yes of that question. */
void smtp_server_answer(struct smtp_server *s, const struct smtp_reply *reply);
/* The handshake is done: all knowledge from before is forgotten (RFC 3207
 * 4.2). Octets that had come behind STARTTLS make the machine close. */
void smtp_server_tls_started(struct smtp_server *s);
/* Octets stand behind STARTTLS (RFC 3207 4.2, CVE-2011-0411). */
bool smtp_server_was_injected(const struct smtp_server *s);
/* Instead of the handshake, while the 220 is still in the output: it is taken
 * back, 554 is said, and the machine closes. Nothing that stands behind
 * STARTTLS is looked at. */
void smtp_server_refuse_tls(struct smtp_server *s);
/* The driver ends it: 421 with this text, then SMTP_ASK_CLOSE. While a
 * question is open this waits for its answer, so that a message which is
 * being kept is told to be kept. */
void smtp_server_shut(struct smtp_server *s, const char *enhanced,
		      const char *text);
struct slice smtp_server_output(const struct smtp_server *s);
void smtp_server_sent(struct smtp_server *s, size_t n);

const struct smtp_transaction *
smtp_server_transaction(const struct smtp_server *s);
/* "SMTP", "ESMTP", "ESMTPS", "UTF8SMTPS" ... (RFC 3848, RFC 6531 4.3). */
struct slice smtp_server_protocol(const struct smtp_server *s);
struct slice smtp_server_helo(const struct smtp_server *s);
bool smtp_server_in_data(const struct smtp_server *s);
uint32_t smtp_server_errors(const struct smtp_server *s);

#endif
