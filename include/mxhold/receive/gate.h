/*
 * How many connections there may be, in all and from one client network
 * (/32, /64), and who is kept out for a while. Counting only: no sockets.
 * Main loop.
 */
#ifndef MXHOLD_RECEIVE_GATE_H
#define MXHOLD_RECEIVE_GATE_H

#include <stdint.h>

#include "mxhold/config/config.h"
#include "mxhold/receive/reputation.h"

enum admission {
	ADMISSION_GRANTED,
	ADMISSION_FULL,      /* smtp.max_sessions: 421 4.3.2 */
	ADMISSION_CROWDED,   /* smtp.max_sessions_per_ip: 421 4.7.0 */
	ADMISSION_PENALISED, /* policy.unknown_penalty: 421 4.7.0 */
};

struct gate;

struct gate *gate_new(const struct config *config);
void gate_free(struct gate *g);
void gate_configure(struct gate *g, const struct config *config);

/* A connection of a client; counted in all and in its network when granted. */
enum admission gate_admit(struct gate *g, const struct inet_addr *client,
			  int64_t now_ms);
/* A connection of a proxy: counted in all, not in its network. */
enum admission gate_admit_proxy(struct gate *g);
/* The client behind a proxy that is in already: counted in its network. */
enum admission gate_admit_behind(struct gate *g, const struct inet_addr *client,
				 int64_t now_ms);
/* What gate_admit would say; nothing is counted. */
enum admission gate_peek(const struct gate *g, const struct inet_addr *client,
			 int64_t now_ms);
/*
 * Sessions are near max_sessions: from nine tenths of it up, until they are
 * below seven tenths again. What changes it is an admission or a leave.
 */
bool gate_is_pressed(const struct gate *g);
uint32_t gate_sessions(const struct gate *g);
/* A connection has ended. network: as it was counted, or family 0. */
void gate_leave(struct gate *g, const struct inet_addr *network);

struct reputation *gate_reputation(struct gate *g);

const char *admission_why(enum admission a); /* for logs */
/* "421 4.3.2 ..." with CRLF; the greeting of who is not let in. */
const char *admission_refusal(enum admission a);

#endif
