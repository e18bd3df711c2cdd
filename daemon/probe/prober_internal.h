/*
 * The inside of the prober. One file a concern:
 *
 *	prober.c	the primaries, reload, views, who is told what
 *	peer.c		one primary: its state and timer
 *	peer_record.c	and its record on disk
 *	probe.c		one probe, from connect to verdict
 */
#ifndef MXHOLD_PROBER_INTERNAL_H
#define MXHOLD_PROBER_INTERNAL_H

#include "mxhold/base/list.h"
#include "mxhold/net/timer.h"
#include "mxhold/probe/prober.h"

enum {
	PROBES_AT_ONCE = 4
}; /* of one primary */

struct peer_waiter {
	struct peer_waiter *next;
	/* What is said of the primary is on disk; why: it is not. */
	void (*on_kept)(void *data, const char *why);
	void *data;
};

struct prober {
	struct loop *loop;
	struct outbound *outbound;
	struct directory *directory;
	const struct config *config;
	void (*on_change)(void *data, const char *name);
	void *data;
	struct peer **peers; /* in the order of config->primaries */
	size_t n_peers;
	struct timer *minute; /* the up-time clocks go to disk */
	struct timer *soon;   /* on_change for all who changed */
	bool is_closing;      /* nobody is told any more */
};

struct peer {
	struct prober *p;
	char *name;
	const struct config_primary *primary; /* in p->config */
	const struct config_domain *domain;   /* the first it serves, or NULL */
	struct health health;
	bool held;             /* in all */
	bool held_by_operator; /* outlives a restart */
	bool changed;          /* on_change is due */

	struct list probes; /* under way, oldest first */
	size_t n_probes;
	struct timer *next;
	int64_t base_ms;   /* loop time: the last start, or delivery */
	int64_t bad_ms;    /* loop time: when a delivery last failed */
	uint64_t seq;      /* of the last probe started */
	uint64_t good_seq; /* probes up to here are older than good news */

	int64_t last_probe_ms; /* wall */
	uint32_t last_probe_took_ms;
	char last_result[256];
	enum health_event last_event;
	struct session_protection protection;
	char probe_rcpt[160]; /* the 5xx that the last probe's RCPT got */
	int64_t last_up_ms;
	uint32_t ehlo_ext;
	uint64_t ehlo_size;
	struct endpoint good[PEER_HOSTS_MAX];
	size_t n_good;
	int64_t good_at_ms;

	struct peer_job *job;        /* on its way to disk */
	bool dirty;                  /* and what it carries is old already */
	struct peer_waiter *waiters; /* for the next one */
};

/* peer.c */
struct peer *peer_new(struct prober *p, const struct config_primary *primary);
void peer_free(struct peer *peer); /* after its last words went to disk */
/* The same name in a new configuration. */
void peer_adopt(struct peer *peer, const struct config_primary *primary);
void peer_note(struct peer *peer, enum health_event e, const char *why);
void peer_learn(struct peer *peer, const struct session *s);
void peer_tell(struct peer *peer, enum health_event e, const char *why,
	       const struct session *s); /* a delivery */
/* who: copied; NULL: nobody waits. */
void peer_hold(struct peer *peer, bool hold, const char *why,
	       const struct peer_waiter *who);
int64_t peer_wait_ms(const struct peer *peer); /* until the next probe */
void peer_arm(struct peer *peer);              /* the timer of the next probe */
bool peer_has_good(const struct peer *peer);

/* peer_record.c */
void peer_record_restore(struct peer *peer, const struct peer_record *rec);
void peer_save(struct peer *peer);
/* who->on_kept comes from the loop when that is done. */
void peer_save_for(struct peer *peer, const struct peer_waiter *who);
void peer_record_last_words(struct peer *peer); /* before it is freed */

/* probe.c */
/* It is time for one. */
void probe_next(struct peer *peer);
/* Somebody asks: none is started when as many as may be are under way. */
void probe_now(struct peer *peer);
/* Tells when the newest probe is over. */
void probe_wait(struct peer *peer,
		void (*on_done)(void *data, const struct primary_view *view),
		void *data);
void probe_cancel_all(struct peer *peer);

/* prober.c */
void prober_fill_view(const struct peer *peer, struct primary_view *out);
void prober_announce(struct peer *peer);

#endif
