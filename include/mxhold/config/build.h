/*
 * From what was written (config/tree.h) to struct config: defaults, then
 * values in the order of reading, then what needs more than one option
 * (names, primaries, overrides), then the checks across options. Private to
 * the layer.
 */
#ifndef MXHOLD_CONFIG_BUILD_H
#define MXHOLD_CONFIG_BUILD_H

#include "mxhold/config/config.h"
#include "mxhold/config/tree.h"

struct builder {
	struct tree *tree;
	struct complaints *complaints;
	struct pool *pool; /* lives as long as the configuration */
	struct config *c;
	bool peek; /* files it names, users and groups are not looked at */
	/* Where each came from: same order as c->domains and so on; implicit
	 * primaries (behind n_primary_sections) have none. */
	struct tree_section **domain_sections, **primary_sections;
	struct tree_section **listen_sections, **alert_sections;
	size_t n_primary_sections;
	bool *primary_used;
	size_t primary_room;
};

void build_config(struct builder *b);

/* build_names.c: hostname, postmaster, paths of probes and reports. */
void build_names(struct builder *b);
/* The text of an option that needs resolving: said last, or its default. */
const char *build_raw(const struct builder *b, enum schema_id section,
		      const char *option, const struct tree_section *parent,
		      struct place *at);
void build_bounce_from(struct builder *b, const struct tree_section *domain,
		       struct config_bounce *out);

/* build_primaries.c: hosts, and which primary a domain means. */
void build_hosts(struct builder *b, struct config_primary *p,
		 const struct tree_section *s);
void build_domain_primary(struct builder *b, struct config_domain *d,
			  const struct tree_section *s);

/* check.c */
void check_config(struct builder *b);

#endif
