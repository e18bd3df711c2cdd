/*
 * Recipient lists: has each domain's sources looked at on the work pool and
 * loaded into the directory when they changed; every `refresh`, at start, on
 * reload and when asked. Main loop.
 *
 * Domains that name files alone are looked at one after the other; beside
 * them, two at a time of those whose sources are fetched or run, so that
 * what hangs there delays no file and leaves the work pool to others. Their
 * refresh is shortened by up to a tenth, by chance, so that many hosts do
 * not ask one server at the same moment.
 */
#ifndef MXHOLD_RECEIVE_RECIPIENTS_H
#define MXHOLD_RECEIVE_RECIPIENTS_H

#include "mxhold/config/config.h"
#include "mxhold/net/loop.h"
#include "mxhold/storage/directory.h"

struct recipients;

struct recipients *recipients_new(struct loop *loop, struct directory *d,
				  const struct config *config);
/* Looks at all; on_ready when every domain was looked at once, or a few
 * seconds after those of files were: what hangs must not keep the door
 * closed. Lists that failed are logged, their last good list stays. */
void recipients_start(struct recipients *r, void (*on_ready)(void *data),
		      void *data);
/* Looks anew at a domain, or all (NULL); on_done when that was done, and with
 * the others' in their turn. The configuration decides what is a domain. */
void recipients_sync(struct recipients *r, const char *domain,
		     void (*on_done)(void *data), void *data);
/* The same for one, confirming the list that stands refused. */
void recipients_accept(struct recipients *r, const char *domain,
		       void (*on_done)(void *data), void *data);
void recipients_reload(struct recipients *r, const struct config *config);
size_t recipients_alarms(const struct recipients *r, char (*out)[256],
			 size_t max);
/* Breaks off what is under way; who waits for a sync is told then. */
void recipients_free(struct recipients *r, void (*on_done)(void *data),
		     void *data);

/* Any thread, no loop: reads the sources of one domain into the directory,
 * for tests and the CLI. 0 or -1. */
int recipients_load(struct directory *d, const struct config_domain *domain,
		    struct error *err);

#endif
