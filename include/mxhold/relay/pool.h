/*
 * The sessions with one primary (or one sender's MX, for reports): opening,
 * idle, busy. An idle one is kept for the next message for some seconds and
 * says QUIT then. Main loop only.
 */
#ifndef MXHOLD_RELAY_POOL_H
#define MXHOLD_RELAY_POOL_H

#include "mxhold/base/list.h"
#include "mxhold/net/timer.h"
#include "mxhold/outbound/session.h"

enum {
	POOL_IDLE_MS = 5000
};

enum link_state {
	LINK_OPENING,
	LINK_IDLE,
	LINK_BUSY
};

/* Whoever has taken a link hears its transaction, and what became of the
 * message before it while `owes` was set. */
struct link_user {
	void (*on_body)(void *data);
	void (*on_sent)(void *data, const struct session_result *result);
	void (*on_settled)(void *data, bool kept);
};

struct link {
	struct list item;
	struct pool *pool;
	struct session *session;
	enum link_state state;
	uint64_t serial; /* of this pool, from 1 on */
	uint32_t used;   /* messages carried */
	bool owes;       /* its last message is not settled in the queue */
	bool ended;      /* the peer hung up while it was lent out */
	bool aside;      /* it hangs, and another has its place */
	uint32_t era;    /* of the pool, when it was last proved to live */
	struct timer *idle;
	const struct link_user *user;
	void *data;
};

struct pool_events {
	void (*on_idle)(void *data); /* a session is there to be taken */
	void (*on_failed)(void *data, const struct session_failure *failure);
};

struct pool {
	struct loop *loop;
	struct outbound *outbound;
	const struct pool_events *events;
	void *data;
	struct list links;
	size_t n;
	uint32_t era; /* what hangs from an older one is no load */
	uint64_t last_serial;
};

void pool_init(struct pool *p, struct loop *l, struct outbound *o,
	       const struct pool_events *events, void *data);
void pool_open(struct pool *p, const struct session_target *target);
/* After an outage. Idle sessions have outlived it; one that is busy is not
 * used again when it comes back, for others have taken its place. */
void pool_begin_era(struct pool *p);
/* An idle session, now busy; NULL: none. */
struct link *pool_take(struct pool *p, const struct link_user *user,
		       void *data);
/* It carries no other message. */
bool pool_is_spent(const struct link *l, uint32_t max_uses);
/* Back to the pool; closed with QUIT when it is spent. */
void pool_give_back(struct link *l, uint32_t max_uses);
/* Back to the pool before its message is settled in the queue: whoever takes
 * it next must not give out the end of another until then. Returns its
 * serial number, for pool_settled: kept, or the session ends. */
uint64_t pool_pass_on(struct link *l, uint32_t max_uses);
void pool_settled(struct pool *p, uint64_t serial, bool kept);
struct link *pool_find(const struct pool *p, uint64_t serial); /* or NULL */
/* The session is over or not wanted: closed at once. */
void pool_drop(struct link *l);
void pool_quit_idle(struct pool *p);
void pool_abort_opening(struct pool *p);
/* How many links of this era there are in this state; any: whatever state;
 * neither counts those that have stepped aside. */
size_t pool_count(const struct pool *p, enum link_state state);
size_t pool_count_any(const struct pool *p);
size_t pool_count_aside(const struct pool *p);

#endif
