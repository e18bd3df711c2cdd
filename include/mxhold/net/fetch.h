/*
 * One document over https, by libcurl. Blocks: for the work pool or a
 * command-line tool, never on a loop. The server is verified against the
 * system's authorities, or SSL_CERT_FILE and SSL_CERT_DIR where these are
 * set; TLS 1.2 at least; no other protocol, also behind a redirect; no
 * proxy, no cookies, no compressed content.
 */
#ifndef MXHOLD_NET_FETCH_H
#define MXHOLD_NET_FETCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/error.h"
#include "mxhold/base/slice.h"

enum {
	FETCH_VALIDATOR_MAX = 256, /* octets of one, with its NUL */
	FETCH_REDIRECTS = 3,
};

/* What the server said of the document; "" = nothing. */
struct fetch_validators {
	char etag[FETCH_VALIDATOR_MAX];
	char modified[FETCH_VALIDATOR_MAX];
};

enum fetched {
	FETCH_FAILED = -1,
	FETCH_DONE = 0,
	FETCH_UNCHANGED = 1, /* 304 */
};

struct fetch {
	const char *url; /* may carry user:password@ */
	int64_t timeout_ms, connect_timeout_ms;
	int64_t stall_ms;  /* so long nothing to speak of: given up */
	uint64_t max_size; /* octets of content */
	/* Asks for what is newer than these; filled anew when FETCH_DONE. */
	struct fetch_validators *validators;
	bool unconditional;           /* but ask for it all */
	const atomic_bool *cancelled; /* may be NULL; heeded within a second */
	/* Content as it comes; not 0: stop, on_bytes has said why in err. */
	int (*on_bytes)(void *data, struct slice bytes, struct error *err);
	void *data;
};

enum fetched fetch_run(struct fetch *f, struct error *err);

#endif
