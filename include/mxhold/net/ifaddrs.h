/* The addresses of this machine, for the loop guard (never relay to us). */
#ifndef MXHOLD_NET_IFADDRS_H
#define MXHOLD_NET_IFADDRS_H

#include <stdbool.h>

#include "mxhold/base/inet.h"

/* True for loopback, unspecified, and any address of an interface; the list
 * is read again at most once a minute. Any thread. */
bool ifaddrs_is_ours(const struct inet_addr *a);

#endif
