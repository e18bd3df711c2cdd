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
 * "!local@domain" (never), "sha256:<64 hex>" of salt and canonical address;
 * a local part that begins with "!" itself is told by a backslash before it.
 */
struct directory_load;

struct directory_load *directory_load_begin(struct directory *d,
					    const char *domain);
/* 0, or -1: no entry of this domain, or no room (then the finish fails). */
int directory_load_add(struct directory_load *l, struct slice entry);
int directory_load_salt(struct directory_load *l, struct slice salt);
/* How many entries there are now in force; 0 when none was ever loaded. */
uint64_t directory_count(struct directory *d, const char *domain);
/* Entries added so far, duplicates included; once it is written, without. */
uint64_t directory_load_count(const struct directory_load *l);
/* The same for the same entries and salt, in whatever order they came. */
uint64_t directory_load_sum(const struct directory_load *l);
/* Writes the new generation, which nobody sees yet. 0 or -1. */
int directory_load_write(struct directory_load *l, struct error *err);
/* The commit (and the write, when that was not done); on failure the old list
 * stays in force. Frees l. */
int directory_load_finish(struct directory_load *l, int64_t wall_ms,
			  struct error *err);
void directory_load_abort(struct directory_load *l);
/* Removes one batch of what no list needs any more (an older generation, a
 * load that died). directory_load_finish does all of it; at start it is good
 * to call this while *more is set, from the work pool. 0 or -1. */
int directory_sweep(struct directory *d, bool *more);

/* A domain's list in force. */
struct directory_list {
	uint64_t entries;
	int64_t loaded_ms; /* wall */
	bool has_sum;      /* lists of older versions have none */
	uint64_t sum;      /* directory_load_sum of what was loaded */
};
int directory_list_get(struct directory *d, const char *domain,
		       struct directory_list *out); /* 0, 1 = none, -1 */

/*
 * The list in force, page by page, each in a short snapshot: when another
 * list takes its place meanwhile, it goes on at the same entry of that one.
 */
enum {
	DIRECTORY_PAGE = 256,
	DIRECTORY_KEY_MAX = 408,
	DIRECTORY_ENTRY_MAX = 700, /* octets of its text, with a NUL */
};
struct directory_key { /* what stands behind the generation */
	uint16_t n;
	uint8_t bytes[DIRECTORY_KEY_MAX];
};
struct directory_page {
	size_t n; /* 0: that was all */
	struct directory_key keys[DIRECTORY_PAGE];
	struct directory_key last; /* of the page before */
};
/* Begins with a page of zeroes. 0 or -1. */
int directory_page_next(struct directory *d, const char *domain,
			struct directory_page *page);
/* In the form that directory_load_add takes. */
void directory_key_text(const struct directory_key *k, const char *domain,
			char out[DIRECTORY_ENTRY_MAX]);

/* What a load, all added, would change, in order. Takes l over. */
struct directory_diff;
struct directory_diff *directory_diff_new(struct directory_load *l,
					  struct error *err);
/* 1 and one entry that would be new (*is_new) or gone; 0 = all; -1. */
int directory_diff_next(struct directory_diff *x, bool *is_new,
			struct directory_key *key);
void directory_diff_free(struct directory_diff *x);

/* What is known of a domain's sources together, and of each. */
enum {
	LIST_PROBLEM_MAX = 256,
	SOURCE_VALIDATOR_MAX = 256,
};
struct list_state {
	uint64_t fingerprint; /* of what the list in force was made of; 0: no */
	int64_t tried_ms;     /* wall: when the sources were last looked at */
	int64_t good_ms;      /* and their list taken, or found in force */
	/* a list that was too small, and whether it was confirmed */
	bool refused, accepted;
	uint64_t refused_entries, refused_sum;
	int64_t refused_ms;
	char problem[LIST_PROBLEM_MAX]; /* of the last look; "" = none */
};
struct source_state {
	uint64_t id; /* directory_source_id of its text */
	int64_t tried_ms, good_ms;
	uint64_t entries, sum; /* when it was last good */
	char etag[SOURCE_VALIDATOR_MAX], modified[SOURCE_VALIDATOR_MAX];
	char problem[LIST_PROBLEM_MAX];
};
uint64_t directory_source_id(const char *source);
/* Both: 0, 1 = nothing known, -1; out is zeroes then. */
int directory_state_get(struct directory *d, const char *domain,
			struct list_state *out);
int directory_source_get(struct directory *d, const char *domain,
			 const char *source, struct source_state *out);
/* One transaction. Forgets other sources of the domain. */
int directory_state_put(struct directory *d, const char *domain,
			const struct list_state *state,
			const struct source_state *sources, size_t n,
			struct error *err);

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
	PEER_HOSTS_MAX = 8,
	PEER_MARKS_MAX = 24
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
	struct mark_record {
		int64_t wall_ms, up_ms;
	} marks[PEER_MARKS_MAX]; /* of its up-time clock, oldest first */
	uint8_t n_marks;
};

int directory_peer_get(struct directory *d, const char *name,
		       struct peer_record *out); /* 0, 1 = none, -1 */
int directory_peer_put(struct directory *d, const char *name,
		       const struct peer_record *rec, struct error *err);

#endif
