/*
 * XCLIENT and XFORWARD attributes, as Postfix defines them: read by the
 * server machine, written for the client machine. Values are xtext. Pure.
 */
#ifndef MXHOLD_SMTP_XCLIENT_H
#define MXHOLD_SMTP_XCLIENT_H

#include "mxhold/base/arena.h"
#include "mxhold/base/buf.h"
#include "mxhold/base/inet.h"
#include "mxhold/smtp/ehlo.h"
#include "mxhold/smtp/server.h"

/*
 * "NAME=... ADDR=..." with decoded values in the arena. [UNAVAILABLE] and
 * [TEMPUNAVAIL] count as not given. An IPv6 address loses its "IPV6:".
 * 0, or -1: unknown attribute, bad value, nothing at all, no memory.
 */
int smtp_xclient_parse(struct slice arg, struct arena *arena,
		       struct smtp_xclient *out);

/* What is known of the client a message came from. */
struct smtp_origin {
	struct endpoint client; /* family 0: unknown */
	struct slice name;      /* verified reverse name, or empty */
	struct slice helo;
	struct slice protocol; /* "SMTP", "ESMTPS" ...; told as (E)SMTP */
	struct slice ident;    /* our queue id, XFORWARD only; or empty */
};

/*
 * The attributes that `offered` (enum smtp_xattr) names, several command
 * arguments parted by LF where one command of 512 octets is too small; ADDR
 * and NAME come last. Nothing offered: nothing appended. 0, or -1: full.
 */
int smtp_xclient_append(struct buf *out, const struct smtp_origin *o,
			uint32_t offered);
int smtp_xforward_append(struct buf *out, const struct smtp_origin *o,
			 uint32_t offered);

#endif
