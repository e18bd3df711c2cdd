/* Dates as mail writes them. Pure; any thread. */
#ifndef MXHOLD_MAIL_DATE_H
#define MXHOLD_MAIL_DATE_H

#include <stdint.h>

enum {
	DATE_TEXT_MAX = 40
};

/* "Sun, 22 Nov 2026 02:19:16 +0000" (RFC 5322 3.3), in the local zone. */
void date_format(int64_t wall_ms, char out[DATE_TEXT_MAX]);

#endif
