/* What the files of this layer share of struct outbound. */
#ifndef MXHOLD_OUTBOUND_INTERNAL_H
#define MXHOLD_OUTBOUND_INTERNAL_H

#include <stdbool.h>

#include "mxhold/base/list.h"
#include "mxhold/net/tls_context.h"
#include "mxhold/outbound/outbound.h"

enum {
	OUTBOUND_PLAIN_MAX = 32
};

struct outbound {
	struct loop *loop;
	struct resolver *resolver; /* or NULL */
	const struct config *config;
	struct map contexts;  /* what they are made of -> tls_context */
	struct map mistakes;  /* domain -> text told last */
	struct list quitting; /* sessions that only say good-bye */
	struct {
		struct endpoint at;
		int64_t until_ms;
	} plain[OUTBOUND_PLAIN_MAX]; /* where TLS was offered and broke */
	size_t next_plain;
};

/* A counted context for these files; made once, kept until the reload. */
struct tls_context *outbound_tls(struct outbound *o,
				 const struct config_primary *p,
				 struct error *err);
/* TLS broke at this server a short while ago: opportunistic sessions go in
 * clear at once. */
bool outbound_is_plain(struct outbound *o, const struct endpoint *at);
void outbound_note_plain(struct outbound *o, const struct endpoint *at);
/* Logs what is wrong with a zone, once until it changes. */
void outbound_tell_mistakes(struct outbound *o, const char *domain,
			    const char *text);

#endif
