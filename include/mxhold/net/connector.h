/*
 * Opens one TCP connection to the first address of a list that works:
 * addresses are tried in the order given, a new one started when one fails
 * or `stagger_ms` after the last (RFC 8305 in small), each with a deadline.
 */
#ifndef MXHOLD_NET_CONNECTOR_H
#define MXHOLD_NET_CONNECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "mxhold/base/inet.h"
#include "mxhold/net/loop.h"

struct connector;

enum {
	CONNECT_ADDRESSES_MAX = 16
};

struct connect_options {
	const struct endpoint *to; /* copied; at most CONNECT_ADDRESSES_MAX */
	size_t n;
	const struct inet_addr *source; /* local address, or NULL */
	int64_t timeout_ms;             /* for each address */
	int64_t stagger_ms;             /* 0 = strictly one after the other */
};

/* fd >= 0: connected to `to[which]`, the receiver owns it. fd < 0: none
 * worked, why names the last failure (and the address). Called once, never
 * within connector_start. */
typedef void (*connector_on_done)(void *data, int fd, size_t which,
				  const char *why);

struct connector *connector_start(struct loop *l,
				  const struct connect_options *options,
				  connector_on_done on_done, void *data);
/* No callback comes. Only before on_done was called. */
void connector_cancel(struct connector *c);

#endif
