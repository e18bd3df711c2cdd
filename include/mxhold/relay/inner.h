/*
 * The inside of the relay: one struct relay, a lane for each primary, a dest
 * for each destination of the queue, a delivery for each message under way.
 * Main loop only. Private to the layer.
 *
 *	relay.c		makes, reloads, stops; the operator's words
 *	dest.c		destinations: found, bound to lanes, their due heads
 *	lane.c		one primary: how much at once, what next, sessions
 *	lane_state.c	is it there, may mail go
 *	lane_trouble.c	what goes wrong there
 *	pool.c		its sessions
 *	aside.c		room beside what hangs
 *	delivery.c	one message: handed over
 *	reading.c	read from the store
 *	wording.c	as a server that offers this takes it
 *	judging.c	what the replies mean
 *	settling.c	what became of it, into the queue
 *	telling.c	and, once it is there, into the log
 *	handing.c	together with others
 *	passing.c	its session goes on meanwhile
 *	reporting.c	and who is told
 *	teaching.c	what it says of who is ours
 *	expiry.c	what has waited too long
 *	delay.c		what is late, and its sender is to know
 *	shelf.c		reads on the work pool
 *
 * Work is started by events alone: mail came (kick), a primary changed, a
 * commit is done, a session opened or ended, a timer. Each marks a lane; the
 * lanes marked run in the next turn of the loop.
 */
#ifndef MXHOLD_RELAY_INNER_H
#define MXHOLD_RELAY_INNER_H

#include "mxhold/base/map.h"
#include "mxhold/relay/allowance.h"
#include "mxhold/relay/breaker.h"
#include "mxhold/relay/pool.h"
#include "mxhold/relay/relay.h"
#include "mxhold/relay/shelf.h"
#include "mxhold/relay/window.h"

enum {
	PAGE_ROWS = 64, /* due rows read at once */
	PAGES_MAX = 8,  /* of rows that are all under way already */
	SUSPECTS_MAX = 64,
	UNREADABLE_MAX = 256,
	PREFETCH_MAX = 8,    /* messages read ahead of a free session */
	IN_FLIGHT_MAX = 256, /* of all lanes; beyond it one a lane */
	REPORT_LANES_MAX = 16,
	LOOK_UPS_MAX = 64 /* in the store, in one turn of the loop */
};

struct due_page {
	struct due_row rows[PAGE_ROWS];
	size_t n, at;
};

/*
 * A destination of the queue. Never freed while the relay lives: numbers are
 * few and are not used again. lane NULL: its domain has left the
 * configuration and its mail is held back, or (reports) nothing is due.
 */
struct dest {
	struct list item; /* in lane->dests */
	struct relay *relay;
	struct lane *lane;
	uint32_t number;
	enum dest_kind kind;
	char *domain;
	int64_t look_at_ms; /* wall: when it may have something due; 0 = now */
	struct due_page *pages[2]; /* by window_class; NULL = nothing read */
	/* the last row that was looked at for being late (delay.c) */
	int64_t told_ms;
	uint64_t told_id;
};

struct lane {
	struct list item; /* in relay->lanes */
	struct relay *relay;
	char *name; /* of the primary; of the domain for reports */
	bool is_report;
	struct list dests, deliveries;
	struct pool pool;
	struct window window;
	struct breaker breaker;
	struct timer *timer;
	bool marked; /* runs in the next turn */
	bool paused;
	bool forced;           /* drain now: goes although it is not up */
	bool released;         /* drain now: goes although it is held */
	bool outage;           /* it was not up since it last ran */
	uint32_t failures;     /* rounds of openings that failed, in a row */
	uint32_t broken;       /* connections that broke, nothing delivered */
	uint32_t carries;      /* mails a session got before 421; 0 = any */
	int64_t recovered_ms;  /* wall: mail from here on is fresh */
	int64_t cool_until_ms; /* mono: no new session before */
	int64_t forced_ms;     /* mono: when it was last told to drain now */
	int64_t asked_ms;      /* mono: its primary asked last; 0 = never */
	uint64_t sent;
	uint32_t refused_row;   /* attempts since the last delivery */
	int64_t breaker_ms;     /* wall: when the breaker last opened */
	char breaker_said[160]; /* the 5xx that opened it, or failed a try */
	/* Messages that were under way when a connection broke. */
	uint64_t suspects[SUSPECTS_MAX];
	uint32_t suspect_at;
	char trouble[200]; /* why its sessions do not open, or "" */
	/* What the last message that could not go for that lacked there. */
	uint32_t wants;   /* enum smtp_ext */
	int64_t wants_ms; /* mono: when; it is looked for so long */
	char lacks[100];
};

/* A message that no attempt can be made of, until the next start. */
struct passed_over {
	uint64_t id;
	uint32_t dest;
};

struct relay {
	struct relay_parts parts;
	const struct config *config; /* a reference */
	struct reader *reader;       /* the main loop's own */
	struct mailbox *mailbox;     /* settled jobs come home here */
	struct shelf *shelf;
	struct list lanes;
	struct dest **dests;
	size_t n_dests, dests_room;
	uint32_t next_dest;   /* numbers below it are known */
	struct map in_flight; /* id -> struct delivery */
	size_t n_deliveries;  /* also those that only wait to be freed */
	struct timer *turn;   /* marked lanes run in the next turn */
	struct handing *handing;
	bool look_wanted;    /* destinations may be new or have mail again */
	bool reports_wanted; /* the same of the reports' */
	struct timer *look;  /* not too often; and the next report due */
	int64_t looked_ms;   /* mono */
	struct expiry *expiry;
	struct delay *delay;
	struct allowance allowance; /* of reports */
	struct passed_over unreadable[UNREADABLE_MAX];
	uint32_t unreadable_at;
	int64_t unread_ms;  /* mono: the store last failed; 0 = never */
	uint64_t n_damaged; /* since the start, for the alarm */
	bool stopping;
	struct timer *grace;
	int64_t grace_ms;
	bool grace_half, grace_over;
	struct timer *idle; /* tells on_idle */
	void (*on_idle)(void *data);
	void *data;
};

