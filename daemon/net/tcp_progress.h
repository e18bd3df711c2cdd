/*
 * What the system knows of a TCP connection: how much was sent, and what the
 * peer's system answered. A file of its own: the headers that tell it do not
 * go together with libuv's.
 */
#ifndef MXHOLD_NET_TCP_PROGRESS_H
#define MXHOLD_NET_TCP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Counted since the connection was made. */
struct tcp_progress {
	uint64_t acked;   /* octets */
	uint32_t answers; /* segments that came without data */
	uint32_t sent;    /* segments with data, each time they were sent */
	uint32_t unacked; /* segments under way now */
};

/* False: it cannot be known. */
bool tcp_progress(int fd, struct tcp_progress *out);

/* What is still under way when it is closed is thrown away, and the peer, if
 * it can hear, is told by a reset. */
void tcp_drop_at_close(int fd);

/* Probes while nothing is under way: the first after silence_ms / 2, dead at
 * silence_ms or, as the system counts in seconds, a little later. */
void tcp_keep_alive(int fd, int64_t silence_ms);

#endif
