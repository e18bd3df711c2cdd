/*
 * Hands the queue over to the primaries: what is due, how many at once, what
 * became of it. Main loop only; content is read on the work pool.
 */
#ifndef MXHOLD_RELAY_RELAY_H
#define MXHOLD_RELAY_RELAY_H

#include "mxhold/outbound/outbound.h"
#include "mxhold/probe/prober.h"
#include "mxhold/storage/reader.h"
#include "mxhold/storage/writer.h"

struct relay;

struct relay_parts {
	struct loop *loop;
	struct store *store;
	struct writer *writer;
	struct directory *directory;
	struct outbound *outbound;
	struct prober *prober;
	const struct config *config;
	/* What a primary said of a recipient, for who learns: its reply to the
	 * content it took, or to the RCPT it refused. NULL: nobody does. */
	void (*on_rcpt)(void *data, const char *domain, struct slice address,
			const struct smtp_reply *reply);
	void *data;
};

struct relay *relay_new(const struct relay_parts *parts);
void relay_reload(struct relay *r, const struct config *config);
/* Stops starting anything; on_idle when the last attempt has been settled
 * (attempts before the dot are broken off after grace_ms). */
void relay_stop(struct relay *r, int64_t grace_ms, void (*on_idle)(void *data),
		void *data);
void relay_free(struct relay *r); /* after on_idle */

/* The primary's state changed. */
void relay_primary_changed(struct relay *r, const char *primary);
/* Mail was added or became due (any destination): look again soon. */
void relay_kick(struct relay *r);
/* Messages were given up: what is over is looked for now. */
void relay_give_up(struct relay *r);
/* Start the drain of a primary or domain now, whatever timers say (its retry
 * timers are not touched). False: no such name. */
bool relay_drain_now(struct relay *r, const char *name);
/*
 * The primary of a domain asks for its mail (ETRN): a probe at once, and all
 * that is ready follows. At most every ten seconds, and never against an
 * operator's word (*held). *waiting: messages queued for the domain. False: no
 * such domain.
 */
bool relay_ask(struct relay *r, const char *domain, uint64_t *waiting,
	       bool *held);
/* An operator has held or resumed a primary (prober_hold keeps that): what
 * `drain now` had let go in spite of a hold is over. */
void relay_hold(struct relay *r, const char *primary, bool hold);
bool relay_pause(struct relay *r, const char *name, bool pause);
/* messages a minute, 0 = no limit; until the next reload. */
bool relay_rate(struct relay *r, const char *name, uint32_t rate);
/* Opens the breaker until further notice, or closes it. */
bool relay_breaker(struct relay *r, const char *name, bool open);
/* True while an attempt at this message is under way. */
bool relay_in_flight(const struct relay *r, uint64_t id);
/* Removes it when that attempt has ended, if there is anything left of it.
 * False: none is under way, and whoever asks removes it. */
bool relay_remove(struct relay *r, uint64_t id);

struct relay_view { /* of one primary */
	uint32_t connections, limit;
	bool paused, canary, breaker_open;
	bool released; /* goes although it is held: `drain now` */
	uint32_t rate; /* messages a minute; 0 = no limit */
	uint64_t sent;
	uint32_t refused_row;     /* attempts in a row that brought nothing */
	char trouble[200];        /* why no session opens, or "" */
	char lacks[100];          /* why some mail cannot go there, or "" */
	char breaker_why[256];    /* and what it said */
	int64_t breaker_ms;       /* wall: open since */
	int64_t breaker_retry_ms; /* wall: tried then; 0 = when told so */
	/* That the breaker looks at; while it is open, those that opened it. */
	uint32_t results, refused;
	/* Under way for longest, since when (wall); "", 0 = nothing is. */
	char oldest_id[ID_TEXT_LEN + 1];
	int64_t oldest_ms;
};
bool relay_view(const struct relay *r, const char *primary,
		struct relay_view *out);

/* What is wrong beside the primaries, for status.alarms: "text" lines; returns
 * how many. */
size_t relay_alarms(const struct relay *r, char (*out)[256], size_t max);

#endif
