/*
 * The front door: listeners on the main loop, sessions on N receive loops,
 * jobs to the writer. Made, reloaded and stopped by the composition root on
 * the main loop's thread.
 */
#ifndef MXHOLD_RECEIVE_RECEIVE_H
#define MXHOLD_RECEIVE_RECEIVE_H

#include "mxhold/config/config.h"
#include "mxhold/net/listener.h"
#include "mxhold/net/resolver.h"
#include "mxhold/net/tls_context.h"
#include "mxhold/receive/learning.h"
#include "mxhold/storage/directory.h"
#include "mxhold/storage/writer.h"

struct receive;

enum etrn_outcome { /* RFC 1985 5.3; of several domains the highest counts */
	ETRN_UNKNOWN,
	ETRN_NOTHING, /* nothing is waiting */
	ETRN_HELD,    /* by an operator's word */
	ETRN_STARTED
};

struct receive_parts {
	struct loop *loop; /* the main loop */
	struct store *store;
	struct writer *writer;
	struct directory *directory;
	const struct config *config;
	struct tls_context *tls;
	struct resolver *resolver; /* NULL: DNS is not asked about clients */
	struct learning *learning; /* NULL: no primary can be asked */
	const int *inherited;      /* listening sockets from systemd, or none */
	size_t n_inherited;
	/* After each kept message, on the main loop (coalesced): kick relay. */
	void (*on_kept)(void *data);
	/* ETRN from a primary's address (main loop) for a configured domain:
	 * start its drain. *waiting: how many messages there are. */
	enum etrn_outcome (*on_etrn)(void *data, const char *domain,
				     uint64_t *waiting);
	void *data;
};

struct magnet_row;
struct simulate_ask;
struct simulation;

struct receive *receive_new(const struct receive_parts *parts,
			    struct error *err);
/* on_done when every loop has taken it (main loop). */
void receive_reload(struct receive *r, const struct config *config,
		    struct tls_context *tls, void (*on_done)(void *data),
		    void *data);
/* A primary came or went, for `when_up`; unknown until told. */
void receive_primary_state(struct receive *r, const char *primary, bool is_up,
			   int64_t up_ms);
/* Closes the listeners, says 421 4.3.2 to idle sessions, lets bodies under
 * way and commits finish within grace_ms; on_done on the main loop. */
void receive_stop(struct receive *r, int64_t grace_ms,
		  void (*on_done)(void *data), void *data);
void receive_free(struct receive *r); /* after on_done */
/* Sessions near their limit. */
size_t receive_alarms(const struct receive *r, char (*out)[256], size_t max);
/* magnet.h: rows to be freed with mem_free; *since_ms (wall) is moved up to
 * where counting began. domain NULL: all. */
struct magnet_row *receive_magnet(struct receive *r, const char *domain,
				  int64_t *since_ms, size_t *n);
/* simulate.h: on_done gets a simulation that it owns (mem_free). Once, maybe
 * within the call. */
void receive_simulate(struct receive *r, const struct simulate_ask *ask,
		      void (*on_done)(void *data, struct simulation *s),
		      void *data);
/* Addresses in use, for logs and tests (port 0). */
size_t receive_addresses(const struct receive *r, struct endpoint *out,
			 size_t max);

#endif
