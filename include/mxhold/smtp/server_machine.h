/*
 * The inside of the receiving machine, shared by its files only: server.c
 * (life, questions and answers), server_commands.c (the table of verbs, one
 * function each), server_mail.c (those of a transaction), server_content.c
 * (what comes behind DATA and BDAT).
 *
 * Two things change independently and have a variable each:
 *
 * What the next octets are (mode):
 *
 *	NEW --greet--> COMMAND --DATA, 354--> DATA --CRLF.CRLF--> COMMAND
 *	               COMMAND --BDAT n--> CHUNK --n octets--> COMMAND
 *	               any --QUIT, 421, bytes behind STARTTLS--> CLOSED
 *
 * How far the transaction is (phase):
 *
 *	NONE --MAIL--> OPEN --BDAT--> CHUNKED --LAST--> NONE
 *	               OPEN --DATA--> NONE
 *	               CHUNKED --a chunk fails--> SPOILT --RSET, EHLO--> NONE
 *
 * What is kept for an idle session: this struct and the client's name. All
 * else is allocated when it is needed and freed when it is not.
 */
#ifndef MXHOLD_SMTP_SERVER_MACHINE_H
#define MXHOLD_SMTP_SERVER_MACHINE_H

#include "mxhold/base/arena.h"
#include "mxhold/base/buf.h"
#include "mxhold/smtp/dot.h"
#include "mxhold/smtp/line.h"
#include "mxhold/smtp/newline.h"
#include "mxhold/smtp/server.h"

enum server_mode {
	MODE_NEW,
	MODE_COMMAND,
	MODE_DATA,
	MODE_CHUNK,
	MODE_CLOSED
};

enum server_phase {
	PHASE_NONE,
	PHASE_OPEN,
	PHASE_CHUNKED,
	PHASE_SPOILT /* RFC 3030 2: only RSET, EHLO or QUIT lead out */
};

enum server_hello {
	HELLO_NONE,
	HELLO_HELO,
	HELLO_EHLO
};

struct smtp_server {
	const struct smtp_server_config *config;
	struct buf in, out;
	struct arena arena; /* strings of the transaction */
	struct smtp_line line;
	uint8_t mode, phase, hello; /* the enums above */
	bool tls;
	bool turned_away;  /* the greeting was a refusal */
	bool injected;     /* octets came behind STARTTLS */
	bool begins_chunk; /* the line at the front of `in` is a BDAT */
	bool abort_due;    /* the driver must hear of a dropped transaction */

	/* the open question, and the input it was made of */
	enum smtp_ask open;
	size_t spent; /* octets at the front of `in`, dropped when answered */
	size_t go_ahead; /* STARTTLS: octets of the 220, last in `out` */
	char *said;      /* HELO: the name, until it is accepted */
	uint8_t said_hello;

	char *helo; /* NUL-terminated, or NULL */
	uint32_t errors;
	struct smtp_transaction tx;
	uint32_t rcpts, rcpts_refused;

	/* content under way */
	struct smtp_dot dot;
	struct smtp_newline newline;
	size_t run;          /* octets at the front of `in`: content */
	uint64_t chunk_left; /* BDAT: octets still to come */
	uint64_t chunk_size; /* BDAT: as it was announced */
	uint64_t declared;   /* BDAT: sum of all chunks */
	uint64_t content;    /* octets handed to the driver */
	bool chunk_last;
	bool over;                   /* the size limit is passed */
	struct smtp_reply *refusal;  /* content is discarded; said at the end */
	struct smtp_reply *farewell; /* said when the question is answered */
};

/* server.c */
void server_say(struct smtp_server *s, const struct smtp_reply *r);
void server_say_text(struct smtp_server *s, int code, const char *enhanced,
		     const char *text);
/* The client's fault: said and counted. */
void server_refuse(struct smtp_server *s, int code, const char *enhanced,
		   const char *text);
void server_count_error(struct smtp_server *s);
void server_close(struct smtp_server *s);
/* The transaction is dropped: the driver will be asked to forget it. */
void server_drop(struct smtp_server *s, enum server_phase phase);
/* Its facts are forgotten here. */
void server_end_transaction(struct smtp_server *s);

/* server_commands.c: one line; may set s->open and fill q. */
void server_command(struct smtp_server *s, struct slice line,
		    struct smtp_question *q);
void server_answered_command(struct smtp_server *s, enum smtp_ask ask,
			     const struct smtp_reply *reply);

/* server_mail.c: the verbs of a transaction. `arg` is what follows a verb. */
typedef void server_verb(struct smtp_server *s, struct slice arg,
			 struct smtp_question *q);
server_verb server_mail, server_rcpt, server_data, server_bdat;
void server_answered_mail(struct smtp_server *s, const struct smtp_reply *r);
void server_answered_rcpt(struct smtp_server *s, const struct smtp_reply *r);
void server_answered_data(struct smtp_server *s, const struct smtp_reply *r);

/* server_content.c */
void server_begin_data(struct smtp_server *s);
void server_begin_chunk(struct smtp_server *s);
/* Refused, but its octets must be read; the reply comes behind them. */
void server_discard_chunk(struct smtp_server *s, const struct smtp_reply *r);
/* True: q is asked. False: more input is needed, or the mode has changed. */
bool server_content(struct smtp_server *s, struct smtp_question *q);
void server_answered_body(struct smtp_server *s, const struct smtp_reply *r);
void server_answered_commit(struct smtp_server *s, const struct smtp_reply *r);

#endif
