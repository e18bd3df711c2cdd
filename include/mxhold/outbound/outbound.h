/*
 * The sending side's driver: finds a primary's hosts, connects, does TLS and
 * EHLO, sends messages over the session. It runs on any loop; all of it on
 * the loop it was made for. Under probe and relay.
 */
#ifndef MXHOLD_OUTBOUND_OUTBOUND_H
#define MXHOLD_OUTBOUND_OUTBOUND_H

#include "mxhold/config/config.h"
#include "mxhold/net/loop.h"
#include "mxhold/net/resolver.h"

struct outbound;

/* Holds a reference to the configuration. The resolver belongs to the same
 * loop; without one (NULL) every look-up of a name fails, addresses work. */
struct outbound *outbound_new(struct loop *loop, struct resolver *resolver,
			      const struct config *config);
/* Open sessions go on as they began; certificates and CA files are read
 * again for new ones. */
void outbound_reload(struct outbound *o, const struct config *config);
void outbound_free(struct outbound *o); /* after all its sessions */

#endif
