/*
 * One domain's sources into the directory. Blocks (files, programs, the
 * network, LMDB): the work pool or a command-line tool. What is known of the
 * sources (validators, when they were good, a list that was refused) is kept
 * in the directory, so that it outlives a restart.
 *
 * Sources are one list: when one of them cannot be read, none of them
 * changes anything. What is the same as before is told by stat for files, by
 * ETag and Last-Modified for https, by a sum over the entries for the rest;
 * nothing is written then.
 *
 * A list that is empty, or smaller than max_shrink allows, is refused until
 * it is confirmed; a list that is good again undoes that.
 */
#ifndef MXHOLD_RECEIVE_RECIPIENTS_LOAD_H
#define MXHOLD_RECEIVE_RECIPIENTS_LOAD_H

#include <stdatomic.h>

#include "mxhold/base/error.h"
#include "mxhold/config/config.h"
#include "mxhold/storage/directory.h"

enum recipients_looked {
	RECIPIENTS_FAILED = -1, /* a source cannot be read */
	RECIPIENTS_TAKEN,       /* a new list is in force */
	RECIPIENTS_SAME,        /* the one in force is what they say */
	RECIPIENTS_REFUSED,     /* for its size */
};

struct recipients_asked {
	bool accept; /* confirms the list that was refused */
	const atomic_bool *cancelled;
};

struct recipients_loaded {
	uint64_t before;  /* entries in force before */
	uint64_t entries; /* and now, or those refused */
	uint64_t foreign; /* lines of other domains, passed over */
	struct list_state state;
};

/* err says why when it is neither taken nor the same. A look that was
 * cancelled leaves no trace (err.sys is ECANCELED); one at a file that changed
 * meanwhile should be had again (EAGAIN). */
enum recipients_looked recipients_look(struct directory *d,
				       const struct config_domain *domain,
				       const struct recipients_asked *asked,
				       struct recipients_loaded *out,
				       struct error *err);
/* 0, or -1: the list before stays in force. */
int recipients_load_counted(struct directory *d,
			    const struct config_domain *domain,
			    struct recipients_loaded *out, struct error *err);
/* All of its sources, read now, added to a load that is not in force: for
 * directory_diff_new. NULL with the reason. */
struct directory_load *recipients_gather(struct directory *d,
					 const struct config_domain *domain,
					 const atomic_bool *cancelled,
					 struct error *err);

#endif
