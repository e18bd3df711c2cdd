/*
 * Parameters of MAIL and RCPT (RFC 5321 4.1.2; RFC 1870, 6152, 3030, 6531,
 * 3461, 6533, 8689). Values stay verbatim: slices into the input. Pure.
 */
#ifndef MXHOLD_SMTP_PARAMS_H
#define MXHOLD_SMTP_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/slice.h"
#include "mxhold/mail/envelope.h"

enum {
	SMTP_ENVID_MAX = 100, /* RFC 3461 5.4 */
	SMTP_ORCPT_MAX = 500,
};

enum smtp_params_result {
	SMTP_PARAMS_OK,
	SMTP_PARAMS_UNKNOWN, /* 555: unknown or not offered */
	SMTP_PARAMS_BAD,     /* 501: malformed or doubled */
};

struct smtp_params_offer { /* what the client may use */
	bool esmtp;        /* EHLO; after HELO every parameter is unknown */
	bool body;         /* 8BITMIME */
	bool dsn;
	bool binarymime;
	bool smtputf8;
	bool requiretls;
};

struct smtp_mail_params {
	bool has_size;
	uint64_t size; /* UINT64_MAX when 20 digits do not fit */
	enum body_type body;
	bool smtputf8;
	bool requiretls;
	enum dsn_ret ret;
	struct slice envid;
};

struct smtp_rcpt_params {
	uint8_t notify; /* enum dsn_notify */
	struct slice orcpt;
};

/* `text` is what follows the path, empty or beginning with a blank. */
enum smtp_params_result smtp_params_mail(struct slice text,
					 const struct smtp_params_offer *offer,
					 struct smtp_mail_params *out);
/* Here offer->smtputf8 says that MAIL had SMTPUTF8: raw UTF-8 in ORCPT. */
enum smtp_params_result smtp_params_rcpt(struct slice text,
					 const struct smtp_params_offer *offer,
					 struct smtp_rcpt_params *out);

#endif
