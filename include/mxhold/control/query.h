/*
 * Commands that only read, written once: the daemon runs them page by page
 * on its work pool, mxholdctl in one go when no daemon answers. Each step is
 * a page in a short snapshot and appends lines of control/protocol.h.
 *
 * What lives in memory alone (states of primaries, alarms) is copied into a
 * struct query_live by whoever starts the query; the rest comes from the
 * store. A query belongs to one thread at a time.
 */
#ifndef MXHOLD_CONTROL_QUERY_H
#define MXHOLD_CONTROL_QUERY_H

#include "mxhold/control/filter.h"
#include "mxhold/control/present.h"
#include "mxhold/control/protocol.h"
#include "mxhold/storage/directory.h"
#include "mxhold/storage/writer.h"

enum {
	QUERY_ALARMS_MAX = 64,
	QUERY_PAGE = 100, /* messages looked at in a step */
};

struct query_primary {
	struct primary_view view;
	struct relay_view relay;
	bool has_relay;
};

struct query_live {
	int64_t started_ms;          /* wall; 0 = no daemon */
	struct directory *directory; /* NULL: there is none */
	struct query_primary *primaries;
	size_t n_primaries;
	char alarms[QUERY_ALARMS_MAX][256];
	size_t n_alarms;
	/* recipients diff: reads the sources of a domain now; blocks. */
	struct directory_load *(*gather)(void *data, struct directory *d,
					 const struct config_domain *domain,
					 struct error *err);
	void *gather_data;
};

/* From the last stored states. */
void query_live_stored(struct query_live *live, const struct config *config,
		       struct directory *directory);
void query_live_done(struct query_live *live);

struct query;

enum query_more {
	QUERY_DONE, /* the end line is written */
	QUERY_MORE
};

/* Is this a command that only reads, or the choice of an acting one? */
bool query_knows(const char *command);
/*
 * Takes `live` over (it is emptied) and references to the other things,
 * which must outlive the query; config is counted. NULL with a sentence and
 * an exit code.
 */
struct query *query_new(struct store *store, const struct config *config,
			struct query_live *live, const char *command,
			const json_t *args, struct error *err,
			enum exit_code *exit);
enum query_more query_step(struct query *q, struct buf *out);
void query_free(struct query *q);

/* For acting commands: the next messages to be changed, instead of lines. */
struct query_pick {
	uint64_t id, size;
	bool is_quarantined;
	char sender[256], to[256];
};
/* As enum change has it; false: not an acting command. */
bool query_change(const char *command, enum change *change);
/* The same of a query. */
bool query_acts(const struct query *q, enum change *change);
/* *n in: room (at least QUERY_PAGE), out: found. -1 = the store failed. */
int query_pick(struct query *q, struct query_pick *out, size_t *n,
	       enum query_more *more);

#endif
