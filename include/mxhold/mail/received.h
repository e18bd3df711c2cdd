/*
 * Our trace line (RFC 5321 4.4). The queue id is not known yet: a place of
 * ID_TEXT_LEN octets is left for it, which the queue's writer fills in.
 * Lines stay below 78 octets where they can, and always below 998.
 */
#ifndef MXHOLD_MAIL_RECEIVED_H
#define MXHOLD_MAIL_RECEIVED_H

#include "mxhold/base/buf.h"
#include "mxhold/mail/envelope.h"

/*
 * Appends "Received: from ... by `hostname` with ... id <place> for ...;
 * date\r\n". *id_at = offset of the place within the buffer's live bytes.
 * The for clause appears only with exactly one recipient. 0, or -1 when the
 * buffer is full. What the client said is made safe: it cannot end the
 * field or a comment.
 */
int received_append(struct buf *b, const struct envelope *env,
		    const char *hostname, size_t *id_at);

#endif
