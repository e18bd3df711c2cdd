/*
 * The argument of XCLIENT, as Postfix defines it (XCLIENT_README). Pure.
 */
#ifndef MXHOLD_SMTP_XCLIENT_H
#define MXHOLD_SMTP_XCLIENT_H

#include "mxhold/base/arena.h"
#include "mxhold/base/slice.h"
#include "mxhold/smtp/server.h"

/*
 * "NAME=... ADDR=..." with decoded values in the arena. [UNAVAILABLE] and
 * [TEMPUNAVAIL] count as not given. An IPv6 address loses its "IPV6:".
 * 0, or -1: unknown attribute, bad value, nothing at all, no memory.
 */
int smtp_xclient_parse(struct slice arg, struct arena *arena,
		       struct smtp_xclient *out);

#endif
