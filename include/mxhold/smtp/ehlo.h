/* What a server offered in its EHLO reply (RFC 5321 4.1.1.1). A value. */
#ifndef MXHOLD_SMTP_EHLO_H
#define MXHOLD_SMTP_EHLO_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/slice.h"

enum smtp_ext {
	EXT_PIPELINING = 1 << 0,
	EXT_SIZE = 1 << 1,
	EXT_8BITMIME = 1 << 2,
	EXT_SMTPUTF8 = 1 << 3,
	EXT_DSN = 1 << 4,
	EXT_CHUNKING = 1 << 5,
	EXT_BINARYMIME = 1 << 6,
	EXT_STARTTLS = 1 << 7,
	EXT_ENHANCEDSTATUSCODES = 1 << 8,
	EXT_REQUIRETLS = 1 << 9,
	EXT_XCLIENT = 1 << 10,
	EXT_XFORWARD = 1 << 11,
	EXT_ETRN = 1 << 12,
	EXT_LIMITS = 1 << 13,
	/* Where a set is kept: it was heard, what is not in it is missing. */
	EXT_HEARD = 1 << 30,
};

struct smtp_ehlo {
	uint32_t ext;      /* enum smtp_ext */
	bool esmtp;        /* EHLO was accepted (else HELO) */
	bool is_us;        /* it says our own name: we talk to ourselves */
	uint64_t size;     /* SIZE limit; 0 = none said */
	uint32_t mail_max; /* LIMITS MAILMAX; 0 = none (RFC 9422) */
	uint32_t rcpt_max; /* LIMITS RCPTMAX */
	uint32_t rcpt_domain_max;
	uint32_t xclient;  /* attributes of XCLIENT: enum smtp_xattr */
	uint32_t xforward; /* attributes of XFORWARD */
};

enum smtp_xattr {
	XATTR_NAME = 1 << 0,
	XATTR_ADDR = 1 << 1,
	XATTR_PORT = 1 << 2,
	XATTR_PROTO = 1 << 3,
	XATTR_HELO = 1 << 4,
	XATTR_IDENT = 1 << 5,
	XATTR_SOURCE = 1 << 6,
	XATTR_LOGIN = 1 << 7,
	XATTR_DESTADDR = 1 << 8,
	XATTR_DESTPORT = 1 << 9,
};

/* One line of the reply, without code and separator; unknown ones ignored. */
void smtp_ehlo_line(struct smtp_ehlo *e, struct slice line);

#endif
