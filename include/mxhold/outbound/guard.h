/*
 * The loop guard: which names and addresses are our own, so that mail is
 * never handed to ourselves (RFC 5321 5.1).
 */
#ifndef MXHOLD_OUTBOUND_GUARD_H
#define MXHOLD_OUTBOUND_GUARD_H

#include <stdbool.h>

#include "mxhold/config/config.h"

/* The configured host name, caseless, with or without a trailing dot. */
bool guard_is_our_name(const struct config *c, const char *name);
/*
 * For what DNS led to: an address of this machine or one of
 * external_addresses, at port 25 or a port we listen at.
 */
bool guard_is_us(const struct config *c, const struct endpoint *e);
/*
 * For an address an operator wrote: he may well mean another server on this
 * machine, so only what one of our listeners would answer is ourselves.
 */
bool guard_is_our_listener(const struct config *c, const struct endpoint *e);

#endif
