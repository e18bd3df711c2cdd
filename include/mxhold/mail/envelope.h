/*
 * What SMTP says about a message beside its content: who sent it to whom,
 * with which parameters, from which client. Slices point into whatever
 * arena the envelope was built in. One owner at a time.
 */
#ifndef MXHOLD_MAIL_ENVELOPE_H
#define MXHOLD_MAIL_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/inet.h"
#include "mxhold/base/slice.h"

enum body_type {
	BODY_UNSAID,
	BODY_7BIT,
	BODY_8BITMIME,
	BODY_BINARYMIME
};

enum dsn_ret {
	DSN_RET_UNSAID,
	DSN_RET_FULL,
	DSN_RET_HDRS
};

enum dsn_notify { /* a set; 0 = the parameter was absent (RFC 3461 4.1) */
	DSN_NOTIFY_NEVER = 1,
	DSN_NOTIFY_SUCCESS = 2,
	DSN_NOTIFY_FAILURE = 4,
	DSN_NOTIFY_DELAY = 8,
};

struct recipient {
	struct slice address; /* as the client wrote it, no brackets */
	struct slice domain;  /* canonical: its destination */
	struct slice orcpt;   /* verbatim "type;xtext", empty if absent */
	uint8_t notify;       /* enum dsn_notify */
};

struct envelope {
	struct slice sender; /* no brackets; empty = null reverse-path */
	struct slice envid;  /* verbatim xtext, empty if absent */
	enum dsn_ret ret;
	enum body_type body;
	bool smtputf8;
	bool requiretls;
	bool eight_bit;    /* content has octets above 127 */
	bool utf8_header;  /* the header has octets above 127 */
	bool tls_optional; /* header TLS-Required: No (RFC 8689 4.1) */
	bool is_report;    /* a report of ours */

	struct endpoint client;   /* who connected (after PROXY/XCLIENT) */
	struct slice client_name; /* verified reverse name, or empty */
	struct slice helo;        /* as given */
	struct slice protocol;    /* "ESMTPS" and so on (RFC 3848) */
	struct slice tls;      /* "TLSv1.3 TLS_AES_256_GCM_SHA384" or empty */
	int64_t arrived_at_ms; /* wall clock */

	struct recipient *rcpts;
	size_t n_rcpts;
};

#endif
