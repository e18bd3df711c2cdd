/*
 * The inside of asking, shared by its files: asking.c (who asks, who waits),
 * asking_call.c (a session with a primary: questions and what the answers
 * mean). Private to receive.
 */
#ifndef MXHOLD_RECEIVE_ASKING_PARTS_H
#define MXHOLD_RECEIVE_ASKING_PARTS_H

#include "mxhold/base/list.h"
#include "mxhold/base/map.h"
#include "mxhold/net/timer.h"
#include "mxhold/receive/asking.h"

/* What is known of a domain at its primary. */
struct standing {
	char known[ADDRESS_MAX + 1]; /* a recipient it took; "" = none */
	int64_t sound_until_ms;      /* loop time */
	int64_t catchall_until_ms;   /* it is known until then: */
	bool is_catchall;
};

struct asker {
	struct list in; /* in ask->askers */
	struct ask *ask;
	struct timer *deadline;
	void (*on_told)(void *data, enum told told);
	void *data;
};

struct ask {
	struct list in; /* in desk->waiting; alone while a call has it */
	struct desk *desk;
	struct call *call; /* that asks for it, or NULL: waiting */
	struct learning_rcpt rcpt;
	bool is_utf8;
	struct list askers;
};

enum question {
	QUESTION_RCPT,
	QUESTION_RANDOM, /* an address that cannot be */
	QUESTION_KNOWN,  /* one that must be */
};

struct call {
	struct list in; /* in desk->calls */
	struct desk *desk;
	const struct config *config; /* counted: the session looks at it */
	struct session *session;
	struct ask *ask; /* its own, or NULL */
	enum question question;
	uint32_t n_questions;
	char sender[ADDRESS_MAX + 1], address[ADDRESS_MAX + 1];
	struct recipient rcpt;
};

struct desk { /* one primary's */
	struct asking *asking;
	char name[PEER_NAME_MAX];
	struct list waiting, calls;
	size_t n_waiting, n_calls;
};

struct asking {
	struct learning_parts parts;
	const struct config *config;
	struct map desks;     /* primary -> struct desk */
	struct map asks;      /* canonical -> struct ask */
	struct map standings; /* domain -> struct standing */
	bool stopping;
	void (*teach)(void *data, const struct learning_rcpt *rcpt,
		      enum lesson_kind what);
	void *data;
};

/* asking.c */
struct standing *asking_standing(struct asking *a, const char *domain);
bool asking_is_up(const struct asking *a, const char *primary,
		  struct learning_primary *view);
/* Opens a call when somebody waits that no call will take. */
void asking_run(struct desk *desk);
/* The first who waits becomes the call's. */
void asking_take(struct desk *desk, struct call *c);
/* Tells all who asked; the ask is gone. */
void asking_tell(struct ask *ask, enum told told);
void asking_fail_waiting(struct desk *desk);

/* asking_call.c */
void call_open(struct desk *desk, const struct config_primary *primary,
	       const struct learning_primary *view);
void call_free(struct call *c, bool in_order);

#endif