/* relay.c */
void relay_queue_turn(struct relay *r);
/* Every minute: what no event tells of. */
void relay_sweep(struct relay *r);
/* Something has ended: perhaps it was the last that relay_stop waits for. */
void relay_check_idle(struct relay *r);
const struct config_domain *relay_domain(const struct relay *r,
					 const struct dest *d);
const struct config_drain *relay_drain_of(const struct relay *r,
					  const struct dest *d);
struct slice relay_id_key(const uint64_t *id);

/* dest.c */
/* Reads new destinations and binds all; false: there are more, look again. */
bool dest_discover(struct relay *r);
void dest_bind_all(struct relay *r);
/* Reports that have become due get a lane. Returns when to look again. */
int64_t dest_look_for_reports(struct relay *r, int64_t now_ms);
void dest_unbind(struct dest *d);
void dest_wake(struct dest *d);
void dest_wake_all(struct relay *r, bool reports);
/* A report was put for this sender's domain. */
void dest_report_added(struct relay *r, const char *domain);
void dest_drop_pages(struct dest *d);
/* The head of its due rows of that class that is not under way, read page by
 * page; NULL: none is due. dest_take removes it. */
const struct due_row *dest_peek(struct dest *d, enum window_class class,
				int64_t now_ms);
void dest_take(struct dest *d, enum window_class class);
/* Is there really such a row, just now? */
bool dest_has_row(const struct dest *d, const struct due_row *row);
bool dest_passes_over(const struct relay *r, uint32_t dest, uint64_t id);
/* Mail that is held back because nobody is configured for it. */
size_t dest_alarms(struct relay *r, char (*out)[256], size_t max);
void dest_free_all(struct relay *r);

/* lane.c */
struct lane *lane_find(const struct relay *r, const char *name);
struct lane *lane_get(struct relay *r, const char *name, bool is_report);
void lane_mark(struct lane *l);
void lane_run(struct lane *l);
void lane_reload(struct lane *l);
void lane_drain_now(struct lane *l);
void lane_hold(struct lane *l, bool hold); /* or its end */
void lane_ask(struct lane *l);             /* its primary asks for its mail */
/* How many sessions may carry mail at once now. */
uint32_t lane_limit(const struct lane *l);
void lane_loaded(struct lane *l);
/* What an operator sees of it. */
void lane_view(const struct lane *l, struct relay_view *out);
/* A message needs these, and the server lacks some of them. */
void lane_note_lack(struct lane *l, uint32_t needs, const char *what);
bool lane_is_idle(const struct lane *l);
/* Canary or breaker: one message at a time, from start to end. */
bool lane_goes_alone(const struct lane *l);
void lane_free(struct lane *l);
size_t lane_count_reports(const struct relay *r);

/* lane_trouble.c */
/* What a delivery has seen and how it ended. */
void lane_note_pressed(struct lane *l);
void lane_note_bad(struct lane *l, enum health_event e, const char *why);
void lane_note_broken(struct lane *l);          /* with a message on its way */
bool lane_suspect(struct lane *l, uint64_t id); /* true: it was one before */
void lane_log_breaker(struct lane *l, bool open, const char *why);
/* No session for that long. */
void lane_cool(struct lane *l, int64_t ms);
/* Of its pool: one could not be opened. */
void lane_on_failed(void *lane, const struct session_failure *failure);

/* aside.c */
/* Makes room beside what hangs; the time until it is to be asked again. */
int64_t aside_look(struct lane *l, int64_t mono_ms);
/* Which one is under way for longest. */
void aside_view(const struct lane *l, struct relay_view *out);

/* lane_state.c */
/* Mail goes again: what is here has waited, and goes gently. */
void lane_breaker_shut(struct lane *l);
const struct config_primary *lane_primary(const struct lane *l); /* or NULL */
const struct config_drain *lane_drain(const struct lane *l);
/* The one that reports go by; NULL: by their own MX. */
const struct config_primary *lane_report_primary(const struct relay *r);
/* An operator holds it, or has paused the drain. */
bool lane_is_held(const struct lane *l);
/* Mail waits, or has waited lately, for a keyword that it does not offer. */
bool lane_is_lacking(const struct lane *l);
/* Looks at the primary's state, and notes when it has come back. */
bool lane_may_send(struct lane *l, int64_t mono_ms);

/* handing.c */
struct handing *handing_new(struct relay *r);
void handing_free(struct handing *h);
void handing_submit(struct handing *h, struct job *job); /* to the writer */

/* expiry.c */
struct expiry *expiry_new(struct relay *r);
void expiry_look(struct expiry *x); /* now */
void expiry_stop(struct expiry *x); /* starts nothing more */
bool expiry_is_idle(const struct expiry *x);
void expiry_free(struct expiry *x);

/* delay.c */
struct delay *delay_new(struct relay *r);
void delay_look(struct delay *y);
void delay_free(struct delay *y);

#endif
