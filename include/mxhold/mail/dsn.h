/*
 * Delivery status notifications (RFC 3461, 3464, 6522, 6533): builds the
 * whole message, header and body, with CRLF line ends. Pure.
 */
#ifndef MXHOLD_MAIL_DSN_H
#define MXHOLD_MAIL_DSN_H

#include "mxhold/base/buf.h"
#include "mxhold/mail/envelope.h"

enum dsn_action {
	DSN_FAILED,
	DSN_DELAYED,
	DSN_RELAYED
};

struct dsn_recipient {
	struct slice address; /* as received */
	struct slice orcpt;   /* verbatim or empty */
	enum dsn_action action;
	char status[12]; /* "5.1.1"; its class is made to fit the action */
	struct slice remote_mta; /* name, or empty: none was contacted */
	struct slice diagnostic; /* the reply, lines parted by LF, or empty */
	int64_t last_attempt_ms; /* 0 = none */
	int64_t retry_until_ms;  /* delayed only; 0 = none */
};

struct dsn {
	const char *hostname; /* our FQDN: Reporting-MTA, Message-ID */
	const char *from;     /* header From: "postmaster@..." */
	char qid[16];         /* of the original */
	int64_t now_ms;
	uint64_t unique; /* for Message-ID and boundary */
	const struct envelope *original;
	const struct dsn_recipient *rcpts;
	size_t n_rcpts;
	/* Header of the original, or the whole of it when `full`. */
	struct slice content;
	bool full;
	/* The return path takes neither 8BITMIME nor SMTPUTF8. */
	bool seven_bit;
};

/* True when NOTIFY (or its absence) and the sender ask for such a report. */
bool dsn_is_wanted(const struct envelope *env, uint8_t notify,
		   enum dsn_action action);
/* True when the report itself will need SMTPUTF8 (RFC 6533 4): the original
 * came with it, something in it is not ASCII, and the return path allows. */
bool dsn_is_utf8(const struct dsn *dsn);
/*
 * 0, or -1 when the buffer is full. Remote text is cleaned: it can add no
 * field and no line. The whole original goes along only when some recipient
 * failed; of a BINARYMIME original never more than the header.
 */
int dsn_build(struct buf *out, const struct dsn *dsn);

#endif
