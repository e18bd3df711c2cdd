/*
 * Recipient lists: reads each domain's sources (files) on the work pool and
 * loads them into the directory when they changed; every `refresh`, at start
 * and on reload. Main loop.
 */
#ifndef MXHOLD_RECEIVE_RECIPIENTS_H
#define MXHOLD_RECEIVE_RECIPIENTS_H

#include "mxhold/config/config.h"
#include "mxhold/net/loop.h"
#include "mxhold/storage/directory.h"

struct recipients;

struct recipients *recipients_new(struct loop *loop, struct directory *d,
				  const struct config *config);
/* Loads what is not loaded yet; on_done when every domain was looked at once
 * (lists that failed are logged, their last good list stays). */
void recipients_sync(struct recipients *r, void (*on_done)(void *data),
		     void *data);
void recipients_reload(struct recipients *r, const struct config *config);
size_t recipients_alarms(const struct recipients *r, char (*out)[256],
			 size_t max);
void recipients_free(struct recipients *r, void (*on_done)(void *data),
		     void *data);

/* Any thread, no loop: reads the sources of one domain into the directory,
 * for tests and the CLI. 0 or -1. */
int recipients_load(struct directory *d, const struct config_domain *domain,
		    struct error *err);

#endif
