/*
 * One receive loop: a thread with its dialogues. The main loop makes it,
 * sends it notes (notes.h) and takes it down; everything else here belongs
 * to its own thread.
 */
#ifndef MXHOLD_RECEIVE_WORKER_H
#define MXHOLD_RECEIVE_WORKER_H

#include "mxhold/base/list.h"
#include "mxhold/base/map.h"
#include "mxhold/net/mailbox.h"
#include "mxhold/net/timer.h"
#include "mxhold/receive/intake.h"
#include "mxhold/receive/magnet.h"
#include "mxhold/receive/notes.h"
#include "mxhold/receive/receive.h"
#include "mxhold/receive/reputation.h"
#include "mxhold/storage/reader.h"

struct worker_primary { /* as it was told last */
	bool is_up;
	int64_t up_ms; /* its up-time clock at: */
	int64_t at_ms; /* loop time */
};

struct worker {
	struct loop *loop;
	struct mailbox *notes; /* from the main loop */
	struct mailbox *jobs;  /* from the queue's writer */
	struct mailbox *home;  /* the main loop's */
	struct store *store;
	struct writer *writer;
	struct directory *directory;
	struct directory_reader *listed;
	struct reader *reader; /* made when first needed */
	const struct config *config;
	struct tls_context *tls; /* NULL: no STARTTLS */
	struct reputation *reputation;
	struct map primaries;    /* name -> struct worker_primary */
	int n_up;                /* of them */
	struct intake_host host; /* of the intakes */
	uint64_t no_room_for; /* smallest message the queue had no room for */
	struct list dialogues;
	struct list blocked;   /* dialogues that wait for the writer */
	struct timer *unblock; /* runs while `blocked` is not empty */
	struct timer *send_tally;
	struct timer *grace;
	struct note_tally *tally;   /* being filled, or NULL */
	struct note_visits *visits; /* likewise */
	size_t dns_out;             /* struct note_dns on their way */
	bool is_pressed;            /* sessions near the limit: be short */
	struct note_stop *stop;     /* set: stopping; goes home at the end */
	uint32_t sessions;          /* main loop's count of what it gave us */
};

/* Main loop. tls and config: a reference is taken. */
struct worker *worker_new(const struct receive_parts *parts,
			  struct mailbox *home, struct error *err);
int worker_start(struct worker *w, unsigned number, struct error *err);
void worker_post(struct worker *w, struct note *note, enum note_kind kind);
/* Main loop, after NOTE_STOPPED: the thread has ended when it returns. */
void worker_end_thread(struct worker *w);
/* Main loop, when no thread runs any more. NULL is fine. */
void worker_free(struct worker *w);

/* For dialogues, on the worker's thread. */
void worker_go_home(struct worker *w, struct note *note, enum note_kind kind);
/* A dialogue came or went. */
void worker_attach(struct worker *w, struct list *in_worker);
void worker_detach(struct worker *w, struct list *in_worker);
/* Has the queue room for a message of this size? A change is logged, once. */
bool worker_has_room(struct worker *w, uint64_t size);
/* More waits for the writer than may. */
bool worker_is_congested(const struct worker *w);
/* dialogue_on_unblocked is called when that is over. */
void worker_block(struct worker *w, struct list *blocked);
/* Is it up, and what does its up-time clock say? */
bool worker_primary_is_up(const struct worker *w,
			  const struct config_primary *primary, int64_t *up_ms);
/* Counted here and in the tally. True: the network's budget is used up. */
bool worker_count_unknown(struct worker *w, const struct inet_addr *network);
/* A client came although a primary is up: the domain's, or, with "", any. */
void worker_count_visit(struct worker *w, const struct inet_addr *network,
			const char *domain, unsigned kind);

#endif
