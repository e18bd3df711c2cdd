/*
 * The control socket: commands of mxholdctl, one JSON object a line each
 * way (control/protocol.h). Main loop; listings go page by page in short
 * snapshots, so that none holds the loop or a read transaction.
 */
#ifndef MXHOLD_CONTROL_CONTROL_H
#define MXHOLD_CONTROL_CONTROL_H

#include <jansson.h>

#include "mxhold/config/config.h"
#include "mxhold/control/protocol.h"
#include "mxhold/net/loop.h"
#include "mxhold/probe/prober.h"
#include "mxhold/relay/relay.h"
#include "mxhold/storage/directory.h"
#include "mxhold/storage/reader.h"
#include "mxhold/storage/writer.h"

struct control;

/* What RCPT would answer: "accept", "reject", "defer", and why. */
typedef void (*control_on_verdict)(void *arg, const char *verdict,
				   const char *why, const char *reply);
/* exit: EXIT_DONE, or why not; changed: it was not so before. */
typedef void (*control_on_ordered)(void *arg, enum exit_code exit,
				   const char *why, bool changed);

/* What the composition root does for the commands. */
struct control_parts {
	struct loop *loop;
	struct store *store;
	struct writer *writer;
	struct directory *directory;
	struct prober *prober;
	struct relay *relay;
	const struct config *config;
	int64_t started_ms; /* wall */
	/* Reload; on_done(data, complaints or NULL) later. */
	void (*reload)(void *data,
		       void (*on_done)(void *arg, const char *complaints),
		       void *arg);
	/* `recipients test`: what RCPT would answer; later, when the primary
	 * must be asked first. */
	void (*test_rcpt)(void *data, const char *domain, const char *address,
			  control_on_verdict on_done, void *arg);
	/* `recipients add` and `del`: pins a recipient or forgets one. */
	void (*order_rcpt)(void *data, const char *domain, const char *address,
			   bool pin, control_on_ordered on_done, void *arg);
	/* `magnet`: who came since then (wall) while the primary was up, as an
	 * array of rows, a new reference. domain NULL: all. */
	json_t *(*magnet)(void *data, const char *domain, int64_t since_ms);
	/* `simulate`: on_done gets the result, a new reference; NULL with why
	 * it could not be. Once, maybe within the call. */
	void (*simulate)(void *data, const json_t *args,
			 void (*on_done)(void *arg, json_t *result,
					 const char *why),
			 void *arg);
	/* `recipients sync` and `accept`: looks at the lists of a domain, or
	 * of all (NULL), later. */
	void (*sync)(void *data, const char *domain, bool accept,
		     void (*on_done)(void *arg), void *arg);
	/* `recipients diff`, on the work pool: see struct query_live. */
	struct directory_load *(*gather)(void *data, struct directory *d,
					 const struct config_domain *domain,
					 struct error *err);
	/* More alarms (recipients, disk, ...): lines. */
	size_t (*alarms)(void *data, char (*out)[256], size_t max);
	void *data;
};

struct control *control_new(const struct control_parts *parts,
			    struct error *err);
void control_reload(struct control *c, const struct config *config);
void control_free(struct control *c);

#endif
