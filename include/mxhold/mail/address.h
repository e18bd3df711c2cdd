/*
 * Mail addresses as SMTP writes them (RFC 5321 4.1.2, 4.1.3; RFC 6531 3.3).
 * Parsing works on counted octets and never copies: slices point into the
 * input. Pure; any thread.
 */
#ifndef MXHOLD_MAIL_ADDRESS_H
#define MXHOLD_MAIL_ADDRESS_H

#include <stdbool.h>

#include "mxhold/base/buf.h"
#include "mxhold/base/inet.h"
#include "mxhold/base/slice.h"

enum {
	ADDRESS_LOCAL_MAX = 64,   /* RFC 5321 4.5.3.1.1 */
	ADDRESS_DOMAIN_MAX = 255, /* RFC 5321 4.5.3.1.2 */
	ADDRESS_PATH_MAX = 256,   /* RFC 5321 4.5.3.1.3 */
	ADDRESS_MAX = 320,
};

enum address_error {
	ADDRESS_OK,
	ADDRESS_SYNTAX,     /* no path at all, or junk in it */
	ADDRESS_LOCAL_PART, /* the local part is not in the grammar */
	ADDRESS_BAD_DOMAIN, /* the domain is not in the grammar */
	ADDRESS_TOO_LONG,
	ADDRESS_NOT_UTF8, /* octets above 127 that are no valid UTF-8 */
};

struct address {
	struct slice text;   /* local@domain as written, without route */
	struct slice local;  /* as written, quotes included */
	struct slice domain; /* as written; empty for <> and <postmaster> */
	bool quoted;         /* the local part is a quoted string */
	bool utf8;           /* some octet is above 127 */
	bool literal;        /* the domain is an address literal */
	struct inet_addr literal_addr; /* family 0 for a general literal */
};

/*
 * A path with its angle brackets at the start of `in`: "<a@b>", "<>",
 * "<postmaster>", "<@x,@y:a@b>" (the source route is dropped). *used is how
 * many octets it took. An empty text means the null path.
 */
enum address_error address_parse_path(struct slice in, struct address *out,
				      size_t *used);
/* local@domain alone, no brackets; a lone local part only if allow_bare. */
enum address_error address_parse(struct slice in, bool allow_bare,
				 struct address *out);

/*
 * The canonical form that recipient lists and look-ups use: local part
 * unquoted where that is possible, lower-cased (ASCII), and the domain as
 * lower-case A-labels. With `subaddress` (a set of separators such as "+",
 * may be "") the detail is cut off. NUL-terminated; 0, or -1 if it does not
 * fit (in out, or in a path: RFC 5321 4.5.3.1.3) or the domain has no A-label
 * form.
 */
int address_canonical(const struct address *a, const char *subaddress,
		      char *out, size_t room);

/* The local part with the least quoting that is still right. */
int address_append_local(struct buf *b, const struct address *a);

bool address_is_postmaster(const struct address *a); /* local part, caseless */

#endif
