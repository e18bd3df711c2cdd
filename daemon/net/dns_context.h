/*
 * One context of libunbound on a loop, with its resolving thread. The
 * settings of a context are frozen with its first query, so the resolver
 * makes a new one when it changes its mind about validation.
 */
#ifndef MXHOLD_NET_DNS_CONTEXT_H
#define MXHOLD_NET_DNS_CONTEXT_H

#include "mxhold/base/error.h"
#include "mxhold/net/loop.h"
#include "mxhold/net/resolver.h"

struct dns_context;
struct ub_result;

/* How "auto" finds out whether answers can be validated. Constants of
 * resolver.c, which tests may change before they make a resolver. */
struct resolver_check {
	const char *anchor; /* from Debian's dns-root-data */
	int64_t wait_ms;
	int64_t again_silent_ms;   /* nobody answered */
	int64_t again_stripped_ms; /* answered without proof */
};
extern struct resolver_check resolver_check;

/* Called from the loop; frees the result with ub_resolve_free. */
typedef void (*dns_context_on_result)(void *data, int rc,
				      struct ub_result *result);

/* anchor: a file, or NULL: no validation. */
struct dns_context *dns_context_new(struct loop *l,
				    const struct resolver_options *options,
				    const char *anchor, struct error *err);
/* Open queries must be cancelled before. NULL is fine. */
void dns_context_free(struct dns_context *c);
/* 0 and an id for cancel, or -1. */
int dns_context_ask(struct dns_context *c, const char *name, int type,
		    dns_context_on_result on_result, void *data, int *id);
void dns_context_cancel(struct dns_context *c, int id);

#endif
