/*
 * What the front door knows of the primaries: their addresses (who may say
 * ETRN) and what all of them lack. From the configuration and from what
 * probes wrote into the directory; looked at again now and then.
 * Main loop.
 */
#ifndef MXHOLD_RECEIVE_PRIMARIES_H
#define MXHOLD_RECEIVE_PRIMARIES_H

#include <stdbool.h>

#include "mxhold/base/inet.h"
#include "mxhold/config/config.h"
#include "mxhold/receive/lacks.h"

struct primaries;

struct primaries *primaries_new(void);
void primaries_free(struct primaries *p);
void primaries_refresh(struct primaries *p, const struct config *config,
		       struct directory *directory);
bool primaries_has_address(const struct primaries *p,
			   const struct inet_addr *a);
/* What every one lacks of those whose EHLO is known: EHLO announces nothing
 * of that. BINARYMIME is lacking as soon as one of all lacks it. */
const struct lacks *primaries_lack(const struct primaries *p);

#endif
