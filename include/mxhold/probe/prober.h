/*
 * Probes every primary and keeps what is known of it; tells the relay when
 * one comes and goes. Main loop only.
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
	bool held; /* by an operator or drain.hold */
	int64_t last_probe_ms; /* wall; 0 = never */
	uint32_t last_probe_took_ms;
	char last_result[256]; /* "ok", or what went wrong */
	uint32_t ehlo_ext;
	uint64_t ehlo_size;
	struct endpoint good[PEER_HOSTS_MAX];
	size_t n_good;
};

/* on_change(data, name): the state of this primary has changed. */
struct prober *prober_new(struct loop *loop, struct outbound *outbound,
			  struct directory *directory,
			  const struct config *config,
			  void (*on_change)(void *data, const char *name),
			  void *data);
void prober_reload(struct prober *p, const struct config *config);
void prober_free(struct prober *p);

/* False: no such primary. */
bool prober_view(const struct prober *p, const char *name,
		 struct primary_view *out);
size_t prober_count(const struct prober *p);
bool prober_view_at(const struct prober *p, size_t index,
		    struct primary_view *out);
/* Deliveries are probes too. */
void prober_tell(struct prober *p, const char *name, enum health_event e,
		 const char *why, const struct session *s);
/* Starts a probe now; on_done gets the view after it (once). */
bool prober_probe_now(struct prober *p, const char *name,
		      void (*on_done)(void *data,
				      const struct primary_view *view),
		      void *data);
bool prober_hold(struct prober *p, const char *name, bool hold);

#endif
