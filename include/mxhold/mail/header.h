/*
 * Scans the header of a message as it streams by and notes the few things a
 * relay may look at (RFC 5321 3.6.3): how many Received fields, TLS-Required,
 * octets above 127, whether the content begins with a header at all.
 * Bounded memory whatever the input. Pure.
 */
#ifndef MXHOLD_MAIL_HEADER_H
#define MXHOLD_MAIL_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/slice.h"

struct header_scan {
	/* results, valid at any time */
	uint32_t received;        /* Received fields seen */
	uint32_t tls_required_no; /* TLS-Required: No fields */
	uint32_t tls_required;    /* of any value: two mean nothing */
	bool eight_bit_header;
	bool eight_bit_body;
	bool has_nul;
	bool ended;            /* the empty line, or a line that is no field */
	bool no_header;        /* the first line is neither field nor empty; a
				  mailbox's "From x" before it is passed over */
	uint64_t header_bytes; /* of the fields, without the empty line */
	char message_id[256];  /* of the Message-ID field, "<...>", or "" */
	/* private */
	uint8_t state;
	uint8_t field;
	uint16_t name_n;
	char name[32];
	uint16_t value_n;
	char value[256];
	uint64_t line_bytes; /* of the line that is being read */
};

void header_scan_init(struct header_scan *h);
/* Body bytes in the order of the message, cut anywhere. */
void header_scan_feed(struct header_scan *h, struct slice bytes);
/* The message has ended (a header without a body ends here). */
void header_scan_end(struct header_scan *h);

#endif
