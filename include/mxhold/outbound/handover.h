/*
 * What a primary is told about the client a message came from: attributes
 * for XCLIENT or XFORWARD (Postfix XCLIENT_README, XFORWARD_README). Pure.
 */
#ifndef MXHOLD_OUTBOUND_HANDOVER_H
#define MXHOLD_OUTBOUND_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>

#include "mxhold/config/config.h"
#include "mxhold/mail/envelope.h"
#include "mxhold/smtp/ehlo.h"

enum {
	HANDOVER_COMMANDS_MAX = 4,
	/* A command line has 512 octets (RFC 5321 4.5.3.1.4), with the verb,
	 * a blank and CRLF. */
	HANDOVER_LINE_MAX = 512 - 11
};

enum handover_verb {
	HANDOVER_BY_NOTHING,
	HANDOVER_BY_XCLIENT,
	HANDOVER_BY_XFORWARD
};

struct handover {
	enum handover_verb verb;
	char commands[HANDOVER_COMMANDS_MAX][HANDOVER_LINE_MAX + 1];
	size_t n; /* without the verb, to be sent in this order */
};

/* How this server may be told, by its offer and our configuration. */
enum handover_verb handover_choose(const struct smtp_ehlo *ehlo,
				   enum primary_handover wanted);
/*
 * The attributes the server knows. Values are xtext; what is unknown, or
 * longer than 255 octets, is [UNAVAILABLE]. XCLIENT has ADDR and NAME last,
 * as they are what the server starts its checks with.
 */
void handover_make(struct handover *h, enum handover_verb verb,
		   const struct smtp_ehlo *ehlo, const struct envelope *env);

#endif
