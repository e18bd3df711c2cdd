/*
 * The inside of the sending machine, shared by its files only:
 * client.c (life, commands going out, events), client_replies.c (what a reply
 * means), client_commands.c (what MAIL and RCPT look like), client_content.c
 * (DATA and BDAT).
 *
 *	GREETING -> EHLO -> [HELO] -> IDLE <-> TLS, XCLIENT, XFORWARD, RSET
 *	IDLE -> ENVELOPE -> CONTENT -> DOT -> IDLE
 *	           |           '-> FAILED -> CLEANUP -> IDLE
 *	           '-> LONE_DOT, CLEANUP -> IDLE
 *	IDLE, REFUSED -> QUIT -> OVER, and any -> OVER
 *
 * In ENVELOPE the commands are numbered: 0 is MAIL, 1 to n are the RCPTs,
 * n + 1 is DATA (RSET for a probe; none before BDAT). `asked` is the next to
 * go out, `heard` the next to be answered; what was skipped was never sent.
 */
#ifndef MXHOLD_SMTP_CLIENT_MACHINE_H
#define MXHOLD_SMTP_CLIENT_MACHINE_H

#include "mxhold/base/buf.h"
#include "mxhold/smtp/client.h"
#include "mxhold/smtp/dot.h"
#include "mxhold/smtp/newline.h"
#include "mxhold/smtp/reply_parser.h"

enum {
	CLIENT_OUT_FULL = 65536 /* no more content or RCPTs beyond it */
};

enum client_state {
	CLIENT_GREETING,
	CLIENT_EHLO,
	CLIENT_HELO,
	CLIENT_REFUSED, /* no greeting or no EHLO: only QUIT is left */
	CLIENT_IDLE,
	CLIENT_TLS,       /* STARTTLS is out */
	CLIENT_HANDSHAKE, /* nothing may come in plaintext */
	CLIENT_XCLIENT,
	CLIENT_XFORWARD,
	CLIENT_RSET,
	CLIENT_ENVELOPE,
	CLIENT_CONTENT,
	CLIENT_DOT,      /* the content is out, its reply is awaited */
	CLIENT_FAILED,   /* a chunk was refused; replies are still owed */
	CLIENT_LONE_DOT, /* 354 though no recipient was good */
	CLIENT_CLEANUP,  /* our RSET behind a failed transaction */
	CLIENT_QUIT,
	CLIENT_OVER
};

enum client_skip { /* why a command was not sent */
	SKIP_NO,
	SKIP_LIMIT,   /* RFC 9422 */
	SKIP_ADDRESS, /* not an address: nothing may be smuggled by it */
	SKIP_UTF8     /* RFC 6531 3.2: not without SMTPUTF8 */
};

struct smtp_client {
	char *helo_name;
	struct buf in, out;
	struct smtp_reply_parser parser;
	bool in_reply; /* the parser holds the first lines of one */
	struct smtp_ehlo ehlo;
	enum client_state state;
	bool done_due, closed_due, broken_due; /* events, in this order */
	uint32_t transactions;

	/* the transaction */
	struct smtp_send send;
	uint8_t *skips; /* enum client_skip, one a RCPT */
	size_t asked, heard;
	size_t owed; /* replies to what was sent */
	size_t rcpts_sent, rcpts_good;
	bool mail_refused;
	bool stop;  /* no further command of the envelope goes out */
	bool dirty; /* the server may think a transaction is open */

	/* RFC 9422 RCPTDOMAINMAX: of the whole connection, as hashes */
	uint64_t *domains;
	size_t n_domains;

	/* content */
	struct smtp_newline newline;
	struct smtp_stuff stuff;
	bool wants_body;
	bool end_due; /* BDAT LAST waits for the reply to the last chunk */
	bool dot_sent;
};

/* client.c */
void client_put(struct smtp_client *c, const char *verb, struct slice arg);
void client_break(struct smtp_client *c, const char *why);
/* Hang up: 421 was heard, or the dialogue cannot go on. */
void client_end(struct smtp_client *c);
void client_say_ehlo(struct smtp_client *c);
/* As many commands of the envelope as may go out now. */
void client_pump(struct smtp_client *c);
bool client_may_ask(const struct smtp_client *c);
size_t client_last_command(const struct smtp_client *c);

/* client_replies.c: what each reply means, by the state it comes in */
struct smtp_event client_event(enum smtp_says says,
			       const struct smtp_reply *reply);
struct smtp_event client_on_reply(struct smtp_client *c,
				  const struct smtp_reply *r);
/* A recipient whose RCPT was not sent, when its turn has come. */
bool client_next_skipped(struct smtp_client *c, struct smtp_event *e);
/* All that was sent is answered and no more will be. */
bool client_envelope_is_over(const struct smtp_client *c);
void client_leave_envelope(struct smtp_client *c);

/* client_commands.c: 0, or -1 when memory is short */
enum client_skip client_check_mail(const struct smtp_client *c);
enum client_skip client_check_rcpt(struct smtp_client *c,
				   const struct recipient *r);
void client_skip_reply(enum client_skip why, struct smtp_reply *out);
int client_append_mail(struct smtp_client *c);
int client_append_rcpt(struct smtp_client *c, const struct recipient *r);
bool client_is_chunked(const struct smtp_client *c);

/* client_content.c */
void client_begin_content(struct smtp_client *c);
bool client_has_room(const struct smtp_client *c);
/* A chunk was answered: BDAT LAST may be due. */
void client_go_on(struct smtp_client *c);

#endif
