/*
 * Domain names: checked, lower-cased, IDN as A-labels (libidn2).
 * Pure; any thread.
 */
#ifndef MXHOLD_MAIL_DOMAIN_H
#define MXHOLD_MAIL_DOMAIN_H

#include <stdbool.h>

#include "mxhold/base/slice.h"

enum {
	DOMAIN_MAX = 256 /* 255 octets and a NUL */
};

/* LDH labels of 1-63 octets, at most 255 in all, no trailing dot. */
bool domain_is_valid(struct slice s);
bool domain_is_fqdn(struct slice s); /* valid and has a dot */
/* Lower-case A-labels, one trailing dot removed. 0, or -1: no such form. */
int domain_canonical(struct slice s, char out[DOMAIN_MAX]);
/* U-labels for people, which lead back to the input, or else the input. */
int domain_display(const char *canonical, char *out, size_t room);
/* True when `name` is `suffix` or ends in ".suffix"; caseless. */
bool domain_is_below(struct slice name, struct slice suffix);

#endif
