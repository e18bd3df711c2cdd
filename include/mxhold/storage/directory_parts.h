/*
 * The inside of directory/: tables, records, keys. Private to storage.
 *
 *	meta        "format", "generation" (the last number given)
 *	domain      domain -> generation in force, count, salt, kinds in it
 *	generation  number -> one that is being built, or waits to be swept
 *	entry       number, kind, local part or hash -> (version)
 *	peer        name -> struct peer_record
 *	list        domain -> struct list_state
 *	source      domain, 0, id -> struct source_state
 *	learned-domain  domain -> its number, clock and counts
 *	learned         number, local part -> struct learned_record
 *	learned-age     number, kind, clock, local part -> (version)
 */
#ifndef MXHOLD_STORAGE_DIRECTORY_PARTS_H
#define MXHOLD_STORAGE_DIRECTORY_PARTS_H

#include <lmdb.h>

#include "mxhold/storage/directory.h"
#include "mxhold/storage/directory_learned.h"
#include "mxhold/storage/env.h"

enum dir_table {
	DIR_META,
	DIR_DOMAIN,
	DIR_GENERATION,
	DIR_ENTRY,
	DIR_PEER,
	DIR_LIST,
	DIR_SOURCE,
	DIR_LEARNED_DOMAIN,
	DIR_LEARNED,
	DIR_LEARNED_AGE,
	DIR_COUNT
};

enum {
	DIR_FORMAT = 1,
	DIR_VERSION = 1, /* of each record, but: */
	DIR_DOMAIN_VERSION = 2,
	DIR_PEER_VERSION = 2, /* 2: marks of the up-time clock */
	DIR_BATCH = 20000,
	DIR_SALT_MAX = 255,
	DIR_LOCAL_MAX = 400,
	DIR_KEY_MAX = 5 + DIR_LOCAL_MAX,
	DIR_RECORD_MAX = 1024,
};

enum dir_kind { /* the fifth octet of a key of `entry` */
	DIR_ADDRESS = 'a',
	DIR_CATCHALL = 'c',
	DIR_HASH = 'h',
	DIR_NEVER = 'n',
};

struct directory {
	MDB_env *env;
	MDB_dbi dbi[DIR_COUNT];
	char *dir;
	uint64_t token; /* of this opening: who builds what */
	uint64_t learned_max[LEARNED_KINDS]; /* entries a domain */
	void (*panic)(const char *why);
};

struct domain_record {
	uint32_t generation;
	uint64_t count;
	int64_t loaded_ms;
	bool has_hash, has_never, has_catchall;
	struct slice salt;
	bool has_sum; /* since version 2 */
	uint64_t sum;
};

struct generation_record {
	bool old; /* else it is being built, by: */
	uint32_t pid;
	uint64_t token;
};

struct learned_domain {
	uint32_t number;
	uint64_t primary; /* hash of its name: whose clock it is */
	int64_t shift;    /* the domain's clock less its primary's up-time */
	int64_t clock_ms; /* when something was last learned */
	uint64_t n[LEARNED_KINDS];
};

struct learned_record {
	enum learned kind;
	enum learned_by by;
	int64_t at_ms;    /* the domain's clock: last confirmed */
	int64_t wall_ms;  /* the same, for people */
	int64_t doubt_ms; /* the clock, since when it is refused; 0 = not */
};

/* The reader's own transaction, to be reset afterwards. NULL: none. */
MDB_txn *dir_reader_renew(struct directory_reader *r);
struct directory *dir_reader_directory(struct directory_reader *r);

/* Commits, or aborts when rc is an error already; what came of it. */
int dir_end(struct directory *d, MDB_txn *txn, int rc);

/* Encoders: bytes written, or 0. Decoders: 0 or -1. Pure. */
size_t dir_encode_domain(void *p, size_t room, const struct domain_record *d);
int dir_decode_domain(struct slice raw, struct domain_record *out);
size_t dir_encode_generation(void *p, size_t room,
			     const struct generation_record *g);
int dir_decode_generation(struct slice raw, struct generation_record *out);
size_t dir_encode_peer(void *p, size_t room, const struct peer_record *r);
int dir_decode_peer(struct slice raw, struct peer_record *out);
size_t dir_encode_list(void *p, size_t room, const struct list_state *s);
int dir_decode_list(struct slice raw, struct list_state *out);
size_t dir_encode_source(void *p, size_t room, const struct source_state *s);
int dir_decode_source(struct slice raw, struct source_state *out);
size_t dir_encode_learned_domain(void *p, size_t room,
				 const struct learned_domain *d);
int dir_decode_learned_domain(struct slice raw, struct learned_domain *out);
size_t dir_encode_learned(void *p, size_t room, const struct learned_record *r);
int dir_decode_learned(struct slice raw, struct learned_record *out);

/* Key of `entry`; its length. */
size_t dir_key_entry(uint8_t k[DIR_KEY_MAX], uint32_t generation,
		     enum dir_kind kind, struct slice what);
/* What stands before "@domain"; false when it does not end so. */
bool dir_local_part(struct slice address, struct slice domain,
		    struct slice *local);

/* The next entry of a load that is sorted, each once: 1, 0 = the end, -1. */
int dir_load_sort(struct directory_load *l, struct error *err);
int dir_load_next(struct directory_load *l, struct slice *out,
		  struct error *err);
struct directory *dir_load_of(const struct directory_load *l,
			      const char **domain);

/* Who only reads may find a directory without the newer tables. */
static inline bool dir_has_table(const struct directory *d, enum dir_table t)
{
	return d->dbi[t] != 0;
}

/* Within a transaction: LMDB codes. out->salt points into LMDB's page. */
int dir_get_domain(struct directory *d, MDB_txn *txn, struct slice domain,
		   struct domain_record *out);

#endif
