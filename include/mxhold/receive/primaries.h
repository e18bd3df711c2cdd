/*
 * What the front door knows of the primaries: their addresses (who may say
 * ETRN) and whether they all lack SMTPUTF8. From the configuration and from
 * what probes wrote into the directory; looked at again now and then.
 * Main loop.
 */
#ifndef MXHOLD_RECEIVE_PRIMARIES_H
#define MXHOLD_RECEIVE_PRIMARIES_H

#include <stdbool.h>

#include "mxhold/base/inet.h"
#include "mxhold/config/config.h"
#include "mxhold/storage/directory.h"

struct primaries;

struct primaries *primaries_new(void);
void primaries_free(struct primaries *p);
void primaries_refresh(struct primaries *p, const struct config *config,
		       struct directory *directory);
bool primaries_has_address(const struct primaries *p,
			   const struct inet_addr *a);
/* True while no primary is known, and when any known one takes SMTPUTF8. */
bool primaries_take_utf8(const struct primaries *p);

#endif
