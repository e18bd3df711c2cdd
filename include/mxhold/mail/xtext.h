/* xtext (RFC 3461 4) and the utf-8 address type's escapes (RFC 6533 3). */
#ifndef MXHOLD_MAIL_XTEXT_H
#define MXHOLD_MAIL_XTEXT_H

#include <stdbool.h>

#include "mxhold/base/buf.h"
#include "mxhold/base/slice.h"

bool xtext_is_valid(struct slice s);               /* upper-case hex only */
int xtext_decode(struct slice s, struct buf *out); /* 0, or -1: not xtext */
int xtext_append(struct buf *out, struct slice raw);
/* utf-8-addr-xtext / unitext: with allow_raw also raw UTF-8. */
bool utf8_xtext_is_valid(struct slice s, bool allow_raw);
int utf8_xtext_decode(struct slice s, struct buf *out);    /* to UTF-8 */
int utf8_xtext_append(struct buf *out, struct slice utf8); /* \x{HEX} form */

#endif
