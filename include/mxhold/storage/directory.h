/*
 * directory/: recipients (listed and learned) and what is known of each
 * primary. An LMDB environment of its own; advisory: never needed to keep or
 * find a message. Several processes and threads may use it; LMDB serialises
 * its writers, so write calls may block: call them from the work pool.
 */
#ifndef MXHOLD_STORAGE_DIRECTORY_H
#define MXHOLD_STORAGE_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/base/error.h"
#include "mxhold/base/slice.h"

struct directory;

int directory_open(struct directory **out, const char *state_dir,
		   bool read_only, struct error *err);
void directory_close(struct directory *d);
/* LMDB panicked (a failed meta page): called on the thread that changed
 * something; the default is env_panic. */
void directory_on_panic(struct directory *d, void (*panic)(const char *why));

/*
 * A list load: entries are gathered (bounded memory: spilled to sorted files
 * beyond some size), then written as a new generation of the domain in
 * batches and switched to by one small transaction; the old one is swept.
 * Entry forms: canonical "local@domain", "@" (every local part),
 * "!local@domain" (never), "sha256:<64 hex>" of salt and canonical address.
 */
struct directory_load;

struct directory_load *directory_load_begin(struct directory *d,
					    const char *domain);
/* 0, or -1: no entry of this domain, or no room (then the finish fails). */
int directory_load_add(struct directory_load *l, struct slice entry);
int directory_load_salt(struct directory_load *l, struct slice salt);
/* How many entries there are now in force; 0 when none was ever loaded. */
uint64_t directory_count(struct directory *d, const char *domain);
/* Entries added so far, duplicates included. */
uint64_t directory_load_count(const struct directory_load *l);
/* The commit; on failure the old list stays in force. Frees l. */
int directory_load_finish(struct directory_load *l, int64_t wall_ms,
			  struct error *err);
void directory_load_abort(struct directory_load *l);
/* Removes one batch of what no list needs any more (an older generation, a
 * load that died). directory_load_finish does all of it; at start it is good
 * to call this while *more is set, from the work pool. 0 or -1. */
int directory_sweep(struct directory *d, bool *more);

enum listed {
	LISTED_ERROR = -1,  /* the look-up failed: defer */
	LISTED_NO_LIST = 0, /* no list was ever loaded for the domain */
	LISTED_NO,
	LISTED_YES,
	LISTED_NEVER,   /* !addr */
	LISTED_CATCHALL /* by "@" */
};

/*
 * `canonical` is the whole address, `base` the same without its subaddress
 * detail (may be equal). Exact entries win over the base, "!" wins over all.
 * Any thread that owns `r`. Target: below 10 microseconds at 10 million.
 * For hashed lists the caller gives a SHA-256 function (OpenSSL lives in
 * net); NULL = hashed entries cannot match.
 */
struct directory_reader;
typedef void (*sha256_fn)(const void *p, size_t n, uint8_t out[32]);

struct directory_reader *directory_reader_new(struct directory *d,
					      sha256_fn sha256);
void directory_reader_free(struct directory_reader *r);
enum listed directory_lookup(struct directory_reader *r, const char *domain,
			     const char *canonical, const char *base);

/* What is known of a primary; a small record by its name. */
enum {
	PEER_NAME_MAX = 128,
	PEER_HOSTS_MAX = 8
};
struct peer_record {
	uint8_t state;         /* the probe layer's enum */
	int64_t since_ms;      /* wall */
	int64_t last_probe_ms; /* wall */
	uint32_t last_probe_took_ms;
	char last_result[256];
	uint32_t ehlo_ext; /* enum smtp_ext, EXT_HEARD when it is known */
	uint64_t ehlo_size;
	int64_t up_ms;      /* its up-time clock, in all */
	int64_t last_up_ms; /* wall: when a probe was last good */
	struct endpoint_record {
		uint8_t family;
		uint8_t bytes[16];
		uint16_t port;
	} good[PEER_HOSTS_MAX]; /* last addresses that worked, best first */
	uint8_t n_good;
	int64_t good_at_ms;
};

int directory_peer_get(struct directory *d, const char *name,
		       struct peer_record *out); /* 0, 1 = none, -1 */
int directory_peer_put(struct directory *d, const char *name,
		       const struct peer_record *rec, struct error *err);

#endif
