/*
 * The sending side of SMTP: no sockets, no clock. The driver tells it what
 * to send; it says what goes on the wire and, in order, what was answered.
 * It pipelines where the server offers it (RFC 2920) and matches replies to
 * commands by count only. A reply is at most 100 lines and 64 KiB.
 *
 * Life: new -> EHLO (by itself after the greeting) -> READY -> [start TLS ->
 * EHLO again -> READY] -> transactions -> quit.
 *
 * One thread; the machine owns its memory.
 */
#ifndef MXHOLD_SMTP_CLIENT_H
#define MXHOLD_SMTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/slice.h"
#include "mxhold/mail/envelope.h"
#include "mxhold/smtp/ehlo.h"
#include "mxhold/smtp/reply.h"

struct smtp_client;

/* One message of one transaction, as the driver wants it sent. Slices must
 * live until the event SMTP_SAYS_DONE or the client's end. */
struct smtp_send {
	struct slice sender;
	const struct recipient *rcpts;
	size_t n_rcpts;
	uint64_t size; /* octets of content */
	struct slice envid;
	enum dsn_ret ret;
	enum body_type body;
	bool eight_bit;
	bool smtputf8;
	bool requiretls;
	bool rcpt_only; /* a probe: stop behind RCPT, RSET, never DATA */
};

/*
 * Within a transaction: MAIL, then RCPT for each recipient in order, then
 * BODY any number of times, RESULT, DONE. What follows a refusal is left
 * out: behind a refused MAIL comes DONE at once, without a good RCPT there is
 * neither BODY nor RESULT. A 421 is told as the reply it is, then DONE, then
 * CLOSED. BROKEN ends everything, also the transaction, without DONE.
 * After DONE the server's state is clean: the machine has sent RSET itself
 * where one was needed.
 */
enum smtp_says {
	SMTP_SAYS_NOTHING,  /* flush my output, feed me */
	SMTP_SAYS_GREETING, /* reply: the banner, when it is not 2xx */
	SMTP_SAYS_READY,    /* EHLO done: smtp_client_ehlo is valid; idle */
	SMTP_SAYS_REFUSED,  /* EHLO and HELO refused: reply */
	SMTP_SAYS_TLS,      /* STARTTLS answered: reply; 220: start TLS now */
	SMTP_SAYS_XCLIENT,  /* XCLIENT or XFORWARD answered: reply */
	SMTP_SAYS_MAIL,     /* reply to MAIL */
	SMTP_SAYS_RCPT,     /* reply to RCPT number `index` */
	SMTP_SAYS_BODY,     /* content please: smtp_client_body / _body_end;
			     * said again after each smtp_client_body, once
			     * there is room */
	SMTP_SAYS_RESULT,   /* reply to DATA or to the final dot: for all
			     * recipients whose RCPT was 2xx */
	SMTP_SAYS_DONE,     /* the transaction is over, idle again */
	SMTP_SAYS_RSET,     /* reply to RSET between messages */
	SMTP_SAYS_CLOSED,   /* QUIT answered, or 421 heard: hang up */
	SMTP_SAYS_BROKEN,   /* the server broke the protocol: reply.text why */
};

struct smtp_event {
	enum smtp_says says;
	size_t index;
	struct smtp_reply reply;
};

struct smtp_client *smtp_client_new(const char *helo_name);
void smtp_client_free(struct smtp_client *c);
/* Takes all it is given, or breaks (SMTP_SAYS_BROKEN) beyond its caps. */
void smtp_client_feed(struct smtp_client *c, struct slice bytes);
struct smtp_event smtp_client_next(struct smtp_client *c);
struct slice smtp_client_output(const struct smtp_client *c);
void smtp_client_sent(struct smtp_client *c, size_t n);

const struct smtp_ehlo *smtp_client_ehlo(const struct smtp_client *c);

/* Only when idle (READY or DONE was said); quit also after a refusal. At
 * least one recipient; those beyond LIMITS RCPTMAX or RCPTDOMAINMAX are
 * answered 452 4.5.3 without being sent (RFC 9422). */
void smtp_client_start_tls(struct smtp_client *c);
void smtp_client_tls_started(struct smtp_client *c); /* EHLO goes out again */
/* After XCLIENT's 220 the dialogue starts anew (greeting state, EHLO). */
void smtp_client_xclient(struct smtp_client *c, struct slice attributes);
void smtp_client_xforward(struct smtp_client *c, struct slice attributes);
void smtp_client_send(struct smtp_client *c, const struct smtp_send *m);
void smtp_client_rset(struct smtp_client *c);
void smtp_client_quit(struct smtp_client *c);

/* Content, as stored (CRLF lines, not stuffed); any cuts. How much was
 * taken: less than given when 64 KiB of output wait. A bare CR or LF leaves
 * as CRLF, but for BINARYMIME. Once the transaction has failed, content is
 * taken and dropped. */
size_t smtp_client_body(struct smtp_client *c, struct slice bytes);
void smtp_client_body_end(struct smtp_client *c);
/* The content cannot be had (bad checksum, say): the connection must be
 * dropped without the final dot. CLOSED follows. */
void smtp_client_body_abort(struct smtp_client *c);
/* True once any octet of the final dot (or BDAT LAST) may have been handed
 * out: what happened to the message is then for the server to say. Stays
 * until the next smtp_client_send. */
bool smtp_client_dot_sent(const struct smtp_client *c);
/* LIMITS MAILMAX is reached: the next message needs a new connection. */
bool smtp_client_is_spent(const struct smtp_client *c);

/* Why this message must not go to this server, or code 0: SIZE too small
 * (552 5.3.4), 8BITMIME, SMTPUTF8, REQUIRETLS (but for a null reverse-path)
 * or BINARYMIME missing. */
struct smtp_reply smtp_client_fits(const struct smtp_client *c,
				   const struct smtp_send *m);

#endif
