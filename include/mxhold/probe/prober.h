/*
 * Probes every primary and keeps what is known of it; tells the relay when
 * one comes and goes. Main loop only.
 *
 * While a primary is not up a probe starts every interval_down, whatever the
 * last one is still waiting for; after the first good one the confirming
 * probe follows within two seconds. While it is up, deliveries that succeed
 * make probes superfluous.
 */
#ifndef MXHOLD_PROBE_PROBER_H
#define MXHOLD_PROBE_PROBER_H

#include "mxhold/outbound/session.h"
#include "mxhold/probe/health.h"
#include "mxhold/storage/directory.h"

struct prober;

struct primary_view { /* a copy, for status, relay, receive */
	char name[PEER_NAME_MAX];
	struct health health;
	bool held;             /* by an operator or drain.hold */
	int64_t last_probe_ms; /* wall; 0 = never */
	int64_t next_probe_ms; /* wall; 0 = nobody probes */
	uint32_t last_probe_took_ms;
	char last_result[256]; /* "ok", or what went wrong */
	char probe_rcpt[160];  /* the 5xx its last RCPT got, or "" */
	struct session_protection protection; /* of the last good session */
	uint32_t ehlo_ext;
	uint64_t ehlo_size;
	/* Last good addresses, best first; none when dns.last_good is over. */
	struct endpoint good[PEER_HOSTS_MAX];
	size_t n_good;
};

/* What peer_record.state holds: the state, and an operator's hold. */
enum {
	PEER_STATE_HELD = 0x80
};
enum health_state peer_record_state(const struct peer_record *rec, bool *held);

/*
 * on_change(data, name): the state of this primary has changed, or it was
 * held or resumed. Always from the loop, never within a call of prober_*.
 * What is stored of each primary is read here, at once. With drain.hold a
 * primary starts held.
 */
struct prober *prober_new(struct loop *loop, struct outbound *outbound,
			  struct directory *directory,
			  const struct config *config,
			  void (*on_change)(void *data, const char *name),
			  void *data);
/* Primaries keep their state by name. One whose hosts changed forgets its
 * last good addresses and is probed at once. */
void prober_reload(struct prober *p, const struct config *config);
/* The last states are on disk when loop_free returns: close the directory
 * after that. Before outbound_free. */
void prober_free(struct prober *p);

/* False: no such primary. */
bool prober_view(const struct prober *p, const char *name,
		 struct primary_view *out);
size_t prober_count(const struct prober *p);
bool prober_view_at(const struct prober *p, size_t index,
		    struct primary_view *out);
/* Deliveries are probes too. `s` may be NULL; with GOOD its address and EHLO
 * are remembered. Failures of several connections at once count as one. */
void prober_tell(struct prober *p, const char *name, enum health_event e,
		 const char *why, const struct session *s);
/* Starts a probe now (or joins the last one when too many are under way);
 * on_done gets the view after it (once; not after prober_free). False: no
 * such primary. */
bool prober_probe_now(struct prober *p, const char *name,
		      void (*on_done)(void *data,
				      const struct primary_view *view),
		      void *data);
/* An operator's hold outlives a restart; his resume ends any hold. Both are
 * true at once; on_kept (or NULL) comes once from the loop when that is on
 * disk, at the latest from loop_free; why: it could not be written, else
 * NULL. False: no such primary, and nobody is told. */
bool prober_hold(struct prober *p, const char *name, bool hold,
		 void (*on_kept)(void *data, const char *why), void *data);

#endif
