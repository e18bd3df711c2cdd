/*
 * The PROXY protocol, versions 1 and 2, receiving side (HAProxy's
 * specification). Pure; bounded: a header is at most 16 + 65535 octets, of
 * which more than PROXY_HEADER_MAX is refused.
 */
#ifndef MXHOLD_SMTP_PROXY_H
#define MXHOLD_SMTP_PROXY_H

#include <stdbool.h>

#include "mxhold/base/inet.h"
#include "mxhold/base/slice.h"

enum {
	PROXY_HEADER_MAX = 1024
};

enum proxy_result {
	PROXY_MORE, /* the header is not whole yet */
	PROXY_OK,
	PROXY_BAD /* hang up */
};

struct proxy_header {
	bool local; /* LOCAL or UNKNOWN: use the real peer */
	struct endpoint source;
	struct endpoint destination;
};

/* *used = length of the header, with PROXY_OK. */
enum proxy_result proxy_parse(struct slice in, struct proxy_header *out,
			      size_t *used);

#endif
