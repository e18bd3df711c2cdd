/*
 * One domain's sources into the directory. Blocks (files, LMDB): the work
 * pool or a command-line tool. See also recipients_load in recipients.h.
 */
#ifndef MXHOLD_RECEIVE_RECIPIENTS_LOAD_H
#define MXHOLD_RECEIVE_RECIPIENTS_LOAD_H

#include "mxhold/base/error.h"
#include "mxhold/config/config.h"
#include "mxhold/storage/directory.h"

struct recipients_loaded {
	uint64_t before;  /* entries in force before */
	uint64_t entries; /* and now */
	uint64_t foreign; /* lines of other domains, passed over */
};

/* 0, or -1: the list before stays in force. A list that is empty, or smaller
 * than max_shrink allows, is refused. */
int recipients_load_counted(struct directory *d,
			    const struct config_domain *domain,
			    struct recipients_loaded *out, struct error *err);
/* Changes when a file does (names, sizes, times, inodes); a file that cannot
 * be looked at changes it too. */
uint64_t recipients_fingerprint(const struct config_domain *domain);

#endif
