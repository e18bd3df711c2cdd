/* From libunbound's result to ours. Pure; bounded by dns_answer's arrays. */
#ifndef MXHOLD_NET_DNS_ANSWER_H
#define MXHOLD_NET_DNS_ANSWER_H

#include "mxhold/net/resolver.h"

struct ub_result;

/* rc: libunbound's error; result may be NULL then. */
void dns_answer_read(struct dns_answer *out, const char *name,
		     enum dns_type type, int rc,
		     const struct ub_result *result);
/* No answer could be had. */
void dns_answer_fail(struct dns_answer *out, const char *name);

#endif
